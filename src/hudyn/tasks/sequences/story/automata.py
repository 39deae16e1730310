"""What automaton the states of a network form, and where it errs, in words."""

from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import torch

from hudyn.dynamics.analysis import Analysis
from hudyn.dynamics.extraction import MAX_CLUSTERS
from hudyn.languages import HasStateNames
from hudyn.tasks.sequences.story.wording import always_the_same, percent, size

LONGEST_BEGINNING = 12  # symbols of a word that are shown


@dataclass(frozen=True)
class Predictions:
    """What a network predicts at each position of the texts of its analysis."""

    states: np.ndarray  # after each symbol, [positions, units]
    probabilities: np.ndarray  # of the next symbol, [positions, alphabet]
    true: np.ndarray  # the language's own, [positions, alphabet]
    labels: np.ndarray  # state labels of the language, [positions]
    beginnings: list[str]  # the word so far, [positions]

    @property
    def least_legal(self) -> np.ndarray:
        """Index of the legal symbol with the lowest probability, [positions]."""
        return np.where(self.true > 0, self.probabilities, np.inf).argmin(axis=1)

    @property
    def most_illegal(self) -> np.ndarray:
        """Index of the illegal symbol with the highest probability, [positions]."""
        return np.where(self.true > 0, -np.inf, self.probabilities).argmax(axis=1)

    @property
    def lead(self) -> np.ndarray:
        """By how much every legal symbol is likelier than every illegal one, [positions]; 1 where all are legal."""
        rows = np.arange(len(self.true))
        lead = self.probabilities[rows, self.least_legal] - self.probabilities[rows, self.most_illegal]
        return np.where((self.true > 0).all(axis=1), 1.0, lead)

    @property
    def legal(self) -> np.ndarray:
        """Whether the likeliest symbol is legal, bool [positions]."""
        return self.true[np.arange(len(self.true)), self.probabilities.argmax(axis=1)] > 0


@torch.no_grad()
def predictions(analysis: Analysis) -> Predictions:
    """What the network predicts as it reads the texts of the analysis."""
    texts, alphabet = analysis.texts, analysis.language.alphabet
    run = analysis.network.run(texts.symbols)
    beginnings = []
    for symbols, read in zip(texts.symbols, texts.read, strict=True):
        text = "".join(alphabet[symbol] for symbol in symbols[read].tolist())
        starts = [*analysis.language.read(text).starts.tolist(), len(text)]
        beginnings += [text[first : at + 1] for first, last in pairwise(starts) for at in range(first, last)]
    return Predictions(
        run.states[texts.read].double().numpy(),
        run.logits[texts.read].double().softmax(dim=-1).numpy(),
        texts.probabilities[texts.read].numpy(),
        texts.states[texts.read].numpy(),
        beginnings,
    )


def automaton_paragraphs(analysis: Analysis, who: str) -> list[list[str]]:
    """What the network has learnt, the automaton of its states, those that lie closest, and where it errs."""
    found = predictions(analysis)
    wrong = (found.lead <= 0).mean()
    if wrong:
        opening = [
            f"{who} has not learnt the whole language.",
            f"Its likeliest symbol is legal in {percent(found.legal.mean())} of cases, but in {percent(wrong)} some "
            "illegal symbol is likelier than a legal one.",
        ]
        if same := always_the_same(found.probabilities, analysis.language.alphabet):
            opening.append(same)
    else:
        opening = [f"{who} has learnt the language: every legal symbol is likelier than every illegal one, everywhere."]
    return [opening, _machine(analysis), _closest_states(analysis, found), _closest_call(analysis, found)]


def _machine(analysis: Analysis) -> list[str]:
    """The automaton that the states form, and whether it is the language's."""
    found, expected = analysis.automaton, analysis.language_automaton
    if not found.consistent:
        return [
            f"Its states form no automaton: into however many groups they are divided, up to {MAX_CLUSTERS}, some "
            "group predicts different symbols, or one symbol leads from it to several groups."
        ]
    sentence = f"Its states fall into {found.number} groups, which act as an automaton of {len(found.machine)} states"
    if expected is None:
        return [f"{sentence}."]
    if analysis.difference is None:
        return [f"{sentence}: after every word it expects the same symbols as the language's automaton."]
    return [f"{sentence}; that of the language has {len(expected)}.", f"They differ {analysis.difference}."]


def _closest_states(analysis: Analysis, found: Predictions) -> list[str]:
    """Which states of the language lie closest in the network; nothing of a language without named states."""
    language = analysis.language
    if not isinstance(language, HasStateNames):
        return []
    labels = found.labels.astype(int)
    visited = np.unique(labels).tolist()
    means = {label: found.states[labels == label].mean(axis=0) for label in visited}
    spread = np.linalg.norm(found.states - np.stack([means[label] for label in labels.tolist()]), axis=1).mean()
    apart = {pair: float(np.linalg.norm(means[pair[0]] - means[pair[1]])) for pair in combinations(visited, 2)}
    sentences = []
    if apart:
        pair = min(apart, key=lambda pair: apart[pair])
        one, other = (language.state_names[label] for label in pair)
        legal = [
            " or ".join(x for x, share in zip(language.alphabet, found.true[labels == label][0], strict=True) if share)
            for label in pair
        ]
        what = f"{one} expects {legal[0]}, {other} {legal[1]}" if legal[0] != legal[1] else f"both expect {legal[0]}"
        sentences.append(
            f"The language's states {one} and {other} ({what}) lie closest in the network: {size(apart[pair])} apart "
            f"on average, while the network's states for each scatter by {size(float(spread))}."
        )
    distant = [label for label in language.long_range if label in means]
    if distant:
        places = np.isin(labels, distant)
        right = (found.probabilities[places].argmax(axis=1) == found.true[places].argmax(axis=1)).mean()
        recalls = f"It recalls the symbol from the beginning of the word in {percent(right)} of cases"
        if len(distant) == 2:
            one, other = (language.state_names[label] for label in distant)
            distance = float(np.linalg.norm(means[distant[0]] - means[distant[1]]))
            recalls += f": the states {one} and {other}, which differ only in that symbol, are {size(distance)} apart"
        sentences.append(f"{recalls}.")
    return sentences


def _closest_call(analysis: Analysis, found: Predictions) -> list[str]:
    """Where the network errs first, or comes closest to it; nothing where every symbol can follow."""
    lead, alphabet = found.lead, analysis.language.alphabet
    wrong = np.flatnonzero(lead <= 0).tolist()
    place = min(wrong, key=lambda place: len(found.beginnings[place])) if wrong else int(lead.argmin())
    if lead[place] == 1:
        return []
    word = found.beginnings[place]
    shown = word if len(word) <= LONGEST_BEGINNING else f"…{word[-LONGEST_BEGINNING:]}"
    least, most = int(found.least_legal[place]), int(found.most_illegal[place])
    legal, illegal = (f"{percent(found.probabilities[place, symbol])}" for symbol in (least, most))
    introduction = (
        "The shortest beginning of a word on which it errs is" if wrong else "It comes closest to an error after"
    )
    gets = f"{alphabet[least]}, which can follow, gets {legal}, and {alphabet[most]}, which cannot, gets {illegal}"
    return [f"{introduction} {shown}: {gets}."]
