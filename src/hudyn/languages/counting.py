"""Counting languages: a^n b^2n and its relatives, and sums."""

import string
from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import numpy as np

from hudyn.arguments import ArgumentError, Positive, checked
from hudyn.languages.moore import MooreMachine, minimise, with_exponents
from hudyn.languages.probabilistic import ProbabilisticAutomaton
from hudyn.languages.text import Text, encode, misplaced

TOLERANCE = 1e-6  # how far a sum of probabilities may be from 1
Count = tuple[str, int, int]  # current symbol; a's and b's so far, or c's left; length of the current block so far


class Counting:
    """Words with a block of each symbol, with lengths in fixed ratios: [1, 2] is a^n b^2n, [1, 2, 3] is a^n b^2n c^3n.

    `word`, `annotate`, `accepts` and `read` accept every n ≥ 1. Where a word continues after its a's in a way that
    `distribution` rules out (n > max_n), the symbol that comes has probability 1, but counts as not determined.

    The state label after the j-th a is j. After the j-th of the r·n symbols of a later block it is n - (j - 1)/r, and 0
    after the last.

    Args:
        ratios: length of each block for n = 1; two blocks or more.
        max_n: largest n in the texts.
        distribution: of n over 1..max_n: uniform, geometric (proportional to 2^-n), or max_n probabilities.

    Attributes:
        alphabet: a, b, …, one symbol per block.
        ratios: length of each block for n = 1.
        max_n: largest n in the texts.
        entropy: entropy rate of the endless text of words, in nats per symbol.

    Raises:
        ArgumentError: a number out of range.
    """

    @checked
    def __init__(
        self,
        ratios: Sequence[int],
        max_n: Positive = 4,
        distribution: Literal["uniform", "geometric"] | Sequence[float] = "uniform",
    ) -> None:
        whole = all(isinstance(ratio, int | np.integer) and ratio >= 1 for ratio in ratios)
        if not whole or not 2 <= len(ratios) <= len(string.ascii_lowercase):
            raise ArgumentError("ratios", f"expected 2 to 26 integers of at least 1, got {list(ratios)}")
        self.alphabet = tuple(string.ascii_lowercase[: len(ratios)])
        self.ratios = tuple(ratios)
        self.max_n = max_n
        self._distribution = distribution
        self._ratios = np.array(ratios, dtype=np.int64)  # [alphabet]
        self._shares = _shares(distribution, max_n)  # [max_n]
        self._longest = np.flatnonzero(self._shares)[-1] + 1
        drawn = self._shares[: self._longest]
        # Probability that the b's begin after n units of a's, n = 0..longest; nan beyond, where it is unknown.
        self._turn = np.concatenate([[0], drawn / drawn[::-1].cumsum()[::-1], [np.nan]])
        possible = drawn[drawn > 0]
        mean_length = self._ratios.sum() * (np.arange(1, self._longest + 1) @ drawn)
        self.entropy = float(possible @ np.log(1 / possible) / mean_length)

    def up_to(self, max_n: int) -> "Counting":
        """See `Countable.up_to`; n is uniform where `distribution` was given as probabilities."""
        kept = self._distribution if isinstance(self._distribution, str) else "uniform"
        return Counting(self.ratios, max_n, kept)

    def text(self, words: int, generator: np.random.Generator) -> Text:
        """See `Language.text`."""
        return self.annotate(self.draw(words, generator) + 1)

    def symbols(self, words: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `Language.symbols`."""
        blocks, ends = self._blocks(self.draw(words, generator) + 1)
        return self._spell(blocks), (ends - blocks)[:: len(self.alphabet)]

    @checked
    def word(self, n: Positive) -> np.ndarray:
        """Symbols of the word of n, int64 [length].

        >>> Counting([1, 2]).word(2)
        array([0, 0, 1, 1, 1, 1])
        """
        return np.repeat(np.arange(len(self._ratios)), self._ratios * n)

    def annotate(self, ns: Sequence[int] | np.ndarray) -> Text:
        """The words of these n, joined."""
        alphabet = len(self.alphabet)
        numbers = np.asarray(ns, dtype=np.int64)
        if len(numbers) and numbers.min() < 1:
            raise ArgumentError("n", f"expected at least 1, got {numbers.min()}")
        blocks, ends = self._blocks(numbers)
        symbols = self._spell(blocks)
        left = np.repeat(ends, blocks) - np.arange(1, len(symbols) + 1)  # symbols left in the block
        following = np.append(symbols[1:], 0)[: len(symbols)]
        probabilities = np.zeros((len(symbols), alphabet))
        probabilities[np.arange(len(symbols)), following] = 1
        determined = np.ones(len(symbols), dtype=bool)
        states = np.where(left > 0, (left + 1) / self._ratios[symbols], 0)

        first = np.flatnonzero(symbols == 0)
        so_far = np.repeat(blocks[::alphabet], blocks[::alphabet]) - left[first]
        units, rest = np.divmod(so_far, self._ratios[0])
        turn = np.where(rest == 0, self._turn[np.minimum(units, self._longest + 1)], 0)
        possible = np.where(following[first] == 0, 1 - turn, turn) > 0
        probabilities[first[possible], 0] = 1 - turn[possible]
        probabilities[first[possible], 1] = turn[possible]
        determined[first] = possible & ((turn == 0) | (turn == 1))
        states[first] = so_far
        return Text(symbols, probabilities, states, determined, starts=(ends - blocks)[::alphabet])

    @cached_property
    def vocabulary(self) -> list[np.ndarray]:
        """See `HasVocabulary.vocabulary`."""
        return [self.word(n) for n in range(1, self.max_n + 1)]

    def draw(self, words: int, generator: np.random.Generator) -> np.ndarray:
        """See `HasVocabulary.draw`."""
        if self._distribution == "uniform":
            return generator.integers(0, self.max_n, words, dtype=np.int32)
        return generator.choice(len(self._shares), words, p=self._shares).astype(np.int32)

    def _blocks(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Length and end of each block of one symbol, [words · alphabet] each."""
        lengths = np.outer(numbers, self._ratios).ravel()
        return lengths, lengths.cumsum()

    def _spell(self, blocks: np.ndarray) -> np.ndarray:
        """The symbols of blocks of these lengths."""
        alphabet = len(self.alphabet)
        return np.repeat(np.tile(np.arange(alphabet), len(blocks) // alphabet), blocks)

    def accepts(self, word: str) -> bool:
        """See `Language.accepts`; n may exceed `max_n`."""
        symbols = encode(word, self.alphabet)
        n, rest = divmod(len(symbols), int(self._ratios.sum()))
        return n > 0 and rest == 0 and np.array_equal(symbols, self.word(n))

    def read(self, symbols: str) -> Text:
        """See `Language.read`; n may exceed `max_n`.

        A last word beyond max_n that breaks off in its a's is assumed to have no more a's.
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

    def automaton(self, joined: bool = True) -> MooreMachine:
        """See `HasAutomaton.automaton`: of the words up to `max_n`. After an a, an a or a b may come, for n is open."""
        targets: list[list[int | None]] = [[None] * len(self.alphabet)]  # a tree whose leaves are the ends of words
        outputs, prefixes = [frozenset(self.alphabet[:1])], [""]
        for n in range(1, self.max_n + 1):
            word = self.word(n).tolist()
            state = 0
            for place, (symbol, following) in enumerate(zip(word, [*word[1:], 0], strict=True)):
                target = targets[state][symbol]
                if target is None:
                    target = targets[state][symbol] = len(targets)
                    targets.append([None] * len(self.alphabet))
                    outputs.append(frozenset(self.alphabet[:2] if symbol == 0 else self.alphabet[following]))
                    prefixes.append("".join(self.alphabet[symbol] for symbol in word[: place + 1]))
                state = target
            if joined:
                targets[state] = targets[0]
        names = ["start", *map(with_exponents, prefixes[1:])]
        return minimise(MooreMachine(self.alphabet, tuple(map(tuple, targets)), tuple(outputs), tuple(names)))


class CountingSum(ProbabilisticAutomaton):
    """Words a^n b^m c^(n+m), n and m independent and uniform on 1..max_n.

    The state label is the number of a's and b's so far, then the number of c's left.

    Args:
        max_n: largest n and m.

    Attributes:
        alphabet: a, b, c.
        entropy: entropy rate of the endless text of words, in nats per symbol.

    Raises:
        ArgumentError: max_n < 1.
    """

    @checked
    def __init__(self, max_n: Positive = 4) -> None:
        def moves(state: Count) -> list[tuple[str, Count, float]]:
            symbol, total, block = state
            if symbol == "c":
                return [("c", ("c", total - 1, 0), 1.0)] if total else [("a", ("a", 1, 1), 1.0)]
            turn = 1 / (max_n - block + 1)
            turned = ("b", total + 1, 1) if symbol == "a" else ("c", total - 1, 0)
            more = [(symbol, (symbol, total + 1, block + 1), 1 - turn)] if block < max_n else []
            return [*more, (turned[0], turned, turn)]

        super().__init__("abc", ("c", 0, 0), moves, lambda state: state[1])


def _shares(distribution: str | Sequence[float], max_n: int) -> np.ndarray:
    """Probabilities of n = 1..max_n, float64 [max_n]."""
    if isinstance(distribution, str):
        named = {"uniform": np.ones(max_n), "geometric": 0.5 ** np.arange(max_n)}
        if distribution not in named:
            message = f"expected uniform, geometric or {max_n} probabilities, got {distribution}"
            raise ArgumentError("distribution", message)
        weights = named[distribution]
    else:
        weights = np.array(distribution, dtype=float)
        if weights.shape != (max_n,) or not (weights >= 0).all():
            message = f"expected max_n = {max_n} probabilities of at least 0, got {distribution}"
            raise ArgumentError("distribution", message)
        if abs(weights.sum() - 1) > TOLERANCE:
            raise ArgumentError("distribution", f"expected probabilities that sum to 1, got a sum of {weights.sum():g}")
    return weights / weights.sum()
