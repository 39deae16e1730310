"""The updates of `hudyn.kernels.grid_mlp.reference`, fused: one loop a member, in numba.

Members do not wait for each other, and what happens to one does not depend on the others, to the last bit.
"""

import math
from typing import Any

import numpy as np
from torch import Tensor

from hudyn.kernels.compiled import compiled, share_out
from hudyn.kernels.optimizers_numba import FusedSteps, optimizer_step
from hudyn.metrics.success import SuccessRecord
from hudyn.networks.grid import GridMLP
from hudyn.population import Population

SIGMOID, TANH, RELU = range(3)
CODES = {"sigmoid": SIGMOID, "tanh": TANH, "relu": RELU}


def updates(
    population: Population, optimizer: Any, points: Tensor, labels: Tensor, success: SuccessRecord, number: int
) -> None:
    """See `hudyn.kernels.grid_mlp.reference`; the optimizer is a plain SGD or Adam."""
    network = population.network
    assert isinstance(network, GridMLP)
    steps = FusedSteps(optimizer, list(population.parameters()), population.members, number)
    arrays = [points[:, 0].numpy().copy(), points[:, 1].numpy().copy(), labels.numpy()]
    arrays += [counts.numpy() for counts in (success.streak, success.first, success.updates)]

    def train(members: np.ndarray) -> None:
        _train(members, CODES[network.activation], success.stop_after, *arrays, *steps.arrays)

    share_out(train, (~success.frozen).nonzero()[:, 0].numpy())
    steps.put_back()


@compiled
def _train(
    members, activation, stop_after, xs, ys, labels, streak, first, made,
    adam, parameters, means, squares, step_sizes, corrections, numbers,
):  # fmt: skip
    """All updates of each of `members`, or those up to its being frozen.

    A member's parameters are those of GridMLP in its own order: hidden weights [hidden, 2], hidden biases [hidden],
    output weights [hidden], output bias.
    """
    one = np.float32(1)
    items, width = len(xs), parameters.shape[1]
    size = (width - 1) // 4
    hidden = np.empty((size, items), parameters.dtype)
    outputs = np.empty(items, parameters.dtype)  # log-odds, then derivatives of the loss by them
    gradient = np.empty(width, parameters.dtype)
    for member in members:
        weights, mean, square = parameters[member], means[member], squares[member]
        for update in range(len(step_sizes)):
            outputs[:] = weights[4 * size]
            for unit in range(size):
                to_x, to_y, bias = weights[2 * unit], weights[2 * unit + 1], weights[2 * size + unit]
                to_output = weights[3 * size + unit]
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
            right = 0
            total = np.float32(0)
            for item in range(items):
                right += (outputs[item] >= 0) == (labels[item] > 0.5)
                outputs[item] = (one / (one + math.exp(-outputs[item])) - labels[item]) / np.float32(items)
                total += outputs[item]
            gradient[4 * size] = total
            for unit in range(size):
                to_output = weights[3 * size + unit]
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
                gradient[2 * unit], gradient[2 * unit + 1] = by_x, by_y
                gradient[2 * size + unit], gradient[3 * size + unit] = by_bias, by_output
            optimizer_step(adam, weights, gradient, mean, square, step_sizes[update], corrections[update], numbers)
            made[member] += 1
            if right < items:
                streak[member] = 0
                continue
            streak[member] += 1
            if first[member] == 0:
                first[member] = made[member]
            if streak[member] >= stop_after:
                break
