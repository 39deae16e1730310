"""One door to the analysis: every part, laziness, and languages and networks of a user's own."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from hudyn.dynamics import analyse, analysis
from hudyn.dynamics.verdict import Kind
from hudyn.languages import Countable, Counting, CountingSum, Dyck, FiniteState, HasAutomaton, HasStateNames, Text
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks import GRU, LSTM, SRN, AutomatonSRN, CountingLSTM, CountingSRN
from hudyn.networks.recurrent import RecurrentNetwork

TURNS = {"s": [{"symbol": "x", "to": "s"}, {"symbol": "y", "to": "t"}], "t": [{"symbol": "x", "to": "e"}]}


class Blocks:
    """x^n y^n over symbols of its own: only what a countable language must offer."""

    alphabet = ("x", "y")
    ratios = (1, 1)

    def __init__(self, max_n=4):
        self.max_n = max_n
        self.entropy = math.log(max_n) / (max_n + 1)

    def up_to(self, max_n):
        return Blocks(max_n)

    def word(self, n):
        return np.repeat([0, 1], n)

    def annotate(self, ns):
        parts, starts = [], []
        for n in ns:
            starts.append(sum(len(symbols) for symbols, *_ in parts))
            turns = np.array([1 / (self.max_n - k + 1) if k <= self.max_n else 1.0 for k in range(1, n + 1)])
            in_x = np.stack([1 - turns, turns], axis=1)
            in_y = np.tile([0.0, 1.0], (n, 1))
            in_y[-1] = 1, 0
            labels = np.concatenate([np.arange(1, n + 1), np.append(np.arange(n, 1, -1), 0)])
            parts.append((self.word(n), np.concatenate([in_x, in_y]), labels.astype(float)))
        symbols, probabilities, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Text(symbols, probabilities, labels, probabilities.max(axis=1) == 1, np.array(starts))

    def text(self, words, generator):
        return self.annotate(generator.integers(1, self.max_n + 1, words))

    def symbols(self, words, generator):
        text = self.text(words, generator)
        return text.symbols, text.starts

    def accepts(self, word):
        n = word.count("x")
        return n > 0 and word == "x" * n + "y" * n

    def read(self, symbols):
        return self.annotate([len(word.split("y")[0]) for word in symbols.replace("yx", "y x").split()])


class SoftsignSRN(RecurrentNetwork):
    """An Elman network with another activation: only a step, and the activation's bounds by default."""

    def __init__(self, alphabet_size, hidden_size):
        super().__init__(alphabet_size, hidden_size, blocks=1)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.5)

    def step(self, from_input, state):
        return (nn.functional.softsign(from_input + state[0] @ self.hidden_weight.T),), ()


class Integrator(RecurrentNetwork):
    """A cell that goes up by 1 with the first symbol and down by 1 with the second; the readout sees its tanh."""

    has_context = True
    gate_names = ("candidate",)

    def __init__(self, can_tell=True):
        super().__init__(2, 1, blocks=1)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)
        self.input_weight.data[:] = torch.tensor([[1.0, -1.0]])
        self.output.weight.data[:] = torch.tensor([[-8.0], [8.0]])
        self.output.bias.data[:] = torch.tensor([3.0, -3.0])
        self.can_tell = can_tell

    def step(self, from_input, state):
        context = state[1] + from_input
        return (torch.tanh(context), context), (from_input,)

    def hidden_from_context(self, context, gates):
        return torch.tanh(context) if self.can_tell else None


class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTM(2, 3)


def test_a_counter_has_every_part():
    found = analyse(CountingSRN(4), Counting([1, 1]), most=30)
    assert found.verdict.kind is Kind.MONOTONE
    assert str(found.verdict).startswith("Counts by distances on one side")
    assert found.longest == found.verdict.longest > 15
    assert {point.name for point in found.fixed_points["a"]} >= {"stable node"}
    assert found.fixed_points["b"] == found.maps["b"].fixed_points
    assert found.counters.counting == (0, 0)
    assert found.equivalent is True
    assert found.difference is None
    assert found.automaton.machine.names == found.language_automaton.names
    assert found.explanation[0] == str(found.verdict)
    assert str(found.verdict) in str(found)


def test_nothing_is_computed_before_it_is_asked_for_and_nothing_twice(monkeypatch):
    calls = []
    for name in ("symbol_maps", "extract", "counters", "judge"):
        function = getattr(analysis, name)
        monkeypatch.setattr(
            analysis, name, lambda *given, name=name, function=function: (calls.append(name), function(*given))[1]
        )
    found = analyse(CountingLSTM(2), Counting([1, 1], 2), most=5)
    assert "CountingLSTM, 3 hidden units, on Counting" in repr(found)
    assert calls == []
    for _ in range(2):
        _ = found.verdict, found.fixed_points, found.automaton, found.equivalent, found.counters, str(found)
    assert sorted(calls) == ["counters", "extract", "judge", "symbol_maps"]


def test_an_analysis_keeps_the_network_as_it_was():
    network = CountingLSTM(4)
    found = analyse(network, Counting([1, 1]), most=10)
    network.bias.data.zero_()
    assert found.verdict.kind is Kind.LINEAR


def test_texts_are_drawn_with_a_seed():
    found = [analyse(SRN(2, 2), Counting([1, 2]), seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(found[0].texts.symbols, found[1].texts.symbols)
    assert not torch.equal(found[0].texts.symbols[:, :20], found[2].texts.symbols[:, :20])
    alone = analyse(SRN(2, 2), Counting([1, 2]), joined=False)
    assert alone.texts.symbols.shape[1] == 3 * 4


def test_a_known_longest_is_not_measured():
    assert analyse(CountingLSTM(4), Counting([1, 1]), longest=7).verdict.longest == 7


@pytest.mark.parametrize("language", [Dyck(), CountingSum(), FiniteState(TURNS, "s", "e")])
def test_what_a_language_does_not_qualify_for_is_none(language):
    torch.manual_seed(0)
    found = analyse(GRU(len(language.alphabet), 2), language)
    assert found.verdict is found.counters is found.longest is None
    assert found.equivalent == (found.difference is None and found.automaton.consistent)
    assert found.explanation[0].startswith(("Automaton of", "No automaton"))


def test_words_of_one_length_ask_for_no_count():
    found = analyse(CountingSRN(1), Counting([1, 1], 1), most=3)
    assert found.verdict is None
    assert found.counters


def test_capabilities_tell_languages_apart():
    languages = [Counting([1, 2]), Dyck(), FiniteState(TURNS, "s", "e"), Blocks()]
    assert [isinstance(language, Countable) for language in languages] == [True, False, False, True]
    assert [isinstance(language, HasAutomaton) for language in languages] == [True, True, True, False]
    assert [isinstance(language, HasStateNames) for language in languages] == [False, False, True, False]


def test_the_same_language_up_to_another_n():
    language = Counting([1, 2], 4, "geometric").up_to(2)
    assert (language.ratios, language.max_n) == ((1, 2), 2)
    assert language.read("a").probabilities[0] == pytest.approx([1 / 3, 2 / 3])
    uniform = Counting([1, 2], 2, [0.25, 0.75]).up_to(4)
    assert uniform.read("a").probabilities[0] == pytest.approx([3 / 4, 1 / 4])


@pytest.mark.parametrize("network", [CountingLSTM(4), CountingSRN(4)])
def test_a_language_of_the_users_own_is_counted_as_the_same_one_of_the_library(network):
    own, known = (analyse(network, language, most=30) for language in (Blocks(), Counting([1, 1])))
    texts = ScoredTexts.of([Counting([1, 1]).annotate([1, 4, 2, 3])])
    own, known = (replace(found, texts=texts) for found in (own, known))
    assert own.verdict.kind is known.verdict.kind
    assert own.longest == known.longest
    assert own.verdict.predicted == known.verdict.predicted
    assert own.counters.describe() == known.counters.describe().replace("per a", "per x").replace("per b", "per y")
    assert own.automaton.machine.targets == known.automaton.machine.targets
    told = str(own.verdict)
    for symbol, letter in ("xa", "yb"):
        for before in ("per ", "_", "each "):
            told = told.replace(f"{before}{symbol}", f"{before}{letter}")
    assert told == str(known.verdict)
    assert own.language_automaton is own.difference is own.equivalent is None
    assert own.trajectories.keys() == {word.replace("a", "x").replace("b", "y") for word in known.trajectories}


def test_a_cell_of_the_users_own_is_analysed():
    torch.manual_seed(1)
    network = SoftsignSRN(2, 2)
    found = analyse(network, Counting([1, 2]), most=10)
    for symbol, points in enumerate(found.fixed_points.values()):
        assert points  # softsign maps a square into itself, so there is one
        for point in points:
            state = torch.from_numpy(point.state)
            net = network.double().from_input(torch.tensor(symbol)) + network.hidden_weight.double() @ state
            torch.testing.assert_close(nn.functional.softsign(net), state, rtol=0, atol=1e-9)
    assert found.verdict.kind is Kind.UNSOLVED
    assert np.isfinite(found.counters.saturation).all()
    assert found.automaton.units == ("hidden 1", "hidden 2")
    assert found.equivalent is False


def test_bounds_are_the_cells_own():
    """At half of its scale, the same unit is as saturated; without bounds it is not saturated at all."""
    network = SoftsignSRN(2, 1)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    network.bias.data[:] = 30.0  # softsign: 0.968
    language = Counting([1, 1])
    assert (analyse(network, language).counters.saturation == 1).all()
    network.hidden_bounds = (-2.0, 2.0)
    assert (analyse(network, language).counters.saturation == 0).all()
    network.hidden_bounds = (0.0, math.inf)
    assert np.isnan(analyse(network, language).counters.saturation).all()


def test_a_cell_with_a_context_of_its_own_kind_is_a_counter():
    found = analyse(Integrator(), Counting([1, 1]), most=20)
    assert found.verdict.kind is Kind.LINEAR
    assert found.counters.describe() == "context 1 rises 1.00 per a, falls 1.00 per b"
    assert found.verdict.predicted == found.longest == 20
    unknown = analyse(Integrator(can_tell=False), Counting([1, 1]), most=20)
    assert unknown.verdict.kind is Kind.LINEAR
    assert unknown.verdict.predicted is None
    assert "does not determine the hidden state" in unknown.verdict.unpredicted
    assert unknown.verdict.record()["cells"][0]["reach"] is None


def test_a_trajectory_holds_what_the_network_goes_through():
    network, language = LSTM(2, 3), Counting([1, 1])
    found = analyse(network, language)
    read = found.trajectory("aabbab")
    run = network.run(torch.tensor([[0, 0, 1, 1, 0, 1]]))
    np.testing.assert_array_equal(read.hidden, run.hidden[0].detach())
    np.testing.assert_array_equal(read.context, run.context[0].detach())
    np.testing.assert_array_equal(read.gates["forget"], run.gates["forget"][0].detach())
    np.testing.assert_allclose(read.probabilities, run.logits[0].detach().softmax(-1), rtol=1e-6)
    assert read.states.shape == (7, 6)
    assert (read.states[0] == 0).all()
    assert read.text.starts.tolist() == [0, 4]
    assert list(found.trajectories) == sorted(found.trajectories, key=len)
    assert all(language.accepts(word) for word in found.trajectories)
    with pytest.raises(ValueError, match="symbol 2, after 'a': expected a or b, got 'c'"):
        found.trajectory("ac")


def test_short_forms_for_a_notebook():
    found = analyse(AutomatonSRN(TURNS, "s", "e"), FiniteState(TURNS, "s", "e"))
    (point,) = found.fixed_points["x"][:1]
    assert repr(point).startswith("FixedPoint(")
    assert len(repr(point)) < 200
    assert repr(found.automaton).startswith("Extraction(2 states from")
    assert "Automaton of 2 states, equivalent to the language's own." in str(found)
    counter = analyse(CountingLSTM(4), Counting([1, 1]), most=10)
    assert repr(counter.counters) == "Counters(context 1 rises 1.00 per a, falls 1.00 per b)"
    assert repr(counter.verdict).startswith("Verdict(linear counter in a cell: Counts in its cells")


def test_faults_are_named():
    with pytest.raises(
        ValueError,
        match=r"network: expected a hudyn\.networks\.RecurrentNetwork, got Wrapped, which lacks alphabet",
    ):
        analyse(Wrapped(), Counting([1, 1]))
    with pytest.raises(ValueError, match="language: expected an alphabet of the network's 3 symbols, got 2"):
        analyse(SRN(3, 2), Counting([1, 1]))
    with pytest.raises(ValueError, match=r"network: expected a network, such as run.network.., got str"):
        analyse("run", Counting([1, 1]))
    with pytest.raises(ValueError, match="language: str lacks alphabet, entropy, text, symbols, accepts, read; derive"):
        analyse(SRN(2, 2), "aabb")
    with pytest.raises(TypeError, match=r"analyse.* missing 1 required positional argument: 'language'"):
        analyse(SRN(2, 2))
    with pytest.raises(KeyError, match="there is no 'z'; valid: a, b"):
        analyse(CountingLSTM(4), Counting([1, 1])).fixed_points["z"]
    network = SRN(2, 2)
    network.bias.data[0] = math.nan
    with pytest.raises(ValueError, match="network: expected finite parameters, got bias with NaN"):
        analyse(network, Counting([1, 1]))
    with pytest.raises(ValueError, match="most: expected at least 1, got 0"):
        analyse(SRN(2, 2), Counting([1, 1]), most=0)
