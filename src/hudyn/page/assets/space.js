// The state of one, three or more units: over the text, in space that can be turned, in principal components.

import { principalComponents } from "./linear_algebra.js";
import { drawFixedPoints, drawVisits, fixedPointItems, inWords, legendItem, stage } from "./marks.js";
import { fixedPoints, gridPoints, mapOf } from "./maps.js";
import { element, extent, linear, readable, themeColour } from "./plot.js";

const FLAT_EDGES = { left: 52, right: 12, top: 12, bottom: 42 };
const SPACE_STARTS = 3; // of Newton's method, along each side
const TURN_STEP = 0.1; // radians a key press

/** The units of a state that a part of it has: hidden, context, or both. */
export function unitsOf(state, part) {
  const { hidden, context } = state;
  return part === "both" ? [...hidden, ...context] : Array.from(part === "context" ? context : hidden);
}

/**
 * Coordinates for points of any dimension: {labels, place}, `place(point)` has as many coordinates as there are labels, 1
 * to 3, those of a space of more than three dimensions being its first principal components.
 */
export function coordinatesOf(points, names) {
  if (points[0].length <= 3) return { labels: names, place: (point) => point };
  const { mean, axes, shares } = principalComponents(points, 3);
  return {
    labels: shares.map((share, place) => `component ${place + 1} (${Math.round(100 * share)} %)`),
    place: (point) => axes.map((axis) => axis.reduce((sum, value, unit) => sum + value * (point[unit] - mean[unit]), 0)),
  };
}

/** A point turned by yaw about the vertical axis, then by pitch towards the reader: [right, up, near]. */
export function turned([x, y, z], { yaw, pitch }) {
  const [right, depth] = [x * Math.cos(yaw) + y * Math.sin(yaw), y * Math.cos(yaw) - x * Math.sin(yaw)];
  return [right, z * Math.cos(pitch) + depth * Math.sin(pitch), z * Math.sin(pitch) - depth * Math.cos(pitch)];
}

/** The drawing: {node, draw(scene), glide()}; a scene is that of the phase portrait, with `part`; `tell(items)` as there. */
export function stateSpace(tell) {
  let scene = null;
  let cached = { key: [] };
  let knownPoints = { key: [], byMap: new Map() };
  const angle = { yaw: -0.6, pitch: 0.35 };
  const words = element("ul", { class: "note points" });
  const node = stage({
    label: "The state of the network in space. Turn it with the mouse or the arrow keys.",
    ratio: 0.86,
    paint(context, width, height, progress) {
      if (!scene) return;
      const key = [scene.network, scene.part, scene.map, scene.states, scene.visited];
      if (key.some((value, place) => value !== cached.key[place])) cached = { key, ...prepared(scene) };
      const place = cached.labels.length === 3 ? inSpace(context, width, height) : flat(context, width, height);
      context.fillStyle = themeColour("--soft");
      context.globalAlpha = 0.4;
      for (const point of cached.visited) {
        const [px, py] = place(point);
        context.fillRect(px - 1, py - 1, 2, 2);
      }
      context.globalAlpha = 1;
      drawFixedPoints(context, cached.fixed, place);
      drawVisits(context, cached.points.map(place), scene.symbols, { ...scene, progress });
    },
  });

  /** The fixed points of a map, found once for each network and box. */
  function fixedPointsOnce(network, map, box) {
    const key = [network, ...box.flat()];
    if (key.some((value, place) => value !== knownPoints.key[place])) knownPoints = { key, byMap: new Map() };
    const { byMap } = knownPoints;
    if (!byMap.has(map)) byMap.set(map, fixedPoints(mapOf(network, map), gridPoints(box, SPACE_STARTS), box));
    return byMap.get(map);
  }

  function prepared({ network, part, map, states, visited, bounded }) {
    const size = unitsOf(states[0], part).length;
    const names = part === "both"
      ? [...states[0].hidden.keys()].map((unit) => `hidden ${unit + 1}`).concat([...states[0].context.keys()].map((unit) => `context ${unit + 1}`))
      : Array.from({ length: size }, (_, unit) => `${part} ${unit + 1}`);
    const vector = size === 1 ? (state, time) => [time, ...unitsOf(state, part)] : (state) => unitsOf(state, part);
    const all = visited.map(vector);
    const { labels, place } = coordinatesOf(all, size === 1 ? ["symbols read", ...names] : names);
    const points = states.map(vector).map(place);
    const known = size === 1 ? points : [...all.map(place), ...points];
    const isRaw = part === "hidden" && bounded && size > 1 && size <= 3;
    const box = labels.map((_, axis) => (isRaw ? [-1, 1] : extent(known.map((point) => point[axis]), 0.06)));
    if (labels.length === 3 && !isRaw) {
      const half = Math.max(...box.map(([low, high]) => (high - low) / 2));
      for (const bounds of box) {
        const middle = (bounds[0] + bounds[1]) / 2;
        [bounds[0], bounds[1]] = [middle - half, middle + half];
      }
    }
    const isWhole = size === 3 && part === "hidden" && !states[0].context;
    const fixed = isWhole ? fixedPointsOnce(network, map, box) : [];
    tell([legendItem("current", "current state"), ...fixedPointItems(fixed)]);
    words.replaceChildren(...fixed.map((point) => element("li", {}, inWords(point))));
    node.tabIndex = labels.length === 3 ? 0 : -1;
    node.classList.toggle("turns", labels.length === 3);
    return { labels, points, visited: size === 1 ? [] : all.map(place), box, fixed };
  }

  function flat(context, width, height) {
    const [right, bottom] = [width - FLAT_EDGES.right, height - FLAT_EDGES.bottom];
    const x = linear(cached.box[0], [FLAT_EDGES.left, right]);
    const y = linear(cached.box[1], [bottom, FLAT_EDGES.top]);
    context.font = "12px system-ui, sans-serif";
    context.strokeStyle = themeColour("--grid");
    context.fillStyle = themeColour("--soft");
    context.lineWidth = 1;
    context.setLineDash([]);
    context.textBaseline = "middle";
    context.textAlign = "center";
    for (const tick of x.ticks()) {
      context.strokeRect(x(tick), FLAT_EDGES.top, 0, bottom - FLAT_EDGES.top);
      context.fillText(readable(tick), x(tick), bottom + 12);
    }
    context.fillText(cached.labels[0], (FLAT_EDGES.left + right) / 2, height - 10);
    context.textAlign = "right";
    for (const tick of y.ticks()) {
      context.strokeRect(FLAT_EDGES.left, y(tick), right - FLAT_EDGES.left, 0);
      context.fillText(readable(tick), FLAT_EDGES.left - 5, y(tick));
    }
    context.save();
    context.textAlign = "center";
    context.translate(9, (FLAT_EDGES.top + bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(cached.labels[1], 0, 0);
    context.restore();
    return (point) => [x(point[0]), y(point[1])];
  }

  function inSpace(context, width, height) {
    const scale = 0.255 * Math.min(width, height * 1.1);
    const project = (cube) => {
      const [right, up, near] = turned(cube, angle);
      const nearer = 1 + 0.09 * near;
      return [width / 2 + scale * right * nearer, height / 2 - scale * up * nearer];
    };
    const corner = (number) => [number & 1 ? 1 : -1, number & 2 ? 1 : -1, number & 4 ? 1 : -1];
    context.lineWidth = 1;
    context.setLineDash([]);
    context.strokeStyle = themeColour("--line");
    context.beginPath();
    for (let from = 0; from < 8; from++) {
      for (const bit of [1, 2, 4]) {
        if (from & bit) continue;
        context.moveTo(...project(corner(from)));
        context.lineTo(...project(corner(from | bit)));
      }
    }
    context.stroke();
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.textAlign = "center";
    const soft = themeColour("--soft");
    cached.labels.forEach((label, axis) => labelAxis(context, project, axis, label, soft, width));
    const toCube = (point) => point.map((value, axis) => {
      const [low, high] = cached.box[axis];
      return (2 * (value - low)) / (high - low || 1) - 1;
    });
    return (point) => project(toCube(point));
  }

  function labelAxis(context, project, axis, label, colour, width) {
    const signs = [[-1, -1], [-1, 1], [1, -1], [1, 1]];
    const middle = project([0, 0, 0]);
    const edges = signs.map((pair) => {
      const at = (along) => project([0, 1, 2].map((other) => (other === axis ? along : pair[other < axis ? other : other - 1])));
      const centre = at(0);
      return { at, centre, out: axis === 2 ? Math.abs(centre[0] - middle[0]) : centre[1] - middle[1] };
    });
    const edge = edges.reduce((best, other) => (other.out > best.out ? other : best));
    const away = [edge.centre[0] - middle[0], edge.centre[1] - middle[1]];
    const length = Math.hypot(...away) || 1;
    const shift = ([x, y], by) => [x + (by * away[0]) / length, y + (by * away[1]) / length];
    const write = (text, [x, y]) => {
      const half = context.measureText(text).width / 2 + 2;
      context.fillText(text, Math.max(half, Math.min(width - half, x)), y);
    };
    context.fillStyle = colour;
    write(label, shift(edge.centre, 24));
    const [low, high] = cached.box[axis];
    write(readable(low, 2), shift(edge.at(-0.8), 12));
    write(readable(high, 2), shift(edge.at(0.92), 12));
  }

  let grip = null;
  const turn = (right, up) => {
    angle.yaw += right;
    angle.pitch = Math.max(-1.5, Math.min(1.5, angle.pitch + up));
    node.draw();
  };
  const turns = () => cached.labels?.length === 3;
  node.addEventListener("pointerdown", (event) => {
    if (!turns()) return;
    grip = [event.clientX, event.clientY];
    node.setPointerCapture(event.pointerId);
  });
  node.addEventListener("pointermove", (event) => {
    if (!grip) return;
    turn((event.clientX - grip[0]) / 120, (event.clientY - grip[1]) / 120);
    grip = [event.clientX, event.clientY];
  });
  for (const name of ["pointerup", "pointercancel"]) node.addEventListener(name, () => (grip = null));
  node.addEventListener("keydown", (event) => {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!direction || !turns()) return;
    event.preventDefault();
    event.stopPropagation();
    turn(TURN_STEP * direction[0], TURN_STEP * direction[1]);
  });
  return {
    node: element("div", {}, node, words),
    draw(next) {
      scene = next;
      node.draw();
    },
    glide: () => node.glide(),
  };
}
