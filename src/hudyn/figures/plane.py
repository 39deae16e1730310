"""Figures of a two-layer perceptron over the plane: what its units do, and where the hidden ones divide the plane."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from PIL import Image
from torch import Tensor

from hudyn.dynamics.dividing_lines import DividingLine
from hudyn.dynamics.dividing_lines import dividing_lines as lines_of
from hudyn.figures.style import COLOURS, DIVERGING, in_style, pixels
from hudyn.networks.grid import GridMLP

RASTER = 240  # points along each side of the plane
PANEL = 1.75  # inches, the width of a panel of a unit
SOFT = ListedColormap(colormaps[DIVERGING](np.linspace(0.12, 0.88, 256)))  # points stay visible at both its ends
MARGIN = 0.25  # around the points, as a share of their larger range
REGION_COLOURS = ["#D9E7F5", "#FDE3CF"]  # of 0 or off, of 1 or on
MARKERS = [("o", "white", "black"), ("s", "black", "white")]  # of label 0 and 1: shape, face, edge
LINE_COLOURS = [*COLOURS[:6], "#332288", "#882255"]  # yellow and black, hard to see here, give way to two of Paul Tol's
LINE_STYLES: list[Any] = ["-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5))]
BORDER_COLOUR = "#8C8C8C"
LEGEND_ROWS, LEAST_HEIGHT = 18, 4.3  # the height, in inches, has room for the rows
FRAME_MS, LAST_FRAME_MS = 80, 2000

Ends = tuple[tuple[float, float], tuple[float, float]]


class Plane(NamedTuple):
    """The part of the plane that is shown."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]


def plane_around(points: Tensor) -> Plane:
    """The plane around points [items, 2], with a margin."""
    low, high = points.amin(0), points.amax(0)
    margin = MARGIN * float((high - low).max()) or 0.5
    return Plane(*torch.stack([low - margin, high + margin], dim=1).tolist())


@torch.no_grad()
def over_plane(network: GridMLP, plane: Plane) -> tuple[np.ndarray, np.ndarray]:
    """What every unit does over a raster of the plane.

    Args:
        network: the network.
        plane: the part that the raster covers.

    Returns:
        Whether each unit is on (net input 0 or more) and its activation, both [units, RASTER, RASTER]; the output is
        the last unit; y grows with the row, x with the column.
    """
    y, x = torch.meshgrid(_raster(plane.y_range), _raster(plane.x_range), indexing="ij")
    points = torch.stack([x, y], dim=-1)  # [RASTER, RASTER, 2]
    hidden, output = network.activations(points)
    on = torch.cat([network.hidden(points) >= 0, (network(points) >= 0).unsqueeze(-1)], dim=-1)
    activations = torch.cat([hidden, output.unsqueeze(-1)], dim=-1)  # [RASTER, RASTER, units]
    return on.movedim(-1, 0).numpy(), activations.movedim(-1, 0).numpy()


@in_style
def unit_functions(network: GridMLP, points: Tensor, labels: Tensor, title: str) -> Figure:
    """The function of every hidden unit and of the output over the plane: where it is on, and its activation.

    Args:
        network: the network.
        points: [items, 2].
        labels: 0 or 1, [items].
        title: heading.
    """
    plane = plane_around(points)
    on, activations = over_plane(network, plane)
    lines = lines_of(network)
    units = [line.unit for line in lines] + ["output"]
    columns = min(3, len(units))
    rows = math.ceil(len(units) / columns)
    scales = {"hidden": _scale(network.activation, float(activations[:-1].max())), "output": _scale("sigmoid")}
    bars = {"output": "activation"}
    if scales["hidden"] != scales["output"]:
        bars = {"output": "activation of the output", "hidden": "activation of the hidden units"}
    width, height = 2.1 * PANEL * columns + 0.6 + len(bars), rows * (PANEL * _aspect(plane) + 0.35) + 1.1
    figure = Figure(figsize=(width, height), layout="compressed")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    grid = figure.add_gridspec(rows, 3 * columns, width_ratios=[1, 1, 0.1] * columns)  # the third is a gap
    images = {}
    for unit, name in enumerate(units):
        row, column = divmod(unit, columns)
        left, right = (figure.add_subplot(grid[row, 3 * column + side]) for side in (0, 1))
        kind = name.split()[0]
        left.set_title(name)
        _draw_regions(left, on[unit], plane)
        images[kind] = _draw_raster(right, activations[unit], plane, **scales[kind])
        if kind == "hidden":
            _draw_line(right, lines[unit], plane, color="black")
        else:
            for line in lines:
                _draw_line(right, line, plane, color="black", linewidth=0.6)
            _draw_border(right, activations[unit], plane, color="black", linewidth=3)
        is_lowest, is_leftmost = unit + columns >= len(units), column == 0
        for axes in (left, right):
            _frame(axes, plane)
            handles = _draw_points(axes, points, labels, 36)
            axes.tick_params(labelbottom=is_lowest, labelleft=is_leftmost and axes is left)
        left.set(xlabel="x" if is_lowest else "", ylabel="y" if is_leftmost else "")
    panels = list(figure.axes)
    for kind, told in bars.items():
        bar = figure.colorbar(images[kind], ax=panels, shrink=min(0.8, 1.7 / rows), aspect=20, pad=0.02, label=told)
        bar.outline.set_visible(False)
    regions = [Patch(color=colour, label=name) for name, colour in zip(("off", "on"), REGION_COLOURS, strict=True)]
    figure.legend(handles=[*regions, *handles], loc="outside lower left", ncols=4)
    return figure


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
    lines = lines_of(network)
    figure = Figure(layout="compressed")
    axes = figure.add_subplot()
    axes.set_title(title, pad=24)
    _frame(axes, plane)
    axes.tick_params(axis="x", length=0, pad=22)
    axes.set(xlabel="x", ylabel="y")
    division = _draw_division(axes, network, plane, points, labels, 90)
    equations: list[Artist] = []
    tags = []
    for number, (line, look) in enumerate(zip(lines, _looks(), strict=False), start=1):
        ends = line.segment(*plane)
        is_outside = ends is None and not line.solved.startswith("no line")
        label = f"h{number}: {line.solved}{' (outside the frame)' * is_outside}"
        equations.append(Line2D([], [], label=label, **look))
        if ends is not None:
            _draw_arrow(axes, line, ends, plane, look["color"])
            tags.append((f"h{number}", ends[1], look["color"]))
    _draw_tags(axes, tags, plane)
    columns = math.ceil(len(lines) / LEGEND_ROWS)
    heading = "hidden units: on where the arrow points"
    longest = max(len(text) for text in [heading, *(str(handle.get_label()) for handle in equations)])
    width, height = _size(plane, 6)
    beside = columns * (0.7 + 0.08 * longest)
    figure.set_size_inches(max(width + 0.8 + beside, 8), max(height, LEAST_HEIGHT) + 1.5)  # 8: the legend below
    axes.legend(
        handles=equations,
        loc="upper left",
        bbox_to_anchor=(1 + 0.4 / width, 1),
        ncols=columns,
        title=heading,
        alignment="left",
        handlelength=3,
    )
    figure.legend(handles=division, loc="outside lower left", ncols=5)
    return figure


@in_style
def moving_lines(
    networks: Sequence[GridMLP], epochs: Sequence[int], points: Tensor, labels: Tensor, title: str
) -> Figure:
    """The dividing lines and the regions of the output at several epochs of a training.

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
    figure = Figure(layout="compressed")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(networks) :]:
        axes.set_axis_off()
    for axes, network, epoch in zip(grid.flat, networks, epochs, strict=False):
        handles = _draw_epoch(axes, network, epoch, plane, points, labels)
    for axes in grid[-1]:
        axes.set_xlabel("x")
    for axes in grid[:, 0]:
        axes.set_ylabel("y")
    beside = math.ceil(len(handles) / LEGEND_ROWS)
    height = rows * (2.6 * _aspect(plane) + 0.4) + 0.6
    figure.set_size_inches(2.75 * columns + 0.4 + 2 * beside, max(height, LEAST_HEIGHT))
    figure.legend(handles=handles, loc="outside right center", ncols=beside)
    return figure


def animation(
    networks: Sequence[GridMLP], epochs: Sequence[int], points: Tensor, labels: Tensor, title: str
) -> list[np.ndarray]:
    """The dividing lines and the regions of the output at one epoch after another.

    Args:
        networks: the network after each of the epochs.
        epochs: their numbers.
        points: [items, 2].
        labels: 0 or 1, [items].
        title: heading.

    Returns:
        An image for every epoch, uint8 [height, width, 3].
    """
    plane = plane_around(points)
    return [
        pixels(_moment(network, epoch, plane, points, labels, title))
        for network, epoch in zip(networks, epochs, strict=True)
    ]


def write_gif(frames: Sequence[np.ndarray], file: IO[bytes]) -> None:
    """Write images, uint8 [height, width, 3], into an open file as an animation that runs for ever."""
    both = Image.fromarray(np.concatenate([frames[0], frames[-1]]))
    palette = both.quantize(128, Image.Quantize.MAXCOVERAGE, kmeans=1)  # keeps white white
    first, *others = (Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    durations = [FRAME_MS] * len(others) + [LAST_FRAME_MS]
    first.save(file, format="gif", save_all=True, append_images=others, duration=durations, loop=0)


@in_style
def _moment(network: GridMLP, epoch: int, plane: Plane, points: Tensor, labels: Tensor, title: str) -> Figure:
    """One epoch in a panel whose place is fixed, so that it stands still in an animation."""
    figure = Figure(dpi=120)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    axes = figure.add_subplot()
    handles = _draw_epoch(axes, network, epoch, plane, points, labels)
    axes.set(xlabel="x", ylabel="y", anchor="NW")
    columns = math.ceil(len(handles) / LEGEND_ROWS)
    panel_width, panel_height = _size(plane, 4.4)
    width, height = panel_width + 0.8 + 2 * columns, max(panel_height + 1.2, LEAST_HEIGHT)
    figure.set_size_inches(width, height)
    figure.subplots_adjust(0.6 / width, 0.55 / height, (0.6 + panel_width) / width, 1 - 0.65 / height)
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0, ncols=columns)
    return figure


def _draw_epoch(axes: Axes, network: GridMLP, epoch: int, plane: Plane, points: Tensor, labels: Tensor) -> list[Artist]:
    """Draw the division of the plane after an epoch; the handles of its legend."""
    with torch.no_grad():
        right = int(((network(points) >= 0) == (labels == 1)).sum())
    axes.set_title(f"epoch {epoch:,}")
    axes.set_title(f"{right} of {len(labels)} right", loc="right", fontweight="normal")
    _frame(axes, plane)
    division = _draw_division(axes, network, plane, points, labels, 40)
    units = zip(range(1, network.hidden.out_features + 1), _looks(), strict=False)
    return [Line2D([], [], label=f"h{number}", **look) for number, look in units] + division


def _draw_division(
    axes: Axes, network: GridMLP, plane: Plane, points: Tensor, labels: Tensor, size: float
) -> list[Artist]:
    """Draw the output's regions and border, the dividing lines and the points; the handles but the lines'."""
    on, activations = over_plane(network, plane)
    _draw_regions(axes, on[-1], plane)
    _draw_border(axes, activations[-1], plane, color=BORDER_COLOUR, linewidth=5)
    for line, look in zip(lines_of(network), _looks(), strict=False):
        _draw_line(axes, line, plane, **look)
    handles = _draw_points(axes, points, labels, size)
    sides = zip(("output < 1/2", "output ≥ 1/2"), REGION_COLOURS, strict=True)
    regions = [Patch(color=colour, label=side) for side, colour in sides]
    return [*handles, *regions, Line2D([], [], color=BORDER_COLOUR, linewidth=5, label="border of the output")]


def _looks() -> Iterator[dict[str, Any]]:
    """The look of the dividing line of each hidden unit in turn."""
    for style, colour in itertools.cycle(itertools.product(LINE_STYLES, LINE_COLOURS)):
        yield {"color": colour, "linestyle": style}


def _scale(activation: str, largest: float = 1.0) -> dict[str, Any]:
    """Colours of activations, for relu up to the `largest`."""
    if activation == "relu":
        return {"cmap": "OrRd", "vmin": 0, "vmax": largest or 1}
    return {"cmap": SOFT, "vmin": -1 if activation == "tanh" else 0, "vmax": 1}


def _raster(bounds: tuple[float, float]) -> Tensor:
    """The raster from one bound to the other, [RASTER]."""
    return torch.linspace(*bounds, RASTER)


def _aspect(plane: Plane) -> float:
    """Height over width."""
    return float(np.ptp(plane.y_range) / np.ptp(plane.x_range))


def _size(plane: Plane, longest: float) -> tuple[float, float]:
    """Width and height, in inches, of a panel whose longer side is given."""
    scale = longest / _extent(plane)
    return scale * float(np.ptp(plane.x_range)), scale * float(np.ptp(plane.y_range))


def _extent(plane: Plane) -> float:
    """The plane's longer side."""
    return float(max(np.ptp(plane.x_range), np.ptp(plane.y_range)))


def _frame(axes: Axes, plane: Plane) -> None:
    """Let a panel show the plane, with ticks at integers."""
    axes.set(xlim=plane.x_range, ylim=plane.y_range, aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))
    axes.spines[:].set_visible(True)


def _draw_raster(axes: Axes, values: np.ndarray, plane: Plane, **look: Any) -> AxesImage:
    """Draw values [RASTER, RASTER] as cells around the points of the raster; the outer ones reach over the edge."""
    x, y = (np.array(bounds) + np.array([-0.5, 0.5]) * np.ptp(bounds) / (RASTER - 1) for bounds in plane)
    return axes.imshow(values, origin="lower", extent=(*x, *y), **look)


def _draw_regions(axes: Axes, on: np.ndarray, plane: Plane) -> None:
    _draw_raster(axes, on, plane, cmap=ListedColormap(REGION_COLOURS), vmin=0, vmax=1)


def _draw_border(axes: Axes, activations: np.ndarray, plane: Plane, color: str, linewidth: float) -> None:
    """Draw where the output's activation is 1/2, if it is anywhere."""
    if activations.min() < 0.5 < activations.max():
        x, y = _raster(plane.x_range), _raster(plane.y_range)
        axes.contour(x, y, activations, levels=[0.5], colors=color, linewidths=linewidth)


def _draw_line(axes: Axes, line: DividingLine, plane: Plane, **look: Any) -> None:
    ends = line.segment(*plane)
    if ends is not None:
        axes.plot(*zip(*ends, strict=True), **look)


def _draw_points(axes: Axes, points: Tensor, labels: Tensor, size: float) -> list[Artist]:
    """Draw the points, smaller where they are many; the handles of their labels."""
    area = size * min(1, (30 / len(points)) ** 0.6)
    width = 0.2 + 0.1 * math.sqrt(area)
    handles: list[Artist] = []
    for label, (shape, face, edge) in enumerate(MARKERS):
        x, y = points[labels == label].T
        look: dict[str, Any] = {"marker": shape, "edgecolors": edge, "linewidths": width, "zorder": 3}
        handles.append(axes.scatter(x, y, area, face, label=f"label {label}", **look))
    return handles


def _draw_arrow(axes: Axes, line: DividingLine, ends: Ends, plane: Plane, colour: str) -> None:
    """Draw a short arrow from near the line's right end to the side where its unit is on."""
    left, right = np.array(ends)
    extent = _extent(plane)
    foot = right + (left - right) * min(0.5, 0.1 * extent / np.hypot(*(left - right)))
    normal = np.array([line.weight_x, line.weight_y]) / math.hypot(line.weight_x, line.weight_y)
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 12}
    axes.annotate("", foot + 0.06 * extent * normal, foot, arrowprops=arrow, annotation_clip=False)


def _draw_tags(axes: Axes, tags: Sequence[tuple[str, tuple[float, float], str]], plane: Plane) -> None:
    """Write names just outside the frame, each beside the end of its line and in its colour."""
    (_, right), (bottom, top) = plane
    sides: dict[str, list[tuple[str, tuple[float, float], str]]] = {"right": [], "top": [], "bottom": []}
    for tag in tags:
        x, y = tag[1]
        distances = {"right": right - x, "top": top - y, "bottom": y - bottom}
        sides[min(distances, key=lambda side: distances[side])].append(tag)
    pad = 0.03 * _extent(plane)
    for side, own in sides.items():
        if not own:
            continue
        upright = side == "right"
        places = _apart([end[upright] for _, end, _ in own], pad * (1.2 if upright else 2), plane[upright])
        for (name, end, colour), place in zip(own, places, strict=True):
            at = (right + pad, place) if upright else (place, top + pad if side == "top" else bottom - pad)
            axes.annotate(name, end, at, color=colour, ha="center", va="center", annotation_clip=False)


def _apart(places: Sequence[float], gap: float, bounds: tuple[float, float]) -> np.ndarray:
    """Places moved apart to at least `gap`, or as far as they find room between the bounds."""
    low, high = bounds
    steps = min(gap, (high - low) / len(places)) * np.arange(len(places))
    order = np.argsort(places)
    wanted = np.array(places)[order] - steps
    upwards, downwards = np.maximum.accumulate(wanted), np.minimum.accumulate(wanted[::-1])[::-1]
    moved = np.empty(len(places))
    moved[order] = np.clip((upwards + downwards) / 2, low, high - steps[-1]) + steps
    return moved
