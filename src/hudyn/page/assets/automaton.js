// The drawing of an automaton, with the state lit in which a text has arrived.

import { element, shape } from "./plot.js";

const STATE_RADIUS = 21;
const STATES_APART = 82; // pixels between states that an arrow joins
const NEAREST_STATES = 64; // between any two
const STATE_MARGIN = 52; // around the states: room for loops
const WIDE_AUTOMATON = 680; // pixels, beyond which a drawing does not fit beside another
const LAYOUT_SWEEPS = 400; // of stress majorisation
const LABEL_SHARES = [0.5, 0.38, 0.62, 0.28, 0.72]; // of an arrow's length, at which its label may stand
const COURSE_SHARES = Array.from({ length: 11 }, (_, place) => place / 10);
const ARROW_BEND = 0.22; // of curved arrows, as a share of their length

/** The arrows of an automaton with `targets` [states, alphabet]: [{source, target, symbols}]. */
export function transitionsOf(targets) {
  const [states, size] = targets.shape;
  const arrows = [];
  for (let source = 0; source < states; source++) {
    for (let symbol = 0; symbol < size; symbol++) {
      const target = targets[source * size + symbol];
      if (target < 0) continue;
      const known = arrows.find((arrow) => arrow.source === source && arrow.target === target);
      if (known) known.symbols.push(symbol);
      else arrows.push({ source, target, symbols: [symbol] });
    }
  }
  return arrows;
}

/**
 * Centres of the states, whose distances follow the numbers of arrows between them (stress majorisation; Gansner, Koren &
 * North 2005): {centres, width, height}, the longest extent across, and the first state in the left half.
 */
export function stateLayout(targets) {
  const [states] = targets.shape;
  const distances = stepsBetween(targets);
  const layers = new Map();
  let places = Array.from({ length: states }, (_, state) => {
    const layer = distances[0][state];
    layers.set(layer, (layers.get(layer) ?? 0) + 1);
    return [layer, layers.get(layer) + 0.1 * state];
  });
  for (let sweep = 0; sweep < LAYOUT_SWEEPS; sweep++) {
    let moved = 0;
    for (let state = 0; state < states; state++) {
      let [sumX, sumY, total] = [0, 0, 0];
      const [x, y] = places[state];
      for (let other = 0; other < states; other++) {
        if (other === state) continue;
        const wanted = distances[state][other];
        const [otherX, otherY] = places[other];
        const share = wanted / (Math.hypot(x - otherX, y - otherY) || 1e-6);
        const weight = wanted ** -2;
        sumX += weight * (otherX + share * (x - otherX));
        sumY += weight * (otherY + share * (y - otherY));
        total += weight;
      }
      if (!total) continue;
      places[state] = [sumX / total, sumY / total];
      moved = Math.max(moved, Math.hypot(places[state][0] - x, places[state][1] - y));
    }
    if (moved < 1e-3) break;
  }
  places = levelled(places);
  let nearest = Infinity;
  places.forEach((one, state) => {
    for (const other of places.slice(state + 1)) nearest = Math.min(nearest, Math.hypot(one[0] - other[0], one[1] - other[1]));
  });
  const factor = Math.max(STATES_APART, Number.isFinite(nearest) ? NEAREST_STATES / Math.max(nearest, 0.2) : 0);
  const [lowX, lowY] = [0, 1].map((axis) => Math.min(...places.map((place) => place[axis])));
  const centres = places.map(([x, y]) => [STATE_MARGIN + factor * (x - lowX), STATE_MARGIN + factor * (y - lowY)]);
  const [width, height] = [0, 1].map((axis) => Math.max(...centres.map((centre) => centre[axis])) + STATE_MARGIN);
  return { centres, width, height };
}

/** Numbers of arrows on shortest ways between states, along arrows or against them. */
function stepsBetween(targets) {
  const [states] = targets.shape;
  const near = Array.from({ length: states }, () => new Set());
  for (const { source, target } of transitionsOf(targets)) {
    near[source].add(target);
    near[target].add(source);
  }
  return near.map((_, start) => {
    const steps = new Array(states).fill(Infinity);
    steps[start] = 0;
    const queue = [start];
    for (const state of queue) {
      for (const other of near[state]) {
        if (steps[other] < Infinity) continue;
        steps[other] = steps[state] + 1;
        queue.push(other);
      }
    }
    return steps;
  });
}

/** Places turned so that their longest extent is across, and mirrored so that the first is left of the middle. */
function levelled(places) {
  const number = places.length;
  const mean = [0, 1].map((axis) => places.reduce((sum, place) => sum + place[axis], 0) / number);
  const centred = places.map(([x, y]) => [x - mean[0], y - mean[1]]);
  const moment = (one, other) => centred.reduce((sum, place) => sum + place[one] * place[other], 0);
  const angle = Math.atan2(2 * moment(0, 1), moment(0, 0) - moment(1, 1)) / 2;
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  const rotated = centred.map(([x, y]) => [cosine * x + sine * y, cosine * y - sine * x]);
  const mirror = rotated[0][0] > 0 ? -1 : 1;
  return rotated.map(([x, y]) => [mirror * x, y]);
}

/**
 * An arrow between the edges of two states: {d, head, course, places}, curved where it would meet another one or a state;
 * `course` are points along it, `places` where its label may stand, the best first.
 */
export function transitionPath(centres, source, target, hasReverse) {
  const [[x0, y0], [x1, y1]] = [centres[source], centres[target]];
  if (source === target) return loopTransition(centres, source);
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = Math.hypot(dx, dy);
  const normal = [dy / length, -dx / length];
  let bend = hasReverse ? ARROW_BEND / 2 : 0;
  for (const [state, [x, y]] of centres.entries()) {
    if (state === source || state === target) continue;
    const along = ((x - x0) * dx + (y - y0) * dy) / length;
    const aside = (x - x0) * normal[0] + (y - y0) * normal[1];
    if (along > 0 && along < length && Math.abs(aside) < STATE_RADIUS + 6) bend = (aside > 0 ? -1 : 1) * ARROW_BEND * Math.max(1, 140 / length);
  }
  const middle = [x0 + dx / 2 + 2 * bend * length * normal[0], y0 + dy / 2 + 2 * bend * length * normal[1]];
  const from = edgeTowards([x0, y0], middle, STATE_RADIUS);
  const to = edgeTowards([x1, y1], middle, STATE_RADIUS + 1);
  const at = (share) => [0, 1].map((axis) => (1 - share) ** 2 * from[axis] + 2 * share * (1 - share) * middle[axis] + share ** 2 * to[axis]);
  const places = LABEL_SHARES.flatMap((share) => [1, -1].map((side) => at(share).map((value, axis) => value + 9 * side * normal[axis])));
  const course = COURSE_SHARES.map(at);
  return { d: `M${placesText([from])}Q${placesText([middle, to])}`, head: transitionHead(middle, to), course, places };
}

function edgeTowards([x, y], [toX, toY], radius) {
  const length = Math.hypot(toX - x, toY - y) || 1;
  return [x + ((toX - x) * radius) / length, y + ((toY - y) * radius) / length];
}

function loopTransition(centres, state) {
  const [x, y] = centres[state];
  const angle = widestGap(
    centres
      .filter(([otherX, otherY], other) => other !== state && Math.hypot(otherX - x, otherY - y) < 2 * STATES_APART)
      .map(([otherX, otherY]) => Math.atan2(otherY - y, otherX - x)),
  );
  const on = (turn, radius) => [x + radius * Math.cos(angle + turn), y + radius * Math.sin(angle + turn)];
  const [control, to] = [on(0.6, STATE_RADIUS + 30), on(0.5, STATE_RADIUS + 1)];
  return {
    d: `M${placesText([on(-0.5, STATE_RADIUS)])}C${placesText([on(-0.6, STATE_RADIUS + 30), control, to])}`,
    head: transitionHead(control, to),
    course: [-0.5, 0, 0.5].map((turn) => on(turn, STATE_RADIUS + 18)),
    places: [on(0, STATE_RADIUS + 31), on(0.6, STATE_RADIUS + 31), on(-0.6, STATE_RADIUS + 31)],
  };
}

/** The middle of the widest gap between some directions; straight up if there are none. */
function widestGap(directions) {
  if (!directions.length) return -Math.PI / 2;
  const sorted = [...directions].sort((one, other) => one - other);
  const gaps = sorted.map((angle, place) => (place + 1 < sorted.length ? sorted[place + 1] : sorted[0] + 2 * Math.PI) - angle);
  const widest = gaps.indexOf(Math.max(...gaps));
  return sorted[widest] + gaps[widest] / 2;
}

function transitionHead([fromX, fromY], [x, y]) {
  const length = Math.hypot(x - fromX, y - fromY) || 1;
  const [ux, uy] = [(x - fromX) / length, (y - fromY) / length];
  const corner = (side) => [x - 8 * ux + side * 3.6 * uy, y - 8 * uy - side * 3.6 * ux];
  return `M${placesText([corner(1)])}L${placesText([[x, y], corner(-1)])}Z`;
}

/** Where the label of each arrow stands, clear of states, of other arrows and of the labels before it, as far as it can. */
export function labelPlaces(paths, centres) {
  const chosen = [];
  paths.forEach(({ places }, number) => {
    const others = paths.flatMap(({ course }, other) => (other === number ? [] : course));
    const crowded = (place, points, clear) =>
      points.reduce((sum, [x, y]) => sum + Math.max(0, clear - Math.hypot(place[0] - x, place[1] - y)), 0);
    const costs = places.map((place, rank) =>
      0.5 * rank + crowded(place, others, 12) + 3 * crowded(place, centres, STATE_RADIUS + 9) + 2 * crowded(place, chosen, 18));
    chosen.push(places[costs.indexOf(Math.min(...costs))]);
  });
  return chosen;
}

function placesText(places) {
  return places.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join(" ");
}

/** The drawing of an automaton {targets, names}: {node, isWide, light(state, before)}, null for no state. */
export function automatonDrawing({ targets, names }, alphabet) {
  const { centres, width, height } = stateLayout(targets);
  const arrows = transitionsOf(targets);
  const is = (source, target) => arrows.some((arrow) => arrow.source === source && arrow.target === target);
  const paths = arrows.map(({ source, target }) => transitionPath(centres, source, target, source !== target && is(target, source)));
  const labels = labelPlaces(paths, centres);
  const drawn = arrows.map(({ source, target, symbols }, number) => {
    const [{ d, head }, label] = [paths[number], labels[number]];
    const text = symbols.map((symbol) => alphabet[symbol]).join(", ");
    const node = shape("g", { class: "arrow" },
      shape("path", { d }),
      shape("path", { class: "head", d: head }),
      shape("text", { x: label[0].toFixed(1), y: label[1].toFixed(1), "text-anchor": "middle", "dominant-baseline": "central" }, text));
    return { source, target, node };
  });
  const states = centres.map(([x, y], state) => {
    const name = names[state];
    const size = Math.min(12.5, (2 * STATE_RADIUS - 6) / (0.58 * Math.max(1, name.length)));
    return shape("g", { class: "state" },
      shape("circle", { cx: x, cy: y, r: STATE_RADIUS }),
      shape("text", { x, y, style: `font-size: ${size.toFixed(1)}px`, "text-anchor": "middle", "dominant-baseline": "central" }, name));
  });
  const [outside, entry] = [25, 1].map((distance) => [centres[0][0] - STATE_RADIUS - distance, centres[0][1]]);
  const picture = shape(
    "svg",
    { viewBox: `0 0 ${Math.ceil(width)} ${Math.ceil(height)}`, class: "automaton", role: "img", style: `max-width: ${Math.ceil(1.15 * width)}px; min-width: ${Math.ceil(0.8 * width)}px` },
    shape("g", { class: "arrow" },
      shape("path", { d: `M${placesText([outside, entry])}` }), shape("path", { class: "head", d: transitionHead(outside, entry) })),
    drawn.map(({ node }) => node),
    states,
  );
  const node = element("div", { class: "scroll automaton", tabindex: 0, role: "region", "aria-label": "The language's automaton" }, picture);
  return {
    node,
    isWide: width > WIDE_AUTOMATON,
    light(state, before) {
      states.forEach((group, other) => group.classList.toggle("lit", other === state));
      for (const arrow of drawn) arrow.node.classList.toggle("lit", arrow.source === before && arrow.target === state);
      picture.setAttribute("aria-label", `The language's automaton; ${state === null ? "no state is lit" : `the state ${names[state]} is lit`}`);
      if (state === null || !node.clientWidth) return;
      const place = (centres[state][0] / width) * picture.clientWidth;
      if (place < node.scrollLeft + 40 || place > node.scrollLeft + node.clientWidth - 40) node.scrollLeft = place - node.clientWidth / 2;
    },
  };
}
