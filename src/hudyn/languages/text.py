"""A text of a formal language, with what is known of every position."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

SHOWN = 20  # symbols before a misplaced one that an error shows


@dataclass(frozen=True)
class Text:
    """Words of a language, joined.

    Attributes:
        symbols: indices into the alphabet, int64 [length].
        probabilities: true distribution of the symbol after each position, given all before it; float64
            [length, alphabet].
        states: state label after reading each symbol, float64 [length].
        determined: whether the next symbol is determined (its probability is 1), bool [length].
        starts: where each word begins, int64 [words].
    """

    symbols: np.ndarray
    probabilities: np.ndarray
    states: np.ndarray
    determined: np.ndarray
    starts: np.ndarray


class Language(Protocol):
    """A probability distribution over words, and the endless text of words drawn from it one after another.

    Where a word ends is always to be told from the text alone, so each text is split into words in one way only.

    Attributes:
        alphabet: the symbols, one character each.
        entropy: of the endless text, in nats per symbol.
    """

    alphabet: tuple[str, ...]
    entropy: float

    def text(self, words: int, generator: np.random.Generator) -> Text:
        """So many words drawn independently, joined; after the last symbol, the next word would begin."""

    def symbols(self, words: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Symbols and starts of the `text` of the same words, without what is known of it: several times as fast."""

    def accepts(self, word: str) -> bool:
        """Whether it is one whole word of the language.

        Raises:
            ValueError: an unknown symbol.
        """

    def read(self, symbols: str) -> Text:
        """The text that a person gives: words joined, of which the last may be unfinished.

        Raises:
            ValueError: an unknown symbol, or one that cannot stand where it does.
        """


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
    """The error that one of the `expected` symbols should stand at `place`, which counts from 0.

    >>> misplaced("aaba", 3, ["b"])
    ValueError("symbol 4, after 'aab': expected b, got 'a'")
    """
    before = symbols[max(0, place - SHOWN) : place]
    after = f", after {'…' if place > SHOWN else ''}{before!r}" if before else ""
    return ValueError(f"symbol {place + 1}{after}: expected {' or '.join(expected)}, got {symbols[place]!r}")
