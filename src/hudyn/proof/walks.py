"""What is read from a set of network states up to the next cut state of the automaton."""

from collections.abc import Iterator

import numpy as np

from hudyn.networks.recurrent import RecurrentNetwork
from hudyn.proof.jets import EXACT, Jet, image, initial, parameters
from hudyn.proof.sets import Sets, balanced
from hudyn.proof.task import Task

LEAST_EFFECT = 1e-4  # of errors, as a part of the largest


def images(
    network: RecurrentNetwork, task: Task, frames: dict[int, np.ndarray], state: int, jets: Jet
) -> Iterator[tuple[tuple[int, ...], int, Jet, np.ndarray]]:
    """Read symbol by symbol, up to the next cut states.

    Args:
        network: the network.
        task: what it must predict.
        frames: axes for errors in the states of the automaton between cuts, [units, axes] each.
        state: of the automaton, in which it begins.
        jets: states of the network there, [jets, units].

    Yields:
        What was read; the automaton's state after it; the network's, [jets, units]; whether it predicts what it must,
        [jets].
    """
    output = parameters(network)
    after: dict[tuple[int, ...], Jet] = {(): jets}
    for word, target in task.walks(state):
        jet = image(network, word[-1], after[word[:-1]])
        logits = jet[: network.hidden_size].linear(output["output.weight"], output["output.bias"])
        right = np.ones(len(jets.radius), bool)
        for one, other in task.pairs(target):
            right &= (logits[one : one + 1] + logits[other : other + 1].scaled(-1)).range.low[:, 0] > 0
        if target not in task.cuts:
            after[word] = jet.gathered(frames[target], np.linalg.inv(frames[target]), jets.radius.shape[1])
        yield word, target, jet, right


def frames_of(network: RecurrentNetwork, task: Task, sets: Sets) -> dict[int, np.ndarray]:
    """Axes for errors in the states of the automaton between cuts, [units, axes] each.

    They are balanced between the errors that are made on the way there, by one at each symbol, and the effect that
    errors have on the coordinates of the sets in which the way ends.
    """
    frames, unit = dict[int, np.ndarray](), np.eye(sets.centres.shape[1])
    between = {target for state in (0, *task.cuts) for _, target in task.walks(state)} - set(task.cuts)
    points, jacobians, spreads, effects = (dict[tuple[int, ...], np.ndarray]() for _ in range(4))
    begun = zip(sets.cuts, sets.centres, strict=True)
    for cut, centre in [*begun, (0, initial(network, EXACT).centre.mid[0])]:
        if between <= frames.keys():
            break
        points[()], spreads[()], effects[()] = centre, 0 * unit, 0 * unit
        walks = list(task.walks(int(cut)))
        for word, target in walks:
            jet = image(network, word[-1], Jet.variables(points[word[:-1]], unit, np.zeros(len(unit)), EXACT))
            points[word], jacobians[word] = jet.centre.mid, jet.slopes.mid
            spreads[word] = jet.slopes.mid @ spreads[word[:-1]] @ jet.slopes.mid.T + unit
            effects[word] = 0 * unit
            if target in task.cuts:
                ends = np.flatnonzero(sets.cuts == target)
                nearest = ends[np.linalg.norm(sets.centres[ends] - jet.centre.mid, axis=1).argmin()]
                inverse = np.linalg.inv(sets.axes[nearest])
                effects[word] = inverse.T @ inverse
        for word, target in reversed(walks):
            effects[word[:-1]] += jacobians[word].T @ effects[word] @ jacobians[word]
            if target not in task.cuts and target not in frames:
                size = np.linalg.norm(effects[word], 2)
                frames[target] = balanced(spreads[word], effects[word] + LEAST_EFFECT * size * unit)
    return frames
