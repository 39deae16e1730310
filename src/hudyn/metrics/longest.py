"""N*: how far a network counts."""

import numpy as np
import torch
from torch import Tensor

from hudyn.languages import Counting
from hudyn.population import Population

NUMBERS_AT_ONCE = 64
SYMBOLS_AT_ONCE = 64


@torch.no_grad()
def longest(population: Population, language: Counting, most: int) -> Tensor:
    """The largest n such that the words 1..n are right, alone and after one another, int64 [members].

    A word is right where every symbol after its first b, and the first symbol of the next word, is the likeliest. As
    words before another, those that training draws are tried. Words are tried upwards until one is wrong.

    Args:
        population: recurrent networks.
        language: of counting.
        most: where the search ends.
    """
    alive = torch.arange(population.members)
    reached = torch.zeros(population.members, dtype=torch.int64)
    states = _after_first_symbol(population, language)
    contexts = torch.arange(states[0].shape[1])  # 0 for none, m for after the word m
    failures = torch.full((population.members, len(contexts)), most + 1)  # first wrong number in each context
    done, number = 0, 4
    while len(alive) and done < most:
        numbers = np.arange(done + 1, min(done + number, most) + 1)
        right, states = _try(population, alive, language, numbers, states, first=done == 0)
        found = torch.where(right.all(dim=2), most + 1, done + 1 + (~right).int().argmax(dim=2))  # [alive, contexts]
        failures[alive] = torch.minimum(failures[alive], found)
        for n in map(int, numbers):
            known = failures[:, contexts <= n].amin(dim=1)  # of the contexts that are words up to n
            reached = torch.where((known > n) & (reached == n - 1), n, reached)
        done, number = int(numbers[-1]), min(2 * number, NUMBERS_AT_ONCE)
        going = reached[alive] == done
        states = tuple(part[going] for part in states)
        alive = alive[going]
    return reached


def _after_first_symbol(population: Population, language: Counting) -> tuple[Tensor, ...]:
    """States after a first a: alone, and after each word that is drawn, [members, contexts, hidden] each."""
    contexts = [np.array([], np.int64), *(language.word(n) for n in range(1, language.max_n + 1))]
    found = []
    for before in contexts:
        symbols = torch.from_numpy(np.append(before, 0)).expand(population.members, 1, -1)
        _, *trajectories = population.map(symbols)
        found.append([part[:, 0, -1] for part in trajectories])
    return tuple(torch.stack(parts, dim=1) for parts in zip(*found, strict=True))


def _try(
    population: Population,
    alive: Tensor,
    language: Counting,
    numbers: np.ndarray,
    states: tuple[Tensor, ...],
    first: bool,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Whether the words of `numbers` are right, and the states after the last one's a's.

    Args:
        population: recurrent networks.
        alive: the members that are tried.
        language: of counting.
        numbers: consecutive.
        states: after the a's of the number before, [alive, contexts, hidden] each; where `first`, after one a.
        first: whether `numbers` begin with 1.

    Returns:
        bool [alive, contexts, numbers], and states [alive, contexts, hidden].
    """
    ratio, contexts = int(language.ratios[0]), states[0].shape[1]
    reads = ratio * len(numbers) - first
    trajectories = [part.unsqueeze(2) for part in states]  # [alive, contexts, time, hidden]
    if reads:
        symbols = torch.zeros(len(alive), contexts, reads, dtype=torch.int64)
        _, *after = population.map(symbols, *states, chosen=alive)
        trajectories = [torch.cat([part, own], dim=2) for part, own in zip(trajectories, after, strict=True)]
    places = torch.arange(len(numbers)) * ratio + (ratio - 1 if first else ratio)
    turning = [part[:, :, places] for part in trajectories]  # after all a's, [alive, contexts, numbers, hidden]
    shape = len(alive), contexts, len(numbers)
    now = tuple(part.flatten(1, 2) for part in turning)  # [alive, rows, hidden]
    rests = [np.append(language.word(int(n))[ratio * n :], 0) for n in numbers]
    lengths = torch.tensor([len(rest) - 1 for rest in rests]).repeat(contexts)  # [rows]
    table = np.zeros((len(rests), max(map(len, rests))), np.int64)
    for row, rest in zip(table, rests, strict=True):
        row[: len(rest)] = rest
    symbols = torch.from_numpy(table).repeat(contexts, 1)  # [rows, time + 1]
    right = torch.ones(len(alive), len(symbols), dtype=torch.bool)
    for begin in range(0, symbols.shape[1] - 1, SYMBOLS_AT_ONCE):
        end = min(begin + SYMBOLS_AT_ONCE, symbols.shape[1] - 1)
        logits, *after = population.map(symbols[:, begin:end].expand(len(alive), -1, -1), *now, chosen=alive)
        now = tuple(part[:, :, -1] for part in after)
        over = torch.arange(begin, end) >= lengths[:, None]  # [rows, time]
        right &= ((logits.argmax(-1) == symbols[:, begin + 1 : end + 1]) | over).all(dim=2)
        if not right.any():
            break
    return right.view(shape), tuple(part[:, :, -1] for part in turning)
