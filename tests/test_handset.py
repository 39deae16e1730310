"""Networks set by hand: what they predict, and their experiments from the command line."""

import math

import numpy as np
import pytest
import torch
import yaml

from hudyn.languages import Counting, FiniteState
from hudyn.metrics import sequences as scores
from hudyn.metrics.longest import longest
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks import AutomatonSRN, CountingLSTM, CountingSRN, FixedPointSRN
from hudyn.population import Population

from .conftest import ROOT


def table(language):
    """The transitions, start and end of a language of the project."""
    settings = yaml.safe_load((ROOT / f"conf/data/language/{language}.yaml").read_text())
    return {name: settings[name] for name in ("transitions", "start", "end")}


def scored(network, language, words=5):
    texts = ScoredTexts.of([language.text(words, np.random.default_rng(seed)) for seed in range(40)])
    return network.run(texts.symbols).logits[None], texts


def assert_perfect(network, language):
    logits, texts = scored(network, language)
    logs = scores.log_probabilities(logits)
    assert scores.excess(logs, texts.probabilities, texts.read).item() == pytest.approx(0, abs=1e-7)
    assert scores.legal_above_others(logits, texts.probabilities, texts.read).item()
    if texts.determined.any():
        assert scores.margin(logs, texts.probabilities, texts.determined).item() == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("max_n", [1, 2, 4, 10, 16])
@pytest.mark.parametrize("build", [CountingLSTM, CountingSRN])
def test_counters_predict_the_true_distribution(build, max_n, dtype):
    network = build(max_n).to(dtype)
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert_perfect(network, Counting([1, 1], max_n))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_lstm_counts_in_steps_of_exactly_one(dtype):
    network = CountingLSTM(4).to(dtype)
    symbols = torch.tensor([0] * 300 + [1] * 300 + [0])
    expected = torch.cat([torch.arange(1, 301), torch.arange(299, -1, -1), torch.ones(1)]).to(dtype)
    assert torch.equal(network.run(symbols[None]).context[0, :, 0], expected)


def test_how_far_the_counters_count():
    language = Counting([1, 1])
    assert longest(Population(lambda: CountingLSTM(4), 1), language, 120).tolist() == [120]
    reached = longest(Population(lambda: CountingSRN(4), 1), language, 120).item()
    assert 15 <= reached <= 20  # rounding ends it


def test_the_srn_forgets_the_words_before():
    """After 200 words the count is what it is after one: errors do not add up."""
    network = CountingSRN(4)
    word = [0, 0, 0, 1, 1, 1]
    hidden = network.run(torch.tensor([word * 200])).hidden[0]
    torch.testing.assert_close(hidden[-6:], hidden[6:12], rtol=0, atol=1e-5)


@pytest.mark.parametrize("language", ["reber", "reber_embedded", *(f"tomita_{n}" for n in range(1, 8))])
def test_an_automaton_predicts_the_true_distribution(language):
    given = table(language)
    assert_perfect(AutomatonSRN(**given), FiniteState(**given))


def test_an_automaton_has_a_unit_for_each_transition():
    network = AutomatonSRN(**table("reber"))
    assert len(network.units) == network.hidden_size == 12
    word = "BTSSXXTVVEB"
    alphabet = FiniteState(**table("reber")).alphabet
    hidden = network.run(torch.tensor([[alphabet.index(symbol) for symbol in word]])).hidden[0]
    assert (hidden.abs() == 1).all()
    on = [network.units[unit] for _, unit in (hidden == 1).nonzero().tolist()]
    states = ["end", "fork", "s_loop", "s_loop", "s_loop", "upper", "t_loop", "t_loop", "lower", "exit", "end"]
    assert on == list(zip(states, word, strict=True))


def test_an_automaton_with_given_probabilities():
    given = {
        "transitions": {
            "s": [{"symbol": "x", "to": "s", "probability": 0.3}, {"symbol": "y", "to": "t", "probability": 0.7}],
            "t": [{"symbol": "x", "to": "end", "probability": 0.9}, {"symbol": "y", "to": "s", "probability": 0.1}],
        },
        "start": "s",
        "end": "end",
    }
    assert_perfect(AutomatonSRN(**given), FiniteState(**given))


def test_an_automaton_is_lost_after_a_symbol_that_cannot_come():
    network = AutomatonSRN(**table("reber"))
    hidden = network.run(torch.tensor([[1, 0, 1, 2]])).hidden[0]
    assert (hidden == -1).all()


def test_a_chosen_fixed_point_and_jacobian():
    jacobian = torch.tensor([[1.5, 0.2], [-0.3, 0.4]])
    points = torch.tensor([[0.3, -0.6], [-0.8, 0.1]])
    network = FixedPointSRN(jacobian.tolist(), points.tolist())
    (after,), _ = network.step(network.from_input(torch.tensor([0, 1])), (points,))
    torch.testing.assert_close(after, points, rtol=0, atol=1e-6)
    for symbol, point in enumerate(points):
        found = torch.func.jacrev(
            lambda h, s=symbol: network.step(network.from_input(torch.tensor([s])), (h[None],))[0][0][0]
        )(point)
        scale = ((1 - point**2) / (1 - points[0] ** 2))[:, None]
        torch.testing.assert_close(found, scale * jacobian, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CountingLSTM(0), "max_n: expected at least 1, got 0"),
        (lambda: CountingSRN(0), "max_n: expected at least 1, got 0"),
        (lambda: CountingSRN(17), "max_n: expected at most 16"),
        (lambda: FixedPointSRN([[1.0, 0.0]], [[0.0, 0.0]]), "jacobian: expected 2 rows of 2 numbers"),
        (lambda: FixedPointSRN([[1.0]], [[1.0]]), "fixed_points: expected numbers between -1 and 1"),
        (lambda: FixedPointSRN([[math.nan]], [[0.0]]), "jacobian: expected rows of numbers"),
        (lambda: FixedPointSRN([[1.0]], [[0.0], [0.0, 1.0]]), "fixed_points: expected rows of numbers, all as long"),
        (lambda: AutomatonSRN({"s": [{"symbol": "x", "to": "e"}]}, "t", "e"), "start: there is no state t"),
    ],
)
def test_mistakes_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("experiment", "class_name", "count"),
    [
        ("lstm_anbn_handset", "CountingLSTM", 100),
        ("srn_anbn_handset", "CountingSRN", 18),
        ("srn_reber_handset", "AutomatonSRN", None),
    ],
)
def test_handset_networks_are_evaluated_and_not_trained(command, experiment, class_name, count):
    outcome = command(f"experiment={experiment}", "model.max_n=100", "data.evaluation_sequences=20")
    assert outcome.status == 0, outcome.err
    assert outcome.results["network"]["class"] == f"hudyn.networks.{class_name}"
    assert outcome.values("test/solved") == outcome.values("test/strict") == [1.0]
    assert outcome.values("test/excess") == [pytest.approx(0, abs=1e-7)]
    assert "updates" not in outcome.results["time"]
    if count:
        assert outcome.values("test/longest") == [pytest.approx(count, abs=0 if count == 100 else 2)]


@pytest.mark.parametrize(("largest", "solved"), [(10, 1.0), (30, 0.0)])
def test_networks_may_be_judged_beyond_the_words_of_their_language(command, largest, solved):
    """The SRN counts up to 18."""
    settings = [f"data.evaluation_max_n={largest}", "model.max_n=40", "data.evaluation_sequences=5", "~report.dynamics"]
    outcome = command("experiment=srn_anbn_handset", *settings)
    assert outcome.values("test/solved") == [solved]
    assert f"up to n = {largest}" in outcome.results["page"]["answer"]
