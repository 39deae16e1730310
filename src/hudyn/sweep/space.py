"""The values that a setting may have in a search."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Space:
    """Values to search.

    Attributes:
        values: all of them, as texts; of an interval, its ends.
        interval: the least and the greatest, both integers or both any numbers; None for a choice.
        step: distance of two neighbours; None if there is any value between two others.
        log: whether their logarithms are equally likely at first.
    """

    values: tuple[str, ...]
    interval: tuple[float, float] | None = None
    step: float | None = None
    log: bool = False

    @property
    def is_continuous(self) -> bool:
        """Whether its values cannot be listed."""
        return self.interval is not None and self.step is None
