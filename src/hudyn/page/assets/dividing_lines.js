// Two-layer perceptrons over the plane: their dividing lines, their scores on points, their output over a raster.

import { ACTIVATIONS, grid, parameters, sigmoid } from "./networks.js";
import { readable } from "./plot.js";

const NO_WEIGHT = 1e-12; // weights below this count as 0
const PLANE_MARGIN = 0.25; // around the points, in parts of their larger range

/** The parameters of a GridMLP as parts of `vector`: a change of one changes the other. */
export function gridLayers(spec, vector) {
  const p = parameters(spec, vector);
  return {
    units: p["hidden.bias"].shape[0],
    activation: spec.settings.activation,
    hidden: p["hidden.weight"].values, // [units · 2]
    hiddenBias: p["hidden.bias"].values,
    output: p["output.weight"].values,
    outputBias: p["output.bias"].values, // [1]
  };
}

/** The line a x + b y + c = 0, where the net input of a hidden unit is 0; above 0, the unit is on. */
export function dividingLine(layers, unit) {
  return { a: layers.hidden[2 * unit], b: layers.hidden[2 * unit + 1], c: layers.hiddenBias[unit] };
}

/** Give a hidden unit another dividing line. */
export function setDividingLine(layers, unit, { a, b, c }) {
  [layers.hidden[2 * unit], layers.hidden[2 * unit + 1], layers.hiddenBias[unit]] = [a, b, c];
}

/** The line moved so that it goes through a place, without turning: only its bias changes. */
export function lineThrough({ a, b }, [x, y]) {
  return { a, b, c: -(a * x + b * y) };
}

/** The line turned by an angle about a place, through which it then goes. */
export function lineTurned({ a, b }, pivot, angle) {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return lineThrough({ a: a * cos - b * sin, b: a * sin + b * cos }, pivot);
}

/** The angle at `pivot` from one place to another, in radians. */
export function angleBetween(pivot, from, to) {
  return Math.atan2(to[1] - pivot[1], to[0] - pivot[0]) - Math.atan2(from[1] - pivot[1], from[0] - pivot[0]);
}

/** The ends of the part of a line inside a rectangle, the side where the unit is on to the right; null if it misses. */
export function lineSegment({ a, b, c }, xRange, yRange) {
  const length = Math.hypot(a, b);
  if (length < NO_WEIGHT) return null;
  const along = [-b / length, a / length];
  const foot = [(-c * a) / length ** 2, (-c * b) / length ** 2];
  let [first, last] = [-Infinity, Infinity];
  for (const [axis, [low, high]] of [xRange, yRange].entries()) {
    if (Math.abs(along[axis]) < NO_WEIGHT) {
      if (foot[axis] < low || foot[axis] > high) return null;
      continue;
    }
    const [near, far] = [low, high].map((edge) => (edge - foot[axis]) / along[axis]).sort((one, other) => one - other);
    [first, last] = [Math.max(first, near), Math.min(last, far)];
  }
  return first < last ? [first, last].map((way) => [foot[0] + way * along[0], foot[1] + way * along[1]]) : null;
}

/** A line's equation solved for y, or for x where it is vertical. */
export function lineEquation({ a, b, c }) {
  if (Math.abs(b) >= NO_WEIGHT) return `y = ${writtenSum(-a / b, -c / b)}`;
  if (Math.abs(a) >= NO_WEIGHT) return `x = ${writtenSum(0, -c / a)}`;
  return c >= 0 ? "no line: always on" : "no line: always off";
}

function writtenSum(slope, constant) {
  let text = "";
  for (const [factor, name] of [[slope, "x"], [constant, ""]]) {
    if (factor === 0) continue;
    const size = readable(Math.abs(factor));
    text += `${text ? (factor < 0 ? " − " : " + ") : factor < 0 ? "−" : ""}${size === "1" && name ? name : [size, name].join(" ").trim()}`;
  }
  return text || "0";
}

/**
 * The truth table of points {x, y, label}: {rows: [{hidden, output, right}], wrong, loss}; the loss is the mean binary
 * cross-entropy in nats, null for steps.
 */
export function truthTable(spec, vector, points) {
  const network = grid(spec, vector);
  const losses = [];
  const rows = points.map(({ x, y, label }) => {
    const logOdds = network.logOdds(x, y);
    losses.push(softplus((1 - 2 * label) * logOdds));
    return { hidden: network.units(x, y), output: network.output(x, y), right: logOdds >= 0 === (label === 1) };
  });
  return {
    rows,
    wrong: rows.filter((row) => !row.right).length,
    loss: spec.settings.activation === "step" || !rows.length ? null : losses.reduce((sum, loss) => sum + loss, 0) / rows.length,
  };
}

const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** The output at the middles of size × size cells of a rectangle, by rows from the top, as an image has them. */
export function outputRaster(layers, [left, right], [bottom, top], size) {
  const activation = ACTIVATIONS[layers.activation];
  const isStep = layers.activation === "step";
  const values = new Float32Array(size * size);
  for (let row = 0; row < size; row++) {
    const y = top - ((row + 0.5) / size) * (top - bottom);
    for (let column = 0; column < size; column++) {
      const x = left + ((column + 0.5) / size) * (right - left);
      let sum = layers.outputBias[0];
      for (let unit = 0; unit < layers.units; unit++) {
        const net = layers.hidden[2 * unit] * x + layers.hidden[2 * unit + 1] * y + layers.hiddenBias[unit];
        sum += layers.output[unit] * activation(net);
      }
      values[row * size + column] = isStep ? Number(sum >= 0) : sigmoid(sum);
    }
  }
  return values;
}

/** The square around points, with a margin: [low, high] along x and along y. */
export function planeAround(points) {
  const ranges = ["x", "y"].map((axis) => {
    const values = points.map((point) => point[axis]);
    return [Math.min(...values), Math.max(...values)];
  });
  const extent = Math.max(...ranges.map(([low, high]) => high - low));
  const half = extent / 2 + (PLANE_MARGIN * extent || 0.5);
  return ranges.map(([low, high]) => [(low + high) / 2 - half, (low + high) / 2 + half]);
}
