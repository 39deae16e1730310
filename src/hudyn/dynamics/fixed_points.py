"""Fixed points, cycles and slow points of the maps that symbols define, and how they move in training.

Each symbol x defines a map F(h) of the full state h: hidden units, then context units where there are any. Points are
sought where q = |F(h) - h|² / 2 has minima (Sussillo & Barak 2013), from starts spread over the box that holds the
visited states and from visited states, by Newton steps that are damped where q would rise. Where a rectified unit is
just at its threshold, the Jacobian is that of the unit off.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import qmc
from torch import Tensor

from hudyn.dynamics.maps import Drift, Visits, drift, in_double, jacobians, step, visits
from hudyn.networks.recurrent import SRN, RecurrentNetwork

RESIDUAL = 1e-10  # largest |F(h) - h| of a fixed point, in units of 1 + |h|
SAME = 1e-6  # distance, in units of 1 + |h|, up to which two points are one
MARGIN = 1e-3  # |λ| nearer to 1 than this is marginal
SLOW = 0.05  # largest |F(h) - h| of a slow point
SINGULAR = 1e-8  # singular values of F'(h) - 1 below this are taken for 0
FEW_UNITS = 8
SPREAD = {True: 128, False: 32}  # starts spread evenly over the box, for few units and for more
VISITED = 32  # starts from visited states
DESCENT_STEPS, NEWTON_STEPS = 60, 20
CANDIDATES = 16  # of slow points

Kind = Literal["node", "spiral", "saddle"]
Stability = Literal["stable", "unstable", "marginal"]
Box = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class FixedPoint:
    """A fixed point of a symbol's map, or a cycle of two states.

    Attributes:
        symbol: index into the alphabet.
        states: the state, or the two states of the cycle in turn, [period, units].
        residual: |F(h) - h|, of a cycle |F(F(h)) - h|.
        jacobian: of F, of a cycle of F(F(h)), at the first state, [units, units].
        eigenvalues: of the Jacobian, complex, the largest in size first, [units].
    """

    symbol: int
    states: np.ndarray
    residual: float
    jacobian: np.ndarray
    eigenvalues: np.ndarray

    @property
    def state(self) -> np.ndarray:
        """The state, [units]; of a cycle, the first."""
        return self.states[0]

    @property
    def period(self) -> int:
        """1 of a fixed point, 2 of a cycle."""
        return len(self.states)

    @property
    def kind(self) -> Kind:
        """``saddle`` where |λ| < 1 for some eigenvalues and > 1 for others; else ``spiral`` where some are complex.

        Else it is a ``node``. A complex pair has an imaginary part of more than 0.001.
        """
        sizes = np.abs(self.eigenvalues)
        if sizes.max() > 1 + MARGIN and sizes.min() < 1 - MARGIN:
            return "saddle"
        return "spiral" if (np.abs(self.eigenvalues.imag) > MARGIN).any() else "node"

    @property
    def flip(self) -> bool:
        """Whether states change sides at each step in some direction: an eigenvalue is real, and below -0.001."""
        real = np.abs(self.eigenvalues.imag) <= MARGIN
        return bool((self.eigenvalues.real[real] < -MARGIN).any())

    @property
    def stability(self) -> Stability:
        """``stable``: all |λ| < 1; ``unstable``: one is more; ``marginal``: the largest is 1, to within 0.001."""
        largest = np.abs(self.eigenvalues).max()
        if abs(largest - 1) <= MARGIN:
            return "marginal"
        return "stable" if largest < 1 else "unstable"

    @property
    def name(self) -> str:
        """Stability and kind in words: ``stable node``, ``saddle``, ``unstable spiral``, ``stable flip node``."""
        words = ["" if self.kind == "saddle" else self.stability, "flip" * self.flip, self.kind]
        return " ".join(word for word in words if word) + (", a 2-cycle" if self.period == 2 else "")


@dataclass(frozen=True)
class SlowPoint:
    """A state that moves least, but moves: an isolated minimum of q at which q is not 0.

    Attributes:
        symbol: index into the alphabet.
        state: [units].
        q: |F(h) - h|² / 2.
        eigenvalues: of the Jacobian of F, complex, the largest in size first, [units].
    """

    symbol: int
    state: np.ndarray
    q: float
    eigenvalues: np.ndarray


@dataclass(frozen=True)
class Continuum:
    """Fixed points or cycles of two states that are not isolated: a line of them, or more; an integrator has them.

    Attributes:
        symbol: index into the alphabet.
        period: 1 of fixed points, 2 of cycles.
        state: one of them, [units].
        directions: in which the others lie from there, of length 1 each, [dimension, units].
        eigenvalues: of the Jacobian of F, of cycles of F(F(h)), complex, the largest in size first, [units].
    """

    symbol: int
    period: int
    state: np.ndarray
    directions: np.ndarray
    eigenvalues: np.ndarray


@dataclass(frozen=True)
class SymbolMap:
    """What the map of one symbol does.

    Attributes:
        symbol: index into the alphabet.
        fixed_points: isolated fixed points, the nearest to visited states first.
        cycles: isolated cycles of two states.
        slow_points: the slowest first.
        continua: fixed points and cycles that are not isolated, one continuum of each for each dimension that was met.
        drift: how far each unit moves in a step; None where the symbol was never read twice in a row.
    """

    symbol: int
    fixed_points: tuple[FixedPoint, ...]
    cycles: tuple[FixedPoint, ...]
    slow_points: tuple[SlowPoint, ...]
    continua: tuple[Continuum, ...]
    drift: Drift | None


@dataclass(frozen=True)
class Branch:
    """A fixed point in the course of training.

    Attributes:
        symbol: index into the alphabet.
        times: indices of the networks that have it, one after another, [times].
        states: [times, units].
        eigenvalues: complex, each column one eigenvalue followed through time, [times, units].
    """

    symbol: int
    times: np.ndarray
    states: np.ndarray
    eigenvalues: np.ndarray


def symbol_maps(network: RecurrentNetwork, symbols: Tensor, read: Tensor | None = None) -> tuple[SymbolMap, ...]:
    """The map of each symbol of the alphabet.

    Args:
        network: recurrent, of any precision; what is found is of its copy in double precision.
        symbols: texts that are read for the states that it visits, [texts, time].
        read: whether there is a symbol, bool [texts, time]; everywhere where None.

    Raises:
        ValueError: a parameter is not finite.
    """
    copied = in_double(network)
    visited = visits(copied, symbols, read)
    box = _box(copied, visited)
    starts = _starts(copied, visited, box)
    once, twice = _descend(copied, *starts), _descend(copied, *starts, times=2)
    found = []
    for symbol in range(network.alphabet_size):
        isolated, others = _roots(copied, symbol, once[symbol], box)
        returning, others_returning = _roots(copied, symbol, twice[symbol], box, times=2)
        found.append(
            SymbolMap(
                symbol,
                tuple(_fixed_point(copied, symbol, state) for state in _by_distance(isolated, visited)),
                _cycles(copied, symbol, returning),
                _slow_points(copied, symbol, once[symbol], box),
                _continua(copied, symbol, others) + _continua(copied, symbol, others_returning, period=2),
                drift(copied, visited, symbol),
            )
        )
    return tuple(found)


def follow(networks: Iterable[RecurrentNetwork], symbols: Tensor, read: Tensor | None = None) -> tuple[Branch, ...]:
    """The fixed points of networks that are snapshots of one network in training, each followed through time.

    A branch goes on with the point that Newton's method reaches from its last one; it ends where there is none, or
    where a nearer branch has it. A point on no branch begins one.

    Args:
        networks: snapshots, in order.
        symbols: texts that are read for the states that they visit, [texts, time].
        read: whether there is a symbol, bool [texts, time]; everywhere where None.

    Raises:
        ValueError: a parameter is not finite.
    """
    ended: list[list[tuple[int, FixedPoint]]] = []
    growing: list[list[tuple[int, FixedPoint]]] = []
    for time, network in enumerate(networks):
        copied = in_double(network)
        visited = visits(copied, symbols, read)
        box = _box(copied, visited)
        last = [branch[-1][1] for branch in growing]
        ends = _descend(copied, *_starts(copied, visited, box, last))
        points = [
            _fixed_point(copied, symbol, state)
            for symbol in range(network.alphabet_size)
            for state in _roots(copied, symbol, ends[symbol], box)[0]
        ]
        heirs = _heirs(copied, last, points)
        ended += [branch for branch, heir in zip(growing, heirs, strict=True) if heir is None]
        growing = [[*branch, (time, points[h])] for branch, h in zip(growing, heirs, strict=True) if h is not None]
        growing += [[(time, point)] for place, point in enumerate(points) if place not in heirs]
    return tuple(map(_branch, sorted(ended + growing, key=lambda branch: (branch[0][1].symbol, branch[0][0]))))


def _box(network: RecurrentNetwork, visited: Visits) -> Box:
    """The least and the largest state that the search begins in, [units] each: around those visited."""
    states = torch.cat([visited.before, visited.after])
    low, high = states.amin(dim=0), states.amax(dim=0)
    low, high = (low - (high - low) / 2).clamp(max=-1), (high + (high - low) / 2).clamp(min=1)
    if not (isinstance(network, SRN) and network.activation == "relu"):
        low[: network.hidden_size], high[: network.hidden_size] = -1, 1
    return low, high


def _starts(
    network: RecurrentNetwork, visited: Visits, box: Box, others: Sequence[FixedPoint] = ()
) -> tuple[Tensor, Tensor]:
    """Symbols [starts] and states [starts, units] where the search begins: the same states for each symbol."""
    low, high = box
    even = torch.from_numpy(qmc.Sobol(len(low), scramble=False).random(SPREAD[len(low) <= FEW_UNITS]))
    chosen = visited.after[torch.linspace(0, len(visited.after) - 1, VISITED).round().long()]
    each = torch.cat([low + even * (high - low), chosen])
    own = [torch.from_numpy(point.state)[None] for point in others]
    symbols = [torch.arange(network.alphabet_size).repeat_interleave(len(each))]
    symbols += [torch.tensor([point.symbol]) for point in others]
    return torch.cat(symbols), torch.cat([each.repeat(network.alphabet_size, 1), *own])


def _descend(network: RecurrentNetwork, symbols: Tensor, states: Tensor, times: int = 1) -> list[Tensor]:
    """Where q is least on the way down from each start, by Levenberg's and Marquardt's method.

    Returns:
        of each symbol, states [starts, units].
    """
    states = states.clone()
    residuals = step(network, symbols, states, times) - states
    damping = torch.full((len(states), 1), 1e-2, dtype=states.dtype)
    going = torch.arange(len(states))
    reached = torch.full((len(states),), torch.inf, dtype=states.dtype)
    for taken in range(DESCENT_STEPS):
        if taken % 10 == 0:  # those go on that still fall
            now = residuals.norm(dim=1)
            going = going[now[going] < reached[going] / 2]
            reached = now
        if not len(going):
            break
        here, off, held = states[going], residuals[going], damping[going]
        slopes = jacobians(network, symbols[going], here, times) - torch.eye(states.shape[1], dtype=states.dtype)
        normal = slopes.mT @ slopes + torch.diag_embed(held.expand_as(here))
        moves = -torch.linalg.solve_ex(normal, slopes.mT @ off[..., None]).result.squeeze(-1)
        trial = here + moves
        after = step(network, symbols[going], trial, times) - trial
        better = (after.square().sum(dim=1) < off.square().sum(dim=1))[:, None]  # false of NaN
        states[going] = torch.where(better, trial, here)
        residuals[going] = torch.where(better, after, off)
        damping[going] = torch.where(better, held / 10, held * 10)
        size = 1 + here.norm(dim=1)
        found = residuals[going].norm(dim=1) < 1e-13 * size
        stuck = (moves.norm(dim=1) < 1e-13 * size) | ~moves.isfinite().all(dim=1)
        going = going[~(found | stuck)]
    return [states[symbols == symbol] for symbol in range(network.alphabet_size)]


def _roots(
    network: RecurrentNetwork, symbol: int, ends: Tensor, box: Box, times: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """The different fixed points among the ends of descents: isolated ones, and others, [points, units] each.

    The others are sought in the box only, since far away gates are shut to rounding, and any state is kept.
    """
    near = _speed(network, symbol, ends, times) < 1e-6 * (1 + ends.norm(dim=1))
    points = _newton(network, symbol, _different(ends[near]), times)
    points = points[_exact(network, symbol, points, times)]
    sizes = torch.linalg.svdvals(_slopes(network, symbol, points, times))
    points, sizes = (part[_inside(points, box) | (sizes[:, -1] >= SINGULAR)] for part in (points, sizes))
    waiting, kept = points[sizes.sum(dim=1).argsort(stable=True)], []  # the flattest first
    while len(waiting):
        first, waiting = waiting[:1], waiting[1:]
        kept.append(first)
        joined = _exact(network, symbol, torch.lerp(first, waiting, 0.38), times)  # so is what lies between
        waiting = waiting[~joined & ((waiting - first).norm(dim=1) > SAME * (1 + first.norm()))]
    points = torch.cat(kept) if kept else points
    _, sizes, directions = torch.linalg.svd(_slopes(network, symbol, points, times))
    singular = sizes[:, -1] < SINGULAR
    singular[singular.clone()] = _continued(network, symbol, points[singular], directions[singular, -1], times)
    return points[~singular].numpy(), points[singular].numpy()


def _continued(network: RecurrentNetwork, symbol: int, points: Tensor, along: Tensor, times: int) -> Tensor:
    """Whether there are more fixed points close to `points` in the directions `along`, bool [points]."""
    apart = 1e-3 * (1 + points.norm(dim=1))
    beside = _newton(network, symbol, points + apart[:, None] * along, times)
    return _exact(network, symbol, beside, times) & ((beside - points).norm(dim=1) > apart / 2)


def _newton(network: RecurrentNetwork, symbol: int, states: Tensor, times: int = 1) -> Tensor:
    """States after Newton's steps, which do not go along directions that lead nowhere."""
    for _ in range(NEWTON_STEPS):
        off = step(network, _all(symbol, states), states, times) - states
        slopes = _slopes(network, symbol, states, times).nan_to_num(0, 0, 0)
        moves = (torch.linalg.pinv(slopes, rtol=SINGULAR) @ off[..., None]).squeeze(-1)
        states = states - moves
        if not (moves.norm(dim=1) > 1e-14 * (1 + states.norm(dim=1))).any():
            break
    return states


def _cycles(network: RecurrentNetwork, symbol: int, states: np.ndarray) -> tuple[FixedPoint, ...]:
    """The cycles of two states that have some of `states`; the rest are fixed points."""
    cycles: list[FixedPoint] = []
    for state in states:
        cycle = _fixed_point(network, symbol, state, period=2)
        known = [other for found in cycles for other in found.states]
        if not _exact(network, symbol, torch.from_numpy(state)[None]) and not any(_near(state, k) for k in known):
            cycles.append(cycle)
    return tuple(cycles)


def _slow_points(network: RecurrentNetwork, symbol: int, ends: Tensor, box: Box) -> tuple[SlowPoint, ...]:
    """The isolated minima of q in the box, among the ends of descents, at which it is small, but not 0."""

    def q(state: Tensor) -> Tensor:
        off = step(network, torch.tensor([symbol]), state[None])[0] - state
        return off.square().sum() / 2

    gradient, curvature = torch.func.vmap(torch.func.grad(q)), torch.func.vmap(torch.func.jacrev(torch.func.grad(q)))
    speeds = _speed(network, symbol, ends)
    starts = ends[(speeds < SLOW) & (speeds > 1e-6 * (1 + ends.norm(dim=1))) & _inside(ends, box)]
    starts = _different(starts, distance=1e-2)[:CANDIDATES]
    if not len(starts):
        return ()
    states = starts
    for _ in range(5):
        inverses = torch.linalg.pinv(curvature(states).nan_to_num(), hermitian=True)
        states = states - (inverses @ gradient(states)[..., None]).squeeze(-1)
    isolated = torch.linalg.eigvalsh(curvature(states).nan_to_num())[:, 0] > SINGULAR
    settled = (gradient(states).norm(dim=1) < 1e-10) & ((states - starts).norm(dim=1) < 0.1)
    speeds = _speed(network, symbol, states)
    kept = _different(states[isolated & settled & (speeds < SLOW) & (speeds > 1e-6)])
    found = [SlowPoint(symbol, state.numpy(), float(q(state)), _eigenvalues(network, symbol, state)) for state in kept]
    return tuple(sorted(found, key=lambda point: point.q))


def _continua(network: RecurrentNetwork, symbol: int, states: np.ndarray, period: int = 1) -> tuple[Continuum, ...]:
    """One continuum of each dimension, with the first of `states` on it that has this period."""
    found: dict[int, Continuum] = {}
    for state in map(torch.from_numpy, states):
        if period == 2 and _exact(network, symbol, state[None]):
            continue
        _, sizes, directions = torch.linalg.svd(_slopes(network, symbol, state[None], period)[0])
        along = directions[sizes < SINGULAR]
        if len(along) not in found:
            eigenvalues = _eigenvalues(network, symbol, state, period)
            found[len(along)] = Continuum(symbol, period, state.numpy(), along.numpy(), eigenvalues)
    return tuple(found.values())


def _fixed_point(network: RecurrentNetwork, symbol: int, state: np.ndarray, period: int = 1) -> FixedPoint:
    """The fixed point or the cycle at `state`."""
    first = torch.from_numpy(state)[None]
    symbols = torch.tensor([symbol])
    states = torch.cat([step(network, symbols, first, time) for time in range(period)])
    jacobian = jacobians(network, symbols, first, period)[0].numpy()
    residual = float(_speed(network, symbol, first, period))
    return FixedPoint(symbol, states.numpy(), residual, jacobian, _by_size(np.linalg.eigvals(jacobian)))


def _heirs(network: RecurrentNetwork, last: Sequence[FixedPoint], points: Sequence[FixedPoint]) -> list[int | None]:
    """Which of `points` each of the `last` has become; None where it is gone."""
    claims: dict[int, tuple[float, int]] = {}  # of each point: the nearest claimant
    for place, old in enumerate(last):
        reached = _newton(network, old.symbol, torch.from_numpy(old.state)[None])[0].numpy()
        for index, point in enumerate(points):
            if point.symbol == old.symbol and _near(reached, point.state):
                claim = float(np.linalg.norm(point.state - old.state)), place
                claims[index] = min(claims.get(index, claim), claim)
    owners = {place: index for index, (_, place) in claims.items()}
    return [owners.get(place) for place in range(len(last))]


def _branch(points: list[tuple[int, FixedPoint]]) -> Branch:
    """The branch of these times and points."""
    rows: list[np.ndarray] = []
    for _, point in points:
        row = point.eigenvalues
        if rows:
            _, order = linear_sum_assignment(np.abs(rows[-1][:, None] - row))
            row = row[order]
        rows.append(row)
    times, states = np.array([time for time, _ in points]), np.stack([point.state for _, point in points])
    return Branch(points[0][1].symbol, times, states, np.stack(rows))


def _slopes(network: RecurrentNetwork, symbol: int, states: Tensor, times: int = 1) -> Tensor:
    """Derivatives of F(h) - h, [states, units, units]."""
    return jacobians(network, _all(symbol, states), states, times) - torch.eye(states.shape[1], dtype=states.dtype)


def _speed(network: RecurrentNetwork, symbol: int, states: Tensor, times: int = 1) -> Tensor:
    """|F(h) - h|, [states]."""
    return (step(network, _all(symbol, states), states, times) - states).norm(dim=1)


def _inside(states: Tensor, box: Box) -> Tensor:
    """Whether they are in the box, bool [states]."""
    return ((states >= box[0]) & (states <= box[1])).all(dim=1)


def _exact(network: RecurrentNetwork, symbol: int, states: Tensor, times: int = 1) -> Tensor:
    """Whether they are fixed points, bool [states]."""
    return _speed(network, symbol, states, times) < RESIDUAL * (1 + states.norm(dim=1))


def _all(symbol: int, states: Tensor) -> Tensor:
    return torch.full((len(states),), symbol)


def _eigenvalues(network: RecurrentNetwork, symbol: int, state: Tensor, times: int = 1) -> np.ndarray:
    return _by_size(np.linalg.eigvals(jacobians(network, torch.tensor([symbol]), state[None], times)[0].numpy()))


def _by_size(eigenvalues: np.ndarray) -> np.ndarray:
    """Complex, the largest in size first; of a pair, the one above the real axis."""
    values = eigenvalues.astype(complex)
    return values[np.lexsort([-values.imag, -np.abs(values).round(12)])]


def _by_distance(states: np.ndarray, visited: Visits) -> np.ndarray:
    """The states nearest to visited ones first."""
    distances = torch.cdist(torch.from_numpy(states), visited.after[:1000]).amin(dim=1)
    return states[distances.argsort(stable=True).numpy()]


def _near(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.linalg.norm(one - other) < SAME * (1 + np.linalg.norm(one)))


def _different(states: Tensor, distance: float = SAME) -> Tensor:
    """The states without those that are near to an earlier one."""
    kept = []
    while len(states):
        first = states[0]
        kept.append(first)
        states = states[(states - first).norm(dim=1) > distance * (1 + first.norm())]
    return torch.stack(kept) if kept else states
