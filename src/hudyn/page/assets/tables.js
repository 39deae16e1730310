// Tables that can be sorted, filtered and saved.

import { button, element } from "./plot.js";

const ROWS = 200; // drawn at once; more are found by the filter

/** The cells of a CSV text, [rows][columns]. */
export function parsed(csv) {
  const rows = [];
  let row = [];
  let cell = "";
  let quoted = false;
  for (let place = 0; place < csv.length; place++) {
    const character = csv[place];
    if (quoted) {
      if (character !== '"') cell += character;
      else if (csv[place + 1] === '"') {
        cell += '"';
        place++;
      } else quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === ",") {
      row.push(cell);
      cell = "";
    } else if (character === "\n") {
      rows.push([...row, cell]);
      [row, cell] = [[], ""];
    } else if (character !== "\r") cell += character;
  }
  if (row.length || cell) rows.push([...row, cell]);
  return rows;
}

/** Rows by the cells of a column: numbers by size, empty cells last. */
export function sorted(rows, column, descending) {
  const key = (row) => (row[column] !== "" && !Number.isNaN(Number(row[column])) ? Number(row[column]) : row[column]);
  const compare = (one, other) => {
    if (one === "" || other === "") return (one === "") - (other === "");
    const order = typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other));
    return descending ? -order : order;
  };
  return [...rows].sort((one, other) => compare(key(one), key(other)));
}

/** The words of a cell, those that `links` knows as links. */
function linkedWords(cell, links) {
  return cell.split(" ").flatMap((word, place) => [place ? " " : "", links[word] ? element("a", { href: links[word] }, word) : word]);
}

/** A table of the page: {title, caption, name, csv}; `links` has the addresses of words in the first column. */
export function table({ name, title, caption, csv, links = {} }) {
  const [columns, ...rows] = parsed(csv);
  const order = { column: null, descending: false };
  let words = "";
  const body = element("tbody");
  const note = element("p", { class: "note", "aria-live": "polite" });
  const heads = columns.map((column, place) =>
    element("th", { scope: "col", "aria-sort": "none" }, button(column, () => sortBy(place), `Sort by ${column}`)),
  );
  const sortBy = (place) => {
    order.descending = order.column === place && !order.descending;
    order.column = place;
    heads.forEach((head, other) =>
      head.setAttribute("aria-sort", other !== place ? "none" : order.descending ? "descending" : "ascending"),
    );
    draw();
  };
  const draw = () => {
    const found = rows.filter((row) => row.some((cell) => cell.toLowerCase().includes(words)));
    const shown = order.column === null ? found : sorted(found, order.column, order.descending);
    body.replaceChildren(
      ...shown.slice(0, ROWS).map((row) =>
        element("tr", {}, row.map((cell, place) =>
          element("td", { class: Number.isNaN(Number(cell)) ? "word" : null }, place ? cell : linkedWords(cell, links)))),
      ),
    );
    const part = shown.length > ROWS ? `The first ${ROWS} of ${shown.length} rows` : `${shown.length} rows`;
    note.textContent = shown.length < rows.length ? `${part}, of ${rows.length} in all.` : `${part}.`;
  };
  const filter = element("input", {
    type: "search", placeholder: "filter", "aria-label": `Filter ${title}`,
    oninput: () => {
      words = filter.value.toLowerCase();
      draw();
    },
  });
  const save = element(
    "a",
    { href: `data:text/csv;charset=utf-8,${encodeURIComponent(csv)}`, download: `${name}.csv` },
    `${name}.csv`,
  );
  draw();
  return element(
    "details",
    { id: `table-${name}` },
    element("summary", {}, title),
    caption ? element("p", {}, caption) : null,
    element("div", { class: "controls" }, filter, save),
    element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title },
      element("table", {}, element("thead", {}, element("tr", {}, heads)), body)),
    note,
  );
}
