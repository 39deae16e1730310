"""What every recurrent cell implements for the loops in `recurrent.py`, and what cells share.

A cell is a NamedTuple of its sizes and settings; numba chooses implementations by its class.
"""

import math
from typing import NamedTuple

import numpy as np

from hudyn.kernels.numba.compile import inlined, operation

ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)  # exact, so they serve float64 as well


class Workspace(NamedTuple):
    """Arrays that are reused for each sequence."""

    hidden: np.ndarray  # hidden states before each symbol and at the end, [time + 1, hidden]
    context: np.ndarray  # context states likewise
    squashed: np.ndarray  # tanh of the context states
    gates: np.ndarray  # gates, and what they gate, at each symbol, [time, 4, hidden]
    d_hidden: np.ndarray  # derivatives by the hidden state after each symbol, [time, hidden]
    nets: np.ndarray  # net inputs, or derivatives by them, [4 · hidden]
    probabilities: np.ndarray  # unnormalised, of the next symbol, [alphabet]


@operation
def parameters_of(cell, vector):
    """Name the parts of a member's parameters, or of their gradients: views of `vector`."""
    raise NotImplementedError


@operation
def initial_state(cell, weights, start):
    """Set `start`, [states, hidden], to the state before the first symbol: zeros unless it is learned."""
    for kind in range(start.shape[0]):
        for unit in range(start.shape[1]):
            start[kind, unit] = 0


@operation
def initial_state_back(cell, start, d_start, slopes):
    """Add the gradients of a learned initial state, given the derivatives `d_start` by that state."""


@operation
def forward(cell, text, length, weights, work):
    """Process `length` symbols of `text` from the state at time 0 of `work`; keep all states and gates in `work`."""
    raise NotImplementedError


@operation
def backward(cell, text, length, carry, weights, slopes, work):
    """Add the gradients of `forward` to `slopes`, given `work.d_hidden` (Werbos 1990).

    `carry`, [states, hidden], is 0 at first. It carries derivatives by the state back through time, to the start.
    """
    raise NotImplementedError


@inlined
def workspace(positions, cell, dtype):
    """A workspace for sequences of at most `positions` symbols, the last of which is only predicted."""
    size = cell.hidden_size
    return Workspace(
        np.empty((positions, size), dtype), np.empty((positions, size), dtype), np.empty((positions, size), dtype),
        np.empty((positions, 4, size), dtype), np.empty((positions, size), dtype), np.empty(4 * size, dtype),
        np.empty(cell.alphabet_size, dtype),
    )  # fmt: skip


@inlined
def take(vector, rows, columns):
    """The first elements of `vector` as a matrix, and the rest."""
    return vector[: rows * columns].reshape((rows, columns)), vector[rows * columns :]


@inlined
def add_up(deltas, symbol, before, carry, weights, slopes):
    """Add what derivatives by the net inputs W x + U h + b contribute to the slopes and to `carry`, [hidden]."""
    for row in range(len(deltas)):
        slopes.input_weight[row, symbol] += deltas[row]
        slopes.bias[row] += deltas[row]
        for other in range(len(carry)):
            slopes.hidden_weight[row, other] += deltas[row] * before[other]
            carry[other] += deltas[row] * weights.hidden_weight[row, other]


@inlined
def tanh(net):
    """Hyperbolic tangent to float32 rounding: Lambert's continued fraction near 0, where the other form cancels."""
    square = net * net
    if square < np.float32(0.375):
        numerator = np.float32(135135) + square * (np.float32(17325) + square * (np.float32(378) + square))
        denominator = np.float32(135135) + square * (
            np.float32(62370) + square * (np.float32(3150) + square * np.float32(28))
        )
        return net * numerator / denominator
    decay = math.exp(-TWO * abs(net))
    return math.copysign((ONE - decay) / (ONE + decay), net)


@inlined
def sigmoid(net):
    """Logistic function."""
    return ONE / (ONE + math.exp(-net))
