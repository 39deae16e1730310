"""The updates of `hudyn.kernels.grid.reference`: one loop a member."""

import math

import numpy as np
from torch import Tensor
from torch.optim import Optimizer

from hudyn.kernels.numba.compile import compiled, share_out
from hudyn.kernels.numba.optimizers import fused_steps, optimizer_step
from hudyn.metrics.success import SuccessRecord
from hudyn.networks.grid import GridMLP
from hudyn.population import Population

SIGMOID, TANH, RELU = range(3)
CODES = {"sigmoid": SIGMOID, "tanh": TANH, "relu": RELU}


def updates(
    population: Population, optimizer: Optimizer, points: Tensor, labels: Tensor, success: SuccessRecord, number: int
) -> None:
    """See `hudyn.kernels.grid.reference`; the optimizer is a plain SGD or Adam."""
    network = population.network
    assert isinstance(network, GridMLP)
    arrays = [points[:, 0].numpy().copy(), points[:, 1].numpy().copy(), labels.numpy()]
    arrays += [counts.numpy() for counts in (success.streak, success.first, success.updates)]
    with fused_steps(optimizer, list(population.parameters()), population.members, number) as steps:

        def train(members: np.ndarray) -> None:
            _train(members, CODES[network.activation], success.stop_after, *arrays, steps)

        share_out(train, (~success.frozen).nonzero()[:, 0].numpy())


@compiled
def _train(members, activation, stop_after, xs, ys, labels, streak, first, made, steps):
    """Make all updates of each of `members`, or those until it is frozen.

    A member's parameters are in GridMLP's order: hidden weights [hidden, 2], hidden biases [hidden], output weights
    [hidden], output bias.
    """
    one = np.float32(1)
    items, width, dtype = len(xs), steps.parameters.shape[1], steps.parameters.dtype
    size = (width - 1) // 4
    hidden = np.empty((size, items), dtype)
    outputs = np.empty(items, dtype)  # log-odds, then derivatives of the loss by them
    gradient = np.empty(width, dtype)
    d_hidden_weight, d_hidden_bias = gradient[: 2 * size].reshape((size, 2)), gradient[2 * size : 3 * size]
    d_output_weight = gradient[3 * size : 4 * size]
    for member in members:
        vector = steps.parameters[member]
        hidden_weight, hidden_bias = vector[: 2 * size].reshape((size, 2)), vector[2 * size : 3 * size]
        output_weight = vector[3 * size : 4 * size]
        for update in range(len(steps.sizes)):
            outputs[:] = vector[4 * size]
            for unit in range(size):
                to_x, to_y, bias = hidden_weight[unit, 0], hidden_weight[unit, 1], hidden_bias[unit]
                to_output = output_weight[unit]
                for item in range(items):
                    net = to_x * xs[item] + to_y * ys[item] + bias
                    if activation == SIGMOID:
                        value = one / (one + math.exp(-net))
                    elif activation == TANH:
                        value = math.tanh(net)
                    else:
                        value = max(net, np.float32(0))
                    hidden[unit, item] = value
                    outputs[item] += to_output * value
            correct = 0
            total = np.float32(0)
            for item in range(items):
                correct += (outputs[item] >= 0) == (labels[item] > 0.5)
                outputs[item] = (one / (one + math.exp(-outputs[item])) - labels[item]) / np.float32(items)
                total += outputs[item]
            gradient[4 * size] = total
            for unit in range(size):
                to_output = output_weight[unit]
                by_x = by_y = by_bias = by_output = np.float32(0)
                for item in range(items):
                    value = hidden[unit, item]
                    if activation == SIGMOID:
                        slope = value * (one - value)
                    elif activation == TANH:
                        slope = one - value * value
                    else:
                        slope = one if value > 0 else np.float32(0)
                    delta = outputs[item] * to_output * slope
                    by_x += delta * xs[item]
                    by_y += delta * ys[item]
                    by_bias += delta
                    by_output += outputs[item] * value
                d_hidden_weight[unit, 0], d_hidden_weight[unit, 1] = by_x, by_y
                d_hidden_bias[unit], d_output_weight[unit] = by_bias, by_output
            optimizer_step(
                steps.settings, vector, gradient, steps.first[member], steps.second[member],
                steps.sizes[update], steps.corrections[update],
            )  # fmt: skip
            made[member] += 1
            if correct < items:
                streak[member] = 0
                continue
            streak[member] += 1
            if first[member] == 0:
                first[member] = made[member]
            if streak[member] >= stop_after:
                break
