"""Kinds of measures, and how they are summarised."""

import math
from enum import StrEnum
from statistics import NormalDist

CONFIDENCE = 0.95
QUARTILES = (0.25, 0.5, 0.75)


class MeasureKind(StrEnum):
    """What the numbers of a measure are, which decides how they are summarised."""

    RATE = "rate"  # 1 for a member that succeeds, 0 for one that fails
    TIME = "time"  # updates until something happened; NaN for a member to which it never did
    VALUE = "value"


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a success rate, between 0 and 1 (Wilson 1927).

    >>> low, high = wilson_interval(8, 10)
    >>> f"{low:.4f} {high:.4f}"
    '0.4902 0.9433'
    """
    share, z = successes / trials, NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    double = 2 * (trials + z**2)
    centre = (2 * successes + z**2) / double
    width = z / double * math.sqrt(4 * successes * (1 - share) + z**2)
    return (centre - width if successes else 0.0), (centre + width if successes < trials else 1.0)
