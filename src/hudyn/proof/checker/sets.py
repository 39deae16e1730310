"""Sets of states: the points centre + axes · e, |e| ≤ 1, of a record with `centre`, `axes` and `inverse`."""

from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

from hudyn.proof.checker.arithmetic import Value, WithSlopes, add, combined, size, times

LARGEST = 1e300  # state


def defect(one: dict[str, Any], units: int) -> float:
    """A bound of the norm of 1 - inverse · axes, of so many units."""
    if {len(one["axes"]), len(one["inverse"]), *map(len, (*one["axes"], *one["inverse"]))} != {units}:
        raise ValueError("some set has more or fewer axes than there are units")
    columns = [[(x, x) for x in column] for column in zip(*one["axes"], strict=True)]
    product = [[combined(row, column) for column in columns] for row in one["inverse"]]
    errors = [[size(add(x, (-float(i == j),) * 2)) for j, x in enumerate(row)] for i, row in enumerate(product)]
    return max(map(sum, errors)) * (1 + 1e-9)


def parts_of(
    state: Sequence[Value], about: Sequence[Sequence[float]], inverse: Sequence[Sequence[float]]
) -> list[list[float]]:
    """Bounds of |inverse (state - about)|: of its value at 0, and of each derivative, [axes][1 + variables].

    `about` has for each unit a number, and slopes by the first variables.
    """
    units = [
        [add(bounds, (-at, -at)) for bounds, at in zip((v.centre, *v.slopes), chain(row, repeat(0.0)), strict=False)]
        for v, row in zip(state, about, strict=True)
    ]
    columns = list(zip(*units, strict=True))
    return [[size(combined(row, column)) for column in columns] for row in inverse]


def reach(state: Sequence[Value], about: Sequence[Sequence[float]], inverse: Sequence[Sequence[float]]) -> list[float]:
    """The same of the whole state, [axes]."""
    return [sum(parts) * (1 + 1e-9) for parts in parts_of(state, about, inverse)]


def holds(one: dict[str, Any], off: float, state: Sequence[Value]) -> bool:
    """Whether a state certainly lies in a set, whose defect is `off`."""
    return max(reach(state, [[at] for at in one["centre"]], one["inverse"])) + off <= 1


def points(its: WithSlopes, one: dict[str, Any], middle: Sequence[float], half: Sequence[float]) -> list[Value]:
    """The points of a set where e is within `half` of `middle`, as functions of variables between -1 and 1."""
    shift = [combined(row, [(m, m) for m in middle]) for row in one["axes"]]
    centre = [add((at, at), by) for at, by in zip(one["centre"], shift, strict=True)]
    spread = [[times((a, a), (h, h)) for a, h in zip(row, half, strict=True)] for row in one["axes"]]
    if not all(size(at) + sum(map(size, row)) < LARGEST for at, row in zip(centre, spread, strict=True)):
        raise ValueError("some set is too large")
    return [its.value(*both, (-LARGEST, LARGEST), 0) for both in zip(centre, spread, strict=True)]
