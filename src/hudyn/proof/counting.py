"""How far a network counts: in real arithmetic by proof, and in its own arithmetic, which must fail somewhere.

A word of a counting language is read from the initial state. It is right if each symbol from the second of its second
block on, and the first of the next word, is the likeliest.

In real arithmetic, intervals enclose the states on each word up to a limit. A network that is right on all of these and
whose cells keep their content is right on longer ones by an invariant; see `hudyn.proof.cells`.

Otherwise longer words are decided by the first block alone. Let its states come into a set that they never leave again,
where a step brings them nearer to a fixed point. If from every state of a part of that set the network has erred by the
k-th symbol of the second block, it errs on all words that are long enough to come into that part and have k such
symbols. A network whose states are bounded and settle under the first symbol can therefore not be right on all words,
except where it settles exactly on the border.

In floating point there are finitely many states: those of the first block repeat from some step on, and words that are
longer cannot be told apart.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numba
import numpy as np
import scipy.linalg
import torch

from hudyn.languages import Countable
from hudyn.networks.recurrent import LSTM, RecurrentNetwork
from hudyn.proof.cells import counts_up_to
from hudyn.proof.checker.counting import check_cells, check_settling
from hudyn.proof.intervals import UP, Interval
from hudyn.proof.jets import EXACT, Jet, described, image, initial, parameters

Record = dict[str, Any]  # plain numbers
FIRST_NUMBERS = 8  # n that are tried at first; twice as many each time after
STARTS = (16, 64, 256)  # symbols of one kind after which the states may be in a basin
ROOM = 1.02  # how much wider a basin is than the states from which it is made
LEAST = 1e-9  # its smallest radius
WIDENINGS = 100  # until a step contracts it
TURNS = (1, 2, 8)  # symbols that are taken together, so that a rotation contracts
SIZES = (1.0, 1e-3, 1e-6)  # of the parts of a basin from which words are read on
WIDEST = 1e3  # set of states from which words are read on
NEWTON = 30  # steps at most
CONVERGED = 1e-12  # a step, as a share of the state
FARTHEST = 1e6  # fixed point that is found in doubles
OWN_STEPS = 2**14  # of the network in its own arithmetic, before those that only move its context units
SATURATED = 10.0  # where tanh is 1 in single precision
MOST_STEPS = 2**26  # in the network's own arithmetic


@dataclass(frozen=True)
class CountingProof:
    """How far a network counts.

    Attributes:
        right: it is right on all words up to this n, in real arithmetic.
        sought: largest n of the words that were read.
        wrong: the smallest larger n that is known to be wrong, in real arithmetic; None if none was found.
        always_wrong: it is wrong from this n on, in real arithmetic; None if that is not proved.
        repeats: number of first symbols after which a state comes again, in the network's own arithmetic; None if none
            was seen to.
        period: how many more are read until it comes again.
        record: what is proved in real arithmetic, as plain numbers, which `hudyn-verify` checks.
    """

    right: int
    sought: int
    wrong: int | None
    always_wrong: int | None
    repeats: int | None
    period: int
    record: Record = field(repr=False)

    def __str__(self) -> str:
        told = [f"right on every word up to n = {self.right:,}" if self.right else "wrong at n = 1"]
        if self.right == self.sought:
            told.append("the largest n that was tried")
        if self.right and self.wrong is not None:
            told.append(f"wrong at n = {self.wrong:,}")
        if self.always_wrong is not None:
            told.append(f"wrong on every word from n = {self.always_wrong:,} on")
        sentence = f"By proof, on single words in real arithmetic: {', '.join(told)}."
        if self.repeats is not None:
            sentence += f" In its own arithmetic, the states of the first symbol repeat from n = {self.repeats:,} on"
            sentence += f", so at most {self.period} longer word{'s' * (self.period > 1)} can be right."
        return sentence


def prove_counting(network: RecurrentNetwork, language: Countable, most: int = 1000) -> CountingProof:
    """Prove up to which n a network is right, and from which n on it is wrong.

    Args:
        network: an SRN, an LSTM or a GRU.
        language: whose words it reads.
        most: largest n of the words that are read.
    """
    repeats, period = _repetition(network)
    with np.errstate(over="ignore", invalid="ignore"):  # of states that grow without bounds
        right, wrong = _words(network, language, most)
        record = described(network) | {"ratios": list(map(int, language.ratios)), "words_read": right}
        record |= {"right": right, "wrong": wrong, "always_wrong": None}
        if right == most and isinstance(network, LSTM):
            by_cells, blocks = counts_up_to(network, language)
            if by_cells > most:
                record = _agreed(check_cells, record | {"words_read": 1, "right": by_cells, "cells": blocks}) or record
        if record["right"] == right:
            claims = _settlings(network, language, right)
            agreed = (_agreed(check_settling, record | claim) for claim in claims)
            record = next(filter(None, agreed), record)
    return CountingProof(record["right"], most, wrong, record["always_wrong"], repeats, period, record)


def _agreed(check: Callable[[Record], None], record: Record) -> Record | None:
    """The record if the checker agrees."""
    try:
        check(record)
    except (ArithmeticError, ValueError):
        return None
    return record


@dataclass(frozen=True)
class _States:
    """Sets of states, one for each word: centre + axes · e, |e| ≤ radius.

    The axes are nearly orthogonal, so that rounding errors grow with the network's own slopes, not with the absolute
    values of these (Lohner 1988).
    """

    centre: np.ndarray  # [words, units]
    axes: np.ndarray  # [words, units, units]
    radius: np.ndarray  # [words, units]

    @classmethod
    def of(cls, jet: Jet) -> "_States":
        """The ranges of jets, enclosed."""
        columns = jet.slopes.mid * jet.radius[..., None, :]
        longest = np.argsort(-np.linalg.norm(columns, axis=-2), axis=-1)
        axes, _ = np.linalg.qr(np.take_along_axis(columns, longest[..., None, :], axis=-1), mode="complete")
        inverse = axes.swapaxes(-1, -2)
        spread = (inverse @ jet.slopes).magnitude @ jet.radius[..., None]
        radius = UP * (spread + np.abs(inverse) @ jet.centre.rad[..., None])[..., 0]
        defect = (Interval.exact(np.eye(axes.shape[-1])) - inverse @ Interval.exact(axes)).magnitude.sum(axis=-1)
        return cls(jet.centre.mid, axes, UP * (radius + 2 * (defect * radius.max(axis=-1, keepdims=True))))

    @classmethod
    def joined(cls, parts: Sequence["_States"]) -> "_States":
        """All of them."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("centre", "axes", "radius")))

    def read(self, network: RecurrentNetwork, symbol: int) -> "_States":
        """The states after a symbol."""
        return _States.of(image(network, symbol, self.jet))

    @property
    def jet(self) -> Jet:
        """They as functions of e."""
        return Jet.variables(self.centre, self.axes, self.radius, EXACT)

    def __getitem__(self, words: np.ndarray) -> "_States":
        return _States(self.centre[words], self.axes[words], self.radius[words])

    def put(self, words: np.ndarray, states: "_States") -> None:
        """Replace the sets of these words."""
        self.centre[words], self.axes[words], self.radius[words] = states.centre, states.axes, states.radius


def _words(network: RecurrentNetwork, language: Countable, most: int) -> tuple[int, int | None]:
    """The largest n up to which every word is right, and the smallest larger n that is wrong, if one is found."""
    states, right, done, number = _States.of(initial(network, EXACT)), most, 0, FIRST_NUMBERS
    while done < most:
        numbers, turning = range(done + 1, min(done + number, most) + 1), []
        for _ in numbers:
            for _ in range(language.ratios[0]):
                states = states.read(network, 0)
            turning.append(states)
        rests = [np.append(language.word(n)[n * language.ratios[0] :], 0) for n in numbers]
        for n, verdict in zip(numbers, _verdicts(network, rests, _States.joined(turning)), strict=True):
            right = min(right, n - 1) if verdict != 1 else right
            if verdict == -1:
                return right, n
        done, number = numbers[-1], 2 * number
    return right, None


def _verdicts(network: RecurrentNetwork, rests: list[np.ndarray], states: _States) -> np.ndarray:
    """Whether each rest of a word is right: 1, wrong: -1, or neither is proved: 0, [words]; changes `states`."""
    lengths, weights = np.array([len(rest) - 1 for rest in rests]), parameters(network)
    symbols = np.array([np.pad(rest, (0, lengths.max() + 1 - len(rest))) for rest in rests])
    verdicts = np.ones(len(rests), int)
    for time in range(lengths.max()):
        going = (lengths > time) & (verdicts == 1)
        for symbol in np.unique(symbols[going, time]):
            words = np.flatnonzero(going & (symbols[:, time] == symbol))
            states.put(words, states[words].read(network, int(symbol)))
        words = np.flatnonzero(going)
        hidden = states[words].jet[: network.hidden_size]
        logits = hidden.linear(weights["output.weight"], weights["output.bias"]).range
        wanted = np.arange(logits.mid.shape[1]) == symbols[words, time + 1][:, None]
        low, high = logits.low[wanted][:, None], logits.high[wanted][:, None]
        is_right, is_wrong = (low > logits.high) | wanted, (high < logits.low) & ~wanted
        verdicts[words] = np.where(is_wrong.any(axis=1), -1, is_right.all(axis=1))
    return verdicts


@dataclass(frozen=True)
class _Basin:
    """A set of states that a run of one symbol stays in, and in which it approaches a fixed point.

    The set is the points centre + axes · e, |e| ≤ radii. The size of a state in it is the largest |e| / radii.
    """

    centre: np.ndarray  # [units]
    axes: np.ndarray  # [units, units]
    radii: np.ndarray  # [units]
    turns: int  # symbols that are read together
    rate: float  # after which a size is at most rate · size + defect
    defect: float

    @property
    def record(self) -> Record:
        """It as plain numbers, for the checker."""
        axes = self.axes * self.radii
        numbers = {"centre": self.centre, "axes": axes, "inverse": np.linalg.inv(axes)}
        return {name: value.tolist() for name, value in numbers.items()} | {"turns": self.turns}

    def part(self, size: float) -> Jet:
        """The states up to a size."""
        return Jet.variables(self.centre[None], self.axes[None], size * self.radii[None], EXACT)

    def steps(self, size: float) -> int | None:
        """After how many symbols every state has at most this size; None if that is not known."""
        if size == 1:
            return 0
        if self.defect > (1 - self.rate) * size / 2:
            return None
        return self.turns * math.ceil(math.log(size / 2) / math.log(max(self.rate, LEAST)))


def _settlings(network: RecurrentNetwork, language: Countable, right: int) -> Iterator[Record]:
    """An n from which on every word is wrong, and the sets by which that is proved; nothing if none is found."""
    for start, basin in _basins(network, 0, initial(network, EXACT)):
        for size in SIZES:
            steps = basin.steps(size)
            if steps is None:
                break
            failing = [_failing(network, states) for states in _turned(network, 0, basin, size)]
            if None not in failing:
                latest = max(one["after"] for one in failing if one)
                always = 1 + max(right, (start + steps) // language.ratios[0], latest // language.ratios[1])
                settling = {"start": start, "basin": basin.record, "size": size, "failing": failing}
                yield {"always_wrong": always, "settling": settling}


def _failing(network: RecurrentNetwork, states: Jet) -> Record | None:
    """After how many of the second symbol every longer word is wrong, from these states; None if that is not proved.

    Either another symbol is then the likeliest, although the second must come again; or the states have settled where
    the second symbol is the likeliest, which it is not at the end of its block.
    """
    for time in range(1, STARTS[-1] + 1):
        states = image(network, 1, states)
        if (_margins(network, states).high < 0).any():
            return {"after": time, "basin": None}
        if not states.range.rad.max() < WIDEST:
            return None
        basin = _basin(network, 1, states.range[0]) if time in STARTS else None
        if basin and all((_margins(network, part).low > 0).all() for part in _turned(network, 1, basin, 1)):
            return {"after": time, "basin": basin.record}
    return None


def _turned(network: RecurrentNetwork, symbol: int, basin: _Basin, size: float) -> Iterator[Jet]:
    """The states of a basin up to a size, and after each of the symbols that are read together but the last."""
    states = basin.part(size)
    for _ in range(basin.turns):
        yield states
        states = image(network, symbol, states)


def _margins(network: RecurrentNetwork, states: Jet) -> Interval:
    """By how much the second symbol is likelier than each other one, in logits, [others]."""
    weights = parameters(network)
    logits = states[: network.hidden_size].linear(weights["output.weight"], weights["output.bias"])
    margins = [
        logits[1:2] + logits[other : other + 1].scaled(-1) for other in range(network.alphabet_size) if other != 1
    ]
    return Interval(*(np.concatenate([getattr(one.range, part)[0] for one in margins]) for part in ("mid", "rad")))


def _basins(network: RecurrentNetwork, symbol: int, states: Jet) -> Iterator[tuple[int, _Basin]]:
    """Basins that the states come into when a symbol is read again and again, each with the number of symbols read."""
    read = 0
    for start in STARTS:
        states, read = _after(network, symbol, states, start - read), start
        if basin := _basin(network, symbol, states.range[0]):
            yield start, basin


def _basin(network: RecurrentNetwork, symbol: int, states: Interval) -> _Basin | None:
    """A basin that holds these states [units]; None if none is found."""
    return next(filter(None, (_basin_of(network, symbol, states, turns) for turns in TURNS)), None)


def _basin_of(network: RecurrentNetwork, symbol: int, states: Interval, turns: int) -> _Basin | None:
    """The same, for some symbols at a time."""
    units = len(network.unit_names)
    centre, jacobian = states.mid, np.zeros((units, units))
    for _ in range(NEWTON):
        if not np.abs(centre).max() < FARTHEST:
            return None
        here = Jet.variables(centre[None], np.eye(units)[None], np.zeros((1, units)), EXACT)
        jet = _after(network, symbol, here, turns)
        jacobian = jet.slopes.mid[0]
        move = np.linalg.lstsq(np.eye(units) - jacobian, jet.centre.mid[0] - centre, rcond=None)[0]
        centre = centre + move
        if np.abs(move).max() <= CONVERGED * np.abs(centre).max():
            break
    triangle, axes = scipy.linalg.schur(jacobian)
    size, inverse = np.abs(triangle), np.linalg.inv(axes)
    if not (largest := np.abs(np.linalg.eigvals(size)).max()) < 1:
        return None
    radii = ROOM * (inverse @ (states - Interval.exact(centre))[..., None])[..., 0].magnitude + LEAST
    for _ in range(WIDENINGS):
        radii = np.maximum(radii, size @ radii * 2 / (1 + largest))
    rounding = (Interval.exact(np.eye(units)) - inverse @ Interval.exact(axes)).magnitude
    room = 1 - (rounding @ radii / radii).max()  # a size in terms of `inverse` is at least this share of the true one
    jet = _after(network, symbol, Jet.variables(centre[None], axes[None], radii[None], EXACT), turns)
    slopes = (inverse @ jet.slopes).magnitude[0] * (radii / radii[:, None])
    defects = (inverse @ (jet.centre[0] - Interval.exact(centre))[..., None])[..., 0].magnitude / radii
    rate, defect = (UP * float(part.max()) / room for part in (slopes.sum(axis=1), defects))
    return _Basin(centre, axes, radii, turns, rate, defect) if room > 1 / ROOM and rate + defect < 1 else None


def _after(network: RecurrentNetwork, symbol: int, states: Jet, times: int) -> Jet:
    for _ in range(times):
        states = image(network, symbol, states)
    return states


@torch.no_grad()
def _repetition(network: RecurrentNetwork) -> tuple[int | None, int]:
    """After how many first symbols a state comes again in the network's own arithmetic, and after how many more."""
    network = copy.deepcopy(network).cpu()
    from_input, state = network.from_input(torch.zeros(1, dtype=torch.int64)), network.initial_state(1)
    seen, before, gates = dict[bytes, int](), state, tuple[torch.Tensor, ...]()
    for step in range(OWN_STEPS):
        key = b"".join(part.numpy().tobytes() for part in state)
        if key in seen:
            return seen[key], step - seen[key]
        seen[key] = step
        before, (state, gates) = state, network.step(from_input, state)
    if not isinstance(network, LSTM) or network.peepholes is not None or not torch.equal(before[0], state[0]):
        return None, 0
    now, moved = state[1][0], state[1][0] - before[1][0]
    if not ((moved == 0) | ((now.abs() > SATURATED) & (now * moved > 0))).all():
        return None, 0
    by_name = dict(zip(network.gate_names, gates, strict=True))
    change = (by_name["input"] * by_name["candidate"])[0]
    steps = _steps_until_still(now.numpy(), by_name["forget"][0].numpy(), change.numpy(), MOST_STEPS)
    return (None, 0) if steps == MOST_STEPS else (OWN_STEPS + steps, 1)


@numba.njit
def _steps_until_still(context, forget, change, most):  # type: ignore[no-untyped-def]
    """How many steps context → forget · context + change, with these gates, move any unit."""
    context = context.copy()
    last = 0
    for unit in range(len(context)):
        for step in range(most):
            kept = forget[unit] * context[unit]
            after = kept + change[unit]
            if after == context[unit]:
                break
            context[unit] = after
            last = max(last, step + 1)
    return last
