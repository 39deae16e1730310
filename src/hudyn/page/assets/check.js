// The networks of the task check at work: a plane with dividing lines to drag, points to edit, weights to change.

import {
  angleBetween, dividingLine, gridLayers, lineEquation, lineSegment, lineThrough, lineTurned, outputRaster,
  planeAround, setDividingLine, truthTable,
} from "./dividing_lines.js";
import { COLOURS, button, chart, element, oncePerFrame, readable, shape } from "./plot.js";
import { chosenWeights } from "./weights.js";

const PLANE_SIDE = 430; // of the plane in the drawing; chart's edges come to it
const RASTER = 144; // cells of the background along each side
const REGION_HUES = [[0, 114, 178], [213, 94, 0]]; // where the output says 0, and 1
const LINE_HUES = COLOURS.filter((colour) => colour !== "#F0E442"); // yellow is too pale
const LINE_DASHES = [null, "9 4", "2 3", "10 3 2 3"];
const SHORTEST = 60; // of a line's part in the plane that has room for both handles
const CLICK = 4; // pixels that a pointer may move while it clicks
const TURN = Math.PI / 90; // by a key
const SHOWN_POINTS = 100; // rows of the truth table

/** Lets the chosen member work. */
export function showCheck(root, view, store, data) {
  const { networks } = view;
  const spec = networks.specification;
  const given = () => Array.from(view.labels, (label, place) => (
    { x: view.points[2 * place], y: view.points[2 * place + 1], label: Math.round(label) }
  ));
  const state = { vector: null, layers: null, points: given(), selected: null, isChanged: false, truth: null };
  const plane = planeAround(state.points);
  const update = oncePerFrame(() => {
    state.truth = truthTable(spec, state.vector, state.points);
    for (const draw of draws) draw();
  });
  const change = (edit) => {
    edit();
    state.isChanged = true;
    update();
  };
  const takeWeights = () => {
    state.vector = Float64Array.from(chosenWeights(networks, store));
    state.layers = gridLayers(spec, state.vector);
    state.isChanged = false;
    update();
  };
  const takePoints = (points, selected = null) => {
    Object.assign(state, { points, selected });
    update();
  };
  const editor = { state, plane, update, change, takePoints };
  const parts = { plane: planeDrawing(editor), weights: weightTable(editor, store), truth: truthRows(editor) };
  const score = element("p", { class: "score", role: "status" });
  const name = element("p", { class: "note" });
  const reset = button("Reset weights", takeWeights, "Reset the weights to those of the chosen network");
  const remove = button("Remove point", () => takePoints(state.points.filter((_, place) => place !== state.selected)));
  const draws = [...Object.values(parts).map((part) => part.draw), () => {
    const { wrong, loss } = state.truth;
    const number = state.points.length;
    const right = `${number - wrong} of ${number} points right`;
    score.textContent = loss === null ? `${right}, ${wrong} wrong.` : `${right}. Loss (binary cross-entropy): ${readable(loss)} nats.`;
    name.textContent = `${networkName(data, networks, store)}${state.isChanged ? ", with weights changed by hand" : ""}.`;
    reset.disabled = !state.isChanged;
    remove.disabled = state.selected === null;
  }];
  root.append(
    element("div", { class: "columns check" },
      element("div", { class: "panel" },
        name, score, parts.plane.root, regionLegend(),
        element("div", { class: "controls" },
          reset,
          button("Add point", () => takePoints([...state.points, freePlace(state.points, plane)], state.points.length)),
          remove,
          button("Reset points", () => takePoints(given()))),
        element("p", { class: "note" },
          "Drag a line by its number; turn it by the small handle at its other end. The arrow points to the side where the unit is on. " +
          "Click the plane to add a point; click a point to change its label; drag a point to move it. " +
          "With the keyboard, Tab goes from handle to handle and arrow keys move what has the focus. Enter changes a point's label, Delete removes the point."),
      ),
      element("div", { class: "panel" },
        element("h3", {}, "Weights"), parts.weights.root,
        element("h3", {}, "Truth table"), parts.truth.root)),
  );
  store.watch(["member", "snapshot"], takeWeights);
}

/** Which network is shown: its seed where there are several, and how far it is trained. */
function networkName(data, { updates }, store) {
  const seed = `Seed ${data.seeds[store.get("member")]}`;
  if (!updates.length) return data.seeds.length > 1 ? seed : "The network";
  const snapshot = store.get("snapshot");
  return snapshot < updates.length ? `${seed} after ${readable(updates[snapshot], 6)} updates` : `${seed}, trained`;
}

// The plane -------------------------------------------------------------------------------------------------------

function planeDrawing(editor) {
  const { state, plane: [xRange, yRange], takePoints } = editor;
  const { root, plot, x, y } = chart({
    label: "The plane with the points, the dividing lines of the hidden units, and the regions of the output",
    x: xRange, y: yRange, xLabel: "x", yLabel: "y", width: PLANE_SIDE + 72, height: PLANE_SIDE + 56,
  });
  root.setAttribute("role", "group"); // what is in it can have the focus
  const [width, height] = [PLANE_SIDE + 72, PLANE_SIDE + 56];
  const left = x(xRange[0]);
  const top = y(yRange[1]);
  const percent = (part, whole) => `${(100 * part) / whole}%`;
  const background = element("canvas", {
    "aria-hidden": "true", width: RASTER, height: RASTER,
    style: `left: ${percent(left, width)}; top: ${percent(top, height)}; width: ${percent(PLANE_SIDE, width)}; height: ${percent(PLANE_SIDE, height)}`,
  });
  const inside = ([px, py]) => [Math.min(xRange[1], Math.max(xRange[0], px)), Math.min(yRange[1], Math.max(yRange[0], py))];
  const place = (event) => {
    const box = root.getBoundingClientRect();
    return inside([x.invert(((event.clientX - box.left) * width) / box.width), y.invert(((event.clientY - box.top) * height) / box.height)]);
  };
  const space = { x, y, plane: editor.plane, inside, place, grain: (xRange[1] - xRange[0]) / 60 };
  const add = (event) => {
    const [px, py] = place(event).map((value) => Number(value.toPrecision(3)));
    takePoints([...state.points, { x: px, y: py, label: 1 }], state.points.length);
  };
  const ground = shape("rect", { class: "ground", x: left, y: top, width: PLANE_SIDE, height: PLANE_SIDE, onclick: add });
  const points = shape("g");
  const lines = shape("g");
  plot.append(ground, lines, points);
  let dividers = [];
  let marks = [];
  return {
    root: element("div", { class: "plane" }, background, root),
    draw() {
      paint(background, outputRaster(state.layers, xRange, yRange, RASTER));
      if (dividers.length !== state.layers.units) {
        dividers = Array.from({ length: state.layers.units }, (_, unit) => divider(editor, space, unit));
        lines.replaceChildren(...dividers.map((drawn) => drawn.root));
      }
      if (marks.length !== state.points.length) {
        const hadFocus = points.contains(document.activeElement);
        marks = state.points.map((_, number) => pointMark(editor, space, number));
        points.replaceChildren(...marks.map((drawn) => drawn.root));
        if (hadFocus) (marks[Math.min(state.selected ?? 0, marks.length - 1)]?.root ?? root).focus?.();
      }
      for (const drawn of [...dividers, ...marks]) drawn.draw();
    },
  };
}

/** Colours the regions: stronger where the output is surer. */
function paint(background, outputs) {
  const context = background.getContext("2d");
  const image = context.createImageData(RASTER, RASTER);
  for (const [place, output] of outputs.entries()) {
    image.data.set(REGION_HUES[Number(output >= 0.5)], 4 * place);
    image.data[4 * place + 3] = 35 + 75 * Math.abs(2 * output - 1);
  }
  context.putImageData(image, 0, 0);
}

/** Calls `move(place)` while a mark is dragged, and `click()` where it is only pressed; `start` and `end` around both. */
function draggable(node, place, { start = () => {}, move, end = () => {}, click = () => {} }) {
  let origin = null;
  let isMoved = false;
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    origin = [event.clientX, event.clientY];
    isMoved = false;
    node.setPointerCapture(event.pointerId);
    start(place(event));
  });
  node.addEventListener("pointermove", (event) => {
    if (!origin) return;
    isMoved ||= Math.hypot(event.clientX - origin[0], event.clientY - origin[1]) > CLICK;
    if (isMoved) move(place(event));
  });
  const release = (event) => {
    if (!origin) return;
    origin = null;
    if (!isMoved && event.type === "pointerup") click();
    end();
  };
  node.addEventListener("pointerup", release);
  node.addEventListener("pointercancel", release);
}

/** The step that an arrow key makes, [right, up]; null for other keys. */
function arrowStep(event) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? null;
  if (step) event.preventDefault();
  return step;
}

/** A hidden unit's dividing line with its handles. */
function divider({ state, change, update }, space, unit) {
  const colour = LINE_HUES[unit % LINE_HUES.length];
  const dash = LINE_DASHES[Math.floor(unit / LINE_HUES.length) % LINE_DASHES.length];
  const halo = shape("line", { class: "halo" });
  const drawn = shape("line", { class: "divider", stroke: colour, "stroke-dasharray": dash });
  const grip = shape("line", { class: "grip" });
  const arrow = shape("path", { class: "divider", stroke: colour });
  const moving = shape("g", { class: "handle", tabindex: 0, role: "slider" },
    shape("circle", { class: "reach", r: 20 }), shape("circle", { r: 11, stroke: colour }),
    shape("text", { "text-anchor": "middle", dy: "0.36em" }, unit + 1));
  const turning = shape("g", { class: "handle turn", tabindex: 0, role: "slider" },
    shape("circle", { class: "reach", r: 18 }), shape("circle", { r: 6.5, stroke: colour, fill: colour }));
  const root = shape("g", {}, halo, drawn, grip, arrow, moving, turning);
  const line = () => dividingLine(state.layers, unit);
  const segment = (of = line()) => lineSegment(of, ...space.plane);
  const give = (to) => change(() => setDividingLine(state.layers, unit, to));
  let held = null; // where the pointer holds the line
  let turn = null; // the pivot, the handle's place and the line when the handle was taken
  const moves = {
    move: (to) => {
      held = to;
      give(lineThrough(line(), to));
    },
    end: () => {
      held = null;
      update();
    },
  };
  draggable(moving, space.place, moves);
  draggable(grip, space.place, { move: (to) => give(lineThrough(line(), to)) });
  draggable(turning, space.place, {
    start: (from) => (turn = { pivot: handles(segment()).moving, from, line: line() }),
    move: (to) => {
      held = turn.pivot;
      give(lineTurned(turn.line, turn.pivot, angleBetween(turn.pivot, turn.from, to)));
    },
    end: moves.end,
  });
  moving.addEventListener("keydown", (event) => {
    const step = arrowStep(event);
    if (!step) return;
    const { a, b, c } = line();
    const to = { a, b, c: c - space.grain * (a * step[0] + b * step[1]) };
    if (segment(to)) give(to);
  });
  turning.addEventListener("keydown", (event) => {
    const step = arrowStep(event);
    if (step) give(lineTurned(line(), middle(segment()), TURN * (step[1] - step[0])));
  });
  const handles = (ends) => {
    const share = pixels(space, ends) < SHORTEST ? 0.5 : 0.08 + 0.06 * (unit % 3); // apart from those of other lines
    return { moving: between(ends, share), turning: between(ends, 1 - share), hasRoom: share < 0.5 };
  };
  return {
    root,
    draw() {
      const ends = segment();
      root.style.display = ends ? "" : "none";
      if (!ends) return;
      const [from, to] = ends.map(([px, py]) => [space.x(px), space.y(py)]);
      for (const node of [halo, drawn, grip]) setAll(node, { x1: from[0], y1: from[1], x2: to[0], y2: to[1] });
      const places = handles(ends);
      const { a, b } = line();
      const at = [space.x((held ?? places.moving)[0]), space.y((held ?? places.moving)[1])];
      const aside = [a / Math.hypot(a, b), -b / Math.hypot(a, b)]; // to the side where the unit is on
      arrow.setAttribute("d", arrowPath(at, aside, 12, 30));
      moving.setAttribute("transform", `translate(${at})`);
      turning.setAttribute("transform", `translate(${[space.x(places.turning[0]), space.y(places.turning[1])]})`);
      turning.style.display = places.hasRoom ? "" : "none";
      const equation = lineEquation(line());
      const angle = Math.round((Math.atan2(b, a) * 180) / Math.PI);
      setAll(moving, { "aria-label": `Dividing line of hidden unit ${unit + 1}, move`, "aria-valuenow": line().c, "aria-valuetext": equation });
      setAll(turning, {
        "aria-label": `Dividing line of hidden unit ${unit + 1}, turn`, "aria-valuenow": angle, "aria-valuetext": `on towards ${angle} degrees`,
        "aria-valuemin": -180, "aria-valuemax": 180,
      });
    },
  };
}

const between = ([from, to], share) => [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])];
const middle = (ends) => between(ends, 0.5);
const pixels = ({ x, y }, [from, to]) => Math.hypot(x(to[0]) - x(from[0]), y(to[1]) - y(from[1]));

function setAll(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}

/** An arrow from `start` to `end` pixels away from a place, in a direction of length 1. */
function arrowPath([x, y], [right, down], start, end) {
  const at = (along, across) => `${(x + along * right - across * down).toFixed(1)} ${(y + along * down + across * right).toFixed(1)}`;
  return `M${at(start, 0)}L${at(end, 0)}M${at(end - 7, -5)}L${at(end, 0)}L${at(end - 7, 5)}`;
}

/** A point of the plane: a circle for label 0, a square for label 1, with a cross where the output is wrong. */
function pointMark({ state, takePoints, update }, space, number) {
  const mark = shape("path", { class: "mark" });
  const cross = shape("path", { class: "wrong", d: "M-13-13L-6-6M13-13L6-6M-13 13L-6 6M13 13L6 6" });
  const root = shape("g", { class: "point", tabindex: 0, role: "button" }, shape("circle", { class: "reach", r: 16 }), mark, cross);
  const point = () => state.points[number];
  const edit = (changes) => takePoints(state.points.map((other, place) => (place === number ? { ...other, ...changes } : other)), number);
  const toggle = () => edit({ label: 1 - point().label });
  const moveTo = (to) => {
    const [x, y] = space.inside(to);
    edit({ x, y });
  };
  draggable(root, space.place, { move: moveTo, click: toggle });
  root.addEventListener("focus", () => {
    state.selected = number;
    update();
  });
  root.addEventListener("keydown", (event) => {
    const step = arrowStep(event);
    if (step) moveTo([point().x + space.grain * step[0], point().y + space.grain * step[1]]);
    else if (event.key === "Enter" || event.key === " ") toggle();
    else if (event.key === "Delete" || event.key === "Backspace") {
      takePoints(state.points.filter((_, place) => place !== number), Math.min(number, state.points.length - 2));
    } else return;
    event.preventDefault();
  });
  return {
    root,
    draw() {
      const { x, y, label } = point();
      const { output, right } = state.truth.rows[number];
      mark.setAttribute("d", label ? "M-7-7H7V7H-7Z" : "M-8 0A8 8 0 1 1 8 0A8 8 0 1 1 -8 0Z");
      root.setAttribute("class", `point label${label}${number === state.selected ? " selected" : ""}`);
      cross.style.display = right ? "none" : "";
      root.setAttribute("transform", `translate(${space.x(x)} ${space.y(y)})`);
      root.setAttribute("aria-label", `Point (${readable(x)}, ${readable(y)}), label ${label}, output ${readable(output)}, ${right ? "right" : "wrong"}`);
    },
  };
}

/** A point for a place of the plane where there is none yet. */
function freePlace(points, plane) {
  const [x, y] = plane.map(([low, high]) => (low + high) / 2);
  const grain = (plane[0][1] - plane[0][0]) / 12;
  for (let ring = 1; ; ring++) {
    const at = { x: x + ring * grain, y: y + ring * grain };
    if (!points.some((point) => Math.hypot(point.x - at.x, point.y - at.y) < grain / 2)) return { ...at, label: 1 };
  }
}

function regionLegend() {
  const sign = (content) => shape("svg", { viewBox: "-14 -14 28 28", class: "sign", "aria-hidden": "true" }, content);
  const hue = (side) => element("i", { style: `background: rgb(${REGION_HUES[side].join(" ")} / .5)` });
  return element("ul", { class: "legend" },
    element("li", {}, sign(shape("g", { class: "point label0" }, shape("circle", { class: "mark", r: 8 }))), "label 0"),
    element("li", {}, sign(shape("g", { class: "point label1" }, shape("path", { class: "mark", d: "M-7-7H7V7H-7Z" }))), "label 1"),
    element("li", {}, sign(shape("path", { class: "wrong", d: "M-13-13L-6-6M13-13L6-6M-13 13L-6 6M13 13L6 6" })), "wrong"),
    element("li", {}, hue(0), "output below ½"),
    element("li", {}, hue(1), "output ½ or more"));
}

// The tables ------------------------------------------------------------------------------------------------------

/** All weights, to be changed: a row for each hidden unit, and the output's bias. */
function weightTable({ state, change }, store) {
  const body = element("tbody");
  const root = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Weights" },
    element("table", { class: "weights" },
      element("thead", {}, element("tr", {},
        ["unit", "from x", "from y", "bias", "to output", "dividing line"].map((head) => element("th", { scope: "col" }, head)))),
      body));
  let rows = [];
  const field = (label, values, place) => {
    const input = element("input", {
      type: "number", step: "0.1", "aria-label": label,
      oninput: () => {
        if (Number.isFinite(input.valueAsNumber)) change(() => (values()[place] = input.valueAsNumber));
      },
      onblur: () => show(),
    });
    const show = () => (input.value = Number(values()[place].toPrecision(4)));
    return { input, draw: () => document.activeElement === input || show() };
  };
  const unitRow = (unit) => {
    const name = `Hidden unit ${unit + 1}`;
    const fields = [
      field(`${name}, weight from x`, () => state.layers.hidden, 2 * unit),
      field(`${name}, weight from y`, () => state.layers.hidden, 2 * unit + 1),
      field(`${name}, bias`, () => state.layers.hiddenBias, unit),
      field(`${name}, weight to the output`, () => state.layers.output, unit),
    ];
    const equation = element("td", { class: "word" });
    const hue = element("i", { style: `background: ${LINE_HUES[unit % LINE_HUES.length]}` });
    return {
      root: element("tr", {}, element("th", { scope: "row", class: "legend" }, hue, `h${unit + 1}`), fields.map(({ input }) => element("td", {}, input)), equation),
      draw() {
        fields.forEach((one) => one.draw());
        equation.textContent = lineEquation(dividingLine(state.layers, unit));
      },
    };
  };
  const outputRow = () => {
    const bias = field("Output, bias", () => state.layers.outputBias, 0);
    return {
      root: element("tr", {}, element("th", { scope: "row" }, "output"), element("td"), element("td"), element("td", {}, bias.input), element("td"), element("td")),
      draw: bias.draw,
    };
  };
  return {
    root,
    draw() {
      if (rows.length !== state.layers.units + 1) {
        rows = [...Array.from({ length: state.layers.units }, (_, unit) => unitRow(unit)), outputRow()];
        body.replaceChildren(...rows.map((row) => row.root));
      }
      rows.forEach((row) => row.draw());
    },
  };
}

/** The truth table: a row for each point. */
function truthRows({ state }) {
  const head = element("tr");
  const body = element("tbody");
  const note = element("p", { class: "note" });
  const root = element("div", {},
    element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Truth table" }, element("table", { class: "truth" }, element("thead", {}, head), body)),
    note);
  const decimals = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(2).replace("-", "−"));
  return {
    root,
    draw() {
      const { points, truth, layers, selected } = state;
      const lowest = layers.activation === "tanh" ? -1 : 0;
      const shade = (value) => {
        const share = Math.min(1, Math.max(0, (value - lowest) / (1 - lowest)));
        return element("td", { style: `--share: ${Math.round(100 * share)}%` }, decimals(value));
      };
      const hidden = Array.from({ length: layers.units }, (_, unit) => `h${unit + 1}`);
      head.replaceChildren(...["x", "y", "label", ...hidden, "output", ""].map((name) => element("th", { scope: "col" }, name)));
      body.replaceChildren(...points.slice(0, SHOWN_POINTS).map(({ x, y, label }, number) => {
        const { hidden: units, output, right } = truth.rows[number];
        return element("tr", { class: number === selected ? "best" : null },
          [x, y, label].map((value) => element("td", {}, decimals(value))),
          Array.from(units, shade), shade(output),
          element("td", { class: right ? "word" : "word wrong" }, right ? "right" : "wrong"));
      }));
      note.textContent = points.length > SHOWN_POINTS ? `The first ${SHOWN_POINTS} of ${points.length} points.` : "";
    },
  };
}
