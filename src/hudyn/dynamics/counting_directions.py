"""Counting by approaching one fixed point and leaving another.

The a's shrink a distance and the b's grow it back: |λ_a|·|λ_b|^k = 1 for the eigenvalues that govern the two phases
(Wiles & Elman 1995; Rodriguez, Wiles & Elman 1999).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch

from hudyn.dynamics.counters import COUNTS, STILL, Phase, number_text, within_words
from hudyn.dynamics.fixed_points import FixedPoint, SymbolMap
from hudyn.dynamics.maps import step
from hudyn.languages import Countable
from hudyn.networks.recurrent import RecurrentNetwork

AGREES = 0.25  # largest relative difference between the observed ratio and the eigenvalue
DEFECTIVE = 1e-9  # overlap of left and right eigenvector below which there is no coordinate
TINY = 1e-300  # keeps logarithms finite
REAL = 1e-6  # largest imaginary part of a real eigenvalue


@dataclass(frozen=True)
class Direction:
    """The fixed point nearest to the states of a phase, and the eigendirection in which they approach or leave it."""

    symbol: str  # of the phase
    point: str  # type of the fixed point, such as ``stable flip node``
    state: tuple[float, ...]  # the fixed point, value of each unit
    eigenvalue: complex  # of its Jacobian, in this direction
    ratio: float  # observed factor of the distance per step, by least squares; negative if it changes sides
    fit: float  # R² with which the logarithm of the distance is linear in the count, within words
    right: tuple[complex, ...]  # eigenvector, of length 1
    left: tuple[complex, ...]  # covector that gives the coordinate in this direction

    @property
    def obstacle(self) -> str | None:
        """Why it is not part of a counter, in words; None if it may be."""
        if not self.fit >= COUNTS:
            what = "does not change the distance from the nearest fixed point by a constant factor"
            return f"each {self.symbol} {what} (which would explain {self.fit:.0%})"
        if abs(self.eigenvalue.imag) > REAL:
            return f"the eigenvalue of the map of {self.symbol} is complex"
        value = self.eigenvalue.real
        if not abs(self.ratio - value) <= AGREES * abs(value):
            observed, expected = number_text(self.ratio), number_text(value)
            return f"each {self.symbol} changes the distance by a factor of {observed}, not by λ = {expected}"
        return None


def counting_directions(
    language: Countable, phases: Sequence[Phase], maps: Sequence[SymbolMap]
) -> tuple[Direction, ...]:
    """The direction that governs each phase that has a fixed point; none for languages of more than two symbols."""
    if len(phases) != 2:
        return ()
    directions = (
        _direction(_before_end(phase), maps[phase.symbol].fixed_points, language.alphabet[phase.symbol])
        for phase in phases
    )
    return tuple(direction for direction in directions if direction)


def predict_by_eigenvalues(
    network: RecurrentNetwork,
    language: Countable,
    phases: Sequence[Phase],
    directions: Sequence[Direction],
    precision: float,
    most: int,
) -> int | None:
    """N* of a counter by fixed points.

    Beyond the longest word in the texts, the distance from where the first b takes the a's fixed point is multiplied by
    λ_a for each further a, and the distance from the b's fixed point by λ_b for each further b. From there the network
    itself reads the b's of that longest word, and must be right. The prediction ends where the distance from the a's
    fixed point, shrunk by |λ_a| per a, is below the rounding of the network's precision.

    Args:
        network: in double precision.
        language: of two symbols.
        phases: from `hudyn.dynamics.counters.phases`.
        directions: of both phases.
        precision: rounding of the network's own precision.
        most: upper limit of the prediction.

    Returns:
        None if even the longest word in the texts is wrong.
    """
    one, other = directions
    values = [direction.eigenvalue.real**ratio for direction, ratio in zip(directions, language.ratios, strict=True)]
    last = np.abs(_coordinates(phases[0], one)[phases[0].counts == language.ratios[0] * language.max_n]).mean()
    rounding = precision * float(np.linalg.norm(one.state))
    resolved = math.log(max(rounding, TINY) / max(last, TINY)) / math.log(abs(values[0]))
    more = np.arange(max(int(min(resolved, most - language.max_n)), 0) + 1)
    length = language.ratios[1] * language.max_n
    begin = _coordinates(phases[1], other)[(phases[1].counts == 1) & (phases[1].left == length - 1)].mean()
    image = step(network, torch.tensor([1]), torch.tensor([one.state], dtype=torch.float64))[0].numpy()
    target = float((image - np.array(other.state)) @ np.array(other.left).real)  # where the first b takes the point
    distances = target * values[1] ** more + (begin - target) * math.prod(values) ** more
    states = torch.from_numpy(np.array(other.state) + np.outer(distances, np.array(other.right).real))
    right = torch.ones(len(more), dtype=torch.bool)
    for place in range(1, length + 1):
        right &= network.output(states[:, : network.hidden_size]).argmax(dim=1) == int(place < length)
        states = step(network, torch.ones(len(more), dtype=torch.int64), states)
    if not right[0]:
        return None
    return language.max_n + (len(more) if right.all() else int(right.int().argmin())) - 1


def _before_end(phase: Phase) -> Phase:
    """The phase without the steps after which another symbol comes and no count is carried; the a's are all kept."""
    kept = phase.left > 0 if phase.symbol else np.ones(len(phase.left), dtype=bool)
    gates = {name: gate[kept] for name, gate in phase.gates.items()}
    return Phase(phase.symbol, phase.words[kept], phase.counts[kept], phase.left[kept], phase.states[kept], gates)


def _direction(phase: Phase, points: Sequence[FixedPoint], symbol: str) -> Direction | None:
    """The direction at the nearest of `points` that governs the phase.

    Among directions without an obstacle, that is the one in which states lie farthest from the point; without any,
    the one in which the distance comes closest to changing geometrically.
    """
    if not points or not len(phase.states):
        return None
    point = min(points, key=lambda point: np.linalg.norm(phase.states - point.state, axis=1).mean())
    values, left, right = scipy.linalg.eig(point.jacobian, left=True)
    overlaps = (left.conj() * right).sum(axis=0)
    left = left.conj() / np.where(np.abs(overlaps) > DEFECTIVE, overlaps, np.inf)  # [units, directions]
    coordinates = (phase.states - point.state) @ left  # [steps, directions]
    logs = np.log(np.maximum(np.abs(coordinates), STILL))
    slopes, fits = within_words(phase, logs)
    sides = np.sign((coordinates[phase.followed + 1] * coordinates[phase.followed].conj()).real.sum(axis=0))
    directions = [
        Direction(
            symbol,
            point.name,
            tuple(point.state.tolist()),
            complex(values[place]),
            float(sides[place] * np.exp(slopes[place])),
            float(fits[place]),
            tuple(right[:, place].tolist()),
            tuple(left[:, place].tolist()),
        )
        for place in range(len(values))
    ]
    far = np.abs(coordinates).mean(axis=0)
    ranks = [
        (True, far[place]) if direction.obstacle is None else (False, direction.fit)
        for place, direction in enumerate(directions)
    ]
    return directions[max(range(len(directions)), key=lambda place: ranks[place])]


def _coordinates(phase: Phase, direction: Direction) -> np.ndarray:
    """Distance of the states from the fixed point in a real direction, [steps]."""
    return (phase.states - np.array(direction.state)) @ np.array(direction.left).real
