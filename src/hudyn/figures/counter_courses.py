"""The courses of units that count."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hudyn.arguments import ArgumentError
from hudyn.figures.style import COUNTS, colour_bar, heading, in_style


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
    figure.align_ylabels()
    colour_bar(figure, mappable, ax=grid, label="n", aspect=25, shrink=0.8, ticks=MaxNLocator(6, integer=True))
    return figure
