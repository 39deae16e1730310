"""Loaders that hand many updates to one Lightning step, and resume in the middle of an epoch."""

import math
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from lightning.pytorch import Trainer

Chunk = TypeVar("Chunk")


class UpdateLoader(Generic[Chunk]):
    """Yields the updates of an epoch in chunks, so that the trainer's overhead is paid once a chunk.

    An update depends only on the epoch and its number, so the position in the epoch is all that has to be saved.
    Lightning calls `state_dict` and `load_state_dict` to resume.

    Args:
        chunk: makes the chunk of updates first..last-1 of an epoch: ``chunk(epoch, first, last)``.
        updates: updates an epoch.
        updates_per_step: updates a chunk; the last chunk of an epoch may be shorter.
        trainer: no chunk goes beyond its `max_steps`; None for no such end.
    """

    def __init__(
        self,
        chunk: Callable[[int, int, int], Chunk],
        updates: int,
        updates_per_step: int,
        trainer: Trainer | None = None,
    ) -> None:
        self.chunk = chunk
        self.updates = updates
        self.updates_per_step = updates_per_step
        self.trainer = trainer
        self.epoch = 0
        self.position = 0  # updates of this epoch handed out so far

    def __len__(self) -> int:
        return math.ceil(self.updates / self.updates_per_step)

    def __iter__(self) -> Iterator[Chunk]:
        while self.position < self.updates:
            first = self.position
            whole = math.ceil(first / self.updates_per_step) + 1  # the next chunk completes one that was cut short
            last = min(whole * self.updates_per_step, self.updates)
            if self.trainer and self.trainer.max_steps >= 0:
                last = min(last, first + self.trainer.max_steps - self.trainer.global_step)
            if last <= first:
                return
            self.position = last
            yield self.chunk(self.epoch, first, last)

    @property
    def sampler(self) -> "UpdateLoader[Chunk]":
        """Itself: Lightning calls `set_epoch` of a loader's sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of `epoch`, unless it has begun already."""
        if epoch != self.epoch:
            self.epoch, self.position = epoch, 0

    def state_dict(self) -> dict[str, int]:
        """The position reached, as plain values."""
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue from a position that `state_dict` returned."""
        self.epoch, self.position = state["epoch"], state["position"]


class BatchLoader(Generic[Chunk]):
    """Yields the batches of one pass over a split, in order.

    Args:
        batch: makes the batch of items first..last-1: ``batch(first, last)``.
        items: number of items.
        batch_size: items a batch; the last may be smaller.
    """

    def __init__(self, batch: Callable[[int, int], Chunk], items: int, batch_size: int) -> None:
        self.batch = batch
        self.items = items
        self.batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(self.items / self.batch_size)

    def __iter__(self) -> Iterator[Chunk]:
        for first in range(0, self.items, self.batch_size):
            yield self.batch(first, min(first + self.batch_size, self.items))
