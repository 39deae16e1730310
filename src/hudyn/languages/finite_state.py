"""Finite-state languages from a table of transitions."""

from collections.abc import Mapping, Sequence
from typing import Any

from hudyn.arguments import ArgumentError, nearest
from hudyn.languages.moore import breadth_first
from hudyn.languages.probabilistic import ProbabilisticAutomaton

TOLERANCE = 1e-6  # how far a sum of probabilities may be from 1
KEYS = {"symbol", "to", "probability"}
Move = tuple[str, str, float]  # symbol, next state, probability


class FiniteState(ProbabilisticAutomaton):
    """The words along the paths from the start to the end of a table of transitions.

    The next word begins at the end, so no transitions leave the end. A text's state labels number the states in the
    order of the table, with the end last.

    Args:
        transitions: for each state except the end, a list of transitions: the `symbol`, the state it leads `to`, and
            its `probability`; where a state gives no probabilities, they are equal.
        start: the state where words begin.
        end: the state where words end.
        long_range: states in which the next symbol was determined long before, such as the outer T or P of embedded
            Reber words; they are scored separately.

    Attributes:
        alphabet: the symbols in the order of the table.
        state_names: the states, by label.
        long_range: labels of those states; ``numpy.isin(text.states, language.long_range)`` are their positions.

    Raises:
        ArgumentError: a mistake in the table; the message says where.
    """

    def __init__(self, transitions: Mapping[Any, Any], start: str, end: str, long_range: Sequence[str] = ()) -> None:
        moves = {str(state): _moves(str(state), rows) for state, rows in transitions.items()}
        if end in moves:
            message = "expected nothing, since it is the end, where the next word begins"
            raise ArgumentError(f"transitions.{end}", message)
        self.state_names = (*moves, end)
        labels = {state: label for label, state in enumerate(self.state_names)}
        for state, leaving in moves.items():
            for symbol, to, _ in leaving:
                if to not in labels:
                    message = f"{symbol} leads to {to}, no state{nearest(to, labels)}"
                    raise ArgumentError(f"transitions.{state}", message)
        if start not in moves:
            raise ArgumentError("start", f"there is no state {start} in transitions{nearest(start, moves)}")
        for state in long_range:
            if state not in labels:
                raise ArgumentError("long_range", f"there is no state {state} in transitions{nearest(state, labels)}")
        reachable = {
            state: breadth_first(state, lambda source: [to for _, to, _ in moves.get(source, ())])
            for state in self.state_names
        }
        for state in self.state_names:
            if state not in reachable[start]:
                raise ArgumentError(f"transitions.{state}", f"it cannot be reached from the start, {start}")
            if end not in reachable[state]:
                raise ArgumentError(f"transitions.{state}", f"the end, {end}, cannot be reached from it")
        self.long_range = tuple(labels[state] for state in long_range)
        alphabet = dict.fromkeys(symbol for leaving in moves.values() for symbol, _, _ in leaving)
        super().__init__([*alphabet], end, {**moves, end: moves[start]}.__getitem__, labels.__getitem__)

    def _state_name(self, label: float) -> str:
        return self.state_names[int(label)]


def _moves(state: str, transitions: Any) -> list[Move]:
    """Symbol, target and probability of a state's transitions."""
    where = f"transitions.{state}"
    if not isinstance(transitions, Sequence) or isinstance(transitions, str) or not transitions:
        message = f"expected a list of transitions such as {{symbol: a, to: s1}}, got {transitions!r}"
        raise ArgumentError(where, message)
    for transition in transitions:
        if not isinstance(transition, Mapping) or not {"symbol", "to"} <= set(transition) <= KEYS:
            raise ArgumentError(where, f"expected symbol, to and perhaps probability, got {transition!r}")
    symbols = [transition["symbol"] for transition in transitions]
    for place, symbol in enumerate(symbols):
        if not isinstance(symbol, str) or len(symbol) != 1:
            raise ArgumentError(where, f"expected a symbol of one character, digits in quotes, got {symbol!r}")
        if symbol in symbols[:place]:
            raise ArgumentError(where, f"ambiguous, {symbol} leads to more than one state")
    shares = [transition["probability"] for transition in transitions if "probability" in transition]
    if not shares:
        shares = [1 / len(symbols)] * len(symbols)
    if len(shares) < len(symbols):
        raise ArgumentError(where, f"expected a probability for each transition or for none, got {len(shares)}")
    if not all(isinstance(share, int | float) and share > 0 for share in shares):
        raise ArgumentError(where, f"expected probabilities above 0, got {shares}")
    total = sum(shares)
    if abs(total - 1) > TOLERANCE:
        raise ArgumentError(where, f"expected probabilities that sum to 1, got {shares}, which sum to {total:g}")
    targets = [str(transition["to"]) for transition in transitions]
    return [(symbol, to, share / total) for symbol, to, share in zip(symbols, targets, shares, strict=True)]
