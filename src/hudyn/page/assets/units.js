// The units and gates at each symbol of the text, as maps of colours: a row a unit, a column a symbol.

import { COLOURS, element, readable, themeColour } from "./plot.js";

const MOST_UNITS = 16; // rows of a map
const UNIT_ROW = 20; // pixels
const NARROWEST_COLUMN = 5; // column, in pixels
const SYMBOL_ROW = 18; // pixels, of the row of symbols

/** The `number` units of [states] that vary most, in order. */
export function mostVaried(states, number) {
  const size = states[0].length;
  const spreads = Array.from({ length: size }, (_, unit) => {
    const mean = states.reduce((sum, state) => sum + state[unit], 0) / states.length;
    return states.reduce((sum, state) => sum + (state[unit] - mean) ** 2, 0);
  });
  const order = [...spreads.keys()].sort((one, other) => spreads[other] - spreads[one]);
  return order.slice(0, number).sort((one, other) => one - other);
}

/** The groups of a cell: {name, of(state), range}, range null where values have no bounds. */
export function groupsOf(network, bounded) {
  return [
    { name: "hidden", of: (state) => state.hidden, range: bounded ? [-1, 1] : null },
    ...(network.hasContext ? [{ name: "context", of: (state) => state.context, range: null }] : []),
    ...network.gates.map((gate) => ({
      name: gate === "candidate" ? gate : `${gate} gate`,
      of: (state) => state.gates[gate] ?? null,
      range: gate === "candidate" ? [-1, 1] : [0, 1],
    })),
  ];
}

/** The map of a group: {node, draw(scene), mark(position)}. */
export function unitMap(group, jump) {
  const names = element("div", { class: "names", "aria-hidden": "true" });
  const picture = element("canvas", { role: "img", class: "units" });
  const context = picture.getContext("2d");
  const cursor = element("i", { class: "cursor" });
  const around = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${group.name} over the text` },
    element("div", { class: "film" }, picture, cursor));
  const scale = element("span", { class: "scale" });
  const note = element("p", { class: "note" });
  const node = element("div", { class: "panel unitmap" }, element("h4", {}, groupTitle(group.name), scale), element("div", { class: "heat" }, names, around), note);
  let shown = null;
  let column = NARROWEST_COLUMN;

  const paint = () => {
    const { states, symbols, alphabet } = shown.scene;
    const room = around.clientWidth;
    if (!room) return;
    column = Math.max(NARROWEST_COLUMN, Math.min(34, Math.floor(room / symbols.length)));
    const [width, height] = [Math.max(1, column * symbols.length), SYMBOL_ROW + UNIT_ROW * shown.units.length];
    const density = Math.min(2, globalThis.devicePixelRatio || 1);
    [picture.width, picture.height] = [width * density, height * density];
    [picture.style.width, picture.style.height] = [`${width}px`, `${height}px`];
    context.setTransform(density, 0, 0, density, 0, 0);
    context.fillStyle = themeColour("--soft");
    context.font = "12px ui-monospace, monospace";
    context.textAlign = "center";
    if (column >= 8) symbols.forEach((symbol, place) => context.fillText(alphabet[symbol], (place + 0.5) * column, 13));
    const gap = column > 9 ? 1 : 0;
    shown.units.forEach((unit, line) => {
      symbols.forEach((_, place) => {
        const value = group.of(states[place + 1])[unit];
        context.fillStyle = value < 0 ? COLOURS[0] : COLOURS[1];
        context.globalAlpha = Math.min(1, Math.abs(value) / shown.largest) || 0;
        context.fillRect(place * column, SYMBOL_ROW + line * UNIT_ROW + 1, column - gap, UNIT_ROW - 2);
      });
    });
    context.globalAlpha = 1;
    mark(shown.scene.position);
  };

  const mark = (position) => {
    cursor.hidden = position === 0;
    cursor.style.cssText = `left: ${(position - 1) * column}px; width: ${column}px`;
    const { states } = shown.scene;
    const values = group.of(states[position]);
    shown.cells.forEach((cell, line) => (cell.textContent = values ? shortened(values[shown.units[line]]) : "–"));
    const [from, to] = [(position - 1) * column, position * column];
    if (from < around.scrollLeft || to > around.scrollLeft + around.clientWidth) around.scrollLeft = from - around.clientWidth / 3;
    picture.setAttribute("aria-label", `${group.name} after ${position} symbols: ${shown.cells.map((cell) => cell.textContent).join(", ")}`);
  };

  const placeUnder = (event) => {
    const bounds = picture.getBoundingClientRect();
    return [Math.floor((event.clientX - bounds.left) / column), Math.floor((event.clientY - bounds.top - SYMBOL_ROW) / UNIT_ROW)];
  };
  picture.addEventListener("pointermove", (event) => {
    const [place, line] = placeUnder(event);
    const { states, symbols, alphabet } = shown.scene;
    const value = states[place + 1] && shown.units[line] !== undefined ? group.of(states[place + 1])[shown.units[line]] : undefined;
    picture.title = value === undefined ? "" : `${group.name}, unit ${shown.units[line] + 1}, after symbol ${place + 1} (${alphabet[symbols[place]]}): ${readable(value)}`;
  });
  picture.addEventListener("click", (event) => jump(placeUnder(event)[0] + 1));
  new ResizeObserver(() => shown && paint()).observe(around);

  return {
    node,
    draw(scene) {
      const known = scene.visited.map(group.of).filter(Boolean);
      const [low, high] = group.range ?? [0, Math.max(1e-6, ...scene.states.flatMap((state) => Array.from(group.of(state) ?? [], Math.abs)))];
      const units = known.length ? mostVaried(known, MOST_UNITS) : [];
      const cells = units.map(() => element("span", { class: "value" }));
      names.replaceChildren(...units.map((unit, line) => element("div", {}, element("span", {}, `${unit + 1}`), cells[line])));
      note.textContent = known.length && known[0].length > MOST_UNITS ? `The ${MOST_UNITS} of ${known[0].length} units that vary most.` : "";
      note.hidden = !note.textContent;
      const least = group.range ? low : scene.bounded || group.name === "context" ? -high : 0;
      scale.replaceChildren(readable(least, 2), element("i", { class: least < 0 ? "diverging" : "rising" }), readable(high, 2));
      shown = { scene, units, cells, largest: high };
      paint();
    },
    mark(scene) {
      shown.scene = scene;
      mark(scene.position);
    },
  };
}

/** A value in the width of a row's name: three decimals at most. */
function shortened(value) {
  return readable(Math.round(1000 * value) / 1000 + 0, 2);
}

function groupTitle(name) {
  return `${name[0].toUpperCase()}${name.slice(1)}${name === "hidden" || name === "context" ? " units" : ""} `;
}
