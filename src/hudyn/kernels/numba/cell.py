"""What every recurrent cell implements for the loops in `recurrent.py`, and what cells share.

A cell is a NamedTuple of its sizes and settings; numba chooses implementations by its class. Every number is a vector
with a lane for each sequence (see `lanes.py`), and so is every element of the arrays below. Sequences end at different
times: where `active` is false, a lane keeps its state, and no derivative comes in.
"""

from typing import Any, NamedTuple

import numpy as np

from hudyn.kernels.numba.compile import inlined, operation
from hudyn.kernels.numba.lanes import Width, in_lanes, multiply_add, spread, where


class Scratch(NamedTuple):
    """Arrays that one call of a kernel works in, filled in lane by lane or viewed as vectors; see `Workspace`."""

    symbols: np.ndarray  # [time + 1, lanes]
    lengths: np.ndarray  # [1, lanes]
    scales: np.ndarray  # [1, lanes]
    losses: np.ndarray  # [1, lanes]
    places: np.ndarray  # [2, lanes]
    states: np.ndarray  # hidden, context, squashed context states, derivatives, [4, time + 1, hidden, lanes]
    gates: np.ndarray  # [time + 1, 4, hidden, lanes]
    nets: np.ndarray  # [4 · hidden, lanes]
    logits: np.ndarray  # [alphabet, lanes]
    vector: np.ndarray  # [parameters, lanes]
    gradient: np.ndarray  # [parameters, lanes]
    start: np.ndarray  # [states, hidden, lanes]
    end: np.ndarray
    d_start: np.ndarray


class Workspace(NamedTuple):
    """Arrays that are reused for each sequence."""

    symbols: np.ndarray  # the symbols processed, then predicted, integers [time + 1]
    lengths: np.ndarray  # number of symbols predicted, integers [1]
    hidden: np.ndarray  # hidden states before each symbol and at the end, [time + 1, hidden]
    context: np.ndarray  # context states likewise
    squashed: np.ndarray  # tanh of the context states
    gates: np.ndarray  # gates, and what they gate, at each symbol, [time, 4, hidden]
    d_hidden: np.ndarray  # derivatives by the hidden state after each symbol, [time, hidden]
    nets: np.ndarray  # net inputs, or derivatives by them, [4 · hidden]
    probabilities: np.ndarray  # unnormalised, of the next symbol, [alphabet]


def scratch_for(
    width: Width, cell: NamedTuple, positions: int, states: int, parameters: int, dtype: np.dtype[Any]
) -> Scratch:
    """Arrays for sequences of at most `positions` symbols, the last of which is only predicted."""
    lanes, size, alphabet = width.lanes, cell.hidden_size, cell.alphabet_size  # type: ignore[attr-defined] # every cell has them
    shapes = [
        (4, positions, size), (positions, 4, size), (4 * size,), (alphabet,), (parameters,), (parameters,),
        *[(states, size)] * 3,
    ]  # fmt: skip
    return Scratch(
        np.zeros((positions, lanes), np.int32),
        np.zeros((1, lanes), np.int32),
        np.zeros((1, lanes), dtype),
        np.zeros((1, lanes), dtype),
        np.zeros((2, lanes), np.int64),
        *(np.zeros((*shape, lanes), dtype) for shape in shapes),
    )


@inlined
def workspace(width, scratch):
    """The arrays of `scratch` as vectors."""
    states = in_lanes(width, scratch.states)
    return Workspace(
        in_lanes(width, scratch.symbols), in_lanes(width, scratch.lengths), states[0], states[1], states[2],
        in_lanes(width, scratch.gates), states[3], in_lanes(width, scratch.nets), in_lanes(width, scratch.logits),
    )  # fmt: skip


@operation
def parameters_of(cell, vector):
    """Name the parts of the parameters, or of their gradients: views of `vector`."""
    raise NotImplementedError


@operation
def initial_state(cell, weights, start):
    """Set `start`, [states, hidden], to the state before the first symbol: zeros unless it is learned."""
    for kind in range(start.shape[0]):
        for unit in range(start.shape[1]):
            start[kind, unit] = spread(weights.bias[0], 0.0)


@operation
def initial_state_back(cell, start, d_start, slopes):
    """Add the gradients of a learned initial state, given the derivatives `d_start` by that state."""


@operation
def forward(cell, time, active, weights, work):
    """Process the symbols at `time`: from the state and into the state after it, both in `work`, with the gates."""
    raise NotImplementedError


@operation
def backward(cell, time, carry, weights, slopes, work):
    """Add the gradients of `forward` at `time` to `slopes`, given `work.d_hidden` (Werbos 1990).

    `carry`, [states, hidden], has the derivatives by the state after the symbol, but for `work.d_hidden`; it takes on
    those by the state before.
    """
    raise NotImplementedError


@inlined
def take(vector, rows, columns):
    """The first elements of `vector` as a matrix, and the rest."""
    return vector[: rows * columns].reshape((rows, columns)), vector[rows * columns :]


@inlined
def pick(weights, symbols):
    """``weights[symbols]``, which differ by lane."""
    picked = weights[0]
    for symbol in range(1, len(weights)):
        picked = where(symbols == symbol, weights[symbol], picked)
    return picked


@inlined
def add_up(deltas, time, carry, weights, slopes, work):
    """Add what derivatives by the net inputs W x + U h + b contribute to the slopes and to `carry`, [hidden]."""
    symbols = work.symbols[time]
    for row in range(len(deltas)):
        delta = deltas[row]
        slopes.bias[row] += delta
        for symbol in range(slopes.input_weight.shape[1]):
            slopes.input_weight[row, symbol] += where(symbols == symbol, delta, 0.0)
        for other in range(len(carry)):
            slope = multiply_add(delta, work.hidden[time, other], slopes.hidden_weight[row, other])
            slopes.hidden_weight[row, other] = slope
            carry[other] = multiply_add(delta, weights.hidden_weight[row, other], carry[other])
