"""The settings of optimizer steps that may differ by update and by member, and the steps of torch's own optimizers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from hudyn.population import Population

TINY = 1e-6  # torch's clip_grad_norm_ adds it to the norm


@dataclass(frozen=True)
class Average:
    """Exponential moving averages of the parameters of each member.

    Attributes:
        decay: share of an average that a step keeps.
        parameters: the averages, one tensor for each of the population's parameters; each step changes them.
    """

    decay: float
    parameters: Sequence[Tensor]


@dataclass(frozen=True)
class StepSettings:
    """How the next steps are made.

    Attributes:
        rates: learning rate of each step and each group of the optimizer, [steps, groups].
        slices: the members of each group of the optimizer.
        trained: indices of the members that are trained; the others stay as they are.
        clip_norm: largest norm of a member's gradient; None to leave it.
        clip_value: largest absolute value of an element of the gradient; None to leave it.
        average: averages that follow the parameters; None if there are none.
    """

    rates: np.ndarray
    slices: Sequence[slice]
    trained: np.ndarray
    clip_norm: float | None = None
    clip_value: float | None = None
    average: Average | None = None

    def part(self, first: int, last: int) -> "StepSettings":
        """The settings of the steps first..last-1."""
        return replace(self, rates=self.rates[first:last])

    @classmethod
    def constant(cls, optimizer: Optimizer, members: int, steps: int) -> "StepSettings":
        """The steps of an optimizer as it is, of all members."""
        rates = [group["lr"] for group in optimizer.param_groups]
        slices = [slice(*group.get("members", (0, members))) for group in optimizer.param_groups]
        return cls(np.tile(np.array(rates, dtype=float), (steps, 1)), slices, np.arange(members))


class TorchSteps:
    """The steps of torch's own optimizer, with `StepSettings`.

    It is a context: at its end, members that are not trained have their parameters from before, and the optimizer its
    learning rates.

    Args:
        optimizer: optimizer of the population's parameters.
        population: the networks.
        settings: see `StepSettings`.
    """

    def __init__(self, optimizer: Optimizer, population: Population, settings: StepSettings) -> None:
        self._optimizer, self._population, self._settings = optimizer, population, settings
        self._kept: list[Tensor] = []
        self._rates: list[float] = []
        frozen = torch.ones(population.members, dtype=torch.bool)
        frozen[torch.from_numpy(settings.trained)] = False
        self._frozen = frozen

    def __enter__(self) -> "TorchSteps":
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        if self._frozen.any():
            self._kept = [parameter.detach().clone() for parameter in self._population.parameters()]
        return self

    @torch.no_grad()
    def __exit__(self, *_: object) -> None:
        for parameter, before in zip(self._population.parameters(), self._kept, strict=False):
            rows = parameter.view(self._population.members, -1)
            rows[self._frozen] = before.view_as(rows)[self._frozen]
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate

    @torch.no_grad()
    def step(self, number: int) -> None:
        """Clip the gradients of each member, and make the step with this number."""
        members, settings, groups = self._population.members, self._settings, self._optimizer.param_groups
        gradients = []
        if settings.clip_norm is not None or settings.clip_value is not None:
            parameters = self._population.parameters()
            gradients = [parameter.grad.view(members, -1) for parameter in parameters if parameter.grad is not None]
        if settings.clip_norm is not None:
            squares = torch.stack([gradient.square().sum(dim=1) for gradient in gradients]).sum(dim=0)
            factors = (settings.clip_norm / (squares.sqrt() + TINY)).clamp(max=1)[:, None]  # [members, 1]
            for gradient in gradients:
                gradient *= factors
        if settings.clip_value is not None:
            for gradient in gradients:
                gradient.clamp_(-settings.clip_value, settings.clip_value)
        for group, rate, rows in zip(groups, settings.rates[number].tolist(), settings.slices, strict=True):
            group["lr"] = rate
            if len(groups) > 1:
                for view, parameter in zip(group["params"], self._population.parameters(), strict=True):
                    view.grad = None if parameter.grad is None else parameter.grad[rows]
        self._optimizer.step()
        if settings.average is not None:
            for average, parameter in zip(settings.average.parameters, self._population.parameters(), strict=True):
                shares = torch.where(self._frozen, 0.0, 1 - settings.average.decay).to(average)[:, None]
                average.view(members, -1).lerp_(parameter.view(members, -1), shares)
