"""Classification of points of the plane by a population of two-layer perceptrons."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hudyn.arguments import NonNegative, Positive, checked
from hudyn.errors import HudynError
from hudyn.kernels.dispatch import Kernel
from hudyn.kernels.grid import updates_by
from hudyn.metrics.kinds import MeasureKind
from hudyn.metrics.labels import label_losses, right_choices
from hudyn.metrics.success import SuccessRecord
from hudyn.networks.grid import GridMLP
from hudyn.population import member_vectors
from hudyn.tasks.base import Criterion, MakeNetwork, MakeOptimizer, Study, TaskModule, Updates
from hudyn.tasks.check.data import CheckGridDataModule, PointsChunk
from hudyn.tasks.snapshots import Snapshots


class GridClassifier(TaskModule[CheckGridDataModule, PointsChunk]):
    """Trains a population to label the points of the plane by binary cross-entropy; every update is on all points.

    A member is frozen once it has had every point right in `stop_after` updates in a row; the run ends when all are.

    Args:
        network: makes one GridMLP; one with given weights is not trained.
        optimizer: makes the optimizer of a list of parameters.
        members: size of the population.
        seed: seed of member 0; member k has `seed` + k.
        stop_after: updates in a row with every point right after which a member is frozen.
        kernel: what makes the updates: ``reference`` is torch, ``numba`` is fused; ``auto`` takes numba if it can.

    Attributes:
        success: how long each member has had every point right, and since when.
        snapshots: the members' parameters during training.
        trained_on: points and labels as one vector; None before training.
    """

    data_class = CheckGridDataModule
    inputs = "points"

    @checked
    def __init__(
        self,
        network: MakeNetwork | Sequence[MakeNetwork],
        optimizer: MakeOptimizer,
        members: Positive = 1,
        seed: NonNegative = 0,
        stop_after: Positive = 2000,
        kernel: Kernel = "auto",
    ) -> None:
        super().__init__(network, optimizer, members, seed, kernel)
        self.success = SuccessRecord(members, stop_after)
        self.snapshots = Snapshots()
        self.trained_on: Tensor | None = None

    def get_extra_state(self) -> dict[str, Any]:
        """What a checkpoint keeps besides parameters and records."""
        return {"trained_on": self.trained_on}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_extra_state` returned."""
        self.trained_on = state["trained_on"]

    @classmethod
    def measures(cls, data: CheckGridDataModule) -> dict[str, MeasureKind]:
        """Loss, accuracy and success on the points, and when success came."""
        return {
            "train/loss": MeasureKind.VALUE,
            "train/accuracy": MeasureKind.VALUE,
            "train/solved": MeasureKind.RATE,
            "train/sustained": MeasureKind.RATE,
            "train/first_success": MeasureKind.TIME,
            "train/sustained_success": MeasureKind.TIME,
            "train/updates": MeasureKind.TIME,
        }

    @classmethod
    def check_network(cls, network: nn.Module, data: CheckGridDataModule) -> None:
        """Raise ValueError unless the hidden units of `network` divide the plane."""
        if not isinstance(network, GridMLP):
            raise ValueError("expected a hudyn.networks.GridMLP, whose hidden units divide the plane")

    def criteria(self) -> Sequence[Criterion]:
        """The member that was first to succeed for good; else the one with the most points right."""
        return [
            Criterion("train/sustained_success", "first to get every point right for good"),
            Criterion("train/accuracy", "most points right", largest=True),
            Criterion("train/loss", "lowest loss"),
        ]

    def choose_kernel(self, optimizer: Optimizer) -> None:
        """Choose what makes the updates."""
        self.run_updates = updates_by(self.kernel, self.population, optimizer)

    def on_train_start(self) -> None:
        """Refuse other points than those trained on before; stop at once if every member is frozen already."""
        super().on_train_start()
        points = member_vectors([self.data.points, self.data.labels], 1)[0].cpu()
        if self.trained_on is not None and not torch.equal(points, self.trained_on):
            raise HudynError("The run was started with other points. Start a new run for these.")
        self.trained_on = points
        if not self.snapshots.updates:
            self.snapshots.take(self.global_step, self.population)
        self.trainer.should_stop = bool(self.success.frozen.all())

    def make_updates(self, chunk: PointsChunk) -> Updates:
        """Make the chunk's updates, with snapshots where they are due; fewer if every member is frozen before."""
        first = update = self.global_step
        last = first + chunk.updates
        updates_before = int(self.success.updates.sum())
        settings = self.step_settings(chunk.updates)
        while update < last and not self.success.frozen.all():
            due = min(last, self.snapshots.next_after(update))
            trained = (~self.success.frozen.cpu() & ~self.stopped).nonzero()[:, 0].numpy()
            part = replace(settings.part(update - first, due - first), trained=trained)
            self.run_updates(self.population, self.optimizer, part, chunk.points, chunk.labels, self.success)
            update = int(self.success.updates.max())  # before `due` if all are frozen
            if update == self.snapshots.next_after(update - 1):
                self.snapshots.take(update, self.population)
        self.trainer.should_stop = bool(self.success.frozen.all())
        losses = label_losses(self._log_odds(chunk.points), chunk.labels)[None]  # [1, members]
        samples = (int(self.success.updates.sum()) - updates_before) * len(chunk.labels)
        return Updates(update - first, samples, losses, [update - first])

    def evaluate(self) -> dict[str, Tensor]:
        """Loss, accuracy and success on all points."""
        log_odds = self._log_odds(self.data.points)  # [members, items]
        correct = right_choices(log_odds, self.data.labels).cpu()
        return {
            "train/loss": label_losses(log_odds, self.data.labels).double().cpu(),
            "train/accuracy": correct.double().mean(dim=1),
            "train/solved": correct.all(dim=1),
        }

    def evaluate_at_end(self) -> dict[str, Tensor]:
        """When success came; nothing for a network that was not trained, or was trained on other points."""
        points = member_vectors([self.data.points, self.data.labels], 1)[0].cpu()
        history = {
            "train/sustained": self.success.frozen,
            "train/first_success": self.success.first_success,
            "train/sustained_success": self.success.sustained_success,
            "train/updates": self.success.updates.double(),
        }
        if self.trained_on is not None and torch.equal(points, self.trained_on):
            return history
        for name in history:
            self.results.pop(name, None)  # of the run that is evaluated
        return {}

    @torch.no_grad()
    def _log_odds(self, points: Tensor) -> Tensor:
        return self.population(points.to(next(self.population.parameters()).dtype))


CheckStudy: TypeAlias = Study[GridClassifier, CheckGridDataModule]
