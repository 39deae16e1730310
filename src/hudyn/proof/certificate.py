"""Certificates that a network is right on the words of a regular language, of every length.

Some states of the language's automaton are cut: every cycle of the automaton goes through one of them. The certificate
names sets of network states for each cut state, each of them a parallelotope, the points centre + axes · e, |e| ≤ 1. It
proves that from each set, and from the initial state, whatever the language allows is read up to the next cut state:
after each symbol the network predicts what it must, and in the end it is in a set of that state. To prove it, a set may
be divided into cells. By induction, the network is right on every word.

The network must predict what the scores ask for. In a counting language the next symbol, where it is determined, is the
likeliest. In other languages every legal symbol is likelier than every illegal one.

It holds in real arithmetic, and for the network as it is computed, in single or double precision, if no activation
function is wrong by more than four units in the last place.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from hudyn.languages.moore import MooreMachine
from hudyn.networks.recurrent import LSTM, SRN, RecurrentNetwork
from hudyn.proof.intervals import TANH_ERROR, UP, Interval
from hudyn.proof.jets import SINGLE, Jet, image, initial, parameters, unit_of
from hudyn.proof.verify import check

SAME = 1e-3  # states are explored up to this distance
MAX_STATES = 20_000  # explored
SETS = (1, 2, 3, 4, 6, 8)  # at most, for each cut state; the next number is tried where the one before fails
# How much wider a set must be than the images that it holds, and its smallest radius, which leaves room for rounding:
# the next pair is tried where one fails.
ROOM = ((1.2, 4e-3), (1.1, 4e-3), (1.03, 1e-4))
ROUNDS = 30  # of growth
GROWTH = 1.05
SAMPLES = 256  # states of a set whose images it must hold
MAX_CELLS = 4_096
Status = Literal["proved", "refuted", "open"]


@dataclass(frozen=True)
class Task:
    """What a network must predict: an automaton, before whose first symbol nothing is asked.

    Attributes:
        alphabet: the symbols.
        targets: state that each symbol leads to, None for none, [states][alphabet]; it starts in state 0.
        legal: symbols that may come next, [states].
        asked: whether each of them must be likelier than all others, [states].
        names: of the states.
    """

    alphabet: tuple[str, ...]
    targets: tuple[tuple[int | None, ...], ...]
    legal: tuple[tuple[int, ...], ...]
    asked: tuple[bool, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, machine: MooreMachine, counting: bool) -> "Task":
        """The task of a language's automaton; `counting` if only determined symbols are asked for."""
        legal: list[tuple[int, ...]] = []
        for targets, outputs in zip(machine.targets, machine.outputs, strict=True):
            going = tuple(symbol for symbol, target in enumerate(targets) if target is not None)
            legal.append(going or tuple(sorted(map(machine.alphabet.index, outputs or ()))))  # at the end of a text
        asked = tuple(len(symbols) == 1 or not counting for symbols in legal)
        return cls(machine.alphabet, machine.targets, tuple(legal), asked, machine.names)

    @cached_property
    def cuts(self) -> list[int]:
        """States that every cycle goes through: those that a depth-first search meets again on its path."""
        found, done = set[int](), set[int]()

        def visit(state: int, path: frozenset[int]) -> None:
            for target in self.targets[state]:
                if target in path:
                    found.add(target)
                elif target is not None and target not in done:
                    visit(target, path | {target})
            done.add(state)

        visit(0, frozenset({0}))
        return sorted(found)

    def pairs(self, state: int) -> list[tuple[int, int]]:
        """The symbols of which the first must be likelier than the second."""
        legal = self.legal[state] if self.asked[state] else ()
        return [(one, other) for one in legal for other in range(len(self.alphabet)) if other not in legal]


@dataclass(frozen=True)
class Certificate:
    """What is proved of a network on the words of a language.

    Attributes:
        status: ``proved``: right on every word, as `hudyn.proof.verify` confirms; ``refuted``: it errs on `word`;
            ``open``: neither.
        word: the shortest beginning of a text that was found on which the network errs, confirmed by running it.
        obstacle: where the proof fails, in words.
        record: the certificate as plain numbers, which `hudyn-verify` checks.
    """

    status: Status
    word: str = ""
    obstacle: str = ""
    record: dict[str, Any] | None = None

    def __str__(self) -> str:
        if self.status == "proved":
            return "Proved: it predicts what it must in every text, of whatever length."
        if self.status == "refuted":
            return f"Refuted: it errs after {self.word}."
        return f"Open: {self.obstacle}."


class _Sets(NamedTuple):
    """Sets of network states, for cut states."""

    cuts: np.ndarray  # cut state of each, [sets]
    centres: np.ndarray  # [sets, units]
    frames: np.ndarray  # axes of length 1, [sets, units, axes]
    radii: np.ndarray  # [sets, axes]

    @property
    def axes(self) -> np.ndarray:
        return self.frames * self.radii[:, None]


def certify(network: RecurrentNetwork, task: Task) -> Certificate:
    """Prove or refute that a network is right on every word.

    Args:
        network: an SRN, an LSTM or a GRU.
        task: what it must predict.
    """
    places, states, word = _explore(network, task)
    if word:
        return Certificate("refuted", word=word)
    for number, (room, least) in product(SETS, ROOM):
        sets = _first_sets(task.cuts, places, states, number, room, least)
        sets, obstacle = _grown(network, task, sets, room)
        if not obstacle:
            trees, obstacle = _proof(network, task, sets)
            if not obstacle:
                record = _record(network, task, sets, trees)
                try:
                    check(record)
                    return Certificate("proved", record=record)
                except ValueError as error:
                    obstacle = f"the checker refuses the certificate: {error}"
    return Certificate("open", obstacle=obstacle)


@torch.no_grad()
def _explore(network: RecurrentNetwork, task: Task) -> tuple[np.ndarray, np.ndarray, str]:
    """Network states on the words of the language, as the network itself computes them, and a word on which it errs.

    Returns:
        The automaton's state [states] and the network's [states, units] after words; and the first word that is wrong.
    """
    found: list[tuple[int, torch.Tensor, str]] = []
    seen = set[tuple[int, ...]]()
    layer = [(0, torch.cat(network.initial_state(1), dim=1)[0], "")]
    while layer and len(found) < MAX_STATES:
        following = []
        for symbol, name in enumerate(task.alphabet):
            leaving = [(task.targets[place][symbol], state, word) for place, state, word in layer]
            moves = [(target, state, word) for target, state, word in leaving if target is not None]
            if moves:
                after = _step(network, symbol, torch.stack([state for _, state, _ in moves]))
                following += [(move[0], state, move[2] + name) for move, state in zip(moves, after, strict=True)]
        logits = network.output(torch.stack([state[: network.hidden_size] for _, state, _ in following])).tolist()
        layer = []
        for (place, state, word), values in zip(following, logits, strict=True):
            if any(not values[one] > values[other] for one, other in task.pairs(place)):
                return np.empty(0), np.empty(0), word
            key = (place, *(state / SAME).round().long().tolist())
            if key not in seen:
                seen.add(key)
                layer.append((place, state, word))
        found += layer
    places = np.array([place for place, _, _ in found])
    return places, torch.stack([state for _, state, _ in found]).double().numpy(), ""


def _step(network: RecurrentNetwork, symbol: int, states: torch.Tensor) -> torch.Tensor:
    """The states after a symbol, [states, units]."""
    from_input = network.from_input(torch.full((len(states),), symbol))
    return torch.cat(network.step(from_input, states.split(network.hidden_size, dim=1))[0], dim=1)


def _first_sets(
    cuts: list[int], places: np.ndarray, states: np.ndarray, number: int, room: float, least: float
) -> _Sets:
    """For each cut state, sets around the states that were explored, by their principal axes."""
    parts = [(cut, part) for cut in cuts for part in _parts(states[places == cut], number)]
    centres, frames, radii = [], [], []
    for _, part in parts:
        frame = np.linalg.svd(part - part.mean(axis=0))[2].T
        coordinates = part @ frame
        low, high = coordinates.min(axis=0), coordinates.max(axis=0)
        centres.append(frame @ ((low + high) / 2))
        frames.append(frame)
        radii.append(np.maximum(room * (high - low) / 2, least))
    units = states.shape[1]
    return _Sets(
        np.array([cut for cut, _ in parts], int),
        np.reshape(centres, (-1, units)),
        np.reshape(frames, (-1, units, units)),
        np.reshape(radii, (-1, units)),
    )


def _parts(states: np.ndarray, number: int) -> list[np.ndarray]:
    """The states in at most `number` parts: the widest is divided where its longest axis has the widest gap."""
    parts = [states]
    while len(parts) < number:
        widest = max(range(len(parts)), key=lambda place: np.ptp(parts[place], axis=0).max())
        part = parts.pop(widest)
        if np.ptp(part, axis=0).max() < SAME:
            return [*parts, part]
        along = part[:, np.ptp(part, axis=0).argmax()]
        order = along.argsort()
        gap = int(np.diff(along[order]).argmax()) + 1
        parts += [part[order[:gap]], part[order[gap:]]]
    return parts


def _walks(task: Task, state: int, word: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], int]]:
    """Each symbol that can be read on the way from a state to the next cut state: all read so far, the state after."""
    for symbol, target in enumerate(task.targets[state]):
        if target is not None:
            yield (*word, symbol), target
            if target not in task.cuts:
                yield from _walks(task, target, (*word, symbol))


@torch.no_grad()
def _grown(network: RecurrentNetwork, task: Task, sets: _Sets, room: float) -> tuple[_Sets, str]:
    """The sets, grown until they hold the images of states drawn from them; or why they do not."""
    if not len(sets.cuts):
        return sets, ""
    draw = np.random.default_rng(0)
    corners = draw.choice([-1.0, 1.0], (SAMPLES, sets.centres.shape[1]))
    corners[::2] *= draw.random(corners[::2].shape)
    double, inverses = copy.deepcopy(network).double(), np.linalg.inv(sets.frames)
    for _ in range(ROUNDS):
        low, high = -sets.radii, sets.radii.copy()
        for number, cut in enumerate(sets.cuts):
            begun = torch.from_numpy(sets.centres[number] + corners @ sets.axes[number].T)
            after: dict[tuple[int, ...], torch.Tensor] = {(): begun}
            for word, target in _walks(task, int(cut)):
                after[word] = states = _step(double, word[-1], after[word[:-1]])
                logits = double.output(states[:, : network.hidden_size])
                if any((logits[:, one] <= logits[:, other]).any() for one, other in task.pairs(target)):
                    return sets, f"sets of states that grow come to err in state {task.names[target]}"
                if target in task.cuts:
                    _stretch(sets, inverses, target, states.numpy(), room, low, high)
        below, above = low < -sets.radii, high > sets.radii
        if not (below | above).any():
            return sets, ""
        low, high = np.where(below, GROWTH * low, low), np.where(above, GROWTH * high, high)
        shift, radii = (high + low) / 2, (high - low) / 2
        sets = sets._replace(centres=sets.centres + (sets.frames @ shift[..., None])[..., 0], radii=radii)
    return sets, "sets of states grow without end"


def _stretch(
    sets: _Sets, inverses: np.ndarray, target: int, states: np.ndarray, room: float, low: np.ndarray, high: np.ndarray
) -> None:
    """Extend the bounds of the set, among those of a state, that needs the least growth to hold the states."""
    candidates = np.flatnonzero(sets.cuts == target)
    coordinates = (states[:, None] - sets.centres[candidates])[..., None, :] @ inverses[candidates].mT
    coordinates = room * coordinates[..., 0, :]  # [states, candidates, axes]
    growth = (np.abs(coordinates) / sets.radii[candidates]).max(axis=-1)
    chosen = growth.argmin(axis=1)
    for place, candidate in enumerate(candidates):
        own = coordinates[chosen == place, place]
        if len(own):
            low[candidate] = np.minimum(low[candidate], own.min(axis=0))
            high[candidate] = np.maximum(high[candidate], own.max(axis=0))


def _proof(network: RecurrentNetwork, task: Task, sets: _Sets) -> tuple[list[Any], str]:
    """How each set is divided into cells that are proved: None, or [axis, lower part, upper part]; or why it is not."""
    unit = unit_of(network)
    obstacle = _failures(network, task, sets, 0, initial(network, unit))[2]
    trees: list[Any] = []
    for number, cut in enumerate(sets.cuts):
        middles, sizes, paths = np.zeros((1, sets.centres.shape[1])), np.ones((1, sets.centres.shape[1])), [""]
        axes, divided = sets.axes[number], dict[str, int | None]()
        while len(paths) and not obstacle:
            centre = Interval.exact(sets.centres[number]) + (axes @ Interval.exact(middles[..., None]))[..., 0]
            cells = Jet.of(centre, Interval.exact(axes[None]), sizes, unit)
            failed, effects, wrong = _failures(network, task, sets, int(cut), cells)
            if len(divided) + len(paths) > MAX_CELLS:
                obstacle = wrong
            axis = (effects * sizes).argmax(axis=1)
            divided |= {path: int(axis[row]) if failed[row] else None for row, path in enumerate(paths)}
            paths = [path + side for side in "01" for path, bad in zip(paths, failed, strict=True) if bad]
            shift = np.where(np.arange(sizes.shape[1]) == axis[:, None], sizes / 2, 0)[failed]
            middles, sizes = middles[failed], sizes[failed] - shift
            middles, sizes = np.concatenate([middles - shift, middles + shift]), np.concatenate([sizes, sizes])
        trees.append(None if obstacle else _tree(divided))
    return trees, obstacle


def _tree(divided: dict[str, int | None], path: str = "") -> Any:
    """The divisions below a cell."""
    axis = divided[path]
    return None if axis is None else [axis, _tree(divided, path + "0"), _tree(divided, path + "1")]


def _failures(
    network: RecurrentNetwork, task: Task, sets: _Sets, state: int, cells: Jet
) -> tuple[np.ndarray, np.ndarray, str]:
    """Of cells of network states in a state of the automaton, which are not proved up to the next cut states.

    Returns:
        Whether each is not proved [cells]; how much each axis adds to the excess of what was tested [cells, axes]; and
        the first failure in words.
    """
    failed, effects, obstacle = np.zeros(len(cells.radius), bool), np.zeros(cells.radius.shape), ""
    after: dict[tuple[int, ...], Jet] = {(): cells}
    output = parameters(network)
    for word, target in _walks(task, state):
        after[word] = jet = image(network, word[-1], after[word[:-1]])
        logits = jet[: network.hidden_size].linear(output["output.weight"], output["output.bias"])
        tested = [
            (margin.range.low[:, 0] > 0, margin.slopes)
            for one, other in task.pairs(target)
            for margin in (logits[one : one + 1] + logits[other : other + 1].scaled(-1),)
        ]
        if target in task.cuts:
            tested.append(_held(sets, target, jet))
        for held, slopes in tested:
            effects += slopes.rad.sum(axis=1)
            if not held.all():
                symbol = task.alphabet[word[-1]]
                obstacle = obstacle or f"after {symbol} into state {task.names[target]}, some set is not proved right"
            failed |= ~held
    return failed, effects, obstacle


def _held(sets: _Sets, target: int, jet: Jet) -> tuple[np.ndarray, Interval]:
    """Whether one of the sets of a state holds each jet [cells], and the slopes in the coordinates of the nearest."""
    bounds, slopes = [], []
    for number in np.flatnonzero(sets.cuts == target):
        axes = sets.axes[number]
        inverse = np.linalg.inv(axes)
        defect = (Interval.exact(np.eye(len(axes))) - inverse @ Interval.exact(axes)).magnitude.sum(axis=1).max()
        off = (inverse @ (jet.centre - Interval.exact(sets.centres[number]))[..., None])[..., 0]
        slopes.append(inverse @ jet.slopes)
        reach = off.magnitude + (slopes[-1].magnitude @ jet.radius[..., None])[..., 0]
        bounds.append(UP * (reach.max(axis=1) + defect))  # e = inverse (h - centre) + (1 - inverse axes) e
    nearest = int(np.mean(bounds, axis=1).argmin())
    return np.min(bounds, axis=0) <= 1 - TANH_ERROR, slopes[nearest]


def _record(network: RecurrentNetwork, task: Task, sets: _Sets, trees: list[Any]) -> dict[str, Any]:
    """The certificate as plain numbers."""
    cell = f"{network.activation}_srn" if isinstance(network, SRN) else "lstm" if isinstance(network, LSTM) else "gru"
    return {
        "cell": cell,
        "arithmetic": "single" if unit_of(network) == SINGLE else "real",
        "units": network.unit_names,
        "parameters": {name: value.tolist() for name, value in parameters(network).items()},
        "alphabet": task.alphabet,
        "states": [
            {
                "name": name,
                "legal": legal,
                "asked": asked,
                "targets": [targets[x] for x in legal if targets[x] is not None],
            }
            for name, legal, asked, targets in zip(task.names, task.legal, task.asked, task.targets, strict=True)
        ],
        "sets": [
            {
                "state": int(cut),
                "centre": centre.tolist(),
                "axes": axes.tolist(),
                "inverse": np.linalg.inv(axes).tolist(),
            }
            | {"cells": tree}
            for cut, centre, axes, tree in zip(sets.cuts, sets.centres, sets.axes, trees, strict=True)
        ],
    }
