"""What a network must predict: an automaton, and which symbols must be likelier than which."""

from collections.abc import Iterator
from dataclasses import dataclass

from hudyn.languages.moore import MooreMachine


@dataclass(frozen=True)
class Task:
    """What a network must predict: an automaton, before whose first symbol nothing is asked.

    Attributes:
        alphabet: the symbols.
        targets: state that each symbol leads to, None for none, [states][alphabet]; it starts in state 0.
        legal: symbols that may come next, [states].
        asked: whether each of them must be likelier than all others, [states].
        names: of the states.
        cuts: states that every cycle goes through.
    """

    alphabet: tuple[str, ...]
    targets: tuple[tuple[int | None, ...], ...]
    legal: tuple[tuple[int, ...], ...]
    asked: tuple[bool, ...]
    names: tuple[str, ...]
    cuts: tuple[int, ...]

    @classmethod
    def of(cls, machine: MooreMachine, counting: bool) -> "Task":
        """The task of a language's automaton; `counting` if only determined symbols are asked for."""
        legal: list[tuple[int, ...]] = []
        for targets, outputs in zip(machine.targets, machine.outputs, strict=True):
            going = tuple(symbol for symbol, target in enumerate(targets) if target is not None)
            legal.append(going or tuple(sorted(map(machine.alphabet.index, outputs or ()))))  # at the end of a text
        asked = tuple(len(symbols) == 1 or not counting for symbols in legal)
        return cls(machine.alphabet, machine.targets, tuple(legal), asked, machine.names, _cuts(machine.targets))

    def unrolled(self, visits: int) -> "Task":
        """The same task, with an automaton that counts visits of cut states: only every `visits`-th one is a cut."""
        numbers, reached, targets = {(0, 0): 0}, [(0, 0)], []
        for state, visit in reached:
            after = [
                None if target is None else (target, (visit + (target in self.cuts)) % visits)
                for target in self.targets[state]
            ]
            for place in after:
                if place is not None and place not in numbers:
                    numbers[place] = len(reached)
                    reached.append(place)
            targets.append(tuple(None if place is None else numbers[place] for place in after))
        states = [state for state, _ in reached]
        return Task(
            self.alphabet,
            tuple(targets),
            tuple(self.legal[state] for state in states),
            tuple(self.asked[state] for state in states),
            tuple(self.names[state] for state in states),
            tuple(number for (state, visit), number in numbers.items() if state in self.cuts and visit == 0),
        )

    def unproved(self, word: tuple[int, ...], target: int) -> str:
        """What to say where sets are not proved right after a word, in a state."""
        return f"after {self.alphabet[word[-1]]} into state {self.names[target]}, some set is not proved right"

    def pairs(self, state: int) -> list[tuple[int, int]]:
        """The symbols of which the first must be likelier than the second."""
        legal = self.legal[state] if self.asked[state] else ()
        return [(one, other) for one in legal for other in range(len(self.alphabet)) if other not in legal]

    def walks(self, state: int, word: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], int]]:
        """What can be read from a state up to the next cut state, symbol by symbol: all so far, the state after."""
        for symbol, target in enumerate(self.targets[state]):
            if target is not None:
                yield (*word, symbol), target
                if target not in self.cuts:
                    yield from self.walks(target, (*word, symbol))


def _cuts(targets: tuple[tuple[int | None, ...], ...]) -> tuple[int, ...]:
    """States that every cycle goes through: those that a depth-first search meets again on its path, where needed."""
    found, done = set[int](), set[int]()

    def visit(state: int, path: frozenset[int]) -> None:
        for target in targets[state]:
            if target in path:
                found.add(target)
            elif target is not None and target not in done:
                visit(target, path | {target})
        done.add(state)

    visit(0, frozenset({0}))
    for state in sorted(found, reverse=True):
        if not _cyclic(targets, found - {state}):
            found.remove(state)
    return tuple(sorted(found))


def _cyclic(targets: tuple[tuple[int | None, ...], ...], cuts: set[int]) -> bool:
    """Whether some cycle goes through none of the cuts."""
    left = set(range(len(targets))) - cuts
    while ends := {state for state in left if left.isdisjoint(targets[state])}:
        left -= ends
    return bool(left)
