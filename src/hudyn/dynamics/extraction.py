"""The automaton inside a recurrent network: states are clusters of hidden states, transitions are majorities."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.cluster.hierarchy import leaves_list, linkage
from torch import Tensor

from hudyn.arguments import ArgumentError
from hudyn.languages import Countable, HasAutomaton, Language
from hudyn.languages.moore import MooreMachine, breadth_first, difference
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks.recurrent import RecurrentNetwork, Trajectory

PURITY = 0.95  # of every output and every transition of a consistent automaton
MAX_CLUSTERS = 64  # an automaton with more states is no explanation
MAX_POSITIONS = 2000  # states to cluster: the linkage takes memory and time of their number squared
SAME = 1e-6  # distance up to which hidden states are the same
CLEAR = 1e-6  # shares of positions that differ by less are equal


@dataclass(frozen=True, repr=False)
class Extraction:
    """The automaton that a network's hidden states form.

    Attributes:
        machine: the automaton, minimal; it starts in state 0.
        points: hidden states, then asinh of the context states, [positions, units].
        start: the same before the first symbol, [units].
        units: names of these coordinates.
        states: state of `machine` that each point belongs to, [positions].
        clusters: cluster that each point belongs to, [positions]; a state may consist of several.
        output_purity: share of each state's points that expect its symbols, [states]; NaN without points.
        transition_purity: share of the steps that lead where the transition does, [states, alphabet]; NaN for none.
        unseen: states with expected symbols that were never read there.
        steps_right: share of all steps in which the automaton moves as the network does.
        outputs_right: share of the points at which it expects what the network does.
        consistent: whether every output and every transition is pure enough.
        notes: what a reader must know about the result, one sentence each.
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
        """Minimum purity of an output or a transition."""
        return float(np.nanmin(np.append(self.output_purity, self.transition_purity)))

    def __repr__(self) -> str:
        states = f"{len(self.machine)} states from {self.number} clusters, purity {self.purity:.0%}"
        return f"Extraction({states}{'' if self.consistent else ', not consistent'})"


@dataclass(frozen=True)
class StateCount:
    """How many states words up to n take."""

    n: int  # largest n of the words
    language: int  # states of the language's automaton
    network: int | None  # states of the automaton extracted from the network; None if it is not consistent
    equivalent: bool  # whether the two automata are equivalent


def extract(network: RecurrentNetwork, language: Language, texts: ScoredTexts) -> Extraction:
    """Extract the automaton of a network that reads texts; see `extract_from`.

    The network expects the symbols with at least the probability `legality_threshold`. In a counting language, where n
    is open while the first symbol is read, it expects the likeliest symbol once the second symbol is read.

    Args:
        network: recurrent.
        language: of the texts.
        texts: the first of them are clustered, up to 2000 positions.

    Raises:
        ArgumentError: states that are not finite.
    """
    rows = slice(max(1, int((texts.read.sum(dim=1).cumsum(0) <= MAX_POSITIONS).sum())))
    with torch.no_grad():
        run = network.run(texts.symbols)
        start = _coordinates(*network.initial_state(1))[0]
    if isinstance(language, Countable):
        legal = _expected_in_counting(run, texts.symbols)
        rule = "the likeliest symbol, once the second symbol is read"
    else:
        threshold = legality_threshold(run.logits[texts.read], texts.probabilities[texts.read])
        legal = run.logits.softmax(dim=-1) >= threshold
        rule = f"each symbol of probability {threshold:.3g} or more"
    extraction = extract_from(
        _coordinates(run.hidden, run.context)[rows].numpy(),
        start.numpy(),
        texts.symbols[rows].numpy(),
        texts.read[rows].numpy(),
        legal[rows].numpy(),
        language.alphabet,
    )
    units = tuple(f"asinh of {name}" if name.startswith("context") else name for name in network.unit_names)
    return replace(extraction, units=units, notes=(*extraction.notes, f"Expected is {rule}."))


def extract_from(
    states: np.ndarray,
    start: np.ndarray,
    symbols: np.ndarray,
    read: np.ndarray,
    legal: np.ndarray,
    alphabet: Sequence[str],
) -> Extraction:
    """Extract the automaton that trajectories of hidden states form.

    The states are clustered by Ward's criterion. Starting from one cluster, the cluster with the most errors of the
    automaton is split along Ward's dendrogram, until every output and every transition has a purity of 95 %, or there
    are 64 clusters. Of all these numbers of clusters, the one with the highest minimum purity is taken. A cluster
    expects the symbols that half of its points expect; each of them has a transition, to where most steps lead.
    Clusters that behave the same, as far as was seen, form one state. The state before the first symbol is a cluster
    of its own.

    Args:
        states: after each symbol, [texts, time, units].
        start: before the first symbol, [units].
        symbols: indices into the alphabet, [texts, time].
        read: whether there is a symbol, bool [texts, time].
        legal: whether the network expects a symbol next, bool [texts, time, alphabet].
        alphabet: the symbols.

    Raises:
        ArgumentError: states that are not finite, or no states.
    """
    points = states[read].astype(np.float64)
    if not len(points):
        raise ArgumentError("read", "expected at least one symbol, got none")
    wrong = int((~np.isfinite(points)).any(axis=1).sum()) + int(not np.isfinite(start).all())
    if wrong:
        message = f"expected finite numbers, got {wrong:,} states with others; did the training diverge?"
        raise ArgumentError("states", message)
    walk = _walk(symbols, read, legal[read])
    tree = _Tree(points)
    best = None
    while True:
        automaton = _automaton(tree.labels, walk)
        if best is None or automaton.purity > best.purity:
            best = automaton
        if automaton.purity >= PURITY or not tree.split(automaton.mistakes):
            return _extraction(points, start, best, tree.number, tuple(alphabet))


def count_states(network: RecurrentNetwork, language: Countable, n: int) -> StateCount | None:
    """How many states the words up to n take, in the network and in the language; None if it has no automaton.

    The network reads every word up to n, followed by another.
    """
    up_to_n = language.up_to(n)
    if not isinstance(up_to_n, HasAutomaton):
        return None
    texts = ScoredTexts.of([up_to_n.annotate([first, n + 1 - first]) for first in range(1, n + 1)])
    extraction, expected = extract(network, up_to_n, texts), up_to_n.automaton()
    states = len(extraction.machine) if extraction.consistent else None
    equivalent = extraction.consistent and difference(extraction.machine, expected) is None
    return StateCount(n, len(expected), states, equivalent)


def legality_threshold(logits: Tensor, probabilities: Tensor) -> float:
    """Probability from which a symbol counts as expected.

    For each set of legal symbols there is a share of positions at which the network expects exactly that set. The
    threshold maximises the minimum of these shares; it is the middle of the widest such range. If the minimum is
    always 0, the threshold is half of the smallest probability of a legal symbol.

    Args:
        logits: predictions, [positions, alphabet].
        probabilities: true distributions, [positions, alphabet].
    """
    predicted, legal = logits.double().softmax(dim=-1), probabilities > 0
    least = predicted.masked_fill(~legal, 1.0).amin(dim=-1)  # of a legal symbol, [positions]
    most = predicted.masked_fill(legal, 0.0).amax(dim=-1)  # of any other symbol, [positions]
    kinds, sizes = legal.unique(dim=0, return_inverse=True, return_counts=True)[1:]
    weights = torch.nn.functional.one_hot(kinds) / sizes * (least > most)[:, None]  # [positions, kinds]
    ends, order = torch.cat([most, least]).sort(stable=True)
    shares = torch.cat([weights, -weights])[order].cumsum(dim=0).amin(dim=1)[:-1]  # from one end to the next
    if shares.max() < CLEAR:
        return float(probabilities[legal].min()) / 2
    widths = ends.diff().masked_fill(shares < shares.max() - CLEAR, -1.0)
    return float(ends[:-1][widths.argmax()] + widths.max() / 2)


def _coordinates(hidden: Tensor, context: Tensor | None = None) -> Tensor:
    """The whole state, [..., units]; asinh compresses the large values of a context state, which is unbounded."""
    return hidden if context is None else torch.cat([hidden, context.asinh()], dim=-1)


def _expected_in_counting(run: Trajectory, symbols: Tensor) -> Tensor:
    """The likeliest next symbol, bool [texts, time, alphabet]; the first two while n is open, after the first."""
    alphabet = run.logits.shape[-1]
    legal = torch.nn.functional.one_hot(run.logits.argmax(dim=-1), alphabet).bool()
    legal[symbols == 0] = torch.arange(alphabet) < 2
    return legal


class _Walk(NamedTuple):
    """Steps from point to point, each indexed by the point that it leads to."""

    sources: np.ndarray  # the point that a step leaves, [points]; the start has the index after the last point
    symbols: np.ndarray  # the symbol of the step, [points]
    legal: np.ndarray  # whether a symbol is expected at a point, bool [points, alphabet]


class _Automaton(NamedTuple):
    """The automaton of some clusters."""

    labels: np.ndarray  # cluster of each point, [points]
    states: np.ndarray  # state of each point and, last, of the start, [points + 1]
    legal: np.ndarray  # whether a state expects a symbol, bool [states, alphabet]
    targets: np.ndarray  # where a symbol leads, [states, alphabet]; -1 if it is not expected, or never read
    output_purity: np.ndarray  # share of a state's points that expect its symbols, [states]; NaN without points
    transition_purity: np.ndarray  # share of the steps that lead where the transition does; NaN without any
    mistakes: np.ndarray  # errors at each point: its output, and the steps that leave it, [points]
    outputs_right: float  # share of all points
    steps_right: float  # share of all steps

    @property
    def purity(self) -> float:
        """Minimum purity of an output or a transition."""
        return float(np.nanmin(np.append(self.output_purity, self.transition_purity)))


class _Tree:
    """Ward's dendrogram of points, [points, units], split into clusters from the top."""

    def __init__(self, points: np.ndarray) -> None:
        size = len(points)
        merges = linkage(points, "ward") if size > 1 else np.empty((0, 4))
        self.labels = np.zeros(size, dtype=np.int64)  # cluster of each point
        self.number = 1  # of clusters
        self._order = leaves_list(merges) if size > 1 else self.labels
        self._children = merges[:, :2].astype(int)  # of the inner nodes
        self._heights = np.append(np.zeros(size), merges[:, 2])
        self._sizes = np.append(np.ones(size, dtype=np.int64), merges[:, 3].astype(int))
        self._nodes = [(2 * size - 2, 0)]  # node of each cluster, and where its points begin in the order

    def split(self, mistakes: np.ndarray) -> bool:
        """Split the cluster with the most mistakes, given the number at each point, [points]; False if none can be."""
        by_cluster = np.bincount(self.labels, weights=mistakes)
        by_cluster[self._heights[[node for node, _ in self._nodes]] <= SAME] = 0
        chosen = int(by_cluster.argmax())
        if by_cluster[chosen] == 0 or self.number == MAX_CLUSTERS:
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
    """The steps from point to point within each text."""
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
    after = states[:-1]  # state that each step leads to
    places = states[walk.sources] * legal.shape[1] + walk.symbols  # transition of each step
    step_right, output_right = targets.ravel()[places] == after, (legal[after] == walk.legal).all(axis=1)
    leaving = np.bincount(walk.sources, weights=~step_right, minlength=len(states))[:-1]
    with np.errstate(invalid="ignore"):
        outputs = np.bincount(after, output_right, len(legal)) / np.bincount(after, minlength=len(legal))
        steps = np.bincount(places, step_right, legal.size) / np.bincount(places, minlength=legal.size)
    transitions = np.where(targets < 0, np.nan, steps.reshape(legal.shape))
    mistakes = leaving + ~output_right
    return _Automaton(
        labels.copy(), states, legal, targets, outputs, transitions, mistakes, output_right.mean(), step_right.mean()
    )


def _lone_start(states: np.ndarray) -> int | None:
    """The state of the start, last of states [points + 1]; None if it is also the state of a point."""
    return None if (states[:-1] == states[-1]).any() else int(states[-1])


def _refined(groups: np.ndarray, walk: _Walk) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moore's refinement of groups, [points + 1], by majority; groups that agree in output and transitions are a state.

    Returns the state of each point and of the start, and as in `_Automaton`, what states expect and where symbols lead.
    """
    number, alphabet = groups.max() + 1, walk.legal.shape[1]
    members, points = groups[:-1], np.bincount(groups[:-1], minlength=number)
    votes = np.stack([np.bincount(members, vote, number) for vote in walk.legal.T], axis=1)
    legal = 2 * votes >= points[:, None]  # every symbol for a start without points
    classes = np.unique(np.column_stack([legal, points == 0]), axis=0, return_inverse=True)[1].ravel()
    places = groups[walk.sources] * alphabet + walk.symbols
    while True:
        kinds = classes.max() + 1
        counts = np.bincount(places * kinds + classes[members], minlength=number * alphabet * kinds)
        counts = counts.reshape(number, alphabet, kinds)
        targets = np.where(legal & counts.any(axis=2), counts.argmax(axis=2), -1)  # [groups, alphabet]
        finer = np.unique(np.column_stack([classes, targets]), axis=0, return_inverse=True)[1].ravel()
        if finer.max() + 1 == kinds:
            break
        classes = finer
    first = np.unique(classes, return_index=True)[1]
    return classes[groups], legal[first], targets[first]


def _merged(legal: np.ndarray, targets: np.ndarray, start: int | None) -> np.ndarray | None:
    """The state that each state merges into, [states]; None if none is seen incompletely and behaves like another.

    Both states expect the same symbols, share a transition, and have no transition that differs. What a start without
    points expects is unknown; it merges with a state that has all its transitions.
    """
    known, numbers = targets >= 0, np.arange(len(legal))
    merged, kept = numbers.copy(), np.zeros(len(legal), dtype=bool)
    partial = (legal & ~known).any(axis=1) | (numbers == start)
    for state in np.flatnonzero(partial & known.any(axis=1)):
        if kept[state]:
            continue
        pair = np.isin(targets, state) | (targets == numbers[:, None])  # [states, alphabet]
        self_pair = (targets[state] == state) | (targets[state] == numbers[:, None])
        is_same = (targets == targets[state]) | (pair & self_pair)
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
    points: np.ndarray, start: np.ndarray, best: _Automaton, tried: int, alphabet: tuple[str, ...]
) -> Extraction:
    """The result, its states in breadth-first order from the start, without unreachable states."""
    leads = best.targets.tolist()
    order = breadth_first(int(best.states[-1]), lambda state: (to for to in leads[state] if to >= 0))
    numbers = np.full(len(best.legal) + 1, -1)  # the last entry stands for no transition
    numbers[order] = np.arange(len(order))
    targets = numbers[best.targets[order]]
    unseen = best.legal[order] & (targets < 0)
    outputs: list[frozenset[str] | None] = [
        frozenset(symbol for symbol, is_legal in zip(alphabet, row, strict=True) if is_legal)
        for row in best.legal[order]
    ]
    if _lone_start(best.states) is not None:
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
        numbers[best.states[:-1]],
        best.labels,
        best.output_purity[order],
        best.transition_purity[order],
        missing,
        float(best.steps_right),
        float(best.outputs_right),
        best.purity >= PURITY,
        tuple(_notes(points, best, tried, missing)),
    )


def _notes(points: np.ndarray, best: _Automaton, tried: int, missing: tuple[tuple[int, str], ...]) -> Iterator[str]:
    clusters = int(best.labels.max()) + 1
    plural = f"{clusters} cluster{'s' * (clusters > 1)}"
    if best.purity >= PURITY:
        yield f"{plural}, the fewest in which every output and every transition has a purity of {PURITY:.0%} or more."
    else:
        yield (
            f"No automaton: no number of clusters up to {tried} gives every output and every transition a purity of "
            f"{PURITY:.0%}; {plural} come closest, with {best.purity:.0%}."
        )
    if (np.abs(points - points[0]) <= SAME).all():
        yield "The hidden states are all the same."
    if not best.legal.any(axis=1).all():
        yield "In some states no symbol is expected."
    if missing:
        yield "Expected, but never read there: " + ", ".join(f"{symbol} in {state}" for state, symbol in missing) + "."
