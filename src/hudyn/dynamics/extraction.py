"""The automaton inside a recurrent network: its states are clusters of hidden states, its transitions majorities."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.cluster.hierarchy import leaves_list, linkage
from torch import Tensor

from hudyn.languages import Counting, Language
from hudyn.languages.moore import MooreMachine, difference
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks.recurrent import RecurrentNetwork, Trajectory

PURITY = 0.95  # that every output and every transition of the automaton is to have
MOST_CLUSTERS = 64
MOST_POSITIONS = 2000  # that are clustered
SAME = 1e-6  # distance up to which hidden states are the same


@dataclass(frozen=True)
class Extraction:
    """The automaton that a network's hidden states make up.

    Attributes:
        machine: the automaton, minimal; it begins in state 0.
        points: hidden states, followed by asinh of the context states where there are any, [positions, units].
        start: the same before the first symbol, [units].
        units: their names.
        states: state of `machine` that each point belongs to, [positions].
        clusters: cluster that each point belongs to, [positions]; a state may have several.
        output_purity: share of each state's points at which the network expects the symbols that the state does,
            [states]; nan for one that has no points.
        transition_purity: share of the steps from a state under a symbol that lead where the automaton's transition
            does, [states, alphabet]; nan where there is none.
        unseen: states with the symbols that they expect, but that were never read there.
        steps_right: share of all steps that the automaton makes as the network does.
        outputs_right: share of the points at which it expects what the network does.
        consistent: whether every output and every transition has the purity that was wanted.
        notes: what a reader has to know of the result, one sentence each.
    """

    machine: MooreMachine
    points: np.ndarray
    start: np.ndarray
    units: tuple[str, ...]
    states: np.ndarray
    clusters: np.ndarray
    output_purity: np.ndarray
    transition_purity: np.ndarray
    unseen: tuple[tuple[int, str], ...]
    steps_right: float
    outputs_right: float
    consistent: bool
    notes: tuple[str, ...]

    @property
    def number(self) -> int:
        """Number of clusters."""
        return int(self.clusters.max()) + 1

    @property
    def purity(self) -> float:
        """Least purity of an output or a transition."""
        return float(np.nanmin(np.append(self.output_purity, self.transition_purity)))


@dataclass(frozen=True)
class StateCount:
    """How many states words up to n take.

    Attributes:
        n: largest n of the words.
        language: states of the language's own automaton.
        network: states of the automaton extracted from the network; None where it is not consistent.
        equivalent: whether the two automata are.
    """

    n: int
    language: int
    network: int | None
    equivalent: bool


def extract(network: RecurrentNetwork, language: Language, texts: ScoredTexts) -> Extraction:
    """The automaton of a network that reads texts; see `extract_from`.

    What the network expects is told by `legality_threshold`. Of a counting language, whose n is open while the first
    symbol is read, it is the likeliest symbol once the second is read.

    Args:
        network: the network.
        language: of the texts.
        texts: of them, the first are read, up to 2000 positions.

    Raises:
        ValueError: states that are not finite.
    """
    rows = slice(max(1, int((texts.read.sum(dim=1).cumsum(0) <= MOST_POSITIONS).sum())))
    with torch.no_grad():
        found = network.run(texts.symbols)
        start = _joined(*network.initial_state(1))[0]
    if isinstance(language, Counting):
        legal = _expected_of_counting(found, texts.symbols)
        rule = "the likeliest symbol, once the second symbol is read"
    else:
        threshold = legality_threshold(found.logits[texts.read], texts.probabilities[texts.read])
        legal = found.logits.softmax(dim=-1) >= threshold
        rule = f"each symbol of probability {threshold:.3g} or more"
    states = _joined(found.hidden, found.context)
    extraction = extract_from(
        states[rows].numpy(),
        start.numpy(),
        texts.symbols[rows].numpy(),
        texts.read[rows].numpy(),
        legal[rows].numpy(),
        language.alphabet,
    )
    kinds = ("hidden {}", "asinh of context {}")[: 1 + network.has_context]
    units = tuple(kind.format(unit + 1) for kind in kinds for unit in range(network.hidden_size))
    return replace(extraction, units=units, notes=(*extraction.notes, f"Expected is {rule}."))


def extract_from(
    states: np.ndarray,
    start: np.ndarray,
    symbols: np.ndarray,
    read: np.ndarray,
    legal: np.ndarray,
    alphabet: Sequence[str],
) -> Extraction:
    """The automaton that trajectories of hidden states make up.

    The states are clustered by Ward's criterion. From one cluster on, the cluster where the automaton is most often
    wrong is parted in two, as the tree of clusters has it, until every output and every transition has a purity of
    95 %, or there are 64 clusters: of these numbers of clusters, the one with the largest least purity is taken. A
    cluster expects the symbols that half of its points expect; for those it has a transition, to where most steps
    lead. Clusters that do the same, as far as it was seen, are one state. The state before the first symbol is a
    cluster by itself.

    Args:
        states: after each symbol, [texts, time, units].
        start: before the first, [units].
        symbols: indices into the alphabet, [texts, time].
        read: whether there is a symbol, bool [texts, time].
        legal: whether the network expects a symbol next, bool [texts, time, alphabet].
        alphabet: the symbols.

    Raises:
        ValueError: states that are not finite, or none.
    """
    points = states[read].astype(np.float64)
    if not len(points):
        raise ValueError("read: expected at least one symbol, got none")
    wrong = int((~np.isfinite(points)).any(axis=1).sum()) + int(not np.isfinite(start).all())
    if wrong:
        raise ValueError(
            f"states: expected finite numbers, got {wrong:,} states with others; did the training diverge?"
        )
    walk = _walk(symbols, read, legal[read])
    tree = _Tree(points)
    best = None
    while True:
        automaton = _automaton(tree.labels, walk)
        if best is None or automaton.purity > best.purity:
            best = automaton
        if automaton.purity >= PURITY or not tree.part(automaton.mistakes):
            return _extraction(points, start, best, tree.number, tuple(alphabet))


def states_against_n(network: RecurrentNetwork, language: Counting, ns: Iterable[int]) -> list[StateCount]:
    """How many states the words of a counting language up to each n take, in the network and in the language.

    For each n the network reads every word up to n, and another after it.
    """
    counts = []
    for n in ns:
        own = language.up_to(n)
        texts = ScoredTexts.of([own.annotate([first, n + 1 - first]) for first in range(1, n + 1)])
        found, right = extract(network, own, texts), own.automaton()
        states = len(found.machine) if found.consistent else None
        equivalent = found.consistent and difference(found.machine, right) is None
        counts.append(StateCount(n, len(right), states, equivalent))
    return counts


def legality_threshold(logits: Tensor, probabilities: Tensor) -> float:
    """Probability from which on a symbol counts as expected.

    The network expects just the legal symbols at some share of the positions where these are the same. The threshold
    is where the least of these shares is largest, the middle of the widest such range; where it is nowhere above 0,
    half of the least probability of a legal symbol.

    Args:
        logits: predictions, [positions, alphabet].
        probabilities: true distributions, [positions, alphabet].
    """
    given, legal = logits.double().softmax(dim=-1), probabilities > 0
    least, most = given.masked_fill(~legal, 1.0).amin(dim=-1), given.masked_fill(legal, 0.0).amax(dim=-1)
    kinds, sizes = legal.unique(dim=0, return_inverse=True, return_counts=True)[1:]
    weights = torch.nn.functional.one_hot(kinds) / sizes * (least > most)[:, None]  # [positions, kinds]
    ends, order = torch.cat([most, least]).sort(stable=True)
    shares = torch.cat([weights, -weights])[order].cumsum(dim=0).amin(dim=1)[:-1]  # from one end to the next
    if shares.max() < 1e-6:
        return float(probabilities[legal].min()) / 2
    widths = ends.diff().masked_fill(shares < shares.max() - 1e-6, -1.0)
    return float(ends[:-1][widths.argmax()] + widths.max() / 2)


def _joined(hidden: Tensor, context: Tensor | None = None) -> Tensor:
    """The whole state, [..., units]; a context state has no bounds, so that its larger values are drawn together."""
    return hidden if context is None else torch.cat([hidden, context.asinh()], dim=-1)


def _expected_of_counting(found: Trajectory, symbols: Tensor) -> Tensor:
    """The likeliest next symbol, bool [texts, time, alphabet]; the first two while the first is read: n is open."""
    alphabet = found.logits.shape[-1]
    legal = torch.nn.functional.one_hot(found.logits.argmax(dim=-1), alphabet).bool()
    legal[symbols == 0] = torch.arange(alphabet) < 2
    return legal


class _Walk(NamedTuple):
    """Steps from point to point, each known by the point that it leads to.

    Attributes:
        sources: the point that a step leaves, [points]; the start has the number after the last point.
        symbols: what is read in it, [points].
        legal: whether a symbol is expected at a point, bool [points, alphabet].
    """

    sources: np.ndarray
    symbols: np.ndarray
    legal: np.ndarray


class _Automaton(NamedTuple):
    """The automaton of some clusters.

    Attributes:
        labels: cluster of each point, [points].
        states: state of each point and, the last, of the start, [points + 1].
        legal: whether a state expects a symbol, bool [states, alphabet].
        targets: where a symbol leads, [states, alphabet]; -1 where it is not expected, or never read.
        output_purity: share of a state's points that expect what it does, [states]; nan where it has none.
        transition_purity: share of the steps that lead where the transition does, [states, alphabet]; nan for none.
        mistakes: of what is expected at each point, and of the steps that leave it, [points].
        outputs_right: share of all points.
        steps_right: share of all steps.
    """

    labels: np.ndarray
    states: np.ndarray
    legal: np.ndarray
    targets: np.ndarray
    output_purity: np.ndarray
    transition_purity: np.ndarray
    mistakes: np.ndarray
    outputs_right: float
    steps_right: float

    @property
    def purity(self) -> float:
        """The least."""
        return float(np.nanmin(np.append(self.output_purity, self.transition_purity)))


class _Tree:
    """The tree that Ward's criterion makes of points, [points, units], and how far it is parted.

    Attributes:
        labels: cluster of each point, [points].
        number: of clusters.
    """

    def __init__(self, points: np.ndarray) -> None:
        size = len(points)
        merges = linkage(points, "ward") if size > 1 else np.empty((0, 4))
        self.labels = np.zeros(size, dtype=np.int64)
        self.number = 1
        self._order = leaves_list(merges) if size > 1 else self.labels
        self._children = merges[:, :2].astype(int)  # of the nodes after the points
        self._heights = np.append(np.zeros(size), merges[:, 2])
        self._sizes = np.append(np.ones(size, dtype=np.int64), merges[:, 3].astype(int))
        self._nodes = [(2 * size - 2, 0)]  # of each cluster, and where its points begin in the order

    def part(self, mistakes: np.ndarray) -> bool:
        """Part the cluster with the most mistakes, given at each point, [points]; whether there was one to part."""
        made = np.bincount(self.labels, weights=mistakes)
        made[self._heights[[node for node, _ in self._nodes]] <= SAME] = 0
        chosen = int(made.argmax())
        if made[chosen] == 0 or self.number == MOST_CLUSTERS:
            return False
        node, begin = self._nodes[chosen]
        left, right = self._children[node - len(self.labels)]
        middle = begin + self._sizes[left]
        self.labels[self._order[middle : middle + self._sizes[right]]] = self.number
        self._nodes[chosen] = left, begin
        self._nodes.append((right, middle))
        self.number += 1
        return True


def _walk(symbols: np.ndarray, read: np.ndarray, legal: np.ndarray) -> _Walk:
    """The steps through points, of which those of a text follow one another."""
    points = len(legal)
    places = np.full(read.shape, points)
    places[read] = np.arange(points)
    before = np.roll(places, 1, axis=1)
    before[:, 0] = points
    return _Walk(before[read], symbols[read], legal)


def _automaton(labels: np.ndarray, walk: _Walk) -> _Automaton:
    """The automaton of clusters, [points]."""
    states, legal, targets = _refined(np.append(labels, labels.max() + 1), walk)
    while (merged := _merged(legal, targets, start=_lone_start(states))) is not None:
        states, legal, targets = _refined(np.unique(merged[states], return_inverse=True)[1], walk)
    own, places = states[:-1], states[walk.sources] * legal.shape[1] + walk.symbols
    is_right, is_told = targets.ravel()[places] == own, (legal[own] == walk.legal).all(axis=1)
    leaving = np.bincount(walk.sources, weights=~is_right, minlength=len(states))[:-1]
    with np.errstate(invalid="ignore"):
        outputs = np.bincount(own, is_told, len(legal)) / np.bincount(own, minlength=len(legal))
        steps = np.bincount(places, is_right, legal.size) / np.bincount(places, minlength=legal.size)
    transitions = np.where(targets < 0, np.nan, steps.reshape(legal.shape))
    mistakes = leaving + ~is_told
    return _Automaton(
        labels.copy(), states, legal, targets, outputs, transitions, mistakes, is_told.mean(), is_right.mean()
    )


def _lone_start(states: np.ndarray) -> int | None:
    """The state of the start, the last of states [points + 1]; None where it is one with another."""
    return None if (states[:-1] == states[-1]).any() else int(states[-1])


def _refined(groups: np.ndarray, walk: _Walk) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moore's refinement by majorities.

    Args:
        groups: what each point and the start belong to, [points + 1].
        walk: the steps.

    Returns:
        the state of each point and of the start, whether a state expects a symbol, bool [states, alphabet], and where
        each symbol leads; groups where these are equal are one state.
    """
    number, alphabet = groups.max() + 1, walk.legal.shape[1]
    own, points = groups[:-1], np.bincount(groups[:-1], minlength=number)
    votes = np.stack([np.bincount(own, vote, number) for vote in walk.legal.T], axis=1)
    legal = 2 * votes >= points[:, None]  # all of a lone start
    classes = np.unique(np.column_stack([legal, points == 0]), axis=0, return_inverse=True)[1].ravel()
    places = groups[walk.sources] * alphabet + walk.symbols
    while True:
        kinds = classes.max() + 1
        counts = np.bincount(places * kinds + classes[own], minlength=number * alphabet * kinds)
        counts = counts.reshape(number, alphabet, kinds)
        targets = np.where(legal & counts.any(axis=2), counts.argmax(axis=2), -1)  # [groups, alphabet]
        finer = np.unique(np.column_stack([classes, targets]), axis=0, return_inverse=True)[1].ravel()
        if finer.max() + 1 == kinds:
            break
        classes = finer
    first = np.unique(classes, return_index=True)[1]
    return classes[groups], legal[first], targets[first]


def _merged(legal: np.ndarray, targets: np.ndarray, start: int | None) -> np.ndarray | None:
    """States that were seen in part, merged with others that do the same as far as seen, [states]; None: there is none.

    Both expect the same, have a transition in common, and none that differs. What a lone start expects is not known;
    the other has all its transitions.
    """
    known, numbers = targets >= 0, np.arange(len(legal))
    merged, kept = numbers.copy(), np.zeros(len(legal), dtype=bool)
    partial = (legal & ~known).any(axis=1) | (numbers == start)
    for state in np.flatnonzero(partial & known.any(axis=1)):
        if kept[state]:
            continue
        pair = np.isin(targets, state) | (targets == numbers[:, None])  # [states, alphabet]
        own_pair = (targets[state] == state) | (targets[state] == numbers[:, None])
        is_same = (targets == targets[state]) | (pair & own_pair)
        both = known & known[state]
        fits = both.any(axis=1) & (is_same | ~both).all(axis=1) & (merged == numbers) & (numbers != state)
        if state == start:
            fits &= (known | ~known[start]).all(axis=1)
        else:
            fits &= (legal == legal[state]).all(axis=1) & (numbers != start)
        if fits.any():
            merged[state] = fits.argmax()
            kept[merged[state]] = True
    return merged if kept.any() else None


def _extraction(
    points: np.ndarray, start: np.ndarray, found: _Automaton, tried: int, alphabet: tuple[str, ...]
) -> Extraction:
    """The result, its states in breadth-first order from the start; those that are not reached are left out."""
    order = [int(found.states[-1])]
    for state in order:  # which grows on the way
        order += dict.fromkeys(to for to in found.targets[state].tolist() if to >= 0 and to not in order)
    numbers = np.full(len(found.legal) + 1, -1)  # the last: of no transition
    numbers[order] = np.arange(len(order))
    targets = numbers[found.targets[order]]
    unseen = found.legal[order] & (targets < 0)
    outputs: list[frozenset[str] | None] = [
        frozenset(symbol for symbol, is_legal in zip(alphabet, row, strict=True) if is_legal)
        for row in found.legal[order]
    ]
    if _lone_start(found.states) is not None:
        outputs[0] = None
        unseen[0] = False
    machine = MooreMachine(
        alphabet,
        tuple(tuple(None if to < 0 else to for to in row) for row in targets.tolist()),
        tuple(outputs),
        tuple(map(str, range(len(order)))),
    )
    missing = tuple((int(state), alphabet[symbol]) for state, symbol in zip(*np.nonzero(unseen), strict=True))
    return Extraction(
        machine,
        points,
        start,
        tuple(f"hidden {unit + 1}" for unit in range(len(start))),
        numbers[found.states[:-1]],
        found.labels,
        found.output_purity[order],
        found.transition_purity[order],
        missing,
        float(found.steps_right),
        float(found.outputs_right),
        found.purity >= PURITY,
        tuple(_notes(points, found, tried, missing)),
    )


def _notes(points: np.ndarray, found: _Automaton, tried: int, missing: tuple[tuple[int, str], ...]) -> Iterator[str]:
    clusters = int(found.labels.max()) + 1
    plural = f"{clusters} cluster{'s' * (clusters > 1)}"
    if found.purity >= PURITY:
        yield f"{plural}, the fewest in which every output and every transition has a purity of {PURITY:.0%} or more."
    else:
        yield (
            f"No automaton: no number of clusters up to {tried} gives every output and every transition a purity of "
            f"{PURITY:.0%}; {plural} come closest, with {found.purity:.0%}."
        )
    if (np.abs(points - points[0]) <= SAME).all():
        yield "The hidden states are all the same."
    if not found.legal.any(axis=1).all():
        yield "In some states no symbol is expected."
    if missing:
        yield "Expected, but never read there: " + ", ".join(f"{symbol} in {state}" for state, symbol in missing) + "."
