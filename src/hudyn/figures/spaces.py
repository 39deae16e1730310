"""Figures of state spaces: in motion, by principal components, courses of eigenvalues and counters, the mechanism."""

import html
import importlib
import itertools
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import EngFormatter, MaxNLocator, PercentFormatter, StrMethodFormatter
from torch import Tensor

from hudyn.dynamics.extraction import Extraction
from hudyn.dynamics.fixed_points import MARGIN, Branch, SymbolMap
from hudyn.errors import HudynError
from hudyn.figures.machines import cluster_scatter, state_diagram
from hudyn.figures.portraits import phase_portrait
from hudyn.figures.style import COLOURS, in_style, pixels
from hudyn.figures.trajectories import COUNTS, state_scatter
from hudyn.networks.recurrent import RecurrentNetwork

COMPONENTS = 10  # whose variance is shown
HEADING, TEXT_WIDTH = 0.4, 4.0  # inches; the least width of a text beside pictures
LONG, LARGE = 100, 5.0  # updates and eigenvalues beyond which their axes are logarithmic
CLOCK_MS = 600  # a step of the animation
LINK_CAMERAS = """
const plot = document.getElementById("{plot_id}");
let linking = false;
plot.on("plotly_relayout", (change) => {
  for (const [from, to] of [["scene", "scene2"], ["scene2", "scene"]]) {
    const camera = change[from + ".camera"];
    if (camera && !linking) {
      linking = true;
      Plotly.relayout(plot, {[to + ".camera"]: camera}).then(() => { linking = false; });
    }
  }
});
"""


class Reading(NamedTuple):
    """What a network went through as it read a word.

    Attributes:
        symbols: what was read, [length].
        labels: the state after each symbol, as it is to be written, [length].
        states: by group, such as ``hidden`` and ``context``: before the first and after each symbol,
            [length + 1, units].
    """

    symbols: Sequence[str]
    labels: Sequence[str]
    states: Mapping[str, np.ndarray]


def state_space(readings: Mapping[str, Reading], title: str) -> str:
    """A page where words move through the space of three units, hidden on the left and context on the right.

    A slider moves both in time, and what turns one turns the other; hovering tells symbol and state. The page asks for
    `plotly_script` as ``plotly.min.js`` in its own folder, and for nothing of the network.

    Args:
        readings: by the word's name; of one or two groups of three units each.
        title: heading.

    Returns:
        HTML.

    Raises:
        ValueError: another number of units, no word, or states that are not finite.
        HudynError: plotly is not installed.
    """
    groups = _groups("state_space", readings)
    for reading, group in itertools.product(readings.values(), groups):
        if (units := reading.states[group].shape[1]) != 3:
            raise ValueError(
                f"state_space: expected three {group} units, got {units}; phase_portrait and state_scatter show two, "
                "principal_components more"
            )
    scenes = dict(zip(groups, ("scene", "scene2"), strict=False))
    paths = [
        _path(name, reading, group, scene, COLOURS[place % len(COLOURS)])
        for group, scene in scenes.items()
        for place, (name, reading) in enumerate(readings.items())
    ]
    last = max(len(reading.symbols) for reading in readings.values())
    moments = [[_moment(readings, group, scene, time) for group, scene in scenes.items()] for time in range(last + 1)]
    moving = list(range(len(paths), len(paths) + len(scenes)))
    frames = [
        {"name": str(time), "data": moment, "traces": moving, "layout": {"title": {"text": _heading(title, time)}}}
        for time, moment in enumerate(moments)
    ]
    figure = {"data": [*paths, *moments[0]], "layout": _layout(scenes, title, last), "frames": frames}
    page = _plotly("io").to_html(
        figure,
        include_plotlyjs="directory",
        default_height="96vh",
        auto_play=False,
        validate=False,
        div_id="state_space",
        post_script=LINK_CAMERAS if len(scenes) == 2 else None,
    )
    return page.replace("<head>", f"<head><title>{html.escape(title)}</title>", 1)


def plotly_script() -> str:
    """The text of ``plotly.min.js``, which the pages of `state_space` ask for.

    Raises:
        HudynError: plotly is not installed.
    """
    return _plotly("offline").get_plotlyjs()


@in_style
def principal_components(
    points: Mapping[str, np.ndarray],
    states: np.ndarray,
    readings: Mapping[str, Reading],
    state_names: Mapping[float, str] | None,
    title: str,
) -> Figure:
    """The first two principal components of each group of units, with words, and how much variance each component has.

    Args:
        points: activations by group, such as ``hidden`` and ``context``, [positions, units] each, of two units or more.
        states: state label of each point, [positions].
        readings: by the word's name.
        state_names: names of the states by label; None where labels are counts.
        title: heading.

    Raises:
        ValueError: fewer than two units, no word, or numbers that are not finite.
    """
    _groups("principal_components", readings)
    parts = []
    for group, own in points.items():
        _check_finite("principal_components", group, own)
        if own.shape[1] < 2:
            raise ValueError(f"principal_components: expected two {group} units or more, got one; time_course shows it")
        mean, directions, shares = components(own)
        words = {name: (reading.states[group] - mean) @ directions[:2].T for name, reading in readings.items()}
        start = next(iter(words.values()))[0]
        names = [f"{group}, component {place + 1}: {shares[place]:.0%} of variance" for place in range(2)]
        seen = (own - mean) @ directions[:2].T, states, words, start, names, state_names, f"{group} units"
        scatter = pixels(state_scatter(*seen))
        parts += [scatter, pixels(_variances(shares, group, scatter.shape[0]))]
    return _montage([parts], title, "")


def components(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Principal components of points [positions, units]; each direction's largest part is positive.

    Returns:
        the mean [units], the directions [components, units], and their shares of the variance [components], all 0
        where nothing varies.
    """
    mean = points.mean(axis=0)
    variances, columns = np.linalg.eigh((points - mean).T @ (points - mean))
    variances, directions = np.maximum(variances[::-1], 0), columns.T[::-1]
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    return mean, directions, variances / (variances.sum() or 1)


@in_style
def eigenvalue_course(
    branches: Sequence[Branch], updates: Sequence[int], alphabet: Sequence[str], title: str
) -> Figure:
    """How the eigenvalues of fixed points move in training, a column a symbol: size, real part, and complex plane.

    Each colour is a fixed point, each style an eigenvalue; the plane is left out where all are real.

    Args:
        branches: fixed points in the course of training.
        updates: number of updates before each of the networks that they are of.
        alphabet: the symbols.
        title: heading.

    Raises:
        ValueError: there is no fixed point.
    """
    if not branches:
        raise ValueError("eigenvalue_course: expected a fixed point, got none; counter_courses shows counters")
    values = np.concatenate([branch.eigenvalues.ravel() for branch in branches])
    reach = 1.1 * max(1.0, float(np.abs(values).max()))
    is_complex = bool((np.abs(values.imag) > MARGIN).any())
    width = 3.4 if len(alphabet) <= 3 else 2.3
    heights = [2.3, 2.3] + [width] * is_complex
    figure = Figure(figsize=(width * len(alphabet) + 1.2, sum(heights) + 0.7), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    grid = figure.subplots(len(heights), len(alphabet), squeeze=False, sharey="row", height_ratios=heights)
    for symbol, (sizes, reals, *plane) in enumerate(grid.T):
        own = [branch for branch in branches if branch.symbol == symbol]
        sizes.set_title(f"{alphabet[symbol]} is read")
        for axes, measure in ((sizes, np.abs), (reals, np.real)):
            _draw_course(axes, own, np.array(updates), measure, reach)
        sizes.tick_params(labelbottom=False)
        reals.set_xlabel("update")
        for axes in plane:
            shown = _draw_complex(axes, own, len(updates), reach)
    for row, name in zip(grid, ["size |λ|", "real part of λ", "imaginary part of λ"], strict=False):
        row[0].set_ylabel(name)
    figure.align_ylabels()
    figure.supxlabel("a colour a fixed point, a line style one of its eigenvalues", x=0.01, ha="left", fontsize=8.5)
    if is_complex:
        bar = figure.colorbar(shown, ax=grid[-1], label="update", aspect=15)
        chosen = np.unique(np.linspace(0, len(updates) - 1, 5).round().astype(int))
        bar.set_ticks(chosen.tolist(), labels=[f"{updates[place]:,}" for place in chosen])
        bar.outline.set_visible(False)
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
    """What units do while each symbol of counting words is read: a row a unit, a column a symbol, a line a word.

    Args:
        values: of each word, before the first and after each symbol, [length + 1, units].
        words: the symbols of each, [length].
        ns: number n of each.
        slopes: change of each unit with each symbol, in the order in which they come, [units, symbols]; nan where it
            is not to be told.
        unit_names: [units].
        title: heading.

    Raises:
        ValueError: no word, or values that are not finite.
    """
    if not words:
        raise ValueError("counter_courses: expected a word, got none")
    for own in values:
        _check_finite("counter_courses", "units", own)
    phases = list(dict.fromkeys(itertools.chain(*words)))
    figure = Figure(figsize=(2.5 * len(phases) + 1.7, 1.6 * len(unit_names) + 1.1), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    grid = figure.subplots(len(unit_names), len(phases), squeeze=False, sharex="col", sharey="row")
    least, largest = min(ns), max(ns)
    for (unit, column), axes in np.ndenumerate(grid):
        for path, word, n in zip(values, words, ns, strict=True):
            places = np.flatnonzero(np.array([*word]) == phases[column])
            course = path[[*places[:1], *(places + 1)], unit]
            colour = COUNTS((n - least) / max(largest - least, 1))
            axes.plot(range(len(course)), course, ".-", color=colour, linewidth=1.1, markersize=4)
        slope = slopes[unit, column]
        if np.isfinite(slope):
            told = f"{slope:+.2f} per {phases[column]}".replace("-", "−")
            axes.set_title(told, loc="right", fontsize=8.5, fontweight="normal")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.grid(axis="y")
    for axes, phase in zip(grid[0], phases, strict=True):
        axes.set_title(f"{phase} is read")
    for axes, phase in zip(grid[-1], phases, strict=True):
        axes.set_xlabel(f"number of {phase}")
    for axes, name in zip(grid[:, 0], unit_names, strict=True):
        axes.set_ylabel(name)
    figure.align_ylabels()
    shown = ScalarMappable(Normalize(least, largest), COUNTS)
    bar = figure.colorbar(shown, ax=grid, label="n", aspect=25, shrink=0.8)
    bar.locator = MaxNLocator(6, integer=True)
    bar.update_ticks()
    bar.outline.set_visible(False)
    return figure


@in_style
def mechanism(
    found: Extraction,
    network: RecurrentNetwork,
    maps: Sequence[SymbolMap],
    words: Mapping[str, Tensor],
    alphabet: Sequence[str],
    explanation: str,
    title: str,
) -> Figure:
    """How a network with two hidden units does it: clusters of states, the automaton they are, phase portraits, a text.

    Args:
        found: the automaton and the hidden states.
        network: recurrent.
        maps: of its symbols.
        words: symbols read, [length], by the word's name.
        alphabet: the symbols.
        explanation: what the figures show, in words, a line a paragraph.
        title: heading.

    Raises:
        ValueError: another number of units, context units, or a parameter that is not finite.
    """
    scatter = pixels(cluster_scatter(found, "1. Hidden states and their clusters"))
    diagram = pixels(state_diagram(found.machine, "2. The automaton that they are"))
    portrait = pixels(phase_portrait(network, maps, words, alphabet, "3. What each symbol does to the state"))
    return _montage([[scatter, diagram], [portrait]], title, explanation)


def _groups(figure: str, readings: Mapping[str, Reading]) -> list[str]:
    """The groups of units that the words have; raises where there is no word or a state is not finite."""
    if not readings:
        raise ValueError(f"{figure}: expected a word, got none")
    for name, reading in readings.items():
        for group, states in reading.states.items():
            _check_finite(figure, f"{group} states of {name}", states)
    return list(next(iter(readings.values())).states)


def _check_finite(figure: str, what: str, values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise ValueError(f"{figure}: expected finite numbers, got {what} with NaN or infinity")


def _plotly(part: str) -> Any:
    """A part of plotly, which is a dependency of the extra ``analysis``."""
    try:
        return importlib.import_module(f"plotly.{part}")
    except ImportError as error:
        raise HudynError('Interactive figures need plotly: pip install "hudyn[analysis]".') from error


def _path(name: str, reading: Reading, group: str, scene: str, colour: str) -> dict[str, Any]:
    """The path of a word through a group's space."""
    written = ["the initial state"] + [
        f"step {step}: {symbol}<br>state {label}"
        for step, (symbol, label) in enumerate(
            zip(map(html.escape, reading.symbols), map(html.escape, reading.labels), strict=True), start=1
        )
    ]
    return {
        "type": "scatter3d",
        "mode": "lines+markers",
        "scene": scene,
        "name": html.escape(name),
        "legendgroup": name,
        "showlegend": scene == "scene",
        "line": {"color": colour, "width": 3},
        "marker": {"color": colour, "size": 3},
        "text": written,
        "hovertemplate": f"{html.escape(name)}, %{{text}}<br>{group} %{{x:.3f}}, %{{y:.3f}}, %{{z:.3f}}<extra></extra>",
        **_coordinates(reading.states[group]),
    }


def _moment(readings: Mapping[str, Reading], group: str, scene: str, time: int) -> dict[str, Any]:
    """Where all words are after so many symbols, with the symbols just read; a word that has ended waits."""
    places = np.array([reading.states[group][min(time, len(reading.symbols))] for reading in readings.values()])
    texts = ["" if time == 0 else reading.symbols[min(time, len(reading.symbols)) - 1] for reading in readings.values()]
    colours = [colour for colour, _ in zip(itertools.cycle(COLOURS), readings, strict=False)]
    return {
        "type": "scatter3d",
        "mode": "markers+text",
        "scene": scene,
        "showlegend": False,
        "hoverinfo": "skip",
        "marker": {"color": colours, "size": 9, "line": {"color": "black", "width": 1}},
        "text": [f"<b>{html.escape(text)}</b>" for text in texts],
        "textposition": "top center",
        "textfont": {"size": 22},
        **_coordinates(places),
    }


def _coordinates(points: np.ndarray) -> dict[str, list[float]]:
    return dict(zip("xyz", points.T.round(5).tolist(), strict=True))


def _heading(title: str, time: int) -> str:
    return f"{html.escape(title)}<br><sub>after {time} symbol{'s' * (time != 1)}</sub>"


def _layout(scenes: Mapping[str, str], title: str, last: int) -> dict[str, Any]:
    """The layout of the scenes side by side, with a slider and buttons."""
    share = 1 / len(scenes)
    play: dict[str, Any] = {"frame": {"duration": CLOCK_MS, "redraw": True}, "fromcurrent": True}
    stop: dict[str, Any] = {"frame": {"duration": 0, "redraw": True}, "mode": "immediate"}
    buttons = [
        {"label": "play", "method": "animate", "args": [None, play]},
        {"label": "pause", "method": "animate", "args": [[None], stop]},
    ]
    steps = [{"label": str(time), "method": "animate", "args": [[str(time)], stop]} for time in range(last + 1)]
    spaces = {
        scene: {
            "domain": {"x": [(place + 0.02) * share, (place + 0.98) * share], "y": [0, 1]},
            "aspectmode": "cube",
            "camera": {"eye": {"x": 1.6, "y": 1.6, "z": 1.0}},
            **{f"{axis}axis": {"title": {"text": f"{group} {unit}"}} for unit, axis in enumerate("xyz", start=1)},
        }
        for place, (group, scene) in enumerate(scenes.items())
    }
    return {
        "title": {"text": _heading(title, 0)},
        "legend": {"title": {"text": "words"}},
        "margin": {"l": 10, "r": 10, "t": 80, "b": 10},
        "updatemenus": [{"type": "buttons", "direction": "left", "x": 0, "y": 0, "yanchor": "top", "buttons": buttons}],
        "sliders": [{"currentvalue": {"prefix": "symbols read: "}, "x": 0.12, "len": 0.85, "steps": steps}],
        **spaces,
    }


@in_style
def _variances(shares: np.ndarray, group: str, height: int) -> Figure:
    """Bars of the components' shares of the variance, in a figure of so many pixels' height."""
    figure = Figure(layout="constrained")
    figure.set_size_inches(2.4, height / figure.dpi)
    axes = figure.add_subplot(box_aspect=1.2, anchor="N")
    shown = shares[:COMPONENTS]
    axes.bar(range(1, len(shown) + 1), shown, color=COLOURS[0])
    axes.set(ylim=(0, 1), xlabel="component", ylabel=f"share of the {group} variance")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def _draw_course(
    axes: Axes, branches: Sequence[Branch], updates: np.ndarray, measure: Callable[[np.ndarray], Any], reach: float
) -> None:
    """Draw a measure of eigenvalues over training with lines at 1 and -1, on logarithmic axes where these are long."""
    for line, colour in ((1, "black"), (0, "lightgray"), (-1, "black")):
        if measure is np.real or line >= 0:
            axes.axhline(line, color=colour, linewidth=0.8, zorder=0)
    for branch, colour in zip(branches, itertools.cycle(COLOURS), strict=False):
        for course, style in zip(measure(branch.eigenvalues).T, itertools.cycle(("-", "--", ":")), strict=False):
            axes.plot(updates[branch.times], course, color=colour, linestyle=style, marker=".", markersize=3)
    if updates[-1] > LONG:
        first = updates[updates > 0][0]
        axes.set_xscale("symlog", linthresh=first)
        axes.set_xticks([0, *10.0 ** np.arange(np.ceil(np.log10(first)), np.floor(np.log10(updates[-1])) + 1)])
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    if reach > LARGE:
        axes.set_yscale("symlog", linthresh=2)
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.update_datalim([(updates[0], 1.2), (updates[0], -1.2 if measure is np.real else 0)])
    axes.autoscale_view()


def _draw_complex(axes: Axes, branches: Sequence[Branch], times: int, reach: float) -> ScalarMappable:
    """Draw eigenvalues in the complex plane, coloured by the index of their time; what tells the colours."""
    shown = ScalarMappable(Normalize(0, times - 1), COUNTS)
    axes.add_patch(Circle((0, 0), 1, fill=False, linewidth=0.8))
    for branch in branches:
        colours = shown.to_rgba(branch.times)
        for own in branch.eigenvalues.T:
            axes.scatter(own.real, own.imag, s=7, color=colours)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="real part of λ")
    return shown


def _montage(rows: Sequence[Sequence[np.ndarray]], title: str, text: str) -> Figure:
    """Rows of pictures, uint8 [height, width, 3], with a heading above and a text beside the last row, or below."""
    dpi = Figure().dpi
    widths = [sum(picture.shape[1] for picture in row) / dpi for row in rows]
    heights = [max(picture.shape[0] for picture in row) / dpi for row in rows]
    width, height = max(widths), sum(heights)
    is_beside = width - widths[-1] >= TEXT_WIDTH
    room = (width - widths[-1] if is_beside else width) - 0.5
    told = "\n\n".join(textwrap.fill(part, int(room / 0.08)) for part in text.splitlines())
    below = 0.1 if is_beside or not text else 0.4 + 0.2 * len(told.splitlines())
    whole = HEADING + height + below
    figure = Figure(figsize=(width, whole))
    figure.text(0.1 / width, 1 - 0.1 / whole, title, va="top", fontweight="bold", fontsize=11)
    x, y = (widths[-1] + 0.2, below + heights[-1] - 0.5) if is_beside else (0.2, below - 0.1)
    figure.text(x / width, y / whole, told, va="top", linespacing=1.3)
    top = below + height
    for row, own in zip(rows, heights, strict=True):
        left = 0
        for picture in row:
            figure.figimage(picture, left, round(top * dpi) - picture.shape[0], origin="upper")
            left += picture.shape[1]
        top -= own
    return figure
