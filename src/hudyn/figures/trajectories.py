"""Recurrent networks while they read: states, their course over time, and how far networks generalise."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter, StrMethodFormatter

from hudyn.figures.arrows import draw_heads
from hudyn.figures.style import COLOURS, COUNTS, LINE_STYLES, MARKERS, LineLook, heading, in_style

WORD_COLOUR = "#404040"
TRAINED_COLOUR = "#FDE3CF"
VIEWS = [(20, -60), (20, 30)]  # elevation and azimuth in degrees: a quarter turn apart
LINEAR_UP_TO = 40  # the largest n on a linear axis
# Sizes are in inches.
PANELS, SMALL_PANEL = {1: 4.4, 2: 3.1}, 2.4  # the side of a panel, by the number of panels in a row; of each of more
TICK_HEIGHT, LEGEND_ROW, LETTER = 0.1, 0.24, 0.085  # that a label beside a colour bar, and a legend, needs
SIZE = (7.2, 4.2)  # of a figure with one panel


class Predictions(NamedTuple):
    """The distribution of the next symbol after each symbol of a text.

    Attributes:
        predicted: distribution of the network, [time, alphabet].
        true: distribution of the language, [time, alphabet].
        alphabet: the symbols.
    """

    predicted: np.ndarray
    true: np.ndarray
    alphabet: Sequence[str]


@in_style
def state_scatter(
    points: np.ndarray,
    states: np.ndarray,
    words: Mapping[str, np.ndarray],
    start: np.ndarray,
    unit_names: Sequence[str],
    state_names: Mapping[float, str] | None,
    title: str,
) -> Figure:
    """A panel for each pair of units: their activations coloured by state, and the paths of example words.

    Args:
        points: activations of two units or more, [positions, units].
        states: state label of each point, [positions].
        words: by name, activations before the first and after each symbol of a word, [length + 1, units].
        start: activations before the first symbol, [units].
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
    limits = [_around(unit) for unit in np.concatenate([points, start[None], *words.values()]).T]
    for x, y in itertools.combinations(range(len(unit_names)), 2):
        axes = figure.add_subplot(grid[y - 1, x])
        axes.set(xlim=limits[x], ylim=limits[y])
        axes.set(xlabel=unit_names[x] if y == rows else "", ylabel=unit_names[y] if x == 0 else "")
        axes.tick_params(labelbottom=y == rows, labelleft=x == 0)
        drawn = _draw_states(axes, points[:, [x, y]], states, state_names)
        for path, name, look in _paths(words, [x, y]):
            axes.plot(*path.T, label=name, **look)
            draw_heads(axes, path[:-1], path[1:], WORD_COLOUR)
        _draw_start(axes, start[[x, y]])
    figure.align_ylabels()
    _draw_key(figure, figure.add_subplot(grid[0, 1:]), drawn, states, state_names, side)
    return figure


@in_style
def state_scatter_3d(
    points: np.ndarray,
    states: np.ndarray,
    words: Mapping[str, np.ndarray],
    start: np.ndarray,
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
        axes.set_box_aspect((1, 1, 1), zoom=0.95)
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
        _draw_start(axes, start)
    _draw_key(figure, figure.add_subplot(grid[3]), drawn, states, state_names, side)
    return figure


@in_style
def time_course(
    symbols: Sequence[str],
    series: Mapping[str, np.ndarray],
    starts: Sequence[int],
    unit_names: Sequence[str],
    title: str,
    predictions: Predictions | None = None,
) -> Figure:
    """The activations of units while a network reads a text, a panel for each group of units.

    Args:
        symbols: the text, [time].
        series: activations by group of units, [time, units]; the names of groups of gates end in ``gate``.
        starts: indices of the first symbols of words.
        unit_names: names of the units.
        title: heading.
        predictions: distributions of the next symbol, shown in two more panels.
    """
    heights = [1.35] * len(series)
    if predictions:
        heights += [0.2 * len(predictions.alphabet) + 0.15] * 2
    figure = Figure(figsize=(max(6.4, 0.17 * len(symbols) + 2), sum(heights) + 1.3), layout="constrained")
    heading(figure, title)
    ratios = {"height_ratios": heights, "width_ratios": [figure.get_figwidth(), 0.15]}
    panels, keys = figure.subplots(len(heights), 2, sharex="col", squeeze=False, gridspec_kw=ratios).T
    for axes, (name, values) in zip(panels, series.items(), strict=False):
        for unit, line, colour in zip(unit_names, values.T, itertools.cycle(COLOURS), strict=False):
            axes.plot(line, "o-", color=colour, markersize=3, linewidth=1.2, label=unit)
        low = 0 if name.endswith("gate") else -1
        if np.abs(values).max() <= 1:
            axes.set_ylim(low - 0.05 * (1 - low), 1 + 0.05 * (1 - low))
        axes.set_ylabel(name)
        axes.grid(axis="y")
    for axes in panels:
        for begin in starts:
            axes.axvline(begin - 0.5, color="gray", linewidth=0.8)
        axes.tick_params(axis="x", length=0)
    panels[0].set_xlim(-0.5, len(symbols) - 0.5)
    panels[0].set_xticks(range(len(symbols)), symbols)
    panels[0].tick_params(labeltop=True)
    for key in keys:
        key.set_axis_off()
    keys[0].legend(*panels[0].get_legend_handles_labels(), loc="upper left", borderaxespad=0)
    if predictions:
        for axes, name in zip(panels[len(series) :], ("predicted", "true"), strict=True):
            image = axes.imshow(getattr(predictions, name).T, aspect="auto", vmin=0, vmax=1)
            axes.set_yticks(range(len(predictions.alphabet)), predictions.alphabet)
            axes.set_ylabel(f"{name}\nnext")
        place = figure.add_subplot(keys[0].get_gridspec()[len(series) :, 1])
        bar = figure.colorbar(image, cax=place, ticks=[0, 0.5, 1], label="probability")
        bar.outline.set_visible(False)
    figure.align_ylabels(panels)
    return figure


@in_style
def accuracy_by_n(ns: np.ndarray, accuracies: np.ndarray, trained_up_to: int, longest: int, title: str) -> Figure:
    """Accuracy at the determined positions of words against n, within and beyond the trained range.

    Args:
        ns: number n of each word, [ns].
        accuracies: accuracy at determined positions, [ns], or of each member, [members, ns].
        trained_up_to: largest n in training.
        longest: N* of the best member.
        title: heading.
    """
    members = np.atleast_2d(accuracies)
    unbroken = (members == 1).cumprod(axis=1).sum(axis=1)
    *others, best = members[np.lexsort([members.mean(axis=1), unbroken])]
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot(xlabel="n", ylabel="accuracy at determined positions", title=title)
    for place, other in enumerate(others):
        axes.plot(ns, other, color=COLOURS[5], linewidth=0.7, label=None if place else f"{len(others)} other members")
    axes.plot(ns, best, color=COLOURS[0], linewidth=2.4, label="best member" if others else None)
    _mark(axes, trained_up_to, longest, f"N* = {longest:,}: all words up to it are correct")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if ns[-1] > LINEAR_UP_TO:
        _make_logarithmic(axes, ns[-1])
    axes.set(xlim=(min(ns[0], longest) - 0.2, 1.03 * ns[-1]), ylim=(min(0.9, members.min()) - 0.02, 1.01))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="y")
    figure.legend(loc="outside lower left", ncols=2)
    return figure


@in_style
def spread_of_longest(longest: np.ndarray, trained_up_to: int, max_n: int, title: str) -> Figure:
    """How many members have an N* of at least n, a dot for each member.

    Args:
        longest: N* of each member, [members].
        trained_up_to: largest n in training.
        max_n: largest n of the search for N*.
        title: heading.
    """
    members = len(longest)
    shares = np.arange(members, 0, -1) / members
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot(xlabel="N*", ylabel="share of members with at least this N*", title=title)
    axes.plot([0, *np.sort(longest)], [1, *shares], drawstyle="steps-pre", color=COLOURS[5])
    axes.plot(np.sort(longest), shares, "o", color=COLOURS[0], markersize=5, clip_on=False, zorder=3, label="member")
    median = float(np.median(longest))
    _mark(axes, trained_up_to, median, f"median N*: {median:,g}")
    label = f"end of the search, n = {max_n:,}: reached by {int((longest == max_n).sum())} of {members}"
    axes.axvline(max_n, color="gray", linestyle=":", label=label)
    _make_logarithmic(axes, max_n)
    axes.set(xlim=(-0.2, 1.1 * max_n), ylim=(0, 1.03))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="y")
    figure.legend(loc="outside lower left", ncols=2)
    return figure


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
        bar = figure.colorbar(drawn, cax=place, label="state")
        bar.outline.set_visible(False)
        ticks = _ticks(np.unique(states), 0.85 * height)
        bar.set_ticks(list(ticks), labels=[f"{round(state, 2):g}" for state in ticks], fontsize=8)
    else:
        place.set_axis_off()
        columns = _key_columns(named, height)
        place.legend(handles[:named], labels[:named], loc="upper left", title="state", alignment="left", ncols=columns)
    width = 0.9 + LETTER * max(map(len, labels[named:]), default=0)
    columns = max(1, int(figure.get_figwidth() / width))
    figure.legend(handles[named:], labels[named:], loc="outside lower left", ncols=columns, handlelength=3)


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


def _mark(axes: Axes, trained_up_to: int, reached: float, label: str) -> None:
    """Shade the trained range, and mark the n that was reached."""
    axes.axvspan(0, trained_up_to, color=TRAINED_COLOUR, linewidth=0, label=f"trained: n ≤ {trained_up_to:,}")
    axes.axvline(reached, color=COLOURS[1], linestyle="--", label=label)


def _make_logarithmic(axes: Axes, last: int) -> None:
    """Make the x axis logarithmic from 1 on, with 0 before it, and ticks at 0, 1, 2, 5, 10, … up to the last."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.5)
    places = [0] + [digit * 10**power for power in range(len(str(last))) for digit in (1, 2, 5)]
    axes.xaxis.set_major_locator(FixedLocator([place for place in places if place <= last]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
