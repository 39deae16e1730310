// The networks of the task sequences at work.

import { element } from "./plot.js";

/** Lets the chosen member work. */
export function showSequences(root, view, store, data) {
  root.append(element("p", {}, "…"));
}
