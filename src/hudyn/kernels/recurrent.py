"""Losses, gradients and updates of a population of recurrent networks, by any kernel.

``reference`` is the networks' forward and torch's autograd. The fused kernels compute losses and gradients in one loop
over time: numba on the CPU, Triton on CUDA, behind the operator `recurrent_losses`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.optim import Optimizer

from hudyn.kernels.dispatch import TABLE, Kernel, choose, optimizer_obstacle
from hudyn.kernels.steps import StepSettings, TorchSteps
from hudyn.networks.recurrent import RecurrentNetwork, State
from hudyn.population import Population, member_vectors

POSITIONS_AT_ONCE = 1 << 21  # predicted together by the reference, over all members: bounds its memory


@dataclass  # not frozen: Lightning moves its tensors to the device
class Vocabulary:
    """The pieces that texts are made of: the words of a language that has finitely many, or its symbols.

    Attributes:
        symbols: the symbols of all pieces, joined, int32 [symbols].
        bounds: where each piece begins, and the end of the last, int64 [pieces + 1].
    """

    symbols: Tensor
    bounds: Tensor

    @classmethod
    def of(cls, pieces: Sequence[np.ndarray]) -> "Vocabulary":
        """A vocabulary of these pieces, each an array of symbols."""
        bounds = np.cumsum([0, *map(len, pieces)])
        return cls(torch.from_numpy(np.concatenate(pieces).astype(np.int32)), torch.from_numpy(bounds))

    @property
    def lengths(self) -> Tensor:
        """The number of symbols of each piece, [pieces]."""
        return self.bounds.diff()

    def to(self, device: torch.device) -> "Vocabulary":
        """The vocabulary on a device."""
        return Vocabulary(self.symbols.to(device), self.bounds.to(device))


@dataclass
class Sequences:
    """The sequences of several updates, for each member its own.

    Attributes:
        texts: pieces of each member's text, integers [members, pieces].
        starts: where each sequence starts in it, [members, updates, parts, batch]. Gradients are accumulated over the
            parts of an update.
        lengths: number of pieces of each sequence, likewise; the first symbol of the piece after it is predicted only.
        vocabulary: the symbols of each piece.
    """

    texts: Tensor
    starts: Tensor
    lengths: Tensor
    vocabulary: Vocabulary

    @classmethod
    def from_padded(cls, symbols: Tensor, lengths: Tensor) -> "Sequences":
        """From padded sequences [members, updates, batch, time + 1] and their lengths [members, updates, batch]."""
        members, updates, batch, time = symbols.shape
        starts = (torch.arange(updates * batch) * time).view(1, updates, 1, batch).expand(members, -1, -1, -1)
        alphabet = Vocabulary.of(np.arange(int(symbols.max()) + 1)[:, None])  # type: ignore[arg-type] # rows of one
        return cls(symbols.flatten(1).int(), starts, lengths.unsqueeze(2), alphabet)

    @property
    def padded(self) -> tuple[Tensor, Tensor]:
        """Symbols, padded with zeros, and the numbers of those that are predicted.

        Integers [members, updates, parts, batch, time + 1], and [members, updates, parts, batch].
        """
        shape, device = self.starts.shape, self.texts.device
        offsets = torch.arange(int(self.lengths.max()) + 1, device=device)
        places = (self.starts[..., None] + offsets).clamp(max=self.texts.shape[1] - 1).view(len(self.texts), -1)
        pieces = self.texts.gather(1, places).view(*shape, -1).long()  # [members, updates, parts, batch, pieces + 1]
        sizes = self.vocabulary.lengths[pieces]
        is_next = offsets == self.lengths[..., None]
        sizes = torch.where(is_next, 1, sizes) * (offsets <= self.lengths[..., None])
        lengths = sizes.sum(-1) - 1
        flat = sizes.flatten()
        owners = torch.repeat_interleave(torch.arange(len(flat), device=device), flat)  # the piece of each symbol
        within = torch.arange(len(owners), device=device) - (flat.cumsum(0) - flat)[owners]
        places_in_row = ((sizes.cumsum(-1) - sizes).flatten())[owners] + within
        symbols = self.texts.new_zeros(lengths.numel(), int(lengths.max()) + 1)
        rows = owners // len(offsets)
        begins = self.vocabulary.bounds[pieces.flatten()[owners]]
        symbols[rows, places_in_row] = self.vocabulary.symbols[begins + within]
        return symbols.view(*shape, -1), lengths


Losses = Callable[[Population, Tensor, Tensor, State], tuple[Tensor, State]]
Updates = Callable[[Population, Optimizer, StepSettings, Sequences, State, bool], tuple[Tensor, State]]


def updates_by(kernel: Kernel, population: Population, optimizer: Optimizer) -> Updates:
    """The function that makes updates, with the arguments of `one_by_one` after its first.

    Args:
        kernel: ``numba`` and ``triton`` are fused; ``auto`` takes the one that is available, else the reference.
        population: the networks.
        optimizer: optimizer of their parameters.

    Raises:
        HudynError: the kernel requested is not available.
    """
    chosen = choose(kernel, population)
    if chosen == "numba" and optimizer_obstacle(optimizer) is None:
        return together
    return partial(one_by_one, reference if chosen == "reference" else fused)


def one_by_one(
    losses_of: Losses,
    population: Population,
    optimizer: Optimizer,
    settings: StepSettings,
    sequences: Sequences,
    state: State,
    stream: bool,
) -> tuple[Tensor, State]:
    """Make several updates, each on other sequences; the loss is the mean over the symbols predicted.

    Args:
        losses_of: `reference` or `fused`.
        population: recurrent networks.
        optimizer: optimizer of their parameters.
        settings: the learning rates of the steps, how gradients are clipped, and which members are trained.
        sequences: the sequences of the updates.
        state: state in which the first sequences begin, [members, batch, hidden] each; empty for the networks' initial
            state.
        stream: whether each further batch begins in the state in which the previous one ended.

    Returns:
        the loss of each update in nats, [updates, members], and, of a stream, the state in which the last one ended.
    """
    losses = []
    _, updates, parts, _ = sequences.starts.shape
    symbols, lengths = sequences.padded
    longest = lengths.amax(dim=(0, 3)).tolist()  # [updates][parts]
    with TorchSteps(optimizer, population, settings) as steps:
        for update in range(updates):
            population.zero_grad()
            total = torch.zeros(())
            for part in range(parts):
                read = symbols[:, update, part, :, : longest[update][part] + 1].long()
                members_losses, ends = losses_of(population, read, lengths[:, update, part], state)
                (members_losses.sum() / parts).backward()
                total = total.to(members_losses) + members_losses.detach() / parts
                state = ends if stream else ()
            steps.step(update)
            losses.append(total)
    return torch.stack(losses), state


def together(
    population: Population,
    optimizer: Optimizer,
    settings: StepSettings,
    sequences: Sequences,
    state: State,
    stream: bool,
) -> tuple[Tensor, State]:
    """Do what `one_by_one` does in one call of the numba kernel; the loss of members that are not trained is NaN."""
    from hudyn.kernels.numba.optimizers import fused_steps
    from hudyn.kernels.numba.recurrent import make_updates, width_of

    network = _network(population)
    members, batch = population.members, sequences.starts.shape[-1]
    parameters, learned = _parameters(network), _initial_parameters(network)
    shape = 1 + network.has_context, members, batch, network.hidden_size
    carried = torch.stack(state) if state else torch.zeros(shape, dtype=network.bias.dtype)
    lanes = width_of(members).lanes  # also where but one is still trained: for it, no other kernel is compiled
    with fused_steps(optimizer, population, [*parameters, *learned], settings, lanes) as steps:
        losses = make_updates(
            cell_name(network), network.alphabet_size, sequences, carried, not state, stream,
            sum(p.numel() for p in learned) // members, steps, settings.trained,
        )  # fmt: skip
    return losses, tuple(carried) if stream else ()


def reference(population: Population, symbols: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
    """Mean negative log-likelihood of the next symbol, by the networks' forward.

    Args:
        population: recurrent networks.
        symbols: sequences of each member, padded, [members, batch, time + 1]: each symbol but the last is an input,
            each but the first a target.
        lengths: number of symbols predicted in each sequence, at least 1, [members, batch].
        state: state in which each sequence begins, [members, batch, hidden] each; empty for the initial state.

    Returns:
        the loss in nats, [members], which can be differentiated by the parameters, and the state at the end of each
        sequence, [members, batch, hidden] each.
    """
    inputs, targets = symbols[..., :-1], symbols[..., 1:]
    logits, *trajectories = population.map(inputs, *state)  # [members, batch, time, ...] each
    within = torch.arange(inputs.shape[-1], device=symbols.device) < lengths[..., None]  # [members, batch, time]
    losses = F.cross_entropy(logits.movedim(-1, 1), targets, reduction="none") * within
    last = (lengths - 1)[..., None, None]
    ends = (torch.take_along_dim(states, last, dim=2).squeeze(2).detach() for states in trajectories)
    return losses.sum(dim=(1, 2)) / lengths.sum(dim=1), tuple(ends)


def fused(population: Population, symbols: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
    """Compute what `reference` does by `recurrent_losses`."""
    network = _network(population)
    members, batch = lengths.shape
    parameters = torch.cat([tensor.reshape(members, -1) for tensor in _parameters(network)], dim=1)
    start = torch.stack(state) if state else _initial_state(population)[:, :, None].expand(-1, -1, batch, -1)
    losses, ends, *_ = recurrent_losses(cell_name(network), network.alphabet_size, symbols, lengths, start, parameters)
    return losses, tuple(ends)


@torch.no_grad()
def predictions(kernel: Kernel, population: Population, symbols: Tensor, within: Tensor) -> Tensor:
    """Logits of the next symbol at each position of texts, [members, positions, alphabet], text after text.

    Args:
        kernel: as in `updates_by`; on CUDA the reference is used.
        population: recurrent networks.
        symbols: texts, padded, [texts, time].
        within: whether a position is within its text, bool [texts, time].
    """
    if choose(kernel, population) != "numba":
        at_once = max(1, POSITIONS_AT_ONCE // (population.members * symbols.shape[1]))
        found = []  # [alphabet, members, positions] each: scores are faster where the alphabet comes first in memory
        for read, inside in zip(symbols.split(at_once), within.split(at_once), strict=True):
            logits = population.map(read.expand(population.members, -1, -1))[0]  # [members, texts, time, alphabet]
            found.append(logits.movedim(-1, 0)[:, :, inside])
        return torch.cat(found, dim=2).movedim(0, -1)
    from hudyn.kernels.numba import recurrent

    network = _network(population)
    start, parameters = _initial_state(population), member_vectors(_parameters(network), population.members)
    lengths = within.sum(dim=1)
    return recurrent.predictions(cell_name(network), network.alphabet_size, symbols, lengths, start, parameters)


@torch.library.custom_op("hudyn::recurrent_losses", mutates_args=())
def recurrent_losses(
    cell: str, alphabet: int, symbols: Tensor, lengths: Tensor, start: Tensor, parameters: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Losses of recurrent networks and their gradients, computed in the same loop over time.

    Args:
        cell: see `cell_name`.
        alphabet: number of symbols.
        symbols: padded, [members, batch, time + 1]: each symbol but the last is an input, each but the first a target.
        lengths: number of symbols predicted in each sequence, at least 1, [members, batch].
        start: state in which each sequence begins: hidden, then context state, [states, members, batch, hidden].
        parameters: each member's, in the order of the cell in `hudyn.kernels.cells`, [members, parameters]; a learned
            initial state is not among them.

    Returns:
        mean negative log-likelihoods in nats, [members], which can be differentiated once by `start` and `parameters`;
        the state at each sequence's end, [states, members, batch, hidden]; the derivatives by `start` and `parameters`.
    """
    if start.device.type == "cpu":
        from hudyn.kernels.numba import recurrent as on_cpu

        return on_cpu.losses_and_gradients(cell, alphabet, symbols, lengths, start, parameters)
    from hudyn.kernels.triton import recurrent as on_cuda

    return on_cuda.losses_and_gradients(cell, alphabet, symbols, lengths, start, parameters)


@recurrent_losses.register_fake
def _shapes(
    cell: str, alphabet: int, symbols: Tensor, lengths: Tensor, start: Tensor, parameters: Tensor
) -> tuple[Tensor, ...]:
    ends, d_start = torch.empty_like(start), torch.empty_like(start)
    return parameters.new_empty(len(parameters)), ends, d_start, torch.empty_like(parameters)


def _keep_gradients(ctx: Any, inputs: tuple[object, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*output[2:])
    ctx.mark_non_differentiable(*output[1:])


@once_differentiable
def _scale_gradients(ctx: Any, by_losses: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    d_start, d_parameters = ctx.saved_tensors
    return None, None, None, None, by_losses[:, None, None] * d_start, by_losses[:, None] * d_parameters


recurrent_losses.register_autograd(_scale_gradients, setup_context=_keep_gradients)


def cell_name(network: RecurrentNetwork) -> str:
    """The cell of `network`: ``srn``, ``srn_relu``, ``lstm``, ``lstm_peepholes``, ``gru``."""
    return TABLE[type(network)].cell(network)


def _network(population: Population) -> RecurrentNetwork:
    assert isinstance(population.network, RecurrentNetwork)
    return population.network


def _initial_state(population: Population) -> Tensor:
    """The networks' initial state, [states, members, hidden]."""
    return torch.stack(_network(population).initial_state(population.members))


def _initial_parameters(network: RecurrentNetwork) -> list[nn.Parameter]:
    """The parameters that set the initial state."""
    return [parameter for name, parameter in network.named_parameters() if name == "initial_hidden"]


def _parameters(network: RecurrentNetwork) -> list[nn.Parameter]:
    """All other parameters, in the order of the network's row in `TABLE`."""
    named = {name.replace("output.", "output_"): tensor for name, tensor in network.named_parameters()}
    names = TABLE[type(network)].parameters
    return [named[name] for name in names if name in named and name != "initial_hidden"]
