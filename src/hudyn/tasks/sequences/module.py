"""Prediction of the next symbol of a formal language by a population of recurrent networks."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from hudyn.kernels.choice import Kernel
from hudyn.kernels.recurrent import predictions, updates_by
from hudyn.languages import Counting, FiniteState
from hudyn.metrics import sequences as scores
from hudyn.metrics.longest import longest
from hudyn.metrics.members import spread
from hudyn.metrics.sequences import ScoredTexts
from hudyn.metrics.success import SuccessHistory
from hudyn.networks.recurrent import RecurrentNetwork, State
from hudyn.population import Population
from hudyn.tasks.sequences.data import SequenceChunk, SequenceDataModule
from hudyn.tasks.snapshots import Snapshots
from hudyn.tasks.updates import count_updates, not_finite

POSITIONS_AT_ONCE = 1 << 21  # of all members, when they are scored


class SequencePredictor(LightningModule):
    """Trains a population to predict the next symbol, by the mean negative log-likelihood of the symbol that comes.

    A Lightning step carries the updates of one chunk; `global_step` counts updates.

    Args:
        network: makes one recurrent network.
        optimizer: makes the optimizer of a list of parameters.
        members: size of the population.
        seed: seed of member 0; member k has `seed` + k.
        max_n: where the search for N* of a counting language ends.
        kernel: what makes the updates: ``reference`` is torch, ``numba`` (CPU) and ``triton`` (CUDA) are fused;
            ``auto`` takes the one that can be taken.

    Attributes:
        results: latest value of each measure, ``split/name``: [members].
        success: which members were successful at each evaluation.
        snapshots: what the members were at evaluations in the course of training.
    """

    small_operations = True  # torch waits longer for a second thread than it saves; kernels have threads of their own

    def __init__(
        self,
        network: Callable[..., nn.Module],
        optimizer: Callable[[Any], Optimizer],
        members: int = 1,
        seed: int = 0,
        max_n: int = 1000,
        kernel: Kernel = "auto",
    ) -> None:
        super().__init__()
        if max_n < 1:
            raise ValueError(f"max_n: expected at least 1, got {max_n}")
        self.automatic_optimization = False
        self.population = Population(network, members, seed)
        self.make_optimizer = optimizer
        self.max_n = max_n
        self.kernel = kernel
        self.success = SuccessHistory()
        self.snapshots = Snapshots()
        self.results: dict[str, Tensor] = {}
        self._state: State = ()
        self._losses: list[Tensor] = []

    @staticmethod
    def check_network(network: nn.Module, data: SequenceDataModule) -> None:
        """Raise ValueError unless `network` is recurrent and has the language's alphabet."""
        if not isinstance(network, RecurrentNetwork):
            raise ValueError("expected a recurrent network: hudyn.networks.SRN, LSTM or GRU")
        symbols = len(data.language.alphabet)
        if network.alphabet_size != symbols:
            raise ValueError(f"expected alphabet_size {symbols}, got {network.alphabet_size}")

    @staticmethod
    def measures(data: SequenceDataModule) -> list[str]:
        """Names of the measures in `results`."""
        names = ["excess", "accuracy", "margin", "legal_accuracy", "solved", "strict"]
        if isinstance(data.language, Counting):
            names += ["squared_error", "squared_error_floor", "longest"]
        if isinstance(data.language, FiniteState) and len(data.language.long_range):
            names.append("long_range_accuracy")
        names += ["sustained", "first_success", "sustained_success"]
        return ["train/loss", *(f"test/{name}" for name in names)]

    def configure_optimizers(self) -> Optimizer:
        """The optimizer of all members' parameters: it acts element by element, so members do not mix."""
        return self.make_optimizer(self.population.parameters())

    def on_train_start(self) -> None:
        """Choose what makes the updates."""
        trainer: Any = self.trainer
        with trainer.precision_plugin.train_step_context():
            self.make_updates = updates_by(self.kernel, self.population, self.optimizers(use_pl_optimizer=False))
        if not self.snapshots.updates:
            self.snapshots.take(self.global_step, self.population)
        self._state = tuple(part.to(self.device) for part in self._state)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the state that a stream goes on in."""
        checkpoint["stream_state"] = list(self._state)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up what `on_save_checkpoint` kept."""
        self._state = tuple(checkpoint["stream_state"])

    def on_train_epoch_start(self) -> None:
        """Begin the mean of the losses until the next evaluation."""
        self._losses = []

    def training_step(self, chunk: SequenceChunk, batch_idx: int) -> dict[str, int]:
        """Make the chunk's updates, log the losses of every `log_every_n_steps`-th; tell the symbols shown."""
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        trainer: Any = self.trainer
        first = self.global_step
        stream = trainer.datamodule.stream
        table, self._state = self.make_updates(
            self.population, optimizer, chunk.symbols, chunk.lengths, self._state, stream
        )  # [updates, members]
        count_updates(trainer, len(table))
        if not (finite := table.isfinite()).all():
            row, member = (int(i) for i in (~finite).nonzero()[0])
            raise not_finite(f"The loss of member {member} is {table[row, member]} at update {first + row + 1}.")
        self._losses.append(table)
        every = trainer.log_every_n_steps
        for row in range(-(first + 1) % every, len(table), every):
            for logger in self.loggers:
                logger.log_metrics(spread("train/loss", table[row]), step=first + row + 1)
        return {"samples": int(chunk.lengths.sum())}

    def validation_step(self, batch: None, batch_idx: int) -> None:
        """Score the members."""
        data = self._data
        found = {f"test/{name}": values.cpu() for name, values in self._scores(data).items()}
        if self._losses:
            self.results["train/loss"] = torch.cat(self._losses).double().mean(dim=0).cpu()
        self.results |= found
        if not self.trainer.testing:
            self.success.add(self.global_step, found["test/solved"])
            self.snapshots.take_if_due(self.global_step, self.population)
        self.log_dict({name: values.double().mean() for name, values in found.items()}, logger=False)

    def test_step(self, batch: None, batch_idx: int) -> None:
        """Score the members, with how far they count and the way they came to it."""
        self.validation_step(batch, batch_idx)
        data = self._data
        if isinstance(data.language, Counting):
            self.results["test/longest"] = longest(
                copy.deepcopy(self.population).cpu(), data.language, self.max_n
            ).double()
        if self.success.updates:
            self.results |= {
                "test/sustained": self.success.sustained,
                "test/first_success": self.success.first_success,
                "test/sustained_success": self.success.sustained_success,
            }

    @property
    def _data(self) -> SequenceDataModule:
        trainer: Any = self.trainer
        return trainer.datamodule

    def _scores(self, data: SequenceDataModule) -> dict[str, Tensor]:
        """Every score that is taken at each evaluation, [members]."""
        texts = data.evaluation.to(self.device)
        logits, known = self._logits(texts), texts.probabilities
        logs, choices = scores.log_probabilities(logits), scores.likeliest(logits)
        found = {
            "excess": scores.excess(logs, known, texts.read),
            "accuracy": scores.determined_right(choices, known, texts.determined),
            "legal_accuracy": scores.legal_right(choices, known, texts.read),
        }
        if not isinstance(data.language, Counting):
            legal = scores.legal_above_others(logits, known, texts.read)
            least = scores.margin(logs, known, texts.determined)
            found |= {"margin": least, "solved": legal, "strict": legal & (least >= 0)}
            if isinstance(data.language, FiniteState) and len(data.language.long_range):
                outer = torch.isin(texts.states, torch.tensor(data.language.long_range).to(texts.states)) & texts.read
                found["long_range_accuracy"] = scores.determined_right(choices, known, outer)
            return found
        assumed = scores.assumed_distributions(texts.symbols, known)
        squared_error = scores.squared_error(logs, assumed, texts.read)
        pairs = data.pairs.to(self.device)
        logits = self._logits(pairs)
        logs, choices = scores.log_probabilities(logits), scores.likeliest(logits)
        solved = scores.determined_right(choices, pairs.probabilities, pairs.determined) == 1
        least = scores.margin(logs, pairs.probabilities, pairs.determined)
        found |= {"margin": least, "solved": solved, "strict": solved & (least >= 0)}
        floor = scores.squared_error_floor(known, assumed, texts.read)
        return found | {
            "squared_error": squared_error,
            "squared_error_floor": torch.full((self.population.members,), floor, dtype=torch.float64),
        }

    @torch.no_grad()
    def _logits(self, texts: ScoredTexts) -> Tensor:
        """Predictions of all members, [members, texts, time, alphabet]."""
        members, (number, time) = self.population.members, texts.symbols.shape
        together = max(1, POSITIONS_AT_ONCE // (members * time))
        parts = [slice(first, first + together) for first in range(0, number, together)]
        logits = [predictions(self.kernel, self.population, texts.symbols[part], texts.read[part]) for part in parts]
        return torch.cat(logits, dim=1) if len(logits) > 1 else logits[0]
