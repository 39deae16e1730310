"""Image classification by a population of networks."""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hudyn.arguments import NonNegative, Positive
from hudyn.kernels.dispatch import Kernel
from hudyn.kernels.image import gradients_by
from hudyn.kernels.steps import TorchSteps
from hudyn.metrics.classification import Choices, MemberChoices, MemberMeans, item_losses
from hudyn.metrics.kinds import MeasureKind
from hudyn.tasks.base import Criterion, MakeNetwork, MakeOptimizer, TaskModule, Updates
from hudyn.tasks.characters.data import EvaluationBatch, ImageBatch, ImageChunk, KMNISTDataModule

SPLIT = "test"  # that reports and pages are about


class ImageClassifier(TaskModule[KMNISTDataModule, ImageChunk]):
    """Trains a population to name the class of an image, by the mean negative log-likelihood of the true class.

    Args:
        network: makes one network, from images [batch, 1, 28, 28] to log-probabilities or logits [batch, classes].
        optimizer: makes the optimizer of a list of parameters.
        members: size of the population.
        seed: seed of member 0; member k has `seed` + k.
        kernel: what computes the gradients: ``reference`` is autograd, ``auto`` takes a fused kernel if there is one.

    Attributes:
        choices: predicted classes of all members on each split last evaluated.
    """

    data_class = KMNISTDataModule
    inputs = "images"
    small_operations = False
    half_precision = True

    def __init__(
        self,
        network: MakeNetwork | Sequence[MakeNetwork],
        optimizer: MakeOptimizer,
        members: Positive = 1,
        seed: NonNegative = 0,
        kernel: Kernel = "auto",
    ) -> None:
        super().__init__(network, optimizer, members, seed, kernel)
        self.train_means = MemberMeans(members)
        self.collected = nn.ModuleDict({split: MemberChoices() for split in ("val", "test")})
        self.choices: dict[str, Choices] = {}

    @classmethod
    def measures(cls, data: KMNISTDataModule) -> dict[str, MeasureKind]:
        """Loss and accuracy of every split."""
        splits = ("train", *data.evaluated_splits)
        return {f"{split}/{name}": MeasureKind.VALUE for split in splits for name in ("loss", "accuracy")}

    @classmethod
    def check_network(cls, network: nn.Module, data: KMNISTDataModule) -> None:
        """Raise ValueError unless `network` maps images of `data` to one output a class."""
        images, expected = torch.zeros(2, *data.image_shape), (2, data.classes)
        with torch.no_grad():
            outputs = network.eval()(images)
        given = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        if given != expected:
            raise ValueError(f"for images {tuple(images.shape)}, expected outputs {expected}, got {given}")

    def criteria(self) -> Sequence[Criterion]:
        """The lowest validation loss, else the lowest training loss; the test set has no say."""
        return [Criterion("val/loss", "lowest val/loss"), Criterion("train/loss", "lowest train/loss")]

    def choose_kernel(self, optimizer: Optimizer) -> None:
        """Choose what computes the gradients."""
        self.gradients = gradients_by(self.kernel, self.population)

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's means anew."""
        super().on_train_epoch_start()
        self.train_means.reset()

    def make_updates(self, chunk: ImageChunk) -> Updates:
        """Make the chunk's updates, each on the next batch."""
        optimizer, first = self.optimizer, self.global_step
        log_probabilities = []
        with TorchSteps(optimizer, self.population, self.step_settings(len(chunk.sizes))) as steps:
            for number, batch in enumerate(chunk):
                log_probabilities.append(self._accumulate(batch, first + number))
                self._average_gradients()
                steps.step(number)
        joined = torch.cat(log_probabilities, dim=1)  # [members, images, classes]
        losses = item_losses(joined, chunk.targets)  # [members, images]
        correct = (joined.argmax(-1) == chunk.targets).sum(dim=1)
        self.train_means.update(losses.sum(dim=1), correct, sum(chunk.sizes))
        table = torch.stack([part.sum(dim=1) for part in losses.split(chunk.sizes, dim=1)])  # [updates, members]
        table /= torch.tensor(chunk.divisors, device=table.device)[:, None]
        if self.trainer.world_size > 1:
            table = cast(Tensor, self.trainer.strategy.reduce(table, reduce_op="mean"))
        number = len(chunk.sizes)
        return Updates(number, sum(chunk.sizes) * self.members, table, range(1, number + 1))

    def first_update(self, data: KMNISTDataModule) -> Callable[[], None]:
        """What makes the first update on a copy, with the first of its batches if several are accumulated."""
        population = copy.deepcopy(self.population)
        optimizer = self.make_optimizer(population.parameters())
        (whole,) = data.chunk(0, 0, 1)
        batch = next(_parts(whole, data.accumulated))

        def update() -> None:
            gradients_by(self.kernel, population)(population, *batch, 0)
            optimizer.step()

        return update

    def on_train_batch_end(self, outputs: object, batch: object, batch_idx: int) -> None:
        """Record the epoch's means over its updates after its last chunk."""
        if self.trainer.is_last_batch or 0 <= self.trainer.max_steps <= self.global_step:
            means = self.train_means.compute()
            self.record({f"train/{name}": values.reshape(-1) for name, values in means.items()})

    def validation_step(self, batch: object, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Collect the choices of one batch."""
        assert isinstance(batch, EvaluationBatch)
        split = self.data.evaluated_splits[dataloader_idx]
        self._collected(split).update(self.population(batch.images), batch.targets, batch.places)

    def evaluate(self) -> dict[str, Tensor]:
        """Loss and accuracy on each evaluated split."""
        results: dict[str, Tensor] = {}
        for split in self.data.evaluated_splits:
            collected = self._collected(split)
            choices = self.choices[split] = Choices.collected(collected, self.members)
            collected.reset()
            results |= {f"{split}/loss": choices.losses, f"{split}/accuracy": choices.accuracies}
        return results

    def _accumulate(self, batch: ImageBatch, update: int) -> Tensor:
        """Compute the gradients of an update, batch by batch, and add them up; the log-probabilities of the classes."""
        number = self.data.accumulated
        if number == 1:
            return self.gradients(self.population, *batch, update)
        parameters, log_probabilities = list(self.population.parameters()), []
        totals = [torch.zeros_like(parameter) for parameter in parameters]
        for part, its_batch in enumerate(_parts(batch, number)):
            log_probabilities.append(self.gradients(self.population, *its_batch, update * number + part))
            for total, parameter in zip(totals, parameters, strict=True):
                total += 0 if parameter.grad is None else parameter.grad
        for total, parameter in zip(totals, parameters, strict=True):
            parameter.grad = total
        return torch.cat(log_probabilities, dim=1)

    def _average_gradients(self) -> None:
        """Make the gradients of all devices those of the whole update."""
        if self.trainer.world_size > 1:
            for parameter in self.population.parameters():
                if parameter.grad is not None:
                    torch.distributed.all_reduce(parameter.grad)
                    parameter.grad /= self.trainer.world_size

    def _collected(self, split: str) -> MemberChoices:
        return cast(MemberChoices, self.collected[split])


def _parts(batch: ImageBatch, number: int) -> Iterator[ImageBatch]:
    """The images of an update in `number` batches, whose gradients add up to those of the update."""
    for images, targets in zip(*(tensor.chunk(number, int(batch.per_member)) for tensor in batch[:2]), strict=True):
        yield batch._replace(images=images, targets=targets)
