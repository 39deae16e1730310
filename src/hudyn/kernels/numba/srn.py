"""SRN (Elman 1990): h = f(W x + U h + b); the initial state f(H0) is learned."""

from typing import NamedTuple

from hudyn.kernels.cells import SRNParameters
from hudyn.kernels.numba.cell import (
    ONE,
    ZERO,
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
def _backward(cell, text, length, d_start, weights, slopes, work):
    size, hidden, d_hidden, carry = cell.hidden_size, work.hidden, work.d_hidden, work.carry[0]
    u, d_w, d_u, d_bias = weights.hidden_weight, slopes.input_weight, slopes.hidden_weight, slopes.bias
    for unit in range(size):
        carry[unit] = 0
    for time in range(length - 1, -1, -1):
        for unit in range(size):
            slope = _derivative(cell.relu, hidden[time + 1, unit])
            d_hidden[time, unit] = (d_hidden[time, unit] + carry[unit]) * slope
            carry[unit] = 0
        for unit in range(size):
            delta = d_hidden[time, unit]
            d_w[unit, text[time]] += delta
            d_bias[unit] += delta
            for other in range(size):
                d_u[unit, other] += delta * hidden[time, other]
                carry[other] += delta * u[unit, other]
    for unit in range(size):
        d_start[0, unit] = carry[unit]


@inlined
def _activation(relu, net):
    return max(net, ZERO) if relu else tanh(net)


@inlined
def _derivative(relu, value):
    """Derivative of the activation where it has the value `value`."""
    if relu:
        return ONE if value > 0 else ZERO
    return ONE - value * value
