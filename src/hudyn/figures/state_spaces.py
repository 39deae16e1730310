"""A page of three-dimensional state spaces that can be turned and played in time, made with plotly."""

import html
import importlib
import itertools
from collections.abc import Mapping
from types import ModuleType

import numpy as np

from hudyn.arguments import ArgumentError
from hudyn.dynamics.trajectories import WordTrajectory
from hudyn.errors import HudynError
from hudyn.figures.style import COLOURS

Json = dict[str, object]

STEP_MS = 600  # milliseconds that the animation rests on each symbol
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


def state_space(readings: Mapping[str, WordTrajectory], title: str) -> str:
    """A page on which words move through the space of three units: hidden units left, context units right.

    A slider moves both spaces in time, and turning one turns the other; the cursor shows symbol and state. The page
    loads ``plotly.min.js``, see `plotly_script`, from its folder, and needs no network connection.

    Args:
        readings: of words, by name, by a network of three units of each kind.
        title: heading.

    Returns:
        HTML.

    Raises:
        ArgumentError: another number of units, no word, or states that are not finite.
        HudynError: plotly is not installed.
    """
    groups = checked_groups(readings)
    for reading, group in itertools.product(readings.values(), groups):
        if (units := reading.parts[group].shape[1]) != 3:
            raise ArgumentError(
                "readings",
                f"expected three {group} units, got {units}; phase_portrait and state_scatter show two, "
                "principal_components more",
            )
    scenes = dict(zip(groups, ("scene", "scene2"), strict=False))
    paths = [
        _path(name, reading, group, scene, colour)
        for group, scene in scenes.items()
        for (name, reading), colour in zip(readings.items(), itertools.cycle(COLOURS), strict=False)
    ]
    last = max(len(reading.symbols) for reading in readings.values())
    moments = [[_moment(readings, group, scene, time) for group, scene in scenes.items()] for time in range(last + 1)]
    moving = list(range(len(paths), len(paths) + len(scenes)))
    frames = [
        {"name": str(time), "data": moment, "traces": moving, "layout": {"title": _heading(title, time)}}
        for time, moment in enumerate(moments)
    ]
    page = _plotly("io").to_html(
        {"data": [*paths, *moments[0]], "layout": _layout(scenes, title, last), "frames": frames},
        include_plotlyjs="directory",
        default_height="96vh",
        auto_play=False,
        validate=False,
        div_id="state_space",
        post_script=LINK_CAMERAS if len(scenes) == 2 else None,
    )
    return page.replace("<head>", f"<head><title>{html.escape(title)}</title>", 1)


def plotly_script() -> str:
    """The text of ``plotly.min.js``, which the pages of `state_space` load.

    Raises:
        HudynError: plotly is not installed.
    """
    return _plotly("offline").get_plotlyjs()


def checked_groups(readings: Mapping[str, WordTrajectory]) -> list[str]:
    """The groups of units that the words have.

    Raises:
        ArgumentError: there is no word, or a state is not finite.
    """
    if not readings:
        raise ArgumentError("readings", "expected a word, got none")
    for name, reading in readings.items():
        for group, states in reading.parts.items():
            if not np.isfinite(states).all():
                raise ArgumentError(
                    "readings", f"expected finite numbers, got {group} states of {name} with NaN or infinity"
                )
    return list(next(iter(readings.values())).parts)


def _plotly(part: str) -> ModuleType:
    """A part of plotly, a dependency of the extra ``analysis``."""
    try:
        return importlib.import_module(f"plotly.{part}")
    except ImportError as error:
        raise HudynError('Interactive figures need plotly: pip install "hudyn[analysis]".') from error


def _path(name: str, reading: WordTrajectory, group: str, scene: str, colour: str) -> Json:
    """The path of a word through a group's space."""
    name = html.escape(name)
    steps = enumerate(zip(map(html.escape, reading.symbols), reading.text.states, strict=True), start=1)
    return {
        **_trace(reading.parts[group], scene, "lines+markers"),
        "name": name,
        "legendgroup": name,
        "showlegend": scene == "scene",
        "line": {"color": colour, "width": 3},
        "marker": {"color": colour, "size": 3},
        "text": [
            "the initial state",
            *(f"step {step}: {symbol}<br>state {label:g}" for step, (symbol, label) in steps),
        ],
        "hovertemplate": f"{name}, %{{text}}<br>{group} %{{x:.3f}}, %{{y:.3f}}, %{{z:.3f}}<extra></extra>",
    }


def _moment(readings: Mapping[str, WordTrajectory], group: str, scene: str, time: int) -> Json:
    """The states of all words after `time` symbols, with the last symbol of each; a word that has ended stays."""
    steps = [(reading, min(time, len(reading.symbols))) for reading in readings.values()]
    colours = list(itertools.islice(itertools.cycle(COLOURS), len(steps)))
    symbols = [html.escape(reading.symbols[step - 1]) if step else "" for reading, step in steps]
    return {
        **_trace(np.array([reading.parts[group][step] for reading, step in steps]), scene, "markers+text"),
        "showlegend": False,
        "hoverinfo": "skip",
        "marker": {"color": colours, "size": 9, "line": {"color": "black", "width": 1}},
        "text": [f"<b>{symbol}</b>" for symbol in symbols],
        "textposition": "top center",
        "textfont": {"size": 22},
    }


def _trace(points: np.ndarray, scene: str, mode: str) -> Json:
    x, y, z = points.T.round(5).tolist()
    return {"type": "scatter3d", "mode": mode, "scene": scene, "x": x, "y": y, "z": z}


def _heading(title: str, time: int) -> Json:
    return {"text": f"{html.escape(title)}<br><sub>after {time} symbol{'s' * (time != 1)}</sub>"}


def _layout(scenes: Mapping[str, str], title: str, last: int) -> Json:
    """The layout of the scenes side by side, with a slider and buttons."""
    play = {"frame": {"duration": STEP_MS, "redraw": True}, "fromcurrent": True}
    stop = {"frame": {"duration": 0, "redraw": True}, "mode": "immediate"}
    buttons = [
        {"label": "play", "method": "animate", "args": [None, play]},
        {"label": "pause", "method": "animate", "args": [[None], stop]},
    ]
    steps = [{"label": str(time), "method": "animate", "args": [[str(time)], stop]} for time in range(last + 1)]
    layout: Json = {
        "title": _heading(title, 0),
        "legend": {"title": {"text": "words"}},
        "margin": {"l": 10, "r": 10, "t": 80, "b": 10},
        "updatemenus": [{"type": "buttons", "direction": "left", "x": 0, "y": 0, "yanchor": "top", "buttons": buttons}],
        "sliders": [{"currentvalue": {"prefix": "symbols read: "}, "x": 0.12, "len": 0.85, "steps": steps}],
    }
    for place, (group, scene) in enumerate(scenes.items()):
        layout[scene] = {
            "domain": {"x": [(place + 0.02) / len(scenes), (place + 0.98) / len(scenes)], "y": [0, 1]},
            "aspectmode": "cube",
            "camera": {"eye": {"x": 1.6, "y": 1.6, "z": 1.0}},
            **{f"{axis}axis": {"title": {"text": f"{group} unit {unit}"}} for unit, axis in enumerate("xyz", start=1)},
        }
    return layout
