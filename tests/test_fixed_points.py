"""Fixed points, cycles, slow points and drift: known answers, peers and faults."""

import math

import numpy as np
import pytest
import scipy.optimize
import torch

from hudyn.dynamics.branches import follow
from hudyn.dynamics.fixed_points import symbol_maps
from hudyn.dynamics.maps import in_double, jacobians, step, visits
from hudyn.languages import Counting
from hudyn.networks import GRU, LSTM, SRN, CountingLSTM, CountingSRN, FixedPointSRN

WORDS = torch.from_numpy(Counting([1, 1]).annotate([3, 1, 4, 2, 4, 1]).symbols)[None]
OTHER = [[0.3, 0.2]]  # a fixed point for a second symbol, which the tests do not look at


def set_parameters(network, **values):
    """The network with these parameters, and 0 for those that are not named."""
    for name, parameter in network.named_parameters():
        parameter.data = torch.tensor(values.get(name, 0.0)).expand(parameter.shape).clone()
    return network


def assert_fixed(network, found, period=1):
    """That they are fixed points, with the eigenvalues of scipy's finite differences, and numpy's."""
    double = in_double(network)

    def image(state):
        states = torch.from_numpy(state)[None]
        return step(double, torch.tensor([found.symbol]), states, times=period)[0].numpy()

    solved = scipy.optimize.root(lambda state: image(state) - state, found.state, tol=1e-13)
    np.testing.assert_allclose(found.state, solved.x, atol=1e-6)
    assert np.linalg.norm(image(found.state) - found.state) < 1e-10
    slopes = np.stack(
        [
            (image(found.state + 1e-6 * unit) - image(found.state - 1e-6 * unit)) / 2e-6
            for unit in np.eye(len(found.state))
        ],
        axis=1,
    )
    np.testing.assert_allclose(found.jacobian, slopes, atol=1e-7)
    np.testing.assert_allclose(
        np.sort_complex(found.eigenvalues), np.sort_complex(np.linalg.eigvals(found.jacobian)), atol=1e-9
    )


# Known answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jacobian", "eigenvalues", "name"),
    [
        ([[0.5, 0.3], [0.0, 0.25]], [0.5, 0.25], "stable node"),
        ([[2.0, 0.3], [0.0, 0.5]], [2.0, 0.5], "saddle"),
        ([[2.0, 0.3], [0.0, 1.5]], [2.0, 1.5], "unstable node"),
        ([[0.6, 0.6], [-0.6, 0.6]], [0.6 + 0.6j, 0.6 - 0.6j], "stable spiral"),
        ([[1.0, 0.8], [-0.8, 1.0]], [1 + 0.8j, 1 - 0.8j], "unstable spiral"),
        ([[-0.7, 0.1], [0.0, 0.2]], [-0.7, 0.2], "stable flip node"),
        ([[-2.0, 0.1], [0.0, 0.4]], [-2.0, 0.4], "flip saddle"),
        ([[-1.0, 0.1], [0.0, 0.4]], [-1.0, 0.4], "marginal flip node"),
    ],
)
@pytest.mark.parametrize("point", [[0.2, -0.4], [0.0, 0.0]])
def test_a_chosen_fixed_point_is_found_with_its_eigenvalues_and_type(jacobian, eigenvalues, name, point):
    network = FixedPointSRN(jacobian, [point, *OTHER])
    (found,) = [own for own in symbol_maps(network, WORDS)[0].fixed_points if np.allclose(own.state, point, atol=1e-4)]
    np.testing.assert_allclose(found.state, point, atol=1e-6)
    np.testing.assert_allclose(found.eigenvalues, eigenvalues, atol=1e-5)
    assert found.name == name
    assert found.period == 1


def test_all_fixed_points_of_one_unit_and_no_others():
    """h = tanh(2 h) has three solutions; the outer ones by bisection."""
    found = symbol_maps(FixedPointSRN([[2.0]], [[0.0], [0.9]]), WORDS)[0]
    outer = scipy.optimize.brentq(lambda h: math.tanh(2 * h) - h, 0.1, 1)
    np.testing.assert_allclose(sorted(own.state[0] for own in found.fixed_points), [-outer, 0, outer], atol=1e-7)
    assert sorted(own.name for own in found.fixed_points) == ["stable node", "stable node", "unstable node"]
    assert found.cycles == found.slow_points == found.continua == ()


def test_an_attracting_cycle_is_no_fixed_point():
    """h = tanh(-2 h) goes to and fro between two states around 0."""
    found = symbol_maps(FixedPointSRN([[-2.0]], [[0.0], [0.9]]), WORDS)[0]
    (centre,) = found.fixed_points
    assert (centre.name, centre.state[0]) == ("unstable flip node", pytest.approx(0, abs=1e-7))
    (cycle,) = found.cycles
    outer = scipy.optimize.brentq(lambda h: math.tanh(2 * h) - h, 0.1, 1)
    np.testing.assert_allclose(np.sort(cycle.states.ravel()), [-outer, outer], atol=1e-7)
    assert (cycle.period, cycle.name) == (2, "stable node, a 2-cycle")
    assert cycle.eigenvalues[0] == pytest.approx((2 * (1 - outer**2)) ** 2, abs=1e-6)


def test_the_counting_srn_has_the_eigenvalues_it_counts_by():
    under_a, under_b = symbol_maps(CountingSRN(4), WORDS)
    nearest = under_a.fixed_points[0]
    assert nearest.state[0] == pytest.approx(math.sqrt(3) / 2, abs=1e-6)
    assert (nearest.name, nearest.eigenvalues[0]) == ("stable node", pytest.approx(0.5, abs=1e-5))
    (middle,) = [own for own in under_b.fixed_points if abs(own.state[0]) < 0.01]
    assert (middle.name, middle.eigenvalues[0]) == ("saddle", pytest.approx(2, abs=1e-5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_counter_has_no_fixed_point_but_a_drift(dtype):
    for own, change, symbol in zip(symbol_maps(CountingLSTM(4).to(dtype), WORDS), (1, -1), "ab", strict=True):
        assert own.fixed_points == own.cycles == own.slow_points == own.continua == ()
        assert own.drift.mean[5] == change
        assert own.drift.spread[5] == 0
        assert own.drift.describe(symbol) == f"context 1 {change:+.2f} per {symbol}"


def test_the_drift_is_over_symbols_read_again():
    network = LSTM(2, 2)
    seen = visits(in_double(network), torch.tensor([[0, 0, 1, 0, 0, 0]]), torch.tensor([[True] * 5 + [False]]))
    assert seen.again.tolist() == [False, True, False, False, True]
    torch.testing.assert_close(seen.before[1:], seen.after[:-1])
    drift = symbol_maps(network, torch.tensor([[0, 0, 1, 0, 0]]))[0].drift
    np.testing.assert_allclose(drift.mean, (seen.after - seen.before)[seen.again].mean(dim=0), atol=1e-12)
    assert drift.steps == 2
    assert symbol_maps(network, torch.tensor([[0, 1, 0, 1]]))[0].drift is None


# Where there is no isolated point -------------------------------------------------------------------------------


def test_an_integrator_has_a_line_of_fixed_points():
    """Under b the gates keep the context: each value of it is a fixed point."""
    network = set_parameters(
        LSTM(2, 1),
        input_weight=[[40.0, -40.0], [0.0, 0.0], [1.0, -1.0], [0.0, 0.0]],
        bias=[0.0, 40.0, 0.0, 0.0],
    )
    found = symbol_maps(network, WORDS)[1]
    assert found.fixed_points == found.cycles == found.slow_points == ()
    (line,) = found.continua
    assert line.period == 1
    assert len(line.directions) == 1
    assert line.state[0] == pytest.approx(math.tanh(line.state[1]) / 2)
    assert abs(line.directions[0, 1]) > 0.9 * abs(line.directions[0, 0])
    assert line.eigenvalues[0] == pytest.approx(1)


def test_a_leaky_integrator_has_one_point():
    network = set_parameters(
        LSTM(2, 1),
        input_weight=[[40.0, -40.0], [0.0, 0.0], [1.0, -1.0], [0.0, 0.0]],
        bias=[0.0, 6.0, 0.0, 0.0],
    )
    under_a, under_b = symbol_maps(network, WORDS)
    forget = 1 / (1 + math.exp(-6))
    (kept,) = under_b.fixed_points
    np.testing.assert_allclose(kept.state, 0, atol=1e-9)
    assert kept.eigenvalues[0] == pytest.approx(forget)
    (far,) = under_a.fixed_points
    assert far.state[1] == pytest.approx(math.tanh(1) / (1 - forget))
    assert not under_a.continua
    assert not under_b.continua


def relu(hidden_weight, input_weight, initial):
    size = len(hidden_weight)
    values = {"hidden_weight": hidden_weight, "input_weight": input_weight, "initial_hidden": initial}
    return set_parameters(SRN(2, size, activation="relu"), **values)


def test_a_relu_network_may_have_a_line_or_a_plane_or_none():
    eye, still = [[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]
    (plane,) = symbol_maps(relu(eye, still, [1.0, 1.0]), WORDS)[0].continua
    assert len(plane.directions) == 2
    network = relu([[1.0, 0.0], [0.0, 0.5]], [[0.0, 1.0], [1.0, 1.0]], [1.0, 1.0])
    under_a, under_b = symbol_maps(network, WORDS)
    (line,) = under_a.continua
    np.testing.assert_allclose(np.abs(line.directions), [[1, 0]], atol=1e-9)
    assert line.state[1] == pytest.approx(2)
    assert under_a.fixed_points == under_b.fixed_points == under_b.continua == under_b.slow_points == ()
    assert under_b.drift.describe("b").startswith("hidden 1 +1.00 per b")


def test_a_relu_network_with_one_point():
    """h = A h + (1, 1), solved by hand, where all units are on."""
    weights = np.array([[0.2, -0.5], [0.4, 0.1]])
    network = relu(weights.astype(np.float32).tolist(), [[1.0, 0.0], [1.0, 0.0]], [1.0, 1.0])
    (found,) = symbol_maps(network, WORDS)[0].fixed_points
    np.testing.assert_allclose(found.state, np.linalg.solve(np.eye(2) - weights, [1, 1]), atol=1e-6)
    np.testing.assert_allclose(found.jacobian, weights, atol=1e-6)


def test_a_relu_unit_that_turns_around_has_a_line_of_cycles():
    """h = relu(1 - h): 1/2 is fixed, and all others in (0, 1) come back after two steps."""
    found = symbol_maps(relu([[-1.0]], [[1.0, 0.0]], [0.2]), WORDS)[0]
    (middle,) = found.fixed_points
    assert middle.name == "marginal flip node"
    assert middle.state[0] == pytest.approx(0.5)
    (line,) = found.continua
    assert line.period == 2


def test_where_two_fixed_points_have_just_gone_a_slow_point_is_left():
    """A shift of h = tanh(2 h + w) just past the fold: the two points that met are gone, the gap is still narrow."""
    fold = math.sqrt(1 / 2)  # the slope 2 (1 - h²) is 1
    shift = math.atanh(fold) - 2 * fold  # at the fold h = tanh(2 h + shift)
    for past, fixed, slow in ((-0.002, 1, 1), (0.002, 3, 0), (-0.5, 1, 0)):
        network = set_parameters(SRN(2, 1), input_weight=[[-shift - past, 0.0]], hidden_weight=[[2.0]])
        weight = network.input_weight[0, 0].item()
        found = symbol_maps(network, WORDS)[0]
        assert len(found.fixed_points) == fixed
        assert len(found.slow_points) == slow
        for point in found.slow_points:
            assert point.state[0] == pytest.approx(-fold, abs=0.01)
            gap = scipy.optimize.minimize_scalar(
                lambda h, w=weight: (math.tanh(2 * h + w) - h) ** 2 / 2, bracket=(-0.72, -0.7)
            )
            assert point.q == pytest.approx(gap.fun, rel=1e-6)


def test_a_point_that_is_about_to_split_is_one_marginal_point():
    """At the pitchfork h = tanh(h) has one fixed point, which Newton's method nears slowly from all sides."""
    (found,) = symbol_maps(FixedPointSRN([[1.0]], [[0.0], [0.9]]), WORDS)[0].fixed_points
    assert found.stability == "marginal"
    assert found.state[0] == pytest.approx(0, abs=1e-3)


# Networks of chance against peers -------------------------------------------------------------------------------


def random_network(kind, hidden_size, seed):
    torch.manual_seed(seed)
    network = kind(2, hidden_size)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=2.0)
    return network


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("kind", "hidden_size"), [(SRN, 1), (SRN, 2), (SRN, 5), (LSTM, 1), (LSTM, 3), (GRU, 2)])
def test_whatever_is_found_is_there(kind, hidden_size, seed):
    network = random_network(kind, hidden_size, seed)
    for own in symbol_maps(network, WORDS):
        for point in own.fixed_points:
            assert_fixed(network, point)
            assert (np.abs(point.state[:hidden_size]) <= 1).all()
        for cycle in own.cycles:
            assert_fixed(network, cycle, period=2)
            assert np.linalg.norm(cycle.states[0] - cycle.states[1]) > 1e-6
        states = [point.state for point in own.fixed_points] + [state for cycle in own.cycles for state in cycle.states]
        for place, state in enumerate(states):
            assert all(np.linalg.norm(state - other) > 1e-6 for other in states[:place])


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_missed_on_a_line(seed):
    """All fixed points of one unit, by the changes of sign of F(h) - h on a fine grid."""
    network = in_double(random_network(SRN, 1, seed))
    grid = torch.linspace(-1, 1, 20_001, dtype=torch.float64)[:, None]
    for own in symbol_maps(network, WORDS):
        for points, times in ((own.fixed_points, 1), (own.fixed_points + own.cycles, 2)):
            off = step(network, torch.full((len(grid),), own.symbol), grid, times) - grid
            crossings = int((off[1:] * off[:-1] <= 0).sum())
            assert sum(point.period for point in points) == crossings


@pytest.mark.parametrize("kind", [SRN, LSTM, GRU])
def test_jacobians_are_those_of_the_map(kind):
    network = in_double(random_network(kind, 3, 0))
    units = 6 if kind is LSTM else 3
    states = torch.rand(4, units, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    symbols = torch.tensor([0, 1, 1, 0])
    found = jacobians(network, symbols, states, times=2)
    for row, (symbol, state) in enumerate(zip(symbols, states, strict=True)):
        own = torch.autograd.functional.jacobian(lambda h, s=symbol: step(network, s[None], h[None], 2)[0], state)
        torch.testing.assert_close(found[row], own)


def test_precision_does_not_change_what_is_found():
    network = random_network(SRN, 2, 1)
    for one, other in zip(symbol_maps(network, WORDS), symbol_maps(in_double(network), WORDS), strict=True):
        assert len(one.fixed_points) == len(other.fixed_points) > 0
        for point, same in zip(one.fixed_points, other.fixed_points, strict=True):
            np.testing.assert_allclose(point.state, same.state, atol=1e-12)


def test_the_network_is_left_as_it_was():
    network = random_network(LSTM, 2, 0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    symbol_maps(network, WORDS)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert network.bias.dtype == torch.float32


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_network_that_diverged_is_refused(bad):
    network = SRN(2, 2)
    network.hidden_weight.data[0, 1] = bad
    with pytest.raises(ValueError, match="expected finite parameters, got hidden_weight with NaN or infinity"):
        symbol_maps(network, WORDS)


# In the course of training --------------------------------------------------------------------------------------


def test_branches_follow_points_through_a_pitchfork():
    """h = tanh(u h): 0 loses its stability at u = 1, where two stable points begin."""
    slopes = np.linspace(0.55, 1.45, 10)
    branches = [own for own in follow([FixedPointSRN([[u]], [[0.0], [0.9]]) for u in slopes], WORDS) if own.symbol == 0]
    assert len(branches) == 3
    middle, *outer = branches
    assert middle.times.tolist() == list(range(10))
    np.testing.assert_allclose(middle.states, 0, atol=1e-6)
    np.testing.assert_allclose(middle.eigenvalues[:, 0], slopes, atol=1e-5)
    for branch in outer:
        assert branch.times.tolist() == [5, 6, 7, 8, 9]
        assert (np.diff(branch.eigenvalues[:, 0].real) < 0).all()
    assert np.sign(outer[0].states[0]) == -np.sign(outer[1].states[0])


def test_each_eigenvalue_keeps_its_column():
    """One eigenvalue goes from -0.9 up, the other from 0.15 up, so that they swap their order in size."""
    negative, positive = np.linspace(-0.9, -0.1, 8), np.linspace(0.15, 0.95, 8)
    networks = [
        FixedPointSRN([[one, 0.0], [0.0, other]], [[0.1, 0.1], *OTHER])
        for one, other in zip(negative, positive, strict=True)
    ]
    (branch,) = [own for own in follow(networks, WORDS) if own.symbol == 0]
    np.testing.assert_allclose(branch.eigenvalues, np.stack([negative, positive], axis=1), atol=1e-5)
