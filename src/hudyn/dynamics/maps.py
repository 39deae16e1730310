"""The map of the state that each symbol defines, and what a network does under it as it reads texts."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hudyn.networks.recurrent import RecurrentNetwork


@dataclass(frozen=True)
class Visits:
    """The steps that a network took as it read texts; a state is its hidden and, where there is one, context units.

    Attributes:
        symbols: what was read, [steps].
        before: states before, [steps, units].
        after: states after, [steps, units].
        again: whether the symbol before was the same, bool [steps].
    """

    symbols: Tensor
    before: Tensor
    after: Tensor
    again: Tensor


@dataclass(frozen=True)
class Drift:
    """How far each unit of the state moves in a step under a symbol that is read again and again, as texts have it.

    Attributes:
        symbol: index into the alphabet.
        mean: of the change in a step, [units].
        spread: its standard deviation, [units].
        steps: number of steps seen.
        units: names of the units.
    """

    symbol: int
    mean: np.ndarray
    spread: np.ndarray
    steps: int
    units: tuple[str, ...]

    @property
    def counting(self) -> tuple[int, ...]:
        """Indices of the units that count: the spread is less than a tenth of the mean, and the mean above 0.01."""
        steady = (self.spread < 0.1 * np.abs(self.mean)) & (np.abs(self.mean) > 0.01)
        return tuple(np.flatnonzero(steady).tolist())

    def describe(self, symbol: str) -> str:
        """The units that count, such as ``context 1 +1.00 per a``; empty where there is none."""
        return ", ".join(f"{self.units[unit]} {self.mean[unit]:+.2f} per {symbol}" for unit in self.counting)


def in_double(network: RecurrentNetwork) -> RecurrentNetwork:
    """A copy in double precision, on the CPU, that is not trained.

    Raises:
        ValueError: a parameter is not finite.
    """
    for name, parameter in network.named_parameters():
        if not parameter.isfinite().all():
            raise ValueError(f"network: expected finite parameters, got {name} with NaN or infinity")
    return copy.deepcopy(network).cpu().double().requires_grad_(False)


def step(network: RecurrentNetwork, symbols: Tensor, states: Tensor, times: int = 1) -> Tensor:
    """The states that follow when `symbols` [batch] are read in `states` [batch, units], so many times: F(h)."""
    from_input = network.from_input(symbols)
    for _ in range(times):
        parts, _ = network.step(from_input, states.split(network.hidden_size, dim=1))
        states = torch.cat(parts, dim=1)
    return states


def jacobians(network: RecurrentNetwork, symbols: Tensor, states: Tensor, times: int = 1) -> Tensor:
    """The Jacobians of `step` at `states`, [batch, units after, units before]."""

    def together(states: Tensor) -> Tensor:
        return step(network, symbols, states, times).sum(dim=0)  # a row's derivatives are its own

    return torch.func.jacrev(together)(states).transpose(0, 1)


@torch.no_grad()
def visits(network: RecurrentNetwork, symbols: Tensor, read: Tensor | None = None) -> Visits:
    """The steps of `network` as it reads texts.

    Args:
        network: recurrent.
        symbols: texts, [texts, time].
        read: whether there is a symbol, bool [texts, time]; everywhere where None.
    """
    found = network.run(symbols)
    parts = [found.hidden] if found.context is None else [found.hidden, found.context]
    after = torch.cat(parts, dim=2)  # [texts, time, units]
    start = torch.cat(network.initial_state(len(symbols)), dim=1)[:, None]
    before = torch.cat([start, after[:, :-1]], dim=1)
    kept = torch.ones_like(symbols, dtype=torch.bool) if read is None else read
    again = torch.zeros_like(kept)
    again[:, 1:] = symbols[:, 1:] == symbols[:, :-1]
    return Visits(symbols[kept], before[kept], after[kept], again[kept])


def drift(network: RecurrentNetwork, visited: Visits, symbol: int) -> Drift | None:
    """How far the state moves in a step under `symbol`; None where it was never read twice in a row."""
    seen = (visited.symbols == symbol) & visited.again
    if not seen.any():
        return None
    change = (visited.after[seen] - visited.before[seen]).numpy()
    return Drift(symbol, change.mean(axis=0), change.std(axis=0), len(change), network.unit_names)
