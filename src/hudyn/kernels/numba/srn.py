"""SRN (Elman 1990): h = f(W x + U h + b); the initial state f(H0) is learned."""

from typing import NamedTuple

from hudyn.kernels.cells import SRNParameters
from hudyn.kernels.numba.cell import (
    add_up,
    backward,
    forward,
    initial_state,
    initial_state_back,
    parameters_of,
    pick,
    take,
)
from hudyn.kernels.numba.compile import implements, inlined
from hudyn.kernels.numba.functions import tanh
from hudyn.kernels.numba.lanes import multiply_add, spread, where


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
def _forward(cell, time, active, weights, work):
    hidden, symbols = work.hidden, work.symbols[time]
    for unit in range(cell.hidden_size):
        net = pick(weights.input_weight[unit], symbols) + weights.bias[unit]
        for other in range(cell.hidden_size):
            net = multiply_add(weights.hidden_weight[unit, other], hidden[time, other], net)
        hidden[time + 1, unit] = where(active, _activation(cell.relu, net), hidden[time, unit])


@implements(backward, Cell)
def _backward(cell, time, carry, weights, slopes, work):
    carried, deltas = carry[0], work.nets[: cell.hidden_size]
    for unit in range(cell.hidden_size):
        slope = _derivative(cell.relu, work.hidden[time + 1, unit])
        deltas[unit] = (work.d_hidden[time, unit] + carried[unit]) * slope
        carried[unit] = spread(slope, 0.0)
    add_up(deltas, time, carried, weights, slopes, work)


@inlined
def _activation(relu, net):
    if relu:
        return where(net > 0.0, net, spread(net, 0.0))
    return tanh(net)


@inlined
def _derivative(relu, value):
    """Derivative of the activation where it has the value `value`."""
    if relu:
        return where(value > 0.0, spread(value, 1.0), 0.0)
    return 1.0 - value * value
