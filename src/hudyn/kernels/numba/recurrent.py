"""Losses, gradients and updates of recurrent networks, 16 at a time: one loop forwards and one back through time."""

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hudyn.kernels.numba.cell import (
    backward,
    forward,
    initial_state,
    initial_state_back,
    parameters_of,
    pick,
    scratch_for,
    workspace,
)
from hudyn.kernels.numba.compile import compiled, inlined
from hudyn.kernels.numba.functions import exp, log
from hudyn.kernels.numba.lanes import One, Sixteen, Width, as_lanes, from_lanes, in_lanes, multiply_add, spread, where
from hudyn.kernels.numba.optimizers import Steps, clip, follow, optimizer_step
from hudyn.kernels.threads import share_out

if TYPE_CHECKING:
    from hudyn.kernels.recurrent import Sequences

ROWS = 16  # sequences of a member that are added up together; fixed, so that sums do not depend on what else is trained


def width_of(sequences: int) -> Width:
    """How many lanes process sequences best; numba compiles a kernel for each number."""
    return One() if sequences == 1 else Sixteen()


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
    sized, width = _cell(cell, alphabet, start.shape[-1]), width_of(members * batch)
    blocks = -(-members * parts // max(1, width.lanes // min(batch, ROWS)))
    sizes = width, sized, symbols.shape[2], len(start), parameters.shape[1], arrays[3].dtype
    share_out(lambda chosen: _gradients(chosen, width, sized, scratch_for(*sizes), *arrays), np.arange(blocks))
    return losses.sum(dim=1), ends, d_start, slopes.sum(dim=1)


def make_updates(
    cell: str,
    alphabet: int,
    sequences: "Sequences",
    state: Tensor,
    begins: bool,
    stream: bool,
    learned: int,
    steps: Steps,
    trained: np.ndarray,
) -> Tensor:
    """Make several updates of each member, each on sequences of its own.

    Args:
        cell: see `hudyn.kernels.recurrent.recurrent_losses`.
        alphabet: number of symbols.
        sequences: see `hudyn.kernels.recurrent.Sequences`.
        state: state in which the first update begins, unless `begins`; the state in which the last one ends is written
            into it, [states, members, batch, hidden].
        begins: whether the first update begins in the networks' initial state.
        stream: whether each further update begins in the state in which the previous one ended.
        learned: number of parameters, at the end of each member's, that set the initial state.
        steps: the optimizer's, with the parameters of `losses_and_gradients`, then the `learned` ones.
        trained: the members that are trained, in the order of `steps`.

    Returns:
        the loss at each update, NaN for members that are not trained, [updates, members].
    """
    members, updates = sequences.starts.shape[:2]
    vocabulary, texts = sequences.vocabulary, (sequences.texts, sequences.starts, sequences.lengths)
    lanes = steps.parameters.shape[-1]
    width = One() if lanes == 1 else Sixteen()
    places = torch.from_numpy(trained)
    carried = as_lanes(state[:, places].movedim(0, 1).numpy(), lanes)  # [groups, states, batch, hidden, lanes]
    losses = np.zeros((len(carried), updates, lanes), carried.dtype)
    arrays = trained, *_arrays(*texts, vocabulary.symbols, vocabulary.bounds), carried, losses
    sized = _cell(cell, alphabet, state.shape[-1])
    longest = int(sequences.lengths.max()) * int(vocabulary.lengths.max())
    sizes = width, sized, longest + 1, len(state), steps.parameters.shape[1], carried.dtype
    share_out(
        lambda groups: _updates(groups, width, sized, scratch_for(*sizes), begins, stream, learned, *arrays, steps),
        np.arange(len(carried)),
    )
    state[:, places] = torch.from_numpy(from_lanes(carried, len(trained))).movedim(1, 0)
    found = state.new_full((updates, members), torch.nan)
    found[:, places] = torch.from_numpy(from_lanes(losses, len(trained))).T
    return found


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
        [members, positions, alphabet], text after text without padding; in memory the alphabet comes first.
    """
    members, first = start.shape[1], lengths.cumsum(0) - lengths
    logits = parameters.new_empty(alphabet, members, int(lengths.sum()))
    arrays = _arrays(symbols, lengths, first, start, parameters, logits)
    sized, width = _cell(cell, alphabet, start.shape[-1]), width_of(members * len(symbols))
    blocks = -(-members * len(symbols) // width.lanes)
    sizes = width, sized, symbols.shape[1] + 1, len(start), parameters.shape[1], arrays[4].dtype
    share_out(lambda chosen: _predictions(chosen, width, sized, scratch_for(*sizes), *arrays), np.arange(blocks))
    return logits.movedim(0, -1)


def _cell(name: str, alphabet: int, hidden_size: int) -> NamedTuple:
    """The NamedTuple of a cell, whose name is that of its module, or ``<module>_<variant>``."""
    module, _, variant = name.partition("_")
    sized: NamedTuple = import_module(f"hudyn.kernels.numba.{module}").Cell(alphabet, hidden_size)
    return sized._replace(**{variant: True}) if variant else sized


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


@compiled
def _gradients(
    blocks, width, cell, scratch, symbols, lengths, scales, starts, parameters, losses, ends, d_starts, slopes
):  # fmt: skip
    """Fill in losses, last states and gradients, for blocks of as many parts of members as there are lanes for."""
    members, batch = lengths.shape
    parts = losses.shape[1]
    at_once = max(1, width.lanes // min(batch, ROWS))
    work = workspace(width, scratch)
    start, end, d_start = in_lanes(width, scratch.start), in_lanes(width, scratch.end), in_lanes(width, scratch.d_start)
    weights = parameters_of(cell, in_lanes(width, scratch.vector))
    gradient = in_lanes(width, scratch.gradient)
    changes = parameters_of(cell, gradient)
    scale, loss = in_lanes(width, scratch.scales), in_lanes(width, scratch.losses)
    for block in blocks:
        used = 0
        for at in range(block * at_once, min((block + 1) * at_once, members * parts)):
            losses[at // parts, at % parts] = 0
            last = min((at % parts + 1) * ROWS, batch) - 1
            for row in range(at % parts * ROWS, last + 1):
                member = at // parts
                scratch.places[0, used], scratch.places[1, used] = member, row
                scratch.scales[0, used], scratch.lengths[0, used] = scales[member], lengths[member, row]
                for time in range(lengths[member, row] + 1):
                    scratch.symbols[time, used] = symbols[member, row, time]
                for index in range(parameters.shape[1]):
                    scratch.vector[index, used] = parameters[member, index]
                for kind in range(len(starts)):
                    for unit in range(cell.hidden_size):
                        scratch.start[kind, unit, used] = starts[kind, member, row, unit]
                used += 1
                is_last = row == last and at == min((block + 1) * at_once, members * parts) - 1
                if used < width.lanes and not is_last:
                    continue
                for lane in range(used, width.lanes):
                    scratch.lengths[0, lane] = 0
                for index in range(len(gradient)):
                    gradient[index] = spread(gradient[index], 0.0)
                loss[0] = _sequences(width, cell, scale[0], start, end, d_start, weights, changes, scratch, work)
                for lane in range(used):
                    its_member, its_row = scratch.places[0, lane], scratch.places[1, lane]
                    its_part = its_row // ROWS
                    losses[its_member, its_part] += scratch.losses[0, lane] * scales[its_member]
                    for index in range(len(gradient)):
                        slopes[its_member, its_part, index] += scratch.gradient[index, lane]
                    for kind in range(len(starts)):
                        for unit in range(cell.hidden_size):
                            ends[kind, its_member, its_row, unit] = scratch.end[kind, unit, lane]
                            d_starts[kind, its_member, its_row, unit] = scratch.d_start[kind, unit, lane]
                used = 0


@compiled
def _updates(
    groups, width, cell, scratch, begins, stream, learned, trained, texts, starts, lengths, pieces, bounds, states,
    losses, steps,
):  # fmt: skip
    """Make all updates of one group of members after another."""
    parameters = steps.parameters.shape[1]
    _, updates, parts, batch = lengths.shape
    work = workspace(width, scratch)
    start, end, d_start = in_lanes(width, scratch.start), in_lanes(width, scratch.end), in_lanes(width, scratch.d_start)
    gradient, scales = in_lanes(width, scratch.gradient), in_lanes(width, scratch.scales)
    slopes = parameters_of(cell, gradient)
    for group in groups:
        members = trained[group * width.lanes : (group + 1) * width.lanes]
        vector, first = in_lanes(width, steps.parameters[group]), in_lanes(width, steps.first[group])
        second, sizes = in_lanes(width, steps.second[group]), in_lanes(width, steps.sizes[group])
        kept, settings = in_lanes(width, steps.kept[group]), in_lanes(width, steps.settings[group])
        average = in_lanes(width, steps.average[group])
        state, group_losses = in_lanes(width, states[group]), in_lanes(width, losses[group])
        weights = parameters_of(cell, vector)
        for lane in range(len(members), width.lanes):
            scratch.lengths[0, lane] = 0
        for update in range(updates):
            for i in range(parameters):
                gradient[i] = spread(gradient[i], 0.0)
            group_losses[update] = spread(scales[0], 0.0)
            changed = parameters - learned  # like torch, not what has no gradient
            for part in range(parts):
                carried = stream if update or part else not begins
                for lane in range(len(members)):
                    total = 0
                    for row in range(batch):
                        place = starts[members[lane], update, part, row]
                        for at in range(place, place + lengths[members[lane], update, part, row]):
                            piece = texts[members[lane], at]
                            total += bounds[piece + 1] - bounds[piece]
                    scratch.scales[0, lane] = 1 / (parts * total)
                for row in range(batch):
                    for lane in range(len(members)):
                        time, place = 0, starts[members[lane], update, part, row]
                        following = place + lengths[members[lane], update, part, row]
                        for at in range(place, following):
                            piece = texts[members[lane], at]
                            for index in range(bounds[piece], bounds[piece + 1]):
                                scratch.symbols[time, lane] = pieces[index]
                                time += 1
                        scratch.symbols[time, lane] = pieces[bounds[texts[members[lane], following]]]
                        scratch.lengths[0, lane] = time
                    if carried:
                        _copy(state[:, row], start)
                    else:
                        initial_state(cell, weights, start)
                    loss = _sequences(width, cell, scales[0], start, end, d_start, weights, slopes, scratch, work)
                    group_losses[update] += loss * scales[0]
                    _copy(end, state[:, row])
                    if not carried:
                        initial_state_back(cell, start, d_start, slopes)
                        changed = parameters
            clip(gradient[:changed], steps.largest_norm, steps.largest_value)
            optimizer_step(
                steps.rule, settings, vector[:changed], gradient, first, second, sizes[update], kept[update],
                steps.corrections[update],
            )  # fmt: skip
            follow(average, vector, steps.average_rate)


@compiled
def _predictions(blocks, width, cell, scratch, symbols, lengths, first, starts, parameters, logits):
    """Fill in the logits of blocks of as many texts, of one member after another, as there are lanes."""
    texts = len(symbols)
    work = workspace(width, scratch)
    weights, start = parameters_of(cell, in_lanes(width, scratch.vector)), in_lanes(width, scratch.start)
    lane_logits = in_lanes(width, scratch.logits)
    for block in blocks:
        used = min(width.lanes, parameters.shape[0] * texts - block * width.lanes)
        for lane in range(used, width.lanes):
            scratch.lengths[0, lane] = 0
        for lane in range(used):
            member, text = (block * width.lanes + lane) // texts, (block * width.lanes + lane) % texts
            for index in range(parameters.shape[1]):
                scratch.vector[index, lane] = parameters[member, index]
            for kind in range(len(starts)):
                for unit in range(cell.hidden_size):
                    scratch.start[kind, unit, lane] = starts[kind, member, unit]
            scratch.lengths[0, lane] = lengths[text]
            for time in range(lengths[text]):
                scratch.symbols[time, lane] = symbols[text, time]
        for time in range(process(width, cell, start, weights, scratch, work)):
            for symbol in range(cell.alphabet_size):
                lane_logits[symbol] = _logit(work.hidden[time + 1], symbol, weights)
            for lane in range(used):
                if time < scratch.lengths[0, lane]:
                    member, text = (block * width.lanes + lane) // texts, (block * width.lanes + lane) % texts
                    for symbol in range(cell.alphabet_size):
                        logits[symbol, member, first[text] + time] = scratch.logits[symbol, lane]


@inlined
def _copy(source, target):
    """Copy states; a loop, for numba takes seconds to compile an assignment of slices."""
    for kind in range(source.shape[0]):
        for unit in range(source.shape[1]):
            target[kind, unit] = source[kind, unit]


@inlined
def _sequences(width, cell, scale, start, end, d_start, weights, slopes, scratch, work):
    """The summed losses of a sequence a lane; adds gradients, times `scale`, to `slopes`, sets `end` and `d_start`."""
    time_steps = process(width, cell, start, weights, scratch, work)
    for unit in range(cell.hidden_size):
        end[0, unit] = work.hidden[time_steps, unit]
        if len(start) == 2:
            end[1, unit] = work.context[time_steps, unit]
    loss = spread(scale, 0.0)
    for time in range(time_steps):
        loss += predict(cell, time, scale, weights, slopes, work)
    for kind in range(d_start.shape[0]):
        for unit in range(d_start.shape[1]):
            d_start[kind, unit] = spread(scale, 0.0)
    for time in range(time_steps - 1, -1, -1):
        backward(cell, time, d_start, weights, slopes, work)
    return loss


@inlined
def process(width, cell, start, weights, scratch, work):
    """Process the symbols in `work` from the state `start`, keep all states in it; the length of the longest."""
    time_steps = 0
    for lane in range(width.lanes):
        time_steps = max(time_steps, scratch.lengths[0, lane])
    for unit in range(cell.hidden_size):
        work.hidden[0, unit] = start[0, unit]
        if len(start) == 2:
            work.context[0, unit] = start[1, unit]
    for time in range(time_steps):
        forward(cell, time, work.lengths[0] > time, weights, work)
    return time_steps


@inlined
def _logit(hidden, symbol, weights):
    net = weights.output_bias[symbol]
    for unit in range(len(hidden)):
        net = multiply_add(weights.output_weight[symbol, unit], hidden[unit], net)
    return net


@inlined
def predict(cell, time, scale, weights, slopes, work):
    """Losses of one prediction; adds the output layer's gradients, and sets the derivatives by the hidden state."""
    probabilities, hidden, d_hidden = work.probabilities, work.hidden[time + 1], work.d_hidden[time]
    target, active = work.symbols[time + 1], work.lengths[0] > time
    for symbol in range(cell.alphabet_size):
        probabilities[symbol] = _logit(hidden, symbol, weights)
    largest = probabilities[0]
    for symbol in range(1, cell.alphabet_size):
        largest = where(probabilities[symbol] > largest, probabilities[symbol], largest)
    correct = pick(probabilities, target) - largest
    total = spread(scale, 0.0)
    for symbol in range(cell.alphabet_size):
        probabilities[symbol] = exp(probabilities[symbol] - largest)
        total += probabilities[symbol]
    weight = where(active, scale, 0.0)
    factor = weight / total
    for symbol in range(cell.alphabet_size):
        slope = probabilities[symbol] * factor - where(target == symbol, weight, 0.0)
        slopes.output_bias[symbol] += slope
        for unit in range(cell.hidden_size):
            slopes.output_weight[symbol, unit] = multiply_add(slope, hidden[unit], slopes.output_weight[symbol, unit])
            so_far = d_hidden[unit] if symbol else spread(scale, 0.0)
            d_hidden[unit] = multiply_add(slope, weights.output_weight[symbol, unit], so_far)
    return where(active, log(total) - correct, 0.0)
