"""Losses, gradients and updates of SRN, LSTM and GRU, fused: each sequence is one loop, in numba.

A loop reads the sequence forwards, then goes back through time (Werbos 1990). What happens to a member does not depend
on the others, nor on the number of threads, to the last bit.
"""

import math

import numpy as np
import torch
from torch import Tensor

from hudyn.kernels.compiled import compiled, inlined, share_out
from hudyn.kernels.optimizers_numba import FusedSteps, optimizer_step

# Each kind of network as two arguments: of an SRN, whether its units are relu; of an LSTM, whether it has peepholes.
# Where one is None, numba leaves out what is meant for that network.
CELLS = {
    "srn_tanh": (False, None),
    "srn_relu": (True, None),
    "lstm": (None, False),
    "lstm_peepholes": (None, True),
    "gru": (None, None),
}
ROWS = 16  # sequences of a member that one thread takes together; fixed, so that sums depend on nothing else
ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)  # exact, so they serve float64 as well


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
    share_out(lambda places: _gradients(places, *CELLS[cell], alphabet, *arrays), np.arange(members * parts))
    return losses.sum(dim=1), ends, d_start, slopes.sum(dim=1)


def make_updates(
    cell: str,
    alphabet: int,
    symbols: Tensor,
    lengths: Tensor,
    state: Tensor,
    begins: bool,
    stream: bool,
    steps: FusedSteps,
) -> Tensor:
    """Several updates of each member, each on sequences of its own.

    Args:
        cell: what the networks are, one of `CELLS`.
        alphabet: number of symbols.
        symbols: padded, [members, updates, batch, time + 1].
        lengths: number of symbols predicted in each sequence, [members, updates, batch].
        state: what the first update begins in where not `begins`, [states, members, batch, hidden]; what the last one
            ends in is written into it.
        begins: whether the first update begins in the networks' own initial state.
        stream: whether each further update goes on in the state that the one before ended in.
        steps: of the optimizer, with the parameters in the order of `losses_and_gradients`, then a learned initial
            state where there is one.

    Returns:
        the loss at each update, [updates, members].
    """
    members, updates, _ = lengths.shape
    losses = state.new_empty(updates, members)
    scales = (1 / lengths.sum(dim=2).double()).to(state.dtype)  # [members, updates]
    arrays = _arrays(symbols, lengths, scales, state, losses)
    settings = *CELLS[cell], alphabet, begins, stream
    share_out(lambda block: _updates(block, *settings, *arrays, *steps.arrays), np.arange(members))
    steps.put_back()
    return losses


def predictions(
    cell: str, alphabet: int, symbols: Tensor, lengths: Tensor, start: Tensor, parameters: Tensor
) -> Tensor:
    """Logits of the next symbol at each position of texts that all members read.

    Args:
        cell: what the networks are, one of `CELLS`.
        alphabet: number of symbols.
        symbols: padded, [texts, time].
        lengths: of the texts, [texts].
        start: the state that each member begins in, [states, members, hidden].
        parameters: as in `losses_and_gradients`.

    Returns:
        [members, texts, time, alphabet], 0 where a text is over; in memory the alphabet comes first.
    """
    logits = parameters.new_zeros(alphabet, start.shape[1], *symbols.shape)
    arrays = _arrays(symbols, lengths, start, parameters, logits)
    share_out(lambda members: _predictions(members, *CELLS[cell], *arrays), np.arange(start.shape[1]))
    return logits.movedim(0, -1)


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


@compiled
def _gradients(
    places, srn, lstm, alphabet, symbols, lengths, scales, starts, parameters, losses, ends, d_starts, slopes
):
    """Fill in losses, last states and gradients; a place is a member's, of so many sequences of its batch."""
    size, parts = starts.shape[3], losses.shape[1]
    work = _workspace(symbols.shape[2], size, alphabet, parameters.dtype)
    start = np.empty((len(starts), size), parameters.dtype)
    end, d_start = np.empty_like(start), np.empty_like(start)
    for place in places:
        member, part = place // parts, place % parts
        weights = _layers(srn, lstm, alphabet, size, parameters[member])
        changes = _layers(srn, lstm, alphabet, size, slopes[member, part])
        loss = ZERO
        for row in range(part * ROWS, min((part + 1) * ROWS, lengths.shape[1])):
            _copy(starts[:, member, row], start)
            loss += _sequence(
                srn, lstm, symbols[member, row], lengths[member, row], scales[member], start, end, d_start,
                weights, changes, work,
            )  # fmt: skip
            _copy(end, ends[:, member, row])
            _copy(d_start, d_starts[:, member, row])
        losses[member, part] = loss * scales[member]


@compiled
def _updates(
    members, srn, lstm, alphabet, begins, stream, symbols, lengths, scales, state, losses,
    adam, vectors, first, second, step_sizes, corrections, numbers,
):  # fmt: skip
    """Make all updates of one member after another."""
    size, width = state.shape[3], vectors.shape[1]
    work = _workspace(symbols.shape[3], size, alphabet, vectors.dtype)
    slopes = np.empty(width, vectors.dtype)
    start = np.empty((len(state), size), vectors.dtype)
    end, d_start = np.empty_like(start), np.empty_like(start)
    changes = _layers(srn, lstm, alphabet, size, slopes)
    for member in members:
        vector = vectors[member]
        weights = _layers(srn, lstm, alphabet, size, vector)
        for update in range(lengths.shape[1]):
            for place in range(width):
                slopes[place] = 0
            carried = stream if update else not begins
            loss = ZERO
            for row in range(lengths.shape[2]):
                if carried:
                    _copy(state[:, member, row], start)
                else:
                    for unit in range(size):
                        for kind in range(len(start)):
                            start[kind, unit] = 0
                        if srn is not None:
                            start[0, unit] = _activation(srn, vector[width - size + unit])
                loss += _sequence(
                    srn, lstm, symbols[member, update, row], lengths[member, update, row], scales[member, update],
                    start, end, d_start, weights, changes, work,
                )  # fmt: skip
                _copy(end, state[:, member, row])
                if srn is not None and not carried:
                    for unit in range(size):
                        slopes[width - size + unit] += d_start[0, unit] * _slope(srn, start[0, unit])
            losses[update, member] = loss * scales[member, update]
            changed = width  # all, but like torch not what has no gradient
            if srn is not None and carried:
                changed -= size
            optimizer_step(
                adam, vector[:changed], slopes, first[member], second[member], step_sizes[update],
                corrections[update], numbers,
            )  # fmt: skip


@compiled
def _predictions(members, srn, lstm, symbols, lengths, start, parameters, logits):
    """Fill in the logits of `members`."""
    alphabet, size = len(logits), start.shape[2]
    work = _workspace(symbols.shape[1] + 1, size, alphabet, parameters.dtype)
    hidden, begin = work[0], np.empty((len(start), size), parameters.dtype)
    end = np.empty_like(begin)
    for member in members:
        weights = _layers(srn, lstm, alphabet, size, parameters[member])
        _copy(start[:, member], begin)
        for text in range(len(symbols)):
            _read(srn, lstm, symbols[text], lengths[text], begin, end, weights, work)
            for time in range(lengths[text]):
                for symbol in range(alphabet):
                    logits[symbol, member, text, time] = _logit(hidden[time + 1], symbol, weights)


@inlined
def _copy(source, target):
    """Copy states; written out, for numba takes seconds to compile an assignment of slices."""
    for kind in range(source.shape[0]):
        for unit in range(source.shape[1]):
            target[kind, unit] = source[kind, unit]


@inlined
def _layers(srn, lstm, alphabet, size, vector):
    """Parts of the parameters of one member, or of their gradients, as views of them.

    Input weight, hidden weight, bias, peepholes or candidate bias, weight and bias of the output layer.
    """
    if srn is not None:
        blocks, extra = 1, 0
    elif lstm is not None:
        blocks, extra = 4, 3 if lstm else 0
    else:
        blocks, extra = 3, 1
    a = blocks * size * alphabet
    b = a + blocks * size * size
    c = b + blocks * size
    d = c + extra * size
    e = d + alphabet * size
    return (
        vector[:a].reshape((blocks * size, alphabet)),
        vector[a:b].reshape((blocks * size, size)),
        vector[b:c],
        vector[c:d].reshape((extra, size)),
        vector[d:e].reshape((alphabet, size)),
        vector[e : e + alphabet],
    )


@inlined
def _workspace(most, size, alphabet, kind):
    """What one sequence after another is worked out in."""
    return (
        np.empty((most, size), kind),  # hidden states, before each symbol and at the end
        np.empty((most, size), kind),  # context states likewise
        np.empty((most, size), kind),  # what the output gate lets through of them
        np.empty((most, 4, size), kind),  # gates at each symbol
        np.empty((most, size), kind),  # derivatives by the hidden state after each symbol
        np.empty((3, size), kind),  # derivatives by the state, carried back
        np.empty(4 * size, kind),  # derivatives by the units' net inputs
        np.empty(alphabet, kind),  # shares of the predicted symbols
    )


@inlined
def _sequence(srn, lstm, text, length, scale, start, end, d_start, weights, slopes, work):
    """The loss of one sequence, summed; adds its gradients, times `scale`, to `slopes`, and sets the states."""
    _read(srn, lstm, text, length, start, end, weights, work)
    hidden, back = work[0], work[4]
    loss = ZERO
    for time in range(length):
        loss += _read_out(hidden[time + 1], text[time + 1], scale, weights, slopes, back[time], work[7])
    if srn is not None:
        _srn_back(srn, text, length, d_start, weights, slopes, work)
    elif lstm is not None:
        _lstm_back(lstm, text, length, d_start, weights, slopes, work)
    else:
        _gru_back(text, length, d_start, weights, slopes, work)
    return loss


@inlined
def _read(srn, lstm, text, length, start, end, weights, work):
    """Read one sequence from the state `start`; keep the states on the way in `work` and the last in `end`."""
    hidden, context = work[0], work[1]
    for unit in range(start.shape[1]):
        hidden[0, unit] = start[0, unit]
        if lstm is not None:
            context[0, unit] = start[1, unit]
    if srn is not None:
        _srn(srn, text, length, weights, work)
    elif lstm is not None:
        _lstm(lstm, text, length, weights, work)
    else:
        _gru(text, length, weights, work)
    for unit in range(start.shape[1]):
        end[0, unit] = hidden[length, unit]
        if lstm is not None:
            end[1, unit] = context[length, unit]


@inlined
def _tanh(net):
    """Hyperbolic tangent, to rounding of float32: Lambert's continued fraction near 0, where the other form cancels."""
    square = net * net
    if square < np.float32(0.375):
        over = np.float32(135135) + square * (np.float32(17325) + square * (np.float32(378) + square))
        under = np.float32(135135) + square * (
            np.float32(62370) + square * (np.float32(3150) + square * np.float32(28))
        )
        return net * over / under
    fall = math.exp(-TWO * abs(net))
    return math.copysign((ONE - fall) / (ONE + fall), net)


@inlined
def _sigmoid(net):
    return ONE / (ONE + math.exp(-net))


@inlined
def _activation(relu, net):
    """An SRN's activation."""
    return max(net, ZERO) if relu else _tanh(net)


@inlined
def _slope(relu, value):
    """Derivative of an SRN's activation where it has the value `value`."""
    if relu:
        return ONE if value > 0 else ZERO
    return ONE - value * value


@inlined
def _logit(hidden, symbol, weights):
    net = weights[5][symbol]
    for unit in range(len(hidden)):
        net += weights[4][symbol, unit] * hidden[unit]
    return net


@inlined
def _read_out(hidden, target, scale, weights, slopes, back, shares):
    """Loss of one prediction; adds the output layer's gradients, and puts the hidden state's into `back`."""
    weight, by_weight, by_bias = weights[4], slopes[4], slopes[5]
    alphabet, size = weight.shape
    for symbol in range(alphabet):
        shares[symbol] = _logit(hidden, symbol, weights)
    largest = shares[0]
    for symbol in range(1, alphabet):
        largest = max(largest, shares[symbol])
    right = shares[target] - largest
    total = ZERO
    for symbol in range(alphabet):
        shares[symbol] = math.exp(shares[symbol] - largest)
        total += shares[symbol]
    for unit in range(size):
        back[unit] = 0
    factor = scale / total
    for symbol in range(alphabet):
        slope = shares[symbol] * factor
        if symbol == target:
            slope -= scale
        by_bias[symbol] += slope
        for unit in range(size):
            by_weight[symbol, unit] += slope * hidden[unit]
            back[unit] += slope * weight[symbol, unit]
    return math.log(total) - right


@inlined
def _srn(relu, text, length, weights, work):
    """An SRN reads: h = f(W x + U h + b)."""
    w, u, bias, hidden = weights[0], weights[1], weights[2], work[0]
    size = len(bias)
    for time in range(length):
        for unit in range(size):
            net = w[unit, text[time]] + bias[unit]
            for other in range(size):
                net += u[unit, other] * hidden[time, other]
            hidden[time + 1, unit] = _activation(relu, net)


@inlined
def _srn_back(relu, text, length, d_start, weights, slopes, work):
    """Gradients of what `_srn` did."""
    u, d_w, d_u, d_bias = weights[1], slopes[0], slopes[1], slopes[2]
    hidden, back, carry = work[0], work[4], work[5][0]
    size = len(d_bias)
    for unit in range(size):
        carry[unit] = 0
    for time in range(length - 1, -1, -1):
        for unit in range(size):
            back[time, unit] = (back[time, unit] + carry[unit]) * _slope(relu, hidden[time + 1, unit])
            carry[unit] = 0
        for unit in range(size):
            delta = back[time, unit]
            d_w[unit, text[time]] += delta
            d_bias[unit] += delta
            for other in range(size):
                d_u[unit, other] += delta * hidden[time, other]
                carry[other] += delta * u[unit, other]
    for unit in range(size):
        d_start[0, unit] = carry[unit]


@inlined
def _lstm(peephole, text, length, weights, work):
    """An LSTM reads; blocks are input gate, forget gate, candidate, output gate."""
    w, u, bias, peep = weights[0], weights[1], weights[2], weights[3]
    hidden, context, squashed, gates, net_inputs = work[0], work[1], work[2], work[3], work[6]
    size = u.shape[1]
    for time in range(length):
        for place in range(4 * size):
            net = w[place, text[time]] + bias[place]
            for other in range(size):
                net += u[place, other] * hidden[time, other]
            net_inputs[place] = net
        for unit in range(size):
            before = context[time, unit]
            to_input, to_forget, to_output = net_inputs[unit], net_inputs[size + unit], net_inputs[3 * size + unit]
            if peephole:
                to_input += peep[0, unit] * before
                to_forget += peep[1, unit] * before
            input_gate, forget_gate = _sigmoid(to_input), _sigmoid(to_forget)
            candidate = _tanh(net_inputs[2 * size + unit])
            now = forget_gate * before + input_gate * candidate
            if peephole:
                to_output += peep[2, unit] * now
            output_gate, through = _sigmoid(to_output), _tanh(now)
            gates[time, 0, unit], gates[time, 1, unit] = input_gate, forget_gate
            gates[time, 2, unit], gates[time, 3, unit] = candidate, output_gate
            context[time + 1, unit], squashed[time + 1, unit] = now, through
            hidden[time + 1, unit] = output_gate * through


@inlined
def _lstm_back(peephole, text, length, d_start, weights, slopes, work):
    """Gradients of what `_lstm` did."""
    u, peep = weights[1], weights[3]
    d_w, d_u, d_bias, d_peep = slopes[0], slopes[1], slopes[2], slopes[3]
    hidden, context, squashed, gates, back = work[0], work[1], work[2], work[3], work[4]
    carry, carry_context, delta = work[5][0], work[5][1], work[6]
    size = u.shape[1]
    for unit in range(size):
        carry[unit], carry_context[unit] = 0, 0
    for time in range(length - 1, -1, -1):
        for unit in range(size):
            input_gate, forget_gate = gates[time, 0, unit], gates[time, 1, unit]
            candidate, output_gate = gates[time, 2, unit], gates[time, 3, unit]
            through = squashed[time + 1, unit]
            by_hidden = back[time, unit] + carry[unit]
            to_output = by_hidden * through * output_gate * (ONE - output_gate)
            by_context = by_hidden * output_gate * (ONE - through * through) + carry_context[unit]
            if peephole:
                by_context += to_output * peep[2, unit]
            to_input = by_context * candidate * input_gate * (ONE - input_gate)
            to_forget = by_context * context[time, unit] * forget_gate * (ONE - forget_gate)
            delta[unit], delta[size + unit] = to_input, to_forget
            delta[2 * size + unit] = by_context * input_gate * (ONE - candidate * candidate)
            delta[3 * size + unit] = to_output
            carry_context[unit] = by_context * forget_gate
            if peephole:
                carry_context[unit] += to_input * peep[0, unit] + to_forget * peep[1, unit]
                d_peep[0, unit] += to_input * context[time, unit]
                d_peep[1, unit] += to_forget * context[time, unit]
                d_peep[2, unit] += to_output * context[time + 1, unit]
            carry[unit] = 0
        for place in range(4 * size):
            d_w[place, text[time]] += delta[place]
            d_bias[place] += delta[place]
            for other in range(size):
                d_u[place, other] += delta[place] * hidden[time, other]
                carry[other] += delta[place] * u[place, other]
    for unit in range(size):
        d_start[0, unit], d_start[1, unit] = carry[unit], carry_context[unit]


@inlined
def _gru(text, length, weights, work):
    """A GRU reads; blocks are reset gate, update gate, candidate, and what the reset gate gates."""
    w, u, bias, candidate_bias = weights[0], weights[1], weights[2], weights[3][0]
    hidden, gates, from_hidden = work[0], work[3], work[6]
    size = u.shape[1]
    for time in range(length):
        for place in range(3 * size):
            net = ZERO * bias[place]
            for other in range(size):
                net += u[place, other] * hidden[time, other]
            from_hidden[place] = net
        for unit in range(size):
            last = 2 * size + unit
            reset = _sigmoid(from_hidden[unit] + w[unit, text[time]] + bias[unit])
            update = _sigmoid(from_hidden[size + unit] + w[size + unit, text[time]] + bias[size + unit])
            recurrent = from_hidden[last] + candidate_bias[unit]
            candidate = _tanh(w[last, text[time]] + bias[last] + reset * recurrent)
            gates[time, 0, unit], gates[time, 1, unit] = reset, update
            gates[time, 2, unit], gates[time, 3, unit] = candidate, recurrent
            hidden[time + 1, unit] = (ONE - update) * candidate + update * hidden[time, unit]


@inlined
def _gru_back(text, length, d_start, weights, slopes, work):
    """Gradients of what `_gru` did."""
    u, d_w, d_u, d_bias, d_candidate_bias = weights[1], slopes[0], slopes[1], slopes[2], slopes[3][0]
    hidden, gates, back = work[0], work[3], work[4]
    carry, gated, delta = work[5][0], work[5][1], work[6]
    size = u.shape[1]
    for unit in range(size):
        carry[unit] = 0
    for time in range(length - 1, -1, -1):
        for unit in range(size):
            reset, update = gates[time, 0, unit], gates[time, 1, unit]
            candidate, recurrent = gates[time, 2, unit], gates[time, 3, unit]
            by_hidden = back[time, unit] + carry[unit]
            to_candidate = by_hidden * (ONE - update) * (ONE - candidate * candidate)
            delta[unit] = to_candidate * recurrent * reset * (ONE - reset)
            delta[size + unit] = by_hidden * (hidden[time, unit] - candidate) * update * (ONE - update)
            delta[2 * size + unit] = to_candidate
            gated[unit] = to_candidate * reset
            carry[unit] = by_hidden * update
        for place in range(3 * size):
            d_w[place, text[time]] += delta[place]
            d_bias[place] += delta[place]
            through = delta[place]
            if place >= 2 * size:
                through = gated[place - 2 * size]
                d_candidate_bias[place - 2 * size] += through
            for other in range(size):
                d_u[place, other] += through * hidden[time, other]
                carry[other] += through * u[place, other]
    for unit in range(size):
        d_start[0, unit] = carry[unit]
