// The networks of the task sequences at work: they read a text, symbol by symbol, and every drawing follows.

import { automatonDrawing } from "./automaton.js";
import { legendItem, symbolColour } from "./marks.js";
import { recurrent, softmax } from "./networks.js";
import { button, element, oncePerFrame, slider } from "./plot.js";
import { phasePortrait } from "./portrait.js";
import { allowedIn, either, encoded, likeliest, litStates, walked, withPowers, wordOf } from "./reading.js";
import { stateSpace } from "./space.js";
import { groupsOf, unitMap } from "./units.js";
import { chosenWeights } from "./weights.js";

const READING_PACE = 420; // milliseconds a symbol as the text plays
const LONGEST_TEXT = 600;
const STATE_PARTS = ["hidden", "context", "both"];

/** Lets the chosen member read texts. */
export function showSequences(root, view, store) {
  const { networks, alphabet, counting, joined, states: known } = view;
  const { specification } = networks;
  const bounded = specification.settings.activation !== "relu";
  const reference = encoded(view.text, alphabet).symbols;
  const first = counting ? repeated(counting, counting.max_n, joined) : reference;
  const scene = { alphabet, bounded, symbols: first, position: 0, from: 0, start: null, part: "hidden" };
  let chosenMap = null; // null for that of the next symbol

  const sample = recurrent(specification, chosenWeights(networks, store));
  const isPlane = sample.size === 2 && !sample.hasContext;
  const isOwnSpace = sample.size <= 3 && sample.size > 1 && !sample.hasContext;
  const tell = (items) => legend.replaceChildren(...symbolItems(), ...items);
  const drawing = isPlane ? phasePortrait((hidden) => { scene.start = hidden; read(); }, tell) : stateSpace(tell);
  const maps = groupsOf(sample, bounded).map((group) => unitMap(group, (position) => go(position)));
  const automaton = view.automaton ? automatonDrawing(view.automaton, alphabet) : null;
  const tape = tapeOf(alphabet, (position) => go(position));
  const predictions = predictionTable(alphabet);

  // Controls of the text

  const problem = element("p", { class: "note warn", role: "status" });
  const text = element("input", {
    type: "text", class: "text", value: spelled(first), "aria-label": "Text to read", maxlength: LONGEST_TEXT, autocomplete: "off",
    autocapitalize: "off", spellcheck: "false", size: 28,
    oninput: () => {
      const { text: kept, symbols, others } = encoded(text.value, alphabet);
      problem.textContent = others.length
        ? `${others.join(" ")} ${others.length > 1 ? "are" : "is"} not in the alphabet, which is ${alphabet.join(", ")}.`
        : "";
      if (kept !== text.value) text.value = kept;
      write(symbols);
    },
  });
  const write = (symbols) => {
    pause();
    scene.symbols = symbols;
    scene.position = scene.from = Math.min(scene.position, symbols.length);
    read();
  };
  const words = counting ? slider({
    label: "n", min: 1, max: counting.longest ?? 3 * counting.max_n, value: counting.max_n,
    show: (n) => `${n}${n > counting.max_n ? " (longer than in training)" : ""}`,
    change: (n) => {
      const symbols = repeated(counting, n, joined);
      text.value = spelled(symbols);
      problem.textContent = "";
      write(symbols);
    },
  }) : null;

  let timer = null;
  const pause = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    status.setAttribute("aria-live", "polite");
  };
  const play = button("Play", () => {
    if (timer) return pause();
    if (scene.position >= scene.symbols.length) go(0);
    play.textContent = "Pause";
    status.setAttribute("aria-live", "off");
    timer = setInterval(() => {
      if (scene.position < scene.symbols.length) move(scene.position + 1);
      if (scene.position >= scene.symbols.length) pause();
    }, READING_PACE);
  }, "Play or pause");
  const back = button("Back", () => go(scene.position - 1), "One symbol back");
  const step = button("Step", () => go(scene.position + 1), "Read one symbol");
  const reset = button("Reset", () => go(0), "Before the first symbol");

  function spelled(symbols) {
    return symbols.map((symbol) => alphabet[symbol]).join("");
  }
  const go = (position) => {
    pause();
    move(position);
  };
  const move = (position) => {
    const to = Math.max(0, Math.min(scene.symbols.length, position));
    if (to === scene.position) return;
    scene.from = Math.abs(to - scene.position) === 1 ? scene.position : to;
    scene.position = to;
    follow();
    drawing.glide();
  };

  // Controls of the drawing of the state

  const ofMap = element(
    "select",
    { "aria-label": "Map of", onchange: () => { chosenMap = ofMap.value === "" ? null : Number(ofMap.value); follow(); } },
    element("option", { value: "" }, "the next symbol"),
    alphabet.map((symbol, place) => element("option", { value: place }, symbol)),
  );
  const part = element(
    "select",
    { "aria-label": "Units", onchange: () => { scene.part = part.value; follow(); } },
    STATE_PARTS.map((name) => element("option", { value: name }, name === "both" ? "hidden and context units" : `${name} units`)),
  );
  const resetStart = button("Reset start", () => { scene.start = null; read(); }, "Start where the network starts");
  const legend = element("ul", { class: "legend" });
  const mapNote = element("p", { class: "note" });

  // Reading

  /** Runs the network over the text: after a change of its weights, the text or the start. */
  const read = () => {
    const { network } = scene;
    const own = network.initial();
    scene.visited = [own, ...network.run(reference, own), ...network.run(scene.symbols, own)];
    const start = scene.start ? { hidden: Float64Array.from(scene.start), context: null, gates: {} } : own;
    scene.states = [start, ...network.run(scene.symbols, start)];
    scene.choices = scene.states.map((state) => likeliest(network.logits(state.hidden)));
    scene.walk = known ? walked(known.targets, scene.symbols) : null;
    scene.lit = known && automaton ? litStates(view.automaton.targets, scene.symbols, scene.walk, joined) : null;
    const allowed = scene.walk?.map((state, place) =>
      state === null ? null : allowedIn(known.targets, state).includes(scene.choices[place]));
    tape.write(scene.symbols, allowed);
    redraw();
    follow();
  };
  const renew = () => {
    scene.network = recurrent(specification, chosenWeights(networks, store));
    read();
  };
  const redraw = oncePerFrame(() => maps.forEach((map) => map.draw({ ...scene })));

  /** Moves every drawing to the current position. */
  const follow = oncePerFrame(() => {
    const { position, symbols, network } = scene;
    scene.map = chosenMap ?? symbols[Math.min(position, symbols.length - 1)] ?? 0;
    drawing.draw({ ...scene });
    mapNote.textContent = isOwnSpace ? `${isPlane ? "Arrows and fixed" : "Fixed"} points: the map of ${alphabet[scene.map]}.` : "";
    maps.forEach((map) => map.mark({ ...scene }));
    tape.mark(position);
    const state = scene.walk?.[position] ?? null;
    const predicted = softmax(network.logits(scene.states[position].hidden));
    const size = alphabet.length;
    predictions.draw(predicted, state === null ? null : known.probabilities.subarray(state * size, (state + 1) * size));
    status.replaceChildren(...verdict(state));
    automaton?.light(scene.lit?.[position] ?? null, position ? scene.lit?.[position - 1] ?? null : null);
    if (automaton) automatonNote.textContent = scene.lit?.[position] == null ? nothingLit() : "";
    back.disabled = reset.disabled = position === 0;
    step.disabled = position === symbols.length;
  });
  const symbolItems = () => alphabet.map((symbol, place) => legendItem(symbolColour(place), isPlane ? symbol : `after ${symbol}`));

  const status = element("div", { class: "verdict", "aria-live": "polite" });
  const verdict = (state) => {
    const { position, symbols, choices, walk } = scene;
    const finite = scene.states[position].hidden.every(Number.isFinite);
    if (!finite) return [element("p", { class: "warn" }, "The state is not finite: the training of this network diverged.")];
    const chosen = alphabet[choices[position]];
    const shown = symbols.slice(Math.max(0, position - 24), position);
    const read = position ? `After ${position > 24 ? "…" : ""}${withPowers(shown, alphabet)}` : "Before the first symbol";
    const lines = [];
    if (!walk) lines.push(`${read}, the network predicts ${chosen}. The page does not know this language's probabilities.`);
    else if (state === null) lines.push(`${read}, the network predicts ${chosen}.`);
    else {
      const allowed = allowedIn(known.targets, state);
      const names = either(allowed.map((symbol) => alphabet[symbol]));
      const right = allowed.includes(choices[position]);
      lines.push([
        element("b", { class: right ? "good" : "warn" }, right ? "✓ " : "✗ "),
        right ? `${read}, the network predicts ${chosen}, which may follow` : `${read}, the network predicts ${chosen}, which may not follow`,
        allowed.length === 1 && right ? ", and nothing else may." : right ? "." : `: only ${names} may.`,
      ]);
      if (!position) lines.push("Networks are not trained to predict the first symbol.");
    }
    const left = walk ? walk.indexOf(null) : -1;
    if (left > 0) {
      const allowed = either(allowedIn(known.targets, walk[left - 1]).map((symbol) => alphabet[symbol]));
      lines.push(`The text leaves the language at symbol ${left}, ${alphabet[symbols[left - 1]]}: only ${allowed} may stand there.`);
    }
    const unseen = walk && counting ? symbols.findIndex((symbol, place) => walk[place + 1] !== null && known.probabilities[walk[place] * alphabet.length + symbol] === 0) : -1;
    if (unseen >= 0) lines.push(`No word in training has n above ${counting.max_n}; from symbol ${unseen + 1} on, the network reads what it has never seen.`);
    return lines.map((line, place) => element("p", { class: place ? "note" : null }, line));
  };
  const nothingLit = () => {
    const { position, walk } = scene;
    if (walk[position] === null) return "No state is lit, since the text has left the language.";
    return counting && walk[position] !== 0 ? `No state is lit: the automaton is that of words with n up to ${counting.max_n}.` : "No state is lit: training shows one word at a time, and this one has ended.";
  };
  const automatonNote = element("p", { class: "note" });

  // The page's part

  const stateTitle = isPlane ? "Phase portrait" : sample.size > 3 || sample.size === 1 || sample.hasContext ? "The state" : "The space of the hidden units";
  const hint = isPlane
    ? "Areas have the colour of the symbol predicted there, dots that of the symbol just read. Arrows show where the map takes each state; longer moves stand out more. Drag the star to start elsewhere, or focus the drawing and press the arrow keys."
    : "Each dot is a state that the text leads to. Drag to turn, or focus the drawing and press the arrow keys.";
  const machine = [
    element("h3", {}, "The language's automaton"),
    ...(automaton
      ? [automaton.node, automatonNote]
      : [element("p", { class: "note" }, "Not drawn: the language has no automaton, or one with too many states to read.")]),
  ];
  const turnsSomewhere = sample.size > 2 || (sample.hasContext && sample.size > 1);
  root.append(
    element("div", { class: "controls" }, element("label", { class: "typing" }, "text ", text), words,
      element("div", { class: "controls" }, back, play, step, reset)),
    problem,
    tape.node,
    element("div", { class: "columns" },
      element("div", { class: "panel" }, element("h3", {}, stateTitle),
        element("div", { class: "controls" },
          isOwnSpace ? element("label", {}, "map of ", ofMap) : null,
          sample.hasContext ? element("label", {}, "shown ", part) : null,
          isPlane ? resetStart : null),
        drawing.node, legend, isOwnSpace ? mapNote : null, isPlane || turnsSomewhere ? element("p", { class: "note" }, hint) : null),
      element("div", { class: "panel" }, element("h3", {}, "The next symbol"), status, predictions.node,
        known ? null : element("p", { class: "note" }, "The true probabilities are not shown: the language has no automaton, or one too large for a page."),
        automaton?.isWide ? null : machine)),
    ...(automaton?.isWide ? [element("div", { class: "panel" }, machine)] : []),
    element("h3", {}, sample.gates.length ? "Units and gates over the text" : "Units over the text"),
    element("div", { class: "columns" }, maps.map((map) => map.node)),
  );
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
    const act = { ArrowRight: () => go(scene.position + 1), ArrowLeft: () => go(scene.position - 1), Home: () => go(0), End: () => go(scene.symbols.length) }[event.key];
    if (act) act();
    else if (event.key === " " && !event.target.matches("button, summary, a")) play.click();
    else return;
    event.preventDefault();
  });
  store.watch(["member"], () => {
    scene.start = null;
  });
  store.watch(["member", "snapshot"], renew);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { redraw(); follow(); });
}

/** The word of n, twice where words follow one another, and the first symbol of the next. */
function repeated({ ratios }, n, joined) {
  const word = wordOf(ratios, n);
  return joined ? [...word, ...word, 0] : word;
}

/** The symbols of the text in a row, the current one marked: {node, write(symbols, allowed), mark(position)}. */
function tapeOf(alphabet, go) {
  let cells = [];
  let symbols = [];
  const row = element("div", { class: "tape-row" });
  const node = element("div", { class: "tape", role: "slider", tabindex: 0, "aria-label": "Symbols read", "aria-valuemin": 0 }, row);
  row.addEventListener("click", (event) => {
    const place = cells.indexOf(event.target.closest("span.cell"));
    if (place >= 0) go(place + 1);
  });
  return {
    node: element("div", {}, node,
      element("p", { class: "note" }, "Under each symbol: whether the symbol that is predicted to follow it is legal (✓) or not (✗). ",
        "Keys: ← and → step, Home goes to the start, Space plays.")),
    write(given, allowed) {
      symbols = given;
      cells = given.map((symbol, place) => {
        const right = allowed?.[place + 1] ?? null;
        return element("span", { class: "cell" }, alphabet[symbol],
          element("i", { class: right === null ? null : right ? "good" : "warn" }, right === null ? "·" : right ? "✓" : "✗"));
      });
      row.replaceChildren(...cells);
      if (!cells.length) row.append(element("span", { class: "note" }, "Type a text above."));
      node.setAttribute("aria-valuemax", cells.length);
    },
    mark(position) {
      cells.forEach((cell, place) => {
        cell.classList.toggle("read", place < position);
        cell.classList.toggle("now", place === position - 1);
      });
      node.setAttribute("aria-valuenow", position);
      node.setAttribute("aria-valuetext", position ? `${alphabet[symbols[position - 1]]}, symbol ${position} of ${cells.length}` : "before the first symbol");
      const now = cells[position - 1];
      const left = now ? now.offsetLeft - node.offsetLeft : 0;
      if (left < node.scrollLeft + 30 || left > node.scrollLeft + node.clientWidth - 60) node.scrollLeft = left - node.clientWidth / 3;
    },
  };
}

/** Predicted beside true probabilities: {node, draw(predicted, true)}, true null where they are not known. */
function predictionTable(alphabet) {
  const cell = (kind) => {
    const bar = element("i", { class: `bar ${kind}` });
    const number = element("span", {}, "");
    return { node: element("td", {}, element("div", { class: "share" }, element("span", {}, bar), number)), bar, number };
  };
  const rows = alphabet.map((symbol) => {
    const [predicted, real] = [cell("predicted"), cell("true")];
    return { predicted, real, node: element("tr", {}, element("th", { scope: "row" }, symbol), predicted.node, real.node) };
  });
  const set = ({ bar, number }, value) => {
    bar.style.width = `${100 * (value ?? 0)}%`;
    number.textContent = value === null || Number.isNaN(value) ? "–" : value.toFixed(2);
  };
  return {
    node: element("table", { class: "shares" },
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "symbol"), element("th", { scope: "col" }, "predicted"), element("th", { scope: "col" }, "true"))),
      element("tbody", {}, rows.map((row) => row.node))),
    draw(predicted, real) {
      rows.forEach((row, symbol) => {
        set(row.predicted, predicted[symbol]);
        set(row.real, real ? real[symbol] : null);
      });
    },
  };
}
