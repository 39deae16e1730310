// The networks of hudyn.networks in double precision: what torch computes from the same weights.
//
// A specification, as hudyn.page.networks writes it, is {class, settings, layout: [{name, shape}]}; `vector` holds the
// parameters in the order of the layout.

/** Parameters by name, as {values, shape}. */
export function parameters(spec, vector) {
  const named = {};
  let place = 0;
  for (const { name, shape } of spec.layout) {
    const size = shape.reduce((product, length) => product * length, 1);
    named[name] = { values: vector.subarray(place, place + size), shape };
    place += size;
  }
  return named;
}

export const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const relu = (x) => Math.max(0, x);
const step = (x) => (x >= 0 ? 1 : 0);
export const ACTIVATIONS = { sigmoid, step, tanh: Math.tanh, relu };

/** Probabilities from logits. */
export function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** W x + b for a matrix [outputs, inputs]. */
export function affine(weight, bias, inputs) {
  const [outputs, size] = weight.shape;
  const result = new Float64Array(outputs);
  for (let i = 0; i < outputs; i++) {
    let sum = bias ? bias.values[i] : 0;
    for (let j = 0; j < size; j++) sum += weight.values[i * size + j] * inputs[j];
    result[i] = sum;
  }
  return result;
}

// Recurrent networks -----------------------------------------------------------------------------------------------

/**
 * A recurrent network.
 *
 * `initial()` is the state before the first symbol: {hidden, context}, context null where there is none.
 * `step(state, symbol)` returns {hidden, context, gates}, gates by name. `logits(hidden)` are those of the next symbol.
 */
export function recurrent(spec, vector) {
  const p = parameters(spec, vector);
  const size = p.hidden_weight.shape[1];
  const cell = CELLS[spec.class](p, spec.settings, size);
  const netInputs = (symbol, hidden) => {
    const [blocks, symbols] = p.input_weight.shape;
    const result = affine(p.hidden_weight, null, hidden);
    for (let i = 0; i < blocks; i++) result[i] += p.input_weight.values[i * symbols + symbol] + p.bias.values[i];
    return result;
  };
  return {
    size,
    alphabetSize: p.input_weight.shape[1],
    hasContext: spec.class === "LSTM",
    gates: cell.gates,
    initial: cell.initial,
    step: (state, symbol) => cell.step(state, netInputs(symbol, state.hidden), p, symbol),
    logits: (hidden) => affine(p["output.weight"], p["output.bias"], hidden),
    /** States after each symbol of a text, from `state` on. */
    run(symbols, state = cell.initial()) {
      return symbols.map((symbol) => (state = this.step(state, symbol)));
    },
  };
}

const CELLS = {
  SRN(p, settings, size) {
    const activation = ACTIVATIONS[settings.activation];
    return {
      gates: [],
      initial: () => ({ hidden: Float64Array.from(p.initial_hidden.values, activation), context: null, gates: {} }),
      step: (state, net) => ({ hidden: net.map(activation), context: null, gates: {} }),
    };
  },
  LSTM(p, settings, size) {
    return {
      gates: ["input", "forget", "candidate", "output"],
      initial: () => ({ hidden: new Float64Array(size), context: new Float64Array(size), gates: {} }),
      step(state, net) {
        const gates = Object.fromEntries(this.gates.map((name) => [name, new Float64Array(size)]));
        const hidden = new Float64Array(size);
        const context = new Float64Array(size);
        const peephole = (gate, unit, value) => (p.peepholes ? p.peepholes.values[gate * size + unit] * value : 0);
        for (let unit = 0; unit < size; unit++) {
          const before = state.context[unit];
          gates.input[unit] = sigmoid(net[unit] + peephole(0, unit, before));
          gates.forget[unit] = sigmoid(net[size + unit] + peephole(1, unit, before));
          gates.candidate[unit] = Math.tanh(net[2 * size + unit]);
          context[unit] = gates.forget[unit] * before + gates.input[unit] * gates.candidate[unit];
          gates.output[unit] = sigmoid(net[3 * size + unit] + peephole(2, unit, context[unit]));
          hidden[unit] = gates.output[unit] * Math.tanh(context[unit]);
        }
        return { hidden, context, gates };
      },
    };
  },
  GRU(p, settings, size) {
    return {
      gates: ["reset", "update", "candidate"],
      initial: () => ({ hidden: new Float64Array(size), context: null, gates: {} }),
      step(state, net, _, symbol) {
        const gates = Object.fromEntries(this.gates.map((name) => [name, new Float64Array(size)]));
        const hidden = new Float64Array(size);
        const symbols = p.input_weight.shape[1];
        for (let unit = 0; unit < size; unit++) {
          const place = 2 * size + unit;
          const fromInput = p.input_weight.values[place * symbols + symbol] + p.bias.values[place];
          const fromHidden = net[place] - fromInput + p.candidate_bias.values[unit];
          gates.reset[unit] = sigmoid(net[unit]);
          gates.update[unit] = sigmoid(net[size + unit]);
          gates.candidate[unit] = Math.tanh(fromInput + gates.reset[unit] * fromHidden);
          hidden[unit] = (1 - gates.update[unit]) * gates.candidate[unit] + gates.update[unit] * state.hidden[unit];
        }
        return { hidden, context: null, gates };
      },
    };
  },
};

// Two-layer perceptrons over the plane -----------------------------------------------------------------------------

/** A GridMLP: `units(x, y)` are the activations of the hidden units, `output(x, y)` is the output's. */
export function grid(spec, vector) {
  const p = parameters(spec, vector);
  const activation = ACTIVATIONS[spec.settings.activation];
  const units = (x, y) => affine(p["hidden.weight"], p["hidden.bias"], [x, y]).map(activation);
  const output = spec.settings.activation === "step" ? step : sigmoid;
  return {
    size: p["hidden.bias"].shape[0],
    units,
    output: (x, y) => output(affine(p["output.weight"], p["output.bias"], units(x, y))[0]),
    logOdds: (x, y) => affine(p["output.weight"], p["output.bias"], units(x, y))[0],
  };
}

// Networks for images ----------------------------------------------------------------------------------------------

/**
 * NetLin, NetFull or NetConv: `run(pixels)` of an image with pixels in -1..1, [28 · 28], returns
 * {probabilities, layers: [{name, values, shape}]}: the activations of each hidden layer.
 */
export function image(spec, vector) {
  const p = parameters(spec, vector);
  const readout = (inputs) => softmax(affine(p["output.weight"], p["output.bias"], inputs));
  const makers = {
    NetLin: () => (pixels) => ({ probabilities: readout(pixels), layers: [] }),
    NetFull: () => (pixels) => {
      const hidden = affine(p["hidden.weight"], p["hidden.bias"], pixels).map(Math.tanh);
      return { probabilities: readout(hidden), layers: [{ name: "hidden", values: hidden, shape: [hidden.length] }] };
    },
    NetConv: () => (pixels) => {
      const layers = [];
      let maps = { values: pixels, shape: [1, 28, 28] };
      for (let number = 0; p[`convolutions.${number}.weight`]; number++) {
        maps = convolved(p[`convolutions.${number}.weight`], p[`convolutions.${number}.bias`], maps);
        layers.push({ name: `convolution ${number + 1}`, ...maps });
      }
      return { probabilities: readout(maps.values), layers };
    },
  };
  return { run: makers[spec.class]() };
}

/** A convolution that keeps the image's size, then relu. */
function convolved(weight, bias, { values, shape: [channels, height, width] }) {
  const [outputs, , side] = weight.shape;
  const edge = (side - 1) / 2;
  const result = new Float64Array(outputs * height * width);
  for (let output = 0; output < outputs; output++) {
    const start = output * height * width;
    result.fill(bias.values[output], start, start + height * width);
    for (let channel = 0; channel < channels; channel++) {
      for (let i = 0; i < side; i++) {
        for (let j = 0; j < side; j++) {
          const factor = weight.values[((output * channels + channel) * side + i) * side + j];
          const [down, right] = [i - edge, j - edge];
          const first = Math.max(0, -right);
          const last = Math.min(width, width - right);
          for (let y = Math.max(0, -down); y < Math.min(height, height - down); y++) {
            const to = start + y * width;
            const from = (channel * height + y + down) * width + right;
            for (let x = first; x < last; x++) result[to + x] += factor * values[from + x];
          }
        }
      }
    }
    for (let place = start; place < start + height * width; place++) result[place] = relu(result[place]);
  }
  return { values: result, shape: [outputs, height, width] };
}
