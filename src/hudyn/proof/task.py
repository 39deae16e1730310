"""What a network must predict: an automaton, and which symbols must be likelier than which."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

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
    """

    alphabet: tuple[str, ...]
    targets: tuple[tuple[int | None, ...], ...]
    legal: tuple[tuple[int, ...], ...]
    asked: tuple[bool, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, machine: MooreMachine, counting: bool) -> "Task":
        """The task of a language's automaton; `counting` if only determined symbols are asked for."""
        legal: list[tuple[int, ...]] = []
        for targets, outputs in zip(machine.targets, machine.outputs, strict=True):
            going = tuple(symbol for symbol, target in enumerate(targets) if target is not None)
            legal.append(going or tuple(sorted(map(machine.alphabet.index, outputs or ()))))  # at the end of a text
        asked = tuple(len(symbols) == 1 or not counting for symbols in legal)
        return cls(machine.alphabet, machine.targets, tuple(legal), asked, machine.names)

    @cached_property
    def cuts(self) -> list[int]:
        """States that every cycle goes through: those that a depth-first search meets again on its path."""
        found, done = set[int](), set[int]()

        def visit(state: int, path: frozenset[int]) -> None:
            for target in self.targets[state]:
                if target in path:
                    found.add(target)
                elif target is not None and target not in done:
                    visit(target, path | {target})
            done.add(state)

        visit(0, frozenset({0}))
        return sorted(found)

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
