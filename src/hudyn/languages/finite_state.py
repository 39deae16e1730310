"""Finite-state languages from a table of transitions."""

from collections.abc import Mapping, Sequence
from typing import Any

from hudyn.arguments import nearest
from hudyn.languages.automaton import Automaton

TOLERANCE = 1e-6  # of a sum of probabilities
KEYS = {"symbol", "to", "probability"}


class FiniteState(Automaton):
    """The words on the paths from the start to the end of a table of transitions.

    The next word begins at the end, so there are no transitions out of the end. A text's state labels are the numbers
    of the states in the order of the table, the end being the last.

    Args:
        transitions: for each state but the end, a list of transitions: the `symbol` read, the state it leads `to`, and
            its `probability`; where a state's probabilities are left out they are equal.
        start: the state where words begin.
        end: the state where words end.
        long_range: states in which the next symbol was determined long before, such as the outer T or P of embedded
            Reber words; what is scored by itself.

    Attributes:
        alphabet: the symbols in the order of the table.
        state_names: the states, by label.
        long_range: labels of those states; ``numpy.isin(text.states, language.long_range)`` are the positions.

    Raises:
        ValueError: a mistake in the table, which is named.
    """

    def __init__(
        self,
        transitions: Mapping[Any, Any],
        start: str,
        end: str,
        long_range: Sequence[str] = (),
    ) -> None:
        moves = {str(state): _moves(str(state), given) for state, given in transitions.items()}
        if end in moves:
            raise ValueError(f"transitions.{end}: expected nothing, since it is the end, where the next word begins")
        self.state_names = (*moves, end)
        labels = {state: label for label, state in enumerate(self.state_names)}
        for state, own in moves.items():
            for symbol, to, _ in own:
                if to not in labels:
                    raise ValueError(f"transitions.{state}: {symbol} leads to {to}, no state{nearest(to, labels)}")
        if start not in moves:
            raise ValueError(f"start: there is no state {start} in transitions{nearest(start, moves)}")
        for state in long_range:
            if state not in labels:
                raise ValueError(f"long_range: there is no state {state} in transitions{nearest(state, labels)}")
        ahead = {state: {to for _, to, _ in own} for state, own in moves.items()}
        forward = _reachable(start, ahead)
        for state in self.state_names:
            if state not in forward:
                raise ValueError(f"transitions.{state}: it cannot be reached from the start, {start}")
            if end not in _reachable(state, ahead):
                raise ValueError(f"transitions.{state}: the end, {end}, cannot be reached from it")
        self.long_range = tuple(labels[state] for state in long_range)
        alphabet = dict.fromkeys(symbol for own in moves.values() for symbol, _, _ in own)
        super().__init__([*alphabet], end, {**moves, end: moves[start]}.__getitem__, labels.__getitem__)


def _moves(state: str, transitions: Any) -> list[tuple[str, str, float]]:
    """Symbol, target and probability of a state's transitions."""
    where = f"transitions.{state}"
    if not isinstance(transitions, Sequence) or isinstance(transitions, str) or not transitions:
        raise ValueError(f"{where}: expected a list of transitions such as {{symbol: a, to: s1}}, got {transitions!r}")
    for transition in transitions:
        if not isinstance(transition, Mapping) or not {"symbol", "to"} <= set(transition) <= KEYS:
            raise ValueError(f"{where}: expected symbol, to and perhaps probability, got {transition!r}")
    symbols = [transition["symbol"] for transition in transitions]
    for place, symbol in enumerate(symbols):
        if not isinstance(symbol, str) or len(symbol) != 1:
            raise ValueError(f"{where}: expected a symbol of one character, digits in quotes, got {symbol!r}")
        if symbol in symbols[:place]:
            raise ValueError(f"{where}: ambiguous, {symbol} leads to more than one state")
    given = [transition["probability"] for transition in transitions if "probability" in transition]
    if not given:
        given = [1 / len(symbols)] * len(symbols)
    if len(given) < len(symbols):
        raise ValueError(f"{where}: expected a probability for each transition or for none, got {len(given)}")
    if not all(isinstance(probability, int | float) and probability > 0 for probability in given):
        raise ValueError(f"{where}: expected probabilities above 0, got {given}")
    total = sum(given)
    if abs(total - 1) > TOLERANCE:
        raise ValueError(f"{where}: expected probabilities that sum to 1, got {given}, which sum to {total:g}")
    targets = [str(transition["to"]) for transition in transitions]
    return [(symbol, to, share / total) for symbol, to, share in zip(symbols, targets, given, strict=True)]


def _reachable(state: str, ahead: Mapping[str, set[str]]) -> set[str]:
    """The states on all paths from `state`, itself included."""
    found, waiting = {state}, [state]
    while waiting:
        new = ahead.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found
