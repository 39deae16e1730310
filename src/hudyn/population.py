"""Many independently seeded copies of one network behind one forward."""

import copy
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from hudyn.arguments import Positive, checked
from hudyn.seeds import seed_random_layers


class Population(nn.Module):
    """`members` copies of one network; each has the initial weights of a solo run with its seed.

    Member k has the seed `seed` + k. With several variants, the members are divided into as many equal parts, and each
    part has the seeds from `seed` on.

    With one member, `network` is that network and is called directly. With more, each of its parameters and
    buffers carries a leading member axis, and the forward is mapped over it with `torch.func`. If a network cannot be
    mapped (because dropout draws random numbers, say), its members run one after another. So they do under autocast,
    from which `torch.func` would leave out some operations, such as convolutions on the CPU.

    Args:
        build: makes one network, or one such function for each variant; called once for each member, under its seed.
        members: number of copies.
        seed: seed of member 0.

    Attributes:
        seeds: seed of each member.
    """

    @checked
    def __init__(
        self, build: Callable[[], nn.Module] | Sequence[Callable[[], nn.Module]], members: Positive = 1, seed: int = 0
    ) -> None:
        super().__init__()
        builders = [build] if callable(build) else list(build)
        self.members = members
        self.seeds = member_seeds(members, seed, len(builders))
        self._mapped: dict[bool, bool] = {}  # whether mapping works, in training (True) and evaluation, once known
        networks = []
        with torch.random.fork_rng(devices=[]):
            for member, its_seed in enumerate(self.seeds):
                torch.manual_seed(its_seed)
                networks.append(builders[member * len(builders) // members]())
        self.network = networks[0]
        if members > 1:
            _replace(self.network, torch.stack, networks)

    def forward(self, inputs: Tensor, per_member: bool = False, update: int = 0) -> Tensor:
        """Outputs of all members.

        Args:
            inputs: [batch, ...] for all members, or [members, batch, ...] if `per_member`.
            per_member: whether each member has different inputs.
            update: number of the update; with the member's seed it determines what random layers draw in training.

        Returns:
            [members, batch, ...]
        """
        if self.members == 1:
            if self.training:
                seed_random_layers(inputs.device, self.seeds[0], update)
            return self.network(inputs[0] if per_member else inputs).unsqueeze(0)
        if torch.is_autocast_enabled(inputs.device.type):
            return self._loop(inputs, per_member, update)
        if self.training not in self._mapped:
            return self._try_to_map(inputs, per_member, update)
        if self._mapped[self.training]:
            return self._map(inputs, per_member)
        return self._loop(inputs, per_member, update)

    def map(self, *inputs: Tensor, chosen: Tensor | None = None) -> tuple[Tensor, ...]:
        """Outputs of members that each have different inputs: tensors [members, ...] to tensors [members, ...].

        Args:
            inputs: inputs of each of the members.
            chosen: indices of these members; None for all.
        """
        if self.members == 1:
            return tuple(output.unsqueeze(0) for output in self.network(*(values[0] for values in inputs)))
        tensors = self._tensors()
        if chosen is not None:
            tensors = {name: tensor[chosen] for name, tensor in tensors.items()}
        return vmap(self._call)(tensors, *inputs)

    def _tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers of all members by name, [members, ...] each."""
        return {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}

    def _call(self, tensors: dict[str, Tensor], *inputs: Tensor) -> Any:
        return functional_call(self.network, tensors, inputs)

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
            outputs = self._loop(inputs, per_member, update)  # raises again if the network itself is wrong
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
        return vmap(self._call, in_dims=(0, 0 if per_member else None))(self._tensors(), inputs)

    def _loop(self, inputs: Tensor, per_member: bool, update: int) -> Tensor:
        outputs = []
        for member in range(self.members):
            if self.training:
                seed_random_layers(inputs.device, self.seeds[member], update)
            tensors = {name: tensor[member] for name, tensor in self._tensors().items()}
            outputs.append(self._call(tensors, inputs[member] if per_member else inputs))
        return torch.stack(outputs)

    def member(self, index: int) -> nn.Module:
        """A copy of member `index` as an ordinary network."""
        network = copy.deepcopy(self.network)
        if self.members > 1:
            _replace(network, lambda tensors: tensors[0][index].clone(), [network])
        return network


def member_seeds(members: int, seed: int, variants: int = 1) -> list[int]:
    """Seed of each member: from `seed` on, in each of `variants` equal parts.

    >>> member_seeds(6, 10, variants=2)
    [10, 11, 12, 10, 11, 12]
    """
    return [seed + member for member in range(members // variants)] * variants


def member_vectors(tensors: Iterable[Tensor], members: int) -> Tensor:
    """One vector for each member with the elements of all `tensors` of a population: a copy, [members, elements]."""
    return torch.cat([tensor.detach().reshape(members, -1) for tensor in tensors], dim=1)


def _places(network: nn.Module) -> list[tuple[nn.Module, str, str]]:
    """Where `network` keeps each parameter and buffer: a module, the module's table, the name in the table."""
    return [
        (module, table, name)
        for module in network.modules()
        for table in ("_parameters", "_buffers")
        for name, tensor in getattr(module, table).items()
        if tensor is not None
    ]


def _replace(network: nn.Module, make: Callable[[list[Tensor]], Tensor], sources: list[nn.Module]) -> None:
    """Replace each tensor by `make` of its counterparts in `sources`; shared tensors stay shared."""
    replacements: dict[int, Tensor] = {}
    for (owner, table, name), *others in zip(_places(network), *map(_places, sources), strict=True):
        old = getattr(owner, table)[name]
        if id(old) not in replacements:
            new = make([getattr(other, table)[name].detach() for other, table, name in others])
            replacements[id(old)] = nn.Parameter(new, old.requires_grad) if table == "_parameters" else new
        getattr(owner, table)[name] = replacements[id(old)]
