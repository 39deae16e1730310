"""The map of the state that each symbol defines, and the steps that a network takes as it reads texts."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hudyn.arguments import ArgumentError
from hudyn.networks.recurrent import RecurrentNetwork

STEADY = 0.1  # a unit counts if the standard deviation of its steps is less than this share of their mean,
MOVING = 0.01  # and their mean is larger than this


@dataclass(frozen=True)
class Visits:
    """The steps that a network took as it read texts; a state is the hidden and, where there are any, context units."""

    symbols: Tensor  # the symbol of each step, [steps]
    before: Tensor  # states before, [steps, units]
    after: Tensor  # states after, [steps, units]
    again: Tensor  # whether the symbol before was the same, bool [steps]


@dataclass(frozen=True)
class Drift:
    """How far each unit of the state moves per step while a symbol repeats, as in the texts."""

    symbol: int  # index into the alphabet
    mean: np.ndarray  # mean change per step, [units]
    spread: np.ndarray  # standard deviation of the change, [units]
    steps: int  # number of steps
    units: tuple[str, ...]  # names of the units

    @property
    def counting(self) -> tuple[int, ...]:
        """Indices of the units that count: the spread is below a tenth of the mean, and the mean above 0.01."""
        steady = (self.spread < STEADY * np.abs(self.mean)) & (np.abs(self.mean) > MOVING)
        return tuple(np.flatnonzero(steady).tolist())

    def describe(self, symbol: str) -> str:
        """The units that count, such as ``context 1 +1.00 per a``; empty if none does."""
        return ", ".join(f"{self.units[unit]} {self.mean[unit]:+.2f} per {symbol}" for unit in self.counting)


def in_double(network: RecurrentNetwork) -> RecurrentNetwork:
    """A copy on the CPU in double precision, without gradients.

    Raises:
        ArgumentError: a parameter is not finite.
    """
    check_finite(network)
    return copy.deepcopy(network).cpu().double().requires_grad_(False)


def check_finite(network: RecurrentNetwork) -> None:
    """Raise ArgumentError unless all parameters are finite."""
    for name, parameter in network.named_parameters():
        if not parameter.isfinite().all():
            raise ArgumentError(
                "network", f"expected finite parameters, got {name} with NaN or infinity: training diverged"
            )


def unit_bounds(network: RecurrentNetwork) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of each unit of the state, [units] each; infinite for an unbounded unit.

    Context units are unbounded, and so are hidden units with one infinite bound: a rectified unit at 0 is off, it is
    not saturated.
    """
    low, high = network.hidden_bounds if np.isfinite(network.hidden_bounds).all() else (-np.inf, np.inf)
    is_hidden = np.arange(len(network.unit_names)) < network.hidden_size
    return np.where(is_hidden, low, -np.inf), np.where(is_hidden, high, np.inf)


def step(network: RecurrentNetwork, symbols: Tensor, states: Tensor, times: int = 1) -> Tensor:
    """The states F(h) after reading `symbols` [batch] in `states` [batch, units], each symbol `times` times."""
    from_input = network.from_input(symbols)
    for _ in range(times):
        parts, _ = network.step(from_input, states.split(network.hidden_size, dim=1))
        states = torch.cat(parts, dim=1)
    return states


def jacobians(network: RecurrentNetwork, symbols: Tensor, states: Tensor, times: int = 1) -> Tensor:
    """The Jacobians of `step` at `states`, [batch, units after, units before]."""
    units = states.shape[1]
    with torch.enable_grad():
        copies = states.detach().repeat(units, 1).requires_grad_()  # [units after · batch, units before]: one for a row
        after = step(network, symbols.repeat(units), copies, times).unflatten(0, (units, -1))  # [row, batch, unit]
        (rows,) = torch.autograd.grad(after.diagonal(dim1=0, dim2=2).sum(), copies)
    return rows.unflatten(0, (units, -1)).transpose(0, 1)


@torch.no_grad()
def visits(network: RecurrentNetwork, symbols: Tensor, read: Tensor | None = None) -> Visits:
    """The steps of `network` as it reads texts.

    Args:
        network: recurrent.
        symbols: texts, [texts, time].
        read: whether there is a symbol, bool [texts, time]; everywhere if None.
    """
    after = network.run(symbols).states  # [texts, time, units]
    start = torch.cat(network.initial_state(len(symbols)), dim=1)[:, None]
    before = torch.cat([start, after[:, :-1]], dim=1)
    kept = torch.ones_like(symbols, dtype=torch.bool) if read is None else read
    again = torch.zeros_like(kept)
    again[:, 1:] = symbols[:, 1:] == symbols[:, :-1]
    return Visits(symbols[kept], before[kept], after[kept], again[kept])


def drift(network: RecurrentNetwork, visited: Visits, symbol: int) -> Drift | None:
    """How far the state moves per step while `symbol` repeats; None if it never comes twice in a row."""
    seen = (visited.symbols == symbol) & visited.again
    if not seen.any():
        return None
    change = (visited.after[seen] - visited.before[seen]).numpy()
    return Drift(symbol, change.mean(axis=0), change.std(axis=0), len(change), network.unit_names)
