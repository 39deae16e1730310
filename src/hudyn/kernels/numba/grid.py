"""The updates of `hudyn.kernels.grid.reference`, 16 members at a time."""

from typing import NamedTuple

import numpy as np
from torch import Tensor
from torch.optim import Optimizer

from hudyn.kernels.numba.compile import compiled, inlined
from hudyn.kernels.numba.functions import sigmoid, tanh
from hudyn.kernels.numba.lanes import Sixteen, in_lanes, multiply_add, spread, where
from hudyn.kernels.numba.optimizers import clip, follow, fused_steps, optimizer_step
from hudyn.kernels.steps import StepSettings
from hudyn.kernels.threads import share_out
from hudyn.metrics.success import SuccessRecord
from hudyn.networks.grid import GridMLP
from hudyn.population import Population

SIGMOID, TANH, RELU = range(3)
CODES = {"sigmoid": SIGMOID, "tanh": TANH, "relu": RELU}
WIDTH = Sixteen()


class Points(NamedTuple):
    """The points of an update."""

    xs: np.ndarray  # [items]
    ys: np.ndarray  # [items]
    labels: np.ndarray  # [items]


class Success(NamedTuple):
    """See `hudyn.metrics.success.SuccessRecord`."""

    stop_after: int
    streak: np.ndarray  # [members]
    first: np.ndarray  # [members]
    made: np.ndarray  # [members]


class Scratch(NamedTuple):
    """Arrays that one call works in."""

    hidden: np.ndarray  # [hidden, items, lanes]
    outputs: np.ndarray  # log-odds, then derivatives of the loss by them, [items, lanes]
    gradient: np.ndarray  # [parameters, lanes]
    correct: np.ndarray  # number of points right, [1, lanes]
    active: np.ndarray  # 1 for members that are not frozen, else 0, [1, lanes]


def updates(
    population: Population,
    optimizer: Optimizer,
    settings: StepSettings,
    points: Tensor,
    labels: Tensor,
    success: SuccessRecord,
) -> None:
    """See `hudyn.kernels.grid.reference`."""
    network = population.network
    assert isinstance(network, GridMLP)
    at = Points(points[:, 0].numpy().copy(), points[:, 1].numpy().copy(), labels.numpy())
    counts = Success(success.stop_after, *(part.numpy() for part in (success.streak, success.first, success.updates)))
    with fused_steps(optimizer, population, list(population.parameters()), settings, WIDTH.lanes) as steps:
        dtype, width = steps.parameters.dtype, steps.parameters.shape[1]
        shapes = ((width - 1) // 4, len(at.labels)), (len(at.labels),), (width,), (1,), (1,)

        def train(groups: np.ndarray) -> None:
            scratch = Scratch(*(np.zeros((*shape, WIDTH.lanes), dtype) for shape in shapes))
            _train(groups, WIDTH, CODES[network.activation], scratch, settings.trained, at, counts, steps)

        share_out(train, np.arange(len(steps.parameters)))


@compiled
def _train(groups, width, activation, scratch, trained, points, success, steps):
    """Make all updates of groups of members, or those until each member of a group is frozen.

    Parameters are in GridMLP's order: hidden weights [hidden, 2], hidden biases [hidden], output weights [hidden],
    output bias.
    """
    xs, ys, labels = points.xs, points.ys, points.labels
    items, size = len(xs), scratch.hidden.shape[0]
    hidden, outputs = in_lanes(width, scratch.hidden), in_lanes(width, scratch.outputs)
    gradient, correct, active = (
        in_lanes(width, scratch.gradient), in_lanes(width, scratch.correct), in_lanes(width, scratch.active),
    )  # fmt: skip
    for group in groups:
        members = trained[group * width.lanes : (group + 1) * width.lanes]
        vector, first = in_lanes(width, steps.parameters[group]), in_lanes(width, steps.first[group])
        second, sizes = in_lanes(width, steps.second[group]), in_lanes(width, steps.sizes[group])
        kept, settings = in_lanes(width, steps.kept[group]), in_lanes(width, steps.settings[group])
        average = in_lanes(width, steps.average[group])
        scratch.active[0, :] = 0
        scratch.active[0, : len(members)] = 1
        left = len(members)
        for update in range(len(sizes)):
            if left == 0:
                break
            for item in range(items):
                outputs[item] = vector[4 * size]
            for unit in range(size):
                to_output = vector[3 * size + unit]
                for item in range(items):
                    net = multiply_add(vector[2 * unit + 1], ys[item], vector[2 * size + unit])
                    value = _activate(activation, multiply_add(vector[2 * unit], xs[item], net))
                    hidden[unit, item] = value
                    outputs[item] = multiply_add(to_output, value, outputs[item])
            right, total = spread(outputs[0], 0.0), spread(outputs[0], 0.0)
            for item in range(items):
                says = where(outputs[item] >= 0.0, spread(total, 1.0), 0.0)
                right += where(says == (1.0 if labels[item] > 0.5 else 0.0), spread(total, 1.0), 0.0)
                outputs[item] = (sigmoid(outputs[item]) - labels[item]) / items
                total += outputs[item]
            correct[0] = right
            gradient[4 * size] = total
            for unit in range(size):
                to_output = vector[3 * size + unit]
                by_x, by_y = spread(total, 0.0), spread(total, 0.0)
                by_bias, by_output = spread(total, 0.0), spread(total, 0.0)
                for item in range(items):
                    value = hidden[unit, item]
                    delta = outputs[item] * to_output * _derivative(activation, value)
                    by_x = multiply_add(delta, xs[item], by_x)
                    by_y = multiply_add(delta, ys[item], by_y)
                    by_bias += delta
                    by_output = multiply_add(outputs[item], value, by_output)
                gradient[2 * unit], gradient[2 * unit + 1] = by_x, by_y
                gradient[2 * size + unit], gradient[3 * size + unit] = by_bias, by_output
            clip(gradient, steps.largest_norm, steps.largest_value)
            optimizer_step(
                steps.rule, settings, vector, gradient, first, second, sizes[update] * active[0],
                where(active[0] > 0.0, kept[update], 1.0), steps.corrections[update],
            )  # fmt: skip
            follow(average, vector, steps.average_rate * active[0])
            for lane in range(len(members)):
                if scratch.active[0, lane] == 0:
                    continue
                member = members[lane]
                success.made[member] += 1
                if scratch.correct[0, lane] < items:
                    success.streak[member] = 0
                    continue
                success.streak[member] += 1
                if success.first[member] == 0:
                    success.first[member] = success.made[member]
                if success.streak[member] >= success.stop_after:
                    scratch.active[0, lane] = 0
                    left -= 1


@inlined
def _activate(activation, net):
    if activation == SIGMOID:
        return sigmoid(net)
    if activation == TANH:
        return tanh(net)
    return where(net > 0.0, net, 0.0)


@inlined
def _derivative(activation, value):
    """Derivative of the activation where it has the value `value`."""
    if activation == SIGMOID:
        return value * (1.0 - value)
    if activation == TANH:
        return 1.0 - value * value
    return where(value > 0.0, spread(value, 1.0), 0.0)
