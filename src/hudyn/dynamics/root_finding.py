"""Roots of F(h) - h, the fixed points of a symbol's map F, by damped and plain Newton steps from many starts.

Starts are spread over the box around the visited states, and taken from these states themselves.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from hudyn.dynamics.maps import Visits, jacobians, step, unit_bounds
from hudyn.networks.recurrent import RecurrentNetwork

RESIDUAL = 1e-10  # largest |F(h) - h| of a root, in units of 1 + |h|
SAME = 1e-6  # distance, in units of 1 + |h|, up to which two states are the same
SINGULAR = 1e-8  # singular values of F'(h) - 1 below this count as 0
MAX_ROOT_SPEED = 1e-6  # |F(h) - h|, in units of 1 + |h|, below which the end of a descent is taken for a root
FEW_UNITS = 8
SPREAD = {True: 128, False: 32}  # starts spread evenly over the box, for few units and for more: each costs more there
VISITED = 32  # starts from visited states
DESCENT_STEPS, NEWTON_STEPS = 60, 20
DAMPING = 1e-2  # at the start of a descent; ten times less after a step that lowers q, ten times more otherwise
CONVERGED = 1e-13  # |F(h) - h| or length of a step, in units of 1 + |h|, at which a descent ends
BETWEEN = 0.38  # where a point between two roots is tested: not the middle, which symmetry may make a root
BESIDE = 1e-3  # how far from a singular root, in units of 1 + |h|, more roots are sought

Box = tuple[Tensor, Tensor]


def search_box(network: RecurrentNetwork, visited: Visits) -> Box:
    """Lower and upper corner of the search, [units] each: the bounds of a unit, or around its visited values."""
    states = torch.cat([visited.before, visited.after])
    low, high = states.amin(dim=0), states.amax(dim=0)
    low, high = (low - (high - low) / 2).clamp(max=-1), (high + (high - low) / 2).clamp(min=1)
    lower, upper = (torch.from_numpy(bounds).to(low) for bounds in unit_bounds(network))
    return torch.where(lower.isfinite(), lower, low), torch.where(upper.isfinite(), upper, high)


def starts(
    network: RecurrentNetwork,
    visited: Visits,
    box: Box,
    more_symbols: Sequence[int] = (),
    more_states: Sequence[np.ndarray] = (),
) -> tuple[Tensor, Tensor]:
    """Symbols [starts] and states [starts, units] to search from: the same states for each symbol, and some more."""
    low, high = box
    even = SobolEngine(len(low)).draw(SPREAD[len(low) <= FEW_UNITS], dtype=torch.float64)
    chosen = visited.after[torch.linspace(0, len(visited.after) - 1, VISITED).round().long()]
    each = torch.cat([low + even * (high - low), chosen])
    more = [torch.from_numpy(state)[None] for state in more_states]
    symbols = [torch.arange(network.alphabet_size).repeat_interleave(len(each))]
    symbols += [torch.tensor([symbol]) for symbol in more_symbols]
    return torch.cat(symbols), torch.cat([each.repeat(network.alphabet_size, 1), *more])


def descend(network: RecurrentNetwork, symbols: Tensor, states: Tensor, times: int = 1) -> list[Tensor]:
    """Minimise q = |F(h) - h|² / 2 from each start by the Levenberg-Marquardt method.

    Returns:
        For each symbol, the states reached, [starts, units].
    """
    states = states.clone()
    residuals = step(network, symbols, states, times) - states
    damping = torch.full((len(states), 1), DAMPING, dtype=states.dtype)
    going = torch.arange(len(states))
    reached = torch.full((len(states),), torch.inf, dtype=states.dtype)
    for taken in range(DESCENT_STEPS):
        if taken % 10 == 0:  # continue with those that still fall
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
        better = (after.square().sum(dim=1) < off.square().sum(dim=1))[:, None]  # false for NaN
        states[going] = torch.where(better, trial, here)
        residuals[going] = torch.where(better, after, off)
        damping[going] = torch.where(better, held / 10, held * 10)
        size = 1 + here.norm(dim=1)
        arrived = residuals[going].norm(dim=1) < CONVERGED * size
        stuck = (moves.norm(dim=1) < CONVERGED * size) | ~moves.isfinite().all(dim=1)
        going = going[~(arrived | stuck)]
    return [states[symbols == symbol] for symbol in range(network.alphabet_size)]


def roots(
    network: RecurrentNetwork, symbol: int, ends: Tensor, box: Box, times: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """The distinct roots among the ends of descents: isolated ones, and others, [points, units] each.

    Those that are not isolated must lie in the box: far away, gates are shut to rounding and every state is a root.
    """
    near = speed(network, symbol, ends, times) < MAX_ROOT_SPEED * (1 + ends.norm(dim=1))
    points = newton(network, symbol, distinct(ends[near]), times)
    points = points[is_root(network, symbol, points, times)]
    sizes = torch.linalg.svdvals(derivatives(network, symbol, points, times))
    points, sizes = (part[inside(points, box) | (sizes[:, -1] >= SINGULAR)] for part in (points, sizes))
    waiting, kept = points[sizes.sum(dim=1).argsort(stable=True)], []  # the flattest first
    while len(waiting):
        first, waiting = waiting[:1], waiting[1:]
        kept.append(first)
        connected = is_root(network, symbol, torch.lerp(first, waiting, BETWEEN), times)
        waiting = waiting[~connected & ((waiting - first).norm(dim=1) > SAME * (1 + first.norm()))]
    points = torch.cat(kept) if kept else points
    _, sizes, directions = torch.linalg.svd(derivatives(network, symbol, points, times))
    singular = sizes[:, -1] < SINGULAR
    singular[singular.clone()] = _has_neighbours(network, symbol, points[singular], directions[singular, -1], times)
    return points[~singular].numpy(), points[singular].numpy()


def newton(network: RecurrentNetwork, symbol: int, states: Tensor, times: int = 1) -> Tensor:
    """States after Newton steps, which leave out the directions in which F(h) - h does not change."""
    for _ in range(NEWTON_STEPS):
        off = step(network, _all(symbol, states), states, times) - states
        slopes = derivatives(network, symbol, states, times).nan_to_num(0, 0, 0)
        moves = (torch.linalg.pinv(slopes, rtol=SINGULAR) @ off[..., None]).squeeze(-1)
        states = states - moves
        if not (moves.norm(dim=1) > CONVERGED / 10 * (1 + states.norm(dim=1))).any():
            break
    return states


def derivatives(network: RecurrentNetwork, symbol: int, states: Tensor, times: int = 1) -> Tensor:
    """Derivatives of F(h) - h, [states, units, units]."""
    return jacobians(network, _all(symbol, states), states, times) - torch.eye(states.shape[1], dtype=states.dtype)


def speed(network: RecurrentNetwork, symbol: int, states: Tensor, times: int = 1) -> Tensor:
    """|F(h) - h|, [states]."""
    return (step(network, _all(symbol, states), states, times) - states).norm(dim=1)


def is_root(network: RecurrentNetwork, symbol: int, states: Tensor, times: int = 1) -> Tensor:
    """Whether they are roots, bool [states]."""
    return speed(network, symbol, states, times) < RESIDUAL * (1 + states.norm(dim=1))


def inside(states: Tensor, box: Box) -> Tensor:
    """Whether they are in the box, bool [states]."""
    return ((states >= box[0]) & (states <= box[1])).all(dim=1)


def distinct(states: Tensor, distance: float = SAME) -> Tensor:
    """The states without those that are close to an earlier one."""
    kept = []
    while len(states):
        first = states[0]
        kept.append(first)
        states = states[(states - first).norm(dim=1) > distance * (1 + first.norm())]
    return torch.stack(kept) if kept else states


def _has_neighbours(network: RecurrentNetwork, symbol: int, points: Tensor, along: Tensor, times: int) -> Tensor:
    """Whether there are more roots close to `points` in the directions `along`, bool [points]."""
    apart = BESIDE * (1 + points.norm(dim=1))
    beside = newton(network, symbol, points + apart[:, None] * along, times)
    return is_root(network, symbol, beside, times) & ((beside - points).norm(dim=1) > apart / 2)


def _all(symbol: int, states: Tensor) -> Tensor:
    return torch.full((len(states),), symbol)
