"""The automaton of a recurrent network by queries: Angluin's L*."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from hudyn.arguments import ArgumentError
from hudyn.dynamics.extraction import legality_threshold
from hudyn.errors import HudynError
from hudyn.languages import HasAutomaton
from hudyn.languages.moore import MooreMachine, minimise
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks.recurrent import RecurrentNetwork, State

MAX_STATES = 40  # of a conjecture: more are no explanation, and L* slows down
MAX_WORDS = 20_000  # that the network is queried about
TESTED_WORDS = 3000  # that a conjecture is tested on, from the shortest
REPEATS = 60  # of a symbol in further test words, to expose counters
Expects = Callable[[str], frozenset[str]]  # the symbols that are expected after a word


@dataclass(frozen=True)
class Learned:
    """The result of querying a network."""

    machine: MooreMachine | None  # minimal; the last conjecture if L* did not close, None if there was none
    closed: bool  # whether the automaton behaves as the network does on all test words
    words: int  # number of distinct words that the network was queried about
    tested: int  # length up to which all expected words were tested; 0 if L* did not close
    note: str  # the result in a sentence


def learn(network: RecurrentNetwork, language: HasAutomaton, texts: ScoredTexts) -> Learned:
    """Learn the automaton of a network by L* (Angluin 1987), with queries for the symbols expected next.

    The network expects the symbols with at least the probability `legality_threshold` on the texts. What may come first
    is taken from the language: the network predicts nothing before the first symbol.

    Args:
        network: recurrent.
        language: what it was trained on.
        texts: of the language.

    Raises:
        HudynError: AALpy is not installed.
        ArgumentError: a parameter is not finite.
    """
    if not all(parameter.isfinite().all() for parameter in network.parameters()):
        raise ArgumentError("network", "expected finite weights, got others; did the training diverge?")
    with torch.no_grad():
        logits = network.run(texts.symbols).logits
    threshold = legality_threshold(logits[texts.read], texts.probabilities[texts.read])
    first = language.automaton().outputs[0]
    assert first is not None
    learned = learn_from(_Network(network, language.alphabet, threshold), language.alphabet, first)
    return replace(learned, note=f"{learned.note} Expected is each symbol of probability {threshold:.3g} or more.")


def learn_from(expects: Expects, alphabet: tuple[str, ...], first: frozenset[str]) -> Learned:
    """Learn an automaton by L* from answers to the query which symbols are expected after a word.

    After a symbol that is not expected, nothing is. A conjecture is tested on the 3000 shortest words of expected
    symbols, followed by each symbol, and on up to 60 of a symbol and 60 of another after the shortest word to each
    state.

    Args:
        expects: the answers; asked only about words of expected symbols.
        alphabet: the symbols.
        first: the symbols that a word may begin with.

    Raises:
        HudynError: AALpy is not installed.
    """
    try:
        from aalpy import run_Lstar
    except ImportError as error:
        raise HudynError('Learning an automaton by L* needs AALpy: pip install "hudyn[analysis]"') from error
    teacher = _Teacher(expects, alphabet, first)
    try:
        run_Lstar([*alphabet], teacher, teacher, "moore", cache_and_non_det_check=False, print_level=0)
    except _LimitError as error:
        return Learned(teacher.conjecture, False, len(teacher.known), 0, f"No automaton: L* did not close {error}.")
    words = len(teacher.known)
    assert teacher.conjecture is not None
    note = f"L* closed after {words:,} words; it is right on all expected words up to length {teacher.tested}."
    return Learned(teacher.conjecture, True, words, teacher.tested, note)


class _LimitError(Exception):
    """A limit is reached; the message says which."""


class _Network:
    """Answers which symbols a network expects after a word.

    Args:
        network: the network.
        alphabet: the symbols.
        threshold: probability from which a symbol is expected.
    """

    def __init__(self, network: RecurrentNetwork, alphabet: tuple[str, ...], threshold: float) -> None:
        self._network, self._alphabet, self._threshold = network, alphabet, threshold
        self._states: dict[str, State] = {"": network.initial_state(1)}

    @torch.no_grad()
    def __call__(self, word: str) -> frozenset[str]:
        known = word
        while known not in self._states:
            known = known[:-1]
        for place in range(len(known), len(word)):
            from_input = self._network.from_input(torch.tensor([self._alphabet.index(word[place])]))
            self._states[word[: place + 1]] = self._network.step(from_input, self._states[word[:place]])[0]
        predicted = self._network.output(self._states[word][0])[0].softmax(dim=-1)
        return frozenset(
            symbol for symbol, share in zip(self._alphabet, predicted.tolist(), strict=True) if share >= self._threshold
        )


class _Teacher:
    """Answers the queries of L*, and tests its conjectures: AALpy's system under learning and its oracle.

    Attributes:
        known: the symbols expected after each word queried.
        conjecture: the latest.
        tested: length up to which all words were tested.
    """

    num_queries = num_steps = 0  # AALpy expects them

    def __init__(self, expects: Expects, alphabet: tuple[str, ...], first: frozenset[str]) -> None:
        self.known = {"": first}
        self.conjecture: MooreMachine | None = None
        self.tested = 0
        self._expects, self._alphabet = expects, alphabet

    def query(self, word: tuple[str, ...]) -> list[frozenset[str]]:
        """What is expected after each symbol of a word; at the beginning for the empty word."""
        outputs, expected = [], self.known[""]
        for place, symbol in enumerate(word, start=1):
            expected = self._after("".join(word[:place])) if symbol in expected else frozenset()
            outputs.append(expected)
        return outputs or [expected]

    def find_cex(self, hypothesis: Any) -> tuple[str, ...] | None:
        """A word on which the network and the conjecture differ; None if none was found."""
        self.conjecture = _machine(hypothesis, self._alphabet)
        if len(hypothesis.states) > MAX_STATES:
            raise _LimitError(f"with {MAX_STATES} states")
        words = [("", hypothesis.initial_state)]
        for word, state in words:  # the list grows while it is traversed
            for symbol in self._alphabet:
                if (counterexample := self._counterexample(word, state, symbol)) is not None:
                    return counterexample
                if symbol in self.known[word] and len(words) < TESTED_WORDS:
                    words.append((word + symbol, state.transitions[symbol]))
        shortest = {id(state): (word, state) for word, state in reversed(words)}
        for (word, state), one, other in itertools.product(shortest.values(), self._alphabet, self._alphabet):
            for symbol in one * REPEATS + other * REPEATS:
                if symbol in self._after(word):
                    if (counterexample := self._counterexample(word, state, symbol)) is not None:
                        return counterexample
                    word, state = word + symbol, state.transitions[symbol]
        self.tested = len(words[-1][0])
        return None

    def _counterexample(self, word: str, state: Any, symbol: str) -> tuple[str, ...] | None:
        """`word` and `symbol`, if the conjecture, in `state` after the word, is wrong about what follows."""
        expected = self._after(word + symbol) if symbol in self._after(word) else frozenset()
        return None if state.transitions[symbol].output == expected else tuple(word + symbol)

    def _after(self, word: str) -> frozenset[str]:
        if word not in self.known:
            if len(self.known) == MAX_WORDS:
                raise _LimitError(f"with {MAX_WORDS:,} words")
            self.known[word] = self._expects(word)
        return self.known[word]


def _machine(hypothesis: Any, alphabet: tuple[str, ...]) -> MooreMachine:
    """AALpy's automaton as a minimal Moore machine with transitions for expected symbols only."""
    start = hypothesis.initial_state
    states = [start, *(state for state in hypothesis.states if state is not start)]
    numbers = {id(state): number for number, state in enumerate(states)}
    targets = tuple(
        tuple(numbers[id(state.transitions[symbol])] if symbol in state.output else None for symbol in alphabet)
        for state in states
    )
    names = tuple(map(str, range(len(states))))
    machine = minimise(MooreMachine(alphabet, targets, tuple(state.output for state in states), names))
    return replace(machine, names=names[: len(machine)])
