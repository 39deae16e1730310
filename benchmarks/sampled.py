"""The words that Lan et al. and others train on, and a language that draws them."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from hudyn.languages import FiniteState

P, SEED = 0.3, 100  # of the geometric distribution, and of the random numbers of Lan et al.
MOST = 1000  # largest n that is tested
Words = tuple[list[str], list[str]]  # to train on, and to test; # begins and ends each


class Sampled(FiniteState):
    """A language that draws each of some words as often as it is counted.

    Args:
        counts: how often each word is drawn; none begins another.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        following: dict[str, Counter[str]] = defaultdict(Counter)
        for text, times in counts.items():
            for place, symbol in enumerate(text):
                following[text[:place]][symbol] += times
        states: dict[str, str] = {}  # of each beginning of a word; those with the same continuations share one
        names: dict[str, str] = {}
        for begun in sorted(following, key=len, reverse=True):
            moves = [
                {"symbol": symbol, "to": states.get(begun + symbol, "end"), "probability": n / following[begun].total()}
                for symbol, n in sorted(following[begun].items())
            ]
            states[begun] = names.setdefault(json.dumps(moves), f"s{len(names)}")
        table: dict[str, Any] = {name: json.loads(moves) for moves, name in names.items()}
        super().__init__(table, start=states[""], end="end")


def word(ratios: Sequence[int], n: int) -> str:
    """The word of n of a counting language.

    >>> word((1, 2), 2)
    '#aabbbb#'
    """
    return "#" + "".join(symbol * (ratio * n) for symbol, ratio in zip("abcd", ratios, strict=False)) + "#"


def gers_words(ratios: Sequence[int]) -> Words:
    return [word(ratios, n) for n in range(1, 11)], [word(ratios, n) for n in range(1, MOST + 1)]


def drawn(size: int) -> np.ndarray:
    """Every n that Lan et al. (2024) train on, from 0: 95 % of `size`."""
    return np.random.RandomState(SEED).geometric(P, size * 95 // 100) - 1


@cache
def lan_2022_words(ratios: Sequence[int] | None, pairs: int, size: int) -> Words:
    """Training and test words: of `ratios`; of a Dyck language with `pairs` of brackets; else a^n b^m c^(n+m)."""
    stream = np.random.RandomState(SEED)
    if pairs:
        return [_brackets(pairs, stream) for _ in range(size)], [_brackets(pairs, stream) for _ in range(50_000)]
    ns = stream.geometric(P, size)
    if ratios:
        return [word(ratios, n) for n in ns], [word(ratios, ns.max() + n) for n in range(1, 1001)]
    ms = stream.geometric(P, size)
    beyond = range(top := max(ns.max(), ms.max()) + 1, top + 49)
    return [_sum(n, m) for n, m in zip(ns, ms, strict=True)], [_sum(n, m) for n in beyond for m in beyond]


def _sum(n: int, m: int) -> str:
    return "#" + "a" * n + "b" * m + "c" * (n + m) + "#"


def _brackets(pairs: int, stream: np.random.RandomState) -> str:
    """A word of S → ( S ) S | [ S ] S | nothing; one of more than 200 symbols is drawn again."""
    rules, shares = [*["(S)S", "[S]S"][:pairs], ""], [*[P / pairs] * pairs, 1 - P]
    done, rest = "", "S"
    while rest and len(done) <= 200:
        if rest[0] == "S":
            rest = rules[stream.choice(len(rules), p=shares)] + rest[1:]
        else:
            done, rest = done + rest[0], rest[1:]
    return f"#{done}#" if len(done) <= 200 else _brackets(pairs, stream)
