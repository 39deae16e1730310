"""SRN (Elman 1990): h = f(W x + U h + b); the initial state f(H0) is learned."""

from typing import NamedTuple

from hudyn.kernels.cells import SRNParameters
from hudyn.kernels.numba.cell import (
    ONE,
    ZERO,
    add_up,
    backward,
    forward,
    initial_state,
    initial_state_back,
    parameters_of,
    take,
    tanh,
)
from hudyn.kernels.numba.compile import implements, inlined


class Cell(NamedTuple):
    """Sizes of an SRN, and whether its units are relu instead of tanh."""

    alphabet_size: int
    hidden_size: int
    relu: bool = False


@implements(parameters_of, Cell)
def _parameters_of(cell, vector):
    size, alphabet = cell.hidden_size, cell.alphabet_size
    input_weight, rest = take(vector, size, alphabet)
    hidden_weight, rest = take(rest, size, size)
    output_weight, after = take(rest[size:], alphabet, size)
    return SRNParameters(input_weight, hidden_weight, rest[:size], output_weight, after[:alphabet], after[alphabet:])


@implements(initial_state, Cell)
def _initial_state(cell, weights, start):
    for unit in range(cell.hidden_size):
        start[0, unit] = _activation(cell.relu, weights.initial_hidden[unit])


@implements(initial_state_back, Cell)
def _initial_state_back(cell, start, d_start, slopes):
    for unit in range(cell.hidden_size):
        slopes.initial_hidden[unit] += d_start[0, unit] * _derivative(cell.relu, start[0, unit])


@implements(forward, Cell)
def _forward(cell, text, length, weights, work):
    size, hidden = cell.hidden_size, work.hidden
    w, u, bias = weights.input_weight, weights.hidden_weight, weights.bias
    for time in range(length):
        for unit in range(size):
            net = w[unit, text[time]] + bias[unit]
            for other in range(size):
                net += u[unit, other] * hidden[time, other]
            hidden[time + 1, unit] = _activation(cell.relu, net)


@implements(backward, Cell)
def _backward(cell, text, length, carry, weights, slopes, work):
    hidden, carried, deltas = work.hidden, carry[0], work.nets[: cell.hidden_size]
    for time in range(length - 1, -1, -1):
        for unit in range(cell.hidden_size):
            slope = _derivative(cell.relu, hidden[time + 1, unit])
            deltas[unit] = (work.d_hidden[time, unit] + carried[unit]) * slope
            carried[unit] = 0
        add_up(deltas, text[time], hidden[time], carried, weights, slopes)


@inlined
def _activation(relu, net):
    return max(net, ZERO) if relu else tanh(net)


@inlined
def _derivative(relu, value):
    """Derivative of the activation where it has the value `value`."""
    if relu:
        return ONE if value > 0 else ZERO
    return ONE - value * value
