"""A measure of a population: one value for each member, and what kind of number it is."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hudyn.metrics.kinds import QUARTILES, MeasureKind, wilson_interval


@dataclass(frozen=True)
class Measure:
    """The values of one measure over a population."""

    values: Tensor  # one for each member, NaN for a member without a value, float64 [members]
    kind: MeasureKind = MeasureKind.VALUE  # rate, time or value

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", torch.as_tensor(self.values).detach().cpu().double())

    def __len__(self) -> int:
        """Number of members."""
        return len(self.values)

    @property
    def known(self) -> Tensor:
        """The values of the members that have one."""
        return self.values[~self.values.isnan()]

    @property
    def mean(self) -> float:
        """Mean over the members that have a value; of a rate, the share of members that succeed. NaN if none has."""
        return self.known.mean().item()

    @property
    def min(self) -> float:
        """Minimum over the members that have a value; NaN if none has."""
        return self.known.min().item() if len(self.known) else torch.nan

    @property
    def max(self) -> float:
        """Maximum over the members that have a value; NaN if none has."""
        return self.known.max().item() if len(self.known) else torch.nan

    @property
    def median(self) -> float:
        """Median over the members that have a value; NaN if none has."""
        return self.known.quantile(0.5).item() if len(self.known) else torch.nan

    @property
    def quartiles(self) -> tuple[float, ...] | None:
        """Lower quartile, median and upper quartile; None for a rate, and for fewer than two values."""
        if self.kind is MeasureKind.RATE or len(self.known) < 2:
            return None
        return tuple(self.known.quantile(share).item() for share in QUARTILES)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of a rate (Wilson 1927); None for any other measure."""
        if self.kind is not MeasureKind.RATE or not len(self.known):
            return None
        return wilson_interval(int(self.known.sum()), len(self.known))

    def curves(self, name: str) -> dict[str, float]:
        """The points to log under `name`: the mean; for several members of a value or time, minimum and maximum too.

        >>> Measure(torch.tensor([0.5, 1.0])).curves("test/accuracy")
        {'test/accuracy': 0.75, 'test/accuracy_min': 0.5, 'test/accuracy_max': 1.0}
        >>> Measure(torch.tensor([True, False]), MeasureKind.RATE).curves("train/solved")
        {'train/solved': 0.5}
        """
        if not len(self.known):
            return {}
        if len(self) == 1 or self.kind is MeasureKind.RATE:
            return {name: self.mean}
        return {name: self.mean, f"{name}_min": self.min, f"{name}_max": self.max}

    def record(self) -> dict[str, Any]:
        """The measure as results.json holds it."""
        summary: dict[str, Any] = {"kind": str(self.kind), "mean": self.mean, "min": self.min, "max": self.max}
        if self.interval:
            summary["interval"] = list(self.interval)
        if self.quartiles:
            summary["quartiles"] = list(self.quartiles)
        return summary | {"values": self.values.tolist()}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Measure":
        """The measure that `record` returned, also one of an older file, which lacks the kind."""
        kind = record.get("kind", MeasureKind.RATE if "interval" in record else MeasureKind.VALUE)
        values = [torch.nan if value is None else float(value) for value in record["values"]]
        return cls(torch.tensor(values, dtype=torch.float64), MeasureKind(kind))

    def __repr__(self) -> str:
        value = f"{self.mean:.4g}" if len(self.known) else "none"
        is_spread = len(self.known) > 1 and self.kind is not MeasureKind.RATE
        spread = f", {self.min:.4g} to {self.max:.4g}" if is_spread else ""
        interval = "" if self.interval is None else ", 95 % interval {:.3f} to {:.3f}".format(*self.interval)
        return f"{self.kind} {value}{spread}{interval}, {len(self)} member{'s' * (len(self) > 1)}"
