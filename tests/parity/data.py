"""Random bits, with the parity of all bits so far."""

from dataclasses import dataclass

import torch
from torch import Tensor

from hudyn.arguments import NonNegative, Positive, checked
from hudyn.seeds import generator
from hudyn.tasks.base import TaskData


@dataclass(frozen=True)
class Bits:
    """Sequences of several updates.

    Attributes:
        bits: [members, updates, batch, time].
        parity: 1 where the number of 1s so far is odd, [members, updates, batch, time].
    """

    bits: Tensor
    parity: Tensor


class ParityData(TaskData[Bits]):
    """An endless stream of random bits; every member draws its own.

    Args:
        length: bits a sequence.
        batch_size: sequences an update.
        evaluation_interval: updates between two evaluations.
        updates_per_step: updates that one Lightning step makes.
        members: size of the population.
        seed: seed of member 0.
    """

    @checked
    def __init__(
        self,
        length: Positive = 6,
        batch_size: Positive = 32,
        evaluation_interval: Positive = 100,
        updates_per_step: Positive = 50,
        members: Positive = 1,
        seed: NonNegative = 0,
    ) -> None:
        super().__init__()
        self.length = length
        self.batch_size = batch_size
        self.evaluation_interval = evaluation_interval
        self.updates_per_step = updates_per_step
        self.members = members
        self.seed = seed

    @property
    def updates_per_epoch(self) -> int:
        """Updates between two evaluations."""
        return self.evaluation_interval

    def chunk(self, epoch: int, first: int, last: int) -> Bits:
        """The sequences of the updates first..last-1; update u of seed s is the same on any number of members."""
        start = epoch * self.evaluation_interval
        seeds = range(self.seed, self.seed + self.members)
        drawn = [[self._draw(seed, start + update) for update in range(first, last)] for seed in seeds]
        bits = torch.stack([torch.stack(rows) for rows in drawn])
        return Bits(bits, bits.cumsum(-1) % 2)

    @property
    def every_sequence(self) -> Tensor:
        """All sequences of `length` bits, [2^length, length]."""
        return torch.arange(2**self.length)[:, None] >> torch.arange(self.length) & 1

    def _draw(self, seed: int, update: int) -> Tensor:
        return torch.randint(2, (self.batch_size, self.length), generator=generator(seed, update))

    def transfer_batch_to_device(self, batch: object, device: torch.device, dataloader_idx: int) -> object:
        """The batch on the device."""
        return Bits(batch.bits.to(device), batch.parity.to(device)) if isinstance(batch, Bits) else batch
