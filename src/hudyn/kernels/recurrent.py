"""Losses, gradients and updates of a population of recurrent networks: one interface to all kernels.

``reference`` is the networks' own forward and torch's autograd. The fused kernels reach from symbols to losses and
gradients in one loop over time: numba on the CPU, Triton on CUDA, behind the operator `recurrent_losses`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from hudyn.kernels.choice import Kernel, choose, other_optimizer
from hudyn.networks.recurrent import GRU, LSTM, SRN, State
from hudyn.population import Population, member_vectors

Updates = Callable[[Population, Any, Tensor, Tensor, State, bool], tuple[Tensor, State]]
NETWORKS = (SRN, LSTM, GRU)


def updates_by(kernel: Kernel, population: Population, optimizer: Any) -> Updates:
    """The function that makes updates, with the arguments of `one_by_one` after its first.

    Args:
        kernel: ``numba`` and ``triton`` are fused; ``auto`` takes the one that can be taken, else the reference.
        population: the networks.
        optimizer: their optimizer.

    Raises:
        HudynError: a kernel is asked for that cannot be taken.
    """
    taken = choose(kernel, population, {"numba": NETWORKS, "triton": NETWORKS})
    if taken == "numba" and other_optimizer(optimizer) is None:
        return together
    return partial(one_by_one, reference if taken == "reference" else fused)


def one_by_one(
    losses_of: Callable[..., tuple[Tensor, State]],
    population: Population,
    optimizer: Any,
    symbols: Tensor,
    lengths: Tensor,
    state: State,
    stream: bool,
) -> tuple[Tensor, State]:
    """Make several updates, each on sequences of its own; the loss is the mean over the symbols predicted.

    Args:
        losses_of: `reference` or `fused`.
        population: recurrent networks.
        optimizer: of the population's parameters.
        symbols: sequences, padded, [members, updates, batch, time + 1].
        lengths: number of symbols predicted in each sequence, [members, updates, batch].
        state: what the first update begins in, [members, batch, hidden] each; empty for the networks' initial state.
        stream: whether each further update goes on in the state that the one before ended in.

    Returns:
        the loss of each update in nats, [updates, members], and, of a stream, the state that the last one ended in.
    """
    losses = []
    most = lengths.amax(dim=(0, 2)).tolist()
    for update, longest in enumerate(most):
        found, ends = losses_of(population, symbols[:, update, :, : longest + 1], lengths[:, update], state)
        optimizer.zero_grad()
        found.sum().backward()
        optimizer.step()
        losses.append(found.detach())
        state = ends if stream else ()
    return torch.stack(losses), state


def together(
    population: Population, optimizer: Any, symbols: Tensor, lengths: Tensor, state: State, stream: bool
) -> tuple[Tensor, State]:
    """What `one_by_one` does, in one call of the numba kernel; the optimizer is a plain SGD or Adam."""
    from hudyn.kernels.optimizers_numba import FusedSteps
    from hudyn.kernels.recurrent_numba import make_updates

    network: Any = population.network
    members, number, batch = lengths.shape
    parameters = _parameters(network)
    if isinstance(network, SRN):
        parameters.append(network.initial_hidden)
    shape = 1 + network.has_context, members, batch, network.hidden_size
    carried = torch.stack(state) if state else torch.empty(shape, dtype=network.bias.dtype)
    steps = FusedSteps(optimizer, parameters, members, number)
    losses = make_updates(cell(network), network.alphabet_size, symbols, lengths, carried, not state, stream, steps)
    return losses, tuple(carried) if stream else ()


def reference(population: Population, symbols: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
    """Mean negative log-likelihood of the next symbol, by the networks' own forward.

    Args:
        population: recurrent networks.
        symbols: sequences of each member, padded, [members, batch, time + 1]: each symbol but the last is read, each
            but the first predicted.
        lengths: number of symbols predicted in each sequence, at least 1, [members, batch].
        state: what each sequence begins in, [members, batch, hidden] each; empty for the networks' own initial state.

    Returns:
        the loss in nats, [members], to be differentiated by the parameters, and the state at the end of each sequence,
        [members, batch, hidden] each.
    """
    inputs, targets = symbols[..., :-1], symbols[..., 1:]
    logits, *trajectories = population.map(inputs, *state)  # [members, batch, time, ...] each
    read = torch.arange(inputs.shape[-1], device=symbols.device) < lengths[..., None]  # [members, batch, time]
    losses = F.cross_entropy(logits.movedim(-1, 1), targets, reduction="none") * read
    last = (lengths - 1)[..., None, None]
    ends = (torch.take_along_dim(part, last, dim=2).squeeze(2).detach() for part in trajectories)
    return losses.sum(dim=(1, 2)) / lengths.sum(dim=1), tuple(ends)


def fused(population: Population, symbols: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
    """What `reference` gives, by `recurrent_losses`."""
    network: Any = population.network
    members, batch = lengths.shape
    parameters = torch.cat([tensor.reshape(members, -1) for tensor in _parameters(network)], dim=1)
    start = torch.stack(state) if state else _initial_state(population)[:, :, None].expand(-1, -1, batch, -1)
    losses, ends, *_ = recurrent_losses(cell(network), network.alphabet_size, symbols, lengths, start, parameters)
    return losses, tuple(ends)


@torch.no_grad()
def predictions(kernel: Kernel, population: Population, symbols: Tensor, read: Tensor) -> Tensor:
    """Logits of the next symbol at each position of texts, [members, texts, time, alphabet].

    Args:
        kernel: as in `updates_by`; on CUDA the reference serves.
        population: recurrent networks.
        symbols: texts, padded, [texts, time].
        read: whether there is a symbol, bool [texts, time].
    """
    if choose(kernel, population, {"numba": NETWORKS, "triton": NETWORKS}) != "numba":
        return population.map(symbols.expand(population.members, -1, -1))[0]
    from hudyn.kernels import recurrent_numba

    network: Any = population.network
    start, parameters = _initial_state(population), member_vectors(_parameters(network), population.members)
    lengths = read.sum(dim=1)
    return recurrent_numba.predictions(cell(network), network.alphabet_size, symbols, lengths, start, parameters)


@torch.library.custom_op("hudyn::recurrent_losses", mutates_args=())
def recurrent_losses(
    cell: str, alphabet: int, symbols: Tensor, lengths: Tensor, start: Tensor, parameters: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Losses of recurrent networks, with their gradients, which are worked out in the same loop over time.

    Args:
        cell: ``srn_tanh``, ``srn_relu``, ``lstm``, ``lstm_peepholes`` or ``gru``.
        alphabet: number of symbols.
        symbols: padded, [members, batch, time + 1]: each symbol but the last is read, each but the first predicted.
        lengths: number of symbols predicted in each sequence, at least 1, [members, batch].
        start: the state each sequence begins in: hidden, then context state, [states, members, batch, hidden].
        parameters: of each member, one tensor after the other, [members, parameters]: input weight, hidden weight,
            bias, peepholes or candidate bias, weight and bias of the output layer.

    Returns:
        mean negative log-likelihoods in nats, [members], which can be differentiated once by `start` and `parameters`;
        the state at each sequence's end, [states, members, batch, hidden]; the derivatives by `start` and `parameters`.
    """
    if start.device.type == "cpu":
        from hudyn.kernels import recurrent_numba

        return recurrent_numba.losses_and_gradients(cell, alphabet, symbols, lengths, start, parameters)
    from hudyn.kernels import recurrent_triton

    return recurrent_triton.losses_and_gradients(cell, alphabet, symbols, lengths, start, parameters)


@recurrent_losses.register_fake
def _shapes(
    cell: str, alphabet: int, symbols: Tensor, lengths: Tensor, start: Tensor, parameters: Tensor
) -> tuple[Tensor, ...]:
    ends, d_start = torch.empty_like(start), torch.empty_like(start)
    return parameters.new_empty(len(parameters)), ends, d_start, torch.empty_like(parameters)


def _keep_gradients(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*output[2:])
    ctx.mark_non_differentiable(*output[1:])


@once_differentiable
def _scale_gradients(ctx: Any, by_losses: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    d_start, d_parameters = ctx.saved_tensors
    return None, None, None, None, by_losses[:, None, None] * d_start, by_losses[:, None] * d_parameters


recurrent_losses.register_autograd(_scale_gradients, setup_context=_keep_gradients)


def cell(network: SRN | LSTM | GRU) -> str:
    """What `recurrent_losses` calls the kind of `network`."""
    if isinstance(network, SRN):
        return f"srn_{network.activation}"
    if isinstance(network, LSTM):
        return "lstm" if network.peepholes is None else "lstm_peepholes"
    return "gru"


def _initial_state(population: Population) -> Tensor:
    """The networks' own, [states, members, hidden]."""
    network: Any = population.network
    shape = 1 + network.has_context, population.members, network.hidden_size
    if isinstance(network, SRN):
        return network.activate(network.initial_hidden).view(shape)
    return network.bias.new_zeros(shape)


def _parameters(network: Any) -> list[Any]:
    """The parameters in the order of `recurrent_losses`."""
    return [tensor for name, tensor in network.named_parameters() if name != "initial_hidden"]
