"""A few large sets for each cut state, which hold what was explored and grow until they hold what is read from them.

All of it is guessed, in floating point; `hudyn.proof.certificate` divides the sets into cells, and proves it or not.
"""

import copy

import numpy as np
import torch

from hudyn.networks.recurrent import RecurrentNetwork
from hudyn.proof.exploration import SAME, errs_in, step
from hudyn.proof.jets import EXACT, Jet, image
from hudyn.proof.sets import Sets, balanced, halves
from hudyn.proof.task import Task

ROUNDS = 30  # of growth
GROWTH = 1.05
SAMPLES = 256  # states of a set whose images it must hold
SOME = 8  # network states, over which the effect of a change is averaged
SMALL_EFFECT = 0.3  # changes of states of which a smaller part is left at the next cut count alike


def effects_of(network: RecurrentNetwork, task: Task, places: np.ndarray, states: np.ndarray) -> dict[int, np.ndarray]:
    """How far a small change of the network's state at a cut changes the state at the next, as a quadratic form.

    Returns:
        JᵀJ, where J is the Jacobian of the map up to the next cut: summed over the words that lead there, the mean over
        some of the network states, for each cut state, [units, units].
    """
    effects = {cut: np.zeros((states.shape[1], states.shape[1])) for cut in task.cuts}
    for cut in task.cuts:
        own = states[places == cut]
        own = own[:: -(-len(own) // SOME)]
        axes = np.broadcast_to(np.eye(states.shape[1]), (*own.shape, states.shape[1]))
        after: dict[tuple[int, ...], Jet] = {(): Jet.variables(own, axes, np.zeros(own.shape), EXACT)}
        for word, target in task.walks(cut):
            after[word] = jet = image(network, word[-1], after[word[:-1]])
            if target in task.cuts:
                effects[cut] += (jet.slopes.mid.mT @ jet.slopes.mid).mean(axis=0)
    return effects


def large_sets(
    cuts: tuple[int, ...],
    places: np.ndarray,
    states: np.ndarray,
    effects: dict[int, np.ndarray],
    number: int,
    room: float,
    least: float,
) -> Sets:
    """For each cut state, sets around the states that were explored, along balanced axes."""
    parts = [(cut, part) for cut in cuts for part in _parts(states[places == cut], number)]
    centres, frames, radii = [], [], []
    for cut, part in parts:
        unit = np.eye(states.shape[1])
        spread = np.cov(part.T, bias=True) + least**2 * unit
        frame = balanced(spread, effects[cut] + SMALL_EFFECT**2 * unit)
        coordinates = part @ np.linalg.inv(frame).T
        low, high = coordinates.min(axis=0), coordinates.max(axis=0)
        centres.append(frame @ ((low + high) / 2))
        frames.append(frame)
        radii.append(np.maximum(room * (high - low) / 2, least))
    units = states.shape[1]
    return Sets(
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
        parts += [part[side] for side in halves(part)]
    return parts


@torch.no_grad()
def grown(network: RecurrentNetwork, task: Task, sets: Sets, room: float) -> tuple[Sets, str]:
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
            for word, target in task.walks(int(cut)):
                after[word] = states = step(double, word[-1], after[word[:-1]])
                if errs_in(double, task, [target] * len(states), states).any():
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
    sets: Sets, inverses: np.ndarray, target: int, states: np.ndarray, room: float, low: np.ndarray, high: np.ndarray
) -> None:
    """Extend the bounds of the set, among those of a state, that needs the least growth to hold the states."""
    candidates = np.flatnonzero(sets.cuts == target)
    coordinates = (states[:, None] - sets.centres[candidates])[..., None, :] @ inverses[candidates].mT
    coordinates = room * coordinates[..., 0, :]  # [states, candidates, axes]
    growth = (np.abs(coordinates) / sets.radii[candidates]).max(axis=(0, 2))
    place = int(growth.argmin())
    low[candidates[place]] = np.minimum(low[candidates[place]], coordinates[:, place].min(axis=0))
    high[candidates[place]] = np.maximum(high[candidates[place]], coordinates[:, place].max(axis=0))
