"""Recurrent networks with weights set by hand, whose dynamics are known: counters, chosen fixed points, automata."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from hudyn.arguments import ArgumentError, Positive, checked
from hudyn.languages import FiniteState
from hudyn.languages.moore import breadth_first
from hudyn.networks.recurrent import LSTM, SRN, RecurrentNetwork

SATURATED = 40.0  # net input at which tanh and the logistic function are 1 to rounding, even in float64
CERTAIN = 32.0  # log-odds of a certain prediction: the other symbol has a probability of 1e-14
NEVER = -64.0  # logit of a symbol that cannot come; symbols that can have logits near 0
RESET = 4.0  # weight that drives a unit to its bound
LARGEST_N = 16  # that single precision can count on one unit whose distances halve


class CountingLSTM(LSTM):
    """Counts a^n b^n exactly, with gates that are 0 or 1, and predicts the true distribution.

    The context of unit 1 goes up by 1 with each a and down by 1 with each b; its gates are open. The other units keep
    no context: unit k + 1 is on while the last k symbols were a, which gives the probability that the a's end.

    Args:
        max_n: largest n in the texts, where n is uniform.

    Raises:
        ArgumentError: max_n < 1.
    """

    @checked
    def __init__(self, max_n: Positive = 4) -> None:
        super().__init__(alphabet_size=2, hidden_size=1 + max_n)
        on = math.tanh(1.0)  # hidden state where the context is 1
        bias = np.zeros((4, 1 + max_n))  # input, forget, candidate, output
        from_symbol, from_hidden = np.zeros((4, 1 + max_n, 2)), np.zeros((4, 1 + max_n, 1 + max_n))
        bias[3] = SATURATED
        bias[:2, 0] = SATURATED
        from_symbol[2, 0] = SATURATED, -SATURATED
        bias[1, 1:], bias[2, 1:] = -SATURATED, SATURATED
        from_symbol[0, 1] = SATURATED, -SATURATED
        from_symbol[0, 2:, 0] = 2 * SATURATED  # needs both an a and the previous unit
        bias[0, 2:] = -3 * SATURATED
        for unit in range(2, 1 + max_n):
            from_hidden[0, unit, unit - 1] = 2 * SATURATED / on
        runs = np.arange(1, 1 + max_n)
        by_count = CERTAIN * (2 * np.tanh(runs) / on - 1)  # log-odds of b from the counter
        by_run = np.diff((_log_odds_of_turn(max_n) - by_count) / on, prepend=0)
        _set(
            self,
            input_weight=from_symbol.reshape(-1, 2),
            hidden_weight=from_hidden.reshape(-1, 1 + max_n),
            bias=bias.ravel(),
            output_weight=[np.zeros(1 + max_n), np.append(2 * CERTAIN / on, by_run)],
            output_bias=[0, -CERTAIN],
        )


class FixedPointSRN(SRN):
    """Has a chosen fixed point under each symbol, the first with a chosen Jacobian J: diag(1 - h²) U = J.

    All maps share U, so the Jacobian at another fixed point g is diag((1 - g²) / (1 - h²)) J. The network starts in 0.

    Args:
        jacobian: J, one row of numbers per hidden unit.
        fixed_points: a state for each symbol, one number between -1 and 1 per hidden unit.

    Raises:
        ArgumentError: numbers of the wrong shape, or states out of range.
    """

    def __init__(self, jacobian: Sequence[Sequence[float]], fixed_points: Sequence[Sequence[float]]) -> None:
        points = _table("fixed_points", fixed_points)  # [alphabet, hidden]
        hidden_size = points.shape[1]
        slopes = _table("jacobian", jacobian)
        if slopes.shape != (hidden_size, hidden_size):
            message = f"expected {hidden_size} rows of {hidden_size} numbers, got {jacobian}"
            raise ArgumentError("jacobian", message)
        if not (np.abs(points) < 1).all():
            raise ArgumentError("fixed_points", f"expected numbers between -1 and 1, got {fixed_points}")
        super().__init__(alphabet_size=len(points), hidden_size=hidden_size)
        weights = slopes / (1 - points[0] ** 2)[:, None]  # U
        _set(self, input_weight=(np.arctanh(points) - points @ weights.T).T, hidden_weight=weights)


class CountingSRN(SRN):
    """Counts a^n b^n on one unit, whose distance from a fixed point halves with each a and doubles with each b.

    Under a, the fixed point is attracting, with an eigenvalue of 1/2. The first b maps it onto the fixed point of b, a
    saddle with an eigenvalue of 2 (Rodriguez, Wiles & Elman 1999). Rounding limits the count: it ends where a halved
    distance cannot be distinguished from 0.

    Unit 1 counts. Unit 2 is the last symbol. Unit 3 is on after a whole word and resets unit 1 at the next a. Unit
    k + 2, for k = 2..max_n, is on from the k-th a of a word to the last, which gives the probability that the a's end.

    Args:
        max_n: largest n in the texts, where n is uniform.

    Raises:
        ArgumentError: max_n is not in 1..16.
    """

    @checked
    def __init__(self, max_n: Positive = 4) -> None:
        if max_n > LARGEST_N:
            message = f"expected at most {LARGEST_N}, beyond which single precision cannot count, got {max_n}"
            raise ArgumentError("max_n", message)
        hidden_size = 2 + max_n
        super().__init__(alphabet_size=2, hidden_size=hidden_size)
        point = math.sqrt(3) / 2  # fixed point of a; that of b is 0
        phase = math.tanh(2.0)  # unit 2 after a; minus this after b
        from_hidden = np.zeros((hidden_size, hidden_size))
        from_hidden[0, :3] = 2, -point / phase, RESET  # to a slope of 2 at 0, and of 2 (1 - 3/4) at the point of a
        from_symbol = np.zeros((hidden_size, 2))
        from_symbol[0] = math.atanh(point) - point + RESET, RESET - point
        from_symbol[1] = math.atanh(phase), -math.atanh(phase)

        def gate(unit: int, symbol: int, low: float, high: float) -> None:
            """Switch `unit` on if `symbol` is read and the net input of unit 1 is closer to `high` than to `low`."""
            gain = 2 * SATURATED / (high - low)
            from_hidden[unit] = gain * from_hidden[0]
            from_symbol[unit] = -abs(gain) * SATURATED  # off at every other symbol
            from_symbol[unit, symbol] = gain * (from_symbol[0, symbol] - (low + high) / 2)

        counted = [1.0]  # unit 1 after each a
        for _ in range(1, max_n):
            counted.append(math.tanh(2 * (counted[-1] - point) + math.atanh(point)))
        net = np.arctanh(np.clip(counted, -1, 1 - 1e-9))
        gate(2, 1, 0.108, 0.175)  # the net input is below before the last b, above at the last b
        for unit in range(3, hidden_size):
            gate(unit, 0, net[unit - 3], net[unit - 2])
        turn = _log_odds_of_turn(max_n)
        by_run = np.diff(turn) / 2  # each unit goes from -1 to 1
        by_symbol = (turn[0] - CERTAIN) / 2
        _set(
            self,
            input_weight=from_symbol,
            hidden_weight=from_hidden,
            initial_hidden=[0, -2, SATURATED, *[-SATURATED] * (max_n - 1)],
            output_weight=[np.zeros(hidden_size), [0, by_symbol / phase, -CERTAIN, *by_run]],
            output_bias=[0, by_symbol + by_run.sum()],
        )


class AutomatonSRN(SRN):
    """Implements a finite-state language exactly: one unit, 1 or -1, for each state and symbol that may follow it.

    A unit is on after its symbol was read in its state, so it stands for the state that follows (Minsky 1967). After a
    symbol that cannot come, all units stay off.

    Args:
        transitions: as for `hudyn.languages.FiniteState`.
        start: the state where words begin.
        end: the state where words end; the network starts in it.

    Attributes:
        units: state and symbol of each unit.
    """

    def __init__(self, transitions: Mapping[Any, Any], start: str, end: str) -> None:
        language = FiniteState(transitions, start, end)
        table = {str(state): list(leaving) for state, leaving in transitions.items()}
        table[end] = table[start]
        reached = breadth_first(end, lambda state: [str(move["to"]) for move in table[state]])
        moves = [(state, move) for state in reached for move in table[state]]
        super().__init__(len(language.alphabet), len(moves))
        self.units = [(state, str(move["symbol"])) for state, move in moves]
        leads_to = np.array([str(move["to"]) for _, move in moves])
        before = leads_to == np.array([state for state, _ in self.units])[:, None]  # [unit, unit before]
        symbols = np.array([symbol for _, symbol in self.units])[:, None] == np.array(language.alphabet)
        logits = np.full((len(language.alphabet), len(moves)), NEVER)
        for unit, state in enumerate(leads_to):
            shares = np.array([move.get("probability", 1) for move in table[state]], dtype=float)
            for move, share in zip(table[state], shares, strict=True):
                logits[language.alphabet.index(move["symbol"]), unit] = math.log(share / shares.max())
        initial = np.full(len(moves), -SATURATED)
        initial[np.flatnonzero(leads_to == end)[0]] = SATURATED
        _set(
            self,
            input_weight=2 * SATURATED * symbols,
            hidden_weight=SATURATED * before,
            bias=SATURATED * (before.sum(axis=1) - 3),
            initial_hidden=initial,
            output_weight=logits / 2,
            output_bias=logits.sum(axis=1) / 2,
        )


def _log_odds_of_turn(max_n: int) -> np.ndarray:
    """Log-odds of a b after 1..max_n a's, [max_n], where n is uniform on 1..max_n."""
    return np.append(-np.log(np.arange(max_n - 1, 0, -1)), CERTAIN)


def _table(name: str, rows: Sequence[Sequence[float]]) -> np.ndarray:
    """The rows as a matrix of finite numbers."""
    try:
        table = np.array([list(row) for row in rows], dtype=float)
    except (ValueError, TypeError):
        table = np.empty(0)
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        raise ArgumentError(name, f"expected rows of numbers, all as long, got {rows}")
    return table


def _set(network: RecurrentNetwork, **values: Any) -> None:
    """Set and freeze the parameters: these values, and 0 for those that are not named."""
    for name, parameter in network.named_parameters():
        value = values.get(name.replace(".", "_"), 0.0)
        parameter.data = torch.as_tensor(np.array(value), dtype=parameter.dtype).expand(parameter.shape).clone()
        parameter.requires_grad_(False)
