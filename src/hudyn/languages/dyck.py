"""Balanced brackets."""

from hudyn.languages.automaton import Automaton

BRACKETS = {"(": ")", "[": "]"}


class Dyck(Automaton):
    """Prime Dyck words: balanced brackets up to a depth, which end when the depth is 0 again.

    The state label is the depth.

    Args:
        pairs: kinds of brackets, 1 for () or 2 for () and [], each equally likely.
        max_depth: depth at which the next bracket closes.
        push: probability that the next bracket opens, where it can open or close.

    Attributes:
        alphabet: the brackets.
        entropy: of the endless text of words, in nats per symbol.

    Raises:
        ValueError: a number out of range.
    """

    def __init__(self, pairs: int = 1, max_depth: int = 4, push: float = 0.5) -> None:
        if pairs not in (1, 2):
            raise ValueError(f"pairs: expected 1 or 2, got {pairs}")
        if max_depth < 1:
            raise ValueError(f"max_depth: expected at least 1, got {max_depth}")
        if not 0 < push < 1:
            raise ValueError(f"push: expected a probability above 0 and below 1, got {push}")
        kinds = [*BRACKETS][:pairs]

        def moves(stack: str) -> list[tuple[str, str, float]]:
            opening = 1 if not stack else push if len(stack) < max_depth else 0
            opened = [(kind, stack + kind, opening / pairs) for kind in kinds if opening]
            return [*opened, (BRACKETS[stack[-1]], stack[:-1], 1 - opening)] if stack else opened

        super().__init__("".join(kind + BRACKETS[kind] for kind in kinds), "", moves, len)
