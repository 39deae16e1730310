"""The states of recurrent networks as points in the plane, or in the space, of hidden or context units."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from hudyn.figures.arrows import draw_heads
from hudyn.figures.style import COLOURS, COUNTS, LINE_STYLES, MARKERS, LineLook, colour_bar, heading, in_style
from hudyn.languages import HasStateNames, Language

WORD_COLOUR = "#404040"
VIEWS = [(20, -60), (20, 30)]  # elevation and azimuth in degrees: a quarter turn apart
# Sizes are in inches.
PANELS, SMALL_PANEL = {1: 4.4, 2: 3.1}, 2.4  # the side of a panel, by the number of panels in a row; of each of more
TICK_HEIGHT, LEGEND_ROW, LETTER = 0.17, 0.24, 0.085  # that a label beside a colour bar, and a legend, needs
CAPITAL = 0.1  # width of a wide letter


@in_style
def state_scatter(
    points: np.ndarray,
    states: np.ndarray,
    words: Mapping[str, np.ndarray],
    unit_names: Sequence[str],
    state_names: Mapping[float, str] | None,
    title: str,
) -> Figure:
    """A panel for each pair of units: their activations coloured by state, and the paths of example words.

    Args:
        points: activations of two units or more, [positions, units].
        states: state label of each point, [positions].
        words: by name, activations before the first and after each symbol of a word, [length + 1, units]; one or more.
        unit_names: names of the units, [units].
        state_names: names of the states by label; None if labels are counts.
        title: heading.
    """
    rows = len(unit_names) - 1
    columns = max(2, rows)
    side = PANELS.get(rows, SMALL_PANEL)
    widths = [side] * rows if rows > 1 else [side, _key_width(state_names, side)]
    figure = Figure(figsize=(sum(widths) + 0.9, side * rows + 1.1), layout="constrained")
    heading(figure, title)
    grid = figure.add_gridspec(rows, columns, width_ratios=widths)
    limits = [_around(unit) for unit in np.concatenate([points, *words.values()]).T]
    for x, y in itertools.combinations(range(len(unit_names)), 2):
        axes = figure.add_subplot(grid[y - 1, x])
        axes.set(xlim=limits[x], ylim=limits[y], xlabel=unit_names[x], ylabel=unit_names[y])
        axes.label_outer()
        drawn = _draw_states(axes, points[:, [x, y]], states, state_names)
        for path, name, look in _paths(words, [x, y]):
            axes.plot(*path.T, label=name, **look)
            draw_heads(axes, path[:-1], path[1:], WORD_COLOUR)
        _draw_start(axes, path[0])
    figure.align_ylabels()
    _draw_key(figure, figure.add_subplot(grid[0, 1:]), drawn, states, state_names, side)
    return figure


@in_style
def state_scatter_3d(
    points: np.ndarray,
    states: np.ndarray,
    words: Mapping[str, np.ndarray],
    unit_names: Sequence[str],
    state_names: Mapping[float, str] | None,
    title: str,
) -> Figure:
    """What `state_scatter` shows, with the same arguments, for three units in space, seen from two sides."""
    length = 0.05 * np.ptp(points, axis=0).max()  # of an arrowhead
    side = PANELS[1]
    widths = [side, 0.5, side, _key_width(state_names, side)]  # the second is a gap
    figure = Figure(figsize=(sum(widths) + 0.6, side + 1.0), layout="constrained")
    heading(figure, title)
    grid = figure.add_gridspec(1, 4, width_ratios=widths)
    for place, (elevation, azimuth) in zip((0, 2), VIEWS, strict=True):
        axes: Any = figure.add_subplot(
            grid[place], projection="3d", elev=elevation, azim=azimuth, computed_zorder=False
        )
        axes.set_box_aspect((1, 1, 1), zoom=0.87)
        for axis, name in zip((axes.xaxis, axes.yaxis, axes.zaxis), unit_names, strict=True):
            axis.set_label_text(name)
            axis.set_major_locator(MaxNLocator(4))
            axis.set_pane_color("white")
            axis.pane.set_edgecolor("lightgray")
        axes.tick_params(labelsize=8, pad=0)
        axes.zaxis.labelpad = 5
        drawn = _draw_states(axes, points, states, state_names)
        for path, word, look in _paths(words, [0, 1, 2]):
            axes.plot(*path.T, label=word, **look)
            middles, steps = (path[1:] + path[:-1]) / 2, np.diff(path, axis=0)
            head = {"length": length, "normalize": True, "arrow_length_ratio": 1, "linewidth": 0.9}
            axes.quiver(*middles.T, *steps.T, pivot="middle", color=WORD_COLOUR, **head)
        _draw_start(axes, path[0])
    _draw_key(figure, figure.add_subplot(grid[3]), drawn, states, state_names, side)
    return figure


def named_states(language: Language) -> dict[float, str] | None:
    """The names of a language's states by label; None if its labels are counts."""
    if not isinstance(language, HasStateNames):
        return None
    return {float(label): name for label, name in enumerate(language.state_names)}


def _around(values: np.ndarray) -> tuple[float, float]:
    """Limits of an axis around values."""
    margin = 0.07 * float(np.ptp(values)) or 0.1
    return float(values.min()) - margin, float(values.max()) + margin


def _draw_states(
    axes: Any, points: np.ndarray, states: np.ndarray, state_names: Mapping[float, str] | None
) -> PathCollection:
    """Draw points [positions, 2 or 3], smaller if many, in colours and, if states are named, shapes of their states."""
    look = {"s": 40 * min(1, (100 / len(points)) ** 0.4), "edgecolors": "#404040", "linewidths": 0.3}
    if state_names is None:
        return axes.scatter(*points.T, c=states, cmap=COUNTS, **look)
    shapes = itertools.product(MARKERS, COLOURS)
    for (state, name), (shape, colour) in zip(state_names.items(), shapes, strict=False):
        drawn = axes.scatter(*points[states == state].T, color=colour, marker=shape, label=name, **look)
    return drawn


def _paths(words: Mapping[str, np.ndarray], units: list[int]) -> list[tuple[np.ndarray, str, LineLook]]:
    """The path of each word over some units, [length + 1, units], its name and its look."""
    return [
        (path[:, units], name, {"color": WORD_COLOUR, "linewidth": 0.9, "linestyle": style})
        for (name, path), style in zip(words.items(), itertools.cycle(LINE_STYLES), strict=False)
    ]


def _draw_start(axes: Any, start: np.ndarray) -> None:
    """Draw and name the state [2 or 3] before the first symbol."""
    axes.plot(*start[:, None], "*", color="white", markeredgecolor="black", markersize=14, zorder=5)
    halo = [withStroke(linewidth=2.5, foreground="white")]
    axes.text(*start, "   H0", va="center", fontweight="bold", path_effects=halo, zorder=6)


def _draw_key(
    figure: Figure,
    place: Axes,
    drawn: PathCollection,
    states: np.ndarray,
    state_names: Mapping[float, str] | None,
    height: float,
) -> None:
    """Draw the key to the states at a place of a height in inches, and the legend of words below the figure."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    named = len(state_names or ())
    if state_names is None:
        place.set_box_aspect(18)
        place.set_anchor("W")
        bar = colour_bar(figure, drawn, cax=place, label="count")
        ticks = _ticks(np.unique(states), 0.85 * height)
        bar.set_ticks(list(ticks), labels=[f"{round(state, 2):g}" for state in ticks], fontsize=8)
    else:
        place.set_axis_off()
        columns = _key_columns(named, height)
        place.legend(handles[:named], labels[:named], loc="upper left", title="state", alignment="left", ncols=columns)
    words = [_shortened(word, int((figure.get_figwidth() - 0.9) / CAPITAL)) for word in labels[named:]]
    columns = max(1, int(figure.get_figwidth() / (0.9 + LETTER * max(map(len, words), default=0))))
    figure.legend(handles[named:], words, loc="outside lower left", ncols=columns, handlelength=3)


def _shortened(word: str, most: int) -> str:
    """A word without its middle if it has more than `most` letters."""
    return word if len(word) <= most else f"{word[: most // 2]}…{word[-(most // 2 - 1) :]}"


def _key_columns(named: int, height: float) -> int:
    """Columns of a legend of `named` states of a height in inches."""
    return math.ceil(named / (height / LEGEND_ROW - 2))


def _key_width(state_names: Mapping[float, str] | None, height: float) -> float:
    """Width of the key to the states, in inches."""
    if state_names is None:
        return 0.9
    return _key_columns(len(state_names), height) * (0.5 + LETTER * max(map(len, state_names.values())))


def _ticks(states: np.ndarray, height: float) -> np.ndarray:
    """Labels that have room beside a colour bar of a height in inches: all, the whole numbers, or some of these."""
    whole = states[states == states.round()]
    for labels in (states, whole):
        if np.diff(labels).min(initial=np.inf) * height >= TICK_HEIGHT * np.ptp(states):
            return labels
    return whole[:: math.ceil(len(whole) / 10)]
