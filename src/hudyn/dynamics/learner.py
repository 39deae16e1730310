"""The automaton of a recurrent network by asking it: Angluin's L*."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from hudyn.dynamics.extraction import legality_threshold
from hudyn.errors import HudynError
from hudyn.languages import HasAutomaton
from hudyn.languages.moore import MooreMachine, minimise
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks.recurrent import RecurrentNetwork, State

MOST_STATES = 40
MOST_WORDS = 20_000  # that the network is asked about
CHECKED_WORDS = 3000  # that an automaton is checked on, from the shortest on
REPEATS = 60  # of a symbol, in words that it is checked on besides
Expects = Callable[[str], frozenset[str]]  # the symbols that are expected after a word


@dataclass(frozen=True)
class Learned:
    """What came of asking a network.

    Attributes:
        machine: the automaton, minimal; the last conjecture where it is not closed, None where there was none.
        closed: whether the network does on all words that were checked what the automaton does.
        words: number of different words that the network was asked about.
        checked: length up to which all words that are expected were checked; 0 where it is not closed.
        note: what came of it, in a sentence.
    """

    machine: MooreMachine | None
    closed: bool
    words: int
    checked: int
    note: str


def learn(network: RecurrentNetwork, language: HasAutomaton, texts: ScoredTexts) -> Learned:
    """The automaton that L* learns from a network (Angluin 1987), on the question which symbols are expected next.

    What is expected is told by `legality_threshold` on the texts. The first symbols are those of the language: no
    network tells them.

    Args:
        network: the network.
        language: what it was trained on.
        texts: of the language.

    Raises:
        HudynError: AALpy is not installed.
        ValueError: the network has weights that are not finite.
    """
    if not all(parameter.isfinite().all() for parameter in network.parameters()):
        raise ValueError("network: expected finite weights, got others; did the training diverge?")
    with torch.no_grad():
        logits = network.run(texts.symbols).logits
    threshold = legality_threshold(logits[texts.read], texts.probabilities[texts.read])
    first = language.automaton().outputs[0]
    assert first is not None
    found = learn_from(_Reader(network, language.alphabet, threshold), language.alphabet, first)
    return replace(found, note=f"{found.note} Expected is each symbol of probability {threshold:.3g} or more.")


def learn_from(expects: Expects, alphabet: tuple[str, ...], first: frozenset[str]) -> Learned:
    """The automaton that L* learns from answers to the question which symbols are expected after a word.

    After a symbol that is not expected, none is. A conjecture is checked on 3000 words of expected symbols, from the
    shortest on, with each symbol after them, and on up to 60 of a symbol and 60 of another after the shortest
    word to each state.

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
    except _TooMuchError as error:
        return Learned(teacher.conjecture, False, len(teacher.known), 0, f"No automaton: L* did not close {error}.")
    words = len(teacher.known)
    assert teacher.conjecture is not None
    note = f"L* closed after {words:,} words; it is right on all expected words up to length {teacher.checked}."
    return Learned(teacher.conjecture, True, words, teacher.checked, note)


class _TooMuchError(Exception):
    """A bound is reached; the message tells which."""


class _Reader:
    """Tells the symbols that a network expects after a word.

    Args:
        network: the network.
        alphabet: the symbols.
        threshold: probability from which on a symbol is expected.
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
        given = self._network.output(self._states[word][0])[0].softmax(dim=-1)
        return frozenset(
            symbol for symbol, share in zip(self._alphabet, given.tolist(), strict=True) if share >= self._threshold
        )


class _Teacher:
    """Answers L* what is expected after a word, and whether a conjecture is right: AALpy's system and its oracle.

    Attributes:
        known: what is expected after each word that was asked.
        conjecture: the latest.
        checked: length up to which all words were checked.
    """

    num_queries = num_steps = 0  # AALpy reads them

    def __init__(self, expects: Expects, alphabet: tuple[str, ...], first: frozenset[str]) -> None:
        self.known = {"": first}
        self.conjecture: MooreMachine | None = None
        self.checked = 0
        self._expects, self._alphabet = expects, alphabet

    def query(self, word: tuple[str, ...]) -> list[frozenset[str]]:
        """What is expected after each symbol of a word; at the beginning for the empty word."""
        outputs, expected = [], self.known[""]
        for place, symbol in enumerate(word, start=1):
            expected = self._after("".join(word[:place])) if symbol in expected else frozenset()
            outputs.append(expected)
        return outputs or [expected]

    def find_cex(self, hypothesis: Any) -> tuple[str, ...] | None:
        """A word on which the network and the automaton part; None where none was found."""
        self.conjecture = _machine(hypothesis, self._alphabet)
        if len(hypothesis.states) > MOST_STATES:
            raise _TooMuchError(f"with {MOST_STATES} states")
        words = [("", hypothesis.initial_state)]
        for word, state in words:  # which grow on the way
            for symbol in self._alphabet:
                if (wrong := self._wrong(word, state, symbol)) is not None:
                    return wrong
                if symbol in self.known[word] and len(words) < CHECKED_WORDS:
                    words.append((word + symbol, state.transitions[symbol]))
        shortest = {id(state): (word, state) for word, state in reversed(words)}
        for (word, state), one, other in itertools.product(shortest.values(), self._alphabet, self._alphabet):
            for symbol in one * REPEATS + other * REPEATS:
                if symbol in self._after(word):
                    if (wrong := self._wrong(word, state, symbol)) is not None:
                        return wrong
                    word, state = word + symbol, state.transitions[symbol]
        self.checked = len(words[-1][0])
        return None

    def _wrong(self, word: str, state: Any, symbol: str) -> tuple[str, ...] | None:
        """A word and one more symbol, where the automaton, which is in `state` after the word, is wrong about it."""
        expected = self._after(word + symbol) if symbol in self._after(word) else frozenset()
        return None if state.transitions[symbol].output == expected else tuple(word + symbol)

    def _after(self, word: str) -> frozenset[str]:
        if word not in self.known:
            if len(self.known) == MOST_WORDS:
                raise _TooMuchError(f"with {MOST_WORDS:,} words")
            self.known[word] = self._expects(word)
        return self.known[word]


def _machine(hypothesis: Any, alphabet: tuple[str, ...]) -> MooreMachine:
    """The automaton of one that AALpy made, with transitions for expected symbols only."""
    states = [hypothesis.initial_state, *(own for own in hypothesis.states if own is not hypothesis.initial_state)]
    numbers = {id(state): number for number, state in enumerate(states)}
    targets = tuple(
        tuple(numbers[id(own.transitions[symbol])] if symbol in own.output else None for symbol in alphabet)
        for own in states
    )
    names = tuple(map(str, range(len(states))))
    found = minimise(MooreMachine(alphabet, targets, tuple(own.output for own in states), names))
    return MooreMachine(alphabet, found.targets, found.outputs, names[: len(found)])
