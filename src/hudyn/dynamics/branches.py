"""Fixed points followed through training."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from hudyn.dynamics.fixed_points import FixedPoint, are_same, fixed_point
from hudyn.dynamics.maps import in_double, visits
from hudyn.dynamics.root_finding import descend, newton, roots, search_box, starts
from hudyn.networks.recurrent import RecurrentNetwork

Course = list[tuple[int, FixedPoint]]  # index of the network, and the point that it has


@dataclass(frozen=True)
class Branch:
    """A fixed point followed through training."""

    symbol: int  # index into the alphabet
    times: np.ndarray  # indices of the consecutive networks that have the point, [times]
    states: np.ndarray  # [times, units]
    eigenvalues: np.ndarray  # complex; each column is one eigenvalue over time, [times, units]


def follow(networks: Iterable[RecurrentNetwork], symbols: Tensor, read: Tensor | None = None) -> tuple[Branch, ...]:
    """Follow each fixed point through snapshots of one network in training.

    A branch continues with the point that Newton's method reaches from its last one. It ends if there is none, or if a
    closer branch claims that point. A point on no branch begins one.

    Args:
        networks: snapshots, in order.
        symbols: texts; the states visited in reading them guide the search, [texts, time].
        read: whether there is a symbol, bool [texts, time]; everywhere if None.

    Raises:
        ArgumentError: a parameter is not finite.
    """
    ended: list[Course] = []
    growing: list[Course] = []
    for time, network in enumerate(networks):
        copied = in_double(network)
        visited = visits(copied, symbols, read)
        box = search_box(copied, visited)
        last = [course[-1][1] for course in growing]
        ends = descend(
            copied, *starts(copied, visited, box, [point.symbol for point in last], [point.state for point in last])
        )
        points = [
            fixed_point(copied, symbol, state)
            for symbol in range(network.alphabet_size)
            for state in roots(copied, symbol, ends[symbol], box)[0]
        ]
        heirs = _heirs(copied, last, points)
        ended += [course for course, heir in zip(growing, heirs, strict=True) if heir is None]
        growing = [[*course, (time, points[h])] for course, h in zip(growing, heirs, strict=True) if h is not None]
        growing += [[(time, point)] for place, point in enumerate(points) if place not in heirs]
    return tuple(map(_branch, sorted(ended + growing, key=lambda course: (course[0][1].symbol, course[0][0]))))


def _heirs(network: RecurrentNetwork, last: Sequence[FixedPoint], points: Sequence[FixedPoint]) -> list[int | None]:
    """Which of `points` each of the `last` has become; None if it is gone."""
    claims: dict[int, tuple[float, int]] = {}  # for each point: distance and index of the closest claimant
    for place, old in enumerate(last):
        reached = newton(network, old.symbol, torch.from_numpy(old.state)[None])[0].numpy()
        for index, point in enumerate(points):
            if point.symbol == old.symbol and are_same(reached, point.state):
                claim = float(np.linalg.norm(point.state - old.state)), place
                claims[index] = min(claims.get(index, claim), claim)
    owners = {place: index for index, (_, place) in claims.items()}
    return [owners.get(place) for place in range(len(last))]


def _branch(course: Course) -> Branch:
    """The branch of these points, their eigenvalues matched from one time to the next."""
    rows: list[np.ndarray] = []
    for _, point in course:
        row = point.eigenvalues
        if rows:
            _, order = linear_sum_assignment(np.abs(rows[-1][:, None] - row))
            row = row[order]
        rows.append(row)
    times, states = np.array([time for time, _ in course]), np.stack([point.state for _, point in course])
    return Branch(course[0][1].symbol, times, states, np.stack(rows))
