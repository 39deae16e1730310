// The map of the state that a symbol defines: its fixed points, 2-cycles, and what is predicted where.

import { eigenvalues, jacobianOf, solved } from "./linear_algebra.js";

const NEWTON_ROUNDS = 30; // of Newton's method
const RESIDUAL = 1e-9; // residual of a root
const SAME_ROOT = 1e-4; // distance within which two roots are one
const SINGULAR_SLOPE = 1e-6; // distance of an eigenvalue from 1 within which a root is not isolated

/** The map h -> F(h) of a symbol, for a network whose whole state is its hidden units. */
export function mapOf(network, symbol) {
  return (hidden) => network.step({ hidden, context: null }, symbol).hidden;
}

/** Points on a grid with `number` along each side of a box, [[low, high], …]. */
export function gridPoints(box, number) {
  return box.reduce(
    (points, [low, high]) =>
      points.flatMap((point) => Array.from({ length: number }, (_, place) => [...point, low + ((place + 0.5) * (high - low)) / number])),
    [[]],
  );
}

/**
 * Fixed points and 2-cycles of a map inside a box, found by Newton's method from `starts`.
 *
 * Each is {points, kind, values}: the point, or the two of a cycle; kind stable, saddle or unstable by the eigenvalues
 * `values` of the Jacobian, of the map twice for a cycle. Points that are not isolated are left out.
 */
export function fixedPoints(map, starts, box) {
  const found = distinctRoots(map, starts, box).map((point) => described([point], jacobianOf(map, point)));
  const twice = (point) => map(map(point));
  const cycles = [];
  for (const point of distinctRoots(twice, starts, box)) {
    const other = Array.from(map(point));
    if (isNear(point, other) || cycles.some(({ points }) => isNear(points[1], point))) continue;
    cycles.push(described([point, other], jacobianOf(twice, point)));
  }
  return [...found, ...cycles].filter(({ values }) => values.every(({ re, im }) => Math.hypot(re - 1, im) > SINGULAR_SLOPE));
}

function described(points, jacobian) {
  const values = eigenvalues(jacobian);
  const sizes = values.map(({ re, im }) => Math.hypot(re, im));
  const kind = sizes.every((size) => size < 1) ? "stable" : sizes.every((size) => size > 1) ? "unstable" : "saddle";
  return { points, kind, values };
}

function distinctRoots(map, starts, box) {
  const found = [];
  for (const start of starts) {
    const point = rootFrom(map, start);
    const inside = point?.every((value, unit) => value >= box[unit][0] && value <= box[unit][1]);
    if (inside && !found.some((other) => isNear(point, other))) found.push(point);
  }
  return found;
}

function rootFrom(map, start) {
  let point = start;
  for (let round = 0; round < NEWTON_ROUNDS; round++) {
    const image = map(point);
    const residual = point.map((value, unit) => value - image[unit]);
    if (Math.hypot(...residual) < RESIDUAL) return point;
    const slopes = jacobianOf(map, point).map((row, i) => row.map((value, j) => value - (i === j ? 1 : 0)));
    const change = solved(slopes, residual);
    if (!change) return null;
    point = point.map((value, unit) => value + change[unit]);
    if (!point.every((value) => Math.abs(value) < 1e4)) return null;
  }
  return null;
}

function isNear(one, other) {
  return Math.hypot(...one.map((value, unit) => value - other[unit])) < SAME_ROOT;
}

/** The parts of a box of the plane where each symbol is likeliest: [{symbol, polygon}], exact since logits are linear. */
export function predictedRegions(logits, [[left, right], [bottom, top]]) {
  const [origin, alongX, alongY] = [logits([0, 0]), logits([1, 0]), logits([0, 1])];
  const planes = Array.from(origin, (value, symbol) => [alongX[symbol] - value, alongY[symbol] - value, value]);
  return planes
    .map((own, symbol) => {
      let polygon = [[left, bottom], [right, bottom], [right, top], [left, top]];
      for (const other of planes) {
        if (other === own) continue;
        polygon = clippedPolygon(polygon, ([x, y]) => (own[0] - other[0]) * x + (own[1] - other[1]) * y + own[2] - other[2]);
      }
      return { symbol, polygon };
    })
    .filter(({ polygon }) => polygon.length > 2);
}

/** The part of a convex polygon where a linear function is not negative. */
function clippedPolygon(polygon, side) {
  return polygon.flatMap((corner, place) => {
    const next = polygon[(place + 1) % polygon.length];
    const [here, there] = [side(corner), side(next)];
    const kept = here >= 0 ? [corner] : [];
    if (here >= 0 === there >= 0) return kept;
    const share = here / (here - there);
    return [...kept, corner.map((value, axis) => value + share * (next[axis] - value))];
  });
}

/** The centre of a polygon's area. */
export function centreOf(polygon) {
  let [area, x, y] = [0, 0, 0];
  polygon.forEach(([x0, y0], place) => {
    const [x1, y1] = polygon[(place + 1) % polygon.length];
    const cross = x0 * y1 - x1 * y0;
    area += cross;
    x += (x0 + x1) * cross;
    y += (y0 + y1) * cross;
  });
  return area ? [x / (3 * area), y / (3 * area)] : polygon[0];
}
