"""The gradients of `hudyn.kernels.recurrent.reference` for SRN, LSTM and GRU, fused: one loop a member, in numba.

Each loop reads a sequence forwards, then goes back through time (Werbos 1990). What happens to a member does not depend
on the others, to the last bit.
"""

import math
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from hudyn.kernels.compiled import compiled, for_members
from hudyn.networks.recurrent import LSTM, SRN, RecurrentNetwork, State
from hudyn.population import Population


def gradients(population: Population, symbols: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
    """See `hudyn.kernels.recurrent.reference`."""
    network = population.network
    assert isinstance(network, RecurrentNetwork)
    members, batch = lengths.shape
    weights, slopes = [], []
    for parameter in population.parameters():
        if parameter.grad is None:
            parameter.grad = torch.empty_like(parameter)
        shape = (members, *parameter.shape[population.members > 1 :])
        weights.append(parameter.detach().view(shape).numpy())
        slopes.append(parameter.grad.zero_().view(shape).numpy())
    losses = torch.empty(members)
    states = 2 if network.has_context else 1
    starts = [part.numpy() for part in state] or [np.zeros((members, batch, network.hidden_size), np.float32)] * states
    ends = [torch.empty(members, batch, network.hidden_size) for _ in range(states)]
    arrays = [symbols.numpy(), lengths.numpy(), *starts, *(end.numpy() for end in ends), losses.numpy()]
    if isinstance(network, SRN):
        train, settings = _srn, [network.activation == "relu", bool(state)]
    elif isinstance(network, LSTM):
        train, settings = _lstm, [network.peepholes is not None]
        if network.peepholes is None:
            weights.insert(3, np.zeros((members, 3, 0), np.float32))
            slopes.insert(3, weights[3])
    else:
        train, settings = _gru, []
    # parameters() has a module's own first, then those of the output layer
    for_members(lambda block: train(block, *settings, *arrays, *weights, *slopes), np.arange(members))
    return losses, tuple(ends)


@njit(inline="always")
def _sigmoid(net: Any) -> Any:
    return np.float32(1) / (np.float32(1) + math.exp(-net))


@njit
def _read_out(hidden, target, scale, weight, bias, weight_slope, bias_slope, back, shares):
    """Loss of one prediction; adds the output layer's gradients, and puts the hidden state's into `back`."""
    alphabet, size = weight.shape
    largest = np.float32(-np.inf)
    for symbol in range(alphabet):
        net = bias[symbol]
        for unit in range(size):
            net += weight[symbol, unit] * hidden[unit]
        shares[symbol] = net
        largest = max(largest, net)
    right = shares[target] - largest
    total = np.float32(0)
    for symbol in range(alphabet):
        shares[symbol] = math.exp(shares[symbol] - largest)
        total += shares[symbol]
    back[:] = 0
    for symbol in range(alphabet):
        slope = shares[symbol] / total
        if symbol == target:
            slope -= np.float32(1)
        slope *= scale
        bias_slope[symbol] += slope
        for unit in range(size):
            weight_slope[symbol, unit] += slope * hidden[unit]
            back[unit] += slope * weight[symbol, unit]
    return math.log(total) - right


@compiled
def _srn(
    members, relu, carried, symbols, lengths, start, end, losses,
    input_weight, hidden_weight, bias, initial, output_weight, output_bias,
    d_input_weight, d_hidden_weight, d_bias, d_initial, d_output_weight, d_output_bias,
):  # fmt: skip
    """Losses, gradients and last states of SRNs: h = f(W x + U h + b)."""
    size, most = hidden_weight.shape[1], symbols.shape[2]
    hidden = np.empty((most, size), np.float32)  # before each symbol, and at the end
    back = np.empty((most, size), np.float32)  # derivatives by the hidden state after each symbol
    carry = np.empty(size, np.float32)
    shares = np.empty(output_weight.shape[1], np.float32)
    for member in members:
        u, du = hidden_weight[member], d_hidden_weight[member]
        scale = np.float32(1) / np.float32(lengths[member].sum())
        loss = np.float32(0)
        for row in range(symbols.shape[1]):
            text, length = symbols[member, row], lengths[member, row]
            for unit in range(size):
                if carried:
                    hidden[0, unit] = start[member, row, unit]
                elif relu:
                    hidden[0, unit] = max(initial[member, unit], np.float32(0))
                else:
                    hidden[0, unit] = math.tanh(initial[member, unit])
            for time in range(length):
                for unit in range(size):
                    net = input_weight[member, unit, text[time]] + bias[member, unit]
                    for other in range(size):
                        net += u[unit, other] * hidden[time, other]
                    hidden[time + 1, unit] = max(net, np.float32(0)) if relu else math.tanh(net)
                loss += _read_out(
                    hidden[time + 1], text[time + 1], scale, output_weight[member], output_bias[member],
                    d_output_weight[member], d_output_bias[member], back[time], shares,
                )  # fmt: skip
            end[member, row] = hidden[length]
            carry[:] = 0
            for time in range(length - 1, -1, -1):
                for unit in range(size):
                    value = hidden[time + 1, unit]
                    slope = (np.float32(1) if value > 0 else np.float32(0)) if relu else np.float32(1) - value * value
                    back[time, unit] = (back[time, unit] + carry[unit]) * slope
                carry[:] = 0
                for unit in range(size):
                    delta = back[time, unit]
                    d_input_weight[member, unit, text[time]] += delta
                    d_bias[member, unit] += delta
                    for other in range(size):
                        du[unit, other] += delta * hidden[time, other]
                        carry[other] += delta * u[unit, other]
            if not carried:
                for unit in range(size):
                    value = hidden[0, unit]
                    slope = (np.float32(1) if value > 0 else np.float32(0)) if relu else np.float32(1) - value * value
                    d_initial[member, unit] += carry[unit] * slope
        losses[member] = loss * scale


@compiled
def _lstm(
    members, peephole, symbols, lengths, start, start_context, end, end_context, losses,
    input_weight, hidden_weight, bias, peepholes, output_weight, output_bias,
    d_input_weight, d_hidden_weight, d_bias, d_peepholes, d_output_weight, d_output_bias,
):  # fmt: skip
    """Losses, gradients and last states of LSTMs; blocks are input gate, forget gate, candidate, output gate."""
    size, most = hidden_weight.shape[2], symbols.shape[2]
    hidden = np.empty((most, size), np.float32)  # before each symbol, and at the end
    context = np.empty((most, size), np.float32)
    gates = np.empty((most, 4, size), np.float32)
    back = np.empty((most, size), np.float32)  # derivatives by the hidden state after each symbol
    carry, carry_context = np.empty(size, np.float32), np.empty(size, np.float32)
    delta = np.empty(4 * size, np.float32)
    shares = np.empty(output_weight.shape[1], np.float32)
    one = np.float32(1)
    for member in members:
        u, du = hidden_weight[member], d_hidden_weight[member]
        peep, d_peep = peepholes[member], d_peepholes[member]
        scale = one / np.float32(lengths[member].sum())
        loss = np.float32(0)
        for row in range(symbols.shape[1]):
            text, length = symbols[member, row], lengths[member, row]
            hidden[0], context[0] = start[member, row], start_context[member, row]
            for time in range(length):
                for unit in range(size):
                    for block in range(4):
                        place = block * size + unit
                        net = input_weight[member, place, text[time]] + bias[member, place]
                        for other in range(size):
                            net += u[place, other] * hidden[time, other]
                        gates[time, block, unit] = net
                    if peephole:
                        gates[time, 0, unit] += peep[0, unit] * context[time, unit]
                        gates[time, 1, unit] += peep[1, unit] * context[time, unit]
                    input_gate, forget_gate = _sigmoid(gates[time, 0, unit]), _sigmoid(gates[time, 1, unit])
                    candidate = math.tanh(gates[time, 2, unit])
                    now = forget_gate * context[time, unit] + input_gate * candidate
                    if peephole:
                        gates[time, 3, unit] += peep[2, unit] * now
                    output_gate = _sigmoid(gates[time, 3, unit])
                    gates[time, 0, unit], gates[time, 1, unit] = input_gate, forget_gate
                    gates[time, 2, unit], gates[time, 3, unit] = candidate, output_gate
                    context[time + 1, unit] = now
                    hidden[time + 1, unit] = output_gate * math.tanh(now)
                loss += _read_out(
                    hidden[time + 1], text[time + 1], scale, output_weight[member], output_bias[member],
                    d_output_weight[member], d_output_bias[member], back[time], shares,
                )  # fmt: skip
            end[member, row], end_context[member, row] = hidden[length], context[length]
            carry[:], carry_context[:] = 0, 0
            for time in range(length - 1, -1, -1):
                for unit in range(size):
                    input_gate, forget_gate = gates[time, 0, unit], gates[time, 1, unit]
                    candidate, output_gate = gates[time, 2, unit], gates[time, 3, unit]
                    squashed = math.tanh(context[time + 1, unit])
                    by_hidden = back[time, unit] + carry[unit]
                    to_output = by_hidden * squashed * output_gate * (one - output_gate)
                    by_context = by_hidden * output_gate * (one - squashed * squashed) + carry_context[unit]
                    if peephole:
                        by_context += to_output * peep[2, unit]
                    to_input = by_context * candidate * input_gate * (one - input_gate)
                    to_forget = by_context * context[time, unit] * forget_gate * (one - forget_gate)
                    delta[unit], delta[size + unit] = to_input, to_forget
                    delta[2 * size + unit] = by_context * input_gate * (one - candidate * candidate)
                    delta[3 * size + unit] = to_output
                    carry_context[unit] = by_context * forget_gate
                    if peephole:
                        carry_context[unit] += to_input * peep[0, unit] + to_forget * peep[1, unit]
                        d_peep[0, unit] += to_input * context[time, unit]
                        d_peep[1, unit] += to_forget * context[time, unit]
                        d_peep[2, unit] += to_output * context[time + 1, unit]
                carry[:] = 0
                for place in range(4 * size):
                    d_input_weight[member, place, text[time]] += delta[place]
                    d_bias[member, place] += delta[place]
                    for other in range(size):
                        du[place, other] += delta[place] * hidden[time, other]
                        carry[other] += delta[place] * u[place, other]
        losses[member] = loss * scale


@compiled
def _gru(
    members, symbols, lengths, start, end, losses,
    input_weight, hidden_weight, bias, candidate_bias, output_weight, output_bias,
    d_input_weight, d_hidden_weight, d_bias, d_candidate_bias, d_output_weight, d_output_bias,
):  # fmt: skip
    """Losses, gradients and last states of GRUs; blocks are reset gate, update gate, candidate."""
    size, most = hidden_weight.shape[2], symbols.shape[2]
    hidden = np.empty((most, size), np.float32)  # before each symbol, and at the end
    gates = np.empty((most, 4, size), np.float32)  # the last block is what the reset gate gates
    back = np.empty((most, size), np.float32)  # derivatives by the hidden state after each symbol
    carry = np.empty(size, np.float32)
    delta, gated = np.empty(3 * size, np.float32), np.empty(size, np.float32)
    shares = np.empty(output_weight.shape[1], np.float32)
    one = np.float32(1)
    for member in members:
        u, du = hidden_weight[member], d_hidden_weight[member]
        scale = one / np.float32(lengths[member].sum())
        loss = np.float32(0)
        for row in range(symbols.shape[1]):
            text, length = symbols[member, row], lengths[member, row]
            hidden[0] = start[member, row]
            for time in range(length):
                for unit in range(size):
                    for block in range(3):
                        place = block * size + unit
                        net = np.float32(0)
                        for other in range(size):
                            net += u[place, other] * hidden[time, other]
                        gates[time, block, unit] = net
                    recurrent = gates[time, 2, unit] + candidate_bias[member, unit]
                    for block in range(3):
                        place = block * size + unit
                        gates[time, block, unit] += input_weight[member, place, text[time]] + bias[member, place]
                    reset, update = _sigmoid(gates[time, 0, unit]), _sigmoid(gates[time, 1, unit])
                    from_input = input_weight[member, 2 * size + unit, text[time]] + bias[member, 2 * size + unit]
                    candidate = math.tanh(from_input + reset * recurrent)
                    gates[time, 0, unit], gates[time, 1, unit] = reset, update
                    gates[time, 2, unit], gates[time, 3, unit] = candidate, recurrent
                    hidden[time + 1, unit] = (one - update) * candidate + update * hidden[time, unit]
                loss += _read_out(
                    hidden[time + 1], text[time + 1], scale, output_weight[member], output_bias[member],
                    d_output_weight[member], d_output_bias[member], back[time], shares,
                )  # fmt: skip
            end[member, row] = hidden[length]
            carry[:] = 0
            for time in range(length - 1, -1, -1):
                for unit in range(size):
                    reset, update = gates[time, 0, unit], gates[time, 1, unit]
                    candidate, recurrent = gates[time, 2, unit], gates[time, 3, unit]
                    by_hidden = back[time, unit] + carry[unit]
                    to_candidate = by_hidden * (one - update) * (one - candidate * candidate)
                    delta[unit] = to_candidate * recurrent * reset * (one - reset)
                    delta[size + unit] = by_hidden * (hidden[time, unit] - candidate) * update * (one - update)
                    delta[2 * size + unit] = to_candidate
                    gated[unit] = to_candidate * reset
                    carry[unit] = by_hidden * update
                for place in range(3 * size):
                    d_input_weight[member, place, text[time]] += delta[place]
                    d_bias[member, place] += delta[place]
                    through = delta[place]
                    if place >= 2 * size:
                        through = gated[place - 2 * size]
                        d_candidate_bias[member, place - 2 * size] += through
                    for other in range(size):
                        du[place, other] += through * hidden[time, other]
                        carry[other] += through * u[place, other]
        losses[member] = loss * scale
