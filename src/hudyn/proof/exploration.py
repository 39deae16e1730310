"""The states that a network visits on the words of a language, and words on which it errs."""

from collections.abc import Sequence

import numpy as np
import torch

from hudyn.networks.recurrent import RecurrentNetwork
from hudyn.proof.task import Task

SAME = 1e-3  # states closer than this count as the same
MAX_STATES = 20_000  # explored
LONG_WORDS, LENGTH = 1_000, 300  # random words, and symbols of each
PREFERENCE = 0.3  # shape of the gamma distribution of preferences: below 1, one symbol is mostly preferred


@torch.no_grad()
def explore(network: RecurrentNetwork, task: Task) -> tuple[np.ndarray, np.ndarray, str]:
    """Network states on the words of the language, as the network itself computes them, and a word on which it errs.

    All words in the order of their lengths, as long as they lead to new states; after `MAX_STATES`, random long ones.

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
                after = step(network, symbol, torch.stack([state for _, state, _ in moves]))
                errs = errs_in(network, task, [target for target, _, _ in moves], after)
                if errs.any():
                    return np.empty(0), np.empty(0), moves[int(errs.nonzero()[0])][2] + name
                following += [(move[0], state, move[2] + name) for move, state in zip(moves, after, strict=True)]
        layer = []
        for place, state, word in following:
            key = (place, *(state / SAME).round().long().tolist())
            if key not in seen:
                seen.add(key)
                layer.append((place, state, word))
        found += layer
    places = np.array([place for place, _, _ in found])
    states = torch.stack([state for _, state, _ in found]).double().numpy()
    if not layer:
        return places, states, ""
    more, there, word = _wander(network, task)
    return np.concatenate([places, more]), np.concatenate([states, there]), word


def _wander(network: RecurrentNetwork, task: Task) -> tuple[np.ndarray, np.ndarray, str]:
    """The same for long random words: each has preferences of its own, and so stays in loops."""
    draw = np.random.default_rng(0)
    leads = np.array([[-1 if target is None else target for target in targets] for targets in task.targets])
    chances = draw.gamma(PREFERENCE, size=(LONG_WORDS, *leads.shape)) * (leads >= 0) + 1e-9 * (leads >= 0)
    place, state = np.zeros(LONG_WORDS, int), torch.cat(network.initial_state(LONG_WORDS), dim=1)
    symbols, places, states = np.empty((LONG_WORDS, 0), int), list[np.ndarray](), list[np.ndarray]()
    for _ in range(LENGTH):
        going = np.flatnonzero((leads[place] >= 0).any(axis=1))
        chances, symbols, place, state = chances[going], symbols[going], place[going], state[going]
        if not len(place):
            break
        summed = chances[np.arange(len(place)), place].cumsum(axis=1)
        chosen = (summed <= draw.random((len(place), 1)) * summed[:, -1:]).sum(axis=1)
        place, symbols = leads[place, chosen], np.concatenate([symbols, chosen[:, None]], axis=1)
        state = step(network, torch.from_numpy(chosen), state)
        errs = errs_in(network, task, place, state)
        if errs.any():
            wrong = symbols[int(errs.nonzero()[0])]
            return np.empty(0), np.empty((0, state.shape[1])), "".join(task.alphabet[symbol] for symbol in wrong)
        places.append(place)
        states.append(state.double().numpy())
    kept = draw.permutation(sum(map(len, places)))[:MAX_STATES]
    return np.concatenate(places)[kept], np.concatenate(states)[kept], ""


def errs_in(
    network: RecurrentNetwork, task: Task, places: Sequence[int] | np.ndarray, states: torch.Tensor
) -> torch.Tensor:
    """Whether the network does not predict what it must, in states of the automaton and its own, [states]."""
    logits = network.output(states[:, : network.hidden_size])
    legal, place = torch.zeros(len(task.legal), len(task.alphabet), dtype=torch.bool), torch.as_tensor(places)
    for number, symbols in enumerate(task.legal):
        legal[number, list(symbols)] = True
    least = logits.where(legal[place], torch.inf).amin(dim=1)
    most = logits.where(~legal[place], -torch.inf).amax(dim=1)
    return torch.tensor(task.asked)[place] & ~(least > most)


def step(network: RecurrentNetwork, symbol: int | torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """The states after a symbol, or one for each, [states, units]."""
    from_input = network.from_input(torch.as_tensor(symbol).expand(len(states)))
    return torch.cat(network.step(from_input, states.split(network.hidden_size, dim=1))[0], dim=1)
