"""Scores of next-symbol prediction against the true distribution of the language."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hudyn.languages import Text

ASSUMED = (0.8, 0.2)  # probability of a and b after an a, as the assignment's squared error assumes


@dataclass
class ScoredTexts:
    """Texts on which networks are scored, one a row, padded."""

    symbols: Tensor  # indices into the alphabet, [texts, time]
    read: Tensor  # whether a position holds a symbol, not padding, bool [texts, time]
    probabilities: Tensor  # true distribution of the next symbol, [texts, time, alphabet]
    determined: Tensor  # whether the next symbol is determined, bool [texts, time]
    states: Tensor  # state labels, [texts, time]

    @classmethod
    def of(cls, texts: list[Text]) -> "ScoredTexts":
        """Pad texts to the longest."""

        def padded(parts: Iterable[np.ndarray]) -> Tensor:
            return pad_sequence([torch.from_numpy(part) for part in parts], batch_first=True)

        return cls(
            padded(text.symbols for text in texts),
            padded(np.ones(len(text.symbols), bool) for text in texts),
            padded(text.probabilities for text in texts).float(),
            padded(text.determined for text in texts),
            padded(text.states for text in texts),
        )

    @property
    def joined(self) -> "ScoredTexts":
        """The positions that hold a symbol, as one text without padding."""
        return ScoredTexts(**{name: part[self.read].unsqueeze(0) for name, part in vars(self).items()})

    def to(self, device: torch.device) -> "ScoredTexts":
        """The same texts on a device."""
        return ScoredTexts(**{name: part.to(device) for name, part in vars(self).items()})


@dataclass
class Prediction:
    """What some members predict at each position of some texts."""

    logits: Tensor  # [members, texts, time, alphabet]
    logs: Tensor  # see `log_probabilities`, [members, texts, time, alphabet]
    choices: Tensor  # see `most_probable`, [members, texts, time]

    @classmethod
    def of(cls, logits: Tensor) -> "Prediction":
        """The prediction of these logits."""
        return cls(logits, log_probabilities(logits), most_probable(logits))


def log_probabilities(logits: Tensor) -> Tensor:
    """Logarithms of the predicted probabilities, float64 [members, texts, time, alphabet].

    The alphabet comes first in memory, which is several times as fast for a small alphabet.
    """
    return logits.movedim(-1, 0).contiguous().double().log_softmax(0).movedim(0, -1)


def most_probable(logits: Tensor) -> Tensor:
    """The most probable symbol, the first of equals, [members, texts, time]; faster than argmax for few symbols."""
    most, found = logits[..., 0], torch.zeros(logits.shape[:-1], dtype=torch.int64, device=logits.device)
    for symbol in range(1, logits.shape[-1]):
        found.masked_fill_(logits[..., symbol] > most, symbol)
        most = torch.maximum(most, logits[..., symbol])
    return found


def excess(logs: Tensor, probabilities: Tensor, read: Tensor) -> Tensor:
    """Excess cross-entropy over the entropy of the language, in nats per symbol, [members].

    This is the Kullback-Leibler divergence of the prediction from the true distribution, averaged over positions.

    Args:
        logs: logarithms of the predicted probabilities, [members, texts, time, alphabet].
        probabilities: the true distributions, [texts, time, alphabet].
        read: whether there is a symbol, bool [texts, time].
    """
    true = probabilities.double() * read[..., None]
    return (torch.xlogy(true, true).sum() - (true * logs).sum(dim=(1, 2, 3))) / read.sum()


def determined_right(choices: Tensor, probabilities: Tensor, determined: Tensor) -> Tensor:
    """Accuracy at determined positions: the share whose next symbol is the most probable one, [members].

    NaN if no position is determined.

    Args:
        choices: the most probable symbols, [members, texts, time].
        probabilities: the true distributions, [texts, time, alphabet].
        determined: whether the next symbol is determined, bool [texts, time].
    """
    right = choices == probabilities.argmax(-1)
    return (right & determined).sum(dim=(1, 2)).double() / determined.sum()


def margin(logs: Tensor, probabilities: Tensor, determined: Tensor) -> Tensor:
    """Minimum probability of the right symbol over determined positions, minus ½, [members]; see `excess`."""
    right = probabilities.argmax(-1).expand(logs.shape[:-1]).unsqueeze(-1)
    given = logs.gather(-1, right).squeeze(-1)  # [members, texts, time]
    return given.masked_fill(~determined, 0.0).amin(dim=(1, 2)).exp() - 0.5


def legal_right(choices: Tensor, probabilities: Tensor, read: Tensor) -> Tensor:
    """Share of positions whose most probable symbol is legal there, [members]; see `determined_right`."""
    legal = (probabilities > 0).expand(len(choices), -1, -1, -1).gather(-1, choices.unsqueeze(-1)).squeeze(-1)
    return (legal & read).sum(dim=(1, 2)).double() / read.sum()


def legal_above_others(logits: Tensor, probabilities: Tensor, read: Tensor) -> Tensor:
    """Whether every legal next symbol is more probable than every illegal one, everywhere, bool [members].

    This is Hochreiter & Schmidhuber's (1997) criterion of success on the embedded Reber grammar.

    Args:
        logits: predictions, [members, texts, time, alphabet].
        probabilities: the true distributions, [texts, time, alphabet].
        read: whether there is a symbol, bool [texts, time].
    """
    legal = probabilities > 0
    least = logits.masked_fill(~legal, torch.inf).amin(-1)
    most = logits.masked_fill(legal, -torch.inf).amax(-1)
    return ((least > most) | ~read).all(dim=2).all(dim=1)


def squared_error(logs: Tensor, assumed: Tensor, read: Tensor) -> Tensor:
    """Squared difference from the `assumed` distributions, averaged over positions and symbols, [members].

    The assignment's code prints this. A perfect predictor does not reach 0, only `squared_error_floor`.
    """
    errors = (logs.exp() - assumed).square().mean(-1)
    return (errors * read).sum(dim=(1, 2)) / read.sum()


def squared_error_floor(probabilities: Tensor, assumed: Tensor, read: Tensor) -> float:
    """The `squared_error` of the true distributions."""
    errors = (probabilities.double() - assumed).square().mean(-1)
    return ((errors * read).sum() / read.sum()).item()


def assumed_distributions(symbols: Tensor, probabilities: Tensor) -> Tensor:
    """What the assignment assumes: 0.8 a and 0.2 b after an a, elsewhere the true distributions.

    Args:
        symbols: [texts, time].
        probabilities: the true distributions, [texts, time, alphabet].
    """
    assumed = probabilities.double().clone()
    assumed[symbols == 0] = 0
    assumed[..., :2][symbols == 0] = torch.tensor(ASSUMED, dtype=torch.float64, device=symbols.device)
    return assumed
