"""The line along which each hidden unit of a two-layer perceptron divides the plane."""

import math
from dataclasses import dataclass

from hudyn.networks.grid import GridMLP

EPSILON = 1e-12  # weights below this count as 0


@dataclass(frozen=True)
class DividingLine:
    """The line weight_x·x + weight_y·y + bias = 0, where the net input of `unit` is 0; above 0, the unit is on."""

    unit: str
    weight_x: float
    weight_y: float
    bias: float

    @property
    def equation(self) -> str:
        """The line by its weights.

        >>> DividingLine("hidden 1", 1.0, -2.5, -0.5).equation
        'x − 2.5 y − 0.5 = 0'
        """
        return f"{_sum([(self.weight_x, 'x'), (self.weight_y, 'y'), (self.bias, '')])} = 0"

    @property
    def solved(self) -> str:
        """The line solved for y, or for x where it is vertical.

        >>> DividingLine("hidden 1", 1.0, 1.0, -0.5).solved
        'y = −x + 0.5'
        >>> DividingLine("hidden 2", 2.0, 0.0, -1.0).solved
        'x = 0.5'
        """
        if self.slope is not None:
            return f"y = {_sum([(self.slope, 'x'), (-self.bias / self.weight_y, '')])}"
        if abs(self.weight_x) > EPSILON:
            return f"x = {_sum([(-self.bias / self.weight_x, '')])}"
        return "no line: always on" if self.bias >= 0 else "no line: always off"

    @property
    def slope(self) -> float | None:
        """Slope dy/dx; None for a vertical line, or without a line."""
        return -self.weight_x / self.weight_y if abs(self.weight_y) > EPSILON else None

    def segment(
        self, x_range: tuple[float, float], y_range: tuple[float, float]
    ) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """The ends, from left to right, of the part of the line inside a rectangle; None if the line misses it.

        >>> DividingLine("hidden 1", 2.0, 0.0, -1.0).segment((0, 2), (0, 2))
        ((0.5, 0.0), (0.5, 2.0))
        """
        length = math.hypot(self.weight_x, self.weight_y)
        if length <= EPSILON:
            return None
        normal, distance = (self.weight_x / length, self.weight_y / length), -self.bias / length
        along, foot = (-normal[1], normal[0]), (distance * normal[0], distance * normal[1])
        first, last = -math.inf, math.inf
        for start, direction, (low, high) in zip(foot, along, (x_range, y_range), strict=True):
            if abs(direction) <= EPSILON:
                if not low <= start <= high:
                    return None
                continue
            near, far = sorted(((low - start) / direction, (high - start) / direction))
            first, last = max(first, near), min(last, far)
        if first >= last:
            return None
        ends = sorted((foot[0] + t * along[0], foot[1] + t * along[1]) for t in (first, last))
        (ax, ay), (bx, by) = ((x + 0.0, y + 0.0) for x, y in ends)  # no -0.0
        return (ax, ay), (bx, by)


def dividing_lines(network: GridMLP) -> list[DividingLine]:
    """The dividing line of each hidden unit, in order; units are named ``hidden 1`` and so on."""
    weights, biases = network.hidden.weight.tolist(), network.hidden.bias.tolist()
    return [
        DividingLine(f"hidden {number}", weight_x, weight_y, bias)
        for number, ((weight_x, weight_y), bias) in enumerate(zip(weights, biases, strict=True), start=1)
    ]


def _sum(terms: list[tuple[float, str]]) -> str:
    """The sum of the terms with three significant digits, without terms that are 0."""
    text = ""
    for factor, name in terms:
        size = f"{abs(factor):.3g}"
        if float(size) == 0:
            continue
        part = name if size == "1" and name else f"{size} {name}".strip()
        text += (f" {'−' if factor < 0 else '+'} " if text else "−" * (factor < 0)) + part
    return text or "0"
