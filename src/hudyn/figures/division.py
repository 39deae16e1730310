"""How a two-layer perceptron divides the plane: its output, its dividing lines, and the points that it classifies."""

import itertools
import math

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from torch import Tensor

from hudyn.dynamics.dividing_lines import DividingLine
from hudyn.dynamics.dividing_lines import dividing_lines as lines_of
from hudyn.figures.plane import Plane, draw_contour, draw_raster
from hudyn.figures.style import COLOURS, LINE_STYLES, LineLook
from hudyn.networks.grid import GridMLP

REGION_COLOURS = ["#D9E7F5", "#FDE3CF"]  # of 0 or off, of 1 or on
POINT_LOOKS = [("o", "white", "black"), ("s", "black", "white")]  # of label 0 and 1: shape, face, edge
LINE_COLOURS = [*COLOURS[:6], "#332288", "#882255"]  # two of Paul Tol's replace yellow and black, hard to see here
BOUNDARY_COLOUR, BOUNDARY_WIDTH = "#8C8C8C", 5
LEGEND_ROWS = 18  # that a panel of `SMALLEST_HEIGHT` inches has room for
SMALLEST_HEIGHT = 4.3


@torch.no_grad()
def over_plane(network: GridMLP, plane: Plane) -> tuple[np.ndarray, np.ndarray]:
    """Every unit over a raster of the plane.

    Args:
        network: the network.
        plane: the part that the raster covers.

    Returns:
        whether each unit is on (net input 0 or more) and its activation, both [units, RASTER, RASTER]; the output is
        the last unit; y grows with the row, x with the column.
    """
    points = plane.raster().to(network.hidden.weight.dtype)  # [RASTER, RASTER, 2]
    hidden, output = network.activations(points)
    on = torch.cat([network.hidden(points) >= 0, (network(points) >= 0).unsqueeze(-1)], dim=-1)
    activations = torch.cat([hidden, output.unsqueeze(-1)], dim=-1)  # [RASTER, RASTER, units]
    return on.movedim(-1, 0).numpy(), activations.movedim(-1, 0).numpy()


def line_looks(network: GridMLP) -> list[LineLook]:
    """The look of the dividing line of each hidden unit."""
    looks = itertools.cycle(itertools.product(LINE_STYLES, LINE_COLOURS))
    return [
        {"color": colour, "linestyle": style, "linewidth": 1.6}
        for style, colour in itertools.islice(looks, network.hidden.out_features)
    ]


def draw_division(
    axes: Axes, network: GridMLP, plane: Plane, points: Tensor, labels: Tensor, size: float
) -> list[Artist]:
    """Draw the output's regions and boundary, the dividing lines and the points; handles of all but the lines."""
    on, activations = over_plane(network, plane)
    draw_regions(axes, plane, on[-1])
    draw_contour(axes, plane, activations[-1], 0.5, BOUNDARY_COLOUR, BOUNDARY_WIDTH)
    for line, look in zip(lines_of(network), line_looks(network), strict=True):
        draw_line(axes, plane, line, look)
    handles = draw_points(axes, points, labels, size)
    sides = zip(("output < 1/2", "output ≥ 1/2"), REGION_COLOURS, strict=True)
    regions = [Patch(color=colour, label=side) for side, colour in sides]
    boundary = Line2D([], [], color=BOUNDARY_COLOUR, linewidth=BOUNDARY_WIDTH, label="decision boundary")
    return [*handles, *regions, boundary]


def draw_regions(axes: Axes, plane: Plane, on: np.ndarray) -> None:
    """Draw where a unit is on, bool [RASTER, RASTER]."""
    draw_raster(axes, plane, on, ListedColormap(REGION_COLOURS), 0, 1)


def draw_line(axes: Axes, plane: Plane, line: DividingLine, look: LineLook) -> None:
    """Draw the part of a dividing line inside the plane, if there is one."""
    ends = line.segment(*plane)
    if ends is not None:
        axes.plot(*zip(*ends, strict=True), **look)


def draw_points(axes: Axes, points: Tensor, labels: Tensor, size: float) -> list[Artist]:
    """Draw points as markers of an area in points², smaller if they are many; handles of their labels."""
    area = size * min(1, (30 / len(points)) ** 0.6)
    width = 0.2 + 0.1 * math.sqrt(area)
    handles: list[Artist] = []
    for label, (marker, face, edge) in enumerate(POINT_LOOKS):
        x, y = points[labels == label].T
        name = f"label {label}"
        handles.append(
            axes.scatter(x, y, area, face, marker=marker, edgecolors=edge, linewidths=width, zorder=3, label=name)
        )
    return handles
