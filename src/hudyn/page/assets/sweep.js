// A sweep: a measure against one setting as a line, two as a heat map, more as parallel coordinates.

import { chart, element, extent, line, linear, readable, shape } from "./plot.js";

const WIDE_RATIO = 20; // of a setting's largest to its smallest value, from which its axis is logarithmic
const LABEL = 8; // characters of a value at an axis
const FAN = 9; // pixels by which lines through the same value lie apart at most, by their measures
const FOCUSABLE = 100; // links in a drawing that the Tab key visits; the table has them all

/** The points of a drawing: populations gathered over seeds, and the other jobs; with the settings that tell them apart. */
export function sweepPoints({ swept, jobs, populations, links }) {
  const gathered = new Set(populations.flatMap(({ job }) => job.split(" ")));
  const points = [...populations, ...jobs.filter(({ job }) => !gathered.has(job))];
  const settings = populations.length ? swept.filter((setting) => setting !== "seed") : swept;
  const shown = settings.length ? points : jobs;
  return {
    settings: settings.length ? settings : swept,
    points: shown.map((point) => ({ ...point, link: links[point.job.split(" ")[0]] })),
  };
}

/** The interval of a measure: of a rate, else the middle half of the members, else all of them; null of one member. */
export function intervalOf({ interval, quartiles, min, max }) {
  if (interval) return interval;
  if (quartiles) return [quartiles[0], quartiles[2]];
  return min < max ? [min, max] : null;
}

/** The values of a setting in order: numbers by size, words as they come; and whether they are numbers. */
export function settingValues(points, setting) {
  const values = [...new Set(points.map(({ overrides }) => overrides[setting] ?? ""))];
  const isNumber = values.every((value) => value !== "" && Number.isFinite(Number(value)));
  return { values: isNumber ? values.sort((one, other) => one - other) : values, isNumber };
}

/** Values along an axis that have room for their labels, `gap` pixels apart at least. */
function apart(values, place, gap) {
  let last = -Infinity;
  return values.filter((value) => {
    if (Math.abs(place(value) - last) < gap) return false;
    last = place(value);
    return true;
  });
}

const meanOf = (point, measure) => point.metrics[measure]?.mean ?? NaN;
const shortName = (setting) => setting.split(".").at(-1);

/** A point in words. */
function told(point, settings, measure) {
  const where = settings.map((setting) => `${shortName(setting)} ${point.overrides[setting] ?? "–"}`).join(", ");
  const found = point.metrics[measure];
  const spread = found && intervalOf(found);
  const value = found ? `${measure} ${readable(found.mean ?? NaN)}` : point.status;
  const range = spread ? ` (${readable(spread[0])} to ${readable(spread[1])})` : "";
  const jobs = point.job.includes(" ") ? `jobs ${point.job.replaceAll(" ", ", ")}` : `job ${point.job}`;
  const members = point.members > 1 ? `, ${readable(point.members)} members` : "";
  return `${where}: ${value}${range}${members}; ${jobs}`;
}

/** A mark that links to the page of a point, and that is told when it is pointed at. */
function linked(point, view, attributes, ...marks) {
  const text = told(point, view.settings, view.measure);
  const tell = () => (view.readout.textContent = text);
  return shape(
    "a",
    {
      ...attributes, href: point.link || null, "aria-label": text, onpointerenter: tell, onfocus: tell,
      tabindex: view.points.length > FOCUSABLE ? -1 : null,
    },
    marks,
  );
}

/** One setting: the means as a line, with the interval of each; of a search, without the line. */
function lineDrawing(view) {
  const { points, settings: [setting], measure, width } = view;
  const known = points.filter((point) => Number.isFinite(meanOf(point, measure)));
  const { values, isNumber } = settingValues(points, setting);
  const at = isNumber ? values.map(Number) : values.map((_, place) => place);
  const [low, high] = [Math.min(...at), Math.max(...at)];
  const isLog = isNumber && low > 0 && high / low >= WIDE_RATIO;
  const ends = known.flatMap((point) => [meanOf(point, measure), ...(intervalOf(point.metrics[measure]) ?? [])]);
  const isRate = known.some((point) => point.metrics[measure].kind === "rate");
  const edge = isLog ? 1.15 : (high - low) * 0.05 || 0.5;
  const domain = isLog ? [low / edge, high * edge] : [low - edge, high + edge];
  const { root, plot, x, y } = chart({
    label: `${measure} against ${setting}`, x: domain, y: isRate ? [-0.03, 1.03] : extent(ends), xLog: isLog,
    xLabel: setting, yLabel: measure, width, height: Math.min(380, width * 0.75), xTicks: values.map((text, place) => ({ at: at[place], text })),
  });
  const place = (point) => at[values.indexOf(point.overrides[setting] ?? "")];
  const ordered = [...known].sort((one, other) => place(one) - place(other));
  if (!view.isSearch) plot.append(shape("path", { class: "curve means", d: line(ordered.map(place), ordered.map((point) => meanOf(point, measure)), x, y) }));
  for (const point of ordered) {
    const [left, spread] = [x(place(point)), intervalOf(point.metrics[measure])];
    plot.append(
      linked(point, view, { class: "job" },
        spread ? shape("path", { class: "whisker", d: `M${left} ${y(spread[0])}V${y(spread[1])}M${left - 4} ${y(spread[0])}h8M${left - 4} ${y(spread[1])}h8` }) : null,
        shape("circle", { class: "reach", cx: left, cy: y(meanOf(point, measure)), r: 14 }),
        shape("circle", { class: "mean", cx: left, cy: y(meanOf(point, measure)), r: 4.5 })),
    );
  }
  return root;
}

/** Shares of a measure between its smallest and largest mean, 0 to 1; those of a rate are the rate. */
function shares(points, measure) {
  const known = points.map((point) => meanOf(point, measure)).filter(Number.isFinite);
  const isRate = points.some((point) => point.metrics[measure]?.kind === "rate");
  const [low, high] = isRate ? [0, 1] : [Math.min(...known), Math.max(...known)];
  return { low, high, share: (value) => (high > low ? (value - low) / (high - low) : 0.5) };
}

/** Two settings: a cell for each combination, the darker the larger the mean. */
function heatDrawing(view) {
  const { points, measure, width } = view;
  const sizes = view.settings.map((setting) => settingValues(points, setting).values);
  const [down, across] = sizes[0].length >= sizes[1].length ? [0, 1] : [1, 0]; // the page has more room downwards
  const [rows, columns] = [sizes[down], sizes[across]];
  const left = 30 + 7 * Math.min(14, Math.max(...rows.map((row) => row.length)));
  const cell = Math.min(96, (width - left - 6) / columns.length);
  const high = Math.max(16, Math.min(36, 620 / rows.length));
  const [top, height] = [48, 48 + high * rows.length + 6];
  const { share } = shares(points, measure);
  const centre = (column) => left + (columns.indexOf(column) + 0.5) * cell;
  const root = shape("svg", {
    viewBox: `0 0 ${width} ${height}`, class: "chart", role: "group",
    "aria-label": `${measure} against ${view.settings[down]} and ${view.settings[across]}`,
  },
  shape("text", { class: "axis", x: left + (cell * columns.length) / 2, y: 14, "text-anchor": "middle" }, view.settings[across]),
  shape("text", { class: "axis", transform: `translate(12 ${top + (high * rows.length) / 2}) rotate(-90)`, "text-anchor": "middle" }, shortName(view.settings[down])),
  apart(columns, centre, 12 + 6.2 * Math.max(...columns.map((column) => column.length))).map((column) =>
    shape("text", { class: "tick", x: centre(column), y: top - 8, "text-anchor": "middle" }, column)),
  rows.map((row, place) =>
    shape("text", { class: "tick", x: left - 6, y: top + (place + 0.5) * high + 4, "text-anchor": "end" }, row)));
  for (const point of points) {
    const x = left + columns.indexOf(point.overrides[view.settings[across]] ?? "") * cell;
    const y = top + rows.indexOf(point.overrides[view.settings[down]] ?? "") * high;
    const mean = meanOf(point, measure);
    const text = Number.isFinite(mean) ? readable(mean, cell < 48 ? 2 : 3) : point.status === "done" ? "–" : point.status;
    root.append(
      linked(point, view, { class: "job" },
        shape("rect", {
          class: Number.isFinite(mean) ? "heatcell" : "heatcell without", x: x + 1, y: y + 1, width: cell - 2, height: high - 2, rx: 3,
          style: `--share: ${share(mean) || 0}`,
        }),
        6.4 * text.length < cell - 2 && high > 15
          ? shape("text", { class: "tick value", x: x + cell / 2, y: y + high / 2 + 4, "text-anchor": "middle" }, text)
          : null),
    );
  }
  return root;
}

/** More settings: an axis for each and one for the measure, and a line for each job, coloured by the measure. */
function parallelDrawing(view) {
  const { points, settings, measure, width } = view;
  const [top, bottom] = [44, Math.max(300, Math.min(420, width * 0.55))];
  const longest = Math.max(...settingValues(points, settings[0]).values.map((value) => Math.min(LABEL, value.length)));
  const [start, end] = [Math.max(44, 10 + 6.2 * longest), width - 44];
  const at = (axis) => start + (axis * (end - start)) / settings.length;
  const axes = settings.map((setting) => {
    const { values } = settingValues(points, setting);
    return { values, where: (value) => (values.length > 1 ? linear([0, values.length - 1], [bottom - FAN, top + FAN])(values.indexOf(value)) : (top + bottom) / 2) };
  });
  const known = points.filter((point) => Number.isFinite(meanOf(point, measure)));
  const { low, high, share } = shares(known, measure);
  const last = linear([low, high], [bottom, top]);
  const name = (text, axis) =>
    shape("text", { class: "axis", x: at(axis), y: axis % 2 ? 30 : 14, "text-anchor": axis === 0 ? "start" : axis === settings.length ? "end" : "middle", dx: axis === 0 ? -start + 4 : axis === settings.length ? width - end - 4 : 0 }, text);
  const root = shape("svg", {
    viewBox: `0 0 ${width} ${bottom + 16}`, class: "chart", role: "group",
    "aria-label": `${measure} against ${settings.join(", ")}: a line for each of ${known.length} jobs`,
  });
  const ordered = [...known].sort((one, other) => meanOf(one, measure) - meanOf(other, measure));
  for (const point of ordered) {
    const fan = (1 - 2 * share(meanOf(point, measure))) * FAN; // lines of the same values lie side by side
    const through = [...axes.map(({ where }, axis) => where(point.overrides[settings[axis]] ?? "") + fan), last(meanOf(point, measure))];
    const d = through.map((y, axis) => `${axis ? "L" : "M"}${at(axis).toFixed(1)} ${y.toFixed(1)}`).join("");
    root.append(
      linked(point, view, { class: "job", style: `--share: ${share(meanOf(point, measure))}` },
        points.length > FOCUSABLE ? null : shape("path", { class: "near", d }), shape("path", { class: "way", d })),
    );
  }
  axes.forEach(({ values, where }, axis) => {
    root.append(name(shortName(settings[axis]), axis), shape("line", { class: "rule", x1: at(axis), x2: at(axis), y1: top, y2: bottom }),
      ...apart(values, where, 14).map((value) => shape("text", { class: "tick onlines", x: at(axis) - 5, y: where(value) + 4, "text-anchor": "end" }, value.slice(0, LABEL))));
  });
  root.append(name(measure, settings.length), shape("line", { class: "rule", x1: end, x2: end, y1: top, y2: bottom }),
    ...last.ticks().map((tick) => shape("text", { class: "tick onlines", x: end + 5, y: last(tick) + 4, "text-anchor": "start" }, readable(tick))));
  return root;
}

/** Shows a measure to choose and its drawing; false where the jobs have no measure, or differ in no setting. */
export function showSweep(root, sweep) {
  const { settings, points } = sweepPoints(sweep);
  const measures = [...new Set(points.flatMap(({ metrics }) => Object.keys(metrics)))].sort(
    (one, other) => (other === sweep.objective) - (one === sweep.objective) || one.localeCompare(other));
  if (!settings.length || !measures.length) return false;
  const area = element("div", { class: "panel sweep" });
  const readout = element("p", { class: "note", "aria-live": "polite" });
  const scale = element("span", { class: "scale" });
  const grid = sweep.isSearch ? parallelDrawing : heatDrawing; // a search has no grid
  const kind = [lineDrawing, grid, parallelDrawing][Math.min(settings.length, 3) - 1];
  const draw = () => {
    const width = Math.max(300, Math.min(900, area.clientWidth || 760));
    const drawing = kind({ settings, points, measure: select.value, width, readout, isSearch: sweep.isSearch });
    drawing.setAttribute("role", "group"); // it holds links
    area.replaceChildren(drawing);
    const { low, high } = shares(points, select.value);
    scale.replaceChildren(readable(low), element("i", { class: kind === heatDrawing ? "means" : "ways" }), readable(high));
    scale.hidden = kind === lineDrawing || !(high > low);
    readout.textContent = `${points.length} ${sweep.populations.length ? "populations or jobs" : "jobs"}; each leads to its page.`;
  };
  const select = element("select", { "aria-label": "Measure", onchange: draw },
    measures.map((name) => element("option", { value: name }, name)));
  root.append(element("div", { class: "controls" }, select, scale), area, readout,
    element("p", { class: "note" }, "An interval is the 95 % interval of a rate; of other measures, the middle half of the members."));
  let drawn = 0;
  new ResizeObserver(() => {
    if (Math.abs(area.clientWidth - drawn) < 2) return;
    drawn = area.clientWidth;
    draw();
  }).observe(area);
  draw();
  return true;
}
