"""Losses and gradients of recurrent networks, all sequences of all members in one launch.

A program processes one sequence of one member in four passes: forwards through time; the predictions; back through time
to the derivatives by the net inputs (Werbos 1990); the sums of these that are the weights' gradients. The second and
fourth pass process many symbols at once.

All cells have the same form: net inputs W x + U h + b in one block of units, or in four: input gate, forget gate,
candidate and output gate of an LSTM; reset gate, update gate, and the candidate's parts from the input and from the
hidden state of a GRU. A GRU's W has no fourth block and its U no third, and its two biases are adjacent. An LSTM
without peepholes is one whose peepholes are 0. Triton requires powers of two: sizes are padded with units that are
never stored.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from hudyn.kernels.triton.gru import gru_step, gru_step_back
from hudyn.kernels.triton.lstm import lstm_step, lstm_step_back
from hudyn.kernels.triton.srn import srn_step, srn_step_back

_BYTES_A_WARP = 4096  # of a matrix, 32 registers a thread


def losses_and_gradients(
    cell: str, alphabet: int, symbols: Tensor, lengths: Tensor, start: Tensor, parameters: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """See `hudyn.kernels.recurrent.recurrent_losses`; float32 or float64.

    Sums are taken in a fixed order, so repeated calls give the same results. Besides its results, the call needs memory
    for one set of gradients a sequence and, for each hidden unit and symbol of the padded sequences, for 3 (SRN),
    10 (GRU) or 11 (LSTM) numbers.
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
    """The four passes over one sequence; programs are numbered through the sequences of all members."""
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
    outer = contexts + span  # derivatives by the hidden states through their predictions, [time, size]
    gates = outer + span  # [time, kept, size]
    deltas = gates + span * kept  # derivatives by the net inputs, [time, blocks, size]

    fed: tl.constexpr = 3 if cell == "gru" else blocks  # blocks of W, and of U
    weights, slopes = parameters + member * count, gradients + row * count
    at_hidden_weight: tl.constexpr = fed * size * alphabet
    at_bias: tl.constexpr = at_hidden_weight + fed * size * size
    at_peepholes: tl.constexpr = at_bias + blocks * size
    at_output_weight = count - alphabet * (size + 1)

    unit = tl.arange(0, wide)
    other = unit[None, None, :]
    block = tl.arange(0, blocks)[:, None]
    inside = unit < size
    place, placed = block * size + unit[None, :], (block < blocks) & inside[None, :]  # [blocks, wide]
    skipping_third, but_third = place - (block == 3).to(tl.int32) * size, placed & (block != 2)
    if cell == "gru":
        from_hidden, fed_back = skipping_third, but_third
    else:
        from_hidden, fed_back = place, placed
    u = tl.load(
        weights + at_hidden_weight + from_hidden[:, :, None] * size + other,
        fed_back[:, :, None] & (other < size),
        other=0.0,
    )  # [blocks, wide, wide]
    b = tl.load(weights + at_bias + place, placed, other=0.0)
    peepholes = tl.load(weights + at_peepholes + skipping_third, but_third & (cell == "lstm_peepholes"), other=0.0)

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
        gate = gates + time * kept * size + unit
        if cell == "srn" or cell == "srn_relu":
            hidden = srn_step(cell, nets)
        elif cell == "gru":
            hidden = gru_step(nets, hidden, gate, size, inside)
        else:
            hidden, context = lstm_step(nets, context, peepholes, gate, size, inside)
        tl.store(hiddens + (time + 1) * size + unit, hidden, inside)
        if states == 2:
            tl.store(contexts + (time + 1) * size + unit, context, inside)
    tl.store(ends + begin, hidden, inside)
    if states == 2:
        tl.store(ends + state + begin, context, inside)
    tl.debug_barrier()  # makes what is stored so far visible to all threads

    _predict(
        text, length, scale, hiddens + size, outer, losses + row, weights + at_output_weight, slopes + at_output_weight,
        alphabet, size, letters, wide, chunk,
    )  # fmt: skip
    tl.debug_barrier()

    d_hidden, d_context = tl.zeros_like(hidden), tl.zeros_like(hidden)
    for ago in range(length):
        time = length - 1 - ago
        d_hidden += tl.load(outer + time * size + unit, inside, other=0.0)
        gate, before = gates + time * kept * size + unit, hiddens + time * size + unit
        if cell == "srn" or cell == "srn_relu":
            delta = srn_step_back(cell, d_hidden, tl.load(before + size, inside, other=0.0))
            d_hidden = tl.zeros_like(d_hidden)
        elif cell == "gru":
            delta, d_hidden = gru_step_back(d_hidden, tl.load(before, inside, other=0.0), gate, size, inside)
        else:
            earlier = contexts + time * size + unit
            delta, d_context = lstm_step_back(d_hidden, d_context, earlier, peepholes, gate, size, inside)
            d_hidden = tl.zeros_like(d_hidden)
        tl.store(deltas + time * blocks * size + place, delta, placed)
        d_hidden += tl.sum(tl.sum(u * delta[:, :, None], axis=1), axis=0)
    tl.store(d_start + begin, d_hidden, inside)
    if states == 2:
        tl.store(d_start + state + begin, d_context, inside)
    tl.debug_barrier()

    for index in range(blocks):
        _add_up(
            text, length, hiddens, contexts, deltas, slopes, slopes + at_hidden_weight, slopes + at_bias,
            slopes + at_peepholes, index, cell, alphabet, size, blocks, letters, wide, chunk,
        )  # fmt: skip


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
        total_odds = tl.sum(odds, axis=1)
        total += tl.where(read, tl.log(total_odds) - tl.sum(tl.where(right, logits, 0.0), axis=1), 0.0)
        slope = tl.where(read[:, None], odds / total_odds[:, None] - tl.where(right, 1.0, 0.0), 0.0) * scale
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
    """The gradients of the weights and biases of one block of units."""
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
        if cell == "lstm_peepholes":  # the output gate receives the context state after the symbol
            peephole += tl.sum(delta * tl.load(contexts + here + (block == 3) * size, placed, other=0.0), axis=0)
    place, skipping_third = block * size + unit, (block - (block == 3)) * size + unit
    to_letter, to_unit = inside[:, None] & (letter < alphabet)[None, :], inside[:, None] & inside[None, :]
    tl.store(d_bias + place, b, inside)
    if cell == "gru":
        tl.store(d_input + place[:, None] * alphabet + letter[None, :], w, to_letter & (block != 3))
        tl.store(d_hidden + skipping_third[:, None] * size + unit[None, :], u, to_unit & (block != 2))
    else:
        tl.store(d_input + place[:, None] * alphabet + letter[None, :], w, to_letter)
        tl.store(d_hidden + place[:, None] * size + unit[None, :], u, to_unit)
    if cell == "lstm_peepholes":
        tl.store(d_peephole + skipping_third, peephole, inside & (block != 2))
