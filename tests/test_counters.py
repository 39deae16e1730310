"""What units do in the phases of counting, and which unit counts: known answers, invariance and faults."""

import csv
import math

import numpy as np
import pytest
import torch

from hudyn.dynamics.counters import counter_rows, counters, phases
from hudyn.dynamics.maps import in_double
from hudyn.languages import Counting
from hudyn.networks import GRU, LSTM, SRN, CountingLSTM, CountingSRN, FixedPointSRN
from hudyn.run.tables import write_csv

LANGUAGE = Counting([1, 1])


def permuted(network, order):
    """The same network with its hidden units in another order."""
    state = {}
    for name, value in network.state_dict().items():
        if name == "output.weight":
            state[name] = value[:, order]
        elif name == "output.bias":
            state[name] = value
        else:
            blocks = value.unflatten(0, (-1, network.hidden_size))[:, order].flatten(0, 1)
            state[name] = blocks[:, order] if name == "hidden_weight" else blocks
    changed = type(network)(network.alphabet_size, network.hidden_size)
    changed.load_state_dict(state)
    return changed


def line(changes):
    """An LSTM with one cell that goes by these numbers, all within 1, at each symbol; its gates are open."""
    network = LSTM(len(changes), 1)
    for parameter in network.parameters():
        parameter.data.zero_()
    network.bias.data[[0, 1, 3]] = 40.0
    network.input_weight.data[2] = torch.tensor(changes).atanh()
    return network


def test_the_counting_lstm_counts_in_steps_of_one():
    found = counters(CountingLSTM(4), LANGUAGE)
    unit = found.units.index("context 1")
    np.testing.assert_allclose(found.slope[unit], [1, -1], atol=1e-6)
    np.testing.assert_allclose(found.linearity[unit], 1, atol=1e-9)
    np.testing.assert_allclose(found.linear[unit], 1, atol=1e-9)
    np.testing.assert_allclose([found.low[unit], found.high[unit]], [[1, 0], [4, 3]], atol=1e-6)
    assert np.isnan(found.saturation[unit]).all()
    assert found.counting == (unit, unit)
    assert found.describe() == "context 1 rises 1.00 per a, falls 1.00 per b"
    for gate in ("input", "forget", "output"):
        np.testing.assert_allclose(found.gate_mean[gate][0], 1, atol=1e-6)
        assert (found.gate_saturation[gate][0] == 1).all()
    np.testing.assert_allclose(found.gate_mean["candidate"][0], [1, -1], atol=1e-6)


def test_the_counting_srn_nears_and_leaves_its_fixed_points():
    found = counters(CountingSRN(4), LANGUAGE)
    assert found.counting == (0, 0)
    assert [found.form(0, phase) for phase in range(2)] == ["monotone", "monotone"]
    np.testing.assert_allclose(found.rest[0], [math.sqrt(3) / 2, 0], atol=0.01)
    assert 0.35 < found.ratio[0, 0] < 0.5  # tanh bends it below the eigenvalue
    assert found.ratio[0, 1] == pytest.approx(2, abs=0.05)
    assert found.describe().startswith("hidden 1 nears 0.87 by a factor of 0.37 per a, leaves")


def test_a_course_that_alternates_has_a_negative_ratio():
    """The b's take the unit to 1; from there it goes to and fro around 0."""
    found = counters(FixedPointSRN([[-0.7]], [[0.0], [0.99999]]), LANGUAGE)
    assert found.ratio[0, 0] == pytest.approx(-0.7, abs=0.1)  # tanh bends it
    assert found.rest[0, 0] == pytest.approx(0, abs=0.05)
    assert found.counting[0] == 0
    assert found.form(0, 0) == "alternating"
    assert "hidden 1 nears" in found.describe()
    assert "from both sides in turn" in found.describe()


def test_slopes_are_within_words():
    """A cell that never comes back to 0: each word has an intercept of its own, and the course is a line in each."""
    found = counters(line([0.5, -0.125, 0.25]), Counting([1, 2, 1]))
    np.testing.assert_allclose(found.slope[1], [0.5, -0.125, 0.25], atol=1e-6)
    np.testing.assert_allclose(found.linearity[1], 1, atol=1e-9)
    assert (found.linear[1] < 0.9).all()
    assert "context 1" not in found.describe()


def test_slopes_agree_with_a_regression_that_has_an_intercept_for_each_word():
    torch.manual_seed(3)
    network, language = GRU(3, 4), Counting([1, 2, 3], max_n=3)
    found = counters(network, language)
    for place, phase in enumerate(phases(in_double(network), language)):
        columns = np.column_stack([phase.counts, phase.words[:, None] == np.unique(phase.words)])
        fitted, left, *_ = np.linalg.lstsq(columns, phase.states, rcond=None)
        np.testing.assert_allclose(found.slope[:, place], fitted[0], atol=1e-10)
        means = np.stack([phase.states[phase.words == word].mean(axis=0) for word in phase.words])
        np.testing.assert_allclose(found.linearity[:, place], 1 - left / ((phase.states - means) ** 2).sum(axis=0))


def test_phases_hold_the_states_of_the_second_words():
    network, language = in_double(CountingLSTM(4)), Counting([1, 1], max_n=3)
    first, second = phases(network, language)
    assert len(first.words) == len(second.words) == 3 * (1 + 2 + 3)
    np.testing.assert_allclose(first.states[:, 5], first.counts, atol=1e-6)  # context 1
    np.testing.assert_allclose(second.states[:, 5], second.left, atol=1e-6)
    assert set(first.gates) == {"input", "forget", "candidate", "output"}


@pytest.mark.parametrize("build", [SRN, LSTM, GRU])
def test_the_order_of_units_does_not_matter(build):
    torch.manual_seed(1)
    network, order = build(2, 3), [2, 0, 1]
    found, other = counters(network, LANGUAGE), counters(permuted(network, order), LANGUAGE)
    places = np.concatenate([np.add(order, shift) for shift in range(0, len(found.units), 3)])
    for name in ("slope", "linearity", "low", "high", "saturation", "ratio", "rest", "linear", "geometric"):
        np.testing.assert_allclose(getattr(other, name), getattr(found, name)[places], rtol=1e-5, atol=1e-6)
    for gate, means in found.gate_mean.items():
        np.testing.assert_allclose(other.gate_mean[gate], means[order], atol=1e-6)


def test_units_that_do_not_move():
    network = SRN(2, 1)
    for parameter in network.parameters():
        parameter.data.zero_()
    found = counters(network, LANGUAGE)
    assert (found.slope == 0).all()
    assert (found.linearity == 0).all()
    assert (found.read_back == 0).all()
    assert np.isnan(found.ratio).all()
    assert found.counting == (None, None)
    assert found.describe() == "no unit counts a or b"


def test_words_of_one_symbol_have_no_slope():
    found = counters(CountingLSTM(1), Counting([1, 2], max_n=1))
    assert np.isnan(found.slope[:, 0]).all()
    assert np.isfinite(found.slope[:, 1]).all()


def test_a_saturated_unit_is_told_from_one_that_is_not():
    network = SRN(2, 2, init_std=0)
    network.bias.data[:] = torch.tensor([3.0, 1.0])
    np.testing.assert_allclose(counters(network, LANGUAGE).saturation, [[1, 1], [0, 0]])
    rectified = SRN(2, 1, activation="relu")
    assert np.isnan(counters(rectified, LANGUAGE).saturation).all()


def test_rows_for_a_table(tmp_path):
    rows = counter_rows(counters(CountingLSTM(4), LANGUAGE))
    assert len(rows) == 10 * 2
    write_csv(tmp_path / "counters.csv", rows)
    with (tmp_path / "counters.csv").open() as file:
        read = list(csv.DictReader(file))
    (counting,) = [row for row in read if row["counts"] == "1" and row["symbol"] == "b"]
    assert (counting["unit"], counting["slope"], counting["form"]) == ("context 1", "-1", "linear")
    assert float(counting["forget_mean"]) == 1
    assert counting["saturation"] == ""


def test_long_words_are_sampled():
    network = CountingLSTM(2)
    found = counters(network, Counting([1, 1], max_n=60))
    unit = found.units.index("context 1")
    np.testing.assert_allclose(found.slope[unit], [1, -1], atol=1e-6)
    assert found.high[unit, 0] == pytest.approx(60)


def test_faults_are_named():
    with pytest.raises(ValueError, match="expected an alphabet of the network's 2 symbols, got 3: a, b, c"):
        counters(SRN(2, 2), Counting([1, 2, 3]))
    network = SRN(2, 2)
    network.bias.data[0] = torch.nan
    with pytest.raises(ValueError, match="expected finite parameters, got bias"):
        counters(network, LANGUAGE)
