"""How often a callback may write."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SHARE = 0.05


class Cadence:
    """Lets something be done again once `least` has passed, and doing it takes no more than a twentieth of the time.

    Args:
        least: seconds to let pass at least.
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
        """Take the time of doing it."""
        started = time.monotonic()
        yield
        ended = time.monotonic()
        self._next = ended + max(self.least, (ended - started) * (1 - SHARE) / SHARE)


def training_ends(trainer: Any) -> bool:
    """Whether the epoch that ends now is the last."""
    return (
        trainer.should_stop
        or 0 <= trainer.max_steps <= trainer.global_step
        or (trainer.max_epochs is not None and 0 <= trainer.max_epochs <= trainer.current_epoch + 1)
    )
