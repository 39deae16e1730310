"""Recurrent networks that predict the next symbol: SRN, LSTM without and with peepholes, GRU."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hudyn.arguments import ArgumentError, NonNegativeFloat, Positive, checked

State = tuple[Tensor, ...]  # hidden state, then context (cell) state where there is one, each [batch, hidden]


@dataclass(frozen=True)
class Trajectory:
    """The activations of a recurrent network at each symbol of some sequences."""

    logits: Tensor  # of the next symbol, after each symbol, [batch, time, alphabet]
    hidden: Tensor  # hidden state after each symbol, [batch, time, hidden]
    context: Tensor | None  # context (cell) state after each symbol, [batch, time, hidden]; None without one
    gates: dict[str, Tensor] = field(default_factory=dict)  # activation of each gate by its name, [batch, time, hidden]

    @property
    def states(self) -> Tensor:
        """The whole state after each symbol: hidden, then context units, [batch, time, units]."""
        return self.hidden if self.context is None else torch.cat([self.hidden, self.context], dim=2)


class RecurrentNetwork(nn.Module, ABC):
    """Base of networks that read symbols one at a time and predict the next.

    A cell of your own defines `step`, and sets those of the attributes below that differ; every analysis of
    `hudyn.dynamics` that the cell qualifies for then applies to it.

    Args:
        alphabet_size: number of symbols.
        hidden_size: number of hidden units.
        blocks: number of blocks of `hidden_size` units that the input feeds: the gates and the candidate.

    Attributes:
        inputs: what it reads, which a task must have.
        gate_names: name of each gate that `step` returns. A gate called candidate has the range -1..1, any other 0..1.
        has_context: whether the state has a context (cell) part beside the hidden state.
        hidden_bounds: smallest and largest value of a hidden unit.
        output: the linear readout from the hidden state to the logits.
    """

    inputs = "symbols"
    gate_names: tuple[str, ...] = ()
    has_context: bool = False
    hidden_bounds: tuple[float, float] = (-1.0, 1.0)

    @checked
    def __init__(self, alphabet_size: Positive, hidden_size: Positive, blocks: Positive) -> None:
        super().__init__()
        self.alphabet_size = alphabet_size
        self.hidden_size = hidden_size
        self.input_weight = nn.Parameter(torch.empty(blocks * hidden_size, alphabet_size))
        self.hidden_weight = nn.Parameter(torch.empty(blocks * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(blocks * hidden_size))
        self.output = nn.Linear(hidden_size, alphabet_size)

    @property
    def unit_names(self) -> tuple[str, ...]:
        """Names of the units of the state: ``hidden 1`` and so on, then ``context 1`` and so on."""
        kinds = ("hidden", "context") if self.has_context else ("hidden",)
        return tuple(f"{kind} {unit}" for kind in kinds for unit in range(1, self.hidden_size + 1))

    def initial_state(self, batch: int) -> State:
        """The state before the first symbol: zeros."""
        zeros = self.bias.new_zeros(batch, self.hidden_size)
        return (zeros, zeros) if self.has_context else (zeros,)

    def from_input(self, symbols: Tensor) -> Tensor:
        """Net input from symbols, indices [...], plus the bias: [..., blocks · hidden]."""
        return F.embedding(symbols, self.input_weight.T) + self.bias

    @abstractmethod
    def step(self, from_input: Tensor, state: State) -> tuple[State, tuple[Tensor, ...]]:
        """Read one symbol.

        Args:
            from_input: see `from_input`, [batch, blocks · hidden].
            state: the state before the symbol.

        Returns:
            The state after the symbol, and the activation of each gate, [batch, hidden] each.
        """

    def hidden_from_context(self, context: Tensor, gates: Mapping[str, Tensor]) -> Tensor | None:
        """The hidden state that belongs to a context state, [batch, hidden].

        Args:
            context: context state, [batch, hidden].
            gates: activation of each gate by its name, [batch, hidden] each.

        Returns:
            None where these do not determine the hidden state; the N* of a counter in such a cell is not predicted.
        """
        return None

    def run(self, symbols: Tensor, state: State | None = None) -> Trajectory:
        """Read whole sequences.

        Args:
            symbols: indices into the alphabet, [batch, time].
            state: the state before the first symbol; `initial_state` if None.
        """
        state = self.initial_state(len(symbols)) if state is None else state
        states, gates = [], []
        for now in self.from_input(symbols).unbind(dim=1):
            state, activations = self.step(now, state)
            states.append(state)
            gates.append(activations)
        hidden, *context = (torch.stack(parts, dim=1) for parts in zip(*states, strict=True))  # [batch, time, hidden]
        stacked = (torch.stack(parts, dim=1) for parts in zip(*gates, strict=True))
        by_name = dict(zip(self.gate_names, stacked, strict=True))
        return Trajectory(self.output(hidden), hidden, context[0] if context else None, by_name)

    def forward(self, symbols: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Logits, hidden and, where there is one, context trajectory, [batch, time, ...] each; see `run`."""
        trajectory = self.run(symbols, state or None)
        context = () if trajectory.context is None else (trajectory.context,)
        return (trajectory.logits, trajectory.hidden, *context)


class SRN(RecurrentNetwork):
    """Simple recurrent network (Elman 1990): h = tanh(W x + U h + b), starting from tanh(H0), where H0 is learned.

    Args:
        alphabet_size: number of symbols.
        hidden_size: number of hidden units.
        activation: of the hidden units.
        init_std: standard deviation of the normal distribution that all parameters are drawn from.
    """

    @checked
    def __init__(
        self,
        alphabet_size: Positive,
        hidden_size: Positive = 2,
        activation: Literal["tanh", "relu"] = "tanh",
        init_std: NonNegativeFloat = 0.001,
    ) -> None:
        super().__init__(alphabet_size, hidden_size, blocks=1)
        if activation not in ("tanh", "relu"):
            raise ArgumentError("activation", f"expected tanh or relu, got {activation}")
        self.activation = activation
        self.hidden_bounds = (-1.0, 1.0) if activation == "tanh" else (0.0, math.inf)
        self.initial_hidden = nn.Parameter(torch.empty(hidden_size))
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=init_std)

    def initial_state(self, batch: int) -> State:
        """The activation of H0, the parameter `initial_hidden`."""
        return (self.activate(self.initial_hidden).expand(batch, -1),)

    def step(self, from_input: Tensor, state: State) -> tuple[State, tuple[Tensor, ...]]:
        """See `RecurrentNetwork.step`."""
        return (self.activate(from_input + state[0] @ self.hidden_weight.T),), ()

    def activate(self, net_inputs: Tensor) -> Tensor:
        """The activation of hidden units with these net inputs."""
        return torch.tanh(net_inputs) if self.activation == "tanh" else F.relu(net_inputs)


class LSTM(RecurrentNetwork):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000), with one bias.

    All parameters are drawn from U(-1/√hidden, 1/√hidden).

    Args:
        alphabet_size: number of symbols.
        hidden_size: number of hidden units.
        peepholes: whether the gates see the context state (Gers & Schmidhuber 2000).
    """

    gate_names = ("input", "forget", "candidate", "output")
    has_context = True

    @checked
    def __init__(self, alphabet_size: Positive, hidden_size: Positive = 3, peepholes: bool = False) -> None:
        super().__init__(alphabet_size, hidden_size, blocks=4)
        self.peepholes = nn.Parameter(torch.empty(3, hidden_size)) if peepholes else None
        _uniform(self)

    def step(self, from_input: Tensor, state: State) -> tuple[State, tuple[Tensor, ...]]:
        """See `RecurrentNetwork.step`."""
        hidden, context = state
        net_inputs = from_input + hidden @ self.hidden_weight.T  # [batch, 4 · hidden]
        to_input, to_forget, to_candidate, to_output = net_inputs.chunk(4, dim=1)
        if self.peepholes is not None:
            to_input = to_input + self.peepholes[0] * context
            to_forget = to_forget + self.peepholes[1] * context
        input_gate, forget_gate = torch.sigmoid(to_input), torch.sigmoid(to_forget)
        candidate = torch.tanh(to_candidate)
        context = forget_gate * context + input_gate * candidate  # [batch, hidden]
        if self.peepholes is not None:
            to_output = to_output + self.peepholes[2] * context
        output_gate = torch.sigmoid(to_output)
        return (output_gate * torch.tanh(context), context), (input_gate, forget_gate, candidate, output_gate)

    def hidden_from_context(self, context: Tensor, gates: Mapping[str, Tensor]) -> Tensor:
        """See `RecurrentNetwork.hidden_from_context`."""
        return gates["output"] * torch.tanh(context)


class GRU(RecurrentNetwork):
    """Gated recurrent unit (Cho et al. 2014), in the variant of `torch.nn.GRU`.

    All parameters are drawn from U(-1/√hidden, 1/√hidden).

    Args:
        alphabet_size: number of symbols.
        hidden_size: number of hidden units.
    """

    gate_names = ("reset", "update", "candidate")

    @checked
    def __init__(self, alphabet_size: Positive, hidden_size: Positive = 3) -> None:
        super().__init__(alphabet_size, hidden_size, blocks=3)
        self.candidate_bias = nn.Parameter(torch.empty(hidden_size))  # added to what the reset gate multiplies
        _uniform(self)

    def step(self, from_input: Tensor, state: State) -> tuple[State, tuple[Tensor, ...]]:
        """See `RecurrentNetwork.step`."""
        (hidden,) = state
        inputs = from_input.chunk(3, dim=1)
        from_hidden = (hidden @ self.hidden_weight.T).chunk(3, dim=1)
        reset = torch.sigmoid(inputs[0] + from_hidden[0])
        update = torch.sigmoid(inputs[1] + from_hidden[1])
        candidate = torch.tanh(inputs[2] + reset * (from_hidden[2] + self.candidate_bias))
        return ((1 - update) * candidate + update * hidden,), (reset, update, candidate)


def _uniform(network: RecurrentNetwork) -> None:
    """Draw all parameters from U(-1/√hidden, 1/√hidden), as the assignment's LSTM does."""
    bound = 1 / math.sqrt(network.hidden_size)
    for parameter in network.parameters():
        nn.init.uniform_(parameter, -bound, bound)
