// The course of training: a measure of all members over the updates, and the slider over the snapshots.

import { chart, element, extent, fitted, line, readable, shape, slider, button } from "./plot.js";

/** Median, smallest and largest of each row of [rows, members], NaN left out. */
export function spread(values) {
  const [rows, members] = values.shape;
  const result = { low: [], middle: [], high: [] };
  for (let place = 0; place < rows; place++) {
    const known = Array.from(values.subarray(place * members, (place + 1) * members)).filter((v) => !Number.isNaN(v)).sort((a, b) => a - b);
    const at = (share) => {
      const rank = share * (known.length - 1);
      const [below, above] = [known[Math.floor(rank)], known[Math.ceil(rank)]];
      return below + (above - below) * (rank % 1);
    };
    result.low.push(at(0.1));
    result.middle.push(at(0.5));
    result.high.push(at(0.9));
  }
  return result;
}

/** Shows the curves, and the slider that moves all views through the snapshots. */
export function showTraining(root, data, networks, store) {
  const { updates, measures } = data.history;
  const names = Object.keys(measures);
  const snapshots = networks?.updates ?? [];
  if (updates.length < 2 && !snapshots.length) return false;
  if (updates.length > 1 && names.length) root.append(curves(data, store, snapshots));
  if (snapshots.length > 1) root.append(snapshotControls(snapshots, store));
  return true;
}

function curves(data, store, snapshots) {
  const { updates, measures } = data.history;
  const names = Object.keys(measures);
  let name = names.includes("train/loss") ? "train/loss" : names[0];
  const members = data.seeds.length;
  const area = element("div", { class: "panel" });
  const draw = () => {
    const values = measures[name];
    const all = spread(values);
    const own = updates.map((_, place) => values[place * members + store.get("member")]);
    const yLog = name.endsWith("/loss") && values.every((value) => !(value <= 0));
    const domain = extent([...all.low, ...all.high, ...own], yLog ? 0 : 0.04);
    const { root: drawing, plot, x, y } = chart({
      label: `${name} over the updates of training`,
      x: [updates[0], updates[updates.length - 1]], y: yLog ? [domain[0] * 0.9, domain[1] * 1.1] : domain,
      xLabel: "update", yLabel: name, yLog, width: fitted(760), height: 320,
    });
    if (members > 1) {
      const there = line(updates, all.high, x, y);
      const back = line([...updates].reverse(), [...all.low].reverse(), x, y).replace("M", "L");
      plot.append(
        shape("path", { class: "band", d: `${there}${back}Z`, fill: "#0072B2" }),
        shape("path", { class: "curve", d: line(updates, all.middle, x, y), stroke: "#0072B2", "stroke-dasharray": "6 4" }),
      );
    }
    plot.append(shape("path", { class: "curve", d: line(updates, own, x, y), stroke: "#D55E00" }));
    const at = snapshots[store.get("snapshot")];
    if (at !== undefined && at >= updates[0]) plot.append(shape("line", { class: "now", x1: x(at), x2: x(at), y1: 12, y2: 276 }));
    area.replaceChildren(drawing);
  };
  const select = element(
    "select",
    { "aria-label": "Measure", onchange: () => { name = select.value; draw(); } },
    names.map((other) => element("option", { value: other, selected: other === name }, other)),
  );
  store.watch(["member", "snapshot"], draw);
  const legend = members > 1
    ? element("ul", { class: "legend" },
        element("li", {}, element("i", { style: "background: #D55E00" }), "the member shown"),
        element("li", {}, element("i", { style: "background: #0072B2" }), "all: median, and the middle 80 %"))
    : "";
  return element("div", { class: "panel" }, element("div", { class: "controls" }, select), area, legend);
}

function snapshotControls(snapshots, store) {
  const last = snapshots.length;
  const show = (place) => (place >= last ? "trained" : `update ${readable(snapshots[place], 6)}`);
  const handle = slider({
    label: "Snapshot", min: 0, max: last, value: store.get("snapshot"), show,
    change: (snapshot) => store.set({ snapshot }),
  });
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play training";
  };
  const play = button("Play training", () => {
    if (timer) return stop();
    if (store.get("snapshot") >= last) store.set({ snapshot: 0 });
    play.textContent = "Pause";
    timer = setInterval(() => {
      store.set({ snapshot: store.get("snapshot") + 1 });
      if (store.get("snapshot") >= last) stop();
    }, 120);
  });
  store.watch(["snapshot"], () => handle.move(store.get("snapshot")));
  return element("div", { class: "controls", id: "snapshots" }, play, handle,
    element("span", { class: "note" }, "Every view below follows."));
}
