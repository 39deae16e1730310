// Elements, scales and axes: what all drawings of the page are made of. Colours are in page.css.

/** Okabe & Ito's (2008) colours, which colour-blind readers can tell apart; the figures have the same. */
export const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#7f7f7f"];

const NARROWEST = 300; // pixels of a drawing
const PAGE_EDGES = 42; // pixels beside a drawing in a narrow window
const LETTER_WIDTH = 7; // pixels, in the label of a tick

/** An HTML element; attributes that begin with `on` are listeners, children are elements or texts. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An element of an SVG drawing; see `element`. */
export function shape(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

/** A linear scale from `domain` to `range`; `invert` goes back. */
export function linear([low, high], [start, end]) {
  const factor = (end - start) / (high - low || 1);
  const scale = (value) => start + (value - low) * factor;
  scale.invert = (place) => low + (place - start) / (factor || 1);
  scale.ticks = (number = 5) => niceTicks(low, high, number);
  return scale;
}

/** A logarithmic scale for positive numbers. */
export function logarithmic([low, high], range) {
  const inner = linear([Math.log10(low), Math.log10(high)], range);
  const scale = (value) => inner(Math.log10(Math.max(value, low)));
  scale.invert = (place) => 10 ** inner.invert(place);
  scale.ticks = () => {
    const powers = [];
    for (let power = Math.ceil(Math.log10(low)); power <= Math.log10(high) + 1e-9; power++) powers.push(10 ** power);
    return powers;
  };
  return scale;
}

/** Round numbers from low to high, about `number` of them. */
export function niceTicks(low, high, number = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / number;
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999);
  const ticks = [];
  for (let k = Math.ceil(low / size - 1e-9); k * size <= high + size * 1e-9; k++) ticks.push(Number((k * size).toPrecision(12)));
  return ticks;
}

/** A number as a person reads it: 0.0123, 12.3, 1,234, 1.2e+9. */
export function readable(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "none";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-4)) return value.toExponential(1).replace("-", "−");
  const text = Number.isInteger(value) || size >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(digits)));
  return text.replace("-", "−");
}

/** Smallest and largest of some numbers, those that are not finite left out, with a margin on both sides. */
export function extent(values, margin = 0.04) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high && value < Infinity) high = value;
  }
  if (!(high >= low)) return [0, 1];
  const edge = high > low ? (high - low) * margin : Math.abs(high) * 0.05 || 1;
  return [low - edge, high + edge];
}

/** A width in pixels, or that of a window that is narrower, so that text in a drawing keeps its size. */
export function fitted(width) {
  return Math.min(width, Math.max(NARROWEST, (globalThis.innerWidth ?? width) - PAGE_EDGES));
}

/**
 * A drawing with axes: {root, plot, x, y}. Marks go into `plot`, at the places that the scales x and y give.
 *
 * @param options.label what the drawing shows, for those who cannot see it
 * @param options.x, options.y domains, [low, high]
 * @param options.xLabel, options.yLabel what the axes show
 * @param options.xLog, options.yLog whether an axis is logarithmic
 * @param options.xTicks {at, text} of each tick of the x axis; round numbers if left out
 */
export function chart(options) {
  const { label, x, y, xLabel = "", yLabel = "", xLog = false, yLog = false, xTicks = null } = options;
  const { width = fitted(560), height = 340 } = options;
  const edge = { left: 58, right: 26, top: 12, bottom: 44 };
  const [right, bottom] = [width - edge.right, height - edge.bottom];
  const xScale = (xLog ? logarithmic : linear)(x, [edge.left, right]);
  const yScale = (yLog ? logarithmic : linear)(y, [bottom, edge.top]);
  const plot = shape("g", { class: "plot" });
  const numbered = (number) => xScale.ticks(number).map((tick) => ({ at: tick, text: readable(tick) }));
  const haveRoom = (ticks) => withRoom(ticks, xScale).length === ticks.length;
  const shownTicks = withRoom(xTicks ?? [5, 4, 3].map(numbered).find(haveRoom) ?? numbered(2), xScale);
  const root = shape(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": label },
    shownTicks.map(({ at, text }) => [
      shape("line", { class: "grid", x1: xScale(at), x2: xScale(at), y1: edge.top, y2: bottom }),
      shape("text", { class: "tick", x: xScale(at), y: bottom + 16, "text-anchor": "middle" }, text),
    ]),
    yScale.ticks().map((tick) => [
      shape("line", { class: "grid", x1: edge.left, x2: right, y1: yScale(tick), y2: yScale(tick) }),
      shape("text", { class: "tick", x: edge.left - 6, y: yScale(tick) + 4, "text-anchor": "end" }, readable(tick)),
    ]),
    shape("text", { class: "axis", x: (edge.left + right) / 2, y: height - 8, "text-anchor": "middle" }, xLabel),
    shape(
      "text",
      { class: "axis", transform: `translate(14 ${(edge.top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" },
      yLabel,
    ),
    plot,
  );
  return { root, plot, x: xScale, y: yScale };
}

/** Those ticks of a horizontal axis whose labels have room. */
function withRoom(ticks, scale) {
  let end = -Infinity;
  return ticks.filter(({ at, text }) => {
    const half = ((text.length + 1) * LETTER_WIDTH) / 2;
    if (scale(at) - half < end) return false;
    end = scale(at) + half;
    return true;
  });
}

/** The path of a line through points; it is broken where a number is not finite. */
export function line(xs, ys, x, y) {
  let path = "";
  let pen = "M";
  for (let i = 0; i < xs.length; i++) {
    if (!Number.isFinite(ys[i])) {
      pen = "M";
      continue;
    }
    path += `${pen}${x(xs[i]).toFixed(1)} ${y(ys[i]).toFixed(1)}`;
    pen = "L";
  }
  return path;
}

/** A canvas that is sharp on any screen, with a context in CSS pixels. */
export function canvas(width, height, label) {
  const node = element("canvas", { role: "img", "aria-label": label, style: `aspect-ratio: ${width} / ${height}` });
  const density = Math.min(2, globalThis.devicePixelRatio || 1);
  [node.width, node.height] = [width * density, height * density];
  const context = node.getContext("2d");
  context.scale(density, density);
  return { node, context };
}

/** The value of a colour of page.css, such as `--ink`. */
export function themeColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** A labelled slider; `change(value)` is called as it moves. */
export function slider({ label, min, max, value, step = 1, change, show = readable }) {
  const output = element("output", {}, show(value));
  const input = element("input", {
    type: "range", min, max, step, value, "aria-label": label,
    oninput: () => {
      output.textContent = show(Number(input.value));
      change(Number(input.value));
    },
  });
  const node = element("label", { class: "slider" }, element("span", {}, label), input, output);
  node.move = (to) => {
    input.value = to;
    output.textContent = show(to);
  };
  return node;
}

/** A button. */
export function button(text, press, label = text) {
  return element("button", { type: "button", onclick: press, "aria-label": label, title: label }, text);
}

/** Calls `draw` at most once a frame, however often it is asked to. */
export function oncePerFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}
