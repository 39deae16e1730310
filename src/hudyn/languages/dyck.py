"""Balanced brackets."""

from hudyn.arguments import ArgumentError, Positive, Probability, checked
from hudyn.languages.probabilistic import ProbabilisticAutomaton

BRACKETS = {"(": ")", "[": "]"}


class Dyck(ProbabilisticAutomaton):
    """Prime Dyck words: balanced brackets up to a maximum depth, which end when the depth is 0 again.

    The state label is the depth.

    Args:
        pairs: kinds of brackets, 1 for () or 2 for () and [], each equally likely.
        max_depth: depth at which the next bracket must close.
        push: probability that the next bracket opens, where it may open or close.

    Attributes:
        alphabet: the brackets.
        entropy: entropy rate of the endless text of words, in nats per symbol.

    Raises:
        ArgumentError: a number out of range.
    """

    @checked
    def __init__(self, pairs: int = 1, max_depth: Positive = 4, push: Probability = 0.5) -> None:
        if pairs not in (1, 2):
            raise ArgumentError("pairs", f"expected 1 or 2, got {pairs}")
        kinds = [*BRACKETS][:pairs]

        def moves(stack: str) -> list[tuple[str, str, float]]:
            opening = 1 if not stack else push if len(stack) < max_depth else 0
            opened = [(kind, stack + kind, opening / pairs) for kind in kinds if opening]
            return [*opened, (BRACKETS[stack[-1]], stack[:-1], 1 - opening)] if stack else opened

        super().__init__("".join(kind + BRACKETS[kind] for kind in kinds), "", moves, len)
