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
from hudyn.figures.style import heading, in_style, label_outer, panel, pixels
from hudyn.networks.grid import GridMLP

POINT_SIZE = 40  # points², of a marker
# Sizes are in inches.
LONGEST, ONLY_LONGEST = 2.6, 4.4  # of the sides of a panel; of an only one
LEFT, GAP, BOTTOM, TITLE, HEADING = 0.6, 0.15, 0.55, 0.35, 0.35  # around panels
KEY_WIDTH = 2.1  # of each column of the legend


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
    side_x, side_y = plane.inches(LONGEST if len(networks) > 1 else ONLY_LONGEST)
    columns = min(4, len(networks))
    rows = math.ceil(len(networks) / columns)
    key_columns = math.ceil((networks[0].hidden.out_features + 5) / LEGEND_ROWS)  # 5: points, regions and boundary
    left_of_key = LEFT + columns * (side_x + GAP)
    height = max(HEADING + rows * (TITLE + side_y) + BOTTOM, HEADING + SMALLEST_HEIGHT)
    figure = Figure(figsize=(left_of_key + KEY_WIDTH * key_columns, height))
    heading(figure, title)
    for place, (network, epoch) in enumerate(zip(networks, epochs, strict=True)):
        row, column = divmod(place, columns)
        bottom = height - HEADING - (row + 1) * (TITLE + side_y)
        axes = panel(figure, LEFT + column * (side_x + GAP), bottom, side_x, side_y)
        handles = _draw_epoch(axes, network, epoch, plane, points, labels)
        label_outer(axes, "x", "y", place + columns >= len(networks), column == 0)
    corner = left_of_key / figure.get_figwidth(), 1 - HEADING / height
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=corner, borderaxespad=0, ncols=key_columns)
    return figure


def animation(
    networks: Sequence[GridMLP], epochs: Sequence[int], points: Tensor, labels: Tensor, title: str
) -> list[np.ndarray]:
    """What `moving_lines` shows, with the same arguments, an image an epoch, uint8 [height, width, 3]."""
    return [
        pixels(moving_lines([network], [epoch], points, labels, title))
        for network, epoch in zip(networks, epochs, strict=True)
    ]


def _draw_epoch(axes: Axes, network: GridMLP, epoch: int, plane: Plane, points: Tensor, labels: Tensor) -> list[Artist]:
    """Draw the division of the plane after an epoch; the handles of its legend."""
    with torch.no_grad():
        correct = int(((network(points) >= 0) == (labels == 1)).sum())
    axes.set_title(f"epoch {epoch:,}")
    axes.set_title(f"{correct} of {len(labels)} correct", loc="right", fontweight="normal")
    show_plane(axes, plane)
    handles = draw_division(axes, network, plane, points, labels, POINT_SIZE)
    return [Line2D([], [], label=f"h{unit}", **look) for unit, look in enumerate(line_looks(network), 1)] + handles
