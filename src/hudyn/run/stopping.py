"""Stops the training of single members; the others go on."""

from typing import Any, Literal

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from hudyn.arguments import NonNegativeFloat, Positive, checked
from hudyn.metrics.kinds import MeasureKind
from hudyn.tasks.base import AnyModule


class MemberEarlyStopping(Callback):
    """Stops a member that has succeeded for good, or whose measure no longer improves; the run ends with the last.

    A member that is not trained any longer keeps its parameters, and costs nothing.

    Args:
        monitor: a measure. A rate has to be 1 in `patience` evaluations in a row; any other measure has to have had no
            better value in the last `patience` evaluations.
        patience: number of evaluations.
        mode: ``min`` or ``max``: which values are better; a rate needs none.
        min_delta: smallest change that is an improvement.
    """

    @checked
    def __init__(
        self,
        monitor: str,
        patience: Positive = 5,
        mode: Literal["min", "max"] = "min",
        min_delta: NonNegativeFloat = 0.0,
    ) -> None:
        self.monitor, self.patience, self.mode, self.min_delta = monitor, patience, mode, min_delta
        self._best = self._waited = torch.empty(0)
        self._stopped: Tensor | None = None

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"best": self._best, "waited": self._waited, "stopped": self._stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._best, self._waited, self._stopped = (state_dict[name] for name in ("best", "waited", "stopped"))

    def on_train_start(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Stop again those that were stopped before the run was interrupted."""
        if self._stopped is None:
            self._stopped = torch.zeros(pl_module.members, dtype=torch.bool)
            self._best = torch.full((pl_module.members,), torch.inf, dtype=torch.float64)
            self._waited = torch.zeros(pl_module.members)
        pl_module.stopped = self._stopped.clone()

    def on_validation_end(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Count the evaluations of success, or without improvement."""
        if self._stopped is None:
            return
        measure = pl_module.results[self.monitor]
        if measure.kind is MeasureKind.RATE:
            self._waited = torch.where(measure.values == 1, self._waited + 1, 0)
        else:
            losses = measure.values if self.mode == "min" else -measure.values
            is_better = losses < self._best - self.min_delta
            self._best = torch.where(is_better, losses, self._best)
            self._waited = torch.where(is_better, 0, self._waited + 1)
        self._stopped |= self._waited >= self.patience
        pl_module.stopped = self._stopped.clone()
        if self._stopped.all():
            trainer.should_stop = True
