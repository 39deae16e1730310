"""One door to everything that is known of how a network does what it does."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import nn

from hudyn.arguments import ArgumentError, Named, Positive, checked
from hudyn.dynamics.counters import Counters, check_alphabet, counters
from hudyn.dynamics.extraction import Extraction, extract
from hudyn.dynamics.fixed_points import FixedPoint, SymbolMap, symbol_maps
from hudyn.dynamics.maps import check_finite
from hudyn.dynamics.trajectories import WordTrajectory, example_words, word_trajectory
from hudyn.dynamics.verdict import Verdict, judge, why_not_judged
from hudyn.languages import Countable, HasAutomaton, Language
from hudyn.languages.moore import Difference, MooreMachine, difference, renamed
from hudyn.languages.text import check_language
from hudyn.metrics.longest import longest as measure_longest
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks.recurrent import RecurrentNetwork
from hudyn.population import Population
from hudyn.proof.census import Census, census
from hudyn.proof.certificate import Certificate, certify
from hudyn.proof.counting import CountingProof, prove_counting
from hudyn.proof.jets import provable
from hudyn.proof.task import Task

TEXTS, WORDS_PER_TEXT = 200, 5  # enough to visit every state of the languages of this project
MOST_PROVED = 300  # largest n of the words that intervals are sent through, seconds
REQUIRED = ("alphabet_size", "hidden_size", "output", "initial_state", "from_input", "step", "run")


@dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """How one network predicts one language. Every part is computed when it is first asked for, and then kept.

    A part for which the language does not qualify is None: `counters`, `counting_proof` and `verdict` need a language
    that is `Countable`, `language_automaton`, `difference`, `equivalent` and `certificate` one that `HasAutomaton`.
    `census`, `certificate` and `counting_proof` need an SRN, an LSTM or a GRU.

    Attributes:
        network: a copy of the network, on the CPU.
        language: what it predicts.
        texts: of the language; the states that the network visits in reading them are analysed.
        joined: whether the next word follows at the end of a word.
        most: upper limit of the search for N*.

    Example:
        >>> from hudyn.languages import Counting
        >>> from hudyn.networks import CountingLSTM
        >>> analysis = analyse(CountingLSTM(4), Counting([1, 1]), most=20)
        >>> print(analysis.counters)
        Counters(context 1 rises 1.00 per a, falls 1.00 per b)
        >>> analysis.verdict.kind, analysis.longest, analysis.equivalent
        (<Kind.LINEAR: 'linear counter in a cell'>, 20, True)
    """

    network: RecurrentNetwork
    language: Language
    texts: ScoredTexts
    joined: bool
    most: int
    _longest: int | None

    @property
    def heading(self) -> str:
        """Class and size of the network: ``SRN, 2 hidden units``."""
        size = self.network.hidden_size
        return f"{type(self.network).__name__}, {size} hidden unit{'s' * (size > 1)}"

    @cached_property
    def maps(self) -> Mapping[str, SymbolMap]:
        """What each symbol does to the state: fixed points, cycles, slow points, continua and drift, by symbol."""
        maps = symbol_maps(self.network, self.texts.symbols, self.texts.read)
        return Named(zip(self.language.alphabet, maps, strict=True))

    @property
    def fixed_points(self) -> Mapping[str, tuple[FixedPoint, ...]]:
        """The isolated fixed points under each symbol, those nearest to visited states first."""
        return Named((symbol, symbol_map.fixed_points) for symbol, symbol_map in self.maps.items())

    @cached_property
    def census(self) -> Mapping[str, Census] | None:
        """How many fixed points and 2-cycles each symbol's map has, proved."""
        if not provable(self.network):
            return None
        return Named((symbol, census(self.network, place)) for place, symbol in enumerate(self.language.alphabet))

    @cached_property
    def certificate(self) -> Certificate | None:
        """Whether the network predicts what it must in every text, of whatever length: proved, refuted or open.

        The texts of a `Countable` language have words up to its `max_n`.
        """
        if self.language_automaton is None or not provable(self.network):
            return None
        return certify(self.network, Task.of(self.language_automaton, isinstance(self.language, Countable)))

    @cached_property
    def counting_proof(self) -> CountingProof | None:
        """How far the network counts, proved."""
        if not (isinstance(self.language, Countable) and provable(self.network)):
            return None
        return prove_counting(self.network, self.language, min(self.most, MOST_PROVED))

    @cached_property
    def _extraction(self) -> Extraction:
        return extract(self.network, self.language, self.texts)

    @cached_property
    def automaton(self) -> Extraction:
        """The automaton that the network's states form; if it is the language's, its states have the same names."""
        if self.language_automaton is None or self.difference:
            return self._extraction
        return replace(self._extraction, machine=renamed(self._extraction.machine, self.language_automaton))

    @cached_property
    def language_automaton(self) -> MooreMachine | None:
        """The language's minimal automaton."""
        return self.language.automaton(self.joined) if isinstance(self.language, HasAutomaton) else None

    @cached_property
    def difference(self) -> Difference | None:
        """The shortest word after which network and language expect different symbols; None if there is none."""
        if self.language_automaton is None:
            return None
        return difference(self._extraction.machine, self.language_automaton)

    @property
    def equivalent(self) -> bool | None:
        """Whether the network's automaton is consistent and equivalent to the language's."""
        if self.language_automaton is None:
            return None
        return self._extraction.consistent and self.difference is None

    @cached_property
    def counters(self) -> Counters | None:
        """Which unit counts which symbol, and what every unit does meanwhile."""
        return counters(self.network, self.language) if isinstance(self.language, Countable) else None

    @cached_property
    def longest(self) -> int | None:
        """N*: the largest n such that the network predicts the words of 1..n correctly."""
        if not isinstance(self.language, Countable):
            return None
        if self._longest is not None:
            return self._longest
        return int(measure_longest(Population(lambda: copy.deepcopy(self.network)), self.language, self.most))

    @cached_property
    def verdict(self) -> Verdict | None:
        """By what mechanism the network counts; printed, it is a sentence."""
        if why_not_judged(self.language) or self.longest is None:
            return None
        return judge(self.network, self.language, tuple(self.maps.values()), self.longest, self.most)

    @cached_property
    def trajectories(self) -> Mapping[str, WordTrajectory]:
        """What the network goes through as it reads a few example words, from short to long."""
        return {word: self.trajectory(word) for word in example_words(self.language, self.texts)}

    def trajectory(self, word: str) -> WordTrajectory:
        """What the network goes through as it reads a word, or several words joined.

        Raises:
            ValueError: an unknown symbol, or a symbol that cannot follow those before it.
        """
        return word_trajectory(self.network, self.language, word)

    @property
    def explanation(self) -> list[str]:
        """What the network does, in sentences."""
        sentences = [str(self.verdict)] if self.verdict else []
        if self.counters:
            sentences.append(f"Units: {self.counters.describe()}.")
        if not self.automaton.consistent:
            return [*sentences, *self.automaton.notes]
        comparison = ""
        if self.language_automaton:
            comparison = ", " + compare(self.difference)
        return [*sentences, f"Automaton of {len(self.automaton.machine)} states{comparison}.", self.automaton.notes[0]]

    def __str__(self) -> str:
        return "\n".join([f"{self.heading}, on {type(self.language).__name__}:", *self.explanation])

    def __repr__(self) -> str:
        parts = (
            "fixed_points, maps, census, automaton, difference, equivalent, certificate, counters, "
            "counting_proof, verdict, trajectories, explanation"
        )
        return f"<Analysis of {self.heading}, on {type(self.language).__name__}: {parts}; print it for its explanation>"


@checked
def analyse(
    network: nn.Module,
    language: Language,
    texts: ScoredTexts | None = None,
    joined: bool = True,
    longest: int | None = None,
    most: Positive = 1000,
    seed: int = 0,
) -> Analysis:
    """Analyse how a network predicts a language.

    Args:
        network: a recurrent network, such as `hudyn.networks.SRN` or a subclass of `RecurrentNetwork` of your own.
        language: with the network's alphabet.
        texts: the network's states in reading them are analysed; drawn from the language if None.
        joined: whether the network was trained on words that follow one another.
        longest: N*, if it is known; measured if None.
        most: upper limit of the search for N*.
        seed: of the generator that draws `texts`.

    Raises:
        ArgumentError: a network that is not recurrent, has another alphabet, or parameters that are not finite; a
            language that lacks a member.
    """
    if not isinstance(network, nn.Module):
        raise ArgumentError("network", f"expected a network, such as run.network(), got {type(network).__name__}")
    if not isinstance(network, RecurrentNetwork):
        missing = [name for name in REQUIRED if not hasattr(network, name)]
        raise ArgumentError(
            "network",
            f"expected a hudyn.networks.RecurrentNetwork, got {type(network).__name__}"
            + (f", which lacks {', '.join(missing)}" if missing else "")
            + "; subclass RecurrentNetwork and define its `step`",
        )
    check_language(language)
    check_alphabet(network, language.alphabet)
    check_finite(network)
    if texts is None:
        generator = np.random.default_rng(seed)
        texts = ScoredTexts.of([language.text(WORDS_PER_TEXT if joined else 1, generator) for _ in range(TEXTS)])
    return Analysis(_frozen(network), language, texts, joined, most, longest)


def compare(difference: Difference | None) -> str:
    """Whether an automaton is the language's, in words."""
    return "equivalent to the language's own" if difference is None else f"not the language's own: {difference}"


def _frozen(network: RecurrentNetwork) -> RecurrentNetwork:
    """A copy on the CPU, without gradients, in single precision unless it is double."""
    copied = copy.deepcopy(network).cpu().eval().requires_grad_(False)
    return copied if copied.output.weight.dtype == torch.float64 else copied.float()
