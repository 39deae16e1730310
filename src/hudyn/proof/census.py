"""All fixed points and 2-cycles of a symbol's map, proved by interval branch and bound with Krawczyk's test.

For a map F, a box X around c and Y near (F'(c) - 1)^-1, Krawczyk's operator is

    K(X) = c - Y (F(c) - c) + (1 - Y (F'(X) - 1)) (X - c).

Every fixed point in X lies in K(X). If K(X) is in the interior of X, there is exactly one (Krawczyk 1969; Neumaier
1990, §5.2). What holds is stated of real arithmetic, with the weights as they are.
"""

from dataclasses import dataclass, replace
from functools import reduce
from typing import NamedTuple

import numpy as np

from hudyn.networks.recurrent import LSTM, RecurrentNetwork
from hudyn.proof.intervals import UP, Interval
from hudyn.proof.jets import EXACT, Jet, cell, image, joined

MAX_BOXES = 100_000  # examined for each map; the boxes left after that stay undecided
MOST_WORK = 20_000_000  # fewer are examined if their number times that of the unknowns cubed is more than this
AT_ONCE = 512  # boxes
NARROW = 1e-6  # width of a box that is not divided further
INFLATED = 0.1  # a box is tested with this share more on every side, so that a root on its border is inside
STARTS, NEWTON = 8, 30  # boxes that stay undecided from which roots are sought by Newton's method, and its steps
FARTHEST = 100.0  # of units that have no bounds of their own: context units, and rectified ones
SHRINKS = 0.99  # a box is contracted as long as some width falls below this share of what it was


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
    """The fixed points and 2-cycles of a symbol's map in whose states no unit is beyond 100.

    Attributes:
        points: the fixed points.
        cycles: the 2-cycles.
        undecided: number of boxes that may hold more, by period.
    """

    points: tuple[Enclosure, ...]
    cycles: tuple[Enclosure, ...]
    undecided: dict[int, int]

    def describe(self, symbol: str) -> str:
        """What is proved, in words."""
        parts = []
        for period, found, name in ((1, self.points, "fixed point"), (2, self.cycles, "2-cycle")):
            left = self.undecided[period]
            amount = f"at least {len(found)}" if left else f"exactly {len(found)}" if found else "no"
            parts.append(f"{amount} {name}{'s' * (len(found) != 1)}")
            parts[-1] += f" ({left} boxes undecided)" if left else ""
        return f"{symbol} has {' and '.join(parts)}"

    def __repr__(self) -> str:
        return f"Census({self.describe('the map')})"


@np.errstate(divide="ignore", over="ignore", invalid="ignore")  # of boxes whose image has no bounds
def census(network: RecurrentNetwork, symbol: int) -> Census:
    """Prove how many fixed points and 2-cycles a symbol's map has; the network is an SRN, an LSTM or a GRU."""
    fixed, returning = _equation(network, symbol, 1), _equation(network, symbol, 2)
    points, undecided = list[Enclosure](), {}
    found, left = _roots(fixed)
    for root in found:
        states = fixed.states(root.inner)
        if _is_near(states):
            points.append(_enclosure(network, symbol, states))
        elif not _is_far(states):
            left.append(root.inner)
    undecided[1] = len(left)
    found, left = _roots(returning)
    cycles: list[Enclosure] = []
    for root in found:
        states = returning.states(root.inner)
        same = [returning.unknowns(point.states[[0, 0]]) for point in points]
        known = [returning.unknowns(other.states[::-1]) for other in cycles]
        if _is_far(states) or any(_within(other, root.outer) for other in (*same, *known)):
            continue  # beyond the limit; or the only root there is a fixed point, or the other state of a cycle
        others = [returning.unknowns(states[::-1]), *same, *known]
        if _is_near(states) and all(root.inner.apart(other).any() for other in others):
            cycles.append(_enclosure(network, symbol, states))
        else:
            left.append(root.inner)
    undecided[2] = len(left)
    return Census(tuple(points), tuple(cycles), undecided)


def _is_near(states: Interval) -> bool:
    """Whether certainly no unit is beyond `FARTHEST`."""
    return bool((states.magnitude <= FARTHEST).all())


def _is_far(states: Interval) -> bool:
    """Whether certainly some unit is."""
    return bool((np.maximum(states.low, -states.high) > FARTHEST).any())


@dataclass(frozen=True)
class _OfStates:
    """The equation h = F(h), or h = F(F(h)), for whole states.

    Attributes:
        network: whose map it is.
        symbol: that is read.
        period: how often F is applied.
    """

    network: RecurrentNetwork
    symbol: int
    period: int

    def box(self) -> Interval:
        """A box outside of which there are no solutions, but for those beyond `FARTHEST`."""
        is_hidden = np.arange(len(self.network.unit_names)) < self.network.hidden_size
        low, high = (np.clip(np.where(is_hidden, bound, sign * FARTHEST), -FARTHEST, FARTHEST)
                     for bound, sign in zip(self.network.hidden_bounds, (-1, 1), strict=True))  # fmt: skip
        box, width = Interval.between(low, high), np.full(len(low), np.inf)
        while (box.rad < SHRINKS * width).any():
            width, box = box.rad, box & _map(self.network, self.symbol, box, 1).range
        return box

    def image(self, boxes: Interval) -> tuple[Jet, np.ndarray]:
        """The right side on boxes, and whether a solution in them would have a context beyond `FARTHEST`, [boxes]."""
        return _map(self.network, self.symbol, boxes, self.period), np.zeros(len(boxes.mid), bool)

    def states(self, solution: Interval) -> Interval:
        """The states of the fixed point or the cycle, in turn, [period, units]."""
        after = [_map(self.network, self.symbol, solution[None], times).range for times in range(1, self.period)]
        return _together(solution[None], *after)

    def unknowns(self, states: Interval) -> Interval:
        """The solution that belongs to states, [unknowns]."""
        return states[0]


@dataclass(frozen=True)
class _OfHidden:
    """The same for an LSTM, for its hidden states alone: half as many unknowns of a fixed point, and none is unbounded.

    On a cycle, what is added to the context is what is forgotten. With a and f of each step, c = a / (1 - f) at a fixed
    point, and c = (f₂ a₁ + a₂) / (1 - f₁ f₂) before the first step of a 2-cycle.
    """

    network: LSTM
    symbol: int
    period: int

    def box(self) -> Interval:
        """All hidden states."""
        ones = np.ones(self.period * self.network.hidden_size)
        return Interval.between(-ones, ones)

    def image(self, boxes: Interval) -> tuple[Jet, np.ndarray]:
        """See `_OfStates.image`."""
        cells = self._cells(_variables(boxes))
        jet = reduce(joined, (output * (above * below.reciprocal()).tanh() for above, below, output in cells))
        far = np.zeros(len(boxes.mid), bool)
        for above, below, _ in cells:
            least = np.maximum(above.range.low, -above.range.high)  # of the absolute value
            far |= (least > UP * FARTHEST * below.range.high).any(axis=-1)
        return jet, far

    def states(self, solution: Interval) -> Interval:
        """See `_OfStates.states`."""
        size, rows = self.network.hidden_size, []
        for place, (above, below, _) in enumerate(self._cells(_variables(solution[None]))):
            hidden = solution[place * size : (place + 1) * size]
            context = (above * below.reciprocal()).range[0]
            rows.append(_together(hidden, context)[None])
        return _together(*rows)

    def unknowns(self, states: Interval) -> Interval:
        """See `_OfStates.unknowns`."""
        hidden = states[:, : self.network.hidden_size]
        return Interval(hidden.mid.ravel(), hidden.rad.ravel())

    def _cells(self, hidden: Jet) -> list[tuple[Jet, Jet, Jet]]:
        """For each state, above and below the fraction bar of the context, and the output gate that makes h from it."""
        size = self.network.hidden_size
        steps = [cell(self.network, self.symbol, hidden[k * size : (k + 1) * size]) for k in range(self.period)]
        if self.period == 1:
            ((_, added, lost, output),) = steps
            return [(added, lost, output)]
        (keep_1, added_1, lost_1, output_1), (keep_2, added_2, lost_2, output_2) = steps
        lost = lost_1 + keep_1 * lost_2
        least = np.maximum(lost_1.range.low, lost_2.range.low)
        lost = replace(lost, range=lost.range & Interval.between(least, 1.0))
        return [(keep_2 * added_1 + added_2, lost, output_2), (keep_1 * added_2 + added_1, lost, output_1)]


_Equation = _OfStates | _OfHidden


def _equation(network: RecurrentNetwork, symbol: int, period: int) -> _Equation:
    """The equation of a map's fixed points or 2-cycles."""
    if isinstance(network, LSTM) and network.peepholes is None:
        return _OfHidden(network, symbol, period)
    return _OfStates(network, symbol, period)


def _variables(boxes: Interval) -> Jet:
    """The points of boxes, [..., units]."""
    axes = np.broadcast_to(np.eye(boxes.mid.shape[-1]), (*boxes.mid.shape, boxes.mid.shape[-1]))
    return Jet.variables(boxes.mid, axes, boxes.rad, EXACT)


def _map(network: RecurrentNetwork, symbol: int, boxes: Interval, times: int) -> Jet:
    """The map on boxes, applied `times` times."""
    jet = _variables(boxes)
    for _ in range(times):
        jet = image(network, symbol, jet)
    return jet


def _krawczyk(equation: _Equation, boxes: Interval) -> tuple[Interval, Interval, np.ndarray]:
    """Krawczyk's operator on boxes; their image; and whether a solution in them would be too far, [boxes]."""
    jet, far = equation.image(boxes)
    one = Interval.exact(np.eye(boxes.mid.shape[-1]))
    slopes = jet.slopes - one
    near = np.linalg.pinv(np.nan_to_num(slopes.mid, posinf=0, neginf=0))
    off = (near @ (jet.centre - Interval.exact(boxes.mid))[..., None])[..., 0]
    rest = (one - near @ slopes).magnitude @ boxes.rad[..., None]
    return (Interval.exact(boxes.mid) - off).widened(UP * rest[..., 0]), jet.range, far


def _roots(equation: _Equation) -> tuple[list[_Root], list[Interval]]:
    """The solutions of an equation, and the boxes that stay undecided."""
    whole, left, examined, found = equation.box(), list[Interval](), 0, list[_Root]()
    waiting = whole[None]
    most = min(MAX_BOXES, MOST_WORK // waiting.mid.shape[1] ** 3)

    def note(outer: Interval, inner: Interval) -> None:
        root = _Root(outer, _refined(equation, inner))
        if any(_within(root.inner, other.outer) or _within(other.inner, root.outer) for other in found):
            return
        if all(root.inner.apart(other.inner).any() for other in found):
            found.append(root)
        else:
            left.append(root.inner)

    while len(waiting.mid) and examined < most:
        boxes, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        examined += len(boxes.mid)
        outer = boxes.widened(INFLATED * boxes.rad + NARROW / 100)
        inner, range_, far = _krawczyk(equation, outer)
        unique = inner.inside(outer).all(axis=1)
        for place in np.flatnonzero(unique):
            note(outer[place], inner[place])
        open_ = ~unique & ~far & ~inner.apart(boxes).any(axis=1)
        boxes &= inner
        open_ &= ~range_.apart(boxes).any(axis=1)
        boxes = (boxes & range_)[open_]
        small = ~(boxes.rad.max(axis=1, initial=0) > NARROW)
        left += [boxes[place] for place in np.flatnonzero(small)]
        waiting = _together(waiting, _halves(boxes[~small]))
    left += [waiting[place] for place in range(len(waiting.mid))]
    if left:
        near = _by_newton(equation, whole, _together(*(box[None] for box in left[:: -(-len(left) // STARTS)])))
        inner, _, _ = _krawczyk(equation, near)
        for place in np.flatnonzero(inner.inside(near).all(axis=1)):
            note(near[place], inner[place])
    return found, [part for part in left if not any(_within(part, root.outer) for root in found)]


def _by_newton(equation: _Equation, whole: Interval, boxes: Interval) -> Interval:
    """Small boxes around the points of the whole that Newton's method leads to from the centres of boxes."""
    points = Interval.exact(boxes.mid)
    for _ in range(NEWTON):
        step, _, _ = _krawczyk(equation, points)  # of a point
        points = Interval.exact(np.clip(step.mid, whole.low, whole.high))
    return points.widened(NARROW)


def _refined(equation: _Equation, box: Interval) -> Interval:
    """A smaller box with the same root."""
    width = np.full(box.mid.shape, np.inf)
    while (box.rad < SHRINKS * width).any():
        width, box = box.rad, box & _krawczyk(equation, box[None])[0][0]
    return box


def _enclosure(network: RecurrentNetwork, symbol: int, states: Interval) -> Enclosure:
    """The root with the eigenvalues there, by Gershgorin's discs of the Jacobian in the basis of its eigenvectors."""
    jet = _map(network, symbol, states[:1], len(states.mid))
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


def _together(*parts: Interval) -> Interval:
    """The boxes of all parts, [boxes, units]; or their units, [units]."""
    return Interval(np.concatenate([part.mid for part in parts]), np.concatenate([part.rad for part in parts]))


def _within(one: Interval, other: Interval) -> bool:
    """Whether a box certainly lies in another."""
    return bool(one.inside(other).all())
