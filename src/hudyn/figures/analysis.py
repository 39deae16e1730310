"""The figures of an `Analysis`, one function each; without a title of yours they carry one of their own."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

import numpy as np
import torch
from matplotlib.figure import Figure

from hudyn.arguments import ArgumentError
from hudyn.dynamics.analysis import Analysis
from hudyn.figures import components, phase_portraits
from hudyn.figures.automata import state_diagram
from hudyn.figures.clusters import cluster_scatter
from hudyn.figures.montage import montage
from hudyn.figures.state_scatters import named_states
from hudyn.figures.style import in_style
from hudyn.figures.trajectories import counter_courses, time_course
from hudyn.languages import Countable

P = ParamSpec("P")
COUNTER_UNITS = 6  # rows of the figure: the units from which the count can best be decoded
COUNTER_WORDS = 8  # lines in each panel: more hide each other
TRAJECTORY_UNITS = 5  # lines in each panel: the units that vary most


def of_analysis(draw: Callable[Concatenate[Analysis, P], Figure]) -> Callable[Concatenate[Analysis, P], Figure]:
    """Make `draw` refuse anything but an `Analysis`, such as a network."""

    @wraps(draw)
    def drawn(analysis: Analysis, *args: P.args, **kwargs: P.kwargs) -> Figure:
        if not isinstance(analysis, Analysis):
            raise ArgumentError("analysis", f"expected hudyn.analyse(network, language), got {type(analysis).__name__}")
        return draw(analysis, *args, **kwargs)

    return drawn


@of_analysis
def phase_portrait(analysis: Analysis, title: str | None = None) -> Figure:
    """What each symbol does to a state of two hidden units: arrows, nullclines, fixed points, and example words.

    Raises:
        ValueError: another number of units, or context units.
    """
    return phase_portraits.phase_portrait(
        analysis.network,
        tuple(analysis.maps.values()),
        {word: torch.from_numpy(read.text.symbols) for word, read in analysis.trajectories.items()},
        analysis.language.alphabet,
        title or _title(analysis, "phase portrait"),
    )


@of_analysis
@in_style
def mechanism(analysis: Analysis, title: str | None = None) -> Figure:
    """How a network of two hidden units works: clusters of states, automaton, phase portrait and explanation.

    Raises:
        ValueError: another number of units, or context units.
    """
    clusters = cluster_scatter(analysis.automaton, "1. Clusters of hidden states")
    diagram = state_diagram(analysis.automaton.machine, "2. The automaton that the clusters form")
    portrait = phase_portrait(analysis, "3. The map of the state under each symbol")
    title = title or _title(analysis, "how it does it")
    return montage([[clusters, diagram], [portrait]], title, "\n".join(analysis.explanation))


@of_analysis
def counters(analysis: Analysis, title: str | None = None) -> Figure:
    """What the units that count best do while each symbol is read: a row per unit, a column per symbol.

    Raises:
        ArgumentError: the language is not `Countable`.
    """
    language, found = analysis.language, analysis.counters
    if found is None or not isinstance(language, Countable):
        raise ArgumentError("analysis", f"expected a countable language, got {type(language).__name__}")
    ns = np.unique(np.linspace(1, language.max_n, min(language.max_n, COUNTER_WORDS)).round().astype(int)).tolist()
    words = ["".join(language.alphabet[symbol] for symbol in language.word(n)) for n in ns]
    shown = np.sort(np.argsort(-found.read_back.max(axis=1), kind="stable")[:COUNTER_UNITS])
    return counter_courses(
        [analysis.trajectory(word).states[:, shown] for word in words],
        [[*word] for word in words],
        ns,
        found.slope[shown],
        [found.units[unit] for unit in shown],
        title or _title(analysis, found.describe()),
    )


@of_analysis
def automaton(analysis: Analysis, title: str | None = None) -> Figure:
    """The state diagram of the network's automaton."""
    return state_diagram(analysis.automaton.machine, title or _title(analysis, "automaton"))


@of_analysis
def principal_components(analysis: Analysis, title: str | None = None) -> Figure:
    """The first two principal components of the hidden and context states, with example words.

    Raises:
        ValueError: fewer than two units.
    """
    texts = analysis.texts
    with torch.no_grad():
        run = analysis.network.run(texts.symbols)
    parts = {"hidden": run.hidden, "context": run.context}
    return components.principal_components(
        {kind: part[texts.read].numpy() for kind, part in parts.items() if part is not None},
        texts.states[texts.read].numpy(),
        analysis.trajectories,
        named_states(analysis.language),
        title or _title(analysis, "principal components"),
    )


@of_analysis
def trajectory(analysis: Analysis, word: str, title: str | None = None) -> Figure:
    """The units, gates and predictions over time, as the network reads a word, or several words joined.

    Raises:
        ValueError: an unknown symbol, or a symbol that cannot follow those before it.
    """
    read = analysis.trajectory(word)
    shown = np.sort(np.argsort(-read.hidden.std(axis=0), kind="stable")[:TRAJECTORY_UNITS])
    return time_course(read, analysis.language.alphabet, shown, title or _title(analysis, word))


def _title(analysis: Analysis, what: str) -> str:
    return f"{analysis.heading}: {what}"
