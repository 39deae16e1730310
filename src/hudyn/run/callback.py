"""What callbacks that write into the run's folder share: their run, and how often they may write."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch import Callback, Trainer

from hudyn.run.run import Run

SHARE = 0.02  # of the time that writing may take


class RunCallback(Callback):
    """A callback that is told which run it belongs to before training starts.

    Attributes:
        run: the run.
    """

    run: Run


class Cadence:
    """Lets something be done again once `least` seconds have passed and doing it takes a fiftieth of the time or less.

    Args:
        least: minimum number of seconds between two times.
    """

    def __init__(self, least: float = 0.0) -> None:
        self.least = least
        self._next = 0.0

    @property
    def due(self) -> bool:
        """Whether it may be done now."""
        return time.monotonic() >= self._next

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Measure how long doing it takes."""
        started = time.monotonic()
        yield
        ended = time.monotonic()
        self._next = ended + max(self.least, (ended - started) * (1 - SHARE) / SHARE)


def training_ends(trainer: Trainer) -> bool:
    """Whether the epoch that ends now is the last."""
    return (
        trainer.should_stop
        or 0 <= trainer.max_steps <= trainer.global_step
        or (trainer.max_epochs is not None and 0 <= trainer.max_epochs <= trainer.current_epoch + 1)
    )
