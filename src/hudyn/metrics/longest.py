"""N*: how far a network counts."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hudyn.languages import Countable
from hudyn.networks.recurrent import State
from hudyn.population import Population

FIRST_NUMBERS = 4  # n tried at first; twice as many each time after, since most networks fail early,
MAX_NUMBERS = 64  # up to this many, which bounds the memory
SYMBOLS_AT_ONCE = 64  # of a word: a word that fails early need not be read to its end


@torch.no_grad()
def longest(population: Population, language: Countable, most: int) -> Tensor:
    """The largest n such that the words 1..n are predicted correctly, alone and after each other, int64 [members].

    A word is correct if every symbol after its first b, and the first symbol of the next word, is the likeliest. Each
    word is tested alone and after every word in the texts, for increasing n until one is wrong.

    Args:
        population: recurrent networks.
        language: what they predict.
        most: upper limit of the search.
    """
    alive = torch.arange(population.members)
    reached = torch.zeros(population.members, dtype=torch.int64)
    states = _after_first_symbol(population, language)
    contexts = torch.arange(states[0].shape[1])  # 0: alone; m: after the word m
    failures = torch.full((population.members, len(contexts)), most + 1)  # first wrong n in each context
    done, number = 0, FIRST_NUMBERS
    while len(alive) and done < most:
        numbers = np.arange(done + 1, min(done + number, most) + 1)
        right, states = _try(population, alive, language, numbers, states, first=done == 0)
        failed = torch.where(right.all(dim=2), most + 1, done + 1 + (~right).int().argmax(dim=2))  # [alive, contexts]
        failures[alive] = torch.minimum(failures[alive], failed)
        for n in map(int, numbers):
            known = failures[:, contexts <= n].amin(dim=1)  # after words up to n
            reached = torch.where((known > n) & (reached == n - 1), n, reached)
        done, number = int(numbers[-1]), min(2 * number, MAX_NUMBERS)
        going = reached[alive] == done
        states = tuple(part[going] for part in states)
        alive = alive[going]
    return reached


def _after_first_symbol(population: Population, language: Countable) -> State:
    """States after a first a: alone, and after each word in the texts, [members, contexts, hidden] each."""
    words = [np.empty(0, np.int64), *(language.word(n) for n in range(1, language.max_n + 1))]
    states = []
    for word in words:
        _, *trajectories = population.map(torch.from_numpy(np.append(word, 0)).expand(population.members, 1, -1))
        states.append([part[:, 0, -1] for part in trajectories])
    return tuple(torch.stack(parts, dim=1) for parts in zip(*states, strict=True))


def _try(
    population: Population, alive: Tensor, language: Countable, numbers: np.ndarray, states: State, first: bool
) -> tuple[Tensor, State]:
    """Whether the words of `numbers` are correct, bool [alive, contexts, numbers], and the states after the last's a's.

    `states`, [alive, contexts, hidden] each, are those after the a's of the number before; after one a if `first`.
    """
    ratio, contexts = int(language.ratios[0]), states[0].shape[1]
    reads = ratio * len(numbers) - first
    trajectories = [part.unsqueeze(2) for part in states]  # [alive, contexts, time, hidden]
    if reads:
        symbols = torch.zeros(len(alive), contexts, reads, dtype=torch.int64)
        _, *after = population.map(symbols, *states, chosen=alive)
        trajectories = [torch.cat([part, more], dim=2) for part, more in zip(trajectories, after, strict=True)]
    places = torch.arange(len(numbers)) * ratio + (ratio - 1 if first else ratio)
    turning = [part[:, :, places] for part in trajectories]  # after all a's, [alive, contexts, numbers, hidden]
    now = tuple(part.flatten(1, 2) for part in turning)  # [alive, rows, hidden]
    rests = [torch.from_numpy(np.append(language.word(int(n))[ratio * n :], 0)) for n in numbers]
    lengths = torch.tensor([len(rest) - 1 for rest in rests]).repeat(contexts)  # [rows]
    symbols = pad_sequence(rests, batch_first=True).repeat(contexts, 1)  # [rows, time + 1]
    right = torch.ones(len(alive), len(symbols), dtype=torch.bool)
    for begin in range(0, symbols.shape[1] - 1, SYMBOLS_AT_ONCE):
        end = min(begin + SYMBOLS_AT_ONCE, symbols.shape[1] - 1)
        logits, *after = population.map(symbols[:, begin:end].expand(len(alive), -1, -1), *now, chosen=alive)
        now = tuple(part[:, :, -1] for part in after)
        over = torch.arange(begin, end) >= lengths[:, None]  # [rows, time]
        right &= ((logits.argmax(-1) == symbols[:, begin + 1 : end + 1]) | over).all(dim=2)
        if not right.any():
            break
    return right.view(len(alive), contexts, len(numbers)), tuple(part[:, :, -1] for part in turning)
