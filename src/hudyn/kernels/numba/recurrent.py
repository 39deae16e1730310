"""Losses, gradients and updates of recurrent networks; each sequence is one loop forwards and one back through time."""

import math
from importlib import import_module
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hudyn.kernels.numba.cell import (
    ZERO,
    backward,
    forward,
    initial_state,
    initial_state_back,
    parameters_of,
    workspace,
)
from hudyn.kernels.numba.compile import compiled, inlined, share_out
from hudyn.kernels.numba.optimizers import Steps, optimizer_step

ROWS = 16  # sequences of a member that one thread adds up; fixed, so that sums do not depend on the number of threads


def losses_and_gradients(
    cell: str, alphabet: int, symbols: Tensor, lengths: Tensor, start: Tensor, parameters: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """See `hudyn.kernels.recurrent.recurrent_losses`."""
    members, batch = lengths.shape
    start, parts = start.contiguous(), -(-batch // ROWS)
    losses = parameters.new_empty(members, parts)
    ends, d_start = torch.empty_like(start), torch.empty_like(start)
    slopes = parameters.new_zeros(members, parts, parameters.shape[1])
    scales = (1 / lengths.sum(dim=1).double()).to(parameters.dtype)  # [members]
    arrays = _arrays(symbols, lengths, scales, start, parameters, losses, ends, d_start, slopes)
    sized = _cell(cell, alphabet, start.shape[-1])
    share_out(lambda blocks: _gradients(blocks, sized, *arrays), np.arange(members * parts))
    return losses.sum(dim=1), ends, d_start, slopes.sum(dim=1)


def make_updates(
    cell: str,
    alphabet: int,
    symbols: Tensor,
    lengths: Tensor,
    state: Tensor,
    begins: bool,
    stream: bool,
    learned: int,
    steps: Steps,
) -> Tensor:
    """Make several updates of each member, each on sequences of its own.

    Args:
        cell: see `hudyn.kernels.recurrent.recurrent_losses`.
        alphabet: number of symbols.
        symbols: padded, [members, updates, batch, time + 1].
        lengths: number of symbols predicted in each sequence, [members, updates, batch].
        state: state in which the first update begins, unless `begins`; the state in which the last one ends is written
            into it, [states, members, batch, hidden].
        begins: whether the first update begins in the networks' initial state.
        stream: whether each further update begins in the state in which the previous one ended.
        learned: number of parameters, at the end of each member's, that set the initial state.
        steps: the optimizer's, with the parameters of `losses_and_gradients`, then the `learned` ones.

    Returns:
        the loss at each update, [updates, members].
    """
    members, updates, _ = lengths.shape
    losses = state.new_empty(updates, members)
    scales = (1 / lengths.sum(dim=2).double()).to(state.dtype)  # [members, updates]
    arrays = _arrays(symbols, lengths, scales, state, losses)
    sized = _cell(cell, alphabet, state.shape[-1])
    share_out(lambda block: _updates(block, sized, begins, stream, learned, *arrays, steps), np.arange(members))
    return losses


def predictions(
    cell: str, alphabet: int, symbols: Tensor, lengths: Tensor, start: Tensor, parameters: Tensor
) -> Tensor:
    """Logits of the next symbol at each position of texts that all members process.

    Args:
        cell: see `hudyn.kernels.recurrent.recurrent_losses`.
        alphabet: number of symbols.
        symbols: padded, [texts, time].
        lengths: lengths of the texts, [texts].
        start: state in which each member begins, [states, members, hidden].
        parameters: as in `losses_and_gradients`.

    Returns:
        [members, texts, time, alphabet], 0 after the end of a text; in memory the alphabet comes first.
    """
    logits = parameters.new_zeros(alphabet, start.shape[1], *symbols.shape)
    arrays = _arrays(symbols, lengths, start, parameters, logits)
    sized = _cell(cell, alphabet, start.shape[-1])
    share_out(lambda members: _predictions(members, sized, *arrays), np.arange(start.shape[1]))
    return logits.movedim(0, -1)


def _cell(name: str, alphabet: int, hidden_size: int) -> NamedTuple:
    """The NamedTuple of a cell, whose name is that of its module, or ``<module>_<variant>``."""
    module, _, variant = name.partition("_")
    sized: NamedTuple = import_module(f"hudyn.kernels.numba.{module}").Cell(alphabet, hidden_size)
    return sized._replace(**{variant: True}) if variant else sized


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


@compiled
def _gradients(blocks, cell, symbols, lengths, scales, starts, parameters, losses, ends, d_starts, slopes):
    """Fill in losses, last states and gradients for blocks of `ROWS` sequences, numbered through all members."""
    parts = losses.shape[1]
    work = workspace(symbols.shape[2], cell, parameters.dtype)
    start = np.empty((len(starts), cell.hidden_size), parameters.dtype)
    end, d_start = np.empty_like(start), np.empty_like(start)
    for block in blocks:
        member, part = block // parts, block % parts
        weights = parameters_of(cell, parameters[member])
        changes = parameters_of(cell, slopes[member, part])
        loss = ZERO
        for row in range(part * ROWS, min((part + 1) * ROWS, lengths.shape[1])):
            _copy(starts[:, member, row], start)
            loss += _sequence(
                cell, symbols[member, row], lengths[member, row], scales[member], start, end, d_start,
                weights, changes, work,
            )  # fmt: skip
            _copy(end, ends[:, member, row])
            _copy(d_start, d_starts[:, member, row])
        losses[member, part] = loss * scales[member]


@compiled
def _updates(members, cell, begins, stream, learned, symbols, lengths, scales, state, losses, steps):
    """Make all updates of one member after another."""
    width, dtype = steps.parameters.shape[1], steps.parameters.dtype
    work = workspace(symbols.shape[3], cell, dtype)
    gradient = np.empty(width, dtype)
    start = np.empty((len(state), cell.hidden_size), dtype)
    end, d_start = np.empty_like(start), np.empty_like(start)
    slopes = parameters_of(cell, gradient)
    for member in members:
        vector = steps.parameters[member]
        weights = parameters_of(cell, vector)
        for update in range(lengths.shape[1]):
            gradient.fill(0)
            carried = stream if update else not begins
            loss = ZERO
            for row in range(lengths.shape[2]):
                if carried:
                    _copy(state[:, member, row], start)
                else:
                    initial_state(cell, weights, start)
                loss += _sequence(
                    cell, symbols[member, update, row], lengths[member, update, row], scales[member, update],
                    start, end, d_start, weights, slopes, work,
                )  # fmt: skip
                _copy(end, state[:, member, row])
                if not carried:
                    initial_state_back(cell, start, d_start, slopes)
            losses[update, member] = loss * scales[member, update]
            changed = width - learned if carried else width  # like torch, not what has no gradient
            optimizer_step(
                steps.settings, vector[:changed], gradient, steps.first[member], steps.second[member],
                steps.sizes[update], steps.corrections[update],
            )  # fmt: skip


@compiled
def _predictions(members, cell, symbols, lengths, starts, parameters, logits):
    """Fill in the logits of `members`."""
    work = workspace(symbols.shape[1] + 1, cell, parameters.dtype)
    start = np.empty((len(starts), cell.hidden_size), parameters.dtype)
    end = np.empty_like(start)
    for member in members:
        weights = parameters_of(cell, parameters[member])
        _copy(starts[:, member], start)
        for text in range(len(symbols)):
            _process(cell, symbols[text], lengths[text], start, end, weights, work)
            for time in range(lengths[text]):
                for symbol in range(cell.alphabet_size):
                    logits[symbol, member, text, time] = _logit(work.hidden[time + 1], symbol, weights)


@inlined
def _copy(source, target):
    """Copy states; a loop, for numba takes seconds to compile an assignment of slices."""
    for kind in range(source.shape[0]):
        for unit in range(source.shape[1]):
            target[kind, unit] = source[kind, unit]


@inlined
def _sequence(cell, text, length, scale, start, end, d_start, weights, slopes, work):
    """The summed loss of one sequence; adds its gradients, times `scale`, to `slopes`, and sets `end` and `d_start`."""
    _process(cell, text, length, start, end, weights, work)
    loss = ZERO
    for time in range(length):
        loss += _predict(cell, work.hidden[time + 1], text[time + 1], scale, weights, slopes, work.d_hidden[time], work)
    d_start.fill(0)
    backward(cell, text, length, d_start, weights, slopes, work)
    return loss


@inlined
def _process(cell, text, length, start, end, weights, work):
    """Process one sequence from the state `start`; keep all states in `work`, the last one also in `end`."""
    for unit in range(cell.hidden_size):
        work.hidden[0, unit] = start[0, unit]
        if len(start) == 2:
            work.context[0, unit] = start[1, unit]
    forward(cell, text, length, weights, work)
    for unit in range(cell.hidden_size):
        end[0, unit] = work.hidden[length, unit]
        if len(start) == 2:
            end[1, unit] = work.context[length, unit]


@inlined
def _logit(hidden, symbol, weights):
    net = weights.output_bias[symbol]
    for unit in range(len(hidden)):
        net += weights.output_weight[symbol, unit] * hidden[unit]
    return net


@inlined
def _predict(cell, hidden, target, scale, weights, slopes, d_hidden, work):
    """Loss of one prediction; adds the output layer's gradients, and sets the derivatives by the hidden state."""
    probabilities, output_weight = work.probabilities, weights.output_weight
    d_output_weight, d_output_bias = slopes.output_weight, slopes.output_bias
    for symbol in range(cell.alphabet_size):
        probabilities[symbol] = _logit(hidden, symbol, weights)
    largest = probabilities[0]
    for symbol in range(1, cell.alphabet_size):
        largest = max(largest, probabilities[symbol])
    correct = probabilities[target] - largest
    total = ZERO
    for symbol in range(cell.alphabet_size):
        probabilities[symbol] = math.exp(probabilities[symbol] - largest)
        total += probabilities[symbol]
    for unit in range(cell.hidden_size):
        d_hidden[unit] = 0
    factor = scale / total
    for symbol in range(cell.alphabet_size):
        slope = probabilities[symbol] * factor
        if symbol == target:
            slope -= scale
        d_output_bias[symbol] += slope
        for unit in range(cell.hidden_size):
            d_output_weight[symbol, unit] += slope * hidden[unit]
            d_hidden[unit] += slope * output_weight[symbol, unit]
    return math.log(total) - correct
