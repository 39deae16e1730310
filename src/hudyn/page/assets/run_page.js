// The page of a run: the parts that need its data, and the networks at work.

import { unpacked } from "./arrays.js";
import { showCharacters } from "./characters.js";
import { showCheck } from "./check.js";
import { showPopulation } from "./population.js";
import { element } from "./plot.js";
import { showSequences } from "./sequences.js";
import { makeStore } from "./store.js";
import { table } from "./tables.js";
import { showTraining } from "./training.js";

const VIEWS = { characters: showCharacters, check: showCheck, sequences: showSequences };

async function read(id) {
  const text = document.getElementById(id).textContent.trim();
  return text ? unpacked(text) : null;
}

function reveal(id, fill) {
  const section = document.getElementById(id);
  if (fill(section.querySelector(".content"))) section.hidden = false;
}

/** Says which network works if the page has no room for the weights of the chosen one. */
function keptNote() {
  const note = element("p", { class: "note", "aria-live": "polite" });
  const seeds = networks.members.map((member) => data.seeds[member]);
  store.watch(["member"], () => {
    const isKept = networks.members.includes(store.get("member"));
    note.textContent =
      `The page has room for the weights of ${seeds.length} of ${data.seeds.length} networks: seeds ${seeds.join(", ")}.` +
      (isKept ? "" : ` Seed ${data.seeds[store.get("member")]} is not among them, so the best network, seed ${seeds[0]}, works below.`);
  });
  return note;
}

const [data, view] = await Promise.all([read("data"), read("view")]);
const networks = view?.networks ?? null;
const store = makeStore({ member: data.best, snapshot: networks?.updates.length ?? 0 });
reveal("population", (root) => showPopulation(root, data, store));
reveal("training", (root) => showTraining(root, data, networks, store));
reveal("work", (root) => {
  if (!view) return false;
  if (!networks) root.append(element("p", { class: "note" }, "The page cannot run networks of this class; the figures below show them."));
  else {
    if (networks.members.length < data.seeds.length) root.append(keptNote());
    VIEWS[view.kind]?.(root, view, store, data);
  }
  return true;
});
reveal("tables", (root) => {
  root.append(...data.tables.map(table));
  return data.tables.length > 0;
});
performance.mark("ready");
document.documentElement.dataset.ready = "true";
