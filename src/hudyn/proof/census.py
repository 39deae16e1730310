"""All fixed points and 2-cycles of a symbol's map, proved by interval branch and bound with Krawczyk's test.

For a map F, a box X around c and Y near (F'(c) - 1)^-1, Krawczyk's operator is

    K(X) = c - Y (F(c) - c) + (1 - Y (F'(X) - 1)) (X - c).

Every fixed point in X lies in K(X). If K(X) is in the interior of X, there is exactly one (Krawczyk 1969; Neumaier
1990, §5.2). What holds is stated of real arithmetic, with the weights as they are.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hudyn.networks.recurrent import RecurrentNetwork
from hudyn.proof.intervals import UP, Interval
from hudyn.proof.jets import EXACT, Jet, image

MAX_BOXES = 4_000  # examined for each map; the boxes left after that stay undecided
AT_ONCE = 512  # boxes
NARROW = 1e-6  # width of a box that is not divided further
INFLATED = 0.1  # a box is tested with this share more on every side, so that a root on its border is inside
REFINEMENTS = 4  # Krawczyk steps at a root, each of which squares the width
FARTHEST = 100.0  # bound of the units that have none of their own: context units, and rectified ones
SHRINKS = 0.99  # the first box is contracted as long as some width falls below this share


@dataclass(frozen=True, repr=False)
class Enclosure:
    """A fixed point or a 2-cycle that is proved to exist, and to be the only one near.

    Attributes:
        states: boxes that hold the state, or the two states of the cycle in turn, [period, units].
        eigenvalues: centres of discs in the complex plane, [units]; the discs hold all eigenvalues of the Jacobian of
            F, or of F(F(h)) for a cycle, and those that touch none of the others hold one each.
        errors: radii of these discs, [units].
    """

    states: Interval
    eigenvalues: np.ndarray
    errors: np.ndarray

    @property
    def period(self) -> int:
        """1 of a fixed point, 2 of a cycle."""
        return len(self.states.mid)


class _Root(NamedTuple):
    """A root that is proved."""

    outer: Interval  # box in which it is the only one
    inner: Interval  # small box that holds it


@dataclass(frozen=True, repr=False)
class Census:
    """The fixed points and 2-cycles of a symbol's map in a box.

    Attributes:
        box: where they were sought: everywhere, but for units that are unbounded, up to 100.
        points: the fixed points.
        cycles: the 2-cycles.
        undecided: boxes that may hold more, by period, [boxes, units].
    """

    box: Interval
    points: tuple[Enclosure, ...]
    cycles: tuple[Enclosure, ...]
    undecided: dict[int, Interval]

    def left(self, period: int) -> np.ndarray:
        """Centres of the boxes of a period that stay undecided, [boxes, units]."""
        return self.undecided[period].mid

    def describe(self, symbol: str) -> str:
        """What is proved, in words."""
        parts = []
        for period, found, name in ((1, self.points, "fixed point"), (2, self.cycles, "2-cycle")):
            left = len(self.left(period))
            amount = f"at least {len(found)}" if left else f"exactly {len(found)}" if found else "no"
            parts.append(f"{amount} {name}{'s' * (len(found) != 1)}")
            parts[-1] += f" ({left} boxes undecided)" if left else ""
        return f"{symbol} has {' and '.join(parts)}"

    def __repr__(self) -> str:
        return f"Census({self.describe('the map')})"


def census(network: RecurrentNetwork, symbol: int) -> Census:
    """Prove how many fixed points and 2-cycles a symbol's map has; the network is an SRN, an LSTM or a GRU."""
    box = _first_box(network, symbol)
    fixed, left = _roots(network, symbol, box, 1)
    returning, undecided = _roots(network, symbol, box, 2)
    points = [_enclosure(network, symbol, root.inner, 1) for root in fixed]
    cycles: list[Enclosure] = []
    for root in returning:  # of F(F(h)) - h, the only one in its outer box
        if any(_within(point.inner, root.outer) for point in fixed):
            continue
        cycle = _enclosure(network, symbol, root.inner, 2)
        if any(_within(other.states[1], root.outer) for other in cycles):
            continue
        others = [cycle.states[1], *(point.inner for point in fixed), *(other.states[1] for other in cycles)]
        if all(root.inner.apart(other).any() for other in others):
            cycles.append(cycle)
        else:
            undecided.append(root.inner)
    return Census(box, tuple(points), tuple(cycles), {1: _stack(left, box), 2: _stack(undecided, box)})


def _first_box(network: RecurrentNetwork, symbol: int) -> Interval:
    """A box outside of which there are no fixed points and 2-cycles, but for those beyond `FARTHEST`."""
    is_hidden = np.arange(len(network.unit_names)) < network.hidden_size
    low, high = (np.clip(np.where(is_hidden, bound, sign * FARTHEST), -FARTHEST, FARTHEST)
                 for bound, sign in zip(network.hidden_bounds, (-1, 1), strict=True))  # fmt: skip
    box, width = Interval.between(low, high), np.full(len(low), np.inf)
    while (box.rad < SHRINKS * width).any():
        width, box = box.rad, box & _map(network, symbol, box, 1).range
    return box


def _map(network: RecurrentNetwork, symbol: int, boxes: Interval, times: int) -> Jet:
    """The map on boxes, applied `times` times."""
    axes = np.broadcast_to(np.eye(boxes.mid.shape[-1]), (*boxes.mid.shape, boxes.mid.shape[-1]))
    jet = Jet.variables(boxes.mid, axes, boxes.rad, EXACT)
    for _ in range(times):
        jet = image(network, symbol, jet)
    return jet


def _krawczyk(network: RecurrentNetwork, symbol: int, boxes: Interval, times: int) -> tuple[Interval, Jet]:
    """Krawczyk's operator on boxes, and the map there."""
    jet = _map(network, symbol, boxes, times)
    one = Interval.exact(np.eye(boxes.mid.shape[-1]))
    slopes = jet.slopes - one
    near = np.linalg.pinv(np.nan_to_num(slopes.mid))
    off = (near @ (jet.centre - Interval.exact(boxes.mid))[..., None])[..., 0]
    rest = (one - near @ slopes).magnitude @ boxes.rad[..., None]
    return (Interval.exact(boxes.mid) - off).widened(UP * rest[..., 0]), jet


def _roots(network: RecurrentNetwork, symbol: int, box: Interval, times: int) -> tuple[list[_Root], list[Interval]]:
    """The roots of F(h) - h, or of F(F(h)) - h, and the boxes that stay undecided."""
    waiting, left, examined, found = box[None], list[Interval](), 0, list[_Root]()
    while len(waiting.mid) and examined < MAX_BOXES:
        boxes, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        examined += len(boxes.mid)
        outer = boxes.widened(INFLATED * boxes.rad + NARROW / 100)
        inner, jet = _krawczyk(network, symbol, outer, times)
        unique = inner.inside(outer).all(axis=1)
        for place in np.flatnonzero(unique):
            root = _Root(outer[place], _refined(network, symbol, inner[place], times))
            if any(_within(root.inner, other.outer) for other in found):
                continue
            if all(root.inner.apart(other.inner).any() for other in found):
                found.append(root)
            else:
                left.append(root.inner)
        open_ = ~unique & ~(inner.apart(boxes) | jet.range.apart(boxes)).any(axis=1)
        boxes = (boxes & inner)[open_]
        small = ~(boxes.rad.max(axis=1, initial=0) > NARROW)  # or not a number
        left += [boxes[place] for place in np.flatnonzero(small)]
        waiting = _together(waiting, _halves(boxes[~small]))
    left += [waiting[place] for place in range(len(waiting.mid))]
    return found, [part for part in left if not any(_within(part, root.outer) for root in found)]


def _refined(network: RecurrentNetwork, symbol: int, box: Interval, times: int) -> Interval:
    """A smaller box with the same root."""
    for _ in range(REFINEMENTS):
        box = box & _krawczyk(network, symbol, box[None], times)[0][0]
    return box


def _enclosure(network: RecurrentNetwork, symbol: int, root: Interval, times: int) -> Enclosure:
    """The root with the eigenvalues there, by Gershgorin's discs of the Jacobian in the basis of its eigenvectors."""
    jet = _map(network, symbol, root[None], times)
    states = root[None] if times == 1 else _together(root[None], _map(network, symbol, root[None], 1).range)
    values, vectors = np.linalg.eig(jet.slopes.mid[0])
    inverse = np.linalg.pinv(vectors)
    matrix = _conjugate(inverse, jet.slopes[0], vectors)
    defect = (Interval.exact(np.eye(len(values))) - inverse @ Interval.exact(vectors)).magnitude.sum(axis=1).max()
    size = matrix.magnitude.sum(axis=1).max()
    inexact = UP * size * defect / (1 - defect) if defect < 1 else np.inf  # the inverse is only near the true one
    diagonal = np.diagonal(matrix.mid)
    errors = UP * (matrix.magnitude.sum(axis=1) - np.abs(diagonal) / UP + inexact)
    return Enclosure(states, diagonal.astype(complex), errors)


def _conjugate(inverse: np.ndarray, matrix: Interval, vectors: np.ndarray) -> Interval:
    """Inverse · matrix · vectors."""
    turned = vectors.T @ Interval(matrix.mid.T, matrix.rad.T)
    return inverse @ Interval(turned.mid.T, turned.rad.T)


def _halves(boxes: Interval) -> Interval:
    """Each box divided at its widest unit."""
    rows, widest = np.arange(len(boxes.mid)), boxes.rad.argmax(axis=1) if len(boxes.mid) else np.empty(0, int)
    lower, upper = boxes.high.copy(), boxes.low.copy()
    lower[rows, widest] = upper[rows, widest] = boxes.mid[rows, widest]
    return _together(Interval.between(boxes.low, lower), Interval.between(upper, boxes.high))


def _together(one: Interval, other: Interval) -> Interval:
    return Interval(np.concatenate([one.mid, other.mid]), np.concatenate([one.rad, other.rad]))


def _stack(boxes: list[Interval], like: Interval) -> Interval:
    empty = Interval(np.empty((0, len(like.mid))), np.empty((0, len(like.mid))))
    for box in boxes:
        empty = _together(empty, box[None])
    return empty


def _within(one: Interval, other: Interval) -> bool:
    """Whether a box certainly lies in another."""
    return bool(one.inside(other).all())
