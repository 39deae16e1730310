"""Classification of points of the plane by a population of two-layer perceptrons."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from hudyn.errors import HudynError
from hudyn.kernels.choice import Kernel
from hudyn.kernels.grid_mlp import updates_by
from hudyn.metrics.labels import label_losses, right_choices
from hudyn.metrics.members import spread
from hudyn.metrics.success import SuccessRecord
from hudyn.networks.grid import GridMLP
from hudyn.population import Population, member_vectors
from hudyn.tasks.check.data import CheckGridDataModule, PointsChunk
from hudyn.tasks.snapshots import Snapshots
from hudyn.tasks.updates import count_updates, not_finite


class GridClassifier(LightningModule):
    """Trains a population to tell the label of a point, by binary cross-entropy, all points each update.

    A member is frozen once it has had every point right in `stop_after` updates in a row; the run ends when all are.
    A Lightning step carries the updates of one chunk; `global_step` counts updates.

    Args:
        network: makes one GridMLP; one with given weights is not trained.
        optimizer: makes the optimizer of a list of parameters.
        members: size of the population.
        seed: seed of member 0; member k has `seed` + k.
        stop_after: updates in a row with every point right after which a member is frozen.
        kernel: what makes the updates: ``reference`` is torch, ``numba`` is fused; ``auto`` takes it where it can.

    Attributes:
        results: latest value of each measure, ``train/name``: [members].
        success: how long each member has had every point right, and since when.
        snapshots: what the members were in the course of training.
    """

    small_operations = True  # torch waits longer for a second thread than it saves; kernels have threads of their own

    def __init__(
        self,
        network: Callable[[], nn.Module],
        optimizer: Callable[[Any], Optimizer],
        members: int = 1,
        seed: int = 0,
        stop_after: int = 2000,
        kernel: Literal["auto", "reference", "numba"] = "auto",
    ) -> None:
        super().__init__()
        if stop_after < 1:
            raise ValueError(f"stop_after: expected at least 1, got {stop_after}")
        self.automatic_optimization = False
        self.population = Population(network, members, seed)
        self.make_optimizer = optimizer
        self.kernel: Kernel = kernel
        self.success = SuccessRecord(members, stop_after)
        self.snapshots = Snapshots()
        self.results: dict[str, Tensor] = {}
        self.trained_on: Tensor | None = None  # points and labels, as one vector

    def get_extra_state(self) -> dict[str, Any]:
        """What a checkpoint keeps beside parameters and records."""
        return {"trained_on": self.trained_on}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up what `get_extra_state` returned."""
        self.trained_on = state["trained_on"]

    @staticmethod
    def check_network(network: nn.Module, data: CheckGridDataModule) -> None:
        """Raise ValueError unless `network` is one whose hidden units divide the plane."""
        if not isinstance(network, GridMLP):
            raise ValueError("expected a hudyn.networks.GridMLP, whose hidden units divide the plane")

    @staticmethod
    def measures(data: CheckGridDataModule) -> list[str]:
        """Names of the measures in `results`."""
        trained = ("sustained", "first_success", "sustained_success", "updates")
        return [f"train/{name}" for name in ("loss", "accuracy", "solved", *trained)]

    def configure_optimizers(self) -> Optimizer:
        """The optimizer of all members' parameters: it acts element by element, so members do not mix."""
        return self.make_optimizer(self.population.parameters())

    def on_train_start(self) -> None:
        """Choose what makes the updates; there are none to make where all members were frozen before."""
        trainer: Any = self.trainer
        with trainer.precision_plugin.train_step_context():
            self.make_updates = updates_by(self.kernel, self.population, self.optimizers(use_pl_optimizer=False))
        points = member_vectors([trainer.datamodule.points, trainer.datamodule.labels], 1)[0].cpu()
        if self.trained_on is not None and not torch.equal(points, self.trained_on):
            raise HudynError("The points are not those that the run was begun with. Start a new run for other points.")
        self.trained_on = points
        if not self.snapshots.updates:
            self.snapshots.take(self.global_step, self.population)
        trainer.should_stop = bool(self.success.frozen.all())

    def training_step(self, chunk: PointsChunk, batch_idx: int) -> dict[str, int]:
        """Make the chunk's updates, log the losses where `log_every_n_steps` have passed; tell the samples shown."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        trainer: Any = self.trainer
        first = at = self.global_step
        last = first + chunk.updates
        made = int(self.success.updates.sum())
        while at < last and not self.success.frozen.all():
            due = min(last, self.snapshots.next_after(at))
            self.make_updates(self.population, optimizer, chunk.points, chunk.labels, self.success, due - at)
            at = int(self.success.updates.max())  # where all are frozen, before it was due
            if at == self.snapshots.next_after(at - 1):
                self.snapshots.take(at, self.population)
        trainer.should_stop = bool(self.success.frozen.all())
        count_updates(trainer, at - first)
        every = trainer.log_every_n_steps
        if at // every > first // every:
            losses = label_losses(self._log_odds(chunk.points), chunk.labels)
            for logger in self.loggers:
                logger.log_metrics(spread("train/loss", losses), step=at)
        return {"samples": (int(self.success.updates.sum()) - made) * len(chunk.labels)}

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Judge the members by all points."""
        points, labels = batch
        log_odds = self._log_odds(points)  # [members, items]
        right = right_choices(log_odds, labels).cpu()
        self.results |= {
            "train/loss": label_losses(log_odds, labels).double().cpu(),
            "train/accuracy": right.double().mean(dim=1),
            "train/solved": right.all(dim=1),
        }
        if self.trained and not (finite := self.results["train/loss"].isfinite()).all():
            member = int((~finite).nonzero()[0])
            raise not_finite(f"The loss of member {member} is {self.results['train/loss'][member]}.")
        self.log_dict({name: values.double().mean() for name, values in self.results.items()}, logger=False)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Judge the members by all points, and by the way they came to it."""
        self.validation_step(batch, batch_idx)
        points = member_vectors(batch, 1)[0].cpu()
        way = {
            "train/sustained": self.success.frozen.cpu(),
            "train/first_success": self.success.first_success.cpu(),
            "train/sustained_success": self.success.sustained_success.cpu(),
            "train/updates": self.success.updates.double().cpu(),
        }
        if self.trained_on is not None and torch.equal(points, self.trained_on):
            self.results |= way
        else:  # nothing was trained, or on other points
            self.results = {name: values for name, values in self.results.items() if name not in way}

    @property
    def trained(self) -> bool:
        """Whether the members are trained at all: those with given weights are not."""
        return any(parameter.requires_grad for parameter in self.population.parameters())

    @torch.no_grad()
    def _log_odds(self, points: Tensor) -> Tensor:
        return self.population(points)
