"""What every task shares: its data module, its LightningModule, and the study that a report describes."""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, cast

import numpy as np
import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from hudyn.arguments import NonNegative, Positive, checked
from hudyn.errors import HudynError
from hudyn.kernels.dispatch import Kernel
from hudyn.kernels.steps import Average, StepSettings
from hudyn.metrics.kinds import MeasureKind
from hudyn.metrics.measure import Measure
from hudyn.population import Population
from hudyn.schedules import Plateau
from hudyn.tasks.loaders import BatchLoader, UpdateLoader

Chunk = TypeVar("Chunk")
Data = TypeVar("Data", bound="TaskData")
Module = TypeVar("Module", bound="TaskModule")
AnyData: TypeAlias = "TaskData[Any]"
AnyModule: TypeAlias = "TaskModule[Any, Any]"
AnyStudy: TypeAlias = "Study[AnyModule, AnyData]"
MakeNetwork = Callable[[], nn.Module]
MakeOptimizer = Callable[[Iterable[Any]], Optimizer]
MakeScheduler = Callable[[Optimizer], LRScheduler]


class TaskData(LightningDataModule, ABC, Generic[Chunk]):
    """Data of a task, handed out in chunks of several updates.

    Attributes:
        endless: whether the data have no end; the trainer's epochs are then only the time between two evaluations.
        evaluated_splits: names of the splits that are evaluated, in the order of their loaders.
        updates_per_step: updates that one Lightning step makes; the result does not depend on it.
        variants: number of equal parts of the population that have the same seeds.
        accumulates: whether the gradients of several batches can be accumulated for an update.
        accumulated: number of batches whose gradients are accumulated for an update.
    """

    variants: int = 1
    accumulates: ClassVar[bool] = False
    accumulated: int = 1
    endless: ClassVar[bool] = True
    evaluated_splits: Sequence[str] = ("test",)
    updates_per_step: int

    @property
    @abstractmethod
    def updates_per_epoch(self) -> int:
        """Updates of a pass over the data, or of endless data, updates between two evaluations."""

    @abstractmethod
    def chunk(self, epoch: int, first: int, last: int) -> Chunk:
        """What the updates first..last-1 of an epoch are made on."""

    def check_available(self) -> None:
        """Raise what can be known to be wrong before anything is loaded or written.

        Raises:
            ArgumentError: an argument that does not fit the files, or a folder that cannot be used.
        """

    @property
    def device(self) -> torch.device:
        """The trainer's device; the CPU without a trainer."""
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")

    def train_dataloader(self) -> UpdateLoader[Chunk]:
        """The updates of an epoch, in chunks."""
        return UpdateLoader(self.chunk, self.updates_per_epoch, self.updates_per_step, self.trainer)

    def val_dataloader(self) -> Sequence[BatchLoader] | BatchLoader:
        """One empty batch, for a module that evaluates all at once."""
        return BatchLoader(lambda first, last: None, 1, 1)

    def test_dataloader(self) -> Sequence[BatchLoader] | BatchLoader:
        """The same as for validation."""
        return self.val_dataloader()


@dataclass(frozen=True)
class Updates:
    """What came of the updates of one chunk.

    Attributes:
        number: updates made.
        samples: items shown to all members together.
        losses: loss of each member after some of the updates, [rows, members].
        at: number of updates made, from the chunk's first on, at each row of `losses`, [rows].
    """

    number: int
    samples: int
    losses: Tensor
    at: Sequence[int]


@dataclass(frozen=True)
class Training:
    """How the members are trained, beyond the optimizer.

    Attributes:
        variants: settings in which the members differ, by their paths in the config. The members are divided into as
            many equal parts.
        scheduler: makes the schedule of the learning rates, which advances with each update, or if it is a `Plateau`
            with each evaluation; None for constant rates.
        own_rates: whether the learning rates of the members differ during training.
        clip_norm: largest norm of a member's gradient; None to leave it.
        clip_value: largest absolute value of an element of the gradient; None to leave it.
    """

    variants: Sequence[dict[str, float]] = ({},)
    scheduler: MakeScheduler | None = None
    own_rates: bool = False
    clip_norm: float | None = None
    clip_value: float | None = None


@dataclass(frozen=True)
class Criterion:
    """A measure that ranks members, with what to say of the member that is best by it.

    Attributes:
        measure: its name.
        reason: words for "the best member because of …".
        largest: whether a larger value is better.
    """

    measure: str
    reason: str
    largest: bool = False


class TaskModule(LightningModule, ABC, Generic[Data, Chunk]):
    """Trains a population: makes the updates of a chunk in one Lightning step, and evaluates each member.

    `global_step` counts updates. Lightning's hooks run once a chunk: they cost more than an update of a small network.

    Args:
        network: makes one network, or one such function for each variant.
        optimizer: makes the optimizer of a list of parameters.
        members: size of the population.
        seed: seed of member 0; see `Population`.
        kernel: what makes the updates, see `hudyn.kernels`.

    Attributes:
        training_settings: how the members are trained, beyond the optimizer.
        data_class: the data modules that it can be trained on.
        inputs: what its networks read, such as images; one that says that it reads something else is refused.
        small_operations: whether torch's operations are so small that a second thread costs more than it saves.
        half_precision: whether it can be trained in float16 (16-mixed), and its precision be chosen by timing (auto).
        results: the latest value of each measure, by ``split/name``.
        stopped: members that are not trained any longer, bool [members].
        average: averages of the parameters during training; None if there are none.
    """

    data_class: ClassVar[type[TaskData]]
    inputs: ClassVar[str] = ""
    small_operations: ClassVar[bool] = True
    half_precision: ClassVar[bool] = False

    @checked
    def __init__(
        self,
        network: MakeNetwork | Sequence[MakeNetwork],
        optimizer: MakeOptimizer,
        members: Positive = 1,
        seed: NonNegative = 0,
        kernel: Kernel = "auto",
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.population = Population(network, members, seed)
        self.make_optimizer = optimizer
        self.kernel: Kernel = kernel
        self.training_settings = Training()
        self.results: dict[str, Measure] = {}
        self.stopped = torch.zeros(members, dtype=torch.bool)
        self.average: Average | None = None
        self._losses: list[Tensor] = []  # since the last evaluation

    @classmethod
    @abstractmethod
    def measures(cls, data: Data) -> dict[str, MeasureKind]:
        """Every measure that `results` may hold, with its kind."""

    @classmethod
    def network_arguments(cls, data: Data) -> dict[str, object]:
        """Arguments of a network that follow from the data, such as the size of the alphabet."""
        return {}

    @classmethod
    @abstractmethod
    def check_network(cls, network: nn.Module, data: Data) -> None:
        """Raise ValueError unless `network` can be trained on `data`."""

    @abstractmethod
    def choose_kernel(self, optimizer: Optimizer) -> None:
        """Choose what makes the updates."""

    @abstractmethod
    def make_updates(self, chunk: Chunk) -> Updates:
        """Make the updates of a chunk."""

    def first_update(self, data: Data) -> Callable[[], None]:
        """What makes the first update of the run on a copy of its networks, each time that it is called.

        A task whose `half_precision` is true has it; the precision that it is called in is that of the update.
        """
        raise NotImplementedError

    @abstractmethod
    def evaluate(self) -> dict[str, Tensor]:
        """Measure every member, after the evaluation's batches.

        Returns:
            values by measure, [members]; ``train/loss`` is the mean over updates since the last evaluation if it is not
            among them.
        """

    def evaluate_at_end(self) -> dict[str, Tensor]:
        """Measures that only the last evaluation takes."""
        return {}

    @abstractmethod
    def criteria(self) -> Sequence[Criterion]:
        """What ranks the members, the most important first; measures that were not taken are skipped."""

    @property
    def is_like_alone(self) -> bool:
        """Whether every member gets the bits of a run of its own, and all make the same number of updates."""
        return False

    def checkpoint_of(self, checkpoint: Mapping[str, Any], members: slice) -> dict[str, Any]:
        """The part of a population's checkpoint that is about some members, as a run of their own has it.

        Args:
            checkpoint: of the whole population, trained without a schedule of the learning rate.
            members: which ones, all of one variant.
        """
        number = members.stop - members.start

        def part(tensor: Tensor, first: int = 0) -> Tensor:
            chosen = tensor[members.start - first : members.stop - first]
            return (chosen if number > 1 else chosen[0]).clone()

        state = checkpoint["state_dict"]
        population = {name: part(value) for name, value in state.items() if name.startswith("population.")}
        (optimizer,) = checkpoint["optimizer_states"]
        groups = optimizer["param_groups"]
        group = groups[members.start * len(groups) // self.members]
        first, _ = group.get("members", (0, self.members))
        states = {
            place: {
                name: part(value, first) if isinstance(value, Tensor) and value.dim() else value
                for name, value in optimizer["state"][parameter].items()
            }
            for place, parameter in enumerate(group["params"])
            if parameter in optimizer["state"]
        }
        kept = {name: value for name, value in group.items() if name != "members"}
        kept["params"] = list(range(len(group["params"])))
        return {
            **checkpoint,
            "state_dict": {**state, **population},
            "optimizer_states": [{"state": states, "param_groups": [kept]}],
        }

    @property
    def data(self) -> Data:
        """The data module of the trainer."""
        return cast(Data, self.trainer.datamodule)  # type: ignore[attr-defined] # Lightning sets it

    @property
    def members(self) -> int:
        """Size of the population."""
        return self.population.members

    @property
    def parameters_per_member(self) -> int:
        """Number of parameters of one network."""
        return sum(tensor.numel() for tensor in self.population.parameters()) // self.members

    @property
    def trained(self) -> bool:
        """Whether the members are trained at all: networks with given weights are not."""
        return any(parameter.requires_grad for parameter in self.population.parameters())

    @property
    def optimizer(self) -> Optimizer:
        """Torch's optimizer of all parameters, without Lightning's wrapper."""
        return cast(Optimizer, self.optimizers(use_pl_optimizer=False))

    def configure_optimizers(self) -> Any:
        """The optimizer of all members' parameters, which acts element by element, so members do not mix; its schedule.

        Where members have settings of their own, each part of the population is a group of the optimizer; where each
        has a learning rate of its own, each member is.
        """
        groups = self.members if self.training_settings.own_rates else len(self.training_settings.variants)
        if groups == 1:
            optimizer = self.make_optimizer(self.population.parameters())
        else:
            size = self.members // groups
            optimizer = self.make_optimizer([self._group(first, size) for first in range(0, self.members, size)])
        if self.training_settings.scheduler is None:
            return optimizer
        scheduler = self.training_settings.scheduler(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _group(self, first: int, size: int) -> dict[str, Any]:
        """The optimizer's group of `size` members of one variant: views of their parameters, and their settings."""
        variants, last = self.training_settings.variants, first + size
        views = [parameter.detach()[first:last].requires_grad_() for parameter in self.population.parameters()]
        settings = {
            path.removeprefix("optimizer."): value
            for path, value in variants[first * len(variants) // self.members].items()
            if path.startswith("optimizer.")
        }
        return {"params": views, "members": (first, last), **settings}

    def step_settings(self, steps: int) -> StepSettings:
        """The settings of the next `steps` steps; the schedule advances by them."""
        settings = StepSettings.constant(self.optimizer, self.members, steps)
        scheduler = cast(LRScheduler | None, self.lr_schedulers())
        if scheduler is not None and not isinstance(scheduler, Plateau):
            rates = []
            with warnings.catch_warnings():
                # torch expects its optimizer to make a step before each step of the schedule; a kernel makes them
                warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
                for _ in range(steps):
                    rates.append([group["lr"] for group in self.optimizer.param_groups])
                    scheduler.step()
            settings = replace(settings, rates=np.array(rates, dtype=float))
        training, trained = self.training_settings, (~self.stopped).nonzero()[:, 0].numpy()
        return replace(
            settings,
            trained=trained,
            clip_norm=training.clip_norm,
            clip_value=training.clip_value,
            average=self.average,
        )

    def on_train_start(self) -> None:
        """Choose what makes the updates, at the trainer's precision."""
        with self.trainer.precision_plugin.train_step_context():
            self.choose_kernel(self.optimizer)

    def on_train_epoch_start(self) -> None:
        """Begin the mean of the losses until the next evaluation."""
        self._losses = []

    def training_step(self, chunk: Chunk, batch_idx: int) -> dict[str, int]:
        """Make the chunk's updates and log the losses of every `log_every_n_steps`-th; the number of samples."""
        first = self.global_step
        made = self.make_updates(chunk)
        self._count(made.number)
        if self.stopped.any():
            stopped = self.stopped.to(made.losses.device)
            made = replace(made, losses=made.losses.masked_fill(stopped, math.nan))
        finite = made.losses.isfinite() | self.stopped.to(made.losses.device)
        if not finite.all():
            row, member = (int(index) for index in (~finite).nonzero()[0])
            loss, update = made.losses[row, member], first + made.at[row]
            raise not_finite(f"The loss of member {member} is {loss} at update {update}.")
        self._log_losses(first, made)
        self._losses.append(made.losses)
        return {"samples": made.samples}

    def validation_step(self, batch: object, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Collect what `evaluate` needs of a batch; nothing by default."""

    def test_step(self, batch: object, batch_idx: int, dataloader_idx: int = 0) -> None:
        """The same as in validation."""
        self.validation_step(batch, batch_idx, dataloader_idx)

    def on_validation_epoch_end(self) -> None:
        """Measure every member; a schedule that watches a measure advances."""
        self._take(self.evaluate())
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, Plateau):
            scheduler.step(self.results[scheduler.monitor].values.tolist())

    def on_test_epoch_end(self) -> None:
        """Measure every member, with the measures of the last evaluation."""
        self._take(self.evaluate() | self.evaluate_at_end())

    def record(self, results: dict[str, Tensor]) -> None:
        """Put values into `results`, each as the kind of measure that `measures` declares."""
        kinds = self.measures(self.data)
        self.results |= {name: Measure(values, kinds[name]) for name, values in results.items()}

    def best_member(self) -> tuple[int, str]:
        """The member that stands for all where one is shown, and why it is the best; see `criteria`."""
        return best_member(self.results, self.criteria())

    def _take(self, results: dict[str, Tensor]) -> None:
        if self._losses and "train/loss" not in self.results | results:
            results = {"train/loss": torch.cat(self._losses).double().nanmean(dim=0)} | results
        self.record(results)
        # for callbacks that watch a measure, such as EarlyStopping
        self.log_dict({name: values.double().mean() for name, values in results.items()}, logger=False)
        for name, values in results.items():
            wrong = ~values.isfinite() & ~self.stopped.to(values.device)
            if self.trained and name.endswith("/loss") and wrong.any():
                member = int(wrong.nonzero()[0])
                raise not_finite(f"The {name.removesuffix('/loss')} loss of member {member} is {values[member]}.")

    def _count(self, updates: int) -> None:
        """Tell the trainer of updates made without its optimizer wrapper; end the epoch after the run's last update."""
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        for tracker in (progress.total, progress.current):
            tracker.ready += updates
            tracker.completed += updates
        if 0 <= self.trainer.max_steps <= self.trainer.global_step:
            self.trainer.should_stop = True

    def _log_losses(self, first: int, made: Updates) -> None:
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined] # Lightning sets it
        updates = first + np.asarray(made.at)
        for row in np.diff(updates // every, prepend=first // every).nonzero()[0]:
            for logger in self.loggers:
                logger.log_metrics(Measure(made.losses[row]).curves("train/loss"), step=int(updates[row]))


def best_member(results: dict[str, Measure], criteria: Sequence[Criterion]) -> tuple[int, str]:
    """The member that ranks first, and the reason.

    Args:
        results: measures by name.
        criteria: the most important first; a measure that was not taken is skipped, a missing value ranks last.

    Returns:
        index of the member, and the reason of the first criterion that it meets: one by which it has a value, and
        succeeds if the measure is a rate.

    >>> from torch import nan, tensor
    >>> results = {"train/success": Measure(tensor([nan, nan])), "train/loss": Measure(tensor([0.5, 0.3]))}
    >>> best_member(results, [Criterion("train/success", "first to succeed"), Criterion("train/loss", "lowest loss")])
    (1, 'lowest loss')
    """
    taken = [criterion for criterion in criteria if criterion.measure in results]
    if not taken:
        return 0, "first member"
    signed = [results[item.measure].values * (-1 if item.largest else 1) for item in taken]
    ranks = list(zip(*(values.nan_to_num(torch.inf).tolist() for values in signed), strict=True))
    best = ranks.index(min(ranks))
    for criterion in taken:
        value, kind = results[criterion.measure].values[best], results[criterion.measure].kind
        if not value.isnan() and (value > 0 or kind is not MeasureKind.RATE):
            return best, criterion.reason
    return best, taken[-1].reason


@dataclass(frozen=True)
class Study(Generic[Module, Data]):
    """A trained population, the data it was evaluated on, and its curves: what a report describes.

    Attributes:
        module: the population, with its `results`.
        data: what it was evaluated on, set up.
        curves: ``epoch`` (where there are passes over the data) and ``update``, [evaluations]; every measure,
            [evaluations, members].
    """

    module: Module
    data: Data
    curves: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def results(self) -> dict[str, Measure]:
        """The latest value of each measure, by ``split/name``."""
        return self.module.results

    @property
    def members(self) -> int:
        """Size of the population."""
        return self.module.members

    @property
    def seeds(self) -> list[int]:
        """Seed of each member."""
        return self.module.population.seeds

    @property
    def best(self) -> int:
        """Index of the member that figures show where they show one."""
        return self.module.best_member()[0]

    @property
    def best_by(self) -> str:
        """Why it is the best."""
        return self.module.best_member()[1]

    @property
    def best_name(self) -> str:
        """The best member's seed, and for several members why it is the best."""
        name = f"seed {self.seeds[self.best]}{self._settings_of_best}"
        return f"{name}, best of {self.members} networks: {self.best_by}" if self.members > 1 else name

    @property
    def _settings_of_best(self) -> str:
        settings = self.settings(self.best).items()
        return "".join(f", {path.rpartition('.')[2]} {value:g}" for path, value in settings)

    def settings(self, member: int) -> dict[str, float]:
        """The settings of a member in which the members differ, by their paths in the config."""
        variants = self.module.training_settings.variants
        return variants[member * len(variants) // self.members]

    def network(self, member: int | None = None) -> nn.Module:
        """A copy of a member's network on the CPU, in single or double precision; of the best if None."""
        network = self.module.population.member(self.best if member is None else member).cpu().eval()
        first = next(network.parameters(), None)
        return network if first is None or first.dtype is torch.float64 else network.float()

    def table_of_members(self) -> list[dict[str, object]]:
        """A row for each member: its seed, whether it is the best, and the value of every measure."""
        return [
            {"member": member, "seed": self.seeds[member], **self.settings(member), "best": int(member == self.best)}
            | {name: cell(measure.values[member].item()) for name, measure in self.results.items()}
            for member in range(self.members)
        ]


def cell(value: float) -> float | int | str:
    """A number as a table shows it: without a point if it is whole, empty if it is NaN.

    >>> cell(2.0), cell(2.5), cell(float("nan"))
    (2, 2.5, '')
    """
    return "" if math.isnan(value) else int(value) if value.is_integer() else value


def not_finite(what: str) -> HudynError:
    """The error of a loss that is not finite: ``not_finite("The test loss of member 3 is nan.")``."""
    return HudynError(f"{what} Training stopped. A smaller learning rate (optimizer.lr) is the usual remedy.")
