"""Image classification by a population of networks."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from hudyn.kernels.dense import gradients_by
from hudyn.metrics import Choices, MemberChoices, MemberMeans
from hudyn.metrics.classification import item_losses
from hudyn.metrics.members import spread
from hudyn.population import Population
from hudyn.tasks.characters.data import EvaluationBatch, ImageChunk, KMNISTDataModule
from hudyn.tasks.updates import count_updates, not_finite


class ImageClassifier(LightningModule):
    """Trains a population to name the class of an image, by the mean negative log-likelihood of the true class.

    A Lightning step carries all the updates of one chunk; `global_step` counts updates. Within a chunk backward and
    optimizer step are torch's own, without Lightning's hooks around them, which would cost a fifth of NetLin's time.

    Args:
        network: makes one network, from images [batch, 1, 28, 28] to log-probabilities or logits [batch, classes].
        optimizer: makes the optimizer of a list of parameters.
        members: size of the population.
        seed: seed of member 0; member k has `seed` + k.
        kernel: what gives the gradients: ``reference`` is autograd; ``auto`` takes a fused one where it can.

    Attributes:
        results: latest value of each measure, ``split/name``: [members].
        choices: choices of all members on each split last evaluated.
    """

    small_operations = False

    def __init__(
        self,
        network: Callable[[], nn.Module],
        optimizer: Callable[[Any], Optimizer],
        members: int = 1,
        seed: int = 0,
        kernel: Literal["auto", "reference"] = "auto",
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.population = Population(network, members, seed)
        self.make_optimizer = optimizer
        self.kernel: Literal["auto", "reference"] = kernel
        self.train_means = MemberMeans(members)
        self.collected = nn.ModuleDict({split: MemberChoices() for split in ("val", "test")})
        self.results: dict[str, Tensor] = {}
        self.choices: dict[str, Choices] = {}

    @staticmethod
    def check_network(network: nn.Module, data: KMNISTDataModule) -> None:
        """Raise ValueError unless `network` maps images of `data` to one output a class."""
        images, expected = torch.zeros(2, *data.image_shape), (2, data.classes)
        with torch.no_grad():
            outputs = network.eval()(images)
        found = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        if found != expected:
            raise ValueError(f"given images {tuple(images.shape)}, expected outputs {expected}, got {found}")

    @staticmethod
    def measures(data: KMNISTDataModule) -> list[str]:
        """Names of the measures in `results`."""
        return [f"{split}/{name}" for split in ("train", *data.evaluated_splits) for name in ("loss", "accuracy")]

    def configure_optimizers(self) -> Optimizer:
        """The optimizer of all members' parameters: it acts element by element, so members do not mix."""
        return self.make_optimizer(self.population.parameters())

    def on_train_start(self) -> None:
        """Choose what gives the gradients."""
        trainer: Any = self.trainer
        with trainer.precision_plugin.train_step_context():
            self.gradients = gradients_by(self.kernel, self.population)

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's means anew."""
        self.train_means.reset()

    def training_step(self, chunk: ImageChunk, batch_idx: int) -> dict[str, int]:
        """Make the chunk's updates, and log the losses of every `log_every_n_steps`-th; tell the samples shown."""
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        first_update = self.global_step
        log_probabilities = []
        for update, batch in enumerate(chunk, start=first_update):
            log_probabilities.append(self.gradients(self.population, batch, update))
            self._average_gradients()
            optimizer.step()
        count_updates(self.trainer, len(chunk.sizes))
        joined = torch.cat(log_probabilities, dim=1)  # [members, images, classes]
        losses = item_losses(joined, chunk.targets)  # [members, images]
        right = (joined.argmax(-1) == chunk.targets).sum(dim=1)
        self.train_means.update(losses.sum(dim=1), right, sum(chunk.sizes))
        table = torch.stack([part.sum(dim=1) for part in losses.split(chunk.sizes, dim=1)])  # [updates, members]
        table /= torch.tensor(chunk.divisors, device=table.device)[:, None]
        if self.trainer.world_size > 1:
            table = self.trainer.strategy.reduce(table, reduce_op="mean")
        self._check_finite(table, first_update)
        self._log_losses(table, first_update)
        return {"samples": sum(chunk.sizes) * self.population.members}

    def validation_step(self, batch: EvaluationBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Collect the choices of one batch."""
        split = self._evaluated_splits[dataloader_idx]
        self._collected(split).update(self.population(batch.images), batch.targets, batch.places)

    def test_step(self, batch: EvaluationBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Collect the choices of one batch."""
        self.validation_step(batch, batch_idx, dataloader_idx)

    def on_validation_epoch_end(self) -> None:
        """Turn what was collected into `choices` and `results`."""
        for split in self._evaluated_splits:
            collected = self._collected(split)
            choices = Choices.collected(collected, self.population.members)
            collected.reset()
            self.choices[split] = choices
            self.results |= {f"{split}/loss": choices.losses, f"{split}/accuracy": choices.accuracies}
            means = {f"{split}/loss": choices.losses.mean(), f"{split}/accuracy": choices.accuracies.mean()}
            self.log_dict(means, logger=False)  # for callbacks that watch a measure, such as EarlyStopping
            if not choices.losses.isfinite().all():
                member = int((~choices.losses.isfinite()).nonzero()[0])
                raise not_finite(f"The {split} loss of member {member} is {choices.losses[member]}.")

    def on_test_epoch_end(self) -> None:
        """Turn what was collected into `choices` and `results`."""
        self.on_validation_epoch_end()

    def on_train_batch_end(self, outputs: Any, batch: ImageChunk, batch_idx: int) -> None:
        """After the epoch's last chunk, add its means over its updates to `results`."""
        if self.trainer.is_last_batch or self._all_updates_made:
            means = self.train_means.compute()
            self.results |= {f"train/{name}": values.reshape(-1) for name, values in means.items()}

    def _average_gradients(self) -> None:
        """Make the gradients of all devices those of the whole update."""
        if self.trainer.world_size > 1:
            for parameter in self.population.parameters():
                if parameter.grad is not None:
                    torch.distributed.all_reduce(parameter.grad)
                    parameter.grad /= self.trainer.world_size

    @property
    def _all_updates_made(self) -> bool:
        return 0 <= self.trainer.max_steps <= self.global_step

    @property
    def _evaluated_splits(self) -> list[str]:
        trainer: Any = self.trainer
        return trainer.datamodule.evaluated_splits

    def _collected(self, split: str) -> MemberChoices:
        metric = self.collected[split]
        assert isinstance(metric, MemberChoices)
        return metric

    def _check_finite(self, losses: Tensor, first_update: int) -> None:
        finite = losses.isfinite()
        if not finite.all():
            row, member = (int(i) for i in (~finite).nonzero()[0])
            raise not_finite(
                f"The loss of member {member} is {losses[row, member]} at update {first_update + row + 1}."
            )

    def _log_losses(self, losses: Tensor, first_update: int) -> None:
        trainer: Any = self.trainer
        every = trainer.log_every_n_steps
        for row in range(-(first_update + 1) % every, len(losses), every):
            for logger in self.loggers:
                logger.log_metrics(spread("train/loss", losses[row]), step=first_update + row + 1)
