"""Interval arithmetic on arrays, with every rounding error enclosed.

An interval is a midpoint and a radius. Each operation adds to the radius a bound on its own rounding error, which holds
for IEEE double precision, rounding to nearest, whatever the order of summation and with or without fused operations
(Rump 1999, Fast and parallel interval arithmetic).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

UNIT = 2.0**-53  # largest relative error of an operation in double precision
UP = 1 + 2.0**-40  # covers the rounding of a radius that is a sum of up to 4,000 terms
TINY = 2.0**-1000  # covers underflow
TANH_ERROR = 2.0**-44  # of `_tanh`
SATURATED = 20.0  # where tanh is 1 to 1e-17
TERMS = 11  # of the continued fraction


@dataclass(frozen=True)
class Interval:
    """The numbers within `rad` of `mid`, elementwise.

    >>> third = Interval.exact(1.0) * Interval.between(0.33, 0.34)
    >>> bool(third.low <= 1 / 3 <= third.high)
    True
    """

    mid: np.ndarray
    rad: np.ndarray

    @classmethod
    def exact(cls, values: np.ndarray | float) -> Self:
        """Numbers that are known exactly."""
        values = np.asarray(values)
        return cls(values, np.zeros(values.shape))

    @classmethod
    def between(cls, low: np.ndarray | float, high: np.ndarray | float) -> Self:
        """The numbers from `low` to `high`."""
        mid = (np.asarray(low) + high) / 2
        return cls(mid, UP * np.maximum(high - mid, mid - low) + TINY)

    @property
    def low(self) -> np.ndarray:
        """A lower bound."""
        return np.nextafter(self.mid - self.rad, -np.inf)

    @property
    def high(self) -> np.ndarray:
        """An upper bound."""
        return np.nextafter(self.mid + self.rad, np.inf)

    @property
    def bounds(self) -> list[list[float]]:
        """Both bounds of each number, [numbers][2]."""
        return np.stack([self.low, self.high], axis=-1).tolist()

    @property
    def magnitude(self) -> np.ndarray:
        """An upper bound of the absolute value."""
        return UP * (np.abs(self.mid) + self.rad)

    def __getitem__(self, place: Any) -> "Interval":
        return Interval(self.mid[place], self.rad[place])

    def widened(self, by: np.ndarray | float) -> "Interval":
        """The numbers up to `by` farther away."""
        return Interval(self.mid, UP * (self.rad + by))

    def __neg__(self) -> "Interval":
        return Interval(-self.mid, self.rad)

    def __add__(self, other: "Interval") -> "Interval":
        mid = self.mid + other.mid
        return Interval(mid, UP * (self.rad + other.rad + UNIT * np.abs(mid)) + TINY)

    def __sub__(self, other: "Interval") -> "Interval":
        return self + -other

    def __mul__(self, other: "Interval") -> "Interval":
        mid = self.mid * other.mid
        rad = np.abs(self.mid) * other.rad + self.rad * (np.abs(other.mid) + other.rad)
        return Interval(mid, UP * (rad + UNIT * np.abs(mid)) + TINY)

    def __rmatmul__(self, weights: np.ndarray) -> "Interval":
        """Matrices of exact numbers, real or complex, [..., rows, n], times intervals [..., n, columns]."""
        size = np.abs(weights)
        error = 4 * (weights.shape[-1] + 2) * UNIT * np.abs(self.mid)
        return Interval(weights @ self.mid, UP * (size @ (self.rad + error)) + TINY)

    __array_ufunc__ = None  # so that an array on the left asks `__rmatmul__`

    def __and__(self, other: "Interval") -> "Interval":
        """The numbers in both; where there are none, one that is near. What is not a number may be any."""
        low, high = np.fmax(self.low, other.low), np.fmin(self.high, other.high)
        return Interval.between(low, np.maximum(low, high))

    def apart(self, other: "Interval") -> np.ndarray:
        """Whether certainly no number is in both."""
        return (self.low > other.high) | (other.low > self.high)

    def inside(self, other: "Interval") -> np.ndarray:
        """Whether it certainly lies in the interior of the other."""
        return (self.low > _inner(other, -1)) & (self.high < _inner(other, 1))

    def tanh(self) -> "Interval":
        """The values of tanh."""
        low, high = _tanh(self.low) - 2 * TANH_ERROR, _tanh(self.high) + 2 * TANH_ERROR
        return Interval.between(np.fmax(low, -1), np.fmin(high, 1))

    def reciprocal(self) -> "Interval":
        """The values of 1 / x; not a number where some x may not be positive."""
        low = np.where(self.low > 0, self.low, np.nan)
        return Interval.between(1 / (UP * self.high), UP / low)

    def relu(self) -> "Interval":
        """The values of max(x, 0)."""
        return Interval.between(np.maximum(self.low, 0), np.maximum(self.high, 0))

    def steps(self) -> "Interval":
        """The derivatives of `relu`: 0 below 0, 1 above, all between at 0."""
        return Interval.between((self.low > 0).astype(float), (self.high >= 0).astype(float))


def _inner(interval: Interval, side: int) -> np.ndarray:
    """A bound that the interval certainly reaches."""
    return np.nextafter(interval.mid + side * interval.rad, -side * np.inf)


def _tanh(x: np.ndarray) -> np.ndarray:
    """Values of tanh, wrong by at most `TANH_ERROR`, from operations that IEEE 754 defines alone.

    Lambert's continued fraction gives t = tanh(|x| / 16), and tanh 2y = 2t / (1 + t²) is applied four times. All terms
    are positive, and no step makes a relative error larger: roundings add up to less than 60 · 2^-53. The rest of the
    fraction is below 1e-17.
    """
    y = np.minimum(np.abs(x), SATURATED) / 16
    below = np.full_like(y, 2 * TERMS + 1)
    for odd in range(2 * TERMS - 1, 0, -2):
        below = odd + y * y / below
    t = y / below
    for _ in range(4):
        t = 2 * t / (1 + t * t)
    return np.sign(x) * t
