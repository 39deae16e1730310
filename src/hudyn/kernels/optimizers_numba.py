"""The steps of torch's plain SGD and Adam inside a numba kernel; their state stays in torch's optimizer."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Adam

from hudyn.kernels.compiled import inlined
from hudyn.population import member_vectors


class FusedSteps:
    """What a kernel needs to make the next steps of an optimizer; `put_back` writes down what came of them.

    Args:
        optimizer: one that `hudyn.kernels.choice.other_optimizer` has nothing against.
        parameters: those of a population, in the order in which the kernel has them.
        members: size of the population.
        number: steps to make at most.

    Attributes:
        arrays: what `optimizer_step` takes, for all members and steps: what it is, parameters and two kinds of state
            [members, elements each], step sizes and corrections [steps], settings.
    """

    def __init__(self, optimizer: Any, parameters: list[Any], members: int, number: int) -> None:
        settings = optimizer.param_groups[0]
        adam = type(optimizer) is Adam
        self._states = [_begun(optimizer.state[parameter], parameter, settings) for parameter in parameters]
        self._number = number
        names = ["exp_avg", "exp_avg_sq"] if adam else ["momentum_buffer"] if settings["momentum"] else []
        self._groups = [parameters, *([state[name] for state in self._states] for name in names)]
        self._vectors = [member_vectors(group, members) for group in self._groups]
        vectors = [vector.numpy() for vector in self._vectors]
        kind = vectors[0].dtype
        vectors += [np.zeros((members, 0), kind)] * (3 - len(vectors))
        if adam:
            beta1, beta2 = settings["betas"]
            steps = np.arange(1, number + 1) + self._states[0]["step"].item()
            sizes, corrections = settings["lr"] / (1 - beta1**steps), np.sqrt(1 - beta2**steps)
            numbers = [1 - beta1, beta2, 1 - beta2, settings["eps"], settings["weight_decay"]]
        else:
            sizes, corrections = np.full(number, float(settings["lr"])), np.ones(number)
            numbers = [settings["momentum"], settings["nesterov"], settings["weight_decay"]]
        self.arrays = (
            True if adam else None,
            *vectors,
            *(values.astype(kind) for values in (sizes, corrections, np.array(numbers))),
        )

    @torch.no_grad()
    def put_back(self) -> None:
        """Give the parameters and the optimizer's state the values that the kernel left."""
        for group, vectors in zip(self._groups, self._vectors, strict=True):
            sizes = [tensor.numel() // len(vectors) for tensor in group]
            for tensor, part in zip(group, vectors.split(sizes, dim=1), strict=True):
                tensor.copy_(part.view_as(tensor))
        for state in self._states:
            if "step" in state:
                state["step"] += self._number


@inlined
def optimizer_step(adam, weights, slopes, first, second, size, correction, numbers):
    """One step of one member: SGD as torch.optim has it where `adam` is None, else Adam (Kingma & Ba 2015)."""
    if adam is None:
        momentum, nesterov, weight_decay = numbers[0], numbers[1], numbers[2]
        for i in range(len(weights)):
            slope = slopes[i] + weight_decay * weights[i]
            if momentum != 0:
                first[i] = momentum * first[i] + slope
                slope = slope + momentum * first[i] if nesterov != 0 else first[i]
            weights[i] -= size * slope
    else:
        decay1, beta2, decay2, epsilon, weight_decay = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
        for i in range(len(weights)):
            slope = slopes[i] + weight_decay * weights[i]
            first[i] += (slope - first[i]) * decay1
            second[i] = second[i] * beta2 + slope * slope * decay2
            weights[i] -= size * first[i] / (np.sqrt(second[i]) / correction + epsilon)


def _begun(state: dict[str, Tensor | None], parameter: Tensor, settings: dict[str, Any]) -> dict[str, Any]:
    """An optimizer's `state` of `parameter`, begun as torch begins it."""
    if "betas" in settings and not state:
        state["step"] = torch.tensor(0.0)
        state["exp_avg"] = torch.zeros_like(parameter)
        state["exp_avg_sq"] = torch.zeros_like(parameter)
    elif settings.get("momentum") and state.get("momentum_buffer") is None:
        state["momentum_buffer"] = torch.zeros_like(parameter)
    return state
