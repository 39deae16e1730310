// The networks of the task characters at work: what they mistake for what, and a pad to draw on.

import { row } from "./arrays.js";
import { cellWords, confusionTable, imagesBehind, percentage, worstCell } from "./confusions.js";
import { IMAGE_SIDE, drawingPad, networkInputs } from "./drawing.js";
import { image, parameters } from "./networks.js";
import { element, readable } from "./plot.js";
import { chosenWeights } from "./weights.js";

const CONVOLUTION_PAUSE = 100; // milliseconds between two runs of a network that takes long
const ACTIVE_UNITS = 12; // of a hidden layer, whose weights are shown
const SIGNED_HUES = [[0, 114, 178], [213, 94, 0]]; // of negative and positive weights
const BEHIND_ZERO = [246, 248, 250]; // of weights that are 0

/** Lets the chosen member work. */
export function showCharacters(root, view, store, data) {
  const { networks, classes: labels, kept } = view;
  const spec = networks.specification;
  const state = { matrix: null, cell: null, inputs: null, network: null, vector: null };
  const opened = element("div", { class: "panel", "aria-live": "polite" });
  const source = element("p", { class: "note" });
  const seen = pixelCanvas();
  const bars = probabilityBars(labels);
  const layer = firstLayer(spec, labels);
  const run = spaced(() => {
    const { probabilities, layers } = state.network.run(state.inputs);
    bars.draw(probabilities);
    layer.draw(state, layers, probabilities);
  }, spec.class === "NetConv" ? CONVOLUTION_PAUSE : 0);
  const pad = drawingPad((values, isDrawn) => {
    state.inputs = networkInputs(values);
    paintGreys(seen, values, 1);
    if (isDrawn) source.textContent = "Your drawing, scaled and centred like the data.";
    run();
  });
  const take = (number, words) => {
    pad.show(row(view.images, number));
    source.textContent = `Test image ${readable(view.places[number])}: ${words}.`;
  };
  const matrix = confusionTable(labels, (cell) => open(cell));
  const open = (cell) => {
    state.cell = cell;
    matrix.draw(state.matrix, cell);
    showImages(opened, view, state, store.get("member"), data, take);
  };
  const heading = element("h3");
  root.append(
    element("div", { class: "columns" },
      element("div", { class: "panel" },
        heading, matrix.root,
        element("p", { class: "note" },
          "Rows are the true classes, columns the network's choices, in numbers of test images. The stronger the colour, the larger " +
          "the share of the row. A cell opens the images behind it; arrow keys go from cell to cell.")),
      element("div", { class: "panel" },
        element("h3", {}, "Draw a character"),
        element("div", { class: "drawn" },
          pad.root,
          element("figure", { class: "seen" }, seen, element("figcaption", {}, "what the network sees"))),
        source, bars.root,
        element("p", { class: "note" }, "With the keyboard: arrow keys move the pen, space lowers or lifts it, Delete clears the pad."))),
    opened,
    layer.root,
  );
  store.watch(["member", "snapshot"], () => {
    const member = store.get("member");
    state.vector = chosenWeights(networks, store);
    state.network = image(spec, state.vector);
    state.matrix = row(view.matrices, member);
    const right = labels.reduce((sum, _, target) => sum + state.matrix[target * labels.length + target], 0);
    const number = state.matrix.reduce((sum, count) => sum + count, 0);
    const seed = data.seeds.length > 1 ? `, seed ${data.seeds[member]}` : "";
    heading.textContent = `Confusion matrix${seed}: ${percentage(right / number, 2)} of ${readable(number)} right`;
    open(state.cell ?? worstCell(state.matrix));
    if (state.inputs) run();
  });
  const [first] = imagesBehind(kept, store.get("member"), state.cell) ?? [];
  if (first) take(first.image, pairWords(labels, state.cell));
  else pad.show(new Uint8Array(IMAGE_SIDE ** 2));
}

/** The classes of a cell: "は ha, taken for す su". */
function pairWords(labels, cell) {
  const [target, choice] = [Math.floor(cell / labels.length), cell % labels.length];
  return target === choice ? `${labels[target]}, recognised` : `${labels[target]}, taken for ${labels[choice]}`;
}

/** Calls `draw` in the next frame, but at most every `pause` milliseconds. */
function spaced(draw, pause) {
  let isWaiting = false;
  let last = -Infinity;
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => requestAnimationFrame(() => {
      isWaiting = false;
      draw();
      last = performance.now();
    }), Math.max(0, last + pause - performance.now()));
  };
}

/** The images behind the opened cell, each a button that puts it on the pad. */
function showImages(opened, view, { matrix, cell }, member, data, take) {
  const { classes: labels, kept } = view;
  const images = imagesBehind(kept, member, cell);
  const pair = pairWords(labels, cell);
  const head = element("h3", {}, `${cellWords(matrix, labels, cell)}.`);
  if (!images) {
    const seeds = kept.map((own) => data.seeds[own.member]).join(", ");
    opened.replaceChildren(head, element("p", { class: "note" }, `The page keeps images for seed ${seeds} only.`));
    return;
  }
  const which = images.length < matrix[cell] ? `The ${images.length} most confident` : images.length === 1 ? "The only one" : images.length ? `All ${images.length}` : "There are none";
  opened.replaceChildren(
    head,
    element("p", { class: "note" }, images.length ? `${which}, with the probability of ${labels[cell % labels.length]}. Choose one to put it on the pad.` : `${which}.`),
    element("div", { class: "thumbs" }, images.map(({ image: number, confidence }) => {
      const picture = pixelCanvas();
      paintGreys(picture, row(view.images, number), 255);
      const words = `Put test image ${view.places[number]} on the pad: ${pair} with ${percentage(confidence)}`;
      return element("button", { type: "button", class: "thumb", "aria-label": words, title: words, onclick: () => take(number, `${pair} with ${percentage(confidence)}`) },
        picture, percentage(confidence));
    })),
  );
}

/** The classes' probabilities as bars. */
function probabilityBars(labels) {
  const likeliest = element("p", { class: "score", role: "status" });
  const rows = labels.map((label) => {
    const bar = element("i");
    const value = element("td");
    return { bar, value, root: element("tr", {}, element("th", { scope: "row" }, label), element("td", { class: "bar" }, bar), value) };
  });
  return {
    root: element("div", {}, likeliest, element("table", { class: "bars", "aria-label": "Probabilities of the classes" }, element("tbody", {}, rows.map((one) => one.root)))),
    draw(probabilities) {
      const best = probabilities.indexOf(Math.max(...probabilities));
      likeliest.textContent = `${labels[best]}, ${percentage(probabilities[best])}`;
      rows.forEach(({ bar, value, root }, place) => {
        bar.style.width = `${(100 * probabilities[place]).toFixed(1)}%`;
        value.textContent = percentage(probabilities[place]);
        root.className = place === best ? "best" : "";
      });
    },
  };
}

// The first layer -------------------------------------------------------------------------------------------------

/** What the first layer makes of the drawing; `draw(state, layers, probabilities)` shows that of another one. */
function firstLayer(spec, labels) {
  return { NetLin: classWeights, NetFull: activeUnits, NetConv: convolutionMaps }[spec.class](spec, labels);
}

/** NetLin: the weights of each class, and their products with the drawing, which add up to the class's net input. */
function classWeights(spec, labels) {
  const tiles = labels.map((label) => tile([`Weights of ${label}`, `Products of the weights of ${label} with the drawing`]));
  return {
    root: tilePanel("The first layer: weights of each class (above), and their products with the drawing (below)",
      "Orange is positive, blue negative. The products and the bias add up to the net input of the class; the largest net input wins.", tiles),
    draw({ vector, inputs }) {
      const p = parameters(spec, vector);
      const weights = labels.map((_, place) => weightImage(p["output.weight"], place));
      const products = weights.map((values) => values.map((value, pixel) => value * inputs[pixel]));
      const [largest, most] = [weights, products].map(largestOf);
      tiles.forEach(({ pictures, caption }, place) => {
        paintSigned(pictures[0], weights[place], largest);
        paintSigned(pictures[1], products[place], most);
        const net = products[place].reduce((sum, value) => sum + value, p["output.bias"].values[place]);
        caption.textContent = `${labels[place]}: ${net.toFixed(1).replace("-", "−")}`;
      });
    },
  };
}

/** NetFull: the weights of the hidden units that the drawing drives furthest from 0. */
function activeUnits(spec) {
  const { shape: [units] } = spec.layout.find((part) => part.name === "hidden.bias");
  const tiles = Array.from({ length: Math.min(ACTIVE_UNITS, units) }, () => tile(["Weights of a hidden unit"]));
  return {
    root: tilePanel("The first layer: weights of the hidden units that are most active",
      "Orange is positive, blue negative. Below each unit is its activation, which is between −1 and 1.", tiles),
    draw({ vector }, [{ values }]) {
      const p = parameters(spec, vector);
      const order = Array.from(values.keys()).sort((one, other) => Math.abs(values[other]) - Math.abs(values[one]));
      const weights = tiles.map((_, place) => weightImage(p["hidden.weight"], order[place]));
      const largest = largestOf(weights);
      tiles.forEach(({ pictures, caption }, place) => {
        paintSigned(pictures[0], weights[place], largest);
        pictures[0].setAttribute("aria-label", `Weights of hidden unit ${order[place] + 1}`);
        caption.textContent = `unit ${order[place] + 1}: ${values[order[place]].toFixed(2).replace("-", "−")}`;
      });
    },
  };
}

/** NetConv: the maps of the first convolution. */
function convolutionMaps(spec) {
  const { shape: [channels] } = spec.layout.find((part) => part.name === "convolutions.0.bias");
  const tiles = Array.from({ length: channels }, (_, map) => tile([`Map ${map + 1} of the first convolution`]));
  return {
    root: tilePanel("The first layer: maps of the first convolution", "White is the largest activation of all maps, black is 0.", tiles),
    draw(_, [{ values }]) {
      const largest = values.reduce((most, value) => Math.max(most, value), 0);
      tiles.forEach(({ pictures, caption }, map) => {
        paintGreys(pictures[0], values.subarray(map * IMAGE_SIDE ** 2, (map + 1) * IMAGE_SIDE ** 2), largest);
        caption.textContent = map + 1;
      });
    },
  };
}

function tile(labels) {
  const pictures = labels.map(pixelCanvas);
  const caption = element("figcaption");
  return { root: element("figure", {}, pictures, caption), pictures, caption };
}

function tilePanel(title, words, tiles) {
  return element("div", { class: "panel" }, element("h3", {}, title), element("p", { class: "note" }, words),
    element("div", { class: "tiles" }, tiles.map((one) => one.root)));
}

const weightImage = ({ values }, unit) => values.subarray(unit * IMAGE_SIDE ** 2, (unit + 1) * IMAGE_SIDE ** 2);

function largestOf(images) {
  let largest = 0;
  for (const values of images) for (const value of values) largest = Math.max(largest, Math.abs(value));
  return largest;
}

/** A canvas of 28 × 28 pixels. */
function pixelCanvas(label) {
  return element("canvas", { class: "pixels", width: IMAGE_SIDE, height: IMAGE_SIDE, role: label ? "img" : "presentation", "aria-label": label ?? null });
}

function paintPixels(node, colour) {
  const context = node.getContext("2d");
  const picture = context.createImageData(IMAGE_SIDE, IMAGE_SIDE);
  for (let place = 0; place < IMAGE_SIDE ** 2; place++) picture.data.set([...colour(place), 255], 4 * place);
  context.putImageData(picture, 0, 0);
}

/** Values from 0, black, to the largest, white. */
function paintGreys(node, values, largest) {
  paintPixels(node, (place) => new Array(3).fill((255 * values[place]) / (largest || 1)));
}

/** Values from blue, negative, through white to orange, positive. */
function paintSigned(node, values, largest) {
  paintPixels(node, (place) => {
    const share = Math.abs(values[place]) / (largest || 1);
    return SIGNED_HUES[Number(values[place] > 0)].map((part, channel) => share * part + (1 - share) * BEHIND_ZERO[channel]);
  });
}
