"""The dividing lines of a two-layer perceptron's hidden units, with their equations."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from hudyn.dynamics.dividing_lines import DividingLine
from hudyn.dynamics.dividing_lines import dividing_lines as lines_of
from hudyn.figures.division import LEGEND_ROWS, SMALLEST_HEIGHT, draw_division, line_looks
from hudyn.figures.labels import DISTANCE, Labels
from hudyn.figures.plane import Plane, plane_around, show_plane
from hudyn.figures.style import heading, in_style, panel
from hudyn.networks.grid import GridMLP

# Sizes are in inches.
LONGEST = 6.0  # side of the panel
LEFT, BOTTOM, TOP = 0.75, 1.2, 0.7  # around the panel
KEY_GAP = 0.6  # between the panel, with its tags, and the equations
LETTER, HANDLE = 0.08, 0.7  # width of a letter of an equation, and of what stands before it
SMALLEST_WIDTH = 8.0  # of the figure, for the legend below
POINT_SIZE = 90  # points², of a marker
TAGS = 0.3  # beside the panel, where the names of the lines stand
EQUATIONS = "hidden units: on where the arrow points"


@in_style
def dividing_lines(network: GridMLP, points: Tensor, labels: Tensor, title: str) -> Figure:
    """The dividing lines of all hidden units in one plane, each with its equation and the side on which it is on.

    Args:
        network: the network.
        points: [items, 2].
        labels: 0 or 1, [items].
        title: heading.
    """
    plane = plane_around(points)
    lines, looks = lines_of(network), line_looks(network)
    segments = [line.segment(*plane) for line in lines]
    equations = [
        f"h{number}: {line.solved}{' (outside the plot)' * (ends is None and not line.solved.startswith('no line'))}"
        for number, (line, ends) in enumerate(zip(lines, segments, strict=True), start=1)
    ]
    columns = math.ceil(len(lines) / LEGEND_ROWS)
    key_width = columns * (HANDLE + LETTER * max(map(len, [EQUATIONS, *equations])))
    width, height = plane.inches(LONGEST)
    room = max(height, SMALLEST_HEIGHT)
    figure = Figure(figsize=(max(LEFT + width + KEY_GAP + key_width, SMALLEST_WIDTH), BOTTOM + room + TOP))
    heading(figure, title)
    axes = panel(figure, LEFT, BOTTOM + room - height, width, height)
    show_plane(axes, plane)
    axes.tick_params(axis="x", length=0, pad=72 * TAGS)
    axes.set_xlabel("x")
    axes.set_ylabel("y", labelpad=8)
    handles = draw_division(axes, network, plane, points, labels, POINT_SIZE)
    tags = Labels(axes, margin=TAGS)
    for number, (line, ends, look) in enumerate(zip(lines, segments, looks, strict=True), start=1):
        if ends is not None:
            _draw_arrow(axes, line, np.array(ends), plane, look["color"])
            _tag(tags, f"h{number}", np.array(ends[1]), plane, look["color"])
    axes.legend(
        handles=[Line2D([], [], label=text, **look) for text, look in zip(equations, looks, strict=True)],
        loc="upper left",
        bbox_to_anchor=(1 + KEY_GAP / width, 1),
        borderaxespad=0,
        ncols=columns,
        title=EQUATIONS,
        alignment="left",
        handlelength=3,
    )
    figure.legend(handles=handles, loc="lower left", ncols=5)
    return figure


def _draw_arrow(axes: Axes, line: DividingLine, ends: np.ndarray, plane: Plane, colour: str) -> None:
    """Draw a short arrow from near the line's right end to the side where its unit is on."""
    left, right = ends
    foot = right + (left - right) * min(0.5, 0.1 * plane.extent / np.hypot(*(left - right)))
    normal = np.array([line.weight_x, line.weight_y]) / math.hypot(line.weight_x, line.weight_y)
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 12}
    axes.annotate("", foot + 0.06 * plane.extent * normal, foot, arrowprops=arrow, annotation_clip=False)


def _tag(tags: Labels, name: str, end: np.ndarray, plane: Plane, colour: str) -> None:
    """Write a name just outside the panel, as near as possible to the end of its line."""
    (_, right), (bottom, top) = plane
    outwards = {(1, 0): right - end[0], (0, 1): top - end[1], (0, -1): end[1] - bottom}
    way = np.array(min(outwards, key=lambda side: outwards[side]))
    text = tags.text(name, 10, colour)
    half = tags.half(text)
    shifts = np.arange(-LONGEST, LONGEST, 0.02)
    middles = tags.inches(end) + way * (0.06 + half) + shifts[:, None] * np.abs(way[::-1])
    costs = tags.covered(text, middles) + DISTANCE * np.abs(shifts)
    tags.place(text, middles[costs.argmin()])
