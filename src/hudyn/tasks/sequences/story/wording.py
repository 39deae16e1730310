"""Numbers and names as sentences have them."""

import math
from collections.abc import Sequence

import numpy as np

from hudyn.dynamics.counters import number_text
from hudyn.languages import Countable
from hudyn.languages.moore import EXPONENTS

STILL = 0.1  # largest range of what stays where it is
UNIFORM = 0.05  # largest range of the probabilities of a network that always predicts the same


class Aside(str):
    """A sentence that is left out of an explanation that would become too long."""


def number_of_words(text: str) -> int:
    """Words and numbers of a text; signs between spaces do not count.

    >>> number_of_words("up to n = 4")
    4
    """
    return sum(any(character.isalnum() for character in part) for part in text.split())


def language_name(language: Countable) -> str:
    """How a counting language is written.

    >>> from hudyn.languages import Counting
    >>> language_name(Counting([1, 2, 3]))
    'aⁿb²ⁿc³ⁿ'
    """
    blocks = zip(language.alphabet, language.ratios, strict=True)
    return "".join(f"{symbol}{str(ratio).translate(EXPONENTS) if ratio > 1 else ''}ⁿ" for symbol, ratio in blocks)


def unit_text(name: str) -> str:
    """The name of a unit in a sentence.

    >>> unit_text("context 2")
    'context unit 2'
    """
    return name.replace(" ", " unit ")


def capital(text: str) -> str:
    """A text that begins a sentence."""
    return text[:1].upper() + text[1:]


def ordinal(number: int) -> str:
    """A place in a row.

    >>> ordinal(2), ordinal(11), ordinal(23)
    ('2nd', '11th', '23rd')
    """
    is_teen = number // 10 % 10 == 1
    return f"{number:,}" + ("th" if is_teen else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th"))


def size(value: float) -> str:
    """A distance, one that would show as 0.00 in words.

    >>> size(0.256), size(1e-9)
    ('0.26', 'less than 0.01')
    """
    return number_text(value) if value >= 0.01 else "less than 0.01"


def rounded_up(value: float) -> str:
    """A distance that another one does not exceed.

    >>> rounded_up(0.021), rounded_up(0.0)
    ('0.03', '0.01')
    """
    return number_text(max(math.ceil(100 * value), 1) / 100)


def percent(share: float) -> str:
    """A share or probability.

    >>> percent(0.256), percent(1.0), percent(0.9994), percent(1e-9)
    ('26 %', '100 %', 'over 99 %', 'under 1 %')
    """
    if 0 < share < 0.005 or 0.995 <= share < 1:
        return "under 1 %" if share < 0.5 else "over 99 %"
    return f"{100 * share:.0f} %"


def at_least(share: float) -> str:
    """A probability that no other one is below.

    >>> at_least(0.529), at_least(0.9994)
    ('52 %', '99 %')
    """
    return f"{math.floor(100 * share)} %"


def always_the_same(probabilities: np.ndarray, alphabet: Sequence[str]) -> str | None:
    """What a network predicts that takes no notice of what it reads; None if it does, [positions, alphabet]."""
    if np.ptp(probabilities, axis=0).max() >= UNIFORM:
        return None
    means = zip(alphabet, probabilities.mean(axis=0).tolist(), strict=True)
    shares = ", ".join(f"{symbol} {percent(share)}" for symbol, share in means)
    return f"Whatever it has read, it predicts nearly the same: {shares}."
