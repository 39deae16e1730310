"""The activations of a network as it reads a word."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from hudyn.languages import Language, Text
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks.recurrent import RecurrentNetwork

EXAMPLE_WORDS = 4  # paths of more words would hide each other in a figure


@dataclass(frozen=True, repr=False)
class WordTrajectory:
    """What a network goes through as it reads a word, or several words joined."""

    symbols: tuple[str, ...]  # the symbols, [length]
    text: Text  # the same with the true distribution of the next symbol and the state label at each position
    start: np.ndarray  # the state before the first symbol, hidden, then context units, [units]
    hidden: np.ndarray  # hidden state after each symbol, [length, hidden]
    context: np.ndarray | None  # context state after each symbol, [length, hidden]; None for networks without one
    gates: Mapping[str, np.ndarray]  # activation of each gate at each symbol, by its name, [length, hidden]
    logits: np.ndarray  # of the next symbol, after each symbol, [length, alphabet]

    @property
    def states(self) -> np.ndarray:
        """The state before the first symbol and after each: hidden, then context units, [length + 1, units]."""
        after = self.hidden if self.context is None else np.concatenate([self.hidden, self.context], axis=1)
        return np.concatenate([self.start[None], after])

    @property
    def probabilities(self) -> np.ndarray:
        """The network's distribution of the next symbol, after each symbol, [length, alphabet]."""
        return torch.from_numpy(self.logits).softmax(-1).numpy()

    def __repr__(self) -> str:
        parts = ["hidden", *(["context"] if self.context is not None else []), *self.gates, "logits"]
        return f"WordTrajectory({''.join(self.symbols)!r}: {', '.join(parts)})"


@torch.no_grad()
def word_trajectory(network: RecurrentNetwork, language: Language, word: str) -> WordTrajectory:
    """Let a network read a word, or several words joined.

    Raises:
        ValueError: an unknown symbol, or a symbol that cannot follow those before it.
    """
    text = language.read(word)
    run = network.run(torch.from_numpy(text.symbols)[None])
    return WordTrajectory(
        tuple(word),
        text,
        torch.cat([part[0] for part in network.initial_state(1)]).numpy(),
        run.hidden[0].numpy(),
        None if run.context is None else run.context[0].numpy(),
        {name: gate[0].numpy() for name, gate in run.gates.items()},
        run.logits[0].numpy(),
    )


def example_words(language: Language, texts: ScoredTexts, number: int = EXAMPLE_WORDS) -> list[str]:
    """A few different words of `texts`, from short to long."""
    words: set[str] = set()
    for symbols, read in zip(texts.symbols, texts.read, strict=True):
        text = "".join(language.alphabet[symbol] for symbol in symbols[read])
        starts = [*language.read(text).starts.tolist(), len(text)]
        words |= {text[first:last] for first, last in itertools.pairwise(starts)}
    ordered = sorted(words, key=lambda word: (len(word), word))
    chosen = np.unique(np.linspace(0, len(ordered) - 1, number).round().astype(int))
    return [ordered[place] for place in chosen]
