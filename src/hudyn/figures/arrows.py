"""Arrows between circles, with labels."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path
from matplotlib.typing import LineStyleType

from hudyn.figures.labels import DIRECTIONS, DISC, LINE, Labels

INK = "#303030"
POINTS = 160  # of an arrow's path
CLEARANCE = 0.08  # inches between an arrow and a circle that it passes
LOOP = 0.2  # inches, the radius of an arrow that leads back to its circle
ENTRANCE = 0.45  # inches, the length of an arrow from nowhere
BENDS = np.array([0.0, 0.15, -0.15, 0.3, -0.3, 0.5, -0.5, 0.8, -0.8])  # of an arrow, in parts of its length
PLACES = (0.5, 0.4, 0.6, 0.3, 0.7)  # of a label, in parts of its arrow
SHORTEST_STEP, HEAD = 0.04, 0.025  # a step that has room for an arrowhead, and the head, in parts of the axes
BEND, SHIFT, TURN = 25.0, 25.0, 0.5  # cost of a bend or shift by the whole length, and of each next direction


class Arrows:
    """Draws arrows between circles, bent and labelled so that they keep clear of circles, text and other arrows.

    Args:
        axes: where to draw; their limits and size must be final, and an inch must be as long across as upwards.
        centres: centres of the circles in data units, [circles, 2].
        radii: radii of the circles in data units, [circles].
    """

    def __init__(self, axes: Axes, centres: np.ndarray, radii: np.ndarray) -> None:
        self._axes, self.labels = axes, Labels(axes)
        self._centres, self._radii = self.labels.inches(centres), radii / self.labels.inch[0]
        for centre, radius in zip(self._centres, self._radii, strict=True):
            self.labels.avoid_disc(centre, radius + CLEARANCE, LINE)
            self.labels.avoid_disc(centre, radius, DISC)

    def arrow(self, source: int, target: int, symbols: tuple[str, ...], linestyle: LineStyleType = "-") -> None:
        """Draw an arrow from one circle to another, or back to the same, labelled with its symbols."""
        text = self.labels.text(", ".join(symbols), 9, INK, weight="bold")
        half = self.labels.half(text)
        choices = []
        for cost, path in self._loops(source) if source == target else self._bows(source, target):
            middles = path[[round(place * (len(path) - 1)) for place in PLACES]]
            if source == target:  # beyond the loop
                outwards = middles - self._centres[source]
                middles = middles + outwards / np.linalg.norm(outwards, axis=1, keepdims=True) * half.max()
            costs = cost + self.labels.covered(text, middles) + SHIFT * np.abs(np.array(PLACES) - 0.5)
            costs += self.labels.crossed(path[self._outside(path, {source, target}, CLEARANCE)])
            choices.append((costs.min(), path, middles[costs.argmin()]))
        _, path, middle = min(choices, key=lambda choice: choice[0])
        self.labels.place(text, middle)
        self._draw(path, mutation_scale=9, color=INK, linestyle=linestyle)

    def entrance(self, circle: int) -> None:
        """Draw an arrow that leads into a circle from nowhere, preferably from the left."""
        centre, radius = self._centres[circle], self._radii[circle]
        steps = np.linspace(radius + ENTRANCE, radius, POINTS)[:, None]
        paths = [centre + steps * way for way in sorted(DIRECTIONS, key=lambda way: float(way[0]))]
        costs = [TURN * turn + self.labels.crossed(path) for turn, path in enumerate(paths)]
        self._draw(paths[int(np.argmin(costs))], mutation_scale=13, facecolor="white", edgecolor=INK)

    def name(self, circle: int, name: str) -> None:
        """Write a name beside a circle."""
        text = self.labels.text(name, 9, "black", style="italic")
        self.labels.beside(text, self._centres[circle], [self._radii[circle] + CLEARANCE])

    def _draw(self, path: np.ndarray, **look: Any) -> None:
        """Draw an arrow along a path [points, 2], which others then keep clear of."""
        self.labels.avoid(path, 2 * LINE)
        outline = Path(self.labels.data(path))
        self._axes.add_patch(FancyArrowPatch(path=outline, arrowstyle="-|>", linewidth=1.1, zorder=4, **look))

    def _outside(self, path: np.ndarray, circles: set[int], clearance: float = 0.0) -> np.ndarray:
        """Which points of a path [points, 2] are outside some circles, by at least a clearance."""
        indices = list(circles)
        distances = np.linalg.norm(path[:, None] - self._centres[indices], axis=2)
        return (distances > self._radii[indices] + clearance).all(axis=1)

    def _bows(self, source: int, target: int) -> list[tuple[float, np.ndarray]]:
        """Arcs between two circles, each with the cost of its bend."""
        start, end = self._centres[source], self._centres[target]
        across = np.array([start[1] - end[1], end[0] - start[0]])
        along = np.linspace(0, 1, POINTS)[:, None]
        arcs = []
        for bend in BENDS:
            control = (start + end) / 2 + bend * across
            curve = (1 - along) ** 2 * start + 2 * along * (1 - along) * control + along**2 * end
            outside = self._outside(curve, {source, target})
            if outside.sum() > POINTS / 4:  # long enough to be seen
                arcs.append((BEND * abs(bend), curve[outside]))
        return arcs or [(0.0, start + along * (end - start))]

    def _loops(self, circle: int) -> list[tuple[float, np.ndarray]]:
        """Loops at a circle, each with the cost of its direction; the first is at the top."""
        centre, radius = self._centres[circle], self._radii[circle]
        loops = []
        for turn, way in enumerate(np.roll(DIRECTIONS, -3, axis=0)):
            angle = np.arctan2(*-way[::-1]) + np.linspace(0, 2 * np.pi, POINTS)
            path = centre + way * (radius + 0.7 * LOOP) + LOOP * np.stack([np.cos(angle), np.sin(angle)], axis=1)
            loops.append((TURN * turn, path[self._outside(path, {circle})]))
        return loops


def draw_arrows(axes: Axes, places: np.ndarray, moves: np.ndarray, width: float, pivot: str, **look: Any) -> None:
    """Draw straight arrows of a width in inches at places [arrows, 2], as long as moves [arrows, 2]."""
    look |= {"angles": "xy", "scale_units": "xy", "scale": 1, "units": "inches"}
    axes.quiver(*places.T, *moves.T, width=width, pivot=pivot, **look)


def draw_heads(axes: Axes, before: np.ndarray, after: np.ndarray, colour: str) -> None:
    """Draw an arrowhead in the middle of each step from `before` to `after`, [steps, 2], if it is long enough."""
    moves = after - before
    parts = np.linalg.norm(moves / np.ptp([axes.get_xlim(), axes.get_ylim()], axis=1), axis=1)  # of the axes
    long = parts > SHORTEST_STEP
    heads = HEAD * moves[long] / parts[long, None]
    draw_arrows(axes, (before + moves / 2)[long], heads, 0.018, "middle", color=colour, zorder=4.5)
