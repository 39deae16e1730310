"""Many small sets for each cut state, around states that were explored.

To first order, what is read between two cuts maps the errors in one set into errors in another. Where that makes errors
smaller in the long run, sets hold their images if they are small enough: the rest grows with the square of their sizes.
"""

import copy
from typing import NamedTuple

import numpy as np
import torch

from hudyn.networks.recurrent import RecurrentNetwork
from hudyn.proof.exploration import step
from hudyn.proof.jets import EXACT, Jet, image, initial, unit_of
from hudyn.proof.sets import Sets, balanced, halves
from hudyn.proof.task import Task
from hudyn.proof.walks import frames_of, images

FORGOTTEN = 0.3  # weight of how far states are apart, beside how far they are at the next cut
ROOM = 1.05  # how much wider sets are than the images that they hold
SMALLEST = 1e-2  # radius of a set, as a part of the size of the sets
LARGEST = 2.0  # radius of a set with which a proof is sought
FITS = 6  # of the axes to the sets' radii
PASSES = 10  # over all that is read, for the first axes
ROUNDS = 200  # of growth, to first order
GROWTHS = 20  # of the sets themselves
MOST_STEPS = 8_000  # symbols read from all sets together; the checker needs hundredths of a second for each
SLIGHT = 1e-9  # spread or effect in every direction, as a part of the largest
GROW = "sets of states grow without end"


class Moves(NamedTuple):
    """What is read between two cuts, from the centre of a set or from the initial state, to first order."""

    sources: np.ndarray  # set in which it begins, [moves]
    targets: np.ndarray  # set nearest to where it ends, [moves]
    jacobians: np.ndarray  # zeros from the initial state, [moves, units, units]
    offsets: np.ndarray  # of where it ends, from the centre of that set, [moves, units]


def small_sets(
    network: RecurrentNetwork, task: Task, places: np.ndarray, states: np.ndarray, size: float
) -> tuple[Sets, dict[int, np.ndarray], str]:
    """Sets around states that were explored, grown until they hold what is read from them.

    Args:
        network: the network.
        task: what it must predict.
        places: states of the automaton that were explored, [states].
        states: of the network, [states, units].
        size: a set is made around states that lead to states no farther apart than this.

    Returns:
        The sets; the axes for errors between cuts, [units, axes] each; and why the sets hold less, or "".
    """
    parts = [
        (cut, part)
        for cut in task.cuts
        for part in _parts(_positions(network, task, cut, states[places == cut]), states[places == cut], size)
    ]
    cuts = np.array([cut for cut, _ in parts], int)
    centres = np.array([(part.min(axis=0) + part.max(axis=0)) / 2 for _, part in parts])
    sets = Sets(cuts, centres, np.zeros((*centres.shape, centres.shape[1])), np.full_like(centres, LARGEST))
    if sum((cuts == cut).sum() * len(list(task.walks(cut))) for cut in task.cuts) > MOST_STEPS:
        return sets, {}, "it takes too many sets of states"
    moves, unit = _moves(network, task, sets), np.eye(centres.shape[1])
    spread, effect = _first(moves, len(cuts))
    for _ in range(FITS):
        frames = balanced(spread, effect)
        radii, held = _radii(moves, frames, size)
        if held and radii.max() < sets.radii.max():
            sets = sets._replace(frames=frames, radii=radii)
        axes = frames * radii[:, None]
        moved = moves.jacobians @ axes[moves.sources]
        felt = np.linalg.inv(axes)[moves.targets] @ moves.jacobians  # as parts of the radii
        spread = np.tile((SMALLEST * size) ** 2 * unit, (len(cuts), 1, 1))
        effect = 0.01 / radii.max(axis=1)[:, None, None] ** 2 * unit
        np.add.at(spread, moves.targets, moved @ moved.mT + _squares(moves.offsets))
        np.add.at(effect, moves.sources, felt.mT @ felt)
        spread, effect = _slightly(spread), _slightly(effect)
    if sets.radii.max() >= LARGEST:
        return sets, {}, GROW
    between = frames_of(network, task, sets)
    sets, obstacle = _grown(network, task, sets, between)
    return sets, between, obstacle


@torch.no_grad()
def _positions(network: RecurrentNetwork, task: Task, cut: int, states: np.ndarray) -> np.ndarray:
    """States of a cut and those that they lead to, side by side; the former count less, [states, positions]."""
    double = copy.deepcopy(network).double()
    after: dict[tuple[int, ...], torch.Tensor] = {(): torch.from_numpy(states)}
    found = [FORGOTTEN * states]
    for word, _ in task.walks(cut):
        after[word] = step(double, word[-1], after[word[:-1]])
        found.append(after[word].numpy())
    return np.concatenate(found, axis=1)


def _parts(positions: np.ndarray, states: np.ndarray, size: float) -> list[np.ndarray]:
    """The states in parts no wider than a size: a wider one is divided where its longest axis has the widest gap."""
    if np.ptp(positions, axis=0).max() <= size:
        return [states]
    return [part for side in halves(positions) for part in _parts(positions[side], states[side], size)]


def _moves(network: RecurrentNetwork, task: Task, sets: Sets) -> Moves:
    unit, found = np.eye(sets.centres.shape[1]), list[Moves]()
    starts = [(cut, np.flatnonzero(sets.cuts == cut), sets.centres[sets.cuts == cut], unit) for cut in task.cuts]
    for state, own, begun, axes in [*starts, (0, np.zeros(1, int), initial(network, EXACT).centre.mid, 0 * unit)]:
        jets = Jet.variables(begun, np.tile(axes, (len(own), 1, 1)), np.zeros(begun.shape), EXACT)
        after: dict[tuple[int, ...], Jet] = {(): jets}
        for word, target in task.walks(state):
            after[word] = jet = image(network, word[-1], after[word[:-1]])
            if target in task.cuts:
                ends = np.flatnonzero(sets.cuts == target)
                far = np.linalg.norm(jet.centre.mid[:, None] - sets.centres[ends], axis=-1)  # [own, ends]
                nearest = ends[far.argmin(axis=1)]
                found.append(Moves(own, nearest, jet.slopes.mid, jet.centre.mid - sets.centres[nearest]))
    return Moves(*map(np.concatenate, zip(*found, strict=True)))


def _first(moves: Moves, sets: int) -> tuple[np.ndarray, np.ndarray]:
    """How errors spread that are made everywhere, and their effect, without regard to radii, [sets, units, units]."""
    unit = np.tile(np.eye(moves.offsets.shape[1]), (sets, 1, 1))
    spread, effect = unit, unit
    for _ in range(PASSES):
        spread, effect, before, behind = 1e-3 * unit, 1e-3 * unit, spread, effect
        moved = moves.jacobians @ before[moves.sources] @ moves.jacobians.mT
        np.add.at(spread, moves.targets, moved + _squares(moves.offsets))
        np.add.at(effect, moves.sources, moves.jacobians.mT @ behind[moves.targets] @ moves.jacobians)
        spread, effect = (of / max(1.0, of.max()) for of in (spread, effect))
    return _slightly(spread), _slightly(effect)


def _slightly(forms: np.ndarray) -> np.ndarray:
    """Quadratic forms with a little in every direction, so that they can be inverted."""
    return forms + SLIGHT * np.trace(forms, axis1=-2, axis2=-1)[..., None, None] * np.eye(forms.shape[-1])


def _squares(vectors: np.ndarray) -> np.ndarray:
    return vectors[..., :, None] * vectors[..., None, :]


def _radii(moves: Moves, frames: np.ndarray, size: float) -> tuple[np.ndarray, bool]:
    """The smallest radii with which sets hold their images to first order, [sets, axes]; and whether there are such."""
    inverse = np.linalg.inv(frames)[moves.targets]
    grown = np.abs(inverse @ moves.jacobians @ frames[moves.sources])
    off = np.abs(inverse @ moves.offsets[..., None])
    radii = np.full(frames.shape[:2], SMALLEST * size)
    for _ in range(ROUNDS):
        needed = np.zeros_like(radii)
        np.maximum.at(needed, moves.targets, ROOM * (grown @ radii[moves.sources][..., None] + off)[..., 0])
        if (needed <= 1.0001 * radii).all():
            return radii, True
        radii = np.maximum(radii, needed)
        if radii.max() > LARGEST:
            break
    return radii, False


def _grown(network: RecurrentNetwork, task: Task, sets: Sets, between: dict[int, np.ndarray]) -> tuple[Sets, str]:
    """The sets, grown until intervals show that they hold what is read from them; or why they do not."""
    inverses, unit = np.linalg.inv(sets.frames), unit_of(network)
    for _ in range(GROWTHS):
        needed = np.zeros_like(sets.radii)
        starts = [(0, initial(network, unit))]
        for cut in task.cuts:
            own = sets.cuts == cut
            starts.append((cut, Jet.variables(sets.centres[own], sets.axes[own], np.ones(sets.radii[own].shape), unit)))
        for state, jets in starts:
            for word, target, jet, right in images(network, task, between, state, jets):
                if not right.all():
                    return sets, task.unproved(word, target)
                if target in task.cuts:
                    ends = np.flatnonzero(sets.cuts == target)
                    reach = np.stack([jet.reach(sets.centres[end], inverses[end]) for end in ends], axis=1)
                    holding = (reach / sets.radii[ends]).max(axis=2).argmin(axis=1)
                    np.maximum.at(needed, ends[holding], reach[np.arange(len(reach)), holding])
        if (needed <= 0.999 * sets.radii).all():
            return sets, ""
        sets = sets._replace(radii=np.maximum(sets.radii, ROOM * needed))
    return sets, GROW
