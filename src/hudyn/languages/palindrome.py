"""Palindromes with a centre mark."""

from hudyn.languages.automaton import Automaton

Half = tuple[bool, str]  # whether the mark has been read; w so far, or what of it is left


class Palindrome(Automaton):
    """Words w m reverse(w), w over a and b, its length uniform on 1..max_half.

    The state label is the length of w so far, then the number of symbols that are left.

    Args:
        max_half: largest length of w.

    Attributes:
        alphabet: a, b and m, the mark.
        entropy: of the endless text of words, in nats per symbol.

    Raises:
        ValueError: max_half < 1.
    """

    def __init__(self, max_half: int = 4) -> None:
        if max_half < 1:
            raise ValueError(f"max_half: expected at least 1, got {max_half}")

        def moves(state: Half) -> list[tuple[str, Half, float]]:
            mirrored, half = state
            if mirrored and half:
                return [(half[-1], (True, half[:-1]), 1.0)]
            turn = 1 / (max_half - len(half) + 1) if half else 0
            more = [(symbol, (False, half + symbol), (1 - turn) / 2) for symbol in "ab" if turn < 1]
            return [*more, ("m", (True, half), turn)] if half else more

        super().__init__("abm", (True, ""), moves, lambda state: len(state[1]))
