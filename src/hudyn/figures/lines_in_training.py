"""The dividing lines of a two-layer perceptron over its training."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from hudyn.figures.division import LEGEND_ROWS, SMALLEST_HEIGHT, draw_division, line_looks
from hudyn.figures.plane import Plane, plane_around, show_plane
from hudyn.figures.style import heading, in_style, panel, pixels
from hudyn.networks.grid import GridMLP

POINT_SIZE = 40  # points², of a marker
# Sizes are in inches.
WIDTH, LONGEST = 2.6, 4.4  # of a panel; of the longer side in an animation
LEFT, BOTTOM, TOP = 0.6, 0.55, 0.65  # around the panel of an animation
KEY_WIDTH = 2.0  # of each column of the legend
DPI = 120  # of an animation, for smaller files


@in_style
def moving_lines(
    networks: Sequence[GridMLP], epochs: Sequence[int], points: Tensor, labels: Tensor, title: str
) -> Figure:
    """The dividing lines and the regions of the output after several epochs of training.

    Args:
        networks: the network after each of the epochs.
        epochs: their numbers.
        points: [items, 2].
        labels: 0 or 1, [items].
        title: heading.
    """
    plane = plane_around(points)
    columns = min(4, len(networks))
    rows = math.ceil(len(networks) / columns)
    key_columns = _key_columns(networks[0])
    height = rows * (WIDTH * plane.inches(1)[1] / plane.inches(1)[0] + 0.4) + 0.6
    size = (WIDTH + 0.15) * columns + 0.4 + KEY_WIDTH * key_columns, max(height, SMALLEST_HEIGHT)
    figure = Figure(figsize=size, layout="compressed")
    heading(figure, title)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(networks) :]:
        axes.set_axis_off()
    for axes, network, epoch in zip(grid.flat, networks, epochs, strict=False):
        handles = _draw_epoch(axes, network, epoch, plane, points, labels)
    for axes in grid[-1]:
        axes.set_xlabel("x")
    for axes in grid[:, 0]:
        axes.set_ylabel("y")
    figure.legend(handles=handles, loc="outside right center", ncols=key_columns)
    return figure


def animation(
    networks: Sequence[GridMLP], epochs: Sequence[int], points: Tensor, labels: Tensor, title: str
) -> list[np.ndarray]:
    """What `moving_lines` shows, with the same arguments, an image an epoch, uint8 [height, width, 3]."""
    plane = plane_around(points)
    return [
        pixels(_frame(network, epoch, plane, points, labels, title))
        for network, epoch in zip(networks, epochs, strict=True)
    ]


@in_style
def _frame(network: GridMLP, epoch: int, plane: Plane, points: Tensor, labels: Tensor, title: str) -> Figure:
    """One epoch in a panel whose place is fixed, so that it stands still in an animation."""
    key_columns = _key_columns(network)
    width, height = plane.inches(LONGEST)
    room = max(height, SMALLEST_HEIGHT - BOTTOM - TOP)
    figure = Figure(figsize=(LEFT + width + 0.2 + KEY_WIDTH * key_columns, BOTTOM + room + TOP), dpi=DPI)
    heading(figure, title)
    axes = panel(figure, LEFT, BOTTOM + room - height, width, height)
    handles = _draw_epoch(axes, network, epoch, plane, points, labels)
    axes.set(xlabel="x", ylabel="y")
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1 + 0.1 / width, 1), borderaxespad=0, ncols=key_columns
    )
    return figure


def _draw_epoch(axes: Axes, network: GridMLP, epoch: int, plane: Plane, points: Tensor, labels: Tensor) -> list[Artist]:
    """Draw the division of the plane after an epoch; the handles of its legend."""
    with torch.no_grad():
        correct = int(((network(points) >= 0) == (labels == 1)).sum())
    axes.set_title(f"epoch {epoch:,}")
    axes.set_title(f"{correct} of {len(labels)} correct", loc="right", fontweight="normal")
    show_plane(axes, plane)
    handles = draw_division(axes, network, plane, points, labels, POINT_SIZE)
    return [Line2D([], [], label=f"h{unit}", **look) for unit, look in enumerate(line_looks(network), 1)] + handles


def _key_columns(network: GridMLP) -> int:
    """Columns of the legend: a row a hidden unit, and five for points, regions and boundary."""
    return math.ceil((network.hidden.out_features + 5) / LEGEND_ROWS)
