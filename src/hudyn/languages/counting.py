"""Languages of counting: a^n b^2n and its kin, and sums."""

import string
from collections.abc import Sequence
from typing import Literal

import numpy as np

from hudyn.languages.automaton import Automaton
from hudyn.languages.text import Text, encode, misplaced

TOLERANCE = 1e-6  # of a sum of probabilities
Count = tuple[str, int, int]  # block that is read, a's and b's so far or c's left, symbols so far of a's or b's


class Counting:
    """Words of a block of each symbol, whose lengths are in given ratios: [1, 2] is a^n b^2n, [1, 2, 3] a^n b^2n c^3n.

    `word`, `annotate`, `accepts` and `read` know every n ≥ 1. Where a word goes on after its a's in a way that
    `distribution` rules out (n > max_n), the symbol that comes has probability 1, but is not determined.

    The state label after the j-th a is j; after the j-th of the r·n symbols of a later block it is n - (j - 1)/r, but 0
    after the last.

    Args:
        ratios: symbols in each block for n = 1, two blocks or more.
        max_n: largest n that is drawn.
        distribution: of n over 1..max_n: uniform, geometric (in proportion to 2^-n), or max_n probabilities.

    Attributes:
        alphabet: a, b, …, one symbol a block.
        ratios: symbols in each block for n = 1.
        max_n: largest n that is drawn.
        entropy: of the endless text of words, in nats per symbol.

    Raises:
        ValueError: a number out of range.
    """

    def __init__(
        self,
        ratios: Sequence[int],
        max_n: int = 4,
        distribution: Literal["uniform", "geometric"] | Sequence[float] = "uniform",
    ) -> None:
        whole = all(isinstance(ratio, int | np.integer) and ratio >= 1 for ratio in ratios)
        if not whole or not 2 <= len(ratios) <= len(string.ascii_lowercase):
            raise ValueError(f"ratios: expected 2 to 26 integers of at least 1, got {list(ratios)}")
        _check_max("max_n", max_n)
        self.alphabet = tuple(string.ascii_lowercase[: len(ratios)])
        self.ratios = tuple(ratios)
        self.max_n = max_n
        self._ratios = np.array(ratios, dtype=np.int64)  # [alphabet]
        self._shares = _shares(distribution, max_n)  # [max_n]
        self._longest = np.flatnonzero(self._shares)[-1] + 1
        drawn = self._shares[: self._longest]
        # Probability that after n units of a's the b's begin, n = 0..longest; then nan, for there is no telling.
        self._turn = np.concatenate([[0], drawn / drawn[::-1].cumsum()[::-1], [np.nan]])
        possible = drawn[drawn > 0]
        mean_length = self._ratios.sum() * (np.arange(1, self._longest + 1) @ drawn)
        self.entropy = float(possible @ np.log(1 / possible) / mean_length)

    def text(self, words: int, generator: np.random.Generator) -> Text:
        """So many words drawn independently, joined."""
        return self.annotate(self._numbers(words, generator))

    def symbols(self, words: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Symbols and starts of the `text` of the same words, without what is known of it."""
        blocks, ends = self._blocks(self._numbers(words, generator))
        return self._spelt(blocks), (ends - blocks)[:: len(self.alphabet)]

    def word(self, n: int) -> np.ndarray:
        """Symbols of the n-th word, int64 [length].

        >>> Counting([1, 2]).word(2)
        array([0, 0, 1, 1, 1, 1])
        """
        _check_max("n", n)
        return np.repeat(np.arange(len(self._ratios)), self._ratios * n)

    def annotate(self, ns: Sequence[int] | np.ndarray) -> Text:
        """The words of the numbers `ns`, joined."""
        alphabet = len(self.alphabet)
        numbers = np.asarray(ns, dtype=np.int64)
        _check_max("n", numbers.min(initial=1))
        blocks, ends = self._blocks(numbers)
        symbols = self._spelt(blocks)
        left = np.repeat(ends, blocks) - np.arange(1, len(symbols) + 1)  # in the block, after each symbol
        following = np.append(symbols[1:], 0)[: len(symbols)]
        probabilities = np.zeros((len(symbols), alphabet))
        probabilities[np.arange(len(symbols)), following] = 1
        determined = np.ones(len(symbols), dtype=bool)
        states = np.where(left > 0, (left + 1) / self._ratios[symbols], 0)

        first = np.flatnonzero(symbols == 0)
        so_far = np.repeat(blocks[::alphabet], blocks[::alphabet]) - left[first]
        units, rest = np.divmod(so_far, self._ratios[0])
        turn = np.where(rest == 0, self._turn[np.minimum(units, self._longest + 1)], 0)
        foreseen = np.where(following[first] == 0, 1 - turn, turn) > 0
        probabilities[first[foreseen], 0] = 1 - turn[foreseen]
        probabilities[first[foreseen], 1] = turn[foreseen]
        determined[first] = foreseen & ((turn == 0) | (turn == 1))
        states[first] = so_far
        return Text(symbols, probabilities, states, determined, starts=(ends - blocks)[::alphabet])

    def _numbers(self, words: int, generator: np.random.Generator) -> np.ndarray:
        return generator.choice(len(self._shares), words, p=self._shares) + 1

    def _blocks(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lengths of the words' blocks of one symbol, and where they end, [words · alphabet]."""
        lengths = np.outer(numbers, self._ratios).ravel()
        return lengths, lengths.cumsum()

    def _spelt(self, blocks: np.ndarray) -> np.ndarray:
        alphabet = len(self.alphabet)
        return np.repeat(np.tile(np.arange(alphabet), len(blocks) // alphabet), blocks)

    def accepts(self, word: str) -> bool:
        """Whether it is one whole word, of any n ≥ 1.

        Raises:
            ValueError: an unknown symbol.
        """
        symbols = encode(word, self.alphabet)
        n, rest = divmod(len(symbols), int(self._ratios.sum()))
        return n > 0 and rest == 0 and np.array_equal(symbols, self.word(n))

    def read(self, symbols: str) -> Text:
        """The text of words joined, of which the last may be unfinished; n may exceed max_n.

        A word beyond max_n that is left unfinished in its a's is taken to have no more of them.

        Raises:
            ValueError: an unknown symbol, or one that cannot stand where it does.
        """
        encoded = encode(symbols, self.alphabet)
        in_first = np.concatenate([[0], encoded == 0, [0]])
        starts, ends = np.flatnonzero(np.diff(in_first)).reshape(-1, 2).T  # runs of a
        numbers = -(-(ends - starts) // self._ratios[0])
        if symbols and encoded[-1] == 0:
            numbers[-1] = max(numbers[-1], self._longest)
        text = self.annotate(numbers)
        expected = np.append(text.symbols, 0)[: len(encoded)]
        wrong = np.flatnonzero(encoded[: len(expected)] != expected)
        if len(wrong):
            place = int(wrong[0])
            right = self.alphabet[expected[place]]
            raise misplaced(symbols, place, "ab" if right == "b" and symbols[place - 1] == "a" else right)
        length = len(encoded)
        return Text(encoded, text.probabilities[:length], text.states[:length], text.determined[:length], text.starts)


class CountingSum(Automaton):
    """Words a^n b^m c^(n+m), n and m independent and uniform on 1..max_n.

    The state label is the number of a's and b's so far, then the number of c's that are left.

    Args:
        max_n: largest n and m.

    Attributes:
        alphabet: a, b, c.
        entropy: of the endless text of words, in nats per symbol.

    Raises:
        ValueError: max_n < 1.
    """

    def __init__(self, max_n: int = 4) -> None:
        _check_max("max_n", max_n)

        def moves(state: Count) -> list[tuple[str, Count, float]]:
            symbol, total, own = state
            if symbol == "c":
                return [("c", ("c", total - 1, 0), 1.0)] if total else [("a", ("a", 1, 1), 1.0)]
            turn = 1 / (max_n - own + 1)
            turned = ("b", total + 1, 1) if symbol == "a" else ("c", total - 1, 0)
            more = [(symbol, (symbol, total + 1, own + 1), 1 - turn)] if own < max_n else []
            return [*more, (turned[0], turned, turn)]

        super().__init__("abc", ("c", 0, 0), moves, lambda state: state[1])


def _check_max(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name}: expected at least 1, got {value}")


def _shares(distribution: str | Sequence[float], max_n: int) -> np.ndarray:
    """Probabilities of n = 1..max_n, float64 [max_n]."""
    if isinstance(distribution, str):
        if distribution not in ("uniform", "geometric"):
            raise ValueError(f"distribution: expected uniform, geometric or {max_n} probabilities, got {distribution}")
        weights = np.ones(max_n) if distribution == "uniform" else 0.5 ** np.arange(max_n)
        return weights / weights.sum()
    weights = np.array(distribution, dtype=float)
    if weights.shape != (max_n,) or not (weights >= 0).all():
        raise ValueError(f"distribution: expected max_n = {max_n} probabilities of at least 0, got {distribution}")
    if abs(weights.sum() - 1) > TOLERANCE:
        raise ValueError(f"distribution: expected probabilities that sum to 1, got a sum of {weights.sum():g}")
    return weights / weights.sum()
