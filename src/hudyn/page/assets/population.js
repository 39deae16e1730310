// The population: each member a dot; a click shows it in the rest of the page.

import { COLOURS, chart, element, extent, readable, shape } from "./plot.js";

/** Measures that differ between members, the objective first. */
export function differing(measures, objective) {
  const names = Object.keys(measures).filter((name) => {
    const known = measures[name].values.filter((value) => !Number.isNaN(value));
    return known.length > 1 && Math.min(...known) < Math.max(...known);
  });
  return names.sort((one, other) => (other === objective) - (one === objective));
}

/** Shows the members by two measures, coloured by what they turned out to be. */
export function showPopulation(root, data, store) {
  const names = differing(data.measures, data.objective);
  const members = data.seeds.length;
  if (members < 2 || !names.length) return false;
  const kinds = [...new Set(data.kinds)];
  const values = names.filter((name) => data.measures[name].kind !== "rate");
  const chosen = { x: values[0] ?? names[0], y: values[1] ?? values[0] ?? names[0] };
  const area = element("div", { class: "panel" });
  const line = element("p", { class: "note", "aria-live": "polite" });
  const choose = (axis) => {
    const select = element(
      "select",
      { "aria-label": `Measure along ${axis}`, onchange: () => { chosen[axis] = select.value; draw(); } },
      names.map((name) => element("option", { value: name, selected: name === chosen[axis] }, name)),
    );
    return element("label", {}, `${axis} `, select);
  };
  const number = element(
    "select",
    { "aria-label": "Member", onchange: () => store.set({ member: Number(number.value) }) },
    data.seeds.map((seed, member) => element("option", { value: member }, `seed ${seed}${member === data.best ? ", the best" : ""}`)),
  );
  const draw = () => {
    const [xs, ys] = [data.measures[chosen.x].values, data.measures[chosen.y].values];
    const { root: drawing, plot, x, y } = chart({
      label: `Each of ${members} networks by ${chosen.x} and ${chosen.y}`,
      x: extent(xs), y: extent(ys), xLabel: chosen.x, yLabel: chosen.y,
    });
    for (let member = 0; member < members; member++) {
      if (Number.isNaN(xs[member]) || Number.isNaN(ys[member])) continue;
      const kind = data.kinds[member] ?? "";
      plot.append(
        shape(
          "circle",
          {
            class: member === store.get("member") ? "dot chosen" : "dot", cx: x(xs[member]), cy: y(ys[member]), r: 5.5,
            fill: COLOURS[Math.max(0, kinds.indexOf(kind)) % COLOURS.length], "data-member": member,
            onclick: () => store.set({ member }),
          },
          shape("title", {}, `seed ${data.seeds[member]}${kind ? `, ${kind}` : ""}: ${readable(xs[member])}, ${readable(ys[member])}`),
        ),
      );
    }
    area.replaceChildren(drawing);
  };
  root.append(
    element("div", { class: "controls" }, choose("x"), choose("y"), element("label", {}, "shown ", number)),
    area,
    kinds.length
      ? element("ul", { class: "legend" }, kinds.map((kind, place) =>
          element("li", {}, element("i", { style: `background: ${COLOURS[place % COLOURS.length]}` }),
            `${kind} (${data.kinds.filter((other) => other === kind).length})`)))
      : "",
    line,
  );
  store.watch(["member"], () => {
    const member = store.get("member");
    number.value = member;
    line.textContent = `Shown below: seed ${data.seeds[member]}${data.kinds[member] ? `, ${data.kinds[member]}` : ""}.`;
    draw();
  });
  return true;
}
