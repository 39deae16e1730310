"""A text of a formal language, annotated with the true distribution of the next symbol."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hudyn.arguments import ArgumentError

CONTEXT = 20  # symbols before a misplaced one that the error shows


@dataclass(frozen=True)
class Text:
    """Words of a language, joined."""

    symbols: np.ndarray  # indices into the alphabet, int64 [length]
    probabilities: np.ndarray  # true distribution of the symbol that follows, float64 [length, alphabet]
    states: np.ndarray  # state label after each symbol, float64 [length]
    determined: np.ndarray  # whether the next symbol is determined (one symbol has probability 1), bool [length]
    starts: np.ndarray  # index of the first symbol of each word, int64 [words]


class Language(Protocol):
    """A probability distribution over words, and over the endless text of independently drawn words.

    A language needs every member listed here: `alphabet`, `entropy`, `text`, `symbols`, `accepts` and `read`. A class
    derived from `hudyn.languages.ProbabilisticAutomaton` has them.

    The text alone must show where each word ends, so that every text splits into words in exactly one way.

    Attributes:
        alphabet: the symbols, one character each.
        entropy: entropy rate of the endless text, in nats per symbol.
    """

    alphabet: tuple[str, ...]
    entropy: float

    def text(self, words: int, generator: np.random.Generator) -> Text:
        """Draw `words` words independently and join them. After the last symbol, the next word would begin."""

    def symbols(self, words: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Symbols and starts of the same `text`, without its annotations, which is several times as fast."""

    def accepts(self, word: str) -> bool:
        """Whether `word` is exactly one word of the language.

        Raises:
            ValueError: an unknown symbol.
        """

    def read(self, symbols: str) -> Text:
        """Annotate a text: words joined, the last of which may be unfinished.

        Raises:
            ValueError: an unknown symbol, or a symbol that cannot follow those before it.
        """


def check_language(language: object) -> None:
    """Raise ArgumentError unless `language` has every member of `Language`."""
    members = [name for name in (*Language.__annotations__, *vars(Language)) if not name.startswith("_")]
    if missing := [name for name in members if not hasattr(language, name)]:
        advice = "derive from hudyn.languages.ProbabilisticAutomaton"
        raise ArgumentError("language", f"{type(language).__name__} lacks {', '.join(missing)}; {advice}")


def encode(symbols: str, alphabet: Sequence[str]) -> np.ndarray:
    """Indices into the alphabet, int64 [length].

    >>> encode("abba", "ab")
    array([0, 1, 1, 0])

    Raises:
        ValueError: an unknown symbol.
    """
    index = {symbol: number for number, symbol in enumerate(alphabet)}
    for place, symbol in enumerate(symbols):
        if symbol not in index:
            raise misplaced(symbols, place, alphabet)
    return np.array([index[symbol] for symbol in symbols], dtype=np.int64)


def misplaced(symbols: str, place: int, expected: Iterable[str]) -> ValueError:
    """The error for `symbols[place]`, where one of the `expected` symbols should be.

    >>> misplaced("aaba", 3, ["b"])
    ValueError("symbol 4, after 'aab': expected b, got 'a'")
    """
    before = symbols[max(0, place - CONTEXT) : place]
    after = f", after {'…' if place > CONTEXT else ''}{before!r}" if before else ""
    return ValueError(f"symbol {place + 1}{after}: expected {' or '.join(expected)}, got {symbols[place]!r}")
