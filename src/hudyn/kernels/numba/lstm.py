"""LSTM (Hochreiter & Schmidhuber 1997; Gers et al. 2000), with or without peepholes (Gers & Schmidhuber 2000)."""

from typing import NamedTuple

from hudyn.kernels.cells import LSTMParameters
from hudyn.kernels.numba.cell import add_up, backward, forward, parameters_of, pick, take
from hudyn.kernels.numba.compile import implements
from hudyn.kernels.numba.functions import sigmoid, tanh
from hudyn.kernels.numba.lanes import multiply_add, spread, where


class Cell(NamedTuple):
    """Sizes of an LSTM, and whether it has peepholes."""

    alphabet_size: int
    hidden_size: int
    peepholes: bool = False


@implements(parameters_of, Cell)
def _parameters_of(cell, vector):
    size, alphabet = cell.hidden_size, cell.alphabet_size
    input_weight, rest = take(vector, 4 * size, alphabet)
    hidden_weight, rest = take(rest, 4 * size, size)
    peepholes, after = take(rest[4 * size :], 3 if cell.peepholes else 0, size)
    output_weight, output_bias = take(after, alphabet, size)
    return LSTMParameters(input_weight, hidden_weight, rest[: 4 * size], peepholes, output_weight, output_bias)


@implements(forward, Cell)
def _forward(cell, time, active, weights, work):
    size, peepholes = cell.hidden_size, weights.peepholes
    hidden, context, squashed, nets, symbols = work.hidden, work.context, work.squashed, work.nets, work.symbols[time]
    gates = work.gates[time]
    for row in range(4 * size):
        net = pick(weights.input_weight[row], symbols) + weights.bias[row]
        for other in range(size):
            net = multiply_add(weights.hidden_weight[row, other], hidden[time, other], net)
        nets[row] = net
    for unit in range(size):
        before = context[time, unit]
        to_input, to_forget, to_output = nets[unit], nets[size + unit], nets[3 * size + unit]
        if cell.peepholes:
            to_input = multiply_add(peepholes[0, unit], before, to_input)
            to_forget = multiply_add(peepholes[1, unit], before, to_forget)
        input_gate, forget_gate = sigmoid(to_input), sigmoid(to_forget)
        candidate = tanh(nets[2 * size + unit])
        now = multiply_add(forget_gate, before, input_gate * candidate)
        if cell.peepholes:
            to_output = multiply_add(peepholes[2, unit], now, to_output)
        output_gate, through = sigmoid(to_output), tanh(now)
        gates[0, unit], gates[1, unit], gates[2, unit], gates[3, unit] = input_gate, forget_gate, candidate, output_gate
        context[time + 1, unit], squashed[time + 1, unit] = where(active, now, before), through
        hidden[time + 1, unit] = where(active, output_gate * through, hidden[time, unit])


@implements(backward, Cell)
def _backward(cell, time, carry, weights, slopes, work):
    size, peepholes, d_peepholes = cell.hidden_size, weights.peepholes, slopes.peepholes
    context, gates, deltas = work.context, work.gates[time], work.nets
    carried, carried_context = carry[0], carry[1]
    for unit in range(size):
        input_gate, forget_gate, candidate, output_gate = gates[0, unit], gates[1, unit], gates[2, unit], gates[3, unit]
        through = work.squashed[time + 1, unit]
        d_hidden = work.d_hidden[time, unit] + carried[unit]
        to_output = d_hidden * through * output_gate * (1.0 - output_gate)
        d_context = d_hidden * output_gate * (1.0 - through * through) + carried_context[unit]
        if cell.peepholes:
            d_context += to_output * peepholes[2, unit]
        to_input = d_context * candidate * input_gate * (1.0 - input_gate)
        to_forget = d_context * context[time, unit] * forget_gate * (1.0 - forget_gate)
        deltas[unit], deltas[size + unit] = to_input, to_forget
        deltas[2 * size + unit] = d_context * input_gate * (1.0 - candidate * candidate)
        deltas[3 * size + unit] = to_output
        carried_context[unit] = d_context * forget_gate
        if cell.peepholes:
            carried_context[unit] += to_input * peepholes[0, unit] + to_forget * peepholes[1, unit]
            d_peepholes[0, unit] += to_input * context[time, unit]
            d_peepholes[1, unit] += to_forget * context[time, unit]
            d_peepholes[2, unit] += to_output * context[time + 1, unit]
        carried[unit] = spread(d_context, 0.0)
    add_up(deltas, time, carried, weights, slopes, work)
