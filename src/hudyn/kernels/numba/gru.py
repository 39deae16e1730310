"""GRU (Cho et al. 2014), in the variant of `torch.nn.GRU`."""

from typing import NamedTuple

from hudyn.kernels.cells import GRUParameters
from hudyn.kernels.numba.cell import backward, forward, parameters_of, pick, take
from hudyn.kernels.numba.compile import implements
from hudyn.kernels.numba.functions import sigmoid, tanh
from hudyn.kernels.numba.lanes import multiply_add, where


class Cell(NamedTuple):
    """Sizes of a GRU."""

    alphabet_size: int
    hidden_size: int


@implements(parameters_of, Cell)
def _parameters_of(cell, vector):
    size, alphabet = cell.hidden_size, cell.alphabet_size
    input_weight, rest = take(vector, 3 * size, alphabet)
    hidden_weight, rest = take(rest, 3 * size, size)
    bias, candidate_bias = rest[: 3 * size], rest[3 * size : 4 * size]
    output_weight, output_bias = take(rest[4 * size :], alphabet, size)
    return GRUParameters(input_weight, hidden_weight, bias, candidate_bias, output_weight, output_bias)


@implements(forward, Cell)
def _forward(cell, time, active, weights, work):
    size, w, u, bias = cell.hidden_size, weights.input_weight, weights.hidden_weight, weights.bias
    hidden, gates, from_hidden, symbols = work.hidden, work.gates[time], work.nets, work.symbols[time]
    for row in range(3 * size):
        net = u[row, 0] * hidden[time, 0]
        for other in range(1, size):
            net = multiply_add(u[row, other], hidden[time, other], net)
        from_hidden[row] = net
    for unit in range(size):
        last = 2 * size + unit
        reset = sigmoid(from_hidden[unit] + pick(w[unit], symbols) + bias[unit])
        update = sigmoid(from_hidden[size + unit] + pick(w[size + unit], symbols) + bias[size + unit])
        recurrent = from_hidden[last] + weights.candidate_bias[unit]
        candidate = tanh(multiply_add(reset, recurrent, pick(w[last], symbols) + bias[last]))
        gates[0, unit], gates[1, unit], gates[2, unit], gates[3, unit] = reset, update, candidate, recurrent
        now = multiply_add(update, hidden[time, unit], (1.0 - update) * candidate)
        hidden[time + 1, unit] = where(active, now, hidden[time, unit])


@implements(backward, Cell)
def _backward(cell, time, carry, weights, slopes, work):
    size, hidden, gates, deltas, carried = cell.hidden_size, work.hidden, work.gates[time], work.nets, carry[0]
    u, d_w, d_u, d_bias = weights.hidden_weight, slopes.input_weight, slopes.hidden_weight, slopes.bias
    symbols = work.symbols[time]
    for unit in range(size):
        reset, update, candidate, recurrent = gates[0, unit], gates[1, unit], gates[2, unit], gates[3, unit]
        d_hidden = work.d_hidden[time, unit] + carried[unit]
        to_candidate = d_hidden * (1.0 - update) * (1.0 - candidate * candidate)
        deltas[unit] = to_candidate * recurrent * reset * (1.0 - reset)
        deltas[size + unit] = d_hidden * (hidden[time, unit] - candidate) * update * (1.0 - update)
        deltas[2 * size + unit] = to_candidate
        deltas[3 * size + unit] = to_candidate * reset  # by the candidate's part from the hidden state
        slopes.candidate_bias[unit] += to_candidate * reset
        carried[unit] = d_hidden * update
    for row in range(3 * size):
        d_bias[row] += deltas[row]
        for symbol in range(d_w.shape[1]):
            d_w[row, symbol] += where(symbols == symbol, deltas[row], 0.0)
        delta = deltas[row] if row < 2 * size else deltas[row + size]
        for other in range(size):
            d_u[row, other] = multiply_add(delta, hidden[time, other], d_u[row, other])
            carried[other] = multiply_add(delta, u[row, other], carried[other])
