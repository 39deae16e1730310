// Runs networks.js for a test in Python: reads [{specification, vector, symbols | points | images}] as JSON, prints what
// each network computes.

import { grid, image, recurrent } from "../../src/hudyn/page/assets/networks.js";

const RUNS = {
  symbols(spec, vector, symbols) {
    const network = recurrent(spec, vector);
    return network.run(symbols).map(({ hidden, context, gates }) => ({
      hidden: [...hidden],
      context: context && [...context],
      gates: network.gates.map((name) => [...gates[name]]),
      logits: [...network.logits(hidden)],
    }));
  },
  points(spec, vector, points) {
    const network = grid(spec, vector);
    return points.map(([x, y]) => ({ units: [...network.units(x, y)], output: network.output(x, y), logOdds: network.logOdds(x, y) }));
  },
  images(spec, vector, images) {
    const network = image(spec, vector);
    return images.map((pixels) => [...network.run(pixels).probabilities]);
  },
};

let text = "";
for await (const part of process.stdin) text += part;
const results = JSON.parse(text).map(({ specification, vector, ...inputs }) => {
  const [[kind, values]] = Object.entries(inputs);
  return RUNS[kind](specification, Float64Array.from(vector), values);
});
process.stdout.write(JSON.stringify(results));
