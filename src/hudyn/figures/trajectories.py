"""The course of a network's units as it reads a text, and as it counts."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hudyn.arguments import ArgumentError
from hudyn.dynamics.trajectories import WordTrajectory
from hudyn.figures.style import COLOURS, COUNTS, colour_bar, heading, in_style


@in_style
def time_course(read: WordTrajectory, alphabet: Sequence[str], units: np.ndarray, title: str) -> Figure:
    """The units of a network as it reads a text, a panel for each kind of unit and gate, and what it predicts.

    Args:
        read: what the network goes through.
        alphabet: the symbols.
        units: indices of the units that are shown.
        title: heading.
    """
    series = {name: states[1:] for name, states in read.parts.items()}
    series |= {name if name == "candidate" else f"{name} gate": gate for name, gate in read.gates.items()}
    symbols = read.symbols
    heights = [1.35] * len(series) + [0.2 * len(alphabet) + 0.15] * 2
    figure = Figure(figsize=(max(6.4, 0.17 * len(symbols) + 2), sum(heights) + 1.3), layout="constrained")
    heading(figure, title)
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=[figure.get_figwidth(), 0.15])
    panels = [figure.add_subplot(grid[row, 0]) for row in range(len(heights))]
    predictions = {"predicted": read.probabilities, "true": read.text.probabilities}
    for axes, (name, distributions) in zip(panels[len(series) :], predictions.items(), strict=True):
        image = axes.imshow(distributions.T, aspect="auto", vmin=0, vmax=1)
        axes.set_yticks(range(len(alphabet)), alphabet)
        axes.set_ylabel(f"{name}\nnext")
    for axes, (name, values) in zip(panels, series.items(), strict=False):
        for unit, colour in zip(units, itertools.cycle(COLOURS), strict=False):
            axes.plot(values[:, unit], "o-", color=colour, markersize=3, linewidth=1.2, label=f"unit {unit + 1}")
        low = 0 if name.endswith("gate") else -1
        if np.abs(values[:, units]).max() <= 1:
            axes.set_ylim(low - 0.05 * (1 - low), 1 + 0.05 * (1 - low))
        axes.set_ylabel(name)
        axes.grid(axis="y")
    for axes in panels:
        for begin in read.text.starts:
            axes.axvline(begin - 0.5, color="gray", linewidth=0.8)
        axes.set(xlim=(-0.5, len(symbols) - 0.5), xticks=[])
        axes.tick_params(axis="x", length=0)
    for axes in (panels[0], panels[-1]):
        axes.set_xticks(range(len(symbols)), symbols)
    panels[0].tick_params(labeltop=True, labelbottom=False)
    key = figure.add_subplot(grid[0, 1])
    key.set_axis_off()
    key.legend(*panels[0].get_legend_handles_labels(), loc="upper left", borderaxespad=0)
    place = figure.add_subplot(grid[len(series) :, 1])
    colour_bar(figure, image, cax=place, ticks=[0, 0.5, 1], label="probability")
    figure.align_ylabels(panels)
    return figure


@in_style
def counter_courses(
    values: Sequence[np.ndarray],
    words: Sequence[Sequence[str]],
    ns: Sequence[int],
    slopes: np.ndarray,
    unit_names: Sequence[str],
    title: str,
) -> Figure:
    """The state of units while a network reads counting words: a row a unit, a column a symbol, a line a word.

    Args:
        values: units before the first and after each symbol of each word, [length + 1, units].
        words: symbols of each word, [length].
        ns: number n of each word.
        slopes: change of each unit with each symbol, in the order of the symbols in a word, [units, symbols]; nan if
            unknown.
        unit_names: names of the units, [units].
        title: heading.

    Raises:
        ArgumentError: no word, or values that are not finite.
    """
    if not words:
        raise ArgumentError("words", "expected a word, got none")
    if not all(np.isfinite(course).all() for course in values):
        raise ArgumentError("values", "expected finite numbers, got units with NaN or infinity")
    symbols = list(dict.fromkeys(itertools.chain(*words)))
    figure = Figure(figsize=(2.5 * len(symbols) + 1.7, 1.6 * len(unit_names) + 1.1), layout="constrained")
    heading(figure, title)
    grid = figure.subplots(len(unit_names), len(symbols), squeeze=False, sharex="col", sharey="row")
    mappable = ScalarMappable(Normalize(min(ns), max(ns)), COUNTS)
    colours = [to_hex(colour) for colour in mappable.to_rgba(np.array(ns))]
    for (unit, column), axes in np.ndenumerate(grid):
        for path, word, colour in zip(values, words, colours, strict=True):
            places = np.flatnonzero(np.array([*word]) == symbols[column])
            course = path[[*places[:1], *(places + 1)], unit]
            axes.plot(range(len(course)), course, ".-", color=colour, linewidth=1.1, markersize=4)
        slope = slopes[unit, column]
        if np.isfinite(slope):
            text = f"{slope:+.2f} per {symbols[column]}".replace("-", "−")
            axes.set_title(text, loc="right", fontsize=8.5, fontweight="normal")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.grid(axis="y")
    for top, bottom, symbol in zip(grid[0], grid[-1], symbols, strict=True):
        top.set_title(f"input {symbol}")
        bottom.set_xlabel(f"number of {symbol}")
    for axes, name in zip(grid[:, 0], unit_names, strict=True):
        axes.set_ylabel(name)
    figure.align_ylabels(grid[:, 0])
    colour_bar(figure, mappable, ax=grid, label="n", aspect=25, shrink=0.8, ticks=MaxNLocator(6, integer=True))
    return figure
