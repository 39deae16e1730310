"""Sequences of a formal language as a data module: joined words, drawn separately for every member."""

import os
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from hudyn.arguments import ArgumentError, NonNegative, Positive, checked
from hudyn.kernels.recurrent import Sequences, Vocabulary
from hudyn.languages import Countable, HasVocabulary, Language
from hudyn.languages.text import check_language
from hudyn.metrics.sequences import ScoredTexts
from hudyn.seeds import derived_seed
from hudyn.tasks.base import TaskData

BLOCK = 2048  # sequences drawn at once; fixed, so that the draws depend on the seed alone
EVALUATION_SEED = 1 << 62  # of the texts on which every run is scored


class SequenceDataModule(TaskData[Sequences]):
    """Sequences of words of a language, joined, with the first symbol of the next word to be predicted at the end.

    The stream of sequences is endless; the trainer's epochs are only the time between two evaluations.

    Args:
        language: where the words come from.
        words: words a sequence.
        batch_size: sequences an update.
        stream: whether each update starts from the state in which the last one ended.
        evaluation_interval: updates between two evaluations.
        evaluation_sequences: number of sequences on which networks are scored; the same in every run.
        evaluation_max_n: largest n of the words of a counting language on which ``test/solved`` is decided, such as one
            beyond those that networks are trained on; None for the language's.
        example: text of the language that a report traces; one of the scored texts if None.
        updates_per_step: updates that one Lightning step makes; the result does not depend on it.
        members: size of the population; each member draws its own sequences.
        seed: seed of member 0.

    Raises:
        ArgumentError: a language that lacks a member, a number out of range, an example that is no text of the
            language, or words too long for memory.
    """

    accumulates = True

    @checked
    def __init__(
        self,
        language: Language,
        words: Positive = 5,
        batch_size: Positive = 1,
        stream: bool = False,
        evaluation_interval: Positive = 1000,
        evaluation_sequences: Positive = 200,
        evaluation_max_n: Positive | None = None,
        example: str | None = None,
        updates_per_step: Positive = 1000,
        members: Positive = 1,
        seed: NonNegative = 0,
    ) -> None:
        super().__init__()
        check_language(language)
        if stream and batch_size > 1:
            raise ArgumentError("batch_size", f"expected 1 where data.stream is true, got {batch_size}")
        if example is not None:
            try:
                language.read(example)
            except ValueError as error:
                raise ArgumentError("example", str(error)) from error
        if isinstance(language, Countable):
            if (evaluation_max_n or language.max_n) < language.max_n:
                expected = f"expected at least {language.max_n}, the language's max_n"
                raise ArgumentError("evaluation_max_n", f"{expected}, got {evaluation_max_n}")
            _check_memory(language, evaluation_max_n or language.max_n, words, batch_size, members)
        elif evaluation_max_n is not None:
            raise ArgumentError("evaluation_max_n", "expected none: the language does not count")
        self.language = language
        self.example = example
        self.words = words
        self.batch_size = batch_size
        self.stream = stream
        self.evaluation_interval = evaluation_interval
        self.evaluation_sequences = evaluation_sequences
        self.evaluation_max_n = evaluation_max_n
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
        """Each word of a counting language with n up to `evaluation_max_n`, after each word that is drawn."""
        assert isinstance(self.language, Countable)
        before = range(1, self.language.max_n + 1)
        numbers = range(1, (self.evaluation_max_n or self.language.max_n) + 1)
        return ScoredTexts.of([self.language.annotate([one, other]) for one in before for other in numbers])

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What the sequences are put together from: words where there are finitely many, else symbols."""
        if isinstance(self.language, HasVocabulary):
            return Vocabulary.of(self.language.vocabulary)
        return Vocabulary.of([np.array([symbol]) for symbol in range(len(self.language.alphabet))])

    def chunk(self, epoch: int, first: int, last: int) -> Sequences:
        """The sequences of the updates first..last-1 of an epoch."""
        made = self.trainer.global_step if self.trainer else epoch * self.evaluation_interval + first
        at_once = self.batch_size * self.accumulated
        begin, end = made * at_once, (made + last - first) * at_once
        texts: list[Tensor] = []
        starts, lengths = [], []
        for block in range(begin // BLOCK, (end - 1) // BLOCK + 1):
            inside = slice(max(begin - block * BLOCK, 0), min(end - block * BLOCK, BLOCK))
            text, bounds = self._block(block)
            starts.append(bounds[:, :-1][:, inside] + sum(earlier.shape[1] for earlier in texts))
            lengths.append(bounds.diff(dim=1)[:, inside])
            texts.append(text)
        shape = self.members, last - first, self.accumulated, self.batch_size
        return Sequences(_joined(texts), _joined(starts).view(shape), _joined(lengths).view(shape), self.vocabulary)

    def _block(self, block: int) -> tuple[Tensor, Tensor]:
        """The members' texts of a block, padded, [members, pieces], and the sequences' bounds, [members, BLOCK + 1].

        The piece at the last bound is the first of the next block.
        """
        if block not in self._blocks:
            seeds = range(self.seed, self.seed + self.members // self.variants)
            drawn = [self._sequences(seed, block) for seed in seeds] * self.variants
            texts = np.zeros((self.members, max(len(text) for text, _ in drawn)), np.int32)
            for row, (text, _) in zip(texts, drawn, strict=True):
                row[: len(text)] = text
            bounds = np.stack([bounds for _, bounds in drawn])
            self._blocks = {key: self._blocks[key] for key in list(self._blocks)[-1:]}  # a chunk may span two blocks
            self._blocks[block] = torch.from_numpy(texts), torch.from_numpy(bounds)
        return self._blocks[block]

    def _sequences(self, seed: int, block: int) -> tuple[np.ndarray, np.ndarray]:
        """One member's text of a block, with the first piece of the next, and the bounds of its sequences."""
        drawn = self._next_texts.pop((seed, block), None)
        text, starts = self._text(seed, block) if drawn is None else drawn
        following = self._next_texts[seed, block + 1] = self._text(seed, block + 1)
        return np.append(text, following[0][0]), np.append(starts[:: self.words], len(text))

    def _text(self, seed: int, block: int) -> tuple[np.ndarray, np.ndarray]:
        """The pieces of one member's block, and where its words begin."""
        words, generator = BLOCK * self.words, np.random.default_rng(derived_seed(seed, block))
        if isinstance(self.language, HasVocabulary):
            return self.language.draw(words, generator), np.arange(words)
        return self.language.symbols(words, generator)


def _joined(parts: list[Tensor]) -> Tensor:
    """Join parts along the second axis."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _check_memory(language: Countable, evaluation_max_n: int, words: int, batch_size: int, members: int) -> None:
    """Raise ArgumentError where a block of sequences or all pairs of words would not fit into half of the memory."""
    longest = evaluation_max_n * sum(language.ratios)
    drawn = members * (BLOCK + batch_size) * words * 8
    scored = language.max_n * evaluation_max_n * 2 * longest * (members * len(language.alphabet) * 16 + 64)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if max(drawn, scored) > memory / 2:
        raise ArgumentError(
            "language.max_n",
            f"words of up to {longest:,} symbols and their pairs need about {max(drawn, scored) / 1e9:,.0f} GB for "
            f"{members} members; this machine has {memory / 1e9:,.0f} GB. Choose a smaller max_n, or fewer members",
        )
