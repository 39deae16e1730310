"""KMNIST, MNIST and FashionMNIST as a data module: the whole set as bytes on the device, batches by index."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from hudyn.arguments import ArgumentError, NonNegative, Positive, checked
from hudyn.population import member_seeds
from hudyn.seeds import generator
from hudyn.tasks.base import TaskData
from hudyn.tasks.characters import files
from hudyn.tasks.loaders import BatchLoader

CLASS_NAMES = {
    "KMNIST": ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
    "MNIST": [str(digit) for digit in range(10)],
    "FashionMNIST": [
        "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot",
    ],
}  # fmt: skip
KANA = ["お", "き", "す", "つ", "な", "は", "ま", "や", "れ", "を"]


class ImageBatch(NamedTuple):
    """The images of one update, or of one step of an evaluation."""

    images: Tensor  # float in [-1, 1], [batch, 1, 28, 28], or [members, batch, 1, 28, 28] if each member has its own
    targets: Tensor  # classes, [batch] or [members, batch]
    divisor: float  # divides the sum of losses over this batch to give the mean loss of the whole update
    per_member: bool  # whether images and targets have a leading member axis


@dataclass
class ImageChunk:
    """The images of several updates, scaled together."""

    images: Tensor  # as in `ImageBatch`, the batches joined
    targets: Tensor  # as in `ImageBatch`, joined in the same way
    sizes: list[int]  # images of each update on this device
    divisors: list[float]  # divisor of each update
    per_member: bool  # whether images and targets have a leading member axis

    def __iter__(self) -> Iterator[ImageBatch]:
        axis = int(self.per_member)
        parts = zip(self.images.split(self.sizes, axis), self.targets.split(self.sizes, axis), strict=True)
        for (images, targets), divisor in zip(parts, self.divisors, strict=True):
            yield ImageBatch(images, targets, divisor, self.per_member)


@dataclass
class EvaluationBatch:
    """Images of an evaluation, with their indices in the split."""

    images: Tensor  # float in [-1, 1], [batch, 1, 28, 28]
    targets: Tensor  # classes, [batch]
    places: Tensor  # index of each image in its split, [batch]


class KMNISTDataModule(TaskData[ImageChunk]):
    """KMNIST, MNIST or FashionMNIST, kept whole on the device as uint8 and scaled to [-1, 1] there.

    Args:
        root: folder that holds, or will hold, the files.
        dataset: which of the three sets.
        batch_size: images an update; with accumulated gradients, images of each batch of an update.
        shuffle: whether each epoch draws a new order; otherwise, the order of the file.
        validation_size: number of training images held out for validation, with the same share of each class; the
            choice does not depend on the seed.
        updates_per_step: updates that one Lightning step makes; the result does not depend on it.
        evaluation_batch_size: images in a step of an evaluation.
        members: size of the population; if `shuffle`, each member has its own order.
        seed: seed of member 0.
    """

    accumulates = True
    endless = False
    image_shape = (1, files.SIDE, files.SIDE)
    classes = files.CLASSES

    @checked
    def __init__(
        self,
        root: str,
        dataset: Literal["KMNIST", "MNIST", "FashionMNIST"] = "KMNIST",
        batch_size: Positive = 64,
        shuffle: bool = False,
        validation_size: NonNegative = 0,
        updates_per_step: Positive = 64,
        evaluation_batch_size: Positive = 500,
        members: Positive = 1,
        seed: NonNegative = 0,
    ) -> None:
        super().__init__()
        self.root = Path(root).expanduser()
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.validation_size = validation_size
        self.updates_per_step = updates_per_step
        self.evaluation_batch_size = evaluation_batch_size
        self.members = members
        self.seed = seed
        self.evaluated_splits = ("val", "test") if validation_size else ("test",)
        self.class_names = CLASS_NAMES[dataset]
        self.class_labels = self.class_names
        if dataset == "KMNIST":
            self.class_labels = [f"{kana} {name}" for kana, name in zip(KANA, self.class_names, strict=True)]
        self.splits: dict[str, tuple[Tensor, Tensor]] = {}
        self._last_order: tuple[int, Tensor] | None = None

    def check_available(self) -> None:
        """Raise what is wrong with the files' folder or with the size of the validation set.

        Raises:
            ArgumentError: `root` cannot be read, or written where files are missing; too large a `validation_size`.
        """
        files.check_folder(self.root, self.dataset)
        items = files.count(self.root, self.dataset, "train")
        if self.validation_size >= items:
            message = f"expected fewer than the {items:,} training images, got {self.validation_size:,}"
            raise ArgumentError("validation_size", message)

    def prepare_data(self) -> None:
        """Fetch what is missing."""
        files.fetch(self.root, self.dataset)

    def setup(self, stage: str) -> None:
        """Read the files and put them on the trainer's device."""
        if self.splits:
            return
        splits = {split: files.read(self.root, self.dataset, split) for split in files.SPLITS}
        if self.validation_size:
            images, targets = splits["train"]
            held_out = stratified_choice(targets, self.validation_size, self.classes)
            splits["train"] = images[~held_out], targets[~held_out]
            splits["val"] = images[held_out], targets[held_out]
        self.splits = {
            split: (images.to(self.device), targets.to(self.device)) for split, (images, targets) in splits.items()
        }

    @property
    def updates_per_epoch(self) -> int:
        """Updates of a pass over the training set."""
        return -(-len(self.splits["train"][1]) // self._images_per_update)

    @property
    def _images_per_update(self) -> int:
        return self.batch_size * self.accumulated

    def val_dataloader(self) -> list[BatchLoader[EvaluationBatch]]:
        """One loader for each of `evaluated_splits`."""
        return [self._evaluation_loader(split) for split in self.evaluated_splits]

    def _evaluation_loader(self, split: str) -> BatchLoader[EvaluationBatch]:
        images, targets = self.splits[split]
        places = torch.arange(len(targets), device=targets.device)
        rank, devices = self._rank_and_devices()

        def batch(first: int, last: int) -> EvaluationBatch:
            part = slice(first + rank, last, devices)
            return EvaluationBatch(scaled(images[part]), targets[part], places[part])

        return BatchLoader(batch, len(targets), self.evaluation_batch_size)

    def chunk(self, epoch: int, first: int, last: int) -> ImageChunk:
        """The images of the updates first..last-1 of an epoch."""
        images, targets = self.splits["train"]
        size = self._images_per_update
        begin, end = first * size, min(last * size, len(targets))
        sizes = [min(size, end - start) for start in range(begin, end, size)]
        rank, devices = self._rank_and_devices()
        per_member = self.shuffle and self.members > 1
        if not self.shuffle and devices == 1:
            chosen = slice(begin, end)
            return ImageChunk(scaled(images[chosen]), targets[chosen], sizes, [float(s) for s in sizes], per_member)
        order = self._order(epoch, len(targets))[:, begin:end]  # [members or 1, images]
        # Each device takes a share of every update; gradients are averaged over devices.
        shares = [part[:, rank::devices] for part in order.split(sizes, 1)]
        order = torch.cat(shares, 1)
        index = (order if per_member else order[0]).to(targets.device)
        local, divisors = [share.shape[1] for share in shares], [size / devices for size in sizes]
        return ImageChunk(scaled(images[index]), targets[index], local, divisors, per_member)

    def _order(self, epoch: int, items: int) -> Tensor:
        """Order of the training images in an epoch, [members, items], or [1, items] for the order of the file."""
        if not self.shuffle:
            return torch.arange(items).unsqueeze(0)
        if self._last_order is None or self._last_order[0] != epoch:
            seeds = member_seeds(self.members, self.seed, self.variants)
            orders = [torch.randperm(items, generator=generator(seed, epoch)) for seed in seeds]
            self._last_order = epoch, torch.stack(orders)
        return self._last_order[1]

    def _rank_and_devices(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


def scaled(images: Tensor) -> Tensor:
    """Pixels 0..255, uint8 [..., 28, 28], as floats in [-1, 1], [..., 1, 28, 28].

    >>> scaled(torch.tensor([[0, 255]], dtype=torch.uint8))
    tensor([[[-1.,  1.]]])
    """
    return images.unsqueeze(-3).to(torch.float32).div_(127.5).sub_(1)


def stratified_choice(targets: Tensor, size: int, classes: int) -> Tensor:
    """Choose `size` items at random, with the share of each class kept to within one item.

    Args:
        targets: class of each item, [items].
        size: number of items to choose.
        classes: number of classes.

    Returns:
        whether each item is chosen, bool [items]; the same for the same arguments.

    Raises:
        ArgumentError: fewer than `size` + 1 items.
    """
    if size >= len(targets):
        raise ArgumentError("size", f"expected fewer than the {len(targets)} items, got {size}")
    counts = torch.bincount(targets, minlength=classes)
    shares = counts * size / len(targets)
    numbers = shares.floor().long()
    largest = (shares - numbers).argsort(descending=True, stable=True)[: size - int(numbers.sum())]
    numbers[largest] += 1
    chosen = torch.zeros(len(targets), dtype=torch.bool)
    for label in range(classes):
        places = (targets == label).nonzero()[:, 0]
        order = torch.randperm(len(places), generator=generator(0, label))
        chosen[places[order[: numbers[label]]]] = True
    return chosen
