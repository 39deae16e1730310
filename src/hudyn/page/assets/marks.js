// What the drawings of the state share: a canvas that follows its place, marks of points, the text's states and their trail.

import { COLOURS, element, oncePerFrame, readable, shape, themeColour } from "./plot.js";

const GLIDE_TIME = 180; // milliseconds in which the state moves to its next place
const TRAIL_STEPS = 10; // steps behind the current state that are drawn

/** A colour of the page's palette for a symbol. */
export const symbolColour = (symbol) => COLOURS[symbol % COLOURS.length];

/**
 * A canvas as wide as its place; `paint(context, width, height, progress)` draws it, in CSS pixels, where progress goes
 * from 0 to 1 after `glide()`. `draw()` draws it again in the next frame.
 */
export function stage({ label, ratio, paint }) {
  const node = element("canvas", {
    role: "application", "aria-label": label, tabindex: 0, class: "stage", style: `aspect-ratio: ${1 / ratio}`,
  });
  const context = node.getContext("2d");
  let began = -Infinity;
  node.draw = oncePerFrame(() => {
    const width = node.clientWidth;
    if (!width) return;
    const density = Math.min(2, globalThis.devicePixelRatio || 1);
    const height = Math.round(width * ratio);
    if (node.width !== Math.round(width * density)) [node.width, node.height] = [width * density, height * density];
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, height);
    const share = Math.min(1, (performance.now() - began) / GLIDE_TIME);
    paint(context, width, height, share * (2 - share));
    if (share < 1) node.draw();
  });
  node.glide = () => {
    began = matchMedia("(prefers-reduced-motion: reduce)").matches ? -Infinity : performance.now();
    node.draw();
  };
  new ResizeObserver(node.draw).observe(node);
  return node;
}

/** Where in a canvas, in CSS pixels, a pointer is. */
export function pointerAt(node, event) {
  const bounds = node.getBoundingClientRect();
  return [event.clientX - bounds.left - node.clientLeft, event.clientY - bounds.top - node.clientTop];
}

const MARK_OUTLINES = {
  stable: (path, x, y) => path.arc(x, y, 5.5, 0, 2 * Math.PI),
  unstable: (path, x, y) => path.arc(x, y, 5.5, 0, 2 * Math.PI),
  saddle: (path, x, y) => polygonPath(path, [[x, y - 7], [x + 7, y], [x, y + 7], [x - 7, y]]),
  start: (path, x, y) =>
    polygonPath(
      path,
      Array.from({ length: 10 }, (_, place) => {
        const radius = place % 2 ? 4 : 9;
        return [x + radius * Math.sin((place * Math.PI) / 5), y - radius * Math.cos((place * Math.PI) / 5)];
      }),
    ),
};

function polygonPath(path, corners) {
  corners.forEach(([x, y], place) => (place ? path.lineTo(x, y) : path.moveTo(x, y)));
  path.closePath();
}

/** Draws the mark of a kind: stable, unstable, saddle or start. */
export function drawMark(context, kind, x, y) {
  const [ink, paper] = [themeColour("--ink"), themeColour("--paper")];
  context.beginPath();
  MARK_OUTLINES[kind](context, x, y);
  context.setLineDash([]);
  context.lineWidth = 4;
  context.strokeStyle = paper;
  context.stroke();
  context.lineWidth = 1.8;
  context.strokeStyle = ink;
  context.fillStyle = { stable: ink, saddle: ink, unstable: paper, start: "#E69F00" }[kind];
  context.fill();
  context.stroke();
}

/** Draws fixed points and cycles; `place(point)` gives the pixels of a state. */
export function drawFixedPoints(context, points, place) {
  for (const { points: ends, kind } of points) {
    const pixels = ends.map(place);
    if (pixels.length > 1) {
      context.beginPath();
      pixels.forEach(([x, y], number) => (number ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.setLineDash([2, 4]);
      context.lineWidth = 1.5;
      context.strokeStyle = themeColour("--ink");
      context.stroke();
    }
    for (const [x, y] of pixels) drawMark(context, kind, x, y);
  }
}

/**
 * Draws the states that a text visits, in `pixels`, coloured by the symbols that led to them, with the last steps up to
 * `position` as a line and the current state as a ring; before progress is 1, the ring is on its way from `from`.
 */
export function drawVisits(context, pixels, symbols, { position, from, progress }) {
  const [ink, paper] = [themeColour("--ink"), themeColour("--paper")];
  context.setLineDash([]);
  pixels.slice(1).forEach(([x, y], place) => {
    context.beginPath();
    context.arc(x, y, 3.2, 0, 2 * Math.PI);
    context.fillStyle = symbolColour(symbols[place]);
    context.globalAlpha = place < position ? 0.95 : 0.35;
    context.fill();
  });
  const [[x0, y0], [x1, y1]] = [pixels[from], pixels[position]];
  const current = [x0 + progress * (x1 - x0), y0 + progress * (y1 - y0)];
  for (let place = Math.max(1, position - TRAIL_STEPS + 1); place <= position; place++) {
    const last = place === position;
    context.beginPath();
    context.moveTo(...pixels[place - 1]);
    context.lineTo(...(last && from < position ? current : pixels[place]));
    context.globalAlpha = 0.15 + 0.7 * (1 - (position - place) / TRAIL_STEPS);
    context.lineWidth = last ? 2.2 : 1.4;
    context.strokeStyle = ink;
    context.stroke();
  }
  context.globalAlpha = 1;
  context.beginPath();
  context.arc(...current, 7.5, 0, 2 * Math.PI);
  context.lineWidth = 5;
  context.strokeStyle = paper;
  context.stroke();
  context.lineWidth = 2.6;
  context.strokeStyle = ink;
  context.fillStyle = position ? symbolColour(symbols[position - 1]) : "#E69F00";
  context.fill();
  context.stroke();
}

/** A line of a legend, with a mark of one of the kinds above, `cycle`, `current`, or a colour. */
export function legendItem(kind, text) {
  if (kind.startsWith("#")) return element("li", {}, element("i", { style: `background: ${kind}` }), text);
  const path = new SvgPath();
  const dash = kind === "cycle" ? "2 3" : null;
  if (kind === "cycle") path.moveTo(2, 10), path.lineTo(18, 10);
  else if (kind === "current") path.arc(10, 10, 7, 0, 2 * Math.PI);
  else MARK_OUTLINES[kind](path, 10, 10);
  const filled = { stable: "var(--ink)", saddle: "var(--ink)", start: "#E69F00" }[kind] ?? "none";
  return element(
    "li",
    {},
    shape("svg", { class: "mark", viewBox: "0 0 20 20", "aria-hidden": "true" },
      shape("path", { d: path.text, fill: filled, stroke: "var(--ink)", "stroke-width": 1.8, "stroke-dasharray": dash })),
    text,
  );
}

const FIXED_KINDS = { stable: "stable fixed point", saddle: "saddle", unstable: "unstable fixed point" };

/** The lines of a legend for those kinds of fixed points and cycles that are drawn. */
export function fixedPointItems(points) {
  const kinds = Object.keys(FIXED_KINDS).filter((kind) => points.some((point) => point.kind === kind));
  const items = kinds.map((kind) => legendItem(kind, FIXED_KINDS[kind]));
  return points.some(({ points: ends }) => ends.length > 1) ? [...items, legendItem("cycle", "2-cycle")] : items;
}

/** Path commands of a canvas, as the text of an SVG path. */
class SvgPath {
  text = "";
  moveTo(x, y) {
    this.text += `M${x} ${y}`;
  }
  lineTo(x, y) {
    this.text += `L${x} ${y}`;
  }
  arc(x, y, radius) {
    this.text += `M${x - radius} ${y}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0`;
  }
  closePath() {
    this.text += "Z";
  }
}

/** A fixed point or cycle in words. */
export function inWords({ points, kind, values }) {
  const place = points.map((point) => `(${Array.from(point, (value) => readable(value, 2)).join(", ")})`).join(" ⇄ ");
  const sizes = values.map(({ re, im }) =>
    Math.abs(im) < 1e-4 ? readable(re, 2) : `${readable(re, 2)} ${im < 0 ? "−" : "+"} ${readable(Math.abs(im), 2)}i`,
  );
  const name = { stable: "stable", unstable: "unstable", saddle: "saddle" }[kind];
  const what = points.length > 1 ? `2-cycle (${name})` : kind === "saddle" ? "saddle" : `${name} fixed point`;
  return `${what} at ${place}, eigenvalues ${sizes.join(", ")}`;
}
