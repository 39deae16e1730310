"""Sequences of a formal language as a data module: joined words, drawn separately for every member."""

import os
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hudyn.arguments import ArgumentError, NonNegative, Positive, checked
from hudyn.languages import Countable, Language
from hudyn.metrics.sequences import ScoredTexts
from hudyn.seeds import derived_seed
from hudyn.tasks.base import TaskData

BLOCK = 256  # sequences drawn at once; fixed, so that the draws depend on the seed alone
EVALUATION_SEED = 1 << 62  # of the texts on which every run is scored


@dataclass
class SequenceChunk:
    """The sequences of several updates."""

    symbols: Tensor  # padded with zeros, [members, updates, batch, time + 1]; all but the last are read
    lengths: Tensor  # number of symbols predicted, [members, updates, batch]


class SequenceDataModule(TaskData[SequenceChunk]):
    """Sequences of words of a language, joined, with the first symbol of the next word to be predicted at the end.

    The stream of sequences is endless; the trainer's epochs are only the time between two evaluations.

    Args:
        language: where the words come from.
        words: words a sequence.
        batch_size: sequences an update.
        stream: whether each update starts from the state in which the last one ended.
        evaluation_interval: updates between two evaluations.
        evaluation_sequences: number of sequences on which networks are scored; the same in every run.
        example: text of the language that a report traces; one of the scored texts if None.
        updates_per_step: updates that one Lightning step makes; the result does not depend on it.
        members: size of the population; each member draws its own sequences.
        seed: seed of member 0.

    Raises:
        ArgumentError: a number out of range, an example that is no text of the language, or words too long for memory.
    """

    @checked
    def __init__(
        self,
        language: Language,
        words: Positive = 5,
        batch_size: Positive = 1,
        stream: bool = False,
        evaluation_interval: Positive = 1000,
        evaluation_sequences: Positive = 200,
        example: str | None = None,
        updates_per_step: Positive = 250,
        members: Positive = 1,
        seed: NonNegative = 0,
    ) -> None:
        super().__init__()
        if stream and batch_size > 1:
            raise ArgumentError("batch_size", f"expected 1 where data.stream is true, got {batch_size}")
        if example is not None:
            try:
                language.read(example)
            except ValueError as error:
                raise ArgumentError("example", str(error)) from error
        if isinstance(language, Countable):
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
        self._blocks: dict[int, tuple[Tensor, Tensor]] = {}
        self._next_texts: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}  # by seed and block

    @property
    def updates_per_epoch(self) -> int:
        """Updates between two evaluations."""
        return self.evaluation_interval

    @property
    def joined(self) -> bool:
        """Whether words follow one another in what networks are trained on."""
        return self.words > 1 or self.stream

    @cached_property
    def evaluation(self) -> ScoredTexts:
        """The sequences on which networks are scored."""
        generator = np.random.default_rng(derived_seed(EVALUATION_SEED, self.words))
        return ScoredTexts.of([self.language.text(self.words, generator) for _ in range(self.evaluation_sequences)])

    @cached_property
    def pairs(self) -> ScoredTexts:
        """All ordered pairs of words of a counting language, up to the longest word that is drawn."""
        assert isinstance(self.language, Countable)
        numbers = range(1, self.language.max_n + 1)
        return ScoredTexts.of([self.language.annotate([one, other]) for one in numbers for other in numbers])

    def chunk(self, epoch: int, first: int, last: int) -> SequenceChunk:
        """The sequences of the updates first..last-1 of an epoch, [members, updates, batch]."""
        made = self.trainer.global_step if self.trainer else epoch * self.evaluation_interval + first
        begin, end = made * self.batch_size, (made + last - first) * self.batch_size
        parts = []
        for block in range(begin // BLOCK, (end - 1) // BLOCK + 1):
            inside = slice(max(begin - block * BLOCK, 0), min(end - block * BLOCK, BLOCK))
            symbols, lengths = self._block(block)
            parts.append((symbols[:, inside], lengths[:, inside]))
        longest = max(symbols.shape[2] for symbols, _ in parts)
        symbols = torch.cat([F.pad(rows, (0, longest - rows.shape[2])) for rows, _ in parts], dim=1)
        lengths = torch.cat([lengths for _, lengths in parts], dim=1)  # [members, updates · batch]
        shape = self.members, last - first, self.batch_size
        return SequenceChunk(symbols.view(*shape, longest), lengths.view(shape))

    def _block(self, block: int) -> tuple[Tensor, Tensor]:
        """Padded symbols [members, BLOCK, time + 1] and lengths [members, BLOCK] of the sequences of a block."""
        if block not in self._blocks:
            drawn = [self._sequences(seed, block) for seed in range(self.seed, self.seed + self.members)]
            longest = max(symbols.shape[1] for symbols, _ in drawn)
            symbols = np.stack([np.pad(rows, ((0, 0), (0, longest - rows.shape[1]))) for rows, _ in drawn])
            lengths = np.stack([lengths for _, lengths in drawn])
            self._blocks = {key: self._blocks[key] for key in list(self._blocks)[-1:]}  # a chunk may span two blocks
            self._blocks[block] = torch.from_numpy(symbols), torch.from_numpy(lengths)
        return self._blocks[block]

    def _sequences(self, seed: int, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Padded symbols [BLOCK, time + 1] and lengths [BLOCK] of one member's block."""
        drawn = self._next_texts.pop((seed, block), None)
        text, starts = self._text(seed, block) if drawn is None else drawn
        following = self._next_texts[seed, block + 1] = self._text(seed, block + 1)
        symbols = np.append(text, following[0][0])
        bounds = np.append(starts[:: self.words], len(text))
        lengths = np.diff(bounds)
        places = bounds[:-1, None] + np.arange(lengths.max() + 1)
        rows = symbols[np.minimum(places, len(symbols) - 1)]
        rows[np.arange(lengths.max() + 1) > lengths[:, None]] = 0
        return rows, lengths

    def _text(self, seed: int, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Symbols of one member's block, and where its words begin."""
        return self.language.symbols(BLOCK * self.words, np.random.default_rng(derived_seed(seed, block)))


def _check_memory(language: Countable, words: int, batch_size: int, members: int) -> None:
    """Raise ArgumentError where a block of sequences or all pairs of words would not fit into half of the memory."""
    longest = language.max_n * sum(language.ratios)
    drawn = members * (BLOCK + batch_size) * words * longest * 8
    scored = language.max_n**2 * 2 * longest * (members * len(language.alphabet) * 16 + 64)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if max(drawn, scored) > memory / 2:
        raise ArgumentError(
            "language.max_n",
            f"words of up to {longest:,} symbols and their pairs need about {max(drawn, scored) / 1e9:,.0f} GB for "
            f"{members} members; this machine has {memory / 1e9:,.0f} GB. Choose a smaller max_n, or fewer members",
        )
