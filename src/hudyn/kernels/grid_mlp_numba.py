"""The updates of `hudyn.kernels.grid_mlp.reference` for GridMLP and Adam, fused: one loop a member, in numba.

Members do not wait for each other, and what happens to one does not depend on the others, to the last bit.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hudyn.kernels.compiled import compiled, for_members
from hudyn.metrics.success import SuccessRecord
from hudyn.networks.grid import GridMLP
from hudyn.population import Population, member_vectors

SIGMOID, TANH, RELU = range(3)
CODES = {"sigmoid": SIGMOID, "tanh": TANH, "relu": RELU}


def updates(
    population: Population, optimizer: Any, points: Tensor, labels: Tensor, success: SuccessRecord, number: int
) -> None:
    """See `hudyn.kernels.grid_mlp.reference`."""
    network = population.network
    assert isinstance(network, GridMLP)
    parameters: list[Tensor] = list(population.parameters())
    states = [_adam_state(optimizer, parameter) for parameter in parameters]
    tensors: list[list[Tensor]] = [
        parameters,
        *([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq")),
    ]
    vectors = [member_vectors(group, population.members) for group in tensors]  # each [members, parameters]
    settings = optimizer.param_groups[0]
    beta1, beta2 = settings["betas"]
    steps = np.arange(1, number + 1) + states[0]["step"].item()
    step_sizes = settings["lr"] / (1 - beta1**steps)
    corrections = np.sqrt(1 - beta2**steps)
    columns = [points[:, 0].numpy().copy(), points[:, 1].numpy().copy(), labels.numpy()]
    arrays = [
        *columns,
        *(vector.numpy() for vector in vectors),
        *(counts.numpy() for counts in (success.streak, success.first, success.updates)),
        *(values.astype(np.float32) for values in (step_sizes, corrections)),
    ]
    numbers = [np.float32(value) for value in (1 - beta1, beta2, 1 - beta2, settings["eps"], settings["weight_decay"])]

    def train(members: np.ndarray) -> None:
        _train(members, CODES[network.activation], success.stop_after, *arrays, *numbers)

    for_members(train, (~success.frozen).nonzero()[:, 0].numpy())
    for group, vector in zip(tensors, vectors, strict=True):
        _put_back(vector, group)
    for state in states:
        state["step"] += number


def _adam_state(optimizer: Any, parameter: Any) -> dict[str, Tensor]:
    """The optimizer's state of `parameter`, begun as Adam begins it."""
    state = optimizer.state[parameter]
    if not state:
        state["step"] = torch.tensor(0.0)
        state["exp_avg"] = torch.zeros_like(parameter)
        state["exp_avg_sq"] = torch.zeros_like(parameter)
    return state


@torch.no_grad()
def _put_back(vectors: Tensor, tensors: list[Tensor]) -> None:
    """Copy what `member_vectors` took together back to where it came from."""
    sizes = [tensor.numel() // len(vectors) for tensor in tensors]
    for tensor, part in zip(tensors, vectors.split(sizes, dim=1), strict=True):
        tensor.copy_(part.view_as(tensor))


@compiled
def _train(
    members, activation, stop_after, xs, ys, labels, parameters, means, squares, streak, first, made, step_sizes,
    corrections, decay1, beta2, decay2, epsilon, weight_decay,
):  # fmt: skip
    """All updates of each of `members`, or those up to its being frozen.

    A member's parameters are those of GridMLP in its own order: hidden weights [hidden, 2], hidden biases [hidden],
    output weights [hidden], output bias.
    """
    one = np.float32(1)
    items, width = len(xs), parameters.shape[1]
    size = (width - 1) // 4
    hidden = np.empty((size, items), np.float32)
    outputs = np.empty(items, np.float32)  # log-odds, then derivatives of the loss by them
    gradient = np.empty(width, np.float32)
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
            for i in range(width):  # Adam (Kingma & Ba 2015), as torch.optim has it
                slope = gradient[i] + weight_decay * weights[i]
                mean[i] += (slope - mean[i]) * decay1
                square[i] = square[i] * beta2 + slope * slope * decay2
                weights[i] -= step_sizes[update] * mean[i] / (math.sqrt(square[i]) / corrections[update] + epsilon)
            made[member] += 1
            if right < items:
                streak[member] = 0
                continue
            streak[member] += 1
            if first[member] == 0:
                first[member] = made[member]
            if streak[member] >= stop_after:
                break
