"""Moore machines whose outputs are the symbols that may come next: minimised, compared, and named."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeVar

EXPONENTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
Node = TypeVar("Node", bound=Hashable)


@dataclass(frozen=True)
class MooreMachine:
    """A deterministic automaton whose output in each state is the set of symbols that may come next (Moore 1956).

    It starts in state 0.
    """

    alphabet: tuple[str, ...]  # the symbols
    targets: tuple[tuple[int | None, ...], ...]  # state that each symbol leads to, None for none, [states][alphabet]
    outputs: tuple[frozenset[str] | None, ...]  # symbols that may come next, [states]; None where they are unknown
    names: tuple[str, ...]  # name of each state, [states]

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
    """The shortest word after which two automata expect different symbols."""

    word: str  # the word
    one: frozenset[str] | None  # symbols that may come next in the first automaton; None without a transition
    other: frozenset[str] | None  # the same in the second automaton

    def __str__(self) -> str:
        one, other = (" or ".join(sorted(output or ())) or "nothing" for output in (self.one, self.other))
        return f"after {self.word}: {one} instead of {other}"


def breadth_first(start: Node, successors: Callable[[Node], Iterable[Node]]) -> list[Node]:
    """All nodes on paths from `start`, itself included, the nearest first."""
    order, seen = [start], {start}
    for node in order:  # the list grows while it is traversed
        new = dict.fromkeys(to for to in successors(node) if to not in seen)
        seen.update(new)
        order += new
    return order


def minimise(machine: MooreMachine) -> MooreMachine:
    """The smallest equivalent automaton, without unreachable states (Moore 1956).

    States merge if their outputs are equal and each symbol leads both to the same state or both to none. States are
    numbered in breadth-first order; a merged state is named after the first of its states.
    """
    reached = breadth_first(0, lambda state: (to for to in machine.targets[state] if to is not None))
    signatures: dict[int, Hashable] = {state: machine.outputs[state] for state in reached}
    number = 0
    while number < len(set(signatures.values())):
        number = len(set(signatures.values()))
        numbers = {signature: place for place, signature in enumerate(dict.fromkeys(signatures.values()))}
        classes = {state: numbers[signature] for state, signature in signatures.items()}
        targets = {
            state: tuple(None if to is None else classes[to] for to in machine.targets[state]) for state in reached
        }
        signatures = {state: (classes[state], targets[state]) for state in reached}
    first = {classes[state]: state for state in reversed(reached)}
    order = [first[place] for place in range(number)]
    return MooreMachine(
        machine.alphabet,
        tuple(targets[state] for state in order),
        tuple(machine.outputs[state] for state in order),
        tuple(machine.names[state] for state in order),
    )


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
    runs = [(symbol, len([*run])) for symbol, run in groupby(word)]
    return "".join(symbol + (str(number).translate(EXPONENTS) if number > 1 else "") for symbol, number in runs)


def _output(machine: MooreMachine, state: int | None) -> frozenset[str] | None:
    return None if state is None else machine.outputs[state]
