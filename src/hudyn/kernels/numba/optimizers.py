"""The steps of torch's optimizers inside a numba kernel; torch's optimizer keeps their state."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer, RMSprop

from hudyn.kernels.numba.compile import inlined
from hudyn.kernels.numba.lanes import as_lanes, from_lanes, multiply_add, spread, square_root, where
from hudyn.kernels.steps import StepSettings
from hudyn.population import Population, member_vectors

TINY = 1e-6  # torch's clip_grad_norm_ adds it to the norm


SGD_RULE, ADAM_RULE, RMSPROP_RULE = range(3)


class Rule(NamedTuple):
    """Which optimizer makes the steps; a number, not a class, so that numba compiles a kernel once for all of them."""

    number: int
    has_momentum: bool = False
    nesterov: bool = False
    decoupled: bool = False  # weight decay, as in AdamW


class Steps(NamedTuple):
    """Arrays for the next steps of some members, a lane each.

    `first` is the momentum or Adam's first moment, `second` the mean square; [groups, 0, lanes] where there is none.
    """

    rule: Rule
    settings: np.ndarray  # in the order that the rule's function takes them, [groups, settings, lanes]
    parameters: np.ndarray  # [groups, parameters, lanes]
    first: np.ndarray
    second: np.ndarray
    sizes: np.ndarray  # step size, for Adam with the correction of its first moment, [groups, steps, lanes]
    kept: np.ndarray  # share of the weights that decoupled weight decay keeps, [groups, steps, lanes]
    corrections: np.ndarray  # factor of the root of Adam's second moment, [steps]
    largest_norm: float  # of a member's gradient; infinite where it is not clipped
    largest_value: float  # of an element of the gradient; infinite where it is not clipped
    average: np.ndarray  # of the parameters, [groups, parameters, lanes]; [groups, 0, lanes] where there is none
    average_rate: float  # share of the parameters in it that a step adds


@contextmanager
def fused_steps(
    optimizer: Optimizer, population: Population, parameters: Sequence[Tensor], settings: StepSettings, lanes: int
) -> Iterator[Steps]:
    """Lend a kernel the parameters and the state of an optimizer; they take on the values that the kernel leaves.

    Args:
        optimizer: one for which `hudyn.kernels.dispatch.optimizer_obstacle` is None.
        population: the networks.
        parameters: their parameters, in the kernel's order.
        settings: the learning rates of the steps, how gradients are clipped, and which members are trained.
        lanes: number of lanes.
    """
    places = {id(parameter): place for place, parameter in enumerate(population.parameters())}
    order = [places[id(parameter)] for parameter in parameters]
    rule, moments, numbers = _rule(optimizer)
    number, groups = len(settings.rates), optimizer.param_groups
    sizes_of_groups = [member_slice.stop - member_slice.start for member_slice in settings.slices]
    owners = np.repeat(np.arange(len(groups)), sizes_of_groups)[settings.trained]  # the group of each member trained
    kinds: list[list[list[Tensor]]] = []  # parameters, then moments, by group
    for group in groups:
        tensors = [group["params"][place] for place in order]
        states = [_begun(optimizer, parameter, moments) for parameter in tensors]
        kinds.append([tensors, *([state[name] for state in states] for name in moments)])
    vectors = [
        torch.cat([member_vectors(kind[index], size) for kind, size in zip(kinds, sizes_of_groups, strict=True)])
        for index in range(1 + len(moments))
    ]
    dtype = vectors[0].numpy().dtype
    arrays = [as_lanes(vector.numpy()[settings.trained], lanes) for vector in vectors]
    none = np.zeros((len(arrays[0]), 0, lanes), dtype)
    by_name = dict(zip(("parameters", *moments), arrays, strict=True))
    averages = [settings.average.parameters[place] for place in order] if settings.average else []
    if averages:
        by_name["average"] = as_lanes(member_vectors(averages, population.members).numpy()[settings.trained], lanes)
    sizes, kept, corrections = settings.rates, np.ones((number, len(groups))), np.ones(number)
    if rule.number == ADAM_RULE:
        beta1, beta2 = groups[0]["betas"]
        steps = np.arange(1, number + 1) + optimizer.state[groups[0]["params"][0]]["step"].item()
        sizes, corrections = sizes / (1 - beta1**steps)[:, None], 1 / np.sqrt(1 - beta2**steps)
        if rule.decoupled:
            kept = 1 - settings.rates * np.array([group["weight_decay"] for group in groups])
    yield Steps(
        rule=rule,
        settings=as_lanes(np.array([numbers(group) for group in groups], dtype)[owners], lanes),
        parameters=arrays[0],
        first=by_name.get("exp_avg", by_name.get("momentum_buffer", none)),
        second=by_name.get("exp_avg_sq", by_name.get("square_avg", none)),
        sizes=as_lanes(sizes.T.astype(dtype)[owners], lanes),
        kept=as_lanes(kept.T.astype(dtype)[owners], lanes),
        corrections=corrections.astype(dtype),
        largest_norm=float(settings.clip_norm or np.inf),  # of an integer, numba would compile the kernel once more
        largest_value=float(settings.clip_value or np.inf),
        average=by_name.get("average", none),
        average_rate=1.0 - settings.average.decay if settings.average else 0.0,
    )
    with torch.no_grad():
        for index, (vector, array) in enumerate(zip(vectors, arrays, strict=True)):
            vector.numpy()[settings.trained] = from_lanes(array, len(owners))
            for kind, rows in zip(kinds, vector.split(sizes_of_groups), strict=True):
                parts = rows.split([tensor.numel() // len(rows) for tensor in kind[index]], dim=1)
                for tensor, part in zip(kind[index], parts, strict=True):
                    tensor.copy_(part.view_as(tensor))
        if averages:
            trained = torch.from_numpy(settings.trained)
            rows = torch.from_numpy(from_lanes(by_name["average"], len(owners)))
            parts = rows.split([tensor.numel() // population.members for tensor in averages], dim=1)
            for tensor, part in zip(averages, parts, strict=True):
                tensor.view(population.members, -1)[trained] = part
    for group in groups:
        for place in order:
            if "step" in optimizer.state[group["params"][place]]:
                optimizer.state[group["params"][place]]["step"] += number


@inlined
def optimizer_step(rule, settings, weights, gradient, first, second, size, kept, correction):
    """Make one step in place."""
    if rule.number == SGD_RULE:
        _sgd_step(rule, settings, weights, gradient, first, size)
    elif rule.number == ADAM_RULE:
        _adam_step(rule, settings, weights, gradient, first, second, size, kept, correction)
    else:
        _rmsprop_step(rule, settings, weights, gradient, first, second, size)


@inlined
def _sgd_step(rule, settings, weights, gradient, first, size):
    """As torch.optim.SGD."""
    momentum, weight_decay = settings[0], settings[1]
    for i in range(len(weights)):
        slope = multiply_add(weight_decay, weights[i], gradient[i])
        if rule.has_momentum:
            first[i] = multiply_add(momentum, first[i], slope)
            slope = multiply_add(momentum, first[i], slope) if rule.nesterov else first[i]
        weights[i] -= size * slope


@inlined
def _adam_step(rule, settings, weights, gradient, first, second, size, kept, correction):
    """As torch.optim.Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019)."""
    rate1, beta2, rate2, epsilon, weight_decay = settings[0], settings[1], settings[2], settings[3], settings[4]
    for i in range(len(weights)):
        slope, weight = gradient[i], weights[i]
        if rule.decoupled:
            weight = weight * kept
        else:
            slope = multiply_add(weight_decay, weight, slope)
        first[i] += (slope - first[i]) * rate1
        second[i] = multiply_add(second[i], beta2, slope * slope * rate2)
        weights[i] = weight - size * first[i] / multiply_add(square_root(second[i]), correction, epsilon)


@inlined
def _rmsprop_step(rule, settings, weights, gradient, first, second, size):
    """As torch.optim.RMSprop (Tieleman & Hinton 2012)."""
    alpha, rate, epsilon, momentum, weight_decay = settings[0], settings[1], settings[2], settings[3], settings[4]
    for i in range(len(weights)):
        slope = multiply_add(weight_decay, weights[i], gradient[i])
        second[i] = multiply_add(second[i], alpha, slope * slope * rate)
        change = slope / (square_root(second[i]) + epsilon)
        if rule.has_momentum:
            first[i] = multiply_add(momentum, first[i], change)
            change = first[i]
        weights[i] -= size * change


@inlined
def follow(average, weights, rate):
    """Move the averages towards the weights."""
    for i in range(len(average)):
        average[i] = multiply_add(weights[i] - average[i], rate, average[i])


@inlined
def clip(gradient, largest_norm, largest_value):
    """Clip the gradient of each member by its norm, as torch.nn.utils.clip_grad_norm_, or element by element."""
    if largest_norm < np.inf:
        squares = gradient[0] * gradient[0]
        for i in range(1, len(gradient)):
            squares = multiply_add(gradient[i], gradient[i], squares)
        factor = largest_norm / (square_root(squares) + TINY)
        factor = where(factor < 1.0, factor, spread(factor, 1.0))
        for i in range(len(gradient)):
            gradient[i] *= factor
    if largest_value < np.inf:
        for i in range(len(gradient)):
            low = where(gradient[i] < -largest_value, -largest_value, gradient[i])
            gradient[i] = where(low > largest_value, largest_value, low)


def _rule(optimizer: Optimizer) -> tuple[Rule, list[str], Callable[[Mapping[str, Any]], list[float]]]:
    """The optimizer's rule, the names of its moments in torch's state, and its settings of a group."""
    groups = optimizer.param_groups
    has_momentum = any(group.get("momentum") for group in groups)
    if isinstance(optimizer, SGD):
        rule = Rule(SGD_RULE, has_momentum, bool(groups[0]["nesterov"]))
        return rule, ["momentum_buffer"] * has_momentum, lambda group: [group["momentum"], group["weight_decay"]]
    if isinstance(optimizer, RMSprop):
        names = ["square_avg"] + ["momentum_buffer"] * has_momentum
        return Rule(RMSPROP_RULE, has_momentum), names, lambda group: [
            group["alpha"], 1 - group["alpha"], group["eps"], group["momentum"], group["weight_decay"],
        ]  # fmt: skip
    assert isinstance(optimizer, Adam)
    beta1, beta2 = groups[0]["betas"]
    rule = Rule(ADAM_RULE, decoupled=bool(groups[0]["decoupled_weight_decay"]))
    return rule, ["exp_avg", "exp_avg_sq"], lambda group: [
        1 - beta1, beta2, 1 - beta2, group["eps"], group["weight_decay"],
    ]  # fmt: skip


def _begun(optimizer: Optimizer, parameter: Tensor, moments: Sequence[str]) -> dict[str, Tensor]:
    """The optimizer's state of `parameter`, initialised as torch does before the first step."""
    state: dict[str, Tensor] = optimizer.state[parameter]
    if not isinstance(optimizer, SGD) and not state:
        state["step"] = torch.tensor(0.0)
    for name in moments:
        if state.get(name) is None:
            state[name] = torch.zeros_like(parameter)
    return state
