"""The figures of an `Analysis`, one function each; without a title of yours they carry one of their own."""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from hudyn.arguments import ArgumentError
from hudyn.dynamics.analysis import Analysis
from hudyn.dynamics.trajectories import WordTrajectory
from hudyn.figures import components, mechanisms, phase_portraits, state_spaces
from hudyn.figures.automata import state_diagram
from hudyn.figures.counter_courses import counter_courses
from hudyn.figures.trajectories import Predictions, time_course
from hudyn.languages import Countable, HasStateNames

COUNTER_UNITS = 6  # rows of the figure: the units from which the count can best be decoded
COUNTER_WORDS = 8  # lines in each panel: more hide each other
TRAJECTORY_UNITS = 5  # lines in each panel: the units that vary most


def phase_portrait(analysis: Analysis, title: str | None = None) -> Figure:
    """What each symbol does to a state of two hidden units: arrows, nullclines, fixed points, and example words.

    Raises:
        ValueError: another number of units, or context units.
    """
    return phase_portraits.phase_portrait(
        analysis.network,
        tuple(analysis.maps.values()),
        _words(analysis),
        analysis.language.alphabet,
        title or _title(analysis, "phase portrait"),
    )


def mechanism(analysis: Analysis, title: str | None = None) -> Figure:
    """How a network of two hidden units works: clusters of states, automaton, phase portrait and explanation.

    Raises:
        ValueError: another number of units, or context units.
    """
    return mechanisms.mechanism(
        analysis.automaton,
        analysis.network,
        tuple(analysis.maps.values()),
        _words(analysis),
        analysis.language.alphabet,
        "\n".join(analysis.explanation),
        title or _title(analysis, "how it does it"),
    )


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


def automaton(analysis: Analysis, title: str | None = None) -> Figure:
    """The state diagram of the network's automaton."""
    return state_diagram(analysis.automaton.machine, title or _title(analysis, "automaton"))


def state_space(analysis: Analysis, title: str | None = None) -> str:
    """A page where example words move through the space of three hidden, and three context, units.

    Returns:
        HTML that loads ``plotly.min.js`` from its own folder; `hudyn.figures.state_spaces.plotly_script` is its text.

    Raises:
        ValueError: another number of units.
        HudynError: plotly is not installed.
    """
    return state_spaces.state_space(_readings(analysis), title or _title(analysis, "in space"))


def principal_components(analysis: Analysis, title: str | None = None) -> Figure:
    """The first two principal components of the hidden and context states, with example words.

    Raises:
        ValueError: fewer than two units.
    """
    network, language, texts = analysis.network, analysis.language, analysis.texts
    with torch.no_grad():
        run = network.run(texts.symbols)
    parts = {"hidden": run.hidden} | ({} if run.context is None else {"context": run.context})
    names = None
    if isinstance(language, HasStateNames):
        names = {float(label): name for label, name in enumerate(language.state_names)}
    return components.principal_components(
        {kind: part[texts.read].numpy() for kind, part in parts.items()},
        texts.states[texts.read].numpy(),
        _readings(analysis),
        names,
        title or _title(analysis, "principal components"),
    )


def trajectory(analysis: Analysis, word: str, title: str | None = None) -> Figure:
    """The units, gates and predictions over time, as the network reads a word, or several words joined.

    Raises:
        ValueError: an unknown symbol, or a symbol that cannot follow those before it.
    """
    read = analysis.trajectory(word)
    shown = np.sort(np.argsort(-read.hidden.std(axis=0), kind="stable")[:TRAJECTORY_UNITS])
    gates = {name if name == "candidate" else f"{name} gate": values for name, values in read.gates.items()}
    return time_course(
        read.symbols,
        {name: values[:, shown] for name, values in (_states(read) | gates).items()},
        read.text.starts.tolist(),
        [f"unit {unit + 1}" for unit in shown],
        title or _title(analysis, word),
        Predictions(read.probabilities, read.text.probabilities, analysis.language.alphabet),
    )


def _title(analysis: Analysis, what: str) -> str:
    return f"{analysis.heading}: {what}"


def _words(analysis: Analysis) -> dict[str, Tensor]:
    """The symbols of each example word, [length]."""
    return {word: torch.from_numpy(read.text.symbols) for word, read in analysis.trajectories.items()}


def _states(read: WordTrajectory) -> dict[str, np.ndarray]:
    """Hidden and context states after each symbol, [length, units] each."""
    return {"hidden": read.hidden} | ({} if read.context is None else {"context": read.context})


def _readings(analysis: Analysis) -> Mapping[str, state_spaces.Reading]:
    """The path of each example word through the state space, as the figures take it."""
    readings = {}
    for word, read in analysis.trajectories.items():
        kinds = _states(read)
        states = dict(zip(kinds, np.split(read.states, len(kinds), axis=1), strict=True))
        readings[word] = state_spaces.Reading(read.symbols, [f"{label:g}" for label in read.text.states], states)
    return readings
