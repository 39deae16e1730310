"""Snapshots of a population during training."""

import copy
import math
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from hudyn.population import Population, member_vectors

Network = TypeVar("Network", bound=nn.Module)

PER_DECADE = 32  # snapshots while the number of updates grows tenfold


class Snapshots(nn.Module):
    """The parameters of all members at chosen updates, ever further apart; kept in checkpoints.

    Attributes:
        updates: number of updates made before each snapshot.
        vectors: the members' parameters at each snapshot, in the order of the network, [members, parameters].
    """

    def __init__(self) -> None:
        super().__init__()
        self.updates: list[int] = []
        self.vectors: list[Tensor] = []

    @staticmethod
    def next_after(update: int) -> int:
        """The first update after `update` at which a snapshot is due: 32 for each power of ten.

        >>> Snapshots.next_after(0), Snapshots.next_after(10), Snapshots.next_after(1000)
        (1, 11, 1075)
        """
        place = int(PER_DECADE * math.log10(update)) if update else 0
        while (due := round(10 ** (place / PER_DECADE))) <= update:
            place += 1
        return due

    def take(self, update: int, population: Population) -> None:
        """Take a snapshot after `update` updates, unless there is one already."""
        if update not in self.updates:
            self.updates.append(update)
            self.vectors.append(member_vectors(population.parameters(), population.members).cpu())

    def take_if_due(self, update: int, population: Population) -> None:
        """Take a snapshot if the next one is due."""
        if update >= self.next_after(self.updates[-1]):
            self.take(update, population)

    def get_extra_state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"updates": self.updates, "vectors": torch.stack(self.vectors) if self.vectors else None}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_extra_state` returned."""
        self.updates = list(state["updates"])
        self.vectors = [] if state["vectors"] is None else list(state["vectors"])


def with_parameters(network: Network, vector: Tensor) -> Network:
    """A copy of a network, in its precision, with the parameters of a vector, [parameters]."""
    copied = copy.deepcopy(network)
    vector_to_parameters(vector.to(next(network.parameters())), copied.parameters())
    return copied
