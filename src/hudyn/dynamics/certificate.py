"""Certificate of counting: by what mechanism a network counts a^n b^kn or its kin, and the figures that show it.

A simple recurrent network can count by nearing a fixed point of the a's map and leaving one of the b's map, so that
what the a's have shrunk the b's grow back: |λ_a|·|λ_b|^k = 1 for the eigenvalues that govern the two phases (Wiles &
Elman 1995; Rodriguez, Wiles & Elman 1999). An LSTM can count in a cell that goes up and down in equal steps (Gers &
Schmidhuber 2001).
"""

import math
import string
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import scipy.linalg
import torch

from hudyn.dynamics.counters import COUNTS, STILL, Phase, determination, phases, within_words, word_pairs
from hudyn.dynamics.fixed_points import FixedPoint, SymbolMap
from hudyn.dynamics.maps import in_double, step
from hudyn.languages import Counting, Language
from hudyn.languages.moore import EXPONENTS
from hudyn.metrics.sequences import ScoredTexts, determined_right, likeliest
from hudyn.metrics.success import wilson_interval
from hudyn.networks.recurrent import RecurrentNetwork

PRODUCT = (0.8, 1.25)  # of |λ_a|^ratio · |λ_b|^ratio in a counter
AGREES = 0.25  # largest relative difference of the ratio that is seen from the eigenvalue
BALANCED = 0.1  # largest drift of a cell's last value per n, as a share of how far it goes in the phase per n
DEFECTIVE = 1e-9  # overlap of left and right eigenvector below which there is no coordinate
TINY = 1e-300
REAL = 1e-6  # largest imaginary part of a real eigenvalue


class Kind(StrEnum):
    """How a network counts; `certify` has the criteria."""

    OSCILLATING = "oscillating counter"
    MONOTONE = "monotone counter"
    LINEAR = "linear counter in a cell"
    MEMORISER = "memoriser"
    OTHER = "counter of another kind"
    UNSOLVED = "not solved"


@dataclass(frozen=True)
class Direction:
    """The fixed point nearest to the states of a phase, and the eigendirection in which they near or leave it.

    Attributes:
        symbol: of the phase.
        point: type of the fixed point, such as ``stable flip node``.
        state: the fixed point, of each unit.
        eigenvalue: of its Jacobian, in this direction.
        ratio: by which the distance from it in this direction changes in a step, as seen, by least squares of its
            logarithm within words; below 0 where it changes sides.
        fit: R² with which the logarithm of the distance is linear in the count, within words.
        right: eigenvector, of length 1.
        left: covector that gives the coordinate in this direction.
    """

    symbol: str
    point: str
    state: tuple[float, ...]
    eigenvalue: complex
    ratio: float
    fit: float
    right: tuple[complex, ...]
    left: tuple[complex, ...]

    @property
    def obstacle(self) -> str | None:
        """Why it shows no counter, in words; None where it may."""
        if not self.fit >= COUNTS:
            return (
                f"under {self.symbol} no distance from the nearest fixed point goes geometrically (R² {self.fit:.2f})"
            )
        if abs(self.eigenvalue.imag) > REAL:
            return f"the eigenvalue under {self.symbol} is complex"
        value = self.eigenvalue.real
        if not abs(self.ratio - value) <= AGREES * abs(value):
            seen, expected = _number(self.ratio), _number(value)
            return f"under {self.symbol} the distance changes by a factor of {seen} a step, not by λ = {expected}"
        return None


@dataclass(frozen=True)
class Cell:
    """A context unit that counts down a phase, or is nearest to it.

    Attributes:
        symbol: of the phase.
        unit: its name.
        slopes: change per symbol in each phase.
        linear: R² with which what is left of the phase is linear in it, over all words.
        drift: change of its value after the last symbol of the phase, per n.
        balance: size of `drift`, as a share of how far the unit goes in the phase per n.
        reach: n up to which its values before and after the last symbol stay on the two sides of the value at which the
            prediction turns, see `certify`; inf where for ever.
    """

    symbol: str
    unit: str
    slopes: tuple[float, ...]
    linear: float
    drift: float
    balance: float
    reach: float

    @property
    def obstacle(self) -> str | None:
        """Why it is no counter, in words; None where it is one."""
        if not self.linear >= COUNTS:
            return f"no cell holds linearly how many {self.symbol} are left (R² {self.linear:.2f})"
        if not self.balance <= BALANCED:
            return f"{self.unit} is off by {self.balance:.0%} of its course at the end of the {self.symbol}"
        return None


@dataclass(frozen=True)
class Verdict:
    """By what mechanism a network counts.

    Attributes:
        kind: None where the language does not ask for a count.
        reason: what speaks against a counter; why there is no verdict; empty where there is a counter.
        longest: N* as measured.
        trained: largest n that is drawn.
        predicted: N* as predicted; None where nothing predicts it.
        unpredicted: why there is no prediction; empty where there is one.
        ratios: of the language: symbols of each kind for n = 1.
        directions: that govern the phases of a language of two symbols, those that have a fixed point.
        cells: that count down each phase but the first.
    """

    kind: Kind | None
    reason: str = ""
    longest: int = 0
    trained: int = 0
    predicted: int | None = None
    unpredicted: str = ""
    ratios: tuple[int, ...] = ()
    directions: tuple[Direction, ...] = ()
    cells: tuple[Cell, ...] = ()

    @property
    def product(self) -> float | None:
        """|λ_a|^ratio · |λ_b|^ratio; None where a phase has no fixed point, or there are more than two phases."""
        if len(self.directions) != 2:
            return None
        return math.prod(abs(own.eigenvalue) ** ratio for own, ratio in zip(self.directions, self.ratios, strict=True))


@dataclass(frozen=True)
class Share:
    """The members of a population that are of one kind.

    Attributes:
        kind: which.
        members: how many.
        interval: 95 % interval of their share (Wilson 1927).
        exemplar: index of the one with the largest N*, and of these the least excess.
    """

    kind: Kind
    members: int
    interval: tuple[float, float]
    exemplar: int


@torch.no_grad()
def certify(
    network: RecurrentNetwork, language: Language, maps: Sequence[SymbolMap], longest: int, most: int = 1000
) -> Verdict:
    """By what mechanism `network` counts the words of `language`, judged on words up to the longest that is drawn.

    The first of these kinds whose criteria hold:

    - not solved: a determined symbol of the words, each after each, is not the likeliest.
    - linear counter in a cell: for each symbol but the first, a context unit has what is left of that symbol linearly
      (R² ≥ 0.9 over all words), and its value after the last one drifts, per n, by no more than 0.1 of how far it goes
      in the phase per n: it goes up and comes back by as much.
    - oscillating or monotone counter, in languages of two symbols: under each symbol, at the fixed point nearest to the
      states, the distance in a direction with a real eigenvalue goes geometrically: its logarithm is linear in the
      count (R² ≥ 0.9 within words; the last step of a word left out), and it changes by the eigenvalue to within a
      quarter, and to the same side. The first symbol contracts, |λ_a| < 1, the second expands, |λ_b| > 1, and
      |λ_a|^ratio · |λ_b|^ratio is in 0.8..1.25: outside, the distance at the end of a word changes so fast with n that
      the right b is soon missed. It oscillates where λ_a < 0.
    - memoriser: N* is no more than the longest that is drawn.
    - counter of another kind: the rest.

    N* is predicted from one number that carries the count, and is no less than the longest that is drawn. In a cell:
    between the context before the last symbol of the longest word and that after it, there is a point where the
    prediction turns; the cell's values before and after the last symbol lie on its two sides, and each is taken to go
    on in a straight line from what it is in the two longest words, until one reaches it; the cell, and the word read
    before, for which this is soonest decide. At fixed points: beyond the longest word, the distance from
    where the first b takes the a's fixed point is multiplied by λ_a for each a more, and that from the b's fixed point
    by λ_b for each b more; from there the network itself reads the b's of that longest word, and must be right. It can
    go no farther than to where the distance from the a's fixed point, shrunk by |λ_a| per a, is below the rounding of
    the network's precision.

    Args:
        network: recurrent.
        language: whose words it reads, of its alphabet.
        maps: what each symbol does, from `symbol_maps`.
        longest: N* as measured; see `hudyn.metrics.longest`.
        most: where a prediction ends.

    Raises:
        ValueError: a parameter is not finite, or the alphabets differ.
    """
    if not isinstance(language, Counting):
        return Verdict(None, f"{type(language).__name__} has no words of blocks whose lengths are in fixed ratios")
    if language.max_n == 1:
        return Verdict(None, "words of n = 1 alone ask for no count")
    copied = in_double(network)
    read = phases(copied, language)
    known = Verdict(Kind.UNSOLVED, longest=longest, trained=language.max_n, ratios=language.ratios)
    if not _solved(copied, language):
        return replace(known, unpredicted="it does not solve the words that are drawn")
    cells = _cells(copied, language, read) if network.has_context else ()
    known = replace(known, cells=cells, directions=_directions(language, read, maps))
    against_cells = next((cell.obstacle for cell in cells if cell.obstacle), None)
    if cells and not against_cells:
        return replace(known, kind=Kind.LINEAR, predicted=_by_cells(cells, language.max_n, most))
    against_points = _against(known)
    if against_points:
        kind = Kind.MEMORISER if longest <= language.max_n else Kind.OTHER
        reason = "; ".join(filter(None, (against_cells, against_points)))
        return replace(known, kind=kind, reason=reason, unpredicted="nothing is known to carry the count")
    kind = Kind.OSCILLATING if known.directions[0].eigenvalue.real < 0 else Kind.MONOTONE
    precision = float(torch.finfo(network.bias.dtype).eps)
    predicted = _by_eigenvalues(copied, language, read, known.directions, precision, most)
    unpredicted = "" if predicted else "states on the lines of the two directions do not stand for those of the words"
    return replace(known, kind=kind, predicted=predicted, unpredicted=unpredicted)


def sentence(verdict: Verdict) -> str:
    """The verdict in words, with the figures that it rests on."""
    lengths = f"N* measured {verdict.longest}, words drawn up to {verdict.trained}."
    if verdict.predicted is not None:
        lengths = f"Predicted N* {verdict.predicted}, measured {verdict.longest}; words drawn up to {verdict.trained}."
    match verdict.kind:
        case None:
            return f"No certificate of counting: {verdict.reason}."
        case Kind.UNSOLVED:
            return f"Does not solve the words that are drawn. {lengths}"
        case Kind.LINEAR:
            return f"Counts in its cells: {'; '.join(map(_cell_course, verdict.cells))}. {lengths}"
        case Kind.MEMORISER:
            return f"Solves words no longer than those drawn, without a counter: {verdict.reason}. {lengths}"
        case Kind.OTHER:
            return f"Solves words longer than those drawn, by no counter that is known: {verdict.reason}. {lengths}"
    how = "an oscillation" if verdict.kind is Kind.OSCILLATING else "distances on one side"
    one, other = verdict.directions
    powers = "·".join(
        f"|λ_{own.symbol}|{str(ratio).translate(EXPONENTS) if ratio > 1 else ''}"
        for own, ratio in zip(verdict.directions, verdict.ratios, strict=True)
    )
    return (
        f"Counts by {how}: under {one.symbol} the state nears a fixed point by λ = {_number(one.eigenvalue.real)} a "
        f"step, under {other.symbol} it leaves one by λ = {_number(other.eigenvalue.real)} a step; "
        f"{powers} = {verdict.product:.2f}. {lengths}"
    )


def record(verdict: Verdict) -> dict[str, Any]:
    """The verdict for results.json: plain numbers and words, with the sentence."""
    plain = asdict(verdict)
    for direction in plain["directions"]:
        value = direction.pop("eigenvalue")
        direction |= {"eigenvalue": value.real, "imaginary": value.imag, "state": list(direction["state"])}
        del direction["right"], direction["left"]
    for part in (*plain["directions"], *plain["cells"]):
        for name, value in part.items():
            if isinstance(value, float) and not math.isfinite(value):
                part[name] = None
    return plain | {"kind": verdict.kind and verdict.kind.value, "product": verdict.product, "words": sentence(verdict)}


def survey(verdicts: Sequence[Verdict], excess: Sequence[float]) -> tuple[Share, ...]:
    """How many members of a population are of each kind, the most frequent first.

    Args:
        verdicts: of each member; those without a kind do not count.
        excess: cross-entropy above the language's own, of each member.
    """
    judged = [place for place, verdict in enumerate(verdicts) if verdict.kind]
    shares = []
    for kind in Kind:
        own = [place for place in judged if verdicts[place].kind is kind]
        if own:
            best = min(own, key=lambda place: (-verdicts[place].longest, excess[place]))
            shares.append(Share(kind, len(own), wilson_interval(len(own), len(judged)), best))
    return tuple(sorted(shares, key=lambda share: -share.members))


def _solved(network: RecurrentNetwork, language: Counting) -> bool:
    """Whether every determined symbol of the words that are drawn, each after each, is the likeliest."""
    texts = ScoredTexts.of([language.annotate(pair) for pair in word_pairs(language)])
    logits = network.run(texts.symbols).logits
    return determined_right(likeliest(logits[None]), texts.probabilities, texts.determined).item() == 1


def _cells(network: RecurrentNetwork, language: Counting, read: Sequence[Phase]) -> tuple[Cell, ...]:
    """The cell of each phase but the first: of those without an obstacle, or else of all, the most linear."""
    size = network.hidden_size
    names, numbers = network.unit_names[size:], np.unique(word_pairs(language))
    slopes = np.stack([within_words(phase, phase.states[:, size:])[0] for phase in read], axis=1)  # [cells, phases]
    found = []
    for place, phase in enumerate(read[1:], start=1):
        ratio, contexts = language.ratios[place], phase.states[:, size:]
        ends = np.flatnonzero(phase.left == 0).reshape(len(numbers), len(numbers))  # [words before, words]
        ended = contexts[ends].mean(axis=0)  # [words, cells]
        off = numbers - numbers.mean()
        drift = (off @ ended) / (off @ off)
        course = np.abs(slopes[:, place]) * ratio
        balance = np.divide(np.abs(drift), course, out=np.full(size, np.inf), where=course > 0)
        linear = determination(contexts, phase.carried)
        turn = _turn(network, phase, ends[:, -1], place)
        lines = [ends - 1, ends] if ratio * numbers[-2] > 1 else [ends]
        reach = np.min([_reach(numbers, contexts[line[:, -2:]], turn) for line in lines], axis=0)
        own = (
            Cell(
                language.alphabet[place],
                names[cell],
                tuple(slopes[cell].tolist()),
                *(float(values[cell]) for values in (linear, drift, balance, reach)),
            )
            for cell in range(size)
        )
        found.append(min(own, key=lambda cell: (cell.obstacle is not None, -cell.linear)))
    return tuple(found)


def _turn(network: RecurrentNetwork, phase: Phase, ends: np.ndarray, symbol: int) -> np.ndarray:
    """Value of each cell where the network no longer expects `symbol`, on the way through the last step, [cells]."""
    way = np.linspace(0, 1, 1001)[:, None]
    contexts, gates = (
        (1 - way) * values[ends - 1].mean(axis=0) + way * values[ends].mean(axis=0)
        for values in (phase.states[:, network.hidden_size :], phase.gates["output"])
    )
    turned = network.output(torch.from_numpy(gates * np.tanh(contexts))).argmax(dim=1).numpy() != symbol
    turned[-1] = True
    return contexts[turned.argmax()]


def _reach(numbers: np.ndarray, values: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """The n at which each cell is at its `turn` [cells], in a straight line from `values` of the two longest words.

    Args:
        numbers: of the words, in order.
        values: after each word before and the two longest words, [words before, 2, cells].
        turn: [cells].
    """
    distance = turn - values[:, 1]
    speed = (values[:, 1] - values[:, 0]) / (numbers[-1] - numbers[-2])
    nearing = (distance * speed > 0) & (np.abs(distance) < 1e6 * np.abs(speed))
    more = np.divide(distance, speed, out=np.full(distance.shape, np.inf), where=nearing)
    return numbers[-1] + more.min(axis=0)


def _directions(language: Counting, read: Sequence[Phase], maps: Sequence[SymbolMap]) -> tuple[Direction, ...]:
    """The directions that govern the phases, of a language of two symbols."""
    if len(read) != 2:
        return ()
    found = (
        _direction(_before_end(phase), maps[phase.symbol].fixed_points, language.alphabet[phase.symbol])
        for phase in read
    )
    return tuple(direction for direction in found if direction)


def _before_end(phase: Phase) -> Phase:
    """Without the steps after which another symbol came, where nothing is left to be carried; the a's as they are."""
    kept = phase.left > 0 if phase.symbol else np.ones(len(phase.left), dtype=bool)
    gates = {name: gate[kept] for name, gate in phase.gates.items()}
    return Phase(phase.symbol, phase.words[kept], phase.counts[kept], phase.left[kept], phase.states[kept], gates)


def _direction(phase: Phase, points: Sequence[FixedPoint], symbol: str) -> Direction | None:
    """The direction at the nearest of `points` that governs the phase.

    Of those that may show a counter it is the one in which states lie farthest; where none does, the one whose course
    is nearest to a geometric one.
    """
    if not points or not len(phase.states):
        return None
    point = min(points, key=lambda point: np.linalg.norm(phase.states - point.state, axis=1).mean())
    values, left, right = scipy.linalg.eig(point.jacobian, left=True)
    overlaps = (left.conj() * right).sum(axis=0)
    left = left.conj() / np.where(np.abs(overlaps) > DEFECTIVE, overlaps, np.inf)  # [units, directions]
    coordinates = (phase.states - point.state) @ left  # [steps, directions]
    logs = np.log(np.maximum(np.abs(coordinates), STILL))
    slopes, fits = within_words(phase, logs)
    sides = np.sign((coordinates[phase.followed + 1] * coordinates[phase.followed].conj()).real.sum(axis=0))
    found = [
        Direction(
            symbol,
            point.name,
            tuple(point.state.tolist()),
            complex(values[place]),
            float(sides[place] * np.exp(slopes[place])),
            float(fits[place]),
            tuple(right[:, place].tolist()),
            tuple(left[:, place].tolist()),
        )
        for place in range(len(values))
    ]
    far = np.abs(coordinates).mean(axis=0)
    ranks = [(True, far[place]) if own.obstacle is None else (False, own.fit) for place, own in enumerate(found)]
    return found[max(range(len(found)), key=lambda place: ranks[place])]


def _against(verdict: Verdict) -> str | None:
    """Why the network does not count by nearing and leaving fixed points; None where it does."""
    if len(verdict.ratios) != 2:
        return "fixed points are asked of two symbols only"
    if verdict.product is None:
        return "there is no fixed point for each symbol"
    obstacle = next((direction.obstacle for direction in verdict.directions if direction.obstacle), None)
    if obstacle:
        return obstacle
    one, other = verdict.directions
    if not abs(one.eigenvalue) < 1 < abs(other.eigenvalue):
        return f"{one.symbol} does not contract while {other.symbol} expands"
    return None if PRODUCT[0] <= verdict.product <= PRODUCT[1] else f"the eigenvalues multiply to {verdict.product:.2f}"


def _by_cells(cells: Sequence[Cell], drawn: int, most: int) -> int:
    """N* of a linear counter, see `certify`."""
    return max(int(min(most, *(cell.reach for cell in cells))), drawn)


def _by_eigenvalues(
    network: RecurrentNetwork,
    language: Counting,
    read: Sequence[Phase],
    directions: Sequence[Direction],
    precision: float,
    most: int,
) -> int | None:
    """N* of a counter by fixed points, see `certify`; None where even the longest word that is drawn is not right."""
    one, other = directions
    values = [direction.eigenvalue.real**ratio for direction, ratio in zip(directions, language.ratios, strict=True)]
    last = np.abs(_coordinates(read[0], one)[read[0].counts == language.ratios[0] * language.max_n]).mean()
    rounding = precision * float(np.linalg.norm(one.state))
    told = math.log(max(rounding, TINY) / max(last, TINY)) / math.log(abs(values[0]))
    more = np.arange(max(int(min(told, most - language.max_n)), 0) + 1)
    length = language.ratios[1] * language.max_n
    begin = _coordinates(read[1], other)[(read[1].counts == 1) & (read[1].left == length - 1)].mean()
    reached = step(network, torch.tensor([1]), torch.tensor([one.state], dtype=torch.float64))[0].numpy()
    target = float((reached - np.array(other.state)) @ np.array(other.left).real)  # where the first b takes the point
    distances = target * values[1] ** more + (begin - target) * math.prod(values) ** more
    states = torch.from_numpy(np.array(other.state) + np.outer(distances, np.array(other.right).real))
    right = torch.ones(len(more), dtype=torch.bool)
    for place in range(1, length + 1):
        right &= network.output(states[:, : network.hidden_size]).argmax(dim=1) == int(place < length)
        states = step(network, torch.ones(len(more), dtype=torch.int64), states)
    if not right[0]:
        return None
    return language.max_n + (len(more) if right.all() else int(right.int().argmin())) - 1


def _coordinates(phase: Phase, direction: Direction) -> np.ndarray:
    """How far the states lie from the fixed point in a real direction, [steps]."""
    return (phase.states - np.array(direction.state)) @ np.array(direction.left).real


def _cell_course(cell: Cell) -> str:
    """What a cell does in words, in the phase that it counts down and those before."""
    moves = [
        f"{'rises' if slope > 0 else 'falls'} {abs(slope):.2f} per {symbol}"
        for symbol, slope in zip(string.ascii_lowercase, cell.slopes, strict=False)
        if symbol <= cell.symbol and abs(slope) >= 0.005
    ]
    return f"{cell.unit} {', '.join(moves)} and after the last drifts by {_number(cell.drift)} per n"


def _number(value: float) -> str:
    """With two digits after the point and a proper minus sign."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")
