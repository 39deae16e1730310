"""Sequences of a formal language as a LightningDataModule: words joined, every member on draws of its own."""

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from hudyn.languages import Counting, Language
from hudyn.metrics.sequences import ScoredTexts
from hudyn.seeds import derived_seed
from hudyn.tasks.loaders import BatchLoader, UpdateLoader

BLOCK = 256  # sequences drawn together; fixed, so that the draws depend on nothing else
EVALUATION_SEED = 1 << 62  # of the texts that every run is scored on


@dataclass
class SequenceChunk:
    """The sequences of several updates.

    Attributes:
        symbols: indices into the alphabet, padded with zeros, [members, updates, batch, time + 1]: each symbol but the
            last is read, each but the first predicted.
        lengths: number of symbols predicted in each sequence, [members, updates, batch].
    """

    symbols: Tensor
    lengths: Tensor


class SequenceDataModule(LightningDataModule):
    """Sequences of words of a language, joined, with the first symbol of the next word to be predicted at the end.

    The stream of sequences is endless; the trainer's epochs are only the time between two evaluations.

    Args:
        language: where the words come from.
        words: words a sequence.
        batch_size: sequences an update.
        stream: whether each update goes on where the last one ended, in the state the network was left in.
        evaluation_interval: updates between two evaluations.
        evaluation_sequences: number of sequences that networks are scored on; they are the same in every run.
        example: text of the language that a report traces; one of those that networks are scored on where None.
        updates_per_step: updates that one Lightning step carries; the result does not depend on it.
        members: size of the population; each member has draws of its own.
        seed: seed of member 0.

    Raises:
        ValueError: a number out of range, an example that is no text of the language, or words too long for memory.
    """

    endless = True
    evaluated_splits = ("test",)

    def __init__(
        self,
        language: Language,
        words: int = 5,
        batch_size: int = 1,
        stream: bool = False,
        evaluation_interval: int = 1000,
        evaluation_sequences: int = 200,
        example: str | None = None,
        updates_per_step: int = 250,
        members: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        counts = {
            "words": words,
            "batch_size": batch_size,
            "evaluation_interval": evaluation_interval,
            "evaluation_sequences": evaluation_sequences,
            "updates_per_step": updates_per_step,
        }
        for name, value in counts.items():
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        if stream and batch_size > 1:
            raise ValueError(f"batch_size: expected 1 where data.stream is true, got {batch_size}")
        if example is not None:
            try:
                language.read(example)
            except ValueError as error:
                raise ValueError(f"example: {error}") from error
        if isinstance(language, Counting):
            _check_memory(language, words, batch_size, members)
        self.language = language
        self.example = example
        self.words = words
        self.batch_size = batch_size
        self.stream = stream
        self.evaluation_interval = evaluation_interval
        self.evaluation_sequences = evaluation_sequences
        self.updates_per_step = updates_per_step
        self.members = members
        self.seed = seed
        self._drawn: dict[int, tuple[Tensor, Tensor]] = {}
        self._texts: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}  # of the next block

    def train_dataloader(self) -> UpdateLoader[SequenceChunk]:
        """The sequences until the next evaluation, in chunks of updates."""
        return UpdateLoader(self._chunk, self.evaluation_interval, self.updates_per_step, self.trainer)

    def val_dataloader(self) -> BatchLoader[None]:
        """One empty batch: what networks are scored on is `evaluation` and, of a counting language, `pairs`."""
        return BatchLoader(lambda first, last: None, 1, 1)

    def test_dataloader(self) -> BatchLoader[None]:
        """The same."""
        return self.val_dataloader()

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """The batch on the device."""
        if batch is None:
            return None
        return SequenceChunk(batch.symbols.to(device), batch.lengths.to(device))

    @cached_property
    def evaluation(self) -> ScoredTexts:
        """The sequences that networks are scored on."""
        generator = np.random.default_rng(derived_seed(EVALUATION_SEED, self.words))
        return ScoredTexts.of([self.language.text(self.words, generator) for _ in range(self.evaluation_sequences)])

    @cached_property
    def pairs(self) -> ScoredTexts:
        """All ordered pairs of words of a counting language, up to the longest that is drawn."""
        assert isinstance(self.language, Counting)
        numbers = range(1, self.language.max_n + 1)
        return ScoredTexts.of([self.language.annotate([one, other]) for one in numbers for other in numbers])

    def _chunk(self, epoch: int, first: int, last: int) -> SequenceChunk:
        made = self.trainer.global_step if self.trainer else epoch * self.evaluation_interval + first
        begin, end = made * self.batch_size, (made + last - first) * self.batch_size
        parts = []
        for block in range(begin // BLOCK, (end - 1) // BLOCK + 1):
            inside = slice(max(begin - block * BLOCK, 0), min(end - block * BLOCK, BLOCK))
            symbols, lengths = self._block(block)
            parts.append((symbols[:, inside], lengths[:, inside]))
        longest = max(symbols.shape[2] for symbols, _ in parts)
        symbols = torch.cat([torch.nn.functional.pad(own, (0, longest - own.shape[2])) for own, _ in parts], dim=1)
        lengths = torch.cat([own for _, own in parts], dim=1)  # [members, updates · batch]
        shape = self.members, last - first, self.batch_size
        return SequenceChunk(symbols.view(*shape, longest), lengths.view(shape))

    def _block(self, block: int) -> tuple[Tensor, Tensor]:
        """Padded symbols [members, BLOCK, time + 1] and lengths [members, BLOCK] of so many sequences."""
        if block not in self._drawn:
            rows = [self._sequences(seed, block) for seed in range(self.seed, self.seed + self.members)]
            longest = max(symbols.shape[1] for symbols, _ in rows)
            symbols = np.stack([np.pad(own, ((0, 0), (0, longest - own.shape[1]))) for own, _ in rows])
            lengths = np.stack([own for _, own in rows])
            self._drawn = {key: self._drawn[key] for key in list(self._drawn)[-1:]}  # a chunk may reach into the next
            self._drawn[block] = torch.from_numpy(symbols), torch.from_numpy(lengths)
        return self._drawn[block]

    def _sequences(self, seed: int, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Padded symbols [BLOCK, time + 1] and lengths [BLOCK] of one member's block."""
        place = seed, block
        own, starts = self._texts.pop(place) if place in self._texts else self._text(*place)
        following = self._texts[seed, block + 1] = self._text(seed, block + 1)
        symbols = np.append(own, following[0][0])
        bounds = np.append(starts[:: self.words], len(own))
        lengths = np.diff(bounds)
        places = bounds[:-1, None] + np.arange(lengths.max() + 1)
        rows = symbols[np.minimum(places, len(symbols) - 1)]
        rows[np.arange(lengths.max() + 1) > lengths[:, None]] = 0
        return rows, lengths

    def _text(self, seed: int, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Symbols of one member's block, and where its words begin."""
        return self.language.symbols(BLOCK * self.words, np.random.default_rng(derived_seed(seed, block)))


def _check_memory(language: Counting, words: int, batch_size: int, members: int) -> None:
    """Raise ValueError where a block of sequences or all pairs of words would not fit into half of the memory."""
    longest = language.max_n * sum(language.ratios)
    drawn = members * (BLOCK + batch_size) * words * longest * 8
    scored = language.max_n**2 * 2 * longest * (members * len(language.alphabet) * 16 + 64)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if max(drawn, scored) > memory / 2:
        raise ValueError(
            f"language.max_n: words of up to {longest:,} symbols and their pairs need about "
            f"{max(drawn, scored) / 1e9:,.0f} GB for {members} members; this machine has {memory / 1e9:,.0f} GB. "
            "Choose a smaller max_n, or fewer members"
        )
