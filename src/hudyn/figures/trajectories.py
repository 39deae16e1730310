"""Figures of what recurrent networks do as they read: states, courses over time, and how far they generalise."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter, StrMethodFormatter

from hudyn.figures.style import COLOURS, in_style

COUNTS = ListedColormap(colormaps["viridis"](np.linspace(0, 0.96, 256)))  # its last yellow is hard to see on white
MARKERS = "osD^vPX<>"  # of states, one after another once the colours are used up
WORD_STYLES: list[Any] = ["-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5))]
WORD_COLOUR = "#404040"
TRAINED_COLOUR = "#FDE3CF"
PANEL = {1: 4.4, 2: 3.1}  # inches, the side of a panel in a row of so many
SMALL_PANEL = 2.4
VIEWS = [(20, -60), (20, 30)]  # elevation and azimuth in degrees: a quarter turn apart
HEAD: dict[str, Any] = {"angles": "xy", "units": "inches", "scale_units": "inches", "scale": 10, "width": 0.018}
HEAD_3D: dict[str, Any] = {"normalize": True, "arrow_length_ratio": 1, "linewidth": 0.9}
TICK_HEIGHT = 0.1  # inches that a label beside a colour bar needs
LEGEND_ROW = 0.24  # inches
LINEAR_UP_TO = 40  # the largest n on a linear axis


class Predictions(NamedTuple):
    """The distribution of the symbol that follows each one of a text.

    Attributes:
        predicted: by the network, [time, alphabet].
        true: of the language, [time, alphabet].
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
    """A panel for every pair of units: their activations coloured by state, and the paths of example words.

    Args:
        points: activations of two units or more, [positions, units].
        states: state label of each point, [positions].
        words: activations before the first and after each symbol of a word, by its name, [length + 1, units] each.
        start: activations before the first symbol, [units].
        unit_names: [units].
        state_names: names of the states by label; None where labels are counts.
        title: heading.
    """
    rows = len(unit_names) - 1
    columns = max(2, rows)
    side = PANEL.get(rows, SMALL_PANEL)
    widths = [side] * rows if rows > 1 else [side, _key_width(state_names, side)]
    figure = Figure(figsize=(sum(widths) + 0.9, side * rows + 1.1), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    grid = figure.add_gridspec(rows, columns, width_ratios=widths)
    limits = [_around(unit) for unit in np.concatenate([points, start[None], *words.values()]).T]
    for x, y in itertools.combinations(range(len(unit_names)), 2):
        axes = figure.add_subplot(grid[y - 1, x])
        axes.set(xlim=limits[x], ylim=limits[y])
        axes.set(xlabel=unit_names[x] if y == rows else "", ylabel=unit_names[y] if x == 0 else "")
        axes.tick_params(labelbottom=y == rows, labelleft=x == 0)
        drawn = _draw_states(axes, points[:, [x, y]], states, state_names)
        for path, look in _paths(words, [x, y]):
            axes.plot(*path.T, **look)
            _draw_heads(axes, path)
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
    """What `state_scatter` shows, for three units at a time, seen from two sides.

    Args:
        points: activations, [positions, 3].
        states: state label of each point, [positions].
        words: activations before the first and after each symbol of a word, by its name, [length + 1, 3] each.
        start: activations before the first symbol, [3].
        unit_names: [3].
        state_names: names of the states by label; None where labels are counts.
        title: heading.
    """
    length = 0.05 * np.ptp(points, axis=0).max()  # of an arrowhead
    side = PANEL[1]
    widths = [side, 0.5, side, _key_width(state_names, side)]  # the second is a gap
    figure = Figure(figsize=(sum(widths) + 0.6, side + 1.0), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
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
        for path, look in _paths(words, [0, 1, 2]):
            axes.plot(*path.T, **look)
            steps = np.diff(path, axis=0)
            middles = path[:-1] + steps / 2
            axes.quiver(*middles.T, *steps.T, length=length, pivot="middle", color=WORD_COLOUR, **HEAD_3D)
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
    """What units do as a text is read, a panel for each group of units, and what the network expects next.

    Args:
        symbols: the text, [time].
        series: activations of a group of units by its name, [time, units] each; gates are those whose name ends so.
        starts: where words begin.
        unit_names: names of the units.
        title: heading.
        predictions: of the next symbol, for two panels more.
    """
    heights = [1.35] * len(series)
    if predictions:
        heights += [0.2 * len(predictions.alphabet) + 0.15] * 2
    figure = Figure(figsize=(max(6.4, 0.17 * len(symbols) + 2), sum(heights) + 1.3), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
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
        bar = figure.colorbar(
            image, cax=figure.add_subplot(keys[0].get_gridspec()[len(series) :, 1]), ticks=[0, 0.5, 1]
        )
        bar.set_label("probability")
        bar.outline.set_visible(False)
    figure.align_ylabels(panels)
    return figure


@in_style
def accuracy_by_n(ns: np.ndarray, accuracies: np.ndarray, trained_up_to: int, longest: int, title: str) -> Figure:
    """How many of the determined positions are right in words of each length, within and beyond those trained.

    Args:
        ns: numbers of the words, [ns].
        accuracies: share of determined positions right, [ns], or of each member, [members, ns].
        trained_up_to: largest n trained.
        longest: N* of the best member.
        title: heading.
    """
    members = np.atleast_2d(accuracies)
    unbroken = (members == 1).cumprod(axis=1).sum(axis=1)
    *others, best = members[np.lexsort([members.mean(axis=1), unbroken])]
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot(xlabel="n", ylabel="determined positions right", title=title)
    for place, other in enumerate(others):
        axes.plot(ns, other, color=COLOURS[5], linewidth=0.7, label=None if place else f"{len(others)} other members")
    axes.plot(ns, best, color=COLOURS[0], linewidth=2.4, label="best member" if others else None)
    _mark(axes, trained_up_to, longest, f"N* = {longest:,}: no word up to it goes wrong")
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
        trained_up_to: largest n trained.
        max_n: where the search for N* ended.
        title: heading.
    """
    members = len(longest)
    shares = np.arange(members, 0, -1) / members
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot(xlabel="N*", ylabel="share of members with at least this N*", title=title)
    axes.plot([0, *np.sort(longest)], [1, *shares], drawstyle="steps-pre", color=COLOURS[5])
    axes.plot(np.sort(longest), shares, "o", color=COLOURS[0], markersize=5, clip_on=False, zorder=3, label="a member")
    median = float(np.median(longest))
    _mark(axes, trained_up_to, median, f"median N*: {median:,g}")
    at_end = int((longest == max_n).sum())
    told = f"end of the search, n = {max_n:,}: reached by {at_end} of {members}"
    axes.axvline(max_n, color="gray", linestyle=":", label=told)
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
    """Draw points [positions, 2 or 3] in the colours, or colours and shapes, of their states; smaller where many."""
    look: dict[str, Any] = {"s": 40 * min(1, (100 / len(points)) ** 0.4), "edgecolors": "#404040", "linewidths": 0.3}
    if state_names is None:
        return axes.scatter(*points.T, c=states, cmap=COUNTS, **look)
    shapes = itertools.product(MARKERS, COLOURS)
    for (state, name), (shape, colour) in zip(state_names.items(), shapes, strict=False):
        drawn = axes.scatter(*points[states == state].T, color=colour, marker=shape, label=name, **look)
    return drawn


def _paths(words: Mapping[str, np.ndarray], units: list[int]) -> list[tuple[np.ndarray, dict[str, Any]]]:
    """The path of each word over some units, [length + 1, units], and its look."""
    return [
        (path[:, units], {"color": WORD_COLOUR, "linewidth": 0.9, "linestyle": style, "label": name})
        for (name, path), style in zip(words.items(), itertools.cycle(WORD_STYLES), strict=False)
    ]


def _draw_heads(axes: Axes, path: np.ndarray) -> None:
    """Draw an arrowhead in the middle of each step of a path [length + 1, 2] that has room for one."""
    steps = np.diff(path, axis=0)
    long = np.linalg.norm(steps / np.ptp([axes.get_xlim(), axes.get_ylim()], axis=1), axis=1) > 0.04
    middles, steps = (path[:-1] + steps / 2)[long], steps[long]
    ways = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    axes.quiver(*middles.T, *ways.T, pivot="middle", color=WORD_COLOUR, **HEAD)


def _draw_start(axes: Any, start: np.ndarray) -> None:
    """Draw and name the state [2 or 3] before the first symbol."""
    edged = [withStroke(linewidth=2.5, foreground="white")]
    coordinates = start[:, None]
    axes.plot(*coordinates, "*", color="white", markeredgecolor="black", markersize=14, zorder=5)
    axes.text(*start, "   H0", va="center", fontweight="bold", path_effects=edged, zorder=6)


def _draw_key(
    figure: Figure,
    place: Axes,
    drawn: PathCollection,
    states: np.ndarray,
    state_names: Mapping[float, str] | None,
    height: float,
) -> None:
    """Tell the states' colours in a place of so many inches, and the words below the figure."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    named = len(state_names or ())
    if state_names is None:
        place.set_box_aspect(18)
        place.set_anchor("W")
        bar = figure.colorbar(drawn, cax=place, label="state")
        bar.outline.set_visible(False)
        told = _told(np.unique(states), 0.85 * height)
        bar.set_ticks(list(told), labels=[f"{round(state, 2):g}" for state in told], fontsize=8)
    else:
        place.set_axis_off()
        columns = _key_columns(named, height)
        place.legend(handles[:named], labels[:named], loc="upper left", title="state", alignment="left", ncols=columns)
    width = 0.9 + 0.085 * max(map(len, labels[named:]), default=0)
    columns = max(1, int(figure.get_figwidth() / width))
    figure.legend(handles[named:], labels[named:], loc="outside lower left", ncols=columns, handlelength=3)


def _key_columns(named: int, height: float) -> int:
    """Columns that a legend of so many states needs in a height in inches."""
    return math.ceil(named / (height / LEGEND_ROW - 2))


def _key_width(state_names: Mapping[float, str] | None, height: float) -> float:
    """Inches that the key to the states needs beside panels."""
    if state_names is None:
        return 0.9
    return _key_columns(len(state_names), height) * (0.5 + 0.085 * max(map(len, state_names.values())))


def _told(states: np.ndarray, height: float) -> np.ndarray:
    """The state labels that find room beside a colour bar of so many inches: all, whole numbers, or some of these."""
    whole = states[states == states.round()]
    for labels in (states, whole):
        if np.diff(labels).min(initial=np.inf) * height >= TICK_HEIGHT * np.ptp(states):
            return labels
    return whole[:: math.ceil(len(whole) / 10)]


def _mark(axes: Axes, trained_up_to: int, found: float, label: str) -> None:
    """Shade what was trained, and mark what was found."""
    axes.axvspan(0, trained_up_to, color=TRAINED_COLOUR, linewidth=0, label=f"trained: n ≤ {trained_up_to:,}")
    axes.axvline(found, color=COLOURS[1], linestyle="--", label=label)


def _make_logarithmic(axes: Axes, last: int) -> None:
    """Make the x axis logarithmic from 1 on, with 0 before it, and ticks at 0, 1, 2, 5, 10, … up to the last."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.5)
    places = [0] + [digit * 10**power for power in range(len(str(last))) for digit in (1, 2, 5)]
    axes.xaxis.set_major_locator(FixedLocator([place for place in places if place <= last]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
