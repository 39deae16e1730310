"""hudyn-verify: check certificates that networks are right on every word, from the numbers in the file alone.

It needs only Python's standard library and shares no code with the search. Every operation is rounded outward.
`hudyn.proof.certificate` says what a certificate proves.
"""

import json
import sys
from collections.abc import Sequence
from itertools import chain, repeat
from math import inf, isfinite, nextafter
from pathlib import Path
from typing import Any, NamedTuple

TANH_ERROR = 2.0**-44  # of `_tanh`
SMALL = 1e-30  # below this, single precision may lose a number
UNITS = {"real": 2.0**-52, "single": 1.0001 * 2.0**-24}  # rounding that is covered, and products of roundings
ACTIVATION = 8  # units by which an activation function may be wrong
_Bounds = tuple[float, float]


class _Value(NamedTuple):
    """A number that depends on variables between -1 and 1: its value at 0, its derivatives, its range."""

    centre: _Bounds
    slopes: list[_Bounds]
    range: _Bounds


def _add(one: _Bounds, other: _Bounds) -> _Bounds:
    return nextafter(one[0] + other[0], -inf), nextafter(one[1] + other[1], inf)


def _times(one: _Bounds, other: _Bounds) -> _Bounds:
    products = one[0] * other[0], one[0] * other[1], one[1] * other[0], one[1] * other[1]
    return nextafter(min(products), -inf), nextafter(max(products), inf)


def _size(bounds: _Bounds) -> float:
    return max(-bounds[0], bounds[1]) if bounds[0] <= bounds[1] else inf  # so that what is not a number proves nothing


def _widened(bounds: _Bounds, by: float) -> _Bounds:
    return _add(bounds, (-nextafter(by, inf), nextafter(by, inf)))


def _combined(weights: Sequence[float], parts: Sequence[_Bounds]) -> _Bounds:
    """The weighted sum of n numbers, whose error is below n · 2^-52 · the sum of their sizes (Higham 2002, §3.1)."""
    low, high, size = 0.0, 0.0, SMALL
    for w, (a, b) in zip(weights, parts, strict=True):
        a, b = (w * a, w * b) if w >= 0 else (w * b, w * a)
        low, high, size = low + a, high + b, size + abs(a) + abs(b)
    return low - len(weights) * 2.0**-51 * size, high + len(weights) * 2.0**-51 * size


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


def _tanh_bounds(bounds: _Bounds) -> _Bounds:
    return max(_tanh(bounds[0]) - TANH_ERROR, -1.0), min(_tanh(bounds[1]) + TANH_ERROR, 1.0)


class _Network:
    """The map of the state that each symbol defines, with the rounding error of the network's arithmetic."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.weights, self.unit = record["parameters"], UNITS[record["arithmetic"]]
        self.units = len(self.weights["hidden_weight"][0])
        self.activation = {"tanh_srn": self.tanh, "relu_srn": self.relu}.get(record["cell"], lambda value: value)
        self.read = {"lstm": self.lstm, "gru": self.gru}.get(record["cell"], self.srn)

    def value(self, centre: _Bounds, slopes: list[_Bounds], other: _Bounds, units: float) -> _Value:
        error = units * self.unit * (_size(other) + SMALL)
        centre, other = _widened(centre, error), _widened(other, error)
        low, high = _widened(centre, _combined([1.0] * len(slopes), [(0.0, _size(slope)) for slope in slopes])[1])
        if not (isfinite(low) and isfinite(high)):
            raise ValueError("some number is too large, or is not a number")
        return _Value(centre, slopes, (max(low, other[0]), min(high, other[1])))

    def linear(self, weights: Sequence[float], values: Sequence[_Value], *terms: float) -> _Value:
        error = sum(abs(w) * _size(value.range) for w, value in zip(weights, values, strict=True))
        error = (len(weights) + len(terms)) * self.unit * (error + sum(map(abs, terms)) + SMALL) * (1 + 1e-9)
        parts = zip(*((v.centre, *v.slopes, v.range) for v in values), strict=True)
        centre, *slopes, range_ = (_combined(weights, part) for part in parts)
        for term in terms:
            centre, range_ = _add(centre, (term, term)), _add(range_, (term, term))
        return self.value(_widened(centre, error), slopes, _widened(range_, error), 0)

    def product(self, one: _Value, other: _Value) -> _Value:
        pairs = zip(one.slopes, other.slopes, strict=True)
        slopes = [_add(_times(one.range, b), _times(other.range, a)) for a, b in pairs]
        return self.value(_times(one.centre, other.centre), slopes, _times(one.range, other.range), 1)

    def tanh(self, one: _Value) -> _Value:
        y = _tanh_bounds(one.range)
        far, near = min(_size(y), 1.0), max(y[0], -y[1], 0.0)
        slope = _add((1.0, 1.0), _times((-far, -near), (near, far)))  # 1 - far² to 1 - near²
        return self.value(_tanh_bounds(one.centre), [_times(slope, part) for part in one.slopes], y, ACTIVATION)

    def logistic(self, one: _Value) -> _Value:
        y = self.linear([0.5], [self.tanh(self.linear([0.5], [one]))], 0.5)
        return self.value(y.centre, y.slopes, y.range, ACTIVATION)

    def net(self, row: int, symbol: int, hidden: Sequence[_Value]) -> _Value:
        w = self.weights
        return self.linear(w["hidden_weight"][row], hidden, w["input_weight"][row][symbol], w["bias"][row])

    def relu(self, one: _Value) -> _Value:
        slope = float(one.range[0] > 0), float(one.range[1] >= 0)
        centre, range_ = ((max(part[0], 0.0), max(part[1], 0.0)) for part in (one.centre, one.range))
        return self.value(centre, [_times(slope, part) for part in one.slopes], range_, 0)

    def srn(self, symbol: int, state: list[_Value]) -> list[_Value]:
        return [self.activation(self.net(row, symbol, state)) for row in range(self.units)]

    def lstm(self, symbol: int, state: list[_Value]) -> list[_Value]:
        cells, hidden = [], []
        for unit, old in enumerate(state[self.units :]):
            to = [self.net(block * self.units + unit, symbol, state[: self.units]) for block in range(4)]
            see = [row[unit] for row in self.weights.get("peepholes", [[0.0] * self.units] * 3)]
            gates = [self.logistic(self.linear([1.0, see[gate]], [to[gate], old])) for gate in (0, 1)]
            new = self.linear([1.0] * 2, [self.product(gates[1], old), self.product(gates[0], self.tanh(to[2]))])
            output = self.logistic(self.linear([1.0, see[2]], [to[3], new]))
            cells.append(new)
            hidden.append(self.product(output, self.tanh(new)))
        return hidden + cells

    def gru(self, symbol: int, state: list[_Value]) -> list[_Value]:
        w, after = self.weights, []
        for unit, old in enumerate(state):
            row = 2 * self.units + unit
            reset, update = (self.logistic(self.net(r, symbol, state)) for r in (unit, self.units + unit))
            seen = self.product(reset, self.linear(w["hidden_weight"][row], state, w["candidate_bias"][unit]))
            candidate = self.tanh(self.linear([1.0], [seen], w["input_weight"][row][symbol], w["bias"][row]))
            fresh = self.product(self.linear([-1.0], [update], 1.0), candidate)
            after.append(self.linear([1.0] * 2, [fresh, self.product(update, old)]))
        return after


def _defect(one: dict[str, Any]) -> float:
    """A bound of the norm of 1 - inverse · axes."""
    columns = [[(x, x) for x in column] for column in zip(*one["axes"], strict=True)]
    product = [[_combined(row, column) for column in columns] for row in one["inverse"]]
    errors = [[_size(_add(x, (-float(i == j),) * 2)) for j, x in enumerate(row)] for i, row in enumerate(product)]
    return max(map(sum, errors)) * (1 + 1e-9)


def _reach(state: Sequence[_Value], about: Sequence[Sequence[float]], inverse: list[list[float]]) -> list[float]:
    """Bounds of |inverse (state - about)|; `about` has for each unit a number and slopes by the first variables."""
    units = [
        [_add(bounds, (-at, -at)) for bounds, at in zip((v.centre, *v.slopes), chain(row, repeat(0.0)), strict=False)]
        for v, row in zip(state, about, strict=True)
    ]
    parts = list(zip(*units, strict=True))
    return [sum(_size(_combined(row, part)) for part in parts) * (1 + 1e-9) for row in inverse]


def _gathered(network: _Network, state: Sequence[_Value], frame: dict[str, Any], kept: int) -> list[_Value]:
    """The state with its errors in variables along the frame's axes, which replace all but the `kept` first ones."""
    about = [[sum(bounds) / 2 for bounds in (v.centre, *v.slopes[:kept])] for v in state]
    reach, off = _reach(state, about, frame["inverse"]), _defect(frame)
    if off >= 0.5:
        raise ValueError("the inverse of some axes is wrong")
    sizes = [(part + 2 * off * max(reach)) * (1 + 1e-9) for part in reach]  # off / (1 - off) <= 2 off
    slopes = [[_times((a, a), (h, h)) for a, h in zip(row, sizes, strict=True)] for row in frame["axes"]]
    after = []
    for (middle, *first), new, (_, _, (low, high)) in zip(about, slopes, state, strict=True):
        range_ = min(low, middle), max(high, middle)
        after.append(network.value((middle, middle), [*((s, s) for s in first), *new], range_, 0))
    return after


def check(record: dict[str, Any]) -> None:
    """Raise ValueError unless the network is proved right on every word of the automaton."""
    weights, sets, alphabet = record["parameters"], record["sets"], range(len(record["alphabet"]))
    network, defects = _Network(record), [_defect(one) for one in sets]
    readout = list(zip(weights["output.weight"], weights["output.bias"], strict=True))

    def holds(place: int, state: list[_Value]) -> bool:
        reach = _reach(state, [[at] for at in sets[place]["centre"]], sets[place]["inverse"])
        return max(reach) + defects[place] <= 1

    def follow(before: int, state: list[_Value], path: tuple[int, ...], kept: int) -> None:
        here = record["states"][before]
        if here["targets"] and len(here["targets"]) != len(here["legal"]):
            raise ValueError(f"state {before} lacks a transition of a legal symbol")
        for symbol, target in zip(here["legal"], here["targets"], strict=False):
            where = f"after {record['alphabet'][symbol]} into state {target}"
            after, there = network.read(symbol, state), record["states"][target]
            logits = [network.linear(row, after[: network.units], bias) for row, bias in readout if there["asked"]]
            for one in there["legal"] if there["asked"] else ():
                for other in set(alphabet) - set(there["legal"]):
                    if not network.linear([1.0, -1.0], [logits[one], logits[other]]).range[0] > 0:
                        raise ValueError(f"{where}: it is not proved that {record['alphabet'][one]} is likelier")
            own = [place for place, held in enumerate(sets) if held["state"] == target]
            if own and not any(holds(place, after) for place in own):
                raise ValueError(f"{where}: no set is proved to hold the network's states")
            if not own:
                if target in path:
                    raise ValueError(f"{where}: a cycle of the automaton goes through no set")
                follow(target, _gathered(network, after, there, kept), (*path, target), kept)

    def divide(one: dict[str, Any], cells: Any, middle: list[float], half: list[float]) -> None:
        if cells is not None:
            axis, *parts = cells
            half = [h / 2 if place == axis else h for place, h in enumerate(half)]
            for side, part in zip((-1, 1), parts, strict=True):
                divide(one, part, [m + side * half[axis] * (k == axis) for k, m in enumerate(middle)], half)
            return
        shift = [_combined(row, [(m, m) for m in middle]) for row in one["axes"]]
        centre = [_add((at, at), by) for at, by in zip(one["centre"], shift, strict=True)]
        spread = [[_times((a, a), (h, h)) for a, h in zip(row, half, strict=True)] for row in one["axes"]]
        state = [network.value(*both, (-1e300, 1e300), 0) for both in zip(centre, spread, strict=True)]
        follow(one["state"], state, (), len(begun))

    initial = weights.get("initial_hidden", [0.0] * len(record["units"]))
    begun = [network.value((x, x), [], (x, x), 0) for x in initial]
    follow(0, list(map(network.activation, begun)), (), 0)
    for one in sets:
        divide(one, one["cells"], [0.0] * len(begun), [1.0] * len(begun))


def main() -> None:
    """Check every certificate of a file that claims a proof."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: hudyn-verify <run>/tables/certificate.json")
    refused = False
    for record in json.loads(Path(sys.argv[1]).read_text())["members"]:
        told = record["status"]
        if told == "proved":
            try:
                check(record)
                told += f" on every word of the automaton of {len(record['states'])} states"
            except (ArithmeticError, LookupError, ValueError, TypeError, RecursionError) as error:
                told, refused = f"REFUSED: {error}", True
        print(f"member {record['member']}: {told}")
    sys.exit(int(refused))
