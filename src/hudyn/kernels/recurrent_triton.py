"""Losses and gradients of recurrent networks that predict the next symbol, fused: one launch for all, in Triton.

A program reads one sequence of one member and goes back through time (Werbos 1990), in four passes: forwards; the
predictions; backwards to the derivatives by the units' net inputs; what these add up to for the weights. The second and
fourth take many symbols at once.

All cells share one form. What reaches their units is W x + U h + b, in one block of units or in four: the gates and the
candidate of an LSTM; reset, update, what the candidate takes from the input and what it takes from the hidden state of
a GRU. A GRU's W has no last block and its U no third, and its two biases lie one after the other. An LSTM without
peepholes is one whose peepholes are 0. Triton wants powers of two: sizes are padded with units that are never stored.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

_BYTES_A_WARP = 4096  # of a matrix, 32 registers a thread


def losses_and_gradients(
    cell: str, alphabet: int, symbols: Tensor, lengths: Tensor, start: Tensor, parameters: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Losses of recurrent networks, each on sequences of its own, and their derivatives.

    The loss is the mean negative log-likelihood of the next symbol. Sums are taken in a fixed order, so that a call
    gives the same when repeated. Beside its results, it needs memory for one set of gradients a sequence and, for each
    hidden unit and symbol of the padded sequences, for 3 (SRN), 10 (GRU) or 11 (LSTM) numbers.

    Args:
        cell: ``srn_tanh``, ``srn_relu``, ``lstm``, ``lstm_peepholes`` or ``gru``.
        alphabet: number of symbols.
        symbols: each symbol but the last is read, each but the first predicted; padded; [members, batch, time + 1].
        lengths: number of symbols predicted in each sequence, at least 1, [members, batch].
        start: the state each sequence begins in: hidden, then context where there is one,
            [states, members, batch, hidden].
        parameters: of each member, one after the other in the network's order, but for an SRN's initial state;
            float32 or float64, [members, parameters].

    Returns:
        the losses in nats, [members]; the states at each sequence's end, [states, members, batch, hidden]; the
        derivatives of the losses by `start` and by `parameters`, in their shapes.
    """
    symbols, lengths, start, parameters = (part.contiguous() for part in (symbols, lengths, start, parameters))
    states, members, batch, size = start.shape
    time, count = symbols.shape[2] - 1, parameters.shape[1]
    blocks = 1 if cell.startswith("srn") else 4
    kept = blocks if blocks > 1 else 0
    wide, letters, together = (max(2, triton.next_power_of_2(number)) for number in (size, alphabet, batch))
    column = wide * parameters.element_size()
    warps = min(max(column * max(blocks * wide, letters) // _BYTES_A_WARP, 1), 16)
    at_once = 2 * _BYTES_A_WARP * min(warps, 8)  # at most 64 KiB, for shared memory may have to hold it
    chunk = min(max(at_once // (column * max(wide, letters)), 1), 64)  # symbols
    scratch = parameters.new_empty(members * batch, states + 1 + kept + blocks, time + 1, size)
    losses, gradients = parameters.new_empty(members, batch), parameters.new_empty(members, batch, count)
    ends, d_start = torch.empty_like(start), torch.empty_like(start)
    with torch.cuda.device_of(parameters):
        _train[(members * batch,)](
            symbols, lengths, start, parameters, scratch, losses, ends, d_start, gradients, time, batch, count,
            cell, alphabet, size, states, blocks, kept, letters, wide, together, chunk, num_warps=warps,
        )  # fmt: skip
    return losses.sum(dim=1), ends, d_start, gradients.sum(dim=1)


@triton.jit(do_not_specialize=["most", "batch", "count"])
def _train(
    symbols, lengths, start, parameters, scratch, losses, ends, d_start, gradients, most, batch, count,
    cell: tl.constexpr, alphabet: tl.constexpr, size: tl.constexpr,
    states: tl.constexpr, blocks: tl.constexpr, kept: tl.constexpr,
    letters: tl.constexpr, wide: tl.constexpr, together: tl.constexpr, chunk: tl.constexpr,
):  # fmt: skip
    """The four passes over one sequence, whose number among those of all members is the program's."""
    row = tl.program_id(0).to(tl.int64)
    member = row // batch
    text = symbols + row * (most + 1)
    length = tl.load(lengths + row).to(tl.int32)
    beside = tl.arange(0, together)
    predicted = tl.sum(tl.load(lengths + member * batch + beside, mask=beside < batch, other=0))
    scale = 1.0 / predicted.to(parameters.dtype.element_ty)

    span = (most + 1).to(tl.int64) * size
    hiddens = scratch + row * span * (states + 1 + kept + blocks)  # before each symbol and at the end, [time + 1, size]
    contexts = hiddens + span * (states - 1)  # likewise
    outer = contexts + span  # derivatives by the hidden states through the predictions from them, [time, size]
    gates = outer + span  # [time, kept, size]
    deltas = gates + span * kept  # derivatives by the net inputs, [time, blocks, size]

    fed: tl.constexpr = 3 if cell == "gru" else blocks  # blocks of W, and of U
    weights, slopes = parameters + member * count, gradients + row * count
    at_hidden: tl.constexpr = fed * size * alphabet
    at_bias: tl.constexpr = at_hidden + fed * size * size
    at_peepholes: tl.constexpr = at_bias + blocks * size
    at_output = count - alphabet * (size + 1)

    unit = tl.arange(0, wide)
    other = unit[None, None, :]
    block = tl.arange(0, blocks)[:, None]
    inside = unit < size
    place, placed = block * size + unit[None, :], (block < blocks) & inside[None, :]  # [blocks, wide]
    thirdless, but_third = place - (block == 3).to(tl.int32) * size, placed & (block != 2)
    if cell == "gru":
        from_hidden, fed_back = thirdless, but_third
    else:
        from_hidden, fed_back = place, placed
    u = tl.load(
        weights + at_hidden + from_hidden[:, :, None] * size + other, fed_back[:, :, None] & (other < size), other=0.0
    )  # [blocks, wide, wide]
    b = tl.load(weights + at_bias + place, placed, other=0.0)
    peepholes = tl.load(weights + at_peepholes + thirdless, but_third & (cell == "lstm_peepholes"), other=0.0)

    begin, state = row * size + unit, tl.num_programs(0).to(tl.int64) * size
    hidden = tl.load(start + begin, inside, other=0.0)
    context = tl.zeros_like(hidden)
    tl.store(hiddens + unit, hidden, inside)
    if states == 2:
        context = tl.load(start + state + begin, inside, other=0.0)
        tl.store(contexts + unit, context, inside)
    for time in range(length):
        w = tl.load(weights + place * alphabet + tl.load(text + time), placed & (block < fed), other=0.0)
        nets = w + b + tl.sum(u * hidden[None, None, :], axis=2)
        hidden, context = _step(cell, nets, hidden, context, peepholes, gates + time * kept * size + unit, size, inside)
        tl.store(hiddens + (time + 1) * size + unit, hidden, inside)
        if states == 2:
            tl.store(contexts + (time + 1) * size + unit, context, inside)
    tl.store(ends + begin, hidden, inside)
    if states == 2:
        tl.store(ends + state + begin, context, inside)
    tl.debug_barrier()  # what is stored so far is seen by all threads from here on

    _predict(
        text, length, scale, hiddens + size, outer, losses + row, weights + at_output, slopes + at_output,
        alphabet, size, letters, wide, chunk,
    )  # fmt: skip
    tl.debug_barrier()

    d_hidden, d_context = tl.zeros_like(hidden), tl.zeros_like(hidden)
    for ago in range(length):
        time = length - 1 - ago
        d_hidden += tl.load(outer + time * size + unit, inside, other=0.0)
        before, gate = time * size + unit, gates + time * kept * size + unit
        delta, d_hidden, d_context = _step_back(
            cell, d_hidden, d_context, hiddens + before, contexts + before, peepholes, gate, size, inside
        )
        tl.store(deltas + time * blocks * size + place, delta, placed)
        d_hidden += tl.sum(tl.sum(u * delta[:, :, None], axis=1), axis=0)
    tl.store(d_start + begin, d_hidden, inside)
    if states == 2:
        tl.store(d_start + state + begin, d_context, inside)
    tl.debug_barrier()

    for index in range(blocks):
        _add_up(
            text, length, hiddens, contexts, deltas, slopes, slopes + at_hidden, slopes + at_bias,
            slopes + at_peepholes, index, cell, alphabet, size, blocks, letters, wide, chunk,
        )  # fmt: skip


@triton.jit
def _step(cell: tl.constexpr, nets, hidden, context, peepholes, gate, size: tl.constexpr, inside):
    """Hidden and context state after the net inputs [blocks, wide]; keeps what `_step_back` needs."""
    if cell == "srn_tanh":
        hidden = _tanh(_part(nets, 0))
    elif cell == "srn_relu":
        hidden = _part(nets, 0)
        hidden = tl.where(hidden < 0, 0.0, hidden)
    elif cell == "gru":
        reset, update, recurrent = _sigmoid(_part(nets, 0)), _sigmoid(_part(nets, 1)), _part(nets, 3)
        candidate = _tanh(_part(nets, 2) + reset * recurrent)
        hidden = (1 - update) * candidate + update * hidden
        _keep(gate, reset, update, candidate, recurrent, size, inside)
    else:
        input_gate = _sigmoid(_part(nets, 0) + _part(peepholes, 0) * context)
        forget_gate = _sigmoid(_part(nets, 1) + _part(peepholes, 1) * context)
        candidate = _tanh(_part(nets, 2))
        context = forget_gate * context + input_gate * candidate
        output_gate = _sigmoid(_part(nets, 3) + _part(peepholes, 3) * context)
        hidden = output_gate * _tanh(context)
        _keep(gate, input_gate, forget_gate, candidate, output_gate, size, inside)
    return hidden, context


@triton.jit
def _step_back(cell: tl.constexpr, d_hidden, d_context, hiddens, contexts, peepholes, gate, size: tl.constexpr, inside):
    """Derivatives by the net inputs, and by the states before where they do not go through the net inputs."""
    before, after = tl.load(hiddens, inside, other=0.0), tl.load(hiddens + size, inside, other=0.0)
    if cell == "srn_tanh":
        delta = (d_hidden * (1 - after * after))[None, :]
        d_hidden = tl.zeros_like(d_hidden)
    elif cell == "srn_relu":
        delta = tl.where(after > 0, d_hidden, 0.0)[None, :]
        d_hidden = tl.zeros_like(d_hidden)
    elif cell == "gru":
        reset, update, candidate, recurrent = _kept(gate, size, inside)
        to_candidate = d_hidden * (1 - update) * (1 - candidate * candidate)
        to_reset = to_candidate * recurrent * reset * (1 - reset)
        to_update = d_hidden * (before - candidate) * update * (1 - update)
        delta = _parts(to_reset, to_update, to_candidate, to_candidate * reset)
        d_hidden = d_hidden * update
    else:
        input_gate, forget_gate, candidate, output_gate = _kept(gate, size, inside)
        context = tl.load(contexts, inside, other=0.0)
        squashed = _tanh(tl.load(contexts + size, inside, other=0.0))
        to_output = d_hidden * squashed * output_gate * (1 - output_gate)
        d_context += d_hidden * output_gate * (1 - squashed * squashed) + to_output * _part(peepholes, 3)
        to_input = d_context * candidate * input_gate * (1 - input_gate)
        to_forget = d_context * context * forget_gate * (1 - forget_gate)
        to_candidate = d_context * input_gate * (1 - candidate * candidate)
        delta = _parts(to_input, to_forget, to_candidate, to_output)
        d_context = d_context * forget_gate + to_input * _part(peepholes, 0) + to_forget * _part(peepholes, 1)
        d_hidden = tl.zeros_like(d_hidden)
    return delta, d_hidden, d_context


@triton.jit
def _predict(
    text, length, scale, hiddens, outer, loss, weight, d_weight,
    alphabet: tl.constexpr, size: tl.constexpr, letters: tl.constexpr, wide: tl.constexpr, chunk: tl.constexpr,
):  # fmt: skip
    """The loss, the output layer's gradients, and the derivatives by the hidden states after each symbol."""
    letter, unit = tl.arange(0, letters), tl.arange(0, wide)
    at, placed = letter[:, None] * size + unit[None, :], (letter < alphabet)[:, None] & (unit < size)[None, :]
    v = tl.load(weight + at, placed, other=0.0)  # [letters, wide]
    b = tl.load(weight + alphabet * size + letter, letter < alphabet, other=0.0)
    d_v, d_b = tl.zeros_like(v), tl.zeros_like(b)
    total = tl.zeros([chunk], v.dtype)
    for begin in range(0, length, chunk):
        time = begin + tl.arange(0, chunk)
        read = time < length
        here, inside = time[:, None] * size + unit[None, :], read[:, None] & (unit < size)[None, :]
        hidden = tl.load(hiddens + here, inside, other=0.0)  # [chunk, wide]
        target = tl.load(text + 1 + time, read, other=0)
        logits = tl.sum(v[None, :, :] * hidden[:, None, :], axis=2) + b[None, :]  # [chunk, letters]
        logits = tl.where((letter < alphabet)[None, :], logits, float("-inf"))
        logits -= tl.max(logits, axis=1)[:, None]
        right = letter[None, :] == target[:, None]
        odds = tl.exp(logits)
        odds_of_all = tl.sum(odds, axis=1)
        total += tl.where(read, tl.log(odds_of_all) - tl.sum(tl.where(right, logits, 0.0), axis=1), 0.0)
        slope = tl.where(read[:, None], odds / odds_of_all[:, None] - tl.where(right, 1.0, 0.0), 0.0) * scale
        d_v += tl.sum(slope[:, :, None] * hidden[:, None, :], axis=0)
        d_b += tl.sum(slope, axis=0)
        tl.store(outer + here, tl.sum(slope[:, :, None] * v[None, :, :], axis=1), inside)
    tl.store(loss, tl.sum(total) * scale)
    tl.store(d_weight + at, d_v, placed)
    tl.store(d_weight + alphabet * size + letter, d_b, letter < alphabet)


@triton.jit
def _add_up(
    text, length, hiddens, contexts, deltas, d_input, d_hidden, d_bias, d_peephole, block,
    cell: tl.constexpr, alphabet: tl.constexpr, size: tl.constexpr, blocks: tl.constexpr,
    letters: tl.constexpr, wide: tl.constexpr, chunk: tl.constexpr,
):  # fmt: skip
    """The gradients of what feeds one block of units."""
    letter, unit = tl.arange(0, letters), tl.arange(0, wide)
    inside = unit < size
    w, u = tl.zeros([wide, letters], d_bias.dtype.element_ty), tl.zeros([wide, wide], d_bias.dtype.element_ty)
    b, peephole = tl.zeros([wide], w.dtype), tl.zeros([wide], w.dtype)
    for begin in range(0, length, chunk):
        time = begin + tl.arange(0, chunk)
        read, placed = time < length, (time < length)[:, None] & inside[None, :]
        here = time[:, None] * size + unit[None, :]
        delta = tl.load(deltas + (time[:, None] * blocks + block) * size + unit[None, :], placed, other=0.0)
        hidden = tl.load(hiddens + here, placed, other=0.0)  # [chunk, wide]
        symbol = tl.load(text + time, read, other=0)
        w += tl.sum(tl.where(symbol[:, None, None] == letter[None, None, :], delta[:, :, None], 0.0), axis=0)
        u += tl.sum(delta[:, :, None] * hidden[:, None, :], axis=0)
        b += tl.sum(delta, axis=0)
        if cell == "lstm_peepholes":  # the output gate sees the context state after the symbol
            peephole += tl.sum(delta * tl.load(contexts + here + (block == 3) * size, placed, other=0.0), axis=0)
    place, thirdless = block * size + unit, (block - (block == 3)) * size + unit
    to_letter, to_unit = inside[:, None] & (letter < alphabet)[None, :], inside[:, None] & inside[None, :]
    tl.store(d_bias + place, b, inside)
    if cell == "gru":
        tl.store(d_input + place[:, None] * alphabet + letter[None, :], w, to_letter & (block != 3))
        tl.store(d_hidden + thirdless[:, None] * size + unit[None, :], u, to_unit & (block != 2))
    else:
        tl.store(d_input + place[:, None] * alphabet + letter[None, :], w, to_letter)
        tl.store(d_hidden + place[:, None] * size + unit[None, :], u, to_unit)
    if cell == "lstm_peepholes":
        tl.store(d_peephole + thirdless, peephole, inside & (block != 2))


@triton.jit
def _part(tile, index: tl.constexpr):
    """One block of units out of [blocks, wide]."""
    return tl.sum(tl.where(tl.arange(0, tile.shape[0])[:, None] == index, tile, 0.0), axis=0)


@triton.jit
def _parts(first, second, third, fourth):
    """Four blocks of units as [4, wide]."""
    block = tl.arange(0, 4)[:, None]
    earlier = tl.where(block == 0, first[None, :], second[None, :])
    later = tl.where(block == 2, third[None, :], fourth[None, :])
    return tl.where(block < 2, earlier, later)


@triton.jit
def _keep(gate, first, second, third, fourth, size: tl.constexpr, inside):
    tl.store(gate, first, inside)
    tl.store(gate + size, second, inside)
    tl.store(gate + 2 * size, third, inside)
    tl.store(gate + 3 * size, fourth, inside)


@triton.jit
def _kept(gate, size: tl.constexpr, inside):
    first, second = tl.load(gate, inside, other=0.0), tl.load(gate + size, inside, other=0.0)
    third, fourth = tl.load(gate + 2 * size, inside, other=0.0), tl.load(gate + 3 * size, inside, other=0.0)
    return first, second, third, fourth


@triton.jit
def _sigmoid(net):
    """1 / (1 + exp(-net)) without overflow."""
    small = tl.exp(-tl.abs(net))
    return tl.where(net < 0, small, 1.0) / (1.0 + small)


@triton.jit
def _tanh(net):
    """Lambert's continued fraction to its eighth term near 0, where the exponential form would cancel."""
    far = tl.abs(net)
    near = tl.minimum(far, 0.625)
    x = near * near
    above = 2027025.0 + x * (270270.0 + x * (6930.0 + x * 36.0))
    below = 2027025.0 + x * (945945.0 + x * (51975.0 + x * (630.0 + x)))
    small = tl.exp(-2.0 * far)
    size = tl.where(far < 0.625, near * above / below, (1.0 - small) / (1.0 + small))
    return tl.where(net < 0, -size, size)
