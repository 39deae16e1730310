"""The verdict on a network: by what mechanism it counts a^n b^kn or a relative of it, and the numbers that show it."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import torch

from hudyn.dynamics.counters import number_text, phases, word_pairs
from hudyn.dynamics.counting_cells import Cell, counting_cells, predict_by_cells
from hudyn.dynamics.counting_directions import Direction, counting_directions, predict_by_eigenvalues
from hudyn.dynamics.fixed_points import SymbolMap
from hudyn.dynamics.maps import in_double
from hudyn.languages import Countable, Language
from hudyn.languages.moore import EXPONENTS
from hudyn.metrics.sequences import ScoredTexts, determined_right, most_probable
from hudyn.networks.recurrent import RecurrentNetwork

PRODUCT = (0.8, 1.25)  # of |λ_a|^ratio · |λ_b|^ratio in a counter


class Kind(StrEnum):
    """How a network counts; `judge` has the criteria."""

    OSCILLATING = "oscillating counter"
    MONOTONE = "monotone counter"
    LINEAR = "linear counter in a cell"
    MEMORISER = "memoriser"
    OTHER = "counter of another kind"
    UNSOLVED = "not solved"


@dataclass(frozen=True, repr=False)
class Verdict:
    """By what mechanism a network counts; printed, it is a sentence.

    Attributes:
        kind: None if the language does not require counting.
        reason: why the network is not a known counter, or why there is no verdict; empty for a known counter.
        longest: N* as measured.
        trained: largest n in the texts.
        predicted: N* as predicted; None without a prediction.
        unpredicted: why there is no prediction; empty if there is one.
        ratios: of the language: length of each block for n = 1.
        directions: that govern the phases of a language of two symbols, where they have a fixed point.
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
        """|λ_a|^ratio · |λ_b|^ratio; None unless a direction at a fixed point carries the count in both phases."""
        if len(self.directions) != 2 or any(direction.obstacle for direction in self.directions):
            return None
        return math.prod(
            abs(direction.eigenvalue) ** ratio for direction, ratio in zip(self.directions, self.ratios, strict=True)
        )

    def __str__(self) -> str:
        """The verdict in a sentence or two, with the numbers that it rests on."""
        predicted = "" if self.predicted is None else f" (predicted {self.predicted})"
        lengths = f"N* is {self.longest}{predicted}; the training words go up to n = {self.trained}."
        match self.kind:
            case None:
                return f"No certificate of counting: {self.reason}."
            case Kind.UNSOLVED:
                return f"Does not solve the training words. {lengths}"
            case Kind.LINEAR:
                return f"Counts in its cells: {'; '.join(cell.describe() for cell in self.cells)}. {lengths}"
            case Kind.MEMORISER:
                return f"Solves only the training words, and is no known counter: {self.reason}. {lengths}"
            case Kind.OTHER:
                return f"Solves more than the training words, but is no known counter: {self.reason}. {lengths}"
        how = "an oscillation" if self.kind is Kind.OSCILLATING else "distances on one side"
        one, other = self.directions
        powers = "·".join(
            f"|λ_{direction.symbol}|{str(ratio).translate(EXPONENTS) if ratio > 1 else ''}"
            for direction, ratio in zip(self.directions, self.ratios, strict=True)
        )
        return (
            f"Counts by {how}: each {one.symbol} brings the state nearer to a fixed point by "
            f"λ = {number_text(one.eigenvalue.real)}, each {other.symbol} takes it away from one by "
            f"λ = {number_text(other.eigenvalue.real)}; {powers} = {self.product:.2f}. {lengths}"
        )

    def __repr__(self) -> str:
        return f"Verdict({self.kind}: {self})"

    def record(self) -> dict[str, Any]:
        """The verdict for results.json: plain numbers and texts, with the sentence."""
        record = asdict(self)
        for direction in record["directions"]:
            value = direction.pop("eigenvalue")
            direction |= {"eigenvalue": value.real, "imaginary": value.imag, "state": list(direction["state"])}
            del direction["right"], direction["left"]
        for cell in record["cells"]:
            del cell["symbols"]
        for part in (*record["directions"], *record["cells"]):
            for name, value in part.items():
                if isinstance(value, float) and not math.isfinite(value):
                    part[name] = None
        return record | {"kind": self.kind and self.kind.value, "product": self.product, "words": str(self)}


def why_not_judged(language: Language) -> str | None:
    """Why a language has no verdict; None if it has one."""
    if not isinstance(language, Countable):
        return f"{type(language).__name__} has no words of blocks whose lengths are in fixed ratios"
    return "words of n = 1 alone ask for no count" if language.max_n == 1 else None


@torch.no_grad()
def judge(
    network: RecurrentNetwork, language: Language, maps: Sequence[SymbolMap], longest: int, most: int = 1000
) -> Verdict:
    """By what mechanism `network` counts the words of `language`, judged on words up to the longest in the texts.

    The verdict is the first of these kinds whose criteria hold:

    - not solved: some determined symbol is not predicted as the likeliest, in some word after some other word. A
      counter by fixed points may miss the b after the largest number of a's: a count does not tell which it is.
    - linear counter in a cell: for each symbol but the first, some context unit is linear in how many of that symbol
      are left (R² ≥ 0.9 over all words); its value at the end of the block changes per n by at most 0.1 of how far the
      unit goes in the block per n.
    - oscillating or monotone counter, for languages of two symbols. Under each symbol, at the fixed point nearest to
      the states, the distance in a direction with a real eigenvalue changes geometrically: its logarithm is linear in
      the count (R² ≥ 0.9 within words, without the last step of a word), and its ratio agrees with the eigenvalue to
      within a quarter, in sign too. The first symbol contracts, |λ_a| < 1, and the second expands, |λ_b| > 1.
      |λ_a|^ratio · |λ_b|^ratio is in 0.8..1.25: outside, the distance at the end of a word changes so fast with n that
      the network soon misses the last b. The counter oscillates if λ_a < 0.
    - memoriser: N* is at most the longest n in the texts.
    - counter of another kind: all others.

    N* is predicted from the one number that carries the count, see `counting_cells` and `predict_by_eigenvalues`; it is
    at least the longest n in the texts.

    Args:
        network: recurrent.
        language: whose words it reads, with the network's alphabet.
        maps: what each symbol does, from `symbol_maps`.
        longest: N* as measured, see `hudyn.metrics.longest`.
        most: upper limit of a prediction.

    Raises:
        ArgumentError: a parameter is not finite, or the alphabets differ.
    """
    if reason := why_not_judged(language):
        return Verdict(None, reason)
    assert isinstance(language, Countable)
    copied = in_double(network)
    read = phases(copied, language)
    unsolved = Verdict(
        Kind.UNSOLVED,
        longest=longest,
        trained=language.max_n,
        unpredicted="it does not solve the training words",
        ratios=language.ratios,
    )
    solves = _solves(copied, language)
    if not solves and longest < language.max_n:
        return unsolved
    cells = counting_cells(copied, language, read) if network.has_context else ()
    verdict = replace(unsolved, cells=cells, directions=counting_directions(language, read, maps))
    against_directions = _against_directions(verdict)
    if not solves and against_directions:
        return unsolved
    against_cells = next((cell.obstacle for cell in cells if cell.obstacle), None)
    if solves and cells and not against_cells:
        predicted = predict_by_cells(cells, language.max_n, most)
        unpredicted = "" if predicted else "the context state alone does not determine the hidden state"
        return replace(verdict, kind=Kind.LINEAR, predicted=predicted, unpredicted=unpredicted)
    if against_directions:
        kind = Kind.MEMORISER if longest <= language.max_n else Kind.OTHER
        reason = "; ".join(filter(None, (against_cells, against_directions)))
        return replace(verdict, kind=kind, reason=reason, unpredicted="no number is known to carry the count")
    kind = Kind.OSCILLATING if verdict.directions[0].eigenvalue.real < 0 else Kind.MONOTONE
    precision = float(torch.finfo(network.output.weight.dtype).eps)
    predicted = predict_by_eigenvalues(copied, language, read, verdict.directions, precision, most)
    unpredicted = "" if predicted else "the two directions do not describe the states of the words"
    return replace(verdict, kind=kind, predicted=predicted, unpredicted=unpredicted)


def _solves(network: RecurrentNetwork, language: Countable) -> bool:
    """Whether every determined symbol of the words in the texts, each after each, is predicted as the likeliest."""
    texts = ScoredTexts.of([language.annotate(pair) for pair in word_pairs(language)])
    logits = network.run(texts.symbols).logits
    return determined_right(most_probable(logits[None]), texts.probabilities, texts.determined).item() == 1


def _against_directions(verdict: Verdict) -> str | None:
    """Why the network does not count by approaching and leaving fixed points; None if it does."""
    if len(verdict.ratios) != 2:
        return "counting by fixed points is judged for two symbols only"
    if len(verdict.directions) != 2:
        return "there is no fixed point for each symbol"
    obstacle = next((direction.obstacle for direction in verdict.directions if direction.obstacle), None)
    if obstacle or verdict.product is None:
        return f"no direction at a fixed point carries the count: {obstacle}"
    one, other = verdict.directions
    if not abs(one.eigenvalue) < 1 < abs(other.eigenvalue):
        return f"{one.symbol} does not contract while {other.symbol} expands"
    return None if PRODUCT[0] <= verdict.product <= PRODUCT[1] else f"the eigenvalues multiply to {verdict.product:.2f}"
