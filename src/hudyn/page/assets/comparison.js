// The comparison of runs: their curves over the updates in one drawing.

import { COLOURS, chart, element, extent, fitted, line, shape } from "./plot.js";

/** Colour and dashes of a run's curve: eight colours, then the same dashed. */
export function curveStyle(run) {
  return { stroke: COLOURS[run % COLOURS.length], dashes: run < COLOURS.length ? null : "7 4" };
}

/** The domain of the y axis of several curves, and whether it is logarithmic: for losses of different magnitudes. */
export function curvesDomain(name, curves) {
  const values = curves.flatMap(({ low, high }) => [...low, ...high]).filter((value) => value !== null);
  const yLog = /loss|excess/.test(name) && Math.min(...values) > 0 && Math.max(...values) > 50 * Math.min(...values);
  const [low, high] = extent(values, yLog ? 0 : 0.04);
  return { y: yLog ? [low * 0.9, high * 1.1] : [low, high], yLog };
}

/** Median and spread of each run for one measure. */
function overlaid(name, curves) {
  const { y: domain, yLog } = curvesDomain(name, curves);
  const updates = curves.flatMap((curve) => curve.updates);
  const { root, plot, x, y } = chart({
    label: `${name} of ${curves.length} runs over the updates of training`,
    x: [Math.min(...updates), Math.max(...updates)], y: domain, xLabel: "update", yLabel: name, yLog,
    width: fitted(760), height: 360,
  });
  const finite = (values) => values.map((value) => value ?? NaN);
  for (const { run, updates: at, low, high } of curves) {
    const known = at.map((_, place) => place).filter((place) => low[place] !== null);
    const there = line(known.map((place) => at[place]), known.map((place) => high[place]), x, y);
    known.reverse();
    const back = line(known.map((place) => at[place]), known.map((place) => low[place]), x, y).replace("M", "L");
    plot.append(shape("path", { class: "band", d: `${there}${back}Z`, fill: curveStyle(run).stroke }));
  }
  for (const { run, updates: at, middle } of curves) {
    const { stroke, dashes } = curveStyle(run);
    const d = line(at, finite(middle), x, y);
    plot.append(shape("path", { class: "curve", d, stroke, "stroke-dasharray": dashes, "data-run": run }));
  }
  return root;
}

/** Shows a measure to choose, and the curves of the runs that have it. */
export function showComparison(root, { runs, measures, curves }) {
  const area = element("div", { class: "panel" });
  const legend = element("ul", { class: "legend" });
  const draw = () => {
    const shown = curves[select.value];
    area.replaceChildren(overlaid(select.value, shown));
    legend.replaceChildren(...shown.map(({ run }) => element("li", {}, swatch(run), runs[run])));
  };
  const select = element(
    "select",
    { "aria-label": "Measure", onchange: draw },
    measures.map((name) => element("option", { value: name }, name)),
  );
  draw();
  root.append(
    element("div", { class: "controls" }, select), area, legend,
    element("p", { class: "note" },
      "Line: median over the members, and the middle 80 % of them. Of a rate: the share that succeeds, and its 95 % interval."),
  );
}

/** A short piece of a run's curve, for the legend. */
function swatch(run) {
  const { stroke, dashes } = curveStyle(run);
  return shape("svg", { class: "swatch", width: 28, height: 10, "aria-hidden": "true" },
    shape("line", { x1: 0, x2: 28, y1: 5, y2: 5, stroke, "stroke-width": 3, "stroke-dasharray": dashes }));
}
