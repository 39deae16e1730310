"""Arithmetic that is rounded outward, in doubles: of bounds, and of numbers with their derivatives."""

from collections.abc import Sequence
from math import inf, isfinite, nextafter
from typing import NamedTuple

TANH_ERROR = 2.0**-44  # of `_tanh`
SMALL = 1e-30  # below this, single precision may lose a number
UNITS = {"real": 2.0**-52, "single": 1.0001 * 2.0**-24}  # rounding that is covered, and products of roundings
ACTIVATION = 8  # units by which an activation function may be wrong
UNBOUNDED = "some number is too large, or is not a number"
Bounds = tuple[float, float]


def add(one: Bounds, other: Bounds) -> Bounds:
    """The sums."""
    return nextafter(one[0] + other[0], -inf), nextafter(one[1] + other[1], inf)


def times(one: Bounds, other: Bounds) -> Bounds:
    """The products."""
    products = one[0] * other[0], one[0] * other[1], one[1] * other[0], one[1] * other[1]
    if not isfinite(sum(products)):
        raise ValueError(UNBOUNDED)
    return nextafter(min(products), -inf), nextafter(max(products), inf)


def size(bounds: Bounds) -> float:
    """The largest absolute value; infinite if a bound is not a number, so that it proves nothing."""
    return max(-bounds[0], bounds[1]) if bounds[0] <= bounds[1] else inf


def widened(bounds: Bounds, by: float) -> Bounds:
    """The numbers up to `by` farther away."""
    return add(bounds, (-nextafter(by, inf), nextafter(by, inf)))


def combined(weights: Sequence[float], parts: Sequence[Bounds]) -> Bounds:
    """The weighted sum of n numbers, whose error is below n · 2^-52 · the sum of their sizes (Higham 2002, §3.1)."""
    low, high, whole = 0.0, 0.0, SMALL
    for w, (a, b) in zip(weights, parts, strict=True):
        a, b = (w * a, w * b) if w >= 0 else (w * b, w * a)
        low, high, whole = low + a, high + b, whole + abs(a) + abs(b)
    if not isfinite(whole):
        raise ValueError(UNBOUNDED)
    return low - len(weights) * 2.0**-51 * whole, high + len(weights) * 2.0**-51 * whole


def _tanh(x: float) -> float:
    """Lambert's continued fraction for t = tanh(x / 16), and tanh 2y = 2t / (1 + t²) four times.

    All terms are positive, and no step makes a relative error larger: roundings add up to less than 60 · 2^-53. The
    rest of the fraction is below 1e-17.
    """
    y = max(-20.0, min(20.0, x)) / 16
    below = 23.0
    for odd in range(21, 0, -2):
        below = odd + y * y / below
    t = y / below
    for _ in range(4):
        t = 2 * t / (1 + t * t)
    return t


def tanh(bounds: Bounds) -> Bounds:
    """The values of tanh."""
    if not bounds[0] <= bounds[1]:
        raise ValueError(UNBOUNDED)
    return max(_tanh(bounds[0]) - TANH_ERROR, -1.0), min(_tanh(bounds[1]) + TANH_ERROR, 1.0)


class Value(NamedTuple):
    """A number that depends on variables between -1 and 1: its value at 0, its derivatives, its range."""

    centre: Bounds
    slopes: list[Bounds]
    range: Bounds


class WithSlopes:
    """Arithmetic of `Value`, with the rounding error of the network's own: real or single."""

    number = float

    def __init__(self, arithmetic: str) -> None:
        self.unit = UNITS[arithmetic]

    def known(self, number: float) -> Value:
        """A number that is known exactly."""
        return self.value((number, number), [], (number, number), 0)

    def value(self, centre: Bounds, slopes: list[Bounds], other: Bounds, units: float) -> Value:
        """The number with this value at 0 and these derivatives, after an operation wrong by `units`."""
        error = units * self.unit * (size(other) + SMALL)
        centre, other = widened(centre, error), widened(other, error)
        low, high = widened(centre, combined([1.0] * len(slopes), [(0.0, size(slope)) for slope in slopes])[1])
        if not (isfinite(low) and isfinite(high)):
            raise ValueError(UNBOUNDED)
        return Value(centre, slopes, (max(low, other[0]), min(high, other[1])))

    def linear(self, weights: Sequence[float], values: Sequence[Value], *terms: float) -> Value:
        """The weighted sum, plus terms."""
        error = sum(abs(w) * size(value.range) for w, value in zip(weights, values, strict=True))
        error = (len(weights) + len(terms)) * self.unit * (error + sum(map(abs, terms)) + SMALL) * (1 + 1e-9)
        parts = zip(*((v.centre, *v.slopes, v.range) for v in values), strict=True)
        centre, *slopes, range_ = (combined(weights, part) for part in parts)
        for term in terms:
            centre, range_ = add(centre, (term, term)), add(range_, (term, term))
        return self.value(widened(centre, error), slopes, widened(range_, error), 0)

    def product(self, one: Value, other: Value) -> Value:
        """The product."""
        pairs = zip(one.slopes, other.slopes, strict=True)
        slopes = [add(times(one.range, b), times(other.range, a)) for a, b in pairs]
        return self.value(times(one.centre, other.centre), slopes, times(one.range, other.range), 1)

    def tanh(self, one: Value) -> Value:
        """The value of tanh."""
        y = tanh(one.range)
        far, near = min(size(y), 1.0), max(y[0], -y[1], 0.0)
        slope = add((1.0, 1.0), times((-far, -near), (near, far)))  # 1 - far² to 1 - near²
        return self.value(tanh(one.centre), [times(slope, part) for part in one.slopes], y, ACTIVATION)

    def logistic(self, one: Value) -> Value:
        """The value of (1 + tanh(x / 2)) / 2."""
        y = self.linear([0.5], [self.tanh(self.linear([0.5], [one]))], 0.5)
        return self.value(y.centre, y.slopes, y.range, ACTIVATION)

    def relu(self, one: Value) -> Value:
        """The value of max(x, 0)."""
        slope = float(one.range[0] > 0), float(one.range[1] >= 0)
        centre, range_ = ((max(part[0], 0.0), max(part[1], 0.0)) for part in (one.centre, one.range))
        return self.value(centre, [times(slope, part) for part in one.slopes], range_, 0)
