"""The functions of a two-layer perceptron's units over the plane."""

import math

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from hudyn.dynamics.dividing_lines import dividing_lines as lines_of
from hudyn.figures.division import REGION_COLOURS, draw_line, draw_points, draw_regions, over_plane
from hudyn.figures.plane import draw_contour, draw_raster, plane_around, show_plane
from hudyn.figures.style import DIVERGING, LineLook, colour_bar, heading, in_style, label_outer
from hudyn.networks.grid import GridMLP

PANEL = 1.75  # inches, the width of a panel
POINT_SIZE = 36  # points², of a marker
SOFT = ListedColormap(colormaps[DIVERGING](np.linspace(0.12, 0.88, 256)))  # points stay visible at both ends
LINE: LineLook = {"color": "black", "linestyle": "-", "linewidth": 1.6}
THIN_LINE: LineLook = {"color": "black", "linestyle": "-", "linewidth": 0.6}


@in_style
def unit_functions(network: GridMLP, points: Tensor, labels: Tensor, title: str) -> Figure:
    """Every hidden unit and the output over the plane: left, where the unit is on; right, its activation.

    Args:
        network: the network.
        points: [items, 2].
        labels: 0 or 1, [items].
        title: heading.
    """
    plane = plane_around(points)
    on, activations = over_plane(network, plane)
    lines = lines_of(network)
    number = len(lines) + 1
    columns = min(3, number)
    rows = math.ceil(number / columns)
    hidden_scale, output_scale = _scale(network.activation, float(activations[:-1].max())), _scale("sigmoid")
    is_same = hidden_scale == output_scale
    width = 2.1 * PANEL * columns + 0.6 + (1 if is_same else 2)
    figure = Figure(figsize=(width, rows * (plane.inches(PANEL)[1] + 0.35) + 1.1), layout="compressed")
    heading(figure, title)
    grid = figure.add_gridspec(rows, 3 * columns, width_ratios=[1, 1, 0.1] * columns)  # the third is a gap
    for unit in range(number):
        row, column = divmod(unit, columns)
        left, right = (figure.add_subplot(grid[row, 3 * column + side]) for side in (0, 1))
        is_output = unit == len(lines)
        left.set_title("output" if is_output else f"hidden unit {unit + 1}")
        draw_regions(left, plane, on[unit])
        image = draw_raster(right, plane, activations[unit], *(output_scale if is_output else hidden_scale))
        if unit == 0:
            hidden_image = image
        if is_output:
            for line in lines:
                draw_line(right, plane, line, THIN_LINE)
            draw_contour(right, plane, activations[unit], 0.5, "black", 3)
        else:
            draw_line(right, plane, lines[unit], LINE)
        for axes in (left, right):
            show_plane(axes, plane)
            handles = draw_points(axes, points, labels, POINT_SIZE)
            is_leftmost = column == 0 and axes is left
            label_outer(axes, "x" if axes is left else "", "y", unit + columns >= number, is_leftmost)
    panels: list[Axes] = list(figure.axes)
    bars = {"activation": image}
    if not is_same:
        bars = {"activation of the output": image, "activation of the hidden units": hidden_image}
    for name, shown in bars.items():
        colour_bar(figure, shown, ax=panels, shrink=min(0.8, 1.7 / rows), aspect=20, pad=0.02, label=name)
    regions = [Patch(color=colour, label=name) for name, colour in zip(("off", "on"), REGION_COLOURS, strict=True)]
    figure.legend(handles=[*regions, *handles], loc="outside lower left", ncols=4)
    return figure


def _scale(activation: str, largest: float = 1.0) -> tuple[Colormap, float, float]:
    """Colours of activations, with the smallest and the largest value; that is `largest` for relu."""
    if activation == "relu":
        return colormaps["OrRd"], 0, largest or 1
    return SOFT, -1 if activation == "tanh" else 0, 1
