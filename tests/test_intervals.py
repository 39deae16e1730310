"""Intervals enclose what they must, by mpmath; jets enclose what a network does, in single precision too."""

import mpmath
import numpy as np
import pytest
import torch

from hudyn.dynamics.maps import in_double, jacobians, step
from hudyn.networks import GRU, LSTM, SRN
from hudyn.proof.intervals import TANH_ERROR, Interval, _tanh
from hudyn.proof.jets import EXACT, SINGLE, Jet, image

mpmath.mp.dps = 50
NETWORKS = [
    lambda: SRN(3, 2, init_std=1.5),
    lambda: SRN(3, 3, "relu", init_std=1.0),
    lambda: GRU(3, 3),
    lambda: LSTM(3, 2),
    lambda: LSTM(3, 2, peepholes=True),
]


def test_tanh_is_as_exact_as_it_says():
    places = np.concatenate([np.linspace(-25, 25, 4001), np.geomspace(1e-12, 1e3, 200), [0.0, -0.0, np.inf, -np.inf]])
    for x, y in zip(places.tolist(), _tanh(places).tolist(), strict=True):
        assert abs(mpmath.tanh(mpmath.mpf(x)) - mpmath.mpf(y)) < TANH_ERROR


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda x, y: x + y, lambda x, y: x + y),
        (lambda x, y: x - y, lambda x, y: x - y),
        (lambda x, y: x * y, lambda x, y: x * y),
        (lambda x, y: (x + y).tanh(), lambda x, y: mpmath.tanh(x + y)),
        (lambda x, y: (x * y).relu(), lambda x, y: max(x * y, mpmath.mpf(0))),
        (lambda x, y: (x * x + Interval.exact(1.0)).reciprocal(), lambda x, y: 1 / (x * x + 1)),
    ],
)
def test_operations_enclose_the_true_results(ours, theirs):
    draw = np.random.default_rng(0)
    mid, rad = draw.normal(size=(2, 200)) * 10.0 ** draw.integers(-8, 3, (2, 200)), draw.random((2, 200))
    one, other = Interval(mid[0], rad[0] * 1e-3), Interval(mid[1], rad[1] * 1e-3)
    found = ours(one, other)
    low, high = (bound.tolist() for bound in (found.low, found.high))
    for place in range(200):
        for sides in ((-1, -1), (1, 1), (-1, 1), (0, 0)):
            x, y = (
                mpmath.mpf(float(part.mid[place])) + side * mpmath.mpf(float(part.rad[place]))
                for part, side in zip((one, other), sides, strict=True)
            )
            assert low[place] <= theirs(x, y) <= high[place]


def test_a_product_of_matrices_encloses_the_exact_one():
    draw = np.random.default_rng(1)
    weights, vector = draw.normal(size=(5, 40)), draw.normal(size=(40, 1))
    found = weights @ Interval.exact(vector)
    for row in range(5):
        exact = mpmath.fsum(mpmath.mpf(w) * mpmath.mpf(v) for w, v in zip(weights[row], vector[:, 0], strict=True))
        assert found.low[row, 0] <= exact <= found.high[row, 0]
    assert found.rad.max() < 1e-12


def test_inside_and_apart_are_certain():
    wide, narrow, other = Interval.between(0.0, 1.0), Interval.between(0.25, 0.5), Interval.between(0.5, 2.0)
    assert narrow.inside(wide)
    assert not wide.inside(narrow)
    assert not wide.inside(wide)
    assert not narrow.apart(other)
    assert narrow.apart(Interval.between(0.6, 2.0))
    nothing = Interval.exact(np.nan)
    assert not nothing.inside(wide)
    assert not nothing.apart(wide)


def test_what_is_not_a_number_may_be_any():
    unknown = Interval.between(-1.0, 1.0).reciprocal()
    wide = Interval.between(0.0, 1.0)
    assert np.isnan(unknown.mid)
    assert wide.inside((unknown & wide).widened(1e-9))
    assert Interval.between(-0.9, 0.9).inside(unknown.tanh())


@pytest.mark.parametrize("make", NETWORKS)
def test_a_jet_encloses_states_and_derivatives(make):
    torch.manual_seed(0)
    network = make()
    units, draw = len(network.unit_names), np.random.default_rng(2)
    centre, axes = draw.uniform(-0.5, 0.5, units), 0.2 * draw.normal(size=(units, units))
    jets = {unit: Jet.variables(centre, axes, np.ones(units), unit) for unit in (EXACT, SINGLE)}
    inside = torch.from_numpy(centre + draw.uniform(-1, 1, (300, units)) @ axes.T)
    single = inside.float()
    slopes = torch.from_numpy(axes).expand(300, -1, -1)
    exact = in_double(network)
    for symbol in (0, 2, 1):
        symbols = torch.full((300,), symbol)
        slopes = jacobians(exact, symbols, inside) @ slopes
        inside = step(exact, symbols, inside)
        with torch.no_grad():
            single = step(network, symbols, single)
        jets = {unit: image(network, symbol, jet) for unit, jet in jets.items()}
        for unit, states in ((EXACT, inside), (SINGLE, single)):
            found, values = jets[unit].range, states.double().numpy()
            assert (found.low <= values).all()
            assert (values <= found.high).all()
            assert (found.low < found.high).all()
        found = jets[EXACT].slopes
        assert (found.low - 1e-12 <= slopes.numpy()).all()
        assert (slopes.numpy() <= found.high + 1e-12).all()


def test_the_mean_value_form_is_narrow_where_the_box_is():
    """Its excess over the true range falls as the square of the width."""
    torch.manual_seed(0)
    network, excess = SRN(2, 2, init_std=1.0), []
    for width in (1e-2, 1e-3):
        jet = Jet.variables(np.zeros(2), width * np.eye(2), np.ones(2), EXACT)
        for _ in range(3):
            jet = image(network, 0, jet)
        corners = torch.tensor([[x, y] for x in (-width, width) for y in (-width, width)], dtype=torch.float64)
        values = step(in_double(network), torch.zeros(4, dtype=torch.long), corners, times=3).numpy()
        low, high = values.min(axis=0), values.max(axis=0)
        excess.append(float((jet.range.high - jet.range.low - (high - low)).max()))
    assert excess[1] < excess[0] / 50


def test_gathered_errors_turn_with_the_states():
    """Under a rotation by 45°, intervals grow by the square root of 2 with each symbol; errors along axes do not."""
    network = SRN(2, 2)
    for parameter in network.parameters():
        parameter.data.zero_()
    turn = np.array([[1.0, -1.0], [1.0, 1.0]]) * 0.5**0.5
    network.hidden_weight.data[:], axes = torch.from_numpy(turn), np.eye(2)
    alone = gathered = Jet.variables(np.array([[0.01, 0.0]]), np.zeros((1, 2, 2)), np.ones((1, 2)), SINGLE)
    state = torch.tensor([[0.01, 0.0]])
    for _ in range(30):
        axes = turn @ axes
        alone, gathered = image(network, 0, alone), image(network, 0, gathered).gathered(axes, axes.T, 2)
        with torch.no_grad():
            state = step(network, torch.zeros(1, dtype=torch.long), state)
        for jet in (alone, gathered):
            assert (jet.range.low <= state.double().numpy()).all()
            assert (state.double().numpy() <= jet.range.high).all()
    assert gathered.range.rad.max() < alone.range.rad.max() / 100


def test_gathered_values_stay_enclosed():
    torch.manual_seed(0)
    network = LSTM(2, 3)
    draw = np.random.default_rng(0)
    centre, spread, axes = draw.uniform(-0.5, 0.5, 6), 0.05 * draw.normal(size=(6, 6)), draw.normal(size=(6, 6))
    states = torch.from_numpy(centre + draw.uniform(-1, 1, (300, 6)) @ spread.T)
    jet = Jet.variables(centre[None], spread[None], np.ones((1, 6)), EXACT)
    for symbol in (0, 1, 0, 1):
        states = step(in_double(network), torch.full((300,), symbol), states)
        jet = image(network, symbol, jet).gathered(axes, np.linalg.inv(axes), 6)
        assert jet.slopes.mid.shape == (1, 6, 12)
        assert (jet.range.low <= states.numpy()).all()
        assert (states.numpy() <= jet.range.high).all()
