"""Schedules of the learning rate that torch does not have."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from hudyn.arguments import NonNegative, NonNegativeFloat, Positive, Share, checked


class WarmupCosine(LambdaLR):
    """The learning rate rises linearly, then falls to 0 along half a cosine.

    Args:
        optimizer: whose learning rates are the largest.
        total_steps: number of updates of the run.
        warmup: share of them in which the learning rate rises.
    """

    @checked
    def __init__(self, optimizer: Optimizer, total_steps: Positive, warmup: Share = 0.05) -> None:
        rising = warmup * total_steps

        def factor(update: int) -> float:
            if update < rising:
                return (update + 1) / (rising + 1)
            done = min(1.0, (update - rising) / max(1.0, total_steps - rising))
            return 0.5 * (1 + math.cos(math.pi * done))

        super().__init__(optimizer, factor)


class Plateau(LRScheduler):
    """Lowers the learning rate of each member whose measure no longer improves, by torch's ReduceLROnPlateau.

    It advances with each evaluation, not with each update.

    Args:
        optimizer: one with a group for each member.
        monitor: the measure.
        mode: ``min`` or ``max``: which values are better.
        factor: what the learning rate is multiplied by.
        patience: number of evaluations without improvement, after which it is lowered.
        threshold: smallest improvement, relative to the best value.
        cooldown: number of evaluations after which it may be lowered again.
        min_lr: smallest learning rate.
    """

    @checked
    def __init__(
        self,
        optimizer: Optimizer,
        monitor: str = "train/loss",
        mode: Literal["min", "max"] = "min",
        factor: Share = 0.5,
        patience: NonNegative = 10,
        threshold: NonNegativeFloat = 1e-4,
        cooldown: NonNegative = 0,
        min_lr: NonNegativeFloat = 0.0,
    ) -> None:
        self.optimizer, self.monitor = optimizer, monitor
        self._members = []
        for group in optimizer.param_groups:
            its_optimizer = SGD([torch.zeros(1)])  # torch's class takes an optimizer, and changes all of its groups
            its_optimizer.param_groups = [group]
            self._members.append(
                ReduceLROnPlateau(its_optimizer, mode, factor, patience, threshold, cooldown=cooldown, min_lr=min_lr)
            )

    def step(self, values: Sequence[float]) -> None:  # type: ignore[override] # as ReduceLROnPlateau's
        """Advance by one evaluation, with the measure of each member."""
        for member, value, group in zip(self._members, values, self.optimizer.param_groups, strict=True):
            member.optimizer.param_groups = [group]  # the optimizer of a resumed run has new ones
            member.step(value)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"members": [member.state_dict() for member in self._members]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for member, state in zip(self._members, state_dict["members"], strict=True):
            member.load_state_dict(state)
