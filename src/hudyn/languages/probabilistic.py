"""A probabilistic automaton: every language of bounded memory is one."""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np
from scipy.sparse import coo_array, eye_array
from scipy.sparse.linalg import spsolve

from hudyn.languages.moore import MooreMachine, minimise
from hudyn.languages.text import Text, encode, misplaced

MAX_STATES = 200_000  # a table of this size still fits in memory
MAX_MEAN_LENGTH = 10_000  # symbols per word; longer words would make texts too long to score
State = TypeVar("State", bound=Hashable)


class ProbabilisticAutomaton:
    """Words that leave one state of a deterministic automaton and end when they first return to it.

    Args:
        alphabet: the symbols, one character each.
        start: the state in which words begin and end.
        moves: the transitions from a state: symbol, next state, probability; each symbol at most once.
        label: the number that stands for a state in a text; if None, the states are numbered from 0, the start.

    Attributes:
        alphabet: the symbols.
        entropy: entropy rate of the endless text of words, in nats per symbol.
        targets: state that each symbol leads to, int64 [states, alphabet]; -1 where the symbol cannot come. Words begin
            and end in state 0.
        probabilities: probability of each symbol in each state, [states, alphabet].
        labels: number that stands for each state in a text, [states].

    Raises:
        ValueError: an unknown symbol, one that occurs twice in a state, probabilities that do not add up to 1, too many
            states, or words that never end or are too long.
    """

    def __init__(
        self,
        alphabet: Sequence[str],
        start: State,
        moves: Callable[[State], Sequence[tuple[str, State, float]]],
        label: Callable[[State], float] | None = None,
    ) -> None:
        self.alphabet = tuple(alphabet)
        index, states, table = {start: 0}, [start], []
        for number, state in enumerate(states):  # the list grows while it is traversed
            out = list(moves(state))
            _check_moves(state, out, self.alphabet)
            for symbol, to, probability in out:
                if to not in index:
                    if len(states) == MAX_STATES:
                        raise ValueError(f"the language has more than {MAX_STATES:,} states; choose smaller numbers")
                    index[to] = len(states)
                    states.append(to)
                table.append((number, self.alphabet.index(symbol), index[to], probability))
        sources, symbols, targets, probabilities = (np.array(column) for column in zip(*table, strict=True))
        shape = len(states), len(self.alphabet)
        self.targets = np.full(shape, -1)
        self.targets[sources, symbols] = targets
        self.probabilities = np.zeros(shape)
        self.probabilities[sources, symbols] = probabilities
        self._determined = self.probabilities.max(axis=1) == 1
        self.labels = np.array([label(state) for state in states] if label else range(len(states)), dtype=float)
        cumulative = self.probabilities.cumsum(axis=1)
        cumulative[cumulative >= cumulative[:, -1:]] = np.inf  # rounding may leave the last just under 1
        self._thresholds = np.ascontiguousarray(cumulative[:, :-1].T)  # [alphabet - 1, states]
        if 0 not in targets:
            raise ValueError(f"no word ends: no move leads back to the start, {start!r}")
        visits = _visits(sources, targets, probabilities)
        length = visits.sum()
        if not 0 < length <= MAX_MEAN_LENGTH:  # rounding gives any number where words hardly ever end
            raise ValueError(f"words have more than {MAX_MEAN_LENGTH:,} symbols on average; let them end sooner")
        self.entropy = float(visits[sources] @ (probabilities * np.log(1 / probabilities)) / length)

    def text(self, words: int, generator: np.random.Generator) -> Text:
        """See `Language.text`."""
        symbols, states, _ = self._draw(words, generator)
        return self._annotated(symbols, states)

    def symbols(self, words: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `Language.symbols`."""
        symbols, _, starts = self._draw(words, generator)
        return symbols, starts

    def _draw(self, words: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Symbols [length], the state after each [length], and the start of each word [words]."""
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
        """See `Language.accepts`."""
        states = self._states(encode(word, self.alphabet))
        return len(states) == len(word) and states.count(0) == 1 and states[-1] == 0

    def read(self, symbols: str) -> Text:
        """See `Language.read`."""
        encoded = encode(symbols, self.alphabet)
        states = self._states(encoded)
        if len(states) < len(symbols):
            allowed = self.probabilities[states[-1] if states else 0] > 0
            raise misplaced(symbols, len(states), [self.alphabet[symbol] for symbol in np.flatnonzero(allowed)])
        return self._annotated(encoded, np.array(states, dtype=np.int64))

    def automaton(self, joined: bool = True) -> MooreMachine:
        """See `HasAutomaton.automaton`."""
        rows = self.targets.tolist()
        targets: list[list[int | None]] = [[None if target < 0 else target for target in row] for row in rows]
        outputs = [
            frozenset(symbol for symbol, target in zip(self.alphabet, row, strict=True) if target >= 0) for row in rows
        ]
        names = ["start", *map(self._state_name, self.labels[1:].tolist())]
        if not joined:  # what leads back to the start leads to an end state instead
            end = len(targets)
            targets = [[end if target == 0 else target for target in row] for row in targets]
            targets.append([None] * len(self.alphabet))
            names, outputs = [*names, "end"], [*outputs, outputs[0]]
        return minimise(MooreMachine(self.alphabet, tuple(map(tuple, targets)), tuple(outputs), tuple(names)))

    def _state_name(self, label: float) -> str:
        return f"{label:g}"

    def _states(self, symbols: np.ndarray) -> list[int]:
        """The state after each symbol, up to the first symbol that cannot follow those before it."""
        states, state = [], 0
        for symbol in symbols.tolist():
            state = int(self.targets[state, symbol])
            if state < 0:
                break
            states.append(state)
        return states

    def _annotated(self, symbols: np.ndarray, states: np.ndarray) -> Text:
        """The text of these symbols [length], given the state after each [length]."""
        starts = np.append(0, np.flatnonzero(states == 0) + 1)
        return Text(
            symbols,
            self.probabilities.take(states, axis=0),
            self.labels[states],
            self._determined[states],
            starts[starts < len(symbols)],
        )


def _check_moves(state: State, moves: Sequence[tuple[str, State, float]], alphabet: Sequence[str]) -> None:
    """Raise ValueError unless each symbol is in the alphabet and occurs once, and the probabilities add up to 1."""
    symbols = [symbol for symbol, _, _ in moves]
    for symbol in symbols:
        if symbol not in alphabet:
            raise ValueError(f"state {state!r}: symbol {symbol!r} is not in the alphabet {''.join(alphabet)!r}")
        if symbols.count(symbol) > 1:
            raise ValueError(
                f"state {state!r}: the symbol {symbol} occurs {symbols.count(symbol)} times, expected once"
            )
    total = sum(probability for _, _, probability in moves)
    if not math.isclose(total, 1, abs_tol=1e-6):
        raise ValueError(f"state {state!r}: expected probabilities that add up to 1, got {total:g}")


def _visits(sources: np.ndarray, targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Expected visits to each state in a word from state 0, [states], given all transitions, [transitions] each."""
    states = sources.max() + 1
    inside = targets != 0
    flow = coo_array((probabilities[inside], (targets[inside], sources[inside])), shape=(states, states))
    return spsolve((eye_array(states) - flow).tocsc(), np.eye(1, states)[0])
