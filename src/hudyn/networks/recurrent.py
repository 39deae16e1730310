"""Recurrent networks that predict the next symbol: SRN, LSTM without and with peepholes, GRU."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

State = tuple[Tensor, ...]  # hidden state, then context (cell) state where there is one, each [batch, hidden]


@dataclass(frozen=True)
class Trajectory:
    """What a recurrent network went through as it read symbols.

    Attributes:
        logits: of the next symbol after each one, [batch, time, alphabet].
        hidden: hidden state after each symbol, [batch, time, hidden].
        context: context (cell) state after each symbol, [batch, time, hidden]; None where there is none.
        gates: activation of each gate at each symbol by its name, [batch, time, hidden].
    """

    logits: Tensor
    hidden: Tensor
    context: Tensor | None
    gates: dict[str, Tensor] = field(default_factory=dict)


class RecurrentNetwork(nn.Module, ABC):
    """Reads symbols one at a time and tells the distribution of the next; what its children share.

    Args:
        alphabet_size: number of symbols.
        hidden_size: number of hidden units.
        blocks: number of blocks of units that an input feeds: the gates and what they gate.
    """

    gate_names: tuple[str, ...] = ()
    has_context = False

    def __init__(self, alphabet_size: int, hidden_size: int, blocks: int) -> None:
        super().__init__()
        for name, value in (("alphabet_size", alphabet_size), ("hidden_size", hidden_size)):
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        self.alphabet_size = alphabet_size
        self.hidden_size = hidden_size
        self.input_weight = nn.Parameter(torch.empty(blocks * hidden_size, alphabet_size))
        self.hidden_weight = nn.Parameter(torch.empty(blocks * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(blocks * hidden_size))
        self.output = nn.Linear(hidden_size, alphabet_size)

    def initial_state(self, batch: int) -> State:
        """The state before the first symbol: zeros."""
        zeros = self.bias.new_zeros(batch, self.hidden_size)
        return (zeros, zeros) if self.has_context else (zeros,)

    def from_input(self, symbols: Tensor) -> Tensor:
        """What reaches the units from symbols, indices [...], and the bias: [..., blocks · hidden]."""
        return F.embedding(symbols, self.input_weight.T) + self.bias

    @abstractmethod
    def step(self, from_input: Tensor, state: State) -> tuple[State, tuple[Tensor, ...]]:
        """The state after one more symbol, and the gates' activations, [batch, hidden] each.

        Args:
            from_input: see `from_input`, [batch, blocks · hidden].
            state: the state before.
        """

    def run(self, symbols: Tensor, state: State | None = None) -> Trajectory:
        """Read whole sequences.

        Args:
            symbols: indices into the alphabet, [batch, time].
            state: the state before the first; the network's own initial state where None.
        """
        state = self.initial_state(len(symbols)) if state is None else state
        states, gates = [], []
        for now in self.from_input(symbols).unbind(dim=1):
            state, activations = self.step(now, state)
            states.append(state)
            gates.append(activations)
        hidden, *context = (torch.stack(parts, dim=1) for parts in zip(*states, strict=True))  # [batch, time, hidden]
        stacked = (torch.stack(parts, dim=1) for parts in zip(*gates, strict=True))
        named = dict(zip(self.gate_names, stacked, strict=True))
        return Trajectory(self.output(hidden), hidden, context[0] if context else None, named)

    def forward(self, symbols: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Logits, hidden and, where there is one, context trajectory, [batch, time, ...] each; see `run`."""
        found = self.run(symbols, state or None)
        return (found.logits, found.hidden) + (() if found.context is None else (found.context,))


class SRN(RecurrentNetwork):
    """Simple recurrent network (Elman 1990): h = tanh(W x + U h + b); it begins in tanh(H0), which is learned.

    Args:
        alphabet_size: number of symbols.
        hidden_size: number of hidden units.
        activation: of the hidden units.
        init_std: standard deviation of the normal distribution that all parameters are drawn from.
    """

    def __init__(
        self,
        alphabet_size: int,
        hidden_size: int = 2,
        activation: Literal["tanh", "relu"] = "tanh",
        init_std: float = 0.001,
    ) -> None:
        super().__init__(alphabet_size, hidden_size, blocks=1)
        if init_std < 0:
            raise ValueError(f"init_std: expected a standard deviation, 0 or more, got {init_std}")
        if activation not in ("tanh", "relu"):
            raise ValueError(f"activation: expected tanh or relu, got {activation}")
        self.activation = activation
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

    def __init__(self, alphabet_size: int, hidden_size: int = 3, peepholes: bool = False) -> None:
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


class GRU(RecurrentNetwork):
    """Gated recurrent unit (Cho et al. 2014), in the variant of `torch.nn.GRU`.

    All parameters are drawn from U(-1/√hidden, 1/√hidden).

    Args:
        alphabet_size: number of symbols.
        hidden_size: number of hidden units.
    """

    gate_names = ("reset", "update", "candidate")

    def __init__(self, alphabet_size: int, hidden_size: int = 3) -> None:
        super().__init__(alphabet_size, hidden_size, blocks=3)
        self.candidate_bias = nn.Parameter(torch.empty(hidden_size))  # of what the reset gate gates
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
    """Draw all parameters as the assignment's LSTM does."""
    bound = 1 / math.sqrt(network.hidden_size)
    for parameter in network.parameters():
        nn.init.uniform_(parameter, -bound, bound)
