"""The diagram of a two-layer perceptron on the plane: its units with their biases, and the weights between them."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch

from hudyn.figures.style import COLOURS, heading, in_style
from hudyn.networks.grid import GridMLP

# All lengths are inches.
WIDTH = 10.0
INPUT, HIDDEN, OUTPUT = 0.6, 5.4, 9.2  # centre of each column
UNIT_WIDTH, UNIT_HEIGHT = 1.1, 0.42
EDGE = 0.55  # above and below the network
WRITTEN_UNITS = 12  # hidden units up to which the weights fit beside their lines
SIGN_COLOURS = {1: COLOURS[1], 0: "lightgray", -1: COLOURS[0]}


@in_style
def network_diagram(network: GridMLP, title: str) -> Figure:
    """The units of a network from left to right with their biases; lines between them are weights."""
    hidden = network.hidden.weight.detach().numpy()  # [hidden, inputs]
    output = network.output.weight.detach().numpy()[0]  # [hidden]
    number = len(output)
    is_written = number <= WRITTEN_UNITS
    spacing = 0.7 if is_written else 0.5
    height = spacing * max(number, 3) + 2 * EDGE
    figure = Figure(figsize=(WIDTH, height))
    heading(figure, title)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(0, height))
    axes.set_axis_off()

    middle = height / 2
    inputs = middle + spacing * np.array([1, -1])
    levels = middle + spacing * ((number - 1) / 2 - np.arange(number))  # [hidden]
    largest = float(max(np.abs(hidden).max(), np.abs(output).max())) or 1.0
    half = UNIT_WIDTH / 2
    place_x, place_y, place_output = (0.58, 0.83, 0.3) if is_written else (None, None, None)
    for level, from_inputs, to_output in zip(levels, hidden, output, strict=True):
        for source, weight, place in zip(inputs, from_inputs, (place_x, place_y), strict=True):
            _draw_weight(axes, (INPUT, source), (HIDDEN - half, level), weight, largest, place)
        _draw_weight(axes, (HIDDEN + half, level), (OUTPUT - half, middle), to_output, largest, place_output)
    for name, level in zip("xy", inputs, strict=True):
        _draw_unit(axes, (INPUT, level), 0.5, name)
    for unit, (level, bias) in enumerate(zip(levels, network.hidden.bias.tolist(), strict=True), start=1):
        _draw_unit(axes, (HIDDEN, level), UNIT_WIDTH, f"hidden unit {unit}\nbias {_written(bias)}")
    _draw_unit(axes, (OUTPUT, middle), UNIT_WIDTH, f"output\nbias {_written(network.output.bias.item())}")

    signs = {"positive": SIGN_COLOURS[1], "negative": SIGN_COLOURS[-1]}
    handles = [Line2D([], [], color=colour, linewidth=3, label=name) for name, colour in signs.items()]
    axes.legend(handles=handles, loc="lower left", ncols=2, title="weights (wider: larger)", alignment="left")
    if not is_written:
        note = f"weights are not shown for more than {WRITTEN_UNITS} hidden units"
        axes.text(WIDTH - 0.1, 0.1, note, ha="right", va="bottom", fontsize=8)
    return figure


def _draw_weight(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], weight: float, largest: float, place: float | None
) -> None:
    """Draw a weight as a line, with its value at `place`, between 0 at the start and 1 at the end."""
    (x, y), (dx, dy) = start, np.subtract(end, start)
    colour = SIGN_COLOURS[int(np.sign(weight))]
    axes.plot((x, x + dx), (y, y + dy), color=colour, linewidth=0.5 + 4.5 * abs(weight) / largest, zorder=1)
    if place is not None:
        axes.text(
            x + place * dx,
            y + place * dy,
            _written(weight),
            rotation=math.degrees(math.atan2(dy, dx)),
            ha="center",
            va="center",
            fontsize=8.5,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"},
        )


def _draw_unit(axes: Axes, centre: tuple[float, float], width: float, text: str) -> None:
    corner = centre[0] - width / 2, centre[1] - UNIT_HEIGHT / 2
    shape = "round,pad=0,rounding_size=0.12"
    axes.add_patch(FancyBboxPatch(corner, width, UNIT_HEIGHT, shape, facecolor="white", edgecolor="black", zorder=3))
    axes.text(*centre, text, ha="center", va="center", fontsize=9, linespacing=1.3, zorder=4)


def _written(value: float) -> str:
    """A number with three significant digits.

    >>> _written(-0.5)
    '−0.5'
    """
    return f"{value:.3g}".replace("-", "−")
