"""GRU (Cho et al. 2014), in the variant of `torch.nn.GRU`."""

from typing import NamedTuple

from hudyn.kernels.cells import GRUParameters
from hudyn.kernels.numba.cell import ONE, ZERO, backward, forward, parameters_of, sigmoid, take, tanh
from hudyn.kernels.numba.compile import implements


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
def _forward(cell, text, length, weights, work):
    size, w, u, bias = cell.hidden_size, weights.input_weight, weights.hidden_weight, weights.bias
    hidden, gates, from_hidden = work.hidden, work.gates, work.nets
    for time in range(length):
        for row in range(3 * size):
            net = ZERO * bias[row]
            for other in range(size):
                net += u[row, other] * hidden[time, other]
            from_hidden[row] = net
        for unit in range(size):
            last = 2 * size + unit
            reset = sigmoid(from_hidden[unit] + w[unit, text[time]] + bias[unit])
            update = sigmoid(from_hidden[size + unit] + w[size + unit, text[time]] + bias[size + unit])
            recurrent = from_hidden[last] + weights.candidate_bias[unit]
            candidate = tanh(w[last, text[time]] + bias[last] + reset * recurrent)
            gates[time, 0, unit], gates[time, 1, unit] = reset, update
            gates[time, 2, unit], gates[time, 3, unit] = candidate, recurrent
            hidden[time + 1, unit] = (ONE - update) * candidate + update * hidden[time, unit]


@implements(backward, Cell)
def _backward(cell, text, length, carry, weights, slopes, work):
    size, hidden, gates, deltas, carried = cell.hidden_size, work.hidden, work.gates, work.nets, carry[0]
    u, d_w, d_u, d_bias = weights.hidden_weight, slopes.input_weight, slopes.hidden_weight, slopes.bias
    for time in range(length - 1, -1, -1):
        for unit in range(size):
            reset, update = gates[time, 0, unit], gates[time, 1, unit]
            candidate, recurrent = gates[time, 2, unit], gates[time, 3, unit]
            d_hidden = work.d_hidden[time, unit] + carried[unit]
            to_candidate = d_hidden * (ONE - update) * (ONE - candidate * candidate)
            deltas[unit] = to_candidate * recurrent * reset * (ONE - reset)
            deltas[size + unit] = d_hidden * (hidden[time, unit] - candidate) * update * (ONE - update)
            deltas[2 * size + unit] = to_candidate
            deltas[3 * size + unit] = to_candidate * reset  # by the candidate's part from the hidden state
            slopes.candidate_bias[unit] += to_candidate * reset
            carried[unit] = d_hidden * update
        for row in range(3 * size):
            d_w[row, text[time]] += deltas[row]
            d_bias[row] += deltas[row]
            delta = deltas[row] if row < 2 * size else deltas[row + size]
            for other in range(size):
                d_u[row, other] += delta * hidden[time, other]
                carried[other] += delta * u[row, other]
