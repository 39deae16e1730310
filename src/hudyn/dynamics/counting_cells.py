"""Counting in a context (cell) unit that goes up and down in equal steps (Gers & Schmidhuber 2001)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hudyn.dynamics.counters import COUNTS, Phase, determination, number_text, within_words, word_pairs
from hudyn.languages import Countable
from hudyn.networks.recurrent import RecurrentNetwork

MAX_IMBALANCE = 0.1  # of a counter: drift of its last value per n, as a share of how far it goes in the phase per n
VISIBLE_SLOPE = 0.005  # smaller slopes show as 0.00
GRID = 1001  # points between two states where the prediction is looked at
FAR = 1e6  # further n beyond which a threshold counts as never reached


@dataclass(frozen=True)
class Cell:
    """The context unit that counts down a phase, or comes closest to it."""

    symbol: str  # of the phase
    unit: str  # its name
    slopes: tuple[float, ...]  # change per symbol in each phase
    linear: float  # R² with which the number of symbols left in the phase is linear in the unit, over all words
    drift: float  # change of its value after the last symbol of the phase, per n
    balance: float  # size of `drift`, as a share of how far the unit goes in the phase per n
    reach: float  # n up to which the cell predicts the end of the phase, see `counting_cells`; NaN if unknown
    symbols: tuple[str, ...]  # of all phases

    @property
    def obstacle(self) -> str | None:
        """Why it is not a counter, in words; None if it is one."""
        if not self.linear >= COUNTS:
            return f"no cell is linear in how many {self.symbol} are left (a straight line explains {self.linear:.0%})"
        if not self.balance <= MAX_IMBALANCE:
            return f"{self.unit} is off by {self.balance:.0%} of its course at the end of the {self.symbol}"
        return None

    def describe(self) -> str:
        """What it does in the phase that it counts down and in those before, in words."""
        phases = self.symbols.index(self.symbol) + 1
        moves = [
            f"{'rises' if slope > 0 else 'falls'} {abs(slope):.2f} per {symbol}"
            for symbol, slope in zip(self.symbols[:phases], self.slopes[:phases], strict=True)
            if abs(slope) >= VISIBLE_SLOPE
        ]
        return f"{self.unit} {', '.join(moves)} and after the last drifts by {number_text(self.drift)} per n"


def counting_cells(network: RecurrentNetwork, language: Countable, phases: Sequence[Phase]) -> tuple[Cell, ...]:
    """For each phase except the first, the most linear cell, preferring cells without an obstacle.

    `Cell.reach` looks at the step that reads the last symbol of the longest word. On the straight line between the
    context states before and after it lies the value at which the network's prediction changes. The cell's values
    before and after the last symbol lie on either side of it. They are extrapolated linearly from the two longest
    words until one of them reaches the threshold; the preceding word for which this happens first decides.

    Args:
        network: with a context state, in double precision.
        language: whose words were read.
        phases: from `hudyn.dynamics.counters.phases`.
    """
    size = network.hidden_size
    names, numbers = network.unit_names[size:], np.unique(word_pairs(language))
    slopes = np.stack([within_words(phase, phase.states[:, size:])[0] for phase in phases], axis=1)  # [cells, phases]
    best = []
    for place, phase in enumerate(phases[1:], start=1):
        ratio, contexts = language.ratios[place], phase.states[:, size:]
        ends = np.flatnonzero(phase.left == 0).reshape(len(numbers), len(numbers))  # [words before, words]
        last_values = contexts[ends].mean(axis=0)  # [words, cells]
        off = numbers - numbers.mean()
        drift = (off @ last_values) / (off @ off)
        course = np.abs(slopes[:, place]) * ratio
        balance = np.divide(np.abs(drift), course, out=np.full(size, np.inf), where=course > 0)
        linear = determination(contexts, phase.carried)
        threshold = _threshold(network, phase, ends[:, -1], place)
        if threshold is None:
            reach = np.full(size, np.nan)
        else:
            lines = [ends - 1, ends] if ratio * numbers[-2] > 1 else [ends]
            reach = np.min([_reach(numbers, contexts[line[:, -2:]], threshold) for line in lines], axis=0)
        cells = [
            Cell(
                symbol=language.alphabet[place],
                unit=names[cell],
                slopes=tuple(slopes[cell].tolist()),
                linear=float(linear[cell]),
                drift=float(drift[cell]),
                balance=float(balance[cell]),
                reach=float(reach[cell]),
                symbols=language.alphabet,
            )
            for cell in range(size)
        ]
        best.append(min(cells, key=lambda cell: (cell.obstacle is not None, -cell.linear)))
    return tuple(best)


def predict_by_cells(cells: Sequence[Cell], trained: int, most: int) -> int | None:
    """N* of a linear counter, see `counting_cells`; None if a cell's reach is unknown.

    Args:
        cells: that count down each phase but the first.
        trained: largest n in the texts, which the network is known to handle.
        most: upper limit of the prediction.
    """
    if any(math.isnan(cell.reach) for cell in cells):
        return None
    return max(int(min(most, *(cell.reach for cell in cells))), trained)


def _threshold(network: RecurrentNetwork, phase: Phase, ends: np.ndarray, symbol: int) -> np.ndarray | None:
    """Value of each cell at which the network no longer expects `symbol`, [cells]; None if cells do not determine that.

    It lies between the states before and after `ends`, the last steps of the longest word after each other word.
    """
    share = np.linspace(0, 1, GRID)[:, None]

    def between(values: np.ndarray) -> np.ndarray:
        return (1 - share) * values[ends - 1].mean(axis=0) + share * values[ends].mean(axis=0)

    contexts = between(phase.states[:, network.hidden_size :])
    gates = {name: torch.from_numpy(between(values)) for name, values in phase.gates.items()}
    hidden = network.hidden_from_context(torch.from_numpy(contexts), gates)
    if hidden is None:
        return None
    changed = network.output(hidden).argmax(dim=1).numpy() != symbol
    changed[-1] = True
    return contexts[changed.argmax()]


def _reach(numbers: np.ndarray, values: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """The n at which each cell reaches its threshold, [cells], by its `values` in two words, [before, 2, cells]."""
    distance = threshold - values[:, 1]
    speed = (values[:, 1] - values[:, 0]) / (numbers[-1] - numbers[-2])
    nearing = (distance * speed > 0) & (np.abs(distance) < FAR * np.abs(speed))
    more = np.divide(distance, speed, out=np.full(distance.shape, np.inf), where=nearing)
    return numbers[-1] + more.min(axis=0)
