"""Prediction of the next symbol of a formal language by a population of recurrent networks."""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hudyn.arguments import NonNegative, Positive, checked
from hudyn.kernels.dispatch import Kernel, choose, optimizer_obstacle
from hudyn.kernels.recurrent import Sequences, predictions, updates_by
from hudyn.kernels.threads import share_out
from hudyn.languages import Countable, HasStateNames
from hudyn.metrics import sequences as scores
from hudyn.metrics.kinds import MeasureKind
from hudyn.metrics.longest import longest
from hudyn.metrics.sequences import Prediction, ScoredTexts
from hudyn.metrics.success import SuccessHistory
from hudyn.networks.recurrent import RecurrentNetwork, State
from hudyn.tasks.base import Criterion, MakeNetwork, MakeOptimizer, Study, TaskModule, Updates
from hudyn.tasks.sequences.data import SequenceDataModule
from hudyn.tasks.snapshots import Snapshots

POSITIONS_IN_CACHE = 1 << 15  # scored together, a quarter of a megabyte for each symbol


ScoresOf = Callable[[Prediction, ScoredTexts], dict[str, Tensor]]


class SequencePredictor(TaskModule[SequenceDataModule, Sequences]):
    """Trains a population to predict the next symbol, by the mean negative log-likelihood of the symbol that comes.

    Args:
        network: makes one recurrent network.
        optimizer: makes the optimizer of a list of parameters.
        members: size of the population.
        seed: seed of member 0; member k has `seed` + k.
        max_n: where the search for N* of a counting language ends.
        kernel: what makes the updates: ``reference`` is torch, ``numba`` (CPU) and ``triton`` (CUDA) are fused;
            ``auto`` takes the fused one that is available.

    Attributes:
        success: which members solved the task at each evaluation.
        snapshots: the members' parameters at evaluations during training.
    """

    data_class = SequenceDataModule
    inputs = "symbols"

    @checked
    def __init__(
        self,
        network: MakeNetwork | Sequence[MakeNetwork],
        optimizer: MakeOptimizer,
        members: Positive = 1,
        seed: NonNegative = 0,
        max_n: Positive = 1000,
        kernel: Kernel = "auto",
    ) -> None:
        super().__init__(network, optimizer, members, seed, kernel)
        self.max_n = max_n
        self.success = SuccessHistory()
        self.snapshots = Snapshots()
        self._state: State = ()

    @classmethod
    def measures(cls, data: SequenceDataModule) -> dict[str, MeasureKind]:
        """The training loss, and the scores against the language's true distribution."""
        value, rate, time = MeasureKind.VALUE, MeasureKind.RATE, MeasureKind.TIME
        kinds = {
            "train/loss": value,
            "test/excess": value,
            "test/accuracy": value,
            "test/margin": value,
            "test/legal_accuracy": value,
            "test/solved": rate,
            "test/strict": rate,
        }
        if isinstance(data.language, Countable):
            kinds |= {"test/squared_error": value, "test/squared_error_floor": value, "test/longest": value}
        if isinstance(data.language, HasStateNames) and len(data.language.long_range):
            kinds["test/long_range_accuracy"] = value
        return kinds | {"test/sustained": rate, "test/first_success": time, "test/sustained_success": time}

    @classmethod
    def network_arguments(cls, data: SequenceDataModule) -> dict[str, object]:
        """The size of the language's alphabet."""
        return {"alphabet_size": len(data.language.alphabet)}

    @classmethod
    def check_network(cls, network: nn.Module, data: SequenceDataModule) -> None:
        """Raise ValueError unless `network` is recurrent, has the language's alphabet, and can read a symbol."""
        if not isinstance(network, RecurrentNetwork):
            raise ValueError("expected a recurrent network: hudyn.networks.SRN, LSTM or GRU, or a RecurrentNetwork")
        symbols = len(data.language.alphabet)
        if network.alphabet_size != symbols:
            raise ValueError(f"expected alphabet_size {symbols}, got {network.alphabet_size}")
        _check_step(network)

    def criteria(self) -> Sequence[Criterion]:
        """The largest N*, or where the language does not count, success; then the lowest excess."""
        if "test/longest" in self.results:
            first = Criterion("test/longest", "largest N*", largest=True)
        else:
            first = Criterion("test/solved", "lowest excess of those that solve the task", largest=True)
        return [first, Criterion("test/excess", "lowest excess")]

    def choose_kernel(self, optimizer: Optimizer) -> None:
        """Choose what makes the updates."""
        self.run_updates = updates_by(self.kernel, self.population, optimizer)

    def on_train_start(self) -> None:
        """Take the first snapshot; move the state of a resumed stream to the device."""
        super().on_train_start()
        if not self.snapshots.updates:
            self.snapshots.take(self.global_step, self.population)
        self._state = tuple(part.to(self.device) for part in self._state)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the state from which a stream continues."""
        checkpoint["stream_state"] = list(self._state)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what `on_save_checkpoint` kept."""
        self._state = tuple(checkpoint["stream_state"])

    @property
    def is_like_alone(self) -> bool:
        """Whether the numba kernel makes the updates: it trains each member by itself."""
        optimizer = self.make_optimizer(self.population.parameters())
        return choose(self.kernel, self.population) == "numba" and optimizer_obstacle(optimizer) is None

    def checkpoint_of(self, checkpoint: Mapping[str, Any], members: slice) -> dict[str, Any]:
        """The part of the population's checkpoint that is about some members."""
        of_members = super().checkpoint_of(checkpoint, members)
        state = of_members["state_dict"]
        for name, key in (("success", "solved"), ("snapshots", "vectors")):  # [times, members, ...] each
            extra = state[f"{name}._extra_state"]
            state[f"{name}._extra_state"] = extra | {key: extra[key][:, members].clone()}
        return of_members | {"stream_state": [part[members].clone() for part in checkpoint["stream_state"]]}

    def make_updates(self, chunk: Sequences) -> Updates:
        """Make the chunk's updates, each on the next sequences."""
        settings = self.step_settings(chunk.starts.shape[1])
        losses, self._state = self.run_updates(
            self.population, self.optimizer, settings, chunk, self._state, self.data.stream
        )  # [updates, members]
        return Updates(len(losses), chunk.lengths.numel(), losses, range(1, len(losses) + 1))

    def evaluate(self) -> dict[str, Tensor]:
        """Every score."""
        results = {f"test/{name}": values.cpu() for name, values in self._scores().items()}
        if not self.trainer.testing:
            self.success.add(self.global_step, results["test/solved"])
            self.snapshots.take_if_due(self.global_step, self.population)
        return results

    def evaluate_at_end(self) -> dict[str, Tensor]:
        """N* of a counting language; when the task was solved."""
        results = {}
        language = self.data.language
        if isinstance(language, Countable):
            results["test/longest"] = longest(copy.deepcopy(self.population).cpu(), language, self.max_n)
        if self.success.updates:
            results |= {
                "test/sustained": self.success.sustained,
                "test/first_success": self.success.first_success,
                "test/sustained_success": self.success.sustained_success,
            }
        return results

    def _scores(self) -> dict[str, Tensor]:
        """Every score that is taken at each evaluation, [members]."""
        data = self.data
        if not isinstance(data.language, Countable):
            return self._score(data.evaluation, self._text_scores, self._legal_scores)
        texts = data.evaluation.to(self.device).joined
        assumed = scores.assumed_distributions(texts.symbols, texts.probabilities)
        floor = scores.squared_error_floor(texts.probabilities, assumed, texts.read)
        squared_errors = partial(self._squared_errors, assumed, floor)
        return self._score(data.evaluation, self._text_scores, squared_errors) | self._score(
            data.pairs, self._pair_scores
        )

    def _score(self, texts: ScoredTexts, *scores_of: ScoresOf) -> dict[str, Tensor]:
        """Scores of all members, [members], a few members at a time: their numbers fit in the processor's cache."""
        texts = texts.to(self.device)
        logits = predictions(self.kernel, self.population, texts.symbols, texts.read)
        joined = texts.joined
        size = max(1, POSITIONS_IN_CACHE // logits.shape[1])
        parts = logits.unsqueeze(1).split(size)  # [members, 1, positions, alphabet]
        found: list[dict[str, Tensor]] = [{}] * len(parts)

        def score(chosen: np.ndarray) -> None:
            for place in chosen.tolist():
                prediction = Prediction.of(parts[place])
                for scores_of_part in scores_of:
                    found[place] = found[place] | scores_of_part(prediction, joined)

        share_out(score, np.arange(len(parts)))
        return {name: torch.cat([part[name] for part in found]) for name in found[0]}

    def _text_scores(self, predicted: Prediction, texts: ScoredTexts) -> dict[str, Tensor]:
        return {
            "excess": scores.excess(predicted.logs, texts.probabilities, texts.read),
            "accuracy": scores.determined_right(predicted.choices, texts.probabilities, texts.determined),
            "legal_accuracy": scores.legal_right(predicted.choices, texts.probabilities, texts.read),
        }

    def _squared_errors(
        self, assumed: Tensor, floor: float, predicted: Prediction, texts: ScoredTexts
    ) -> dict[str, Tensor]:
        errors = scores.squared_error(predicted.logs, assumed, texts.read)
        return {"squared_error": errors, "squared_error_floor": torch.full_like(errors, floor)}

    def _pair_scores(self, predicted: Prediction, texts: ScoredTexts) -> dict[str, Tensor]:
        return _success(
            scores.determined_right(predicted.choices, texts.probabilities, texts.determined) == 1, predicted, texts
        )

    def _legal_scores(self, predicted: Prediction, texts: ScoredTexts) -> dict[str, Tensor]:
        results = _success(
            scores.legal_above_others(predicted.logits, texts.probabilities, texts.read), predicted, texts
        )
        language = self.data.language
        if isinstance(language, HasStateNames) and len(language.long_range):
            outer = torch.isin(texts.states, torch.tensor(language.long_range).to(texts.states))
            right = scores.determined_right(predicted.choices, texts.probabilities, outer)
            results["long_range_accuracy"] = right
        return results


def _success(solved: Tensor, predicted: Prediction, texts: ScoredTexts) -> dict[str, Tensor]:
    margin = scores.margin(predicted.logs, texts.probabilities, texts.determined)
    return {"margin": margin, "solved": solved, "strict": solved & (margin >= 0)}


SequenceStudy: TypeAlias = Study[SequencePredictor, SequenceDataModule]


@torch.no_grad()
def _check_step(network: RecurrentNetwork) -> None:
    """Raise ValueError unless `network.step` returns the state and the gates, of the right shapes."""
    shape = 2, network.hidden_size
    expected = [shape] * (1 + network.has_context), [shape] * len(network.gate_names)
    try:
        returned = network.step(network.from_input(torch.zeros(2, dtype=torch.long)), network.initial_state(2))
    except Exception as error:
        raise ValueError(f"its step fails: {type(error).__name__}: {error}") from error
    try:
        state, gates = returned
        given = [tuple(part.shape) for part in state], [tuple(part.shape) for part in gates]
    except (TypeError, ValueError, AttributeError):
        given = None
    if given != expected:
        raise ValueError(
            f"for a batch of 2, expected its step to return (state, gates) of shapes {expected[0]} and {expected[1]}, "
            f"got {'something else' if given is None else f'{given[0]} and {given[1]}'}"
        )
