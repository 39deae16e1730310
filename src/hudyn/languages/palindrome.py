"""Palindromes with a centre mark."""

from hudyn.arguments import Positive, checked
from hudyn.languages.probabilistic import ProbabilisticAutomaton

Half = tuple[bool, str]  # whether the mark has come; w so far, or what is left of it


class Palindrome(ProbabilisticAutomaton):
    """Words w m reverse(w), with w over a and b, its length uniform on 1..max_half.

    The state label is the length of w so far, then the number of symbols left.

    Args:
        max_half: maximum length of w.

    Attributes:
        alphabet: a, b and m, the mark.
        entropy: entropy rate of the endless text of words, in nats per symbol.

    Raises:
        ArgumentError: max_half < 1.
    """

    @checked
    def __init__(self, max_half: Positive = 4) -> None:
        def moves(state: Half) -> list[tuple[str, Half, float]]:
            mirrored, half = state
            if mirrored and half:
                return [(half[-1], (True, half[:-1]), 1.0)]
            turn = 1 / (max_half - len(half) + 1) if half else 0
            more = [(symbol, (False, half + symbol), (1 - turn) / 2) for symbol in "ab" if turn < 1]
            return [*more, ("m", (True, half), turn)] if half else more

        super().__init__("abm", (True, ""), moves, lambda state: len(state[1]))
