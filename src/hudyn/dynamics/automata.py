"""Automata that tell which symbols may come next: of a language, minimised, and compared."""

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from hudyn.languages import Counting, FiniteState, Language
from hudyn.languages.automaton import Automaton

POWERS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class MooreMachine:
    """A deterministic automaton whose output in each state is the set of symbols that may come next (Moore 1956).

    It begins in state 0.

    Attributes:
        alphabet: the symbols.
        targets: the state that each symbol leads to, None where there is no transition, [states][alphabet].
        outputs: the symbols that may come next, [states]; None where that is not known.
        names: of the states, [states].
    """

    alphabet: tuple[str, ...]
    targets: tuple[tuple[int | None, ...], ...]
    outputs: tuple[frozenset[str] | None, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        """Number of states."""
        return len(self.targets)

    @property
    def edges(self) -> dict[tuple[int, int], tuple[str, ...]]:
        """The symbols that lead from one state to another, by these states."""
        found: dict[tuple[int, int], tuple[str, ...]] = {}
        for source, targets in enumerate(self.targets):
            for symbol, target in zip(self.alphabet, targets, strict=True):
                if target is not None:
                    found[source, target] = (*found.get((source, target), ()), symbol)
        return found

    def run(self, word: Iterable[str]) -> int | None:
        """The state after a word; None where it takes a transition that is missing."""
        state: int | None = 0
        for symbol in word:
            if state is not None:
                state = self.targets[state][self.alphabet.index(symbol)]
        return state


@dataclass(frozen=True)
class Difference:
    """Where two automata part: `word` is the shortest after which one and the other expect different symbols.

    Attributes:
        word: the symbols read.
        one: the symbols that may come next in the first automaton; None where it has no transition for the last symbol.
        other: the same in the second.
    """

    word: str
    one: frozenset[str] | None
    other: frozenset[str] | None

    def __str__(self) -> str:
        return f"after {self.word}: {_told(self.one)} instead of {_told(self.other)}"


def language_machine(language: Language, joined: bool = True) -> MooreMachine:
    """The minimal automaton of a language.

    Of a counting language it has the words up to `max_n`; while the first symbol is read, the length of the word is
    open, so that the first and the second symbol may come next.

    Args:
        language: `Counting`, or one that is an `Automaton`.
        joined: whether the next word follows where one ends; the automaton stops there otherwise.

    Raises:
        ValueError: another language.
    """
    if isinstance(language, Counting):
        return minimise(_of_words(language, joined))
    if not isinstance(language, Automaton):
        raise ValueError(f"language: expected one with an automaton of its own, got {type(language).__name__}")
    targets = [[None if target < 0 else target for target in row] for row in language.targets.tolist()]
    labels = [f"{label:g}" for label in language.labels]
    if isinstance(language, FiniteState):
        labels = [language.state_names[int(label)] for label in language.labels]
    labels[0] = "start"
    outputs = [_symbols(language.alphabet, row) for row in targets]
    if not joined:
        targets, labels, outputs = _ending(targets), [*labels, "end"], [*outputs, outputs[0]]
    return minimise(MooreMachine(language.alphabet, tuple(map(tuple, targets)), tuple(outputs), tuple(labels)))


def minimise(machine: MooreMachine) -> MooreMachine:
    """The smallest automaton that does the same; states that are not reached are left out (Moore 1956).

    States are one where their outputs are equal and each symbol leads both to the same state or both to none. A
    beginning whose output is not known is one with the first state that has all its transitions. States are numbered
    in breadth-first order; each is named after the first that it stands for.
    """
    reached = _breadth_first(machine)
    kinds: dict[int, Hashable] = {state: machine.outputs[state] for state in reached}
    number = 0
    while (classes := _numbered(kinds)) and number < max(classes.values()) + 1:
        number = max(classes.values()) + 1
        kinds = {
            state: (classes[state], tuple(None if to is None else classes[to] for to in machine.targets[state]))
            for state in reached
        }
    first: dict[int, int] = {}  # state that stands for a class
    for state in reached:
        first.setdefault(classes[state], state)
    stands = {state: first[classes[state]] for state in reached}
    if machine.outputs[0] is None:
        stands = _settled(machine, stands)
    return _chosen(machine, stands)


def difference(one: MooreMachine, other: MooreMachine, length: int | None = None) -> Difference | None:
    """The shortest word, first in the order of the alphabet, after which two automata expect different symbols.

    Words are followed symbol by symbol as long as the automata expect the symbols; the empty word tells nothing, for
    no network is asked before the first symbol. A transition that only one of them has is a difference.

    Args:
        one: the first automaton.
        other: the second.
        length: of the longest words that are compared; all words where None.

    Returns:
        the difference, or None: they are equivalent up to that length.

    Raises:
        ValueError: different alphabets.
    """
    if one.alphabet != other.alphabet:
        raise ValueError(f"expected the same alphabet, got {one.alphabet} and {other.alphabet}")
    waiting, seen = deque([("", 0, 0)]), {(0, 0)}
    while waiting:
        word, first, second = waiting.popleft()
        if len(word) == length:
            break
        expected = one.outputs[first] if word else None
        for symbol, to, other_to in zip(one.alphabet, one.targets[first], other.targets[second], strict=True):
            if (to is None and other_to is None) or (expected is not None and symbol not in expected):
                continue
            if to is None or other_to is None or one.outputs[to] != other.outputs[other_to]:
                return Difference(word + symbol, _output(one, to), _output(other, other_to))
            if (to, other_to) not in seen:
                seen.add((to, other_to))
                waiting.append((word + symbol, to, other_to))
    return None


def named(machine: MooreMachine, language: MooreMachine) -> MooreMachine:
    """The automaton with each state named after that of the language's automaton which the shortest word leads to.

    A state that none leads to, or whose name is given to one before it, keeps its own.
    """
    names, waiting = {0: language.names[0]}, deque([(0, 0)])
    while waiting:
        own, other = waiting.popleft()
        for target, like in zip(machine.targets[own], language.targets[other], strict=True):
            if target is not None and like is not None and target not in names:
                taken = language.names[like] in names.values()
                names[target] = machine.names[target] if taken else language.names[like]
                waiting.append((target, like))
    return replace(machine, names=tuple(names.get(state, own) for state, own in enumerate(machine.names)))


def written(word: str) -> str:
    """A word with its runs as powers.

    >>> written("aaabb")
    'a³b²'
    """
    runs: list[tuple[str, int]] = []
    for symbol in word:
        if runs and runs[-1][0] == symbol:
            runs[-1] = symbol, runs[-1][1] + 1
        else:
            runs.append((symbol, 1))
    return "".join(symbol + (str(number).translate(POWERS) if number > 1 else "") for symbol, number in runs)


def _of_words(language: Counting, joined: bool) -> MooreMachine:
    """The tree of a counting language's words up to `max_n`, whose leaves are its root where words are joined."""
    alphabet = language.alphabet
    targets: list[list[int | None]] = [[None] * len(alphabet)]
    outputs, names = [frozenset(alphabet[:1])], [""]
    for n in range(1, language.max_n + 1):
        word = language.word(n).tolist()
        state = 0
        for place, (symbol, following) in enumerate(zip(word, [*word[1:], 0], strict=True)):
            target = targets[state][symbol]
            if target is None:
                target = targets[state][symbol] = len(targets)
                targets.append([None] * len(alphabet))
                outputs.append(frozenset(alphabet[:2] if symbol == 0 else alphabet[following]))
                names.append("".join(alphabet[own] for own in word[: place + 1]))
            state = target
        if joined:
            targets[state] = targets[0]
    names = ["start", *map(written, names[1:])]
    return MooreMachine(alphabet, tuple(map(tuple, targets)), tuple(outputs), tuple(names))


def _ending(targets: list[list[int | None]]) -> list[list[int | None]]:
    """The transitions back to state 0 led to a last state, where there are none."""
    end = len(targets)
    return [*([end if target == 0 else target for target in row] for row in targets), [None] * len(targets[0])]


def _symbols(alphabet: Sequence[str], targets: Sequence[int | None]) -> frozenset[str]:
    """The symbols that have a transition."""
    return frozenset(symbol for symbol, target in zip(alphabet, targets, strict=True) if target is not None)


def _breadth_first(machine: MooreMachine) -> list[int]:
    """The states that are reached, in breadth-first order."""
    found = [0]
    for state in found:  # which grows on the way
        found += dict.fromkeys(to for to in machine.targets[state] if to is not None and to not in found)
    return found


def _numbered(kinds: dict[int, Hashable]) -> dict[int, int]:
    """The states with their kinds numbered, in the order in which they come."""
    numbers: dict[Hashable, int] = {}
    return {state: numbers.setdefault(kind, len(numbers)) for state, kind in kinds.items()}


def _settled(machine: MooreMachine, stands: dict[int, int]) -> dict[int, int]:
    """The classes of states, with that of the beginning one with the first that has all its transitions."""
    begin = [None if to is None else stands[to] for to in machine.targets[0]]
    for state in stands:
        own = [None if to is None else stands[to] for to in machine.targets[state]]
        agrees = all(to is None or to == it for to, it in zip(begin, own, strict=True))
        if stands[state] != stands[0] and any(to is not None for to in begin) and agrees:
            return {key: stands[state] if value == stands[0] else value for key, value in stands.items()}
    return stands


def _chosen(machine: MooreMachine, stands: dict[int, int]) -> MooreMachine:
    """The automaton of the states that stand for others, numbered in breadth-first order."""
    order = [stands[0]]
    for state in order:  # which grows on the way
        ahead = (stands[to] for to in machine.targets[state] if to is not None)
        order += dict.fromkeys(to for to in ahead if to not in order)
    numbers = {state: number for number, state in enumerate(order)}
    return MooreMachine(
        machine.alphabet,
        tuple(tuple(None if to is None else numbers[stands[to]] for to in machine.targets[own]) for own in order),
        tuple(machine.outputs[own] for own in order),
        tuple(machine.names[own] for own in order),
    )


def _output(machine: MooreMachine, state: int | None) -> frozenset[str] | None:
    return None if state is None else machine.outputs[state]


def _told(output: frozenset[str] | None) -> str:
    if output is None:
        return "no transition"
    return " or ".join(sorted(output)) or "nothing"
