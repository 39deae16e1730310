"""What each unit does while a run of one symbol is read, and which unit counts which symbol."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from hudyn.dynamics.maps import in_double
from hudyn.languages import Counting
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks.recurrent import SRN, RecurrentNetwork

COUNTS = 0.9  # least R² at which a unit counts
LINEAR = 0.99  # R² from which a linear course is taken for one, whatever else fits
SATURATED = 0.05  # distance from its bounds at which a hidden unit or a gate is saturated
STILL = 1e-9  # largest spread of a unit that does not move
MOST_WORDS = 12  # that are read, each after each

Form = Literal["linear", "monotone", "alternating"]


@dataclass(frozen=True)
class Phase:
    """The steps at which one symbol was read, in words that follow others.

    Attributes:
        symbol: index into the alphabet.
        words: index of the word of each step, [steps]; a word's steps come in order.
        counts: number of the symbol read so far in the word, [steps].
        left: number of it that is still to come in the word, [steps].
        states: after each step, [steps, units].
        gates: activation of each gate at each step by its name, [steps, hidden].
    """

    symbol: int
    words: np.ndarray
    counts: np.ndarray
    left: np.ndarray
    states: np.ndarray
    gates: Mapping[str, np.ndarray]

    @property
    def carried(self) -> np.ndarray:
        """What a counter has to hold, [steps]: how many a's there were so far; of another symbol, how many are left."""
        return self.counts if self.symbol == 0 else self.left

    @property
    def followed(self) -> np.ndarray:
        """Indices of the steps after which the same symbol came once more; the index after is the next step."""
        return np.flatnonzero(self.words[1:] == self.words[:-1])


@dataclass(frozen=True)
class Counters:
    """What each unit does in each phase of the words of a counting language.

    In a phase a unit goes by x → ratio · x + change: a linear counter has a ratio of 1, and one that nears or leaves a
    resting value geometrically has that of its distance, below 0 where it alternates around it.

    Attributes:
        symbols: of the phases.
        units: names of the units.
        slope: change per symbol, by least squares with an intercept of each word, [units, phases]; nan where no word
            has two of the symbol.
        linearity: R² of it within words, [units, phases]; 0 of a unit that does not move.
        low: least value, [units, phases].
        high: largest value, [units, phases].
        saturation: share of the steps at which it is within 0.05 of -1 or 1, [units, phases]; nan of a context or
            rectified unit.
        ratio: of x at a step to x at the step before, by least squares with one intercept, [units, phases]; nan of a
            unit that does not move.
        rest: value that the ratio leaves as it is, [units, phases]; nan where there is none, or none in reach: out of
            the unit's bounds, or farther off than the unit's range, from where no geometric course is told from a line.
        linear: R² with which the count (of a's so far, of other symbols left) is linear in x, over all words,
            [units, phases].
        geometric: the same in log |x - rest|.
        gate_mean: mean activation of each gate by its name, [hidden, phases].
        gate_saturation: share of the steps at which it is within 0.05 of its bounds, [hidden, phases].
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
        """R² with which the count can be read from each unit, on whichever scale is better, [units, phases]."""
        return np.maximum(self.linear, self.geometric)

    @property
    def counting(self) -> tuple[int | None, ...]:
        """The unit that counts each symbol: the best to read back; None where R² is below 0.9 for all."""
        best = self.read_back.round(9).argmax(axis=0)
        return tuple(int(unit) if self.read_back[unit, phase] >= COUNTS else None for phase, unit in enumerate(best))

    def form(self, unit: int, phase: int) -> Form:
        """Whether the course is linear, or geometric from one side of its rest or from both in turn."""
        if self.linear[unit, phase] >= min(LINEAR, self.geometric[unit, phase]):
            return "linear"
        return "alternating" if self.ratio[unit, phase] < 0 else "monotone"

    def describe(self) -> str:
        """Which unit counts which symbol: ``context 1 rises 0.98 per a, falls 0.49 per b``."""
        courses: dict[str, list[str]] = {}
        for phase, unit in enumerate(self.counting):
            if unit is not None:
                courses.setdefault(self.units[unit], []).append(self._course(unit, phase))
        parts = [f"{unit} {', '.join(own)}" for unit, own in courses.items()]
        idle = [symbol for symbol, unit in zip(self.symbols, self.counting, strict=True) if unit is None]
        return "; ".join([*parts, *([f"no unit counts {' or '.join(idle)}"] if idle else [])])

    def _course(self, unit: int, phase: int) -> str:
        symbol, form = self.symbols[phase], self.form(unit, phase)
        if form == "linear":
            slope = self.slope[unit, phase]
            return f"{'rises' if slope > 0 else 'falls'} {abs(slope):.2f} per {symbol}"
        ratio = self.ratio[unit, phase]
        turns = " from both sides in turn" * (form == "alternating")
        verb = "nears" if abs(ratio) < 1 else "leaves"
        return f"{verb} {self.rest[unit, phase]:.2f}{turns} by a factor of {abs(ratio):.2f} per {symbol}"


def counters(network: RecurrentNetwork, language: Counting) -> Counters:
    """What each unit does in each phase of the words up to the longest that is drawn, each after each.

    Args:
        network: recurrent, of any precision.
        language: of counting, with the alphabet of `network`.

    Raises:
        ValueError: a parameter is not finite, or the alphabets differ.
    """
    read = phases(in_double(network), language)
    units = network.unit_names
    rectified = isinstance(network, SRN) and network.activation == "relu"
    bounds = np.array([np.inf if rectified or unit.startswith("context") else 1.0 for unit in units])
    lines, courses = (
        [within_words(phase, phase.states) for phase in read],
        [_geometric(phase, bounds) for phase in read],
    )
    return Counters(
        symbols=language.alphabet,
        units=units,
        slope=_columns(slope for slope, _ in lines),
        linearity=_columns(explained for _, explained in lines),
        low=_columns(phase.states.min(axis=0) for phase in read),
        high=_columns(phase.states.max(axis=0) for phase in read),
        saturation=_columns(
            np.where(bounds == 1, (np.abs(phase.states) > 1 - SATURATED).mean(axis=0), np.nan) for phase in read
        ),
        ratio=_columns(ratio for ratio, _ in courses),
        rest=_columns(rest for _, rest in courses),
        linear=_columns(determination(phase.states, phase.carried) for phase in read),
        geometric=_columns(
            determination(_log_distance(phase.states, rest), phase.carried)
            for phase, (_, rest) in zip(read, courses, strict=True)
        ),
        gate_mean={name: _columns(phase.gates[name].mean(axis=0) for phase in read) for name in network.gate_names},
        gate_saturation={
            name: _columns(_shut_or_open(name, phase.gates[name]) for phase in read) for name in network.gate_names
        },
    )


def counter_rows(found: Counters) -> list[dict[str, str | float | int]]:
    """A row a unit and phase, for a table; a hidden and a context unit of the same number share gates."""
    rows: list[dict[str, str | float | int]] = []
    for unit, name in enumerate(found.units):
        for phase, symbol in enumerate(found.symbols):
            row: dict[str, str | float | int] = {"unit": name, "symbol": symbol}
            row["counts"] = int(found.counting[phase] == unit)
            row["form"] = found.form(unit, phase) if found.read_back[unit, phase] >= COUNTS else ""
            for column in ("slope", "linearity", "low", "high", "saturation", "ratio", "rest", "linear", "geometric"):
                value = float(getattr(found, column)[unit, phase])
                row[column] = "" if np.isnan(value) else value
            for gate in found.gate_mean:
                own = unit % len(found.gate_mean[gate])
                row[f"{gate}_mean"] = float(found.gate_mean[gate][own, phase])
                row[f"{gate}_saturation"] = float(found.gate_saturation[gate][own, phase])
            rows.append(row)
    return rows


def word_pairs(language: Counting) -> np.ndarray:
    """The numbers of two words that follow each other, [pairs, 2]: all, or 12 spread evenly over them."""
    numbers = np.unique(np.linspace(1, language.max_n, min(language.max_n, MOST_WORDS)).round().astype(int))
    return np.stack(np.meshgrid(numbers, numbers, indexing="ij"), axis=-1).reshape(-1, 2)


@torch.no_grad()
def phases(network: RecurrentNetwork, language: Counting) -> tuple[Phase, ...]:
    """The phases of the second words of `word_pairs`.

    Args:
        network: recurrent; states are of its precision.
        language: of counting, with the alphabet of `network`.

    Raises:
        ValueError: the alphabets differ.
    """
    if network.alphabet_size != len(language.alphabet):
        raise ValueError(
            f"language: expected an alphabet of the network's {network.alphabet_size} symbols, "
            f"got {len(language.alphabet)}: {', '.join(language.alphabet)}"
        )
    first, second = word_pairs(language).T  # [texts]
    run = network.run(ScoredTexts.of([language.annotate(pair) for pair in word_pairs(language)]).symbols)
    states = run.hidden if run.context is None else torch.cat([run.hidden, run.context], dim=2)
    found = []
    begins = first * sum(language.ratios)  # of the phase, [texts]
    for symbol, ratio in enumerate(language.ratios):
        lengths = ratio * second
        words = np.repeat(np.arange(len(lengths)), lengths)
        counts = np.concatenate([np.arange(1, length + 1) for length in lengths])
        steps = begins[words] + counts - 1
        gates = {name: gate[words, steps].numpy() for name, gate in run.gates.items()}
        found.append(Phase(symbol, words, counts, lengths[words] - counts, states[words, steps].numpy(), gates))
        begins = begins + lengths
    return tuple(found)


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
    """R² of the regression of `target` [steps] on each column of `values` [steps, units]; 0 of a constant column."""
    off, wanted = values - values.mean(axis=0), target - target.mean()
    spread, total = (off**2).sum(axis=0), (wanted**2).sum()
    moving = (spread > len(values) * STILL**2) & (total > 0)
    return np.divide((off * wanted[:, None]).sum(axis=0) ** 2, spread * total, out=np.zeros_like(spread), where=moving)


def _centred(phase: Phase, values: np.ndarray) -> np.ndarray:
    """The values [steps, ...] less the mean of their word."""
    _, words, sizes = np.unique(phase.words, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(words, column) for column in values.T], axis=1)
    return values - (sums / sizes[:, None])[words]


def _geometric(phase: Phase, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ratio and rest of each unit, [units] each; nan where there is none."""
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
    reach = (rest > np.maximum(2 * low - high, -bounds)) & (rest < np.minimum(2 * high - low, bounds))
    return ratio, np.where(reach, rest, np.nan)


def _log_distance(states: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Logarithm of |x - rest| [steps, units]; 0 where there is no rest."""
    return np.log(np.abs(np.where(np.isnan(rest), 1.0, states - rest)) + STILL)


def _shut_or_open(name: str, activations: np.ndarray) -> np.ndarray:
    """Share of the steps at which a gate is near a bound, [hidden]; the candidate's are -1 and 1, others' 0 and 1."""
    centred = activations if name == "candidate" else np.abs(activations - 0.5) + 0.5
    return (np.abs(centred) > 1 - SATURATED).mean(axis=0)


def _columns(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Values [units] of each phase together, [units, phases]."""
    return np.stack(list(parts), axis=1)
