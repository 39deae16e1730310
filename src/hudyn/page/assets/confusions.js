// A confusion matrix whose cells open the images behind them.

import { row } from "./arrays.js";
import { element, readable } from "./plot.js";

const LONG_CLASS = 4; // letters of a class beyond which the heads of the columns are turned

/** Sum of each row of a matrix [classes, classes], and what each cell is of its row. */
export function rowShares(matrix) {
  const [classes] = matrix.shape;
  const totals = Array.from({ length: classes }, (_, target) => row(matrix, target).reduce((sum, count) => sum + count, 0));
  return { totals, shares: Array.from(matrix, (count, cell) => count / (totals[Math.floor(cell / classes)] || 1)) };
}

/** The cell with the most mistakes. */
export function worstCell(matrix) {
  const [classes] = matrix.shape;
  const mistakes = Array.from(matrix, (count, cell) => (Math.floor(cell / classes) === cell % classes ? -1 : count));
  return mistakes.indexOf(Math.max(...mistakes));
}

/** The images behind a cell of a member's matrix, [{image, confidence}], surest first; null if they are not kept. */
export function imagesBehind(kept, member, cell) {
  const own = kept.find((one) => one.member === member);
  if (!own) return null;
  return Array.from(own.cells).flatMap((other, place) => (
    other === cell ? [{ image: own.images[place], confidence: own.confidences[place] }] : []
  ));
}

/** A share as a percentage, never rounded up to 100 %. */
export function percentage(share, decimals = 1) {
  const factor = 10 ** decimals;
  return `${(Math.floor(100 * factor * share + 1e-9) / factor).toFixed(decimals)} %`;
}

/** What a cell says, in words. */
export function cellWords(matrix, labels, cell) {
  const [target, choice] = [Math.floor(cell / labels.length), cell % labels.length];
  const total = rowShares(matrix).totals[target];
  const what = target === choice ? `${labels[target]} recognised` : `${labels[target]} taken for ${labels[choice]}`;
  return `${what}: ${readable(matrix[cell])} of ${readable(total)} images (${percentage(matrix[cell] / (total || 1))})`;
}

/** The matrix; `open(cell)` is called for the cell that is chosen. `draw(matrix, cell)` shows another one. */
export function confusionTable(labels, open) {
  const classes = labels.length;
  const buttons = Array.from({ length: classes ** 2 }, (_, cell) =>
    element("button", { type: "button", tabindex: -1, onclick: () => open(cell), onkeydown: (event) => move(event, cell) }));
  const move = (event, cell) => {
    const [target, choice] = [Math.floor(cell / classes), cell % classes];
    const to = {
      ArrowLeft: [target, choice - 1], ArrowRight: [target, choice + 1], ArrowUp: [target - 1, choice], ArrowDown: [target + 1, choice],
      Home: [target, 0], End: [target, classes - 1],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    const [down, right] = to.map((place) => Math.min(classes - 1, Math.max(0, place)));
    buttons[cell].tabIndex = -1;
    buttons[down * classes + right].tabIndex = 0;
    buttons[down * classes + right].focus();
  };
  const short = labels.map((label) => label.split(" ")[0]);
  const isTurned = Math.max(...short.map((label) => label.length)) > LONG_CLASS;
  const root = element("div", { class: "scroll confusions" },
    element("table", { role: "grid", "aria-label": "Confusion matrix" },
      element("thead", {}, element("tr", {},
        element("th", { class: "word" }, "true"),
        labels.map((label, choice) => element("th", { scope: "col", "aria-label": label, title: label, class: isTurned ? "turned" : null }, short[choice])))),
      element("tbody", {}, labels.map((label, target) =>
        element("tr", {}, element("th", { scope: "row" }, label),
          buttons.slice(target * classes, (target + 1) * classes).map((node) => element("td", {}, node)))))));
  return {
    root,
    draw(matrix, chosen) {
      const { shares } = rowShares(matrix);
      buttons.forEach((node, cell) => {
        node.textContent = matrix[cell];
        node.setAttribute("aria-label", cellWords(matrix, labels, cell));
        node.setAttribute("aria-pressed", cell === chosen);
        node.className = Math.floor(cell / classes) === cell % classes ? "right" : "mistake";
        node.style.setProperty("--share", `${Math.round(100 * Math.sqrt(shares[cell]))}%`);
        node.tabIndex = cell === chosen ? 0 : -1;
      });
    },
  };
}
