"""Loaders that hand many updates to one Lightning step and can be picked up again in the middle of an epoch."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

Chunk = TypeVar("Chunk")


class UpdateLoader(Generic[Chunk]):
    """Yields the updates of an epoch in chunks, so that the trainer's overhead is paid once a chunk.

    What an update holds depends on the epoch and its number alone, so the place in the epoch is all there is to
    save: `state_dict` and `load_state_dict` are what Lightning calls to resume.

    Args:
        chunk: makes the chunk of updates first..last-1 of an epoch: ``chunk(epoch, first, last)``.
        updates: number of updates an epoch.
        updates_per_step: number of updates a chunk; the last chunk of an epoch may be shorter.
        trainer: whose `max_steps` no chunk goes beyond; None for no such end.
    """

    def __init__(
        self, chunk: Callable[[int, int, int], Chunk], updates: int, updates_per_step: int, trainer: Any = None
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
            whole = math.ceil(first / self.updates_per_step) + 1  # a chunk cut short is made up for by the next
            last = min(whole * self.updates_per_step, self.updates)
            if self.trainer and self.trainer.max_steps >= 0:
                last = min(last, first + self.trainer.max_steps - self.trainer.global_step)
            if last <= first:
                return
            self.position = last
            yield self.chunk(self.epoch, first, last)

    @property
    def sampler(self) -> "UpdateLoader[Chunk]":
        """Itself: Lightning tells a loader's sampler which epoch begins."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of `epoch`, unless it is the one under way."""
        if epoch != self.epoch:
            self.epoch, self.position = epoch, 0

    def state_dict(self) -> dict[str, Any]:
        """The place reached, as plain values."""
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a place that `state_dict` returned."""
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
