"""A probabilistic automaton: every language of bounded memory is one."""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np
from scipy.sparse import coo_array, eye_array
from scipy.sparse.linalg import spsolve

from hudyn.languages.text import Text, encode, misplaced

MOST_STATES = 200_000
MOST_SYMBOLS = 10_000  # of a word, on average
State = TypeVar("State", bound=Hashable)


class Automaton:
    """Words that begin and end in the same state of a deterministic automaton, and do not pass it in between.

    Args:
        alphabet: the symbols, one character each.
        start: the state in which words begin and end.
        moves: the moves out of a state: symbol, state that it leads to, probability; no symbol twice.
        label: number that stands for a state in a text.

    Attributes:
        alphabet: the symbols.
        entropy: of the endless text of words, in nats per symbol.
        targets: state that each symbol leads to, int64 [states, alphabet]; -1 where it cannot come. State 0 begins and
            ends words.
        labels: number that stands for each state in a text, [states].

    Raises:
        ValueError: too many states, or too long words.
    """

    def __init__(
        self,
        alphabet: Sequence[str],
        start: State,
        moves: Callable[[State], Sequence[tuple[str, State, float]]],
        label: Callable[[State], float],
    ) -> None:
        self.alphabet = tuple(alphabet)
        index, states, table = {start: 0}, [start], []
        for number, state in enumerate(states):  # which grow on the way
            for symbol, to, probability in moves(state):
                if to not in index:
                    if len(states) == MOST_STATES:
                        raise ValueError(f"the language has more than {MOST_STATES:,} states; choose smaller numbers")
                    index[to] = len(states)
                    states.append(to)
                table.append((number, self.alphabet.index(symbol), index[to], probability))
        sources, symbols, targets, given = (np.array(column) for column in zip(*table, strict=True))
        shape = len(states), len(self.alphabet)
        self.targets = np.full(shape, -1)  # -1: no such move
        self.targets[sources, symbols] = targets
        self._probabilities = np.zeros(shape)
        self._probabilities[sources, symbols] = given
        self._determined = self._probabilities.max(axis=1) == 1
        self.labels = np.array([label(state) for state in states], dtype=float)
        reached = self._probabilities.cumsum(axis=1)
        reached[reached >= reached[:, -1:]] = np.inf  # rounding may leave the last just under 1
        self._thresholds = np.ascontiguousarray(reached[:, :-1].T)  # [alphabet - 1, states]
        visits = _visits(sources, targets, given)
        length = visits.sum()
        if not 0 < length <= MOST_SYMBOLS:  # rounding gives anything where they hardly end
            raise ValueError(f"words have more than {MOST_SYMBOLS:,} symbols on average; let them end sooner")
        self.entropy = float(visits[sources] @ (given * np.log(1 / given)) / length)

    def text(self, words: int, generator: np.random.Generator) -> Text:
        """So many words drawn independently, joined."""
        symbols, states, _ = self._drawn(words, generator)
        return self._annotated(symbols, states)

    def symbols(self, words: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Symbols and starts of the `text` of the same words, without what is known of it."""
        symbols, _, starts = self._drawn(words, generator)
        return symbols, starts

    def _drawn(self, words: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Symbols, states after them, and where words begin, of words drawn."""
        word, state = np.arange(words), np.zeros(words, dtype=np.int64)
        lengths = np.zeros(words, dtype=np.int64)
        steps = []
        while len(word):
            draws = generator.random(len(word))
            symbol = np.zeros(len(word), dtype=np.int64)
            for thresholds in self._thresholds:
                symbol += thresholds[state] <= draws
            state = self.targets[state, symbol]
            steps.append((word, symbol, state))
            lengths[word] += 1
            unfinished = state != 0
            word, state = word[unfinished], state[unfinished]
        symbols, states = np.empty((2, lengths.sum()), dtype=np.int64)
        starts = lengths.cumsum() - lengths
        for time, (word, symbol, state) in enumerate(steps):
            places = starts[word] + time
            symbols[places], states[places] = symbol, state
        return symbols, states, starts

    def accepts(self, word: str) -> bool:
        """Whether it is one whole word.

        Raises:
            ValueError: an unknown symbol.
        """
        states = self._states(encode(word, self.alphabet))
        return len(states) == len(word) and states.count(0) == 1 and states[-1] == 0

    def read(self, symbols: str) -> Text:
        """The text of words joined, of which the last may be unfinished.

        Raises:
            ValueError: an unknown symbol, or one that cannot stand where it does.
        """
        encoded = encode(symbols, self.alphabet)
        states = self._states(encoded)
        if len(states) < len(symbols):
            allowed = self._probabilities[states[-1] if states else 0] > 0
            raise misplaced(symbols, len(states), [self.alphabet[symbol] for symbol in np.flatnonzero(allowed)])
        return self._annotated(encoded, np.array(states, dtype=np.int64))

    def _states(self, symbols: np.ndarray) -> list[int]:
        """The state after each symbol, up to the first symbol that cannot stand where it does."""
        states, state = [], 0
        for symbol in symbols.tolist():
            state = int(self.targets[state, symbol])
            if state < 0:
                break
            states.append(state)
        return states

    def _annotated(self, symbols: np.ndarray, states: np.ndarray) -> Text:
        """The text of symbols [length] and states after each of them [length]."""
        starts = np.append(0, np.flatnonzero(states == 0) + 1)
        return Text(
            symbols,
            self._probabilities.take(states, axis=0),
            self.labels[states],
            self._determined[states],
            starts[starts < len(symbols)],
        )


def _visits(sources: np.ndarray, targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Expected visits to each state in a word, [states], over moves [moves] between states; the word begins in 0."""
    states = sources.max() + 1
    inside = targets != 0
    flow = coo_array((probabilities[inside], (targets[inside], sources[inside])), shape=(states, states))
    return spsolve((eye_array(states) - flow).tocsc(), np.eye(1, states)[0])
