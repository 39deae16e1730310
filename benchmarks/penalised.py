"""LSTMs on a^n b^n as Lan et al. (2024) train them: on all words in each update, with penalties and dropout.

hudyn's own training has no such settings, so the updates are made here, by the functions of hudyn's kernels: a network
in each lane of a vector. Parameters are ordered as in torch.nn.LSTM, which has two biases, and torch.nn.Linear.
"""

from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import torch
from numba import njit

from hudyn.kernels.numba.compile import inlined
from hudyn.kernels.numba.functions import exp, log, sigmoid, tanh
from hudyn.kernels.numba.lanes import Sixteen, as_lanes, from_lanes, in_lanes, multiply_add, spread, square_root, where
from hudyn.kernels.threads import share_out
from hudyn.networks import LSTM
from hudyn.population import Population
from sampled import P, drawn

UNITS, SYMBOLS = 3, 3  # the symbols are #, a and b
GATES = 4 * UNITS
SIZES = GATES * SYMBOLS, GATES * UNITS, GATES, GATES, SYMBOLS * UNITS, SYMBOLS
PARAMETERS = sum(SIZES)
RECURRENT, BIAS, SECOND_BIAS, READOUT, READOUT_BIAS = (sum(SIZES[:part]) for part in range(1, 6))
UPDATES, PATIENCES = 20_000, (2, 10)  # updates without a better validation loss after which networks are kept
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
    numbers, counts = np.unique(drawn(size), return_counts=True)
    beyond = np.arange(size - size * 95 // 100)
    beyond = beyond[(1 - P) ** beyond >= LEAST_SHARE]
    longer = numbers.max() + 1 + beyond
    words = numbers, _shares(numbers, counts), longer, _shares(longer, (1 - P) ** beyond)
    starts = as_lanes(np.array([setting.start for setting in settings]), 16)
    factors = as_lanes(np.array([[s.l1, s.l2, s.dropout] for s in settings], np.float32), 16)
    ends = np.zeros((len(starts), len(PATIENCES) + 1, PARAMETERS, 16), np.float32)
    longest = 2 * int(longer.max()) + 1
    shapes = (
        *((2, longest + 1, UNITS), (longest, GATES), (longest, UNITS), (SYMBOLS,), (GATES,)),
        *((UNITS,), (2, UNITS), *[(PARAMETERS,)] * 3, (1,)),
    )

    def train(groups: np.ndarray) -> None:
        scratch = tuple(np.zeros((*shape, 16), np.float32) for shape in shapes)
        for group in groups:
            for part in scratch:
                part[:] = 0
            _train(Sixteen(), starts[group], factors[group], *words, updates, ends[group], scratch, int(group))

    share_out(train, np.arange(len(starts)))
    return from_lanes(ends, len(settings)).swapaxes(0, 1)


def population_of(vectors: np.ndarray) -> Population:
    """Networks of hudyn with these parameters, [networks, parameters]."""
    inputs, recurrent, bias, second_bias, readout, readout_bias = torch.from_numpy(vectors).split(SIZES, dim=1)
    population = Population(partial(LSTM, SYMBOLS, UNITS), members=len(vectors))
    parts = {
        "input_weight": inputs,
        "hidden_weight": recurrent,
        "bias": bias + second_bias,
        "output.weight": readout,
        "output.bias": readout_bias,
    }
    with torch.no_grad():
        for name, parameter in population.network.named_parameters():
            parameter.copy_(parts[name].reshape(parameter.shape))
    return population


def _shares(numbers: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """What a symbol of the word of each n contributes to the loss."""
    return np.asarray(counts / np.sum(counts * (2 * numbers + 1)), np.float32)


@inlined
def _read(vector, symbol, before, gates, after):
    """Process a symbol: from the states `before`, [2][units], to those `after`, with the gates, [4 · units]."""
    for row in range(GATES):
        net = vector[row * SYMBOLS + symbol] + vector[BIAS + row] + vector[SECOND_BIAS + row]
        for unit in range(UNITS):
            net = multiply_add(vector[RECURRENT + row * UNITS + unit], before[0][unit], net)
        gates[row] = tanh(net) if 2 * UNITS <= row < 3 * UNITS else sigmoid(net)
    for unit in range(UNITS):
        context = multiply_add(gates[UNITS + unit], before[1][unit], gates[unit] * gates[2 * UNITS + unit])
        after[1][unit] = context
        after[0][unit] = gates[3 * UNITS + unit] * tanh(context)


@inlined
def _predict(vector, hidden, target, chances):
    """The loss of a prediction in nats; fills in the probabilities of the symbols."""
    for symbol in range(SYMBOLS):
        logit = vector[READOUT_BIAS + symbol]
        for unit in range(UNITS):
            logit = multiply_add(vector[READOUT + symbol * UNITS + unit], hidden[unit], logit)
        chances[symbol] = logit
    largest = chances[0]
    for symbol in range(1, SYMBOLS):
        largest = where(chances[symbol] > largest, chances[symbol], largest)
    total, correct = spread(largest, 0.0), chances[target] - largest
    for symbol in range(SYMBOLS):
        chances[symbol] = exp(chances[symbol] - largest)
        total += chances[symbol]
    for symbol in range(SYMBOLS):
        chances[symbol] = chances[symbol] / total
    return log(total) - correct


@inlined
def _loss(vector, numbers, shares, states, gates, chances):
    """The weighted loss of the words # a^n b^n # of consecutive n, which read the same a's."""
    hidden, contexts = states[0], states[1]
    loss, most, end = spread(vector[0], 0.0), numbers[-1], len(hidden) - 1
    for time in range(most + 1):
        after = hidden[time + 1], contexts[time + 1]
        _read(vector, 1 if time else 0, (hidden[time], contexts[time]), gates, after)
        if time < most:
            longer = np.float32(0)
            for word in range(len(numbers)):
                longer += shares[word] if numbers[word] > time else np.float32(0)
            loss += longer * _predict(vector, after[0], 1, chances)
        for word in range(len(numbers)):
            if numbers[word] == time:
                loss += shares[word] * _predict(vector, after[0], 2, chances)
    for word in range(len(numbers)):
        n = numbers[word]
        for unit in range(UNITS):
            hidden[end][unit], contexts[end][unit] = hidden[n + 1][unit], contexts[n + 1][unit]
        for left in range(n - 1, -1, -1):
            _read(vector, 2, (hidden[end], contexts[end]), gates, (hidden[end], contexts[end]))
            loss += shares[word] * _predict(vector, hidden[end], 2 if left else 0, chances)
    return loss


@inlined
def _add_gradient(vector, n, share, kept, slopes, scratch):
    """Add the gradient of a word's weighted loss to `slopes`; `kept` has each unit's factor as it is read out."""
    states, gates, seen, chances, deltas, by_context, by_hidden = scratch
    hidden, contexts = states[0], states[1]
    for time in range(2 * n + 1):
        symbol = 0 if time == 0 else 1 if time <= n else 2
        before, after = (hidden[time], contexts[time]), (hidden[time + 1], contexts[time + 1])
        _read(vector, symbol, before, gates[time], after)
    for unit in range(UNITS):
        by_context[unit] = by_hidden[unit] = spread(vector[0], 0.0)
    for time in range(2 * n, -1, -1):
        target, gate = (0 if time == 2 * n else 1 if time < n else 2), gates[time]
        for unit in range(UNITS):
            seen[unit] = hidden[time + 1, unit] * kept[time, unit]
        _predict(vector, seen, target, chances)
        for symbol in range(SYMBOLS):
            slope = share * (chances[symbol] - (1.0 if symbol == target else 0.0))
            slopes[READOUT_BIAS + symbol] += slope
            for unit in range(UNITS):
                at = READOUT + symbol * UNITS + unit
                slopes[at] = multiply_add(slope, seen[unit], slopes[at])
                by_hidden[unit] += slope * vector[at] * kept[time, unit]
        for unit in range(UNITS):
            enter, keep = gate[unit], gate[UNITS + unit]
            candidate, leave = gate[2 * UNITS + unit], gate[3 * UNITS + unit]
            squashed = tanh(contexts[time + 1, unit])
            inside = multiply_add(by_hidden[unit] * leave, 1.0 - squashed * squashed, by_context[unit])
            deltas[unit] = inside * candidate * enter * (1.0 - enter)
            deltas[UNITS + unit] = inside * contexts[time, unit] * keep * (1.0 - keep)
            deltas[2 * UNITS + unit] = inside * enter * (1.0 - candidate * candidate)
            deltas[3 * UNITS + unit] = by_hidden[unit] * squashed * leave * (1.0 - leave)
            by_context[unit], by_hidden[unit] = inside * keep, spread(inside, 0.0)
        symbol = 0 if time == 0 else 1 if time <= n else 2
        for row in range(GATES):
            slopes[row * SYMBOLS + symbol] += deltas[row]
            slopes[BIAS + row] += deltas[row]
            for unit in range(UNITS):
                at = RECURRENT + row * UNITS + unit
                slopes[at] = multiply_add(deltas[row], hidden[time, unit], slopes[at])
                by_hidden[unit] = multiply_add(deltas[row], vector[at], by_hidden[unit])


@njit(nogil=True)
def _train(width, start, factors, numbers, shares, longer, longer_shares, updates, ends, scratch, seed):
    """Train the networks of a group by Adam (Kingma & Ba 2015); fill in the parameters at each end, [ends, ...]."""
    np.random.seed(seed)  # noqa: NPY002 # numba's own
    keeps, losses = scratch[2], scratch[-1]
    vector, weights = in_lanes(width, start), in_lanes(width, factors)
    states, gates, kept = in_lanes(width, scratch[0]), in_lanes(width, scratch[1]), in_lanes(width, keeps)
    chances, deltas, seen = in_lanes(width, scratch[3]), in_lanes(width, scratch[4]), in_lanes(width, scratch[5])
    derivatives, slopes = in_lanes(width, scratch[6]), in_lanes(width, scratch[7])
    first, second, loss = in_lanes(width, scratch[8]), in_lanes(width, scratch[9]), in_lanes(width, losses)
    work = states, gates, seen, chances, deltas, derivatives[0], derivatives[1]
    best, waited = np.full(width.lanes, np.inf), np.zeros(width.lanes, np.int64)
    ended = np.zeros(width.lanes, np.int64)
    keeps[:] = 1
    for update in range(1, updates + 1):
        for i in range(PARAMETERS):
            slopes[i] = spread(vector[i], 0.0)
        for word in range(len(numbers)):
            if factors[2].max() > 0:
                for time in range(2 * numbers[word] + 1):
                    for unit in range(UNITS):
                        for lane in range(width.lanes):
                            dropped = np.random.random() < factors[2, lane]  # noqa: NPY002
                            keeps[time, unit, lane] = 0.0 if dropped else 1 / (1 - factors[2, lane])
            _add_gradient(vector, numbers[word], shares[word], kept, slopes, work)
        for i in range(BIAS, SECOND_BIAS):
            slopes[i + GATES] = slopes[i]
        for i in range(PARAMETERS):
            sign = where(vector[i] > 0.0, spread(vector[i], 1.0), where(vector[i] < 0.0, spread(vector[i], -1.0), 0.0))
            slope = slopes[i] + weights[0] * sign + 2.0 * weights[1] * vector[i]
            first[i] += 0.1 * (slope - first[i])
            second[i] += 0.001 * (slope * slope - second[i])
            root = square_root(second[i]) * (1 / np.sqrt(1 - 0.999**update)) + 1e-8
            vector[i] -= 0.001 / (1 - 0.9**update) * first[i] / root
        if ended.min() < len(PATIENCES):
            loss[0] = _loss(vector, longer, longer_shares, states, gates[0], chances)
            for lane in range(width.lanes):
                waited[lane] = 0 if losses[0, lane] < best[lane] else waited[lane] + 1
                best[lane] = min(losses[0, lane], best[lane])
                while ended[lane] < len(PATIENCES) and waited[lane] >= PATIENCES[ended[lane]]:
                    ends[ended[lane], :, lane] = start[:, lane]
                    ended[lane] += 1
    for lane in range(width.lanes):
        for end in range(ended[lane], len(PATIENCES) + 1):
            ends[end, :, lane] = start[:, lane]
