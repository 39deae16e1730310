"""Certificates that a network is right on the words of a regular language, of every length.

Some states of the language's automaton are cut: every cycle of the automaton goes through one of them. The certificate
names sets of network states for each cut state, each of them a parallelotope, the points centre + axes · e, |e| ≤ 1. It
proves that from each set, and from the initial state, whatever the language allows is read up to the next cut state:
after each symbol the network predicts what it must, and in the end it is in a set of that state. By induction, the
network is right on every word. To prove it, a set may be divided into cells, and on the way errors are gathered along
axes that the certificate names for each state of the automaton between cuts.

A few large sets are tried first, then many small ones, and at last small ones at only every second or third visit of a
cut state: the automaton of the certificate counts these visits, and accepts the same words.

The network must predict what the scores ask for. In a counting language the next symbol, where it is determined, is the
likeliest. In other languages every legal symbol is likelier than every illegal one.

It holds in real arithmetic, and for the network as it is computed, in single or double precision, if no activation
function is wrong by more than four units in the last place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np

from hudyn.networks.recurrent import RecurrentNetwork
from hudyn.proof.checker.words import check_words
from hudyn.proof.exploration import explore
from hudyn.proof.intervals import TANH_ERROR, UP, Interval
from hudyn.proof.jets import EXACT, SINGLE, Jet, defect, described, image, initial, unit_of
from hudyn.proof.large_sets import effects_of, grown, large_sets
from hudyn.proof.sets import Sets
from hudyn.proof.small_sets import small_sets
from hudyn.proof.task import Task
from hudyn.proof.walks import frames_of, images

SETS = (1, 2, 3, 4, 6, 8)  # large ones at most, for each cut state; the next number is tried where the one before fails
# How much wider a set must be than the images that it holds, and its smallest radius, which leaves room for rounding:
# the next pair is tried where one fails.
ROOM = ((1.2, 4e-3), (1.1, 4e-3), (1.03, 1e-4))
SIZES = (0.1, 0.03, 0.01, 0.003)  # of small sets
VISITS = (1, 2, 3)  # of cut states before the next that has sets: states may have to turn before they are held
MAX_CELLS = 1_024  # of a set; the checker needs a few tenths of a second for each cell of an LSTM
Status = Literal["proved", "refuted", "open"]


@dataclass(frozen=True)
class Certificate:
    """What is proved of a network on the words of a language.

    Attributes:
        status: ``proved``: right on every word, as `hudyn.proof.checker` confirms; ``refuted``: it errs on `word`;
            ``open``: neither.
        word: the shortest beginning of a text that was found on which the network errs, as running it has shown.
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


def certify(network: RecurrentNetwork, task: Task) -> Certificate:
    """Prove or refute that a network is right on every word.

    Args:
        network: an SRN, an LSTM or a GRU.
        task: what it must predict.
    """
    obstacle = ""
    for visits in VISITS if task.cuts else VISITS[:1]:
        its = task.unrolled(visits)
        places, states, word = explore(network, its)
        if word:
            return Certificate("refuted", word=word)
        for sets, frames, obstacle in _attempts(network, its, visits == 1, places, states):
            if not obstacle:
                trees, obstacle = _proof(network, its, sets, frames)
            if not obstacle:
                record = _record(network, its, sets, frames, trees)
                try:
                    check_words(record)
                    return Certificate("proved", record=record)
                except ValueError as error:
                    obstacle = f"the checker refuses the certificate: {error}"
    return Certificate("open", obstacle=obstacle)


def _attempts(
    network: RecurrentNetwork, task: Task, first: bool, places: np.ndarray, states: np.ndarray
) -> Iterator[tuple[Sets, dict[int, np.ndarray], str]]:
    """Sets with which a proof may succeed, with the axes for errors between them, or why they were given up."""
    if first:
        effects = effects_of(network, task, places, states)
        for number, (room, least) in product(SETS, ROOM):
            sets = large_sets(task.cuts, places, states, effects, number, room, least)
            sets, obstacle = grown(network, task, sets, room)
            yield sets, {} if obstacle else frames_of(network, task, sets), obstacle
    if task.cuts:
        for size in SIZES:
            yield small_sets(network, task, places, states, size)


def _proof(network: RecurrentNetwork, task: Task, sets: Sets, frames: dict[int, np.ndarray]) -> tuple[list[Any], str]:
    """How each set is divided into cells that are proved: None, or [axis, lower part, upper part]; or why it is not.

    A cell that is not proved is halved along the axis that moves states farthest on the way.
    """
    unit = unit_of(network)
    obstacle = _failures(network, task, sets, frames, 0, initial(network, unit))[1]
    trees: list[Any] = []
    for number, cut in enumerate(sets.cuts):
        middles, sizes, paths = np.zeros((1, sets.centres.shape[1])), np.ones((1, sets.centres.shape[1])), [""]
        axes, divided = sets.axes[number], dict[str, int | None]()
        moved = _moved(network, task, int(cut), sets.centres[number], axes)
        while len(paths) and not obstacle:
            centre = Interval.exact(sets.centres[number]) + (axes @ Interval.exact(middles[..., None]))[..., 0]
            cells = Jet.of(centre, Interval.exact(axes[None]), sizes, unit)
            failed, wrong = _failures(network, task, sets, frames, int(cut), cells)
            if len(divided) + len(paths) > MAX_CELLS:
                obstacle = wrong
            axis = (moved * sizes).argmax(axis=1)
            divided |= {path: int(axis[row]) if failed[row] else None for row, path in enumerate(paths)}
            paths = [path + side for side in "01" for path, bad in zip(paths, failed, strict=True) if bad]
            shift = np.where(np.arange(sizes.shape[1]) == axis[:, None], sizes / 2, 0)[failed]
            middles, sizes = middles[failed], sizes[failed] - shift
            middles, sizes = np.concatenate([middles - shift, middles + shift]), np.concatenate([sizes, sizes])
        trees.append(None if obstacle else _tree(divided))
    return trees, obstacle


def _moved(network: RecurrentNetwork, task: Task, cut: int, centre: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """The farthest that each axis of a set moves the state before the next cut, to first order, [axes]."""
    start = Jet.variables(centre[None], axes[None], np.zeros((1, len(centre))), EXACT)
    after: dict[tuple[int, ...], Jet] = {(): start}
    for word, _ in task.walks(cut):
        after[word] = image(network, word[-1], after[word[:-1]])
    return np.max([np.linalg.norm(jet.slopes.mid[0], axis=0) for jet in after.values()], axis=0)


def _tree(divided: dict[str, int | None], path: str = "") -> Any:
    """The divisions below a cell."""
    axis = divided[path]
    return None if axis is None else [axis, _tree(divided, path + "0"), _tree(divided, path + "1")]


def _failures(
    network: RecurrentNetwork, task: Task, sets: Sets, frames: dict[int, np.ndarray], state: int, cells: Jet
) -> tuple[np.ndarray, str]:
    """Which cells of network states in a state of the automaton are not proved up to the next cut states [cells].

    With the first failure in words.
    """
    failed, obstacle = np.zeros(len(cells.radius), bool), ""
    for word, target, jet, right in images(network, task, frames, state, cells):
        failed |= ~(right & _held(sets, target, jet)) if target in task.cuts else ~right
        if failed.any():
            obstacle = obstacle or task.unproved(word, target)
    return failed, obstacle


def _held(sets: Sets, target: int, jet: Jet) -> np.ndarray:
    """Whether one of the sets of a state holds each jet [cells]."""
    bounds = []
    for number in np.flatnonzero(sets.cuts == target):
        axes = sets.axes[number]
        inverse = np.linalg.inv(axes)
        bounds.append(UP * (jet.reach(sets.centres[number], inverse).max(axis=1) + defect(axes, inverse)))
    return np.asarray(np.min(bounds, axis=0) <= 1 - TANH_ERROR)


def _record(
    network: RecurrentNetwork, task: Task, sets: Sets, frames: dict[int, np.ndarray], trees: list[Any]
) -> dict[str, Any]:
    """The certificate as plain numbers."""
    rows = zip(task.names, task.legal, task.asked, task.targets, strict=True)
    return described(network) | {
        "arithmetic": "single" if unit_of(network) == SINGLE else "real",
        "alphabet": task.alphabet,
        "states": [
            {
                "name": name,
                "legal": legal,
                "asked": asked,
                "targets": [targets[x] for x in legal if targets[x] is not None],
            }
            | (_along(frames[place]) if place in frames else {})
            for place, (name, legal, asked, targets) in enumerate(rows)
        ],
        "sets": [
            {"state": int(cut), "centre": centre.tolist(), **_along(axes), "cells": tree}
            for cut, centre, axes, tree in zip(sets.cuts, sets.centres, sets.axes, trees, strict=True)
        ],
    }


def _along(axes: np.ndarray) -> dict[str, Any]:
    return {"axes": axes.tolist(), "inverse": np.linalg.inv(axes).tolist()}
