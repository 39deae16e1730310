"""Training recurrent networks on temporal parity."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from hudyn.metrics.kinds import MeasureKind
from hudyn.networks import RecurrentNetwork
from hudyn.tasks.base import Criterion, TaskModule, Updates
from tests.parity.data import Bits, ParityData


class ParityModule(TaskModule[ParityData, Bits]):
    """Trains a population to tell the parity of the bits so far, by cross-entropy after each bit."""

    data_class = ParityData

    @classmethod
    def measures(cls, data: ParityData) -> dict[str, MeasureKind]:
        """The loss, the accuracy on all sequences, and whether it is 1."""
        return {
            "train/loss": MeasureKind.VALUE,
            "test/accuracy": MeasureKind.VALUE,
            "test/solved": MeasureKind.RATE,
        }

    @classmethod
    def network_arguments(cls, data: ParityData) -> dict[str, object]:
        """Two symbols: the bits read, and the parities told."""
        return {"alphabet_size": 2}

    @classmethod
    def check_network(cls, network: nn.Module, data: ParityData) -> None:
        """Raise ValueError unless `network` reads bits."""
        if not isinstance(network, RecurrentNetwork) or network.alphabet_size != 2:
            raise ValueError("expected a recurrent network with an alphabet of 2 symbols")

    def criteria(self) -> Sequence[Criterion]:
        """The highest accuracy."""
        return [Criterion("test/accuracy", "highest accuracy", largest=True)]

    def choose_kernel(self, optimizer: Optimizer) -> None:
        """There is only the networks' own forward."""

    def make_updates(self, chunk: Bits) -> Updates:
        """Make the chunk's updates by autograd."""
        losses = []
        for update in range(chunk.bits.shape[1]):
            logits, *_ = self.population.map(chunk.bits[:, update])  # [members, batch, time, 2]
            loss = F.cross_entropy(logits.movedim(-1, 1), chunk.parity[:, update], reduction="none")
            self.optimizer.zero_grad()
            member_losses = loss.mean(dim=(1, 2))  # [members]
            member_losses.sum().backward()
            self.optimizer.step()
            losses.append(member_losses.detach())
        return Updates(len(losses), chunk.bits.numel(), torch.stack(losses), range(1, len(losses) + 1))

    @torch.no_grad()
    def evaluate(self) -> dict[str, Tensor]:
        """Accuracy after the last bit of every sequence there is."""
        bits = self.data.every_sequence.to(self.device)
        logits, *_ = self.population.map(bits.expand(self.members, -1, -1))
        right = logits[:, :, -1].argmax(-1) == bits.sum(dim=1) % 2  # [members, sequences]
        return {"test/accuracy": right.double().mean(dim=1), "test/solved": right.all(dim=1)}
