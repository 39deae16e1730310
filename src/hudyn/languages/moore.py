"""Moore machines whose outputs are the symbols that may come next: minimised, compared, and named."""

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace

EXPONENTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class MooreMachine:
    """A deterministic automaton whose output in each state is the set of symbols that may come next (Moore 1956).

    It starts in state 0.

    Attributes:
        alphabet: the symbols.
        targets: state that each symbol leads to, None where there is no transition, [states][alphabet].
        outputs: symbols that may come next, [states]; None where they are unknown.
        names: name of each state, [states].
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
        """The symbols that lead from one state to another, by (source, target)."""
        edges: dict[tuple[int, int], tuple[str, ...]] = {}
        for source, targets in enumerate(self.targets):
            for symbol, target in zip(self.alphabet, targets, strict=True):
                if target is not None:
                    edges[source, target] = (*edges.get((source, target), ()), symbol)
        return edges

    def run(self, word: Iterable[str]) -> int | None:
        """The state after a word; None if a transition is missing."""
        state: int | None = 0
        for symbol in word:
            if state is not None:
                state = self.targets[state][self.alphabet.index(symbol)]
        return state


@dataclass(frozen=True)
class Difference:
    """The shortest word after which two automata expect different symbols.

    Attributes:
        word: the word.
        one: symbols that may come next in the first automaton; None if it has no transition for the last symbol.
        other: the same for the second automaton.
    """

    word: str
    one: frozenset[str] | None
    other: frozenset[str] | None

    def __str__(self) -> str:
        return f"after {self.word}: {_describe(self.one)} instead of {_describe(self.other)}"


def minimise(machine: MooreMachine) -> MooreMachine:
    """The smallest equivalent automaton, without unreachable states (Moore 1956).

    States merge if their outputs are equal and each symbol leads both to the same state or both to none. A start state
    whose output is unknown merges with the first state that has all its transitions. States are numbered in
    breadth-first order; a merged state is named after the first of its states.
    """
    reached = _breadth_first(machine)
    signatures: dict[int, Hashable] = {state: machine.outputs[state] for state in reached}
    number = 0
    while (classes := _numbered(signatures)) and number < max(classes.values()) + 1:
        number = max(classes.values()) + 1
        signatures = {
            state: (classes[state], tuple(None if to is None else classes[to] for to in machine.targets[state]))
            for state in reached
        }
    first: dict[int, int] = {}  # representative of each class
    for state in reached:
        first.setdefault(classes[state], state)
    representatives = {state: first[classes[state]] for state in reached}
    if machine.outputs[0] is None:
        representatives = _merge_unknown_start(machine, representatives)
    return _quotient(machine, representatives)


def difference(one: MooreMachine, other: MooreMachine, length: int | None = None) -> Difference | None:
    """The shortest word, first in alphabetical order, after which two automata expect different symbols.

    The search follows words symbol by symbol for as long as the automata expect the symbols. The empty word does not
    count: networks predict nothing before the first symbol. A transition that only one automaton has is a difference.

    Args:
        one: the first automaton.
        other: the second automaton.
        length: maximum length of the words compared; None for no limit.

    Returns:
        The difference, or None if the automata are equivalent up to that length.

    Raises:
        ValueError: different alphabets.
    """
    if one.alphabet != other.alphabet:
        raise ValueError(f"expected the same alphabet, got {one.alphabet} and {other.alphabet}")
    queue, seen = deque([("", 0, 0)]), {(0, 0)}
    while queue:
        word, first, second = queue.popleft()
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
                queue.append((word + symbol, to, other_to))
    return None


def renamed(machine: MooreMachine, like: MooreMachine) -> MooreMachine:
    """Copy the state names of `like` to `machine`: a state takes the name of the state that the same word reaches.

    A state that `like` does not reach, or whose name is already taken, keeps its name.
    """
    names, queue = {0: like.names[0]}, deque([(0, 0)])
    while queue:
        state, counterpart = queue.popleft()
        for target, match in zip(machine.targets[state], like.targets[counterpart], strict=True):
            if target is not None and match is not None and target not in names:
                taken = like.names[match] in names.values()
                names[target] = machine.names[target] if taken else like.names[match]
                queue.append((target, match))
    return replace(machine, names=tuple(names.get(state, name) for state, name in enumerate(machine.names)))


def with_exponents(word: str) -> str:
    """A word with its runs written as powers.

    >>> with_exponents("aaabb")
    'a³b²'
    """
    runs: list[tuple[str, int]] = []
    for symbol in word:
        if runs and runs[-1][0] == symbol:
            runs[-1] = symbol, runs[-1][1] + 1
        else:
            runs.append((symbol, 1))
    return "".join(symbol + (str(number).translate(EXPONENTS) if number > 1 else "") for symbol, number in runs)


def _breadth_first(machine: MooreMachine) -> list[int]:
    """The reachable states in breadth-first order."""
    order = [0]
    for state in order:  # the list grows while it is traversed
        order += dict.fromkeys(to for to in machine.targets[state] if to is not None and to not in order)
    return order


def _numbered(signatures: dict[int, Hashable]) -> dict[int, int]:
    """The number of each state's signature, in order of first appearance."""
    numbers: dict[Hashable, int] = {}
    return {state: numbers.setdefault(signature, len(numbers)) for state, signature in signatures.items()}


def _merge_unknown_start(machine: MooreMachine, representatives: dict[int, int]) -> dict[int, int]:
    """Merge the start state's class with the class of the first state that has all its transitions."""
    from_start = [None if to is None else representatives[to] for to in machine.targets[0]]
    for state in representatives:
        targets = [None if to is None else representatives[to] for to in machine.targets[state]]
        agrees = all(wanted is None or wanted == to for wanted, to in zip(from_start, targets, strict=True))
        if representatives[state] != representatives[0] and any(to is not None for to in from_start) and agrees:
            start = representatives[0]
            return {key: representatives[state] if value == start else value for key, value in representatives.items()}
    return representatives


def _quotient(machine: MooreMachine, representatives: dict[int, int]) -> MooreMachine:
    """The automaton of the representatives, numbered in breadth-first order."""
    order = [representatives[0]]
    for state in order:  # the list grows while it is traversed
        ahead = (representatives[to] for to in machine.targets[state] if to is not None)
        order += dict.fromkeys(to for to in ahead if to not in order)
    numbers = {state: number for number, state in enumerate(order)}
    return MooreMachine(
        machine.alphabet,
        tuple(
            tuple(None if to is None else numbers[representatives[to]] for to in machine.targets[state])
            for state in order
        ),
        tuple(machine.outputs[state] for state in order),
        tuple(machine.names[state] for state in order),
    )


def _output(machine: MooreMachine, state: int | None) -> frozenset[str] | None:
    return None if state is None else machine.outputs[state]


def _describe(output: frozenset[str] | None) -> str:
    if output is None:
        return "no transition"
    return " or ".join(sorted(output)) or "nothing"
