"""Verdicts on counting: the right one on networks set by hand, and no counter where there is none."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from hudyn.dynamics.fixed_points import symbol_maps
from hudyn.dynamics.survey import survey
from hudyn.dynamics.verdict import Kind, Verdict, judge
from hudyn.languages import Counting, Dyck
from hudyn.metrics.kinds import wilson_interval
from hudyn.metrics.longest import longest
from hudyn.networks import GRU, LSTM, SRN, AutomatonSRN, CountingLSTM, CountingSRN
from hudyn.population import Population

LANGUAGE = Counting([1, 1])


def verdict_on(network, language=LANGUAGE, most=60):
    text = torch.from_numpy(language.annotate([1, language.max_n, 2, language.max_n]).symbols)[None]
    reached = longest(Population(lambda: network, 1), language, most).item()
    return judge(network, language, symbol_maps(network, text), reached, most)


def cut_at(max_n):
    """The automaton of a^n b^n up to `max_n`."""
    transitions = {"s": [{"symbol": "a", "to": "a1"}]}
    for n in range(1, max_n + 1):
        turn = 1 / (max_n - n + 1)
        down = {"symbol": "b", "to": f"b{n - 1}" if n > 1 else "end", "probability": turn}
        up = [{"symbol": "a", "to": f"a{n + 1}", "probability": 1 - turn}] if n < max_n else []
        transitions[f"a{n}"] = [*up, down]
    for n in range(1, max_n):
        transitions[f"b{n}"] = [{"symbol": "b", "to": f"b{n - 1}" if n > 1 else "end"}]
    return AutomatonSRN(transitions, "s", "end")


def by_fixed_points(under_a, under_b, threshold):
    """Counts a^n b^n on one unit with these eigenvalues: the first b takes the a's fixed point onto that of the b's, 0.

    Unit 2 is the last symbol; unit 3, on where a b takes the net input of unit 1 beyond the threshold, ends a word and
    sets unit 1 back. The network expects b wherever no word has ended.
    """
    network = SRN(2, 3)
    point, phase, reset = math.sqrt(1 - under_a / under_b), math.tanh(2), 4.0
    half, gain = under_b * point / 2, math.copysign(800.0, threshold)
    from_hidden, from_symbol = torch.zeros(3, 3), torch.zeros(3, 2)
    from_hidden[0] = torch.tensor([under_b, -half / phase, reset])
    from_symbol[0] = torch.tensor([math.atanh(point) - half + reset, reset - half])
    from_symbol[1] = torch.tensor([2.0, -2.0])
    from_hidden[2] = gain * from_hidden[0]
    from_symbol[2] = torch.tensor([-1e5, gain * (from_symbol[0, 1].item() - threshold)])
    values = {
        "input_weight": from_symbol,
        "hidden_weight": from_hidden,
        "bias": torch.zeros(3),
        "initial_hidden": torch.tensor([0.0, -2.0, 40.0]),
        "output.weight": torch.tensor([[0.0, 0, 0], [0, 0, -8]]),
        "output.bias": torch.zeros(2),
    }
    network.load_state_dict(values)
    return network


def test_the_counting_lstm_is_a_linear_counter():
    found = verdict_on(CountingLSTM(4))
    assert found.kind is Kind.LINEAR
    (cell,) = found.cells
    assert (cell.unit, cell.symbol) == ("context 1", "b")
    np.testing.assert_allclose(cell.slopes, [1, -1], atol=1e-6)
    assert cell.linear == pytest.approx(1)
    assert cell.balance == pytest.approx(0, abs=1e-6)
    assert found.predicted == found.longest == 60
    assert str(found).startswith("Counts in its cells: context 1 rises 1.00 per a, falls 1.00 per b and after")


def test_two_cells_count_three_symbols():
    """One rises 1 per a and falls 1/2 per b; the other rises 3/4 per b and falls 1/2 per c."""
    network = LSTM(3, 2)
    for parameter in network.parameters():
        parameter.data.zero_()
    network.bias.data[[0, 1, 2, 3, 6, 7]] = 40.0  # input, forget and output gates are open
    network.input_weight.data[4] = torch.tensor([1 - 1e-7, -0.5, 0]).atanh()
    network.input_weight.data[5] = torch.tensor([0, 0.75, -0.5]).atanh()
    network.output.weight.data[:] = torch.tensor([[0, 0], [8, 0], [0, 1]])
    network.output.bias.data[:] = torch.tensor([0.3, -1, 0])
    found = verdict_on(network, Counting([1, 2, 3]), most=30)
    assert found.kind is Kind.LINEAR
    assert [(cell.symbol, cell.unit) for cell in found.cells] == [("b", "context 1"), ("c", "context 2")]
    np.testing.assert_allclose([cell.slopes for cell in found.cells], [[1, -0.5, 0], [0, 0.75, -0.5]], atol=1e-6)
    assert found.product is None
    assert found.predicted == found.longest == 30
    assert "context 2 rises 0.75 per b, falls 0.50 per c" in str(found)


def test_the_counting_srn_is_a_monotone_counter():
    found = verdict_on(CountingSRN(4))
    assert found.kind is Kind.MONOTONE
    one, other = found.directions
    assert one.eigenvalue == pytest.approx(0.5, abs=1e-6)
    assert other.eigenvalue == pytest.approx(2, abs=1e-6)
    assert found.product == pytest.approx(1, abs=1e-6)
    assert (one.point, other.point) == ("stable node", "saddle")
    assert other.ratio == pytest.approx(2, abs=0.05)
    assert abs(found.predicted - found.longest) <= 2
    assert "by λ = 0.50, each b takes it away from one by λ = 2.00; |λ_a|·|λ_b| = 1.00" in str(found)


def test_a_counter_whose_distances_change_sides_oscillates():
    found = verdict_on(by_fixed_points(-0.5, -2, threshold=-0.14))
    assert found.kind is Kind.OSCILLATING
    assert [direction.eigenvalue.real for direction in found.directions] == pytest.approx([-0.5, -2], abs=1e-5)
    assert found.product == pytest.approx(1, abs=1e-5)
    assert found.longest > 10
    assert abs(found.predicted - found.longest) <= 2
    assert "an oscillation: each a brings the state nearer to a fixed point by λ = −0.50" in str(found)


def test_two_b_for_each_a_ask_for_the_square_of_the_eigenvalue():
    found = verdict_on(by_fixed_points(0.25, 2, threshold=0.18), Counting([1, 2]))
    assert found.kind is Kind.MONOTONE
    assert found.product == pytest.approx(1, abs=1e-5)
    assert abs(found.predicted - found.longest) <= 2
    assert "|λ_a|·|λ_b|² = 1.00" in str(found)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ratio": 0.7}, "each a changes the distance by a factor of 0.70, not by λ = 0.50"),
        ({"ratio": -0.5}, "each a changes the distance by a factor of −0.50, not by λ = 0.50"),
        ({"ratio": math.nan}, "each a changes the distance by a factor of nan"),
        ({"eigenvalue": 0.5 + 0.1j}, "the eigenvalue of the map of a is complex"),
        ({"fit": 0.8}, "each a does not change the distance from the nearest fixed point by a constant factor"),
    ],
)
def test_what_speaks_against_a_direction(change, reason):
    direction = verdict_on(CountingSRN(4)).directions[0]
    assert direction.obstacle is None
    assert replace(direction, **change).obstacle.startswith(reason)


def test_eigenvalues_whose_product_is_not_1_do_not_count():
    """Words up to 3 are right, but each n more shrinks the distance at the end by 0.7."""
    found = verdict_on(by_fixed_points(-0.35, -2, threshold=-0.06), Counting([1, 1], 3))
    assert found.product == pytest.approx(0.7, abs=1e-5)
    assert found.kind in (Kind.MEMORISER, Kind.OTHER)
    assert found.reason == "the eigenvalues multiply to 0.70"


@pytest.mark.parametrize("off", [1e-3, 1e-4, 1e-5])
def test_n_star_is_predicted_where_the_first_b_misses_the_fixed_point(off):
    network = CountingSRN(4)
    network.hidden_weight.data[0, 1] *= 1 + off
    found = verdict_on(network)
    assert found.kind is Kind.MONOTONE
    assert found.longest < 16 < verdict_on(CountingSRN(4)).longest
    assert abs(found.predicted - found.longest) <= 1


@pytest.mark.parametrize("max_n", [3, 4, 6])
def test_an_automaton_is_a_memoriser(max_n):
    found = verdict_on(cut_at(max_n), Counting([1, 1], max_n))
    assert found.kind is Kind.MEMORISER
    assert found.longest == found.trained == max_n
    assert found.predicted is None
    assert found.unpredicted
    assert found.reason in str(found)


def test_words_that_a_memoriser_was_not_made_for():
    found = verdict_on(cut_at(3), Counting([1, 1], 4))
    assert found.kind is Kind.UNSOLVED


@pytest.mark.parametrize(("network", "kind"), [(CountingSRN(4), Kind.MONOTONE), (cut_at(4), Kind.UNSOLVED)])
def test_only_a_counter_may_expect_another_a_after_the_longest_word(network, kind):
    hidden = network.run(torch.zeros(1, 4, dtype=torch.int64)).hidden[0]
    last = (hidden[3] - hidden[2]).argmax()  # the unit that is on after a⁴ alone
    network.output.weight.data[0, last] += 50
    network.output.bias.data[0] += 50
    assert verdict_on(network).longest >= 4
    assert verdict_on(network).kind is kind


@pytest.mark.parametrize("build", [SRN, LSTM, GRU])
@pytest.mark.parametrize("hidden_size", [1, 3])
def test_an_untrained_network_does_not_count(build, hidden_size):
    torch.manual_seed(0)
    found = verdict_on(build(2, hidden_size))
    assert found.kind is Kind.UNSOLVED
    assert str(found).startswith("Does not solve the training words.")


def test_constant_states():
    network = SRN(2, 1, init_std=0)
    assert verdict_on(network).kind is Kind.UNSOLVED


def test_a_cell_that_does_not_come_back_is_no_counter():
    """It falls by 0.902 a b: words up to 2 are right, but what is left over grows by a ninth of the fall with n."""
    network = CountingLSTM(2)
    network.input_weight.data[2 * network.hidden_size, 1] = -math.atanh(0.902)
    found = verdict_on(network, Counting([1, 1], 2))
    assert found.kind is Kind.MEMORISER
    assert found.longest == 2
    assert found.cells[0].drift == pytest.approx(0.098, abs=1e-6)
    assert found.cells[0].balance == pytest.approx(0.098 / 0.902, abs=1e-6)
    assert found.reason.startswith("context 1 is off by 11% of its course at the end of the b")


@pytest.mark.parametrize(("rise", "fall"), [(1, 0.97), (1, 0.99), (0.97, 1), (0.99, 1)])
def test_the_n_star_of_a_cell_that_drifts_is_predicted(rise, fall):
    network = CountingLSTM(4)
    candidate = torch.tensor([rise, -fall]).clamp(-1 + 1e-7, 1 - 1e-7).atanh()
    network.input_weight.data[2 * network.hidden_size] = candidate
    found = verdict_on(network)
    assert found.kind is Kind.LINEAR
    assert found.cells[0].drift == pytest.approx(rise - fall, abs=1e-6)
    assert 5 < found.longest < 60
    assert abs(found.predicted - found.longest) <= 1


def test_the_order_of_units_does_not_matter():
    network, order = CountingSRN(4), [3, 0, 5, 1, 4, 2]
    other = SRN(2, 6)
    state = {name: value[order] if len(value) == 6 else value for name, value in network.state_dict().items()}
    state["hidden_weight"], state["output.weight"] = state["hidden_weight"][:, order], state["output.weight"][:, order]
    other.load_state_dict(state)
    one, two = verdict_on(network), verdict_on(other)
    assert (one.kind, one.predicted) == (two.kind, two.predicted)
    assert one.product == pytest.approx(two.product)
    np.testing.assert_allclose(np.array(one.directions[0].state)[order], two.directions[0].state, atol=1e-9)


def test_a_language_that_is_not_of_counting_has_no_verdict():
    found = judge(SRN(2, 2), Dyck(), (), 0)
    assert found.kind is None
    assert str(found).startswith("No certificate of counting: Dyck has no words")
    assert found.record()["kind"] is None
    assert judge(CountingSRN(1), Counting([1, 1], 1), (), 1).kind is None


def test_the_record_is_plain():
    for network in (CountingLSTM(4), CountingSRN(4), cut_at(4), SRN(2, 2)):
        found = verdict_on(network)
        read = json.loads(json.dumps(found.record(), allow_nan=False))
        assert read["kind"] == found.kind
        assert read["words"] == str(found)
        assert read["predicted"] == found.predicted


def test_a_population_is_counted_by_kinds():
    kinds = [(Kind.MEMORISER, 4), (Kind.MONOTONE, 7), (Kind.MEMORISER, 4), (Kind.MEMORISER, 3), (None, 0)]
    found = survey([Verdict(kind, longest=n) for kind, n in kinds], [0.3, 0.1, 0.2, 0.0, 0.0])
    assert [(share.kind, share.members, share.exemplar) for share in found] == [
        (Kind.MEMORISER, 3, 2),
        (Kind.MONOTONE, 1, 1),
    ]
    assert found[0].interval == wilson_interval(3, 4)
    assert survey([], []) == ()


def test_faults_are_named():
    with pytest.raises(ValueError, match="expected an alphabet of the network's 2 symbols, got 3"):
        judge(SRN(2, 2), Counting([1, 2, 3]), (), 0)
    network = LSTM(2, 2)
    network.bias.data[0] = torch.inf
    with pytest.raises(ValueError, match="expected finite parameters, got bias"):
        judge(network, LANGUAGE, (), 0)
