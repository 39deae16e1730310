// The networks of the task check at work.

import { element } from "./plot.js";

/** Lets the chosen member work. */
export function showCheck(root, view, store, data) {
  root.append(element("p", {}, "…"));
}
