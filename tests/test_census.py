"""How many fixed points and 2-cycles a map has, where the answer is known."""

import numpy as np
import pytest
import torch

from hudyn.dynamics.fixed_points import symbol_maps
from hudyn.networks import GRU, LSTM, SRN, CountingLSTM, FixedPointSRN
from hudyn.proof.census import census
from hudyn.proof.intervals import Interval


def one_unit(weight, bias=0.0):
    network = SRN(2, 1, init_std=0.0)
    network.hidden_weight.data[:], network.bias.data[:] = weight, bias
    return network


@pytest.mark.parametrize(
    ("weight", "points", "cycles", "eigenvalue"),
    [(0.5, 1, 0, 0.5), (2.0, 3, 0, 2.0), (-0.5, 1, 0, -0.5), (-2.0, 1, 1, -2.0)],
)
def test_one_unit(weight, points, cycles, eigenvalue):
    """tanh(w h) has three fixed points if w > 1, and a 2-cycle if w < -1."""
    found = census(one_unit(weight), 0)
    assert (len(found.points), len(found.cycles)) == (points, cycles)
    assert not any(len(left.mid) for left in found.undecided.values())
    (zero,) = [point for point in found.points if np.abs(point.states.mid) < 0.1]
    assert abs(zero.eigenvalues[0] - eigenvalue) <= zero.errors[0] < 1e-8
    assert (zero.states.low <= 0).all()
    assert (zero.states.high >= 0).all()
    for cycle in found.cycles:
        assert cycle.states.mid.sum() == pytest.approx(0, abs=1e-9)


def test_a_point_where_branches_meet_stays_undecided():
    found = census(one_unit(1.0), 0)
    assert not found.points
    assert len(found.undecided[1].mid)
    assert "boxes undecided" in repr(found)


def test_chosen_fixed_points_are_found_with_their_eigenvalues():
    network = FixedPointSRN([[0.8, -1.2], [1.2, 0.8]], [[0.1, -0.2], [-0.3, 0.1]])
    near = Interval(np.array([0.1, -0.2]), np.full(2, 1e-6))
    chosen = [p for p in census(network, 0).points if not p.states[0].apart(near).any()]
    assert len(chosen) == 1
    errors = np.abs(chosen[0].eigenvalues[:, None] - [0.8 + 1.2j, 0.8 - 1.2j]).min(axis=0)
    assert (errors < 1e-6).all()


def test_a_counter_without_bound_has_no_fixed_point():
    found = census(CountingLSTM(1), 0)
    assert (len(found.points), len(found.cycles)) == (0, 0)
    assert not any(len(left.mid) for left in found.undecided.values())


@pytest.mark.parametrize("make", [lambda: SRN(2, 2, init_std=2.0), lambda: GRU(2, 2), lambda: LSTM(2, 2)])
def test_the_search_by_descent_finds_what_there_is(make):
    torch.manual_seed(0)
    network = make()
    for found in symbol_maps(network, torch.randint(2, (20, 12))):
        proved = census(network, found.symbol)
        assert not any(len(left.mid) for left in proved.undecided.values())
        assert (len(found.fixed_points), len(found.cycles)) == (len(proved.points), len(proved.cycles))
