"""LSTMs on a^n b^n as Lan et al. (2024) train them: on all words in each update, with penalties and dropout.

hudyn's own training has no such settings. The updates are made here, by the parts of hudyn's kernels for the CPU, with
a network in each of 16 lanes. Its parameters are those of a `hudyn.networks.LSTM`, and a second bias of the gates.
"""

from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import torch
from numba import njit

from hudyn.kernels.numba.cell import Workspace, backward, parameters_of, scratch_for, workspace
from hudyn.kernels.numba.compile import inlined
from hudyn.kernels.numba.lanes import Sixteen, as_lanes, from_lanes, in_lanes, spread, where
from hudyn.kernels.numba.lstm import Cell
from hudyn.kernels.numba.optimizers import ADAM_RULE, Rule, optimizer_step
from hudyn.kernels.numba.recurrent import predict, process
from hudyn.kernels.threads import share_out
from hudyn.networks import LSTM
from hudyn.population import Population
from sampled import P, drawn

UNITS, SYMBOLS = 3, 3  # the symbols are #, a and b
SIZES = 4 * UNITS * SYMBOLS, 4 * UNITS * UNITS, 4 * UNITS, SYMBOLS * UNITS, SYMBOLS, 4 * UNITS  # the last: second bias
PARAMETERS, BIAS, SECOND_BIAS = sum(SIZES), sum(SIZES[:2]), sum(SIZES[:5])
UPDATES, RATE, BETAS, EPSILON = 20_000, 0.001, (0.9, 0.999), 1e-8  # of Adam
PATIENCES = 2, 10  # updates without a better validation loss after which networks are kept
LEAST_SHARE = 1e-6  # validation words that weigh less than this are left out


@dataclass(frozen=True)
class Setting:
    """How a network is trained.

    Attributes:
        initialisation: normal, from N(0, 1), or uniform, from U(0, 1).
        seed: of its initial parameters.
        l1: factor of the sum of absolute parameters in the loss.
        l2: of the sum of squares.
        dropout: share of the hidden units that the output layer does not see.
    """

    initialisation: str = "normal"
    seed: int = 100
    l1: float = 0.0
    l2: float = 0.0
    dropout: float = 0.0

    @property
    def start(self) -> np.ndarray:
        """Initial parameters."""
        generator = np.random.default_rng(self.seed)
        draw = generator.standard_normal if self.initialisation == "normal" else generator.random
        return draw(PARAMETERS, dtype=np.float32)

    @property
    def about(self) -> str:
        """Which of three parts of the grid it belongs to."""
        return "a penalty" if self.l1 or self.l2 else "dropout alone" if self.dropout else "neither penalty nor dropout"


PENALTIES = (0.0, 0.0), (0.1, 0.0), (0.5, 0.0), (1.0, 0.0), (0.0, 0.1), (0.0, 0.5), (0.0, 1.0)
GRID = [
    Setting(initialisation, seed, l1, l2, dropout)
    for (l1, l2), dropout, initialisation, seed in product(
        PENALTIES, (0.0, 0.2, 0.4, 0.6), ("normal", "uniform"), (100, 200, 300, 400, 500)
    )
]


def trained_by(settings: list[Setting], size: int, updates: int = UPDATES) -> np.ndarray:
    """Parameters after training, where each of `PATIENCES` ends and after all updates, [patiences, settings, ...].

    Args:
        settings: of each network.
        size: number of words, of which 95 % are trained on; the other 5 % is the number of longer ones for validation.
        updates: how many are made.
    """
    width = Sixteen()
    numbers, counts = np.unique(drawn(size), return_counts=True)
    beyond = np.arange(size - size * 95 // 100)
    beyond = beyond[(1 - P) ** beyond >= LEAST_SHARE]
    longer = numbers.max() + 1 + beyond
    words = numbers, _shares(numbers, counts), longer, _shares(longer, (1 - P) ** beyond)
    starts, l1, dropout, adam = (
        as_lanes(np.array([kind(setting) for setting in settings], np.float32), width.lanes)
        for kind in (
            lambda setting: setting.start,
            lambda setting: [setting.l1],
            lambda setting: setting.dropout,
            lambda setting: [1 - BETAS[0], BETAS[1], 1 - BETAS[1], EPSILON, 2 * setting.l2],
        )
    )
    ends = np.zeros((len(starts), len(PATIENCES) + 1, PARAMETERS, width.lanes), np.float32)
    cell, positions = Cell(SYMBOLS, UNITS), 2 * int(longer.max()) + 2

    def train(groups: np.ndarray) -> None:
        for group in groups:
            scratch = scratch_for(width, cell, positions, 2, SECOND_BIAS, starts.dtype)
            factors = np.ones((2, positions, UNITS, width.lanes), np.float32)  # drawn by dropout, and those without
            arrays = np.zeros((3, PARAMETERS, width.lanes), np.float32)  # gradient, and Adam's moments
            _train(
                width, cell, Rule(ADAM_RULE), scratch, starts[group], adam[group], l1[group], dropout[group], *words,
                updates, arrays, factors, np.zeros_like(factors[0]), ends[group], np.random.default_rng(group),
            )  # fmt: skip

    share_out(train, np.arange(len(starts)))
    return from_lanes(ends, len(settings)).swapaxes(0, 1)


def population_of(vectors: np.ndarray) -> Population:
    """Networks of hudyn with these parameters, [networks, parameters]."""
    *parts, second_bias = torch.from_numpy(vectors).split(SIZES, dim=1)
    parts[2] = parts[2] + second_bias
    population = Population(partial(LSTM, SYMBOLS, UNITS), members=len(vectors))
    for parameter, part in zip(population.parameters(), parts, strict=True):
        parameter.data = part.reshape(parameter.shape)
    return population


def _shares(numbers: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """What a symbol of the word of each n contributes to the loss."""
    return np.asarray(counts / np.sum(counts * (2 * numbers + 1)), np.float32)


@inlined
def _join(vector, network):
    """Give the cell's network, which has one bias, the sum of the two. Loops, for numba compiles slices slowly."""
    for i in range(SECOND_BIAS):
        network[i] = vector[i]
    for i in range(4 * UNITS):
        network[BIAS + i] += vector[SECOND_BIAS + i]


@inlined
def _word(width, cell, n, scale, kept, is_learned, weights, slopes, scratch, work, read_out):
    """The loss of # a^n b^n #, times `scale`; if it is learned, its gradient is added to `slopes`.

    The readout sees the hidden states in `read_out`: those of the cell, each times what `kept` has for it.
    """
    for lane in range(width.lanes):
        scratch.lengths[0, lane] = 2 * n + 1
        for time in range(2 * n + 2):
            scratch.symbols[time, lane] = 0 if time in (0, 2 * n + 1) else 1 if time <= n else 2
    d_start, loss = in_lanes(width, scratch.d_start), 0.0 * scale
    for time in range(process(width, cell, in_lanes(width, scratch.start), weights, scratch, work)):
        for unit in range(UNITS):
            read_out.hidden[time + 1, unit] = work.hidden[time + 1, unit] * kept[time, unit]
        loss += scale * predict(cell, time, scale, weights, slopes, read_out)
        for unit in range(UNITS):
            work.d_hidden[time, unit] = work.d_hidden[time, unit] * kept[time, unit]
    if is_learned:
        for kind in range(2):
            for unit in range(UNITS):
                d_start[kind, unit] = 0.0 * scale
        for time in range(2 * n, -1, -1):
            backward(cell, time, d_start, weights, slopes, work)
    return loss


@njit(nogil=True, error_model="numpy")
def _train(
    width, cell, rule, scratch, parameters, adam, l1, dropout, numbers, shares, longer, longer_shares, updates, arrays,
    factors, seen, ends, generator,
):  # fmt: skip
    """Train the networks of a group; fill in the parameters at each end, [ends, parameters, lanes]."""
    work = workspace(width, scratch)
    read_out = Workspace(
        work.symbols, work.lengths, in_lanes(width, seen), work.context, work.squashed, work.gates, work.d_hidden,
        work.nets, work.probabilities,
    )  # fmt: skip
    vector, gradient, network = in_lanes(width, parameters), in_lanes(width, arrays[0]), in_lanes(width, scratch.vector)
    first, second, settings = in_lanes(width, arrays[1]), in_lanes(width, arrays[2]), in_lanes(width, adam)
    weights, slopes = parameters_of(cell, network), parameters_of(cell, gradient[:SECOND_BIAS])
    kept, all_kept = in_lanes(width, factors[0]), in_lanes(width, factors[1])
    penalty, one, loss = in_lanes(width, l1), spread(vector[0], 1.0), in_lanes(width, scratch.losses)
    best, waited = np.full(width.lanes, np.inf), np.zeros(width.lanes, np.int64)
    ended = np.zeros(width.lanes, np.int64)
    for update in range(1, updates + 1):
        for i in range(PARAMETERS):
            gradient[i] = 0.0 * one
        _join(vector, network)
        for word, n in enumerate(numbers):
            for time in range(2 * n + 1 if dropout.max() > 0 else 0):
                for unit in range(UNITS):
                    for lane, share in enumerate(dropout):
                        factors[0, time, unit, lane] = 0 if generator.random() < share else 1 / (1 - share)
            _word(width, cell, n, shares[word] * one, kept, True, weights, slopes, scratch, work, read_out)
        for i in range(4 * UNITS):
            gradient[SECOND_BIAS + i] = gradient[BIAS + i]
        for i in range(PARAMETERS):
            gradient[i] += penalty[0] * where(vector[i] > 0.0, one, where(vector[i] < 0.0, 0.0 - one, 0.0))
        size, correction = RATE / (1 - BETAS[0] ** update), 1 / np.sqrt(1 - BETAS[1] ** update)
        optimizer_step(rule, settings, vector, gradient, first, second, size * one, one, np.float32(correction))
        if ended.min() == len(PATIENCES):
            continue
        _join(vector, network)
        loss[0] = 0.0 * one
        for word, n in enumerate(longer):
            share = longer_shares[word] * one
            loss[0] += _word(width, cell, n, share, all_kept, False, weights, slopes, scratch, work, read_out)
        for lane in range(width.lanes):
            waited[lane] = 0 if scratch.losses[0, lane] < best[lane] else waited[lane] + 1
            best[lane] = min(scratch.losses[0, lane], best[lane])
            while ended[lane] < len(PATIENCES) and waited[lane] >= PATIENCES[ended[lane]]:
                for i in range(PARAMETERS):
                    ends[ended[lane], i, lane] = parameters[i, lane]
                ended[lane] += 1
    for lane in range(width.lanes):
        for end in range(ended[lane], len(PATIENCES) + 1):
            for i in range(PARAMETERS):
                ends[end, i, lane] = parameters[i, lane]
