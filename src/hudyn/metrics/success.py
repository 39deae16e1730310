"""Which members succeed, and after how many updates."""

import math
from typing import Any

import torch
from torch import Tensor, nn


class SuccessRecord(nn.Module):
    """How long each member has had every item right, and since when; kept in checkpoints.

    A member that has had every item right in `stop_after` updates in a row has succeeded for good: it is frozen.
    Updates count from 1. An update is judged by the network just before it.

    Args:
        members: size of the population.
        stop_after: updates in a row with every item right after which a member is frozen.

    Attributes:
        streak: updates in a row, up to the latest, at which every item was right, int64 [members].
        first: the first update at which every item was right, 0 if there was none, int64 [members].
        updates: updates made, int64 [members].
    """

    streak: Tensor
    first: Tensor
    updates: Tensor

    def __init__(self, members: int, stop_after: int) -> None:
        super().__init__()
        self.stop_after = stop_after
        for name in ("streak", "first", "updates"):
            self.register_buffer(name, torch.zeros(members, dtype=torch.int64))

    @property
    def frozen(self) -> Tensor:
        """Whether each member has succeeded for good, bool [members]."""
        return self.streak >= self.stop_after

    def update(self, right: Tensor) -> Tensor:
        """Record one more update of the members that are not frozen.

        Args:
            right: whether each member had every item right, bool [members].

        Returns:
            whether each member became frozen by this update, bool [members].
        """
        active = ~self.frozen
        self.updates += active
        self.first = torch.where(active & right & (self.first == 0), self.updates, self.first)
        self.streak = torch.where(active, (self.streak + 1) * right, self.streak)
        return active & self.frozen

    @property
    def first_success(self) -> Tensor:
        """The first update at which every item was right, NaN if there was none, [members]."""
        return torch.where(self.first > 0, self.first.double(), torch.nan)

    @property
    def sustained_success(self) -> Tensor:
        """The first of the `stop_after` updates in a row that froze a member, NaN if it is not frozen, [members]."""
        return torch.where(self.frozen, self.updates.double() - self.stop_after + 1, torch.nan)


class SuccessHistory(nn.Module):
    """Which members were successful at each evaluation; kept in checkpoints.

    Attributes:
        updates: number of updates made before each evaluation.
        solved: whether each member was successful at each evaluation, bool [members] each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.updates: list[int] = []
        self.solved: list[Tensor] = []

    def add(self, updates: int, solved: Tensor) -> None:
        """Record an evaluation, unless one after the same update is recorded already."""
        if updates not in self.updates[-1:]:
            self.updates.append(updates)
            self.solved.append(solved.cpu())

    @property
    def first_success(self) -> Tensor:
        """Updates before the first success, NaN if there was none, [members]."""
        solved = torch.stack(self.solved)  # [evaluations, members]
        first = torch.tensor(self.updates)[solved.int().argmax(dim=0)].double()
        return torch.where(solved.any(dim=0), first, torch.nan)

    @property
    def sustained(self) -> Tensor:
        """Whether a member was successful at every evaluation of the last fifth, bool [members]."""
        return torch.stack(self.solved[-math.ceil(len(self.solved) / 5) :]).all(dim=0)

    @property
    def sustained_success(self) -> Tensor:
        """Updates before the success that lasted to the end, NaN unless `sustained`, [members]."""
        solved = torch.stack(self.solved)
        lasting = solved.flip(0).int().cumprod(dim=0).sum(dim=0)  # evaluations at the end, [members]
        first = torch.tensor(self.updates)[(len(solved) - lasting).clamp(max=len(solved) - 1)].double()
        return torch.where(self.sustained, first, torch.nan)

    def get_extra_state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"updates": self.updates, "solved": torch.stack(self.solved) if self.solved else None}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_extra_state` returned."""
        self.updates = list(state["updates"])
        self.solved = [] if state["solved"] is None else list(state["solved"])
