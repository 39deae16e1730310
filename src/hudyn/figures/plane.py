"""The part of a plane that a figure shows, and what is drawn all over it: values, regions and contours."""

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from matplotlib.typing import LineStyleType
from torch import Tensor

RASTER = 240  # points along each side: contours look smooth, and drawing stays fast
MARGIN = 0.25  # around the points, in parts of their larger range


class Plane(NamedTuple):
    """A rectangle in the plane."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]

    @property
    def extent(self) -> float:
        """The longer side."""
        return float(max(np.ptp(self.x_range), np.ptp(self.y_range)))

    def inches(self, longest: float) -> tuple[float, float]:
        """Width and height of a panel whose longer side is given, in inches."""
        scale = longest / self.extent
        return scale * float(np.ptp(self.x_range)), scale * float(np.ptp(self.y_range))

    def contains(self, point: np.ndarray) -> bool:
        """Whether a point [2] is inside."""
        low, high = np.array(self).T
        return bool(((low < point) & (point < high)).all())

    def raster(self, number: int = RASTER) -> Tensor:
        """Points of a raster, [number, number, 2]; y grows with the row, x with the column."""
        x, y = (torch.linspace(*bounds, number, dtype=torch.float64) for bounds in self)
        return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def plane_around(points: Tensor) -> Plane:
    """The plane around points [items, 2], with a margin."""
    low, high = points.amin(0), points.amax(0)
    margin = MARGIN * float((high - low).max()) or 0.5
    return Plane(*torch.stack([low - margin, high + margin], dim=1).tolist())


def show_plane(axes: Axes, plane: Plane) -> None:
    """Let axes show the plane in equal scales, framed, with ticks at integers."""
    axes.set(xlim=plane.x_range, ylim=plane.y_range, aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))
    axes.spines[:].set_visible(True)


def draw_raster(
    axes: Axes, plane: Plane, values: np.ndarray, cmap: Colormap | str, low: float, high: float
) -> AxesImage:
    """Draw values [RASTER, RASTER] as cells around the points of the raster; the outer ones reach over the edge."""
    x, y = (np.array(bounds) + np.array([-0.5, 0.5]) * np.ptp(bounds) / (RASTER - 1) for bounds in plane)
    return axes.imshow(
        values, origin="lower", extent=(*x, *y), aspect=axes.get_aspect(), cmap=cmap, vmin=low, vmax=high, zorder=0
    )


def draw_contour(
    axes: Axes,
    plane: Plane,
    values: np.ndarray,
    level: float,
    color: str,
    linewidth: float,
    linestyle: LineStyleType = "-",
    alpha: float = 1.0,
) -> np.ndarray:
    """Draw where values [RASTER, RASTER] have a level; return vertices of these lines, [vertices, 2]."""
    if not values.min() < level < values.max():
        return np.empty((0, 2))
    x, y = (np.linspace(*bounds, RASTER) for bounds in plane)
    contour = axes.contour(x, y, values, levels=[level], colors=color, zorder=1)
    contour.set(linestyle=linestyle, linewidth=linewidth, alpha=alpha)
    return np.concatenate([np.asarray(path.vertices) for path in contour.get_paths()])
