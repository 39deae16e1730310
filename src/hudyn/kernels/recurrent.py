"""Loss and gradients of a population of recurrent networks on sequences: the reference, and which kernel to take."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from hudyn.kernels.choice import Kernel, takes_numba
from hudyn.networks.recurrent import GRU, LSTM, SRN, State
from hudyn.population import Population

Gradients = Callable[[Population, Tensor, Tensor, State], tuple[Tensor, State]]


def reference(population: Population, symbols: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
    """Give the parameters their gradients of the loss: the mean negative log-likelihood of the next symbol.

    Args:
        population: recurrent networks.
        symbols: sequences of each member, padded, [members, batch, time + 1]: each symbol but the last is read, each
            but the first predicted.
        lengths: number of symbols predicted in each sequence, [members, batch].
        state: what each sequence begins in, [members, batch, hidden] each; empty for the networks' own initial state.

    Returns:
        the loss in nats, [members], and the state at the end of each sequence, [members, batch, hidden] each.
    """
    inputs, targets = symbols[..., :-1], symbols[..., 1:]
    for parameter in population.parameters():
        parameter.grad = None
    logits, *trajectories = population.map(inputs, *state)  # [members, batch, time, ...] each
    read = torch.arange(inputs.shape[-1], device=symbols.device) < lengths[..., None]  # [members, batch, time]
    losses = F.cross_entropy(logits.movedim(-1, 1), targets, reduction="none") * read
    means = losses.sum(dim=(1, 2)) / lengths.sum(dim=1)  # [members]
    means.sum().backward()
    last = (lengths - 1)[..., None, None]
    ends = (torch.take_along_dim(part, last, dim=2).squeeze(2).detach() for part in trajectories)
    return means.detach(), tuple(ends)


def choose(kernel: Kernel, population: Population) -> Gradients:
    """The function that gives the gradients, with the arguments of `reference`.

    Args:
        kernel: ``numba`` is fused, for one thread a block of members; ``auto`` takes it where it can be taken.
        population: the networks.

    Raises:
        HudynError: ``numba`` is asked for and cannot be taken.
    """
    if not takes_numba(kernel, population, (SRN, LSTM, GRU)):
        return reference
    from hudyn.kernels.recurrent_numba import gradients

    return gradients
