"""What a language may offer beyond `Language`; what it offers decides which analyses apply to it."""

from collections.abc import Sequence
from typing import Protocol, Self, runtime_checkable

import numpy as np

from hudyn.languages.moore import MooreMachine
from hudyn.languages.text import Language, Text


@runtime_checkable
class Countable(Language, Protocol):
    """A language with one word for each n: a block of each symbol of the alphabet, with lengths in fixed ratios.

    It can be scored by the largest n that a network handles, and a network that reads it can be searched for counters.

    Attributes:
        ratios: length of each symbol's block in the word of n = 1, [alphabet]; the word of n has n times as many.
        max_n: largest n in the texts.
    """

    ratios: tuple[int, ...]
    max_n: int

    def word(self, n: int) -> np.ndarray:
        """Symbols of the word of any n ≥ 1, int64 [length]."""

    def annotate(self, ns: Sequence[int] | np.ndarray) -> Text:
        """The words of these n, joined; n may exceed `max_n`."""

    def up_to(self, max_n: int) -> Self:
        """The same language with another `max_n`."""


@runtime_checkable
class HasVocabulary(Language, Protocol):
    """A language with finitely many words, which can be drawn by their numbers: faster than symbol by symbol.

    Attributes:
        vocabulary: symbols of each word.
    """

    vocabulary: list[np.ndarray]

    def draw(self, words: int, generator: np.random.Generator) -> np.ndarray:
        """Numbers of words drawn independently, the same as those of `text`, integers [words]."""


@runtime_checkable
class HasAutomaton(Language, Protocol):
    """A language that knows its minimal automaton, so that a network's automaton can be compared with it."""

    def automaton(self, joined: bool = True) -> MooreMachine:
        """The minimal automaton whose output is the set of symbols that may come next.

        Args:
            joined: whether the next word follows at the end of a word; otherwise the automaton stops there.
        """


@runtime_checkable
class HasStateNames(Language, Protocol):
    """A language whose state labels are numbers of named states.

    Attributes:
        state_names: name of each state, by label.
        long_range: labels of the states in which the next symbol was determined long before; they are scored
            separately.
    """

    state_names: tuple[str, ...]
    long_range: tuple[int, ...]
