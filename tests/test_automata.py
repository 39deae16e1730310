"""Automata of languages and of networks, against known answers and brute force."""

import functools
import itertools
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from hudyn.dynamics.extraction import (
    MAX_CLUSTERS,
    StateCount,
    count_states,
    extract,
    extract_from,
    legality_threshold,
)
from hudyn.dynamics.learner import learn, learn_from
from hudyn.errors import HudynError
from hudyn.languages import Counting, CountingSum, Dyck, FiniteState, Palindrome
from hudyn.languages.moore import MooreMachine, difference, minimise, renamed, with_exponents
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks import GRU, LSTM, SRN, AutomatonSRN, CountingLSTM

from .conftest import ROOT

TOMITA = [f"tomita_{number}" for number in range(1, 8)]
STATES = dict(zip(TOMITA, [1, 2, 4, 3, 4, 3, 4], strict=True)) | {"reber": 7, "reber_embedded": 19}


def table(name):
    settings = yaml.safe_load((ROOT / f"conf/data/language/{name}.yaml").read_text())
    return {key: settings[key] for key in ("transitions", "start", "end")}


@functools.cache
def language(name):
    return FiniteState(**table(name))


def scored(own, number=60, words=5):
    return ScoredTexts.of([own.text(words, np.random.default_rng(seed)) for seed in range(number)])


def trajectories(own, noise=0.02, units=12, number=60, words=5, seed=0):
    """What a network would do that has a place for each state of the language, [-1, 1] in each unit."""
    machine, texts, generator = own.automaton(), scored(own, number, words), np.random.default_rng(seed)
    places = generator.uniform(-1, 1, (len(machine), units))
    symbols, read = texts.symbols.numpy(), texts.read.numpy()
    states = np.zeros((*symbols.shape, units))
    for row, text in enumerate(symbols):
        state = 0
        for time in np.flatnonzero(read[row]):
            state = machine.targets[state][text[time]]
            states[row, time] = places[state] + noise * generator.normal(size=units)
    start = generator.uniform(-1, 1, units)
    return states, start, symbols, read, texts.probabilities.numpy() > 0, own.alphabet


def expected_after(machine, word):
    state = machine.run(word)
    return None if state is None else machine.outputs[state]


def first_difference(one, other, length):
    """By trying all words that both expect."""
    for size in range(1, length + 1):
        for word in map("".join, itertools.product(one.alphabet, repeat=size)):
            prefixes = [word[:place] for place in range(1, size)]
            followed = all(word[len(prefix)] in (expected_after(one, prefix) or ()) for prefix in prefixes)
            if followed and expected_after(one, word) != expected_after(other, word):
                return word
    return None


@pytest.mark.parametrize("name", STATES)
def test_a_language_has_its_minimal_automaton(name):
    machine = language(name).automaton()
    assert len(machine) == STATES[name]
    text = language(name).text(200, np.random.default_rng(0))
    state = 0
    for symbol, shares in zip(text.symbols, text.probabilities, strict=True):
        state = machine.targets[state][symbol]
        assert machine.outputs[state] == {machine.alphabet[own] for own in np.flatnonzero(shares)}


def test_words_that_are_not_joined_end_in_a_state_of_their_own():
    machine = language("reber").automaton(joined=False)
    assert len(machine) == 8
    assert machine.targets[machine.run("BTXSE")] == (None,) * 7
    assert difference(language("reber").automaton(), machine).word == "BTXSEB"


@pytest.mark.parametrize(("ratios", "per_n"), [([1, 1], 2), ([1, 2], 3), ([1, 3], 4)])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_counting_to_n_takes_a_state_for_each_number_of_symbols_that_are_left_or_read(ratios, per_n, n):
    assert len(Counting(ratios, n).automaton()) == per_n * n


@pytest.mark.parametrize("own", [Dyck(1), Dyck(2), Palindrome(), CountingSum(), Counting([1, 2, 3])])
def test_every_language_is_itself(own):
    machine = own.automaton()
    assert difference(machine, machine) is None
    for word in ("(())", "abmba", "aabccc", "abbccc"):
        if set(word) <= set(own.alphabet) and own.accepts(word):
            assert machine.run(word) == 0


def test_minimising_finds_the_states_that_words_tell_apart():
    for seed in range(30):
        generator = np.random.default_rng(seed)
        number = int(generator.integers(2, 9))
        outputs = tuple(frozenset("a") if own else frozenset("ab") for own in generator.integers(0, 2, number))
        choices = generator.integers(-1, number, (number, 2)).tolist()
        targets = tuple(tuple(None if to < 0 else to for to in row) for row in choices)
        machine = MooreMachine(("a", "b"), targets, outputs, tuple(map(str, range(number))))
        words = ["".join(word) for size in range(number) for word in itertools.product("ab", repeat=size)]
        kinds = set()
        for word in words:  # all states are reached by words as long
            if (state := machine.run(word)) is not None:
                begun = replace(machine, targets=machine.targets)
                kinds.add(tuple(_behaviour(begun, state, rest) for rest in words))
        smallest = minimise(machine)
        assert len(smallest) == len(kinds)
        assert all(expected_after(smallest, word) == expected_after(machine, word) for word in words)
        assert minimise(smallest) == smallest


def _behaviour(machine, state, word):
    for symbol in word:
        state = None if state is None else machine.targets[state][machine.alphabet.index(symbol)]
    return None if state is None else machine.outputs[state]


def test_the_shortest_word_is_found_for_every_transition_that_is_changed():
    right = language("tomita_5").automaton()
    for state, symbol, target in itertools.product(range(4), range(3), [None, 0, 1, 2, 3]):
        rows = [list(row) for row in right.targets]
        rows[state][symbol] = target
        wrong = replace(right, targets=tuple(map(tuple, rows)))
        found = difference(right, wrong)
        assert (found and found.word) == first_difference(right, wrong, 6)
        if found:
            assert (found.one, found.other) == (expected_after(right, found.word), expected_after(wrong, found.word))
            assert difference(right, wrong, len(found.word) - 1) is None
            assert difference(right, wrong, len(found.word)) == found


def test_automata_of_different_alphabets_are_not_compared():
    with pytest.raises(ValueError, match="same alphabet"):
        difference(language("reber").automaton(), language("tomita_1").automaton())


@pytest.mark.parametrize("name", STATES)
def test_places_with_noise_give_the_language_back(name):
    found = extract_from(*trajectories(language(name)))
    right = language(name).automaton()
    assert difference(found.machine, right) is None
    assert len(found.machine) == STATES[name]
    assert found.consistent
    assert found.purity == found.steps_right == found.outputs_right == 1
    assert renamed(found.machine, right).names == right.names


def test_a_wrong_transition_is_found_by_its_shortest_word():
    given = table("reber")
    given["transitions"] = given["transitions"] | {
        "lower": [{"symbol": "P", "to": "s_loop"}, {"symbol": "V", "to": "exit"}]
    }
    found = extract_from(*trajectories(FiniteState(**given)))
    assert found.consistent
    parted = difference(found.machine, language("reber").automaton())
    assert str(parted) == "after BPVPS: S or X instead of E"


def test_clusters_that_do_the_same_are_one_state():
    states, *others = trajectories(language("reber"), units=3)
    far = np.random.default_rng(1).random(states.shape[:2]) < 0.5
    found = extract_from(states + 8 * far[:, :, None], *others)
    assert found.number > len(found.machine) == 7
    assert difference(found.machine, language("reber").automaton()) is None


def test_one_unit_is_enough():
    states, start, *others = trajectories(language("tomita_5"), noise=0.001, units=1)
    found = extract_from(states, start, *others)
    assert difference(found.machine, language("tomita_5").automaton()) is None


def test_what_was_never_read_is_told():
    read = slice(0, 2)
    states, start, *arrays, alphabet = trajectories(language("reber"), words=1)
    found = extract_from(states[read], start, *(own[read] for own in arrays), alphabet)
    assert found.unseen
    assert "never read there" in " ".join(found.notes)
    assert difference(found.machine, language("reber").automaton()).one is None


def test_states_without_rhyme_or_reason_make_no_automaton():
    states, start, symbols, read, legal, alphabet = trajectories(language("reber"))
    generator = np.random.default_rng(0)
    found = extract_from(generator.normal(size=states.shape), start, symbols, read, legal, alphabet)
    assert not found.consistent
    assert found.notes[0].startswith(f"No automaton: no number of clusters up to {MAX_CLUSTERS}")


def test_a_state_that_never_changes_is_one_state():
    states, start, symbols, read, legal, alphabet = trajectories(language("reber"))
    found = extract_from(np.zeros_like(states), start, symbols, read, np.ones_like(legal), alphabet)
    assert found.number == 1
    assert "The hidden states are all the same." in found.notes
    assert str(difference(found.machine, language("reber").automaton())).startswith("after B: B or E or P or S")
    torn = extract_from(np.zeros_like(states), start, symbols, read, legal, alphabet)
    assert torn.number == 1
    assert not torn.consistent


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_states_that_are_not_finite_are_refused(bad):
    states, *others = trajectories(language("reber"))
    states[3, 2, 0] = bad
    with pytest.raises(ValueError, match=r"finite numbers, got 1 states .* diverge"):
        extract_from(states, *others)


def test_no_symbols_are_refused():
    states, start, symbols, read, legal, alphabet = trajectories(language("reber"))
    with pytest.raises(ValueError, match="at least one symbol"):
        extract_from(states, start, symbols, np.zeros_like(read), legal, alphabet)
    read[:], read[0, 0] = False, True
    assert len(extract_from(states, start, symbols, read, legal, alphabet).points) == 1


@pytest.mark.parametrize("name", ["reber", "reber_embedded", "tomita_3"])
def test_a_network_set_by_hand_has_the_automaton_of_its_grammar(name):
    found = extract(AutomatonSRN(**table(name)), language(name), scored(language(name)))
    assert difference(found.machine, language(name).automaton()) is None
    assert len(found.machine) == STATES[name]
    assert found.consistent


@pytest.mark.parametrize("build", [SRN, LSTM, GRU])
def test_an_untrained_network_has_another_automaton(build):
    torch.manual_seed(0)
    found = extract(build(7, 3), language("reber"), scored(language("reber")))
    assert difference(found.machine, language("reber").automaton()).word == "B"
    assert len(found.units) == found.points.shape[1] == (6 if build is LSTM else 3)


def test_weights_that_are_not_finite_are_refused():
    network = SRN(7, 2)
    torch.nn.init.constant_(network.bias, torch.nan)
    with pytest.raises(ValueError, match="diverge"):
        extract(network, language("reber"), scored(language("reber")))
    with pytest.raises(ValueError, match="diverge"):
        learn(network, language("reber"), scored(language("reber")))


def test_a_counter_takes_as_many_states_as_its_language():
    counts = [count_states(CountingLSTM(4), Counting([1, 1], 4), n) for n in (1, 2, 4, 8, 12)]
    assert counts == [StateCount(n, 2 * n, 2 * n, equivalent=True) for n in (1, 2, 4, 8, 12)]
    torch.manual_seed(0)
    assert not count_states(LSTM(2, 3), Counting([1, 1], 4), 4).equivalent


def test_the_threshold_parts_legal_symbols_from_others_where_it_can():
    true = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    logits = torch.tensor([[0.4, 0.35, 0.25], [0.3, 0.29, 0.41]]).log()
    assert legality_threshold(logits, true) == pytest.approx((0.30 + 0.35) / 2)
    assert legality_threshold(logits.flip(1), true) == 0.25  # nowhere: half of the least


def test_words_are_written_with_powers():
    assert [with_exponents(word) for word in ("", "ab", "aaabb", "a" * 12)] == ["", "ab", "a³b²", "a¹²"]


@pytest.mark.parametrize("name", [*TOMITA, "reber"])
def test_asking_for_what_is_expected_gives_the_language_back(name):
    pytest.importorskip("aalpy")
    own = language(name)
    right = own.automaton()

    def expects(word):
        return frozenset(own.alphabet[symbol] for symbol in np.flatnonzero(own.read(word).probabilities[-1]))

    found = learn_from(expects, own.alphabet, right.outputs[0])
    assert found.closed
    assert minimise(replace(found.machine, names=right.names)) == right
    assert found.tested >= 6


def test_a_network_set_by_hand_is_learned_by_asking():
    pytest.importorskip("aalpy")
    found = learn(AutomatonSRN(**table("reber")), language("reber"), scored(language("reber"), 10))
    assert found.closed
    assert difference(found.machine, language("reber").automaton()) is None
    assert found.note.startswith("L* closed")


def test_asking_one_that_counts_without_end_comes_to_an_end():
    pytest.importorskip("aalpy")

    def expects(word):
        ahead = word.count("a") - word.count("b")
        return frozenset("ab" if word.endswith("a") else "b" if ahead else "a")

    found = learn_from(expects, ("a", "b"), frozenset("a"))
    assert not found.closed
    assert "did not close with" in found.note
    assert difference(found.machine, Counting([1, 1], 4).automaton()) is not None


def test_without_the_learner_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "aalpy", None)
    with pytest.raises(HudynError, match=r"pip install .hudyn\[analysis\]."):
        learn_from(lambda word: frozenset("a"), ("a",), frozenset("a"))
