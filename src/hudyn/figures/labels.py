"""Text on axes, placed clear of what is drawn there, of the edge, and of other text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from scipy.ndimage import distance_transform_edt

CELLS = 50  # per inch; a cell is about as wide as a thin line
LINE, DISC, TEXT = 1.0, 5.0, 100.0  # cost of covering a cell of each; other text and the edge must stay clear
CLEAR = 0.03  # inches around a text
DISTANCE = 40.0  # cost of each inch between a label and its place: as much as covering a line
LEADER = 0.2  # inches that a label is farther away than it could be, beyond which a line leads to it
DIRECTIONS = np.roll(np.exp(2j * np.pi * np.arange(24) / 24).view(float).reshape(-1, 2), -3, axis=0)  # 45° first


class Labels:
    """Places text on axes where it covers the least of what matters.

    A raster of cells holds the cost of covering each cell. All places and sizes are in inches from the lower left
    corner of the axes.

    Args:
        axes: their limits and size must be final.
        margin: inches around the axes in which text may stand too.
    """

    def __init__(self, axes: Axes, margin: float = 0.0) -> None:
        figure = axes.figure
        size = np.array(axes.bbox.size) / figure.dpi
        self._axes, self._margin = axes, margin
        self._low, high = np.array([axes.get_xlim(), axes.get_ylim()]).T
        self.inch = (high - self._low) / size  # data units an inch, [2]
        self._costs = np.zeros(np.ceil((size[::-1] + 2 * margin) * CELLS).astype(int))
        self._sums: np.ndarray | None = None  # of the costs below and left of each cell, until a cost changes
        self._renderer = FigureCanvasAgg(figure.figure).get_renderer()

    def inches(self, points: np.ndarray) -> np.ndarray:
        """Inches of points in data units, [..., 2]."""
        return (points - self._low) / self.inch

    def data(self, places: np.ndarray) -> np.ndarray:
        """Data units of places, [..., 2]."""
        return places * self.inch + self._low

    def avoid(self, places: np.ndarray, cost: float = LINE) -> None:
        """Keep clear of places [places, 2] and the cells around each."""
        around = np.indices((3, 3)).reshape(2, -1).T - 1
        cells = (self._cells(places)[:, None] + around).reshape(-1, 2)
        rows, columns = cells[self._inside(cells)].T
        self._cover((rows, columns), cost)

    def avoid_disc(self, centre: np.ndarray, radius: float, cost: float = DISC) -> None:
        """Keep clear of a disc."""
        x, y = (centre + self._margin) * CELLS
        (top, right), (bottom, left) = (self._cells(centre + sign * radius) for sign in (1, -1))
        rows, columns = np.indices(self._costs.shape)[:, max(bottom, 0) : top + 2, max(left, 0) : right + 2]
        disc = np.hypot(columns - x, rows - y) <= radius * CELLS
        self._cover((rows[disc], columns[disc]), cost)

    def crossed(self, path: np.ndarray) -> float:
        """Cost of the cells that a path [points, 2] crosses."""
        cells = self._cells((path[1:] + path[:-1]) / 2)
        inside = self._inside(cells)
        costs = np.full(len(cells), TEXT)
        costs[inside] = self._costs[tuple(cells[inside].T)]
        return float(costs @ np.linalg.norm(np.diff(path, axis=0), axis=1) * CELLS)

    def text(self, text: str, size: float, color: str, weight: str = "normal", style: str = "normal") -> Text:
        """Text on the axes that is yet to be placed."""
        box = {"boxstyle": "round,pad=0.08", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
        written = self._axes.text(0, 0, text, fontsize=size, color=color, fontweight=weight, fontstyle=style, bbox=box)
        written.set(ha="center", va="center", linespacing=1.1, zorder=8)
        return written

    def half(self, text: Text) -> np.ndarray:
        """Half of the width and height that a text needs, [2]."""
        return np.array(text.get_window_extent(self._renderer).size) / self._axes.figure.dpi / 2 + CLEAR

    def covered(self, text: Text, middles: np.ndarray) -> np.ndarray:
        """Cost of the cells that a text covers around each of its possible middles [places, 2]."""
        half = self.half(text)
        low, high = self._cells(middles - half), self._cells(middles + half) + 1  # [places, 2], rows and columns
        (bottom, left), (top, right) = (np.clip(cells, 0, self._costs.shape).T for cells in (low, high))
        if self._sums is None:
            self._sums = np.pad(self._costs.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
        sums = self._sums
        inside = sums[top, right] - sums[bottom, right] - sums[top, left] + sums[bottom, left]
        return inside + TEXT * ((high - low).prod(axis=1) - (top - bottom) * (right - left))

    def place(self, text: Text, middle: np.ndarray) -> None:
        """Place a text, which others then keep clear of."""
        text.set_position(self.data(middle).tolist())
        half = self.half(text)
        (bottom, left), (top, right) = self._cells(np.stack([middle - half, middle + half])).clip(0)
        self._cover((slice(bottom, top + 1), slice(left, right + 1)), TEXT)

    def beside(self, text: Text, place: np.ndarray, distances: Sequence[float], limit: float = np.inf) -> None:
        """Place a text beside a place, at one of some distances; remove it if it would cost more than `limit`."""
        half = self.half(text)
        away = np.repeat(distances, len(DIRECTIONS))
        ways = np.tile(DIRECTIONS, (len(distances), 1))
        middles = place + away[:, None] * ways + np.clip(1.4 * ways, -1, 1) * half
        costs = self.covered(text, middles) + DISTANCE * away
        best = int(costs.argmin())
        if costs[best] > limit:
            text.remove()
            return
        edge = np.clip(place, middles[best] - half, middles[best] + half)
        if away[best] - away[0] > LEADER:
            self._axes.plot(*self.data(np.array([place, edge])).T, color="black", linewidth=0.6, zorder=7)
        self.place(text, middles[best])

    def inside(self, text: Text, region: np.ndarray) -> None:
        """Place a text where a region, bool [rows, columns] over the axes, has most room; remove it if it has none."""
        places = (np.arange(size) * had // size for size, had in zip(self._costs.shape, region.shape, strict=True))
        free = region[np.ix_(*places)] & (self._costs == 0)
        room = distance_transform_edt(np.pad(free, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(room.argmax(), room.shape)
        if room.max() < CELLS * self.half(text).max():
            text.remove()
        else:
            self.place(text, np.array([column, row]) / CELLS)

    def _cover(self, cells: tuple[Any, Any], cost: float) -> None:
        """Let covering cells, by their rows and columns, cost at least `cost`."""
        self._costs[cells] = np.maximum(self._costs[cells], cost)
        self._sums = None

    def _cells(self, places: np.ndarray) -> np.ndarray:
        """Rows and columns of places, [..., 2]; those outside the raster too."""
        return np.floor((places[..., ::-1] + self._margin) * CELLS + 1e-6).astype(int)

    def _inside(self, cells: np.ndarray) -> np.ndarray:
        return np.all((cells >= 0) & (cells < self._costs.shape), axis=-1)
