"""Fixed points, 2-cycles, slow points and continua of the maps that symbols define.

Each symbol x defines a map F(h) of the full state h: hidden units, then context units where there are any. Points are
sought where q = |F(h) - h|² / 2 has minima (Sussillo & Barak 2013). At the threshold of a rectified unit, the Jacobian
is that of the unit switched off.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hudyn.dynamics.maps import Drift, Visits, drift, in_double, jacobians, step, visits
from hudyn.dynamics.root_finding import (
    MAX_ROOT_SPEED,
    SAME,
    SINGULAR,
    Box,
    derivatives,
    descend,
    distinct,
    inside,
    is_root,
    roots,
    search_box,
    speed,
    starts,
)
from hudyn.networks.recurrent import RecurrentNetwork

MARGIN = 1e-3  # |λ| nearer to 1 than this is marginal
SLOW = 0.05  # largest |F(h) - h| of a slow point
MAX_SLOW_CANDIDATES = 16
SLOW_NEWTON_STEPS = 5  # from a start at most 0.1 away, Newton's method needs no more
SLOW_SHIFT = 0.1
SLOW_GRADIENT = 1e-10  # |∇q| of a minimum
SLOW_APART = 1e-2  # starts nearer to each other, in units of 1 + |h|, lead to the same slow point
NEAREST_VISITED = 1000  # visited states that points are ordered by

Kind = Literal["node", "spiral", "saddle"]
Stability = Literal["stable", "unstable", "marginal"]


@dataclass(frozen=True, repr=False)
class FixedPoint:
    """A fixed point of a symbol's map, or a 2-cycle."""

    symbol: int  # index into the alphabet
    states: np.ndarray  # the state, or the two states of the cycle in turn, [period, units]
    residual: float  # |F(h) - h|; |F(F(h)) - h| for a cycle
    jacobian: np.ndarray  # of F at the first state, of F(F(h)) for a cycle, [units, units]
    eigenvalues: np.ndarray  # of the Jacobian, complex, in order of decreasing size, [units]

    @property
    def state(self) -> np.ndarray:
        """The state, [units]; the first of a cycle."""
        return self.states[0]

    @property
    def period(self) -> int:
        """1 for a fixed point, 2 for a cycle."""
        return len(self.states)

    @property
    def kind(self) -> Kind:
        """``saddle``, ``spiral`` or ``node``.

        It is a saddle if some |λ| < 1 and others > 1; otherwise a spiral if some eigenvalues are complex (imaginary
        part above 0.001); otherwise a node.
        """
        sizes = np.abs(self.eigenvalues)
        if sizes.max() > 1 + MARGIN and sizes.min() < 1 - MARGIN:
            return "saddle"
        return "spiral" if (np.abs(self.eigenvalues.imag) > MARGIN).any() else "node"

    @property
    def flip(self) -> bool:
        """Whether states change sides at each step in some direction: some real eigenvalue is below -0.001."""
        real = np.abs(self.eigenvalues.imag) <= MARGIN
        return bool((self.eigenvalues.real[real] < -MARGIN).any())

    @property
    def stability(self) -> Stability:
        """``stable`` if all |λ| < 1, ``unstable`` if one is larger; ``marginal`` if the largest is 1 ± 0.001."""
        largest = np.abs(self.eigenvalues).max()
        if abs(largest - 1) <= MARGIN:
            return "marginal"
        return "stable" if largest < 1 else "unstable"

    @property
    def name(self) -> str:
        """Stability and kind: ``stable node``, ``saddle``, ``unstable spiral``, ``stable flip node``."""
        parts = ["" if self.kind == "saddle" else self.stability, "flip" * self.flip, self.kind]
        return " ".join(part for part in parts if part) + (", a 2-cycle" if self.period == 2 else "")

    def __repr__(self) -> str:
        place = ", ".join(f"{value:.3f}" for value in self.state)
        sizes = ", ".join(
            f"{value.real:.3f}" + (f"{value.imag:+.3f}j" if abs(value.imag) > MARGIN else "")
            for value in self.eigenvalues
        )
        return f"FixedPoint({self.name} at [{place}], eigenvalues {sizes})"


@dataclass(frozen=True)
class SlowPoint:
    """A state that moves little, less than all states near it: an isolated minimum of q at which q is not 0."""

    symbol: int  # index into the alphabet
    state: np.ndarray  # [units]
    q: float  # |F(h) - h|² / 2
    eigenvalues: np.ndarray  # of the Jacobian of F, complex, in order of decreasing size, [units]


@dataclass(frozen=True)
class Continuum:
    """Fixed points or 2-cycles that are not isolated: a line of them, a plane, … An integrator has one."""

    symbol: int  # index into the alphabet
    period: int  # 1 for fixed points, 2 for cycles
    state: np.ndarray  # one of them, [units]
    directions: np.ndarray  # unit vectors from there towards the others, [dimension, units]
    eigenvalues: np.ndarray  # of the Jacobian of F, of F(F(h)) for cycles, complex, largest first, [units]


@dataclass(frozen=True)
class SymbolMap:
    """What the map of one symbol does."""

    symbol: int  # index into the alphabet
    fixed_points: tuple[FixedPoint, ...]  # isolated fixed points, those nearest to visited states first
    cycles: tuple[FixedPoint, ...]  # isolated 2-cycles
    slow_points: tuple[SlowPoint, ...]  # the slowest first
    continua: tuple[Continuum, ...]  # fixed points and cycles that are not isolated, one continuum of each dimension
    drift: Drift | None  # how far each unit moves per step; None if the symbol never comes twice in a row


def symbol_maps(network: RecurrentNetwork, symbols: Tensor, read: Tensor | None = None) -> tuple[SymbolMap, ...]:
    """The map of each symbol of the alphabet.

    Args:
        network: recurrent, of any precision; a copy in double precision is analysed.
        symbols: texts; the states that the network visits as it reads them guide the search, [texts, time].
        read: whether there is a symbol, bool [texts, time]; everywhere if None.

    Raises:
        ArgumentError: a parameter is not finite.
    """
    copied = in_double(network)
    visited = visits(copied, symbols, read)
    box = search_box(copied, visited)
    begun = starts(copied, visited, box)
    once, twice = descend(copied, *begun), descend(copied, *begun, times=2)
    maps = []
    for symbol in range(network.alphabet_size):
        isolated, others = roots(copied, symbol, once[symbol], box)
        returning, others_returning = roots(copied, symbol, twice[symbol], box, times=2)
        maps.append(
            SymbolMap(
                symbol,
                tuple(fixed_point(copied, symbol, state) for state in _by_distance(isolated, visited)),
                _cycles(copied, symbol, returning),
                _slow_points(copied, symbol, once[symbol], box),
                _continua(copied, symbol, others) + _continua(copied, symbol, others_returning, period=2),
                drift(copied, visited, symbol),
            )
        )
    return tuple(maps)


def fixed_point(network: RecurrentNetwork, symbol: int, state: np.ndarray, period: int = 1) -> FixedPoint:
    """The fixed point, or the cycle, at `state`."""
    first = torch.from_numpy(state)[None]
    symbols = torch.tensor([symbol])
    states = torch.cat([step(network, symbols, first, time) for time in range(period)])
    jacobian = jacobians(network, symbols, first, period)[0].numpy()
    residual = float(speed(network, symbol, first, period))
    return FixedPoint(symbol, states.numpy(), residual, jacobian, _by_size(np.linalg.eigvals(jacobian)))


def are_same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two states are the same up to the precision of the search."""
    return bool(np.linalg.norm(one - other) < SAME * (1 + np.linalg.norm(one)))


def _cycles(network: RecurrentNetwork, symbol: int, states: np.ndarray) -> tuple[FixedPoint, ...]:
    """The 2-cycles through `states`, some of which are fixed points."""
    cycles: list[FixedPoint] = []
    for state in states:
        cycle = fixed_point(network, symbol, state, period=2)
        known = [other for earlier in cycles for other in earlier.states]
        if not is_root(network, symbol, torch.from_numpy(state)[None]) and not any(are_same(state, k) for k in known):
            cycles.append(cycle)
    return tuple(cycles)


def _slow_points(network: RecurrentNetwork, symbol: int, ends: Tensor, box: Box) -> tuple[SlowPoint, ...]:
    """The isolated minima of q in the box, among the ends of descents, at which q is small but not 0."""

    def q(state: Tensor) -> Tensor:
        off = step(network, torch.tensor([symbol]), state[None])[0] - state
        return off.square().sum() / 2

    gradient, curvature = torch.func.vmap(torch.func.grad(q)), torch.func.vmap(torch.func.jacrev(torch.func.grad(q)))
    speeds = speed(network, symbol, ends)
    begun = ends[(speeds < SLOW) & (speeds > MAX_ROOT_SPEED * (1 + ends.norm(dim=1))) & inside(ends, box)]
    begun = distinct(begun, distance=SLOW_APART)[:MAX_SLOW_CANDIDATES]
    if not len(begun):
        return ()
    states = begun
    for _ in range(SLOW_NEWTON_STEPS):
        inverses = torch.linalg.pinv(curvature(states).nan_to_num(), hermitian=True)
        states = states - (inverses @ gradient(states)[..., None]).squeeze(-1)
    isolated = torch.linalg.eigvalsh(curvature(states).nan_to_num())[:, 0] > SINGULAR
    settled = (gradient(states).norm(dim=1) < SLOW_GRADIENT) & ((states - begun).norm(dim=1) < SLOW_SHIFT)
    speeds = speed(network, symbol, states)
    kept = distinct(states[isolated & settled & (speeds < SLOW) & (speeds > MAX_ROOT_SPEED)])
    points = [SlowPoint(symbol, state.numpy(), float(q(state)), _eigenvalues(network, symbol, state)) for state in kept]
    return tuple(sorted(points, key=lambda point: point.q))


def _continua(network: RecurrentNetwork, symbol: int, states: np.ndarray, period: int = 1) -> tuple[Continuum, ...]:
    """One continuum of each dimension, represented by the first of `states` on it that has this period."""
    continua: dict[int, Continuum] = {}  # by dimension
    for state in map(torch.from_numpy, states):
        if period == 2 and is_root(network, symbol, state[None]):
            continue
        _, sizes, directions = torch.linalg.svd(derivatives(network, symbol, state[None], period)[0])
        along = directions[sizes < SINGULAR]
        if len(along) not in continua:
            eigenvalues = _eigenvalues(network, symbol, state, period)
            continua[len(along)] = Continuum(symbol, period, state.numpy(), along.numpy(), eigenvalues)
    return tuple(continua.values())


def _eigenvalues(network: RecurrentNetwork, symbol: int, state: Tensor, times: int = 1) -> np.ndarray:
    return _by_size(np.linalg.eigvals(jacobians(network, torch.tensor([symbol]), state[None], times)[0].numpy()))


def _by_size(eigenvalues: np.ndarray) -> np.ndarray:
    """Complex eigenvalues in order of decreasing size; of a pair, the one above the real axis first."""
    values = eigenvalues.astype(complex)
    return values[np.lexsort([-values.imag, -np.abs(values).round(12)])]


def _by_distance(states: np.ndarray, visited: Visits) -> np.ndarray:
    """The states in order of increasing distance from visited states."""
    distances = torch.cdist(torch.from_numpy(states), visited.after[:NEAREST_VISITED]).amin(dim=1)
    return states[distances.argsort(stable=True).numpy()]
