"""How many fixed points and 2-cycles a map has, where the answer is known."""

import numpy as np
import pytest
import torch

from hudyn.dynamics.fixed_points import symbol_maps
from hudyn.dynamics.maps import in_double, jacobians, step
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
    assert not any(found.undecided.values())
    (zero,) = [point for point in found.points if np.abs(point.states.mid) < 0.1]
    assert abs(zero.eigenvalues[0] - eigenvalue) <= zero.errors[0] < 1e-8
    assert (zero.states.low <= 0).all()
    assert (zero.states.high >= 0).all()
    for cycle in found.cycles:
        assert cycle.states.mid.sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("weight", "points", "cycles"), [(3.0, 3, 0), (-6.0, 1, 1)])
def test_one_cell(weight, points, cycles):
    """With gates i = o = 1 and f = 1/2, a cell that excites itself is a latch; one that inhibits itself alternates."""
    network = LSTM(2, 1)
    for parameter in network.parameters():
        parameter.data.zero_()
    network.bias.data[[0, 3]], network.hidden_weight.data[2] = 100.0, weight
    found = census(network, 0)
    assert (len(found.points), len(found.cycles)) == (points, cycles)
    assert not any(found.undecided.values())
    for cycle in found.cycles:
        c = cycle.states.mid[:, 1]
        assert c[1] == pytest.approx(c[0] / 2 + np.tanh(weight * np.tanh(c[0])), abs=1e-9)


def test_fixed_points_beyond_the_limit_do_not_count():
    """The forget gate is near 1, so that two of three fixed points have contexts of thousands."""
    network = LSTM(2, 1)
    with torch.no_grad():
        network.input_weight.zero_()
        network.hidden_weight.copy_(torch.tensor([[-1.1762203], [1.9170951], [0.8011550], [1.8070087]]))
        network.bias.copy_(torch.tensor([-0.0850571, 9.8616617, -0.3672467, -0.2043833]))
    found = census(network, 0)
    assert found.undecided[1] == 0
    assert [round(float(point.states.mid[0, 1]), 3) for point in found.points] == [0.875]


def test_a_point_where_branches_meet_stays_undecided():
    found = census(one_unit(1.0), 0)
    assert not found.points
    assert found.undecided[1]
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
    assert not any(found.undecided.values())


@pytest.mark.parametrize(
    "make", [lambda: SRN(2, 2, init_std=2.0), lambda: GRU(2, 2), lambda: LSTM(2, 2), lambda: scaled(LSTM(2, 3), 4.0)]
)
def test_the_search_by_descent_finds_what_there_is(make):
    torch.manual_seed(0)
    network = make()
    for found in symbol_maps(network, torch.randint(2, (20, 12))):
        proved = census(network, found.symbol)
        assert not any(proved.undecided.values())
        assert (len(found.fixed_points), len(found.cycles)) == (len(proved.points), len(proved.cycles))


@pytest.mark.parametrize("make", [lambda: SRN(2, 3, init_std=2.0), lambda: scaled(LSTM(2, 3), 4.0)])
def test_states_and_eigenvalues_are_enclosed(make):
    torch.manual_seed(1)
    network = in_double(make())
    for symbol in range(2):
        found = census(network, symbol)
        for one in (*found.points, *found.cycles):
            assert one.states.rad.max() < 1e-9
            states = torch.from_numpy(one.states.mid)
            symbols = torch.full((len(states),), symbol)
            assert (step(network, symbols, states).roll(1, 0) - states).abs().max() < 1e-9
            slopes = jacobians(network, symbols[:1], states[:1], one.period)[0]
            near = np.abs(np.linalg.eigvals(slopes.numpy())[:, None] - one.eigenvalues).min(axis=1)
            assert (near < 1e-7).all()


def test_fixed_points_of_many_units_are_proved_though_others_are_not_excluded():
    torch.manual_seed(0)
    found = census(LSTM(2, 16), 0)
    assert len(found.points) == 1
    assert found.undecided[1]


def scaled(network, factor):
    for parameter in network.parameters():
        parameter.data *= factor
    return network
