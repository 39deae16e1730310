"""Many independently seeded copies of one network behind one forward."""

import copy
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from hudyn.seeds import seed_random_layers


class Population(nn.Module):
    """`members` copies of one network; member k starts from the weights of a solo run with seed `seed` + k.

    With one member, `network` is that network and is called directly. With more, each of its parameters and
    buffers carries a leading member axis, and the forward is mapped over it with `torch.func`; a network that
    cannot be mapped (dropout draws random numbers, say) has its members run one after another instead.

    Args:
        build: makes one network; called once a member, under that member's seed.
        members: number of copies.
        seed: seed of member 0.
    """

    def __init__(self, build: Callable[[], nn.Module], members: int = 1, seed: int = 0) -> None:
        super().__init__()
        if members < 1:
            raise ValueError(f"members: expected at least 1, got {members}")
        self.members = members
        self.seed = seed
        self._mapped: dict[bool, bool] = {}  # of training and of evaluation: whether mapping is known to work
        networks = []
        with torch.random.fork_rng(devices=[]):
            for member in range(members):
                torch.manual_seed(seed + member)
                networks.append(build())
        self.network = networks[0]
        if members > 1:
            _replace(self.network, torch.stack, networks)

    def forward(self, inputs: Tensor, per_member: bool = False, update: int = 0) -> Tensor:
        """Outputs of all members.

        Args:
            inputs: [batch, ...] shown to every member, or [members, batch, ...] where `per_member`.
            per_member: whether each member has inputs of its own.
            update: number of the update; while training, random layers draw from a stream that only it and the
                member's seed determine.

        Returns:
            [members, batch, ...]
        """
        if self.members == 1:
            if self.training:
                seed_random_layers(inputs.device, self.seed, update)
            return self.network(inputs[0] if per_member else inputs).unsqueeze(0)
        if self.training not in self._mapped:
            return self._try_to_map(inputs, per_member, update)
        if self._mapped[self.training]:
            return self._map(inputs, per_member)
        return self._loop(inputs, per_member, update)

    def map(self, *inputs: Tensor, chosen: Tensor | None = None) -> tuple[Tensor, ...]:
        """What members make of inputs of their own: tensors [members, ...] to tensors [members, ...].

        Args:
            inputs: of each of the members.
            chosen: indices of these members; all where None.
        """
        if self.members == 1:
            return tuple(output.unsqueeze(0) for output in self.network(*(own[0] for own in inputs)))
        parameters: dict[str, Tensor] = dict(self.network.named_parameters())
        buffers = dict(self.network.named_buffers())
        if chosen is not None:
            parameters = {name: tensor[chosen] for name, tensor in parameters.items()}
            buffers = {name: tensor[chosen] for name, tensor in buffers.items()}
        return vmap(self._call)(parameters, buffers, *inputs)

    def _call(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], *inputs: Tensor) -> Any:
        return functional_call(self.network, (parameters, buffers), inputs)

    def _try_to_map(self, inputs: Tensor, per_member: bool, update: int) -> Tensor:
        buffers = [buffer.clone() for buffer in self.network.buffers()]
        try:
            outputs = self._map(inputs, per_member)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            with torch.no_grad():
                for buffer, before in zip(self.network.buffers(), buffers, strict=True):
                    buffer.copy_(before)
            outputs = self._loop(inputs, per_member, update)  # a mistake in the network is raised again here
            reason = str(error).strip().splitlines()[0]
            warnings.warn(
                f"{type(self.network).__name__} cannot be mapped over members; they run one after another, "
                f"which is slower ({reason.split(';')[0]})",
                stacklevel=3,
            )
            self._mapped = {True: False, False: False}
        else:
            self._mapped[self.training] = True
        return outputs

    def _map(self, inputs: Tensor, per_member: bool) -> Tensor:
        parameters: dict[str, Tensor] = dict(self.network.named_parameters())
        buffers = dict(self.network.named_buffers())
        return vmap(self._call, in_dims=(0, 0, 0 if per_member else None))(parameters, buffers, inputs)

    def _loop(self, inputs: Tensor, per_member: bool, update: int) -> Tensor:
        outputs = []
        for member in range(self.members):
            if self.training:
                seed_random_layers(inputs.device, self.seed + member, update)
            tensors = {name: tensor[member] for name, tensor in self._stacked().items()}
            own = inputs[member] if per_member else inputs
            outputs.append(functional_call(self.network, tensors, (own,)))
        return torch.stack(outputs)

    def _stacked(self) -> dict[str, Tensor]:
        return {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}

    def member(self, index: int) -> nn.Module:
        """A copy of member `index` as an ordinary network."""
        network = copy.deepcopy(self.network)
        if self.members > 1:
            _replace(network, lambda tensors: tensors[0][index].clone(), [network])
        return network


def member_vectors(tensors: Iterable[Tensor], members: int) -> Tensor:
    """What `tensors` of a population hold of each member, put together: a copy, [members, elements]."""
    return torch.cat([tensor.detach().reshape(members, -1) for tensor in tensors], dim=1)


def _tensors(network: nn.Module) -> list[tuple[nn.Module, str, str]]:
    """Where each parameter and buffer of `network` is kept: its module, the module's table, its name there."""
    return [
        (module, table, name)
        for module in network.modules()
        for table in ("_parameters", "_buffers")
        for name, tensor in getattr(module, table).items()
        if tensor is not None
    ]


def _replace(network: nn.Module, make: Callable[[list[Tensor]], Tensor], sources: list[nn.Module]) -> None:
    """Put what `make` makes of each tensor's counterparts in `sources` in its place; shared tensors stay shared."""
    made: dict[int, Tensor] = {}
    for (owner, table, name), *others in zip(_tensors(network), *map(_tensors, sources), strict=True):
        old = getattr(owner, table)[name]
        if id(old) not in made:
            new = make([getattr(other, table)[name].detach() for other, table, name in others])
            made[id(old)] = nn.Parameter(new, old.requires_grad) if table == "_parameters" else new
        getattr(owner, table)[name] = made[id(old)]
