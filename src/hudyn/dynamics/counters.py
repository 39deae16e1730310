"""What each unit does while a run of one symbol is read, and which unit counts which symbol."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from hudyn.arguments import ArgumentError
from hudyn.dynamics.maps import in_double, unit_bounds
from hudyn.languages import Countable
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks.recurrent import RecurrentNetwork

COUNTS = 0.9  # smallest R² of a unit that counts
LINEAR = 0.99  # R² from which a course is called linear, whatever else fits
SATURATED = 0.05  # distance from a bound, as a share of half the range, at which a hidden unit or a gate is saturated
STILL = 1e-9  # largest standard deviation of a unit that does not move
MAX_WORDS = 12  # words that are read, each after each: 144 pairs show a course, and more take longer

Form = Literal["linear", "monotone", "alternating"]


@dataclass(frozen=True)
class Phase:
    """The steps that read one symbol, in words that follow other words."""

    symbol: int  # index into the alphabet
    words: np.ndarray  # index of the word of each step, [steps]; the steps of a word are in order
    counts: np.ndarray  # number of the symbol read so far in the word, [steps]
    left: np.ndarray  # number of the symbol still to come in the word, [steps]
    states: np.ndarray  # after each step, [steps, units]
    gates: Mapping[str, np.ndarray]  # activation of each gate at each step, by its name, [steps, hidden]

    @property
    def carried(self) -> np.ndarray:
        """What a counter must hold, [steps]: the number of a's so far; for other symbols, the number left."""
        return self.counts if self.symbol == 0 else self.left

    @property
    def followed(self) -> np.ndarray:
        """Indices of the steps after which the same symbol comes again, in the step with the next index."""
        return np.flatnonzero(self.words[1:] == self.words[:-1])


@dataclass(frozen=True, repr=False)
class Counters:
    """What each unit does in each phase of the words of a counting language.

    In a phase, a unit x is described by x → ratio · x + change. A linear counter has a ratio of 1. A unit that
    approaches or leaves a resting value geometrically has the ratio of its distance, negative if it alternates.

    Attributes:
        symbols: of the phases.
        units: names of the units.
        slope: change per symbol, by least squares with an intercept for each word, [units, phases]; NaN if no word has
            two of the symbol.
        linearity: its R² within words, [units, phases]; 0 for a unit that does not move.
        low: minimum, [units, phases].
        high: maximum, [units, phases].
        saturation: share of steps at which the unit is near a bound, [units, phases]; NaN for an unbounded unit.
        ratio: of x at a step to x at the step before, by least squares with one intercept, [units, phases]; NaN for a
            unit that does not move.
        rest: value that the ratio leaves unchanged, [units, phases]; NaN if there is none or if it is out of reach:
            beyond the unit's bounds, or farther away than the unit's range, where a geometric course looks like a line.
        linear: R² with which the count (a's so far; other symbols left) is linear in x, over all words,
            [units, phases].
        geometric: the same for log |x - rest|.
        gate_mean: mean activation of each gate by its name, [hidden, phases].
        gate_saturation: share of steps at which the gate is near a bound, [hidden, phases].
    """

    symbols: tuple[str, ...]
    units: tuple[str, ...]
    slope: np.ndarray
    linearity: np.ndarray
    low: np.ndarray
    high: np.ndarray
    saturation: np.ndarray
    ratio: np.ndarray
    rest: np.ndarray
    linear: np.ndarray
    geometric: np.ndarray
    gate_mean: Mapping[str, np.ndarray]
    gate_saturation: Mapping[str, np.ndarray]

    @property
    def read_back(self) -> np.ndarray:
        """R² with which the count can be decoded from each unit, on the better of the two scales, [units, phases]."""
        return np.maximum(self.linear, self.geometric)

    @property
    def counting(self) -> tuple[int | None, ...]:
        """The unit that counts each symbol: the best to decode from; None if R² is below 0.9 for all."""
        best = self.read_back.round(9).argmax(axis=0)
        return tuple(int(unit) if self.read_back[unit, phase] >= COUNTS else None for phase, unit in enumerate(best))

    def form(self, unit: int, phase: int) -> Form:
        """Whether a course is linear, or geometric on one side of its resting value or alternating between both."""
        if self.linear[unit, phase] >= min(LINEAR, self.geometric[unit, phase]):
            return "linear"
        return "alternating" if self.ratio[unit, phase] < 0 else "monotone"

    def describe(self) -> str:
        """Which unit counts which symbol: ``context 1 rises 0.98 per a, falls 0.49 per b``."""
        courses: dict[str, list[str]] = {}
        for phase, unit in enumerate(self.counting):
            if unit is not None:
                courses.setdefault(self.units[unit], []).append(self._course(unit, phase))
        parts = [f"{unit} {', '.join(moves)}" for unit, moves in courses.items()]
        idle = [symbol for symbol, unit in zip(self.symbols, self.counting, strict=True) if unit is None]
        return "; ".join([*parts, *([f"no unit counts {' or '.join(idle)}"] if idle else [])])

    def __repr__(self) -> str:
        return f"Counters({self.describe()})"

    def _course(self, unit: int, phase: int) -> str:
        symbol, form = self.symbols[phase], self.form(unit, phase)
        if form == "linear":
            slope = self.slope[unit, phase]
            return f"{'rises' if slope > 0 else 'falls'} {abs(slope):.2f} per {symbol}"
        ratio = self.ratio[unit, phase]
        turns = " from both sides in turn" * (form == "alternating")
        verb = "nears" if abs(ratio) < 1 else "leaves"
        return f"{verb} {number_text(self.rest[unit, phase])}{turns} by a factor of {abs(ratio):.2f} per {symbol}"


def counters(network: RecurrentNetwork, language: Countable) -> Counters:
    """What each unit does in each phase of the words up to the longest in the texts, each after each.

    Args:
        network: recurrent, of any precision.
        language: with the alphabet of `network`.

    Raises:
        ArgumentError: a parameter is not finite, or the alphabets differ.
    """
    read = phases(in_double(network), language)
    lower, upper = unit_bounds(network)
    margin = np.where(np.isfinite(upper), SATURATED * (upper - lower) / 2, 0)
    lines = [within_words(phase, phase.states) for phase in read]
    courses = [_geometric(phase, lower, upper) for phase in read]
    near = (((phase.states > upper - margin) | (phase.states < lower + margin)).mean(axis=0) for phase in read)
    return Counters(
        symbols=language.alphabet,
        units=network.unit_names,
        slope=_columns(slope for slope, _ in lines),
        linearity=_columns(explained for _, explained in lines),
        low=_columns(phase.states.min(axis=0) for phase in read),
        high=_columns(phase.states.max(axis=0) for phase in read),
        saturation=np.where(np.isfinite(upper)[:, None], _columns(near), np.nan),
        ratio=_columns(ratio for ratio, _ in courses),
        rest=_columns(rest for _, rest in courses),
        linear=_columns(determination(phase.states, phase.carried) for phase in read),
        geometric=_columns(
            determination(_log_distance(phase.states, rest), phase.carried)
            for phase, (_, rest) in zip(read, courses, strict=True)
        ),
        gate_mean={name: _columns(phase.gates[name].mean(axis=0) for phase in read) for name in network.gate_names},
        gate_saturation={
            name: _columns(_gate_saturation(name, phase.gates[name]) for phase in read) for name in network.gate_names
        },
    )


def counter_rows(counters: Counters) -> list[dict[str, str | float | int]]:
    """A table row for each unit and phase; a hidden and a context unit of the same number share gates."""
    rows: list[dict[str, str | float | int]] = []
    for unit, name in enumerate(counters.units):
        for phase, symbol in enumerate(counters.symbols):
            row: dict[str, str | float | int] = {"unit": name, "symbol": symbol}
            row["counts"] = int(counters.counting[phase] == unit)
            row["form"] = counters.form(unit, phase) if counters.read_back[unit, phase] >= COUNTS else ""
            for column in ("slope", "linearity", "low", "high", "saturation", "ratio", "rest", "linear", "geometric"):
                value = float(getattr(counters, column)[unit, phase])
                row[column] = "" if np.isnan(value) else value
            for gate, means in counters.gate_mean.items():
                row[f"{gate}_mean"] = float(means[unit % len(means), phase])
                row[f"{gate}_saturation"] = float(counters.gate_saturation[gate][unit % len(means), phase])
            rows.append(row)
    return rows


def number_text(value: float) -> str:
    """A number with two decimals and a proper minus sign.

    >>> number_text(-0.5), number_text(-0.001)
    ('−0.50', '0.00')
    """
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def word_pairs(language: Countable) -> np.ndarray:
    """The n of two consecutive words, [pairs, 2]: all pairs, or those of 12 evenly spread n."""
    numbers = np.unique(np.linspace(1, language.max_n, min(language.max_n, MAX_WORDS)).round().astype(int))
    return np.stack(np.meshgrid(numbers, numbers, indexing="ij"), axis=-1).reshape(-1, 2)


@torch.no_grad()
def phases(network: RecurrentNetwork, language: Countable) -> tuple[Phase, ...]:
    """The phases of the second words of `word_pairs`.

    Args:
        network: recurrent; the states have its precision.
        language: with the alphabet of `network`.

    Raises:
        ArgumentError: the alphabets differ.
    """
    check_alphabet(network, language.alphabet)
    first, second = word_pairs(language).T  # [texts]
    run = network.run(ScoredTexts.of([language.annotate(pair) for pair in word_pairs(language)]).symbols)
    read = []
    begins = first * sum(language.ratios)  # of the phase, [texts]
    for symbol, ratio in enumerate(language.ratios):
        lengths = ratio * second
        words = np.repeat(np.arange(len(lengths)), lengths)
        counts = np.concatenate([np.arange(1, length + 1) for length in lengths])
        steps = begins[words] + counts - 1
        gates = {name: gate[words, steps].numpy() for name, gate in run.gates.items()}
        read.append(Phase(symbol, words, counts, lengths[words] - counts, run.states[words, steps].numpy(), gates))
        begins = begins + lengths
    return tuple(read)


def check_alphabet(network: RecurrentNetwork, alphabet: tuple[str, ...]) -> None:
    """Raise ArgumentError unless the network reads as many symbols as the language has."""
    if network.alphabet_size != len(alphabet):
        expected = f"expected an alphabet of the network's {network.alphabet_size} symbols"
        raise ArgumentError("language", f"{expected}, got {len(alphabet)}: {', '.join(alphabet)}")


def within_words(phase: Phase, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope of each column of `values` [steps, columns] per symbol, and its R², both within words, [columns] each."""
    counts, off = _centred(phase, phase.counts[:, None].astype(float)), _centred(phase, values)
    moved, total = (off**2).sum(axis=0), (counts**2).sum()
    if total == 0:
        return np.full(values.shape[1], np.nan), np.zeros(values.shape[1])
    together = (counts * off).sum(axis=0)
    moving = moved > len(values) * STILL**2
    explained = np.divide(together**2, total * moved, out=np.zeros_like(moved), where=moving)
    return np.where(moving, together / total, 0.0), explained


def determination(values: np.ndarray, target: np.ndarray) -> np.ndarray:
    """R² of the regression of `target` [steps] on each column of `values` [steps, units]; 0 for a constant column."""
    off, wanted = values - values.mean(axis=0), target - target.mean()
    spread, total = (off**2).sum(axis=0), (wanted**2).sum()
    moving = (spread > len(values) * STILL**2) & (total > 0)
    return np.divide((off * wanted[:, None]).sum(axis=0) ** 2, spread * total, out=np.zeros_like(spread), where=moving)


def _centred(phase: Phase, values: np.ndarray) -> np.ndarray:
    """The values [steps, ...] minus the mean of their word."""
    _, words, sizes = np.unique(phase.words, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(words, column) for column in values.T], axis=1)
    return values - (sums / sizes[:, None])[words]


def _geometric(phase: Phase, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ratio and resting value of each unit, NaN where there is none, given the units' bounds; [units] each."""
    before, after = phase.states[phase.followed], phase.states[phase.followed + 1]
    none = np.full(phase.states.shape[1], np.nan)
    if not len(before):
        return none, none
    off = before - before.mean(axis=0)
    spread = (off**2).sum(axis=0)
    moving = spread > len(before) * STILL**2
    ratio = np.divide((off * after).sum(axis=0), spread, out=none.copy(), where=moving)
    change = after.mean(axis=0) - ratio * before.mean(axis=0)
    rest = np.divide(change, 1 - ratio, out=none.copy(), where=moving & (ratio != 1))
    low, high = phase.states.min(axis=0), phase.states.max(axis=0)
    in_reach = (rest > np.maximum(2 * low - high, lower)) & (rest < np.minimum(2 * high - low, upper))
    return ratio, np.where(in_reach, rest, np.nan)


def _log_distance(states: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Logarithm of |x - rest| [steps, units]; 0 where there is no resting value."""
    return np.log(np.abs(np.where(np.isnan(rest), 1.0, states - rest)) + STILL)


def _gate_saturation(name: str, activations: np.ndarray) -> np.ndarray:
    """Share of steps at which a gate is near a bound, [hidden]; the bounds are ±1 for the candidate, else 0 and 1."""
    centred = activations if name == "candidate" else np.abs(activations - 0.5) + 0.5
    return (np.abs(centred) > 1 - SATURATED).mean(axis=0)


def _columns(parts: Iterable[np.ndarray]) -> np.ndarray:
    """The values [units] of each phase together, [units, phases]."""
    return np.stack(list(parts), axis=1)
