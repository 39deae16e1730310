// The networks of the task characters at work.

import { element } from "./plot.js";

/** Lets the chosen member work. */
export function showCharacters(root, view, store, data) {
  root.append(element("p", {}, "…"));
}
