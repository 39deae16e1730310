"""The steps of torch's plain SGD and Adam inside a numba kernel; torch's optimizer keeps their state."""

from collections import namedtuple
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from hudyn.kernels.numba.compile import implements, operation
from hudyn.population import member_vectors

# By their classes numba chooses the optimizer; a rate is 1 - beta.
SGDSettings = namedtuple("SGDSettings", ("momentum", "nesterov", "weight_decay"))
AdamSettings = namedtuple("AdamSettings", ("rate1", "beta2", "rate2", "epsilon", "weight_decay"))


class Steps(NamedTuple):
    """Arrays for the next steps of an optimizer: numbers [steps], and [members, parameters] for all else.

    `first` is SGD's momentum or Adam's first moment, `second` Adam's second moment; [members, 0] where there is none.
    """

    settings: SGDSettings | AdamSettings
    parameters: np.ndarray
    first: np.ndarray
    second: np.ndarray
    sizes: np.ndarray
    corrections: np.ndarray


@contextmanager
def fused_steps(optimizer: Optimizer, parameters: Sequence[Tensor], members: int, number: int) -> Iterator[Steps]:
    """Lend a kernel the parameters and the state of an optimizer; they take on the values that the kernel leaves.

    Args:
        optimizer: one for which `hudyn.kernels.dispatch.optimizer_obstacle` is None.
        parameters: parameters of a population, in the kernel's order.
        members: size of the population.
        number: number of steps.
    """
    group = optimizer.param_groups[0]
    adam = isinstance(optimizer, Adam)
    states = [_begun(optimizer.state[parameter], parameter, group) for parameter in parameters]
    names = ["exp_avg", "exp_avg_sq"] if adam else ["momentum_buffer"] if group["momentum"] else []
    tensors = [parameters, *([state[name] for state in states] for name in names)]
    vectors = [member_vectors(kind, members) for kind in tensors]
    arrays = [vector.numpy() for vector in vectors]
    dtype = arrays[0].dtype
    none = np.zeros((members, 0), dtype)
    values, first, second = (*arrays, none, none)[:3]
    settings: SGDSettings | AdamSettings
    if adam:
        beta1, beta2 = group["betas"]
        steps = np.arange(1, number + 1) + states[0]["step"].item()
        sizes, corrections = group["lr"] / (1 - beta1**steps), np.sqrt(1 - beta2**steps)
        settings = AdamSettings(*map(dtype.type, (1 - beta1, beta2, 1 - beta2, group["eps"], group["weight_decay"])))
    else:
        sizes, corrections = np.full(number, float(group["lr"])), np.ones(number)
        settings = SGDSettings(dtype.type(group["momentum"]), group["nesterov"], dtype.type(group["weight_decay"]))
    yield Steps(settings, values, first, second, sizes.astype(dtype), corrections.astype(dtype))
    with torch.no_grad():
        for kind, vector in zip(tensors, vectors, strict=True):
            parts = vector.split([tensor.numel() // members for tensor in kind], dim=1)
            for tensor, part in zip(kind, parts, strict=True):
                tensor.copy_(part.view_as(tensor))
    for state in states:
        if "step" in state:
            state["step"] += number


@operation
def optimizer_step(settings, weights, gradient, first, second, size, correction):
    """Make one step of one member in place."""
    raise NotImplementedError


@implements(optimizer_step, SGDSettings)
def _sgd_step(settings, weights, gradient, first, second, size, correction):
    """As torch.optim.SGD."""
    for i in range(len(weights)):
        slope = gradient[i] + settings.weight_decay * weights[i]
        if settings.momentum != 0:
            first[i] = settings.momentum * first[i] + slope
            slope = slope + settings.momentum * first[i] if settings.nesterov else first[i]
        weights[i] -= size * slope


@implements(optimizer_step, AdamSettings)
def _adam_step(settings, weights, gradient, first, second, size, correction):
    """As torch.optim.Adam (Kingma & Ba 2015)."""
    for i in range(len(weights)):
        slope = gradient[i] + settings.weight_decay * weights[i]
        first[i] += (slope - first[i]) * settings.rate1
        second[i] = second[i] * settings.beta2 + slope * slope * settings.rate2
        weights[i] -= size * first[i] / (np.sqrt(second[i]) / correction + settings.epsilon)


def _begun(state: dict[str, Tensor], parameter: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
    """The optimizer's `state` of `parameter`, initialised as torch does before the first step."""
    if "betas" in group and not state:
        state["step"] = torch.tensor(0.0)
        state["exp_avg"] = torch.zeros_like(parameter)
        state["exp_avg_sq"] = torch.zeros_like(parameter)
    elif group.get("momentum") and state.get("momentum_buffer") is None:
        state["momentum_buffer"] = torch.zeros_like(parameter)
    return state
