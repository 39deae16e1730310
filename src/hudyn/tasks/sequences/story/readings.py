"""What a network does as it reads words of a counting language, and what a unit does meanwhile, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from hudyn.dynamics.counters import number_text
from hudyn.languages import Countable
from hudyn.languages.moore import with_exponents
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks import RecurrentNetwork
from hudyn.tasks.sequences.story.wording import STILL

MOST_TURNS = 4  # that are listed one by one, with the beginning and the end
SMALL = 0.15  # share of a unit's range that is no turn
STEADY = 0.1  # spread of equal steps, as a share of their mean
GEOMETRIC = 0.02  # share of the squared steps that a constant factor between steps leaves unexplained


@dataclass(frozen=True)
class Reading:
    """What a network does as it reads the last of some words joined."""

    alphabet: tuple[str, ...]
    before: tuple[int, ...]  # n of the words before
    n: int
    symbols: tuple[int, ...]  # of the word, and the first symbol of the next; indices into the alphabet
    states: np.ndarray  # before the word and after each of its symbols, [length + 1, units]
    probabilities: np.ndarray  # of the next symbol, after each symbol of the word, [length, alphabet]
    bounds: tuple[int, ...]  # number of symbols before each block, and in the whole word, [blocks + 1]

    def block(self, place: int) -> np.ndarray:
        """The states after each symbol of a block, [steps, units]."""
        return self.states[self.bounds[place] + 1 : self.bounds[place + 1] + 1]

    def inside(self, place: int) -> np.ndarray:
        """The predictions in a block from which the block continues, [steps - 1, alphabet]."""
        return self.probabilities[self.bounds[place] : self.bounds[place + 1] - 1]

    def end(self, place: int) -> np.ndarray:
        """The prediction after the last symbol of a block, [alphabet]."""
        return self.probabilities[self.bounds[place + 1] - 1]

    def beginning(self, read: int) -> str:
        """The first symbols of the word: a⁴b²."""
        return with_exponents("".join(self.alphabet[symbol] for symbol in self.symbols[:read]))

    @property
    def word(self) -> str:
        """The whole word: a⁴b⁸."""
        return self.beginning(self.bounds[-1])

    @property
    def mistakes(self) -> list[int]:
        """Numbers of symbols read, from the first b on, after which the likeliest next symbol does not come."""
        wrong = self.probabilities.argmax(axis=1) != np.array(self.symbols[1:])
        return [read for read in range(self.bounds[1] + 1, self.bounds[-1] + 1) if wrong[read - 1]]


@torch.no_grad()
def read_words(network: RecurrentNetwork, language: Countable, texts: Sequence[Sequence[int]]) -> list[Reading]:
    """What a network does in the last word of each text, given the n of its words."""
    run = network.run(ScoredTexts.of([language.annotate(ns) for ns in texts]).symbols)
    start = torch.cat(network.initial_state(len(texts)), dim=1)[:, None]
    states = torch.cat([start, run.states], dim=1).numpy()
    probabilities = run.logits.double().softmax(dim=-1).numpy()
    readings = []
    for row, (*before, n) in enumerate(texts):
        begin, bounds = sum(language.ratios) * sum(before), np.cumsum([0, *language.ratios]) * n
        end = begin + int(bounds[-1])
        readings.append(
            Reading(
                tuple(language.alphabet),
                tuple(before),
                n,
                (*language.word(n).tolist(), 0),
                states[row, begin : end + 1],
                probabilities[row, begin:end],
                tuple(bounds.tolist()),
            )
        )
    return readings


def first_failure(network: RecurrentNetwork, language: Countable, n: int) -> Reading | None:
    """The first reading of the word of n, alone or after a word in the texts, with a mistake; None if there is none."""
    before = [(), *((m,) for m in range(1, min(n, language.max_n) + 1))]
    readings = read_words(network, language, [(*words, n) for words in before])
    return next((reading for reading in readings if reading.mistakes), None)


def nearest(state: np.ndarray, readings: Sequence[Reading]) -> tuple[Reading, int]:
    """The reading, and the number of symbols read, from the first b on, after which the state is nearest."""
    places = [(reading, read) for reading in readings for read in range(reading.bounds[1] + 1, reading.bounds[-1] + 1)]
    return min(places, key=lambda place: float(np.linalg.norm(place[0].states[place[1]] - state)))


def course(values: Sequence[float] | np.ndarray, symbol: str) -> str:
    """What a unit does while a symbol is read again and again, in words.

    Args:
        values: the unit's activation after each symbol, [steps].
        symbol: which.

    >>> course([0.5, 0.0, -0.5, -1.0], "a")
    'falls by 0.50 with each a, from 0.50 to −1.00'
    >>> course([0.9, 0.5, 0.3, 0.2], "a")
    'falls from 0.90 to 0.20, each step about 0.50 times the one before'
    >>> course([0.72, 0.7], "b"), course([0.0, 0.5, 0.4, 0.9, 0.2], "b")
    ('stays near 0.71', 'rises from 0.00 to 0.90, then falls to 0.20')
    >>> course([0.9, -0.8, 0.7, -0.9, 0.8], "b")
    'swings between −0.90 and 0.90'
    """
    path = np.asarray(values, dtype=float)
    if np.ptp(path) < STILL:
        return f"stays near {number_text(path.mean())}"
    places = _turns(path)
    if len(places) > MOST_TURNS:
        return f"swings between {number_text(path.min())} and {number_text(path.max())}"
    moves = [
        f"{'rises' if path[last] > path[first] else 'falls'} to {number_text(path[last])}"
        for first, last in pairwise(places)
    ]
    moves[0] = moves[0].replace("to", f"from {number_text(path[0])} to", 1)
    steps = np.diff(path)
    if len(moves) > 1:
        return f"{', '.join(moves[:-1])}, then {moves[-1]}"
    if len(steps) > 1 and steps.std() < STEADY * abs(steps.mean()):
        verb, rest = moves[0].split(" ", 1)
        return f"{verb} by {number_text(abs(steps.mean()))} with each {symbol}, {rest}"
    ratio = _ratio(steps)
    return moves[0] + (f", each step about {number_text(ratio)} times the one before" if ratio else "")


def _turns(path: np.ndarray) -> list[int]:
    """Where a path begins, turns, and ends; small movements are no turns."""
    small = SMALL * np.ptp(path)
    places = [0]
    for place in range(1, len(path)):
        before, last = places[-2] if len(places) > 1 else None, places[-1]
        goes_on = before is not None and (path[last] - path[before]) * (path[place] - path[last]) > 0
        if goes_on:
            places[-1] = place
        elif abs(path[place] - path[last]) > small:
            places.append(place)
    places[-1] = len(path) - 1
    return places


def _ratio(steps: np.ndarray) -> float | None:
    """The factor from each step to the next, by least squares; None if it is not constant."""
    if len(steps) < 3:
        return None
    ratio = float(steps[1:] @ steps[:-1] / (steps[:-1] @ steps[:-1]))
    unexplained = ((steps[1:] - ratio * steps[:-1]) ** 2).sum()
    return ratio if unexplained < GEOMETRIC * (steps[1:] ** 2).sum() else None
