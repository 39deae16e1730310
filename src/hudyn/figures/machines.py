"""Figures and texts of automata: state diagrams, and clusters of hidden states with the arrows between them."""

import string
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from scipy.sparse.csgraph import shortest_path

from hudyn.dynamics.automata import MooreMachine
from hudyn.dynamics.extraction import Extraction
from hudyn.figures.style import COLOURS, in_style

# All lengths are inches.
RADIUS = 0.36  # of a state in a diagram
APART = 1.4  # states that an arrow joins
EDGE = 0.6  # around the states
HEADING = 0.35
LEAST_RADIUS = 0.1  # of a cluster
SIDE, LARGE_SIDE = 6.4, 9.0  # of a scatter; of more than `MANY` clusters
MANY = 16
CHARACTER, LINE = 0.085, 0.17  # width and height of a label's characters
SAMPLES = 40  # points of an arrow
BENDS = (0.0, 0.15, -0.15, 0.3, -0.3, 0.5, -0.5, 0.8, -0.8)  # of an arrow, in parts of its length
PLACES = (0.5, 0.4, 0.6, 0.3, 0.7)  # of a label along its arrow
DIRECTIONS = np.exp(2j * np.pi * np.arange(24) / 24).view(float).reshape(-1, 2)
INK, PALE = "#303030", "#707070"
MARKERS = "osD^vPX"


@in_style
def state_diagram(machine: MooreMachine, title: str) -> Figure:
    """The states as circles with the symbols that they expect, the transitions as arrows; an open arrow leads in.

    Args:
        machine: the automaton.
        title: heading.
    """
    centres = _placed(machine)
    centres -= (centres.min(axis=0) + centres.max(axis=0)) / 2
    width, height = np.maximum(2 * (centres.max(axis=0) + EDGE + RADIUS), (4.0, 2.2))
    centres += (width / 2, height / 2)
    figure = Figure(figsize=(width, height + HEADING))
    figure.text(0.1 / width, 1 - 0.1 / (height + HEADING), title, va="top", fontsize=10)
    axes = figure.add_axes((0, 0, 1, height / (height + HEADING)), xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    drawing = _Drawing(axes, centres, np.full(len(machine), RADIUS), inch=1.0)
    for (source, target), symbols in _short_first(machine, centres):
        drawing.arrow(source, target, symbols)
    drawing.entrance(0)
    for centre, name, expected in zip(centres, machine.names, machine.outputs, strict=True):
        axes.add_patch(Circle(tuple(centre), RADIUS, facecolor="white", edgecolor="black", zorder=3))
        _write_inside(axes, centre + np.array([0, 0.08]), name, 9, "black")
        _write_inside(axes, centre - np.array([0, 0.12]), _expected(expected), 7.5, PALE)
    return figure


@in_style
def cluster_scatter(found: Extraction, title: str) -> Figure:
    """Hidden states with a circle round each cluster, and the automaton's transitions as arrows between the circles.

    Circles are named after the states that their clusters belong to, of many clusters the largest of each state; arrows
    join these. More than two units are drawn by their first two principal components. The star is the state before the
    first symbol; what the automaton does not reach is grey.

    Args:
        found: the automaton and the hidden states.
        title: heading.
    """
    points, start, names = _plane(found)
    members = [found.clusters == cluster for cluster in range(found.number)]
    centres = np.array([(points[own].min(axis=0) + points[own].max(axis=0)) / 2 for own in members])
    spans = [np.linalg.norm(points[own] - centre, axis=1).max() for own, centre in zip(members, centres, strict=True)]
    reach = np.array(spans)
    outermost = np.vstack([centres - reach[:, None], centres + reach[:, None], start])
    figure, axes, inch = _framed(outermost, LARGE_SIDE if found.number > MANY else SIDE, names, title)
    radii = np.maximum(reach + 0.04 * inch, LEAST_RADIUS * inch)
    states = [int(found.states[own][0]) for own in members]
    largest = {states[cluster]: cluster for cluster in np.argsort([own.sum() for own in members], kind="stable")}
    for own, centre, radius, state in zip(members, centres, radii, states, strict=True):
        colour = COLOURS[state % 6] if state >= 0 else PALE
        look: dict[str, Any] = {"color": colour, "marker": MARKERS[state // 6 % len(MARKERS)], "linewidths": 0}
        x, y = points[own].T
        axes.scatter(x, y, s=9, alpha=0.6, zorder=2, **look)
        axes.add_patch(Circle(tuple(centre), radius, fill=False, edgecolor=colour, linewidth=1.6, zorder=3))
    axes.plot(*start[0], "*", color="white", markeredgecolor="black", markersize=14, zorder=5)

    drawing = _Drawing(axes, np.vstack([centres, start]), np.append(radii, 0.12 * inch), inch)
    machine = found.machine
    edges = [(source, target, symbols) for (source, target), symbols in machine.edges.items() if target in largest]
    for source, target, symbols in edges:
        if source in largest:
            drawing.arrow(largest[source], largest[target], symbols)
    for _, target, symbols in (edge for edge in edges if edge[0] == 0):
        drawing.arrow(found.number, largest[target], symbols, style=(0, (4, 2)))
    for cluster, state in enumerate(states):
        if state >= 0 and (found.number <= MANY or largest[state] == cluster):
            drawing.name(cluster, machine.names[state])
    drawing.name(found.number, "H0")
    return figure


def dot(machine: MooreMachine) -> str:
    """The automaton in the DOT language of Graphviz."""
    lines = ["digraph {", "  rankdir=LR;", '  begin [shape=point, label=""];', "  begin -> 0;"]
    for state, (name, expected) in enumerate(zip(machine.names, machine.outputs, strict=True)):
        lines.append(f'  {state} [shape=circle, label="{_escaped(name)}\\n{_escaped(_expected(expected))}"];')
    for (source, target), symbols in machine.edges.items():
        lines.append(f'  {source} -> {target} [label="{_escaped(_label(symbols))}"];')
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(machine: MooreMachine) -> str:
    """The automaton as a state diagram of Mermaid."""
    lines = ["stateDiagram-v2", "  direction LR"]
    for state, (name, expected) in enumerate(zip(machine.names, machine.outputs, strict=True)):
        lines.append(f'  state "{_entities(name)}<br>{_entities(_expected(expected))}" as s{state}')
    lines.append("  [*] --> s0")
    for (source, target), symbols in machine.edges.items():
        lines.append(f"  s{source} --> s{target} : {_entities(_label(symbols))}")
    return "\n".join(lines) + "\n"


class _Drawing:
    """Arrows between circles, bent and lettered so that they keep clear of the circles and of one another.

    Args:
        axes: where to draw, of equal scales.
        centres: of the circles, [circles, 2].
        radii: of the circles, [circles].
        inch: how long an inch is on the axes.
    """

    def __init__(self, axes: Axes, centres: np.ndarray, radii: np.ndarray, inch: float) -> None:
        self._axes, self._centres, self._radii, self._inch = axes, centres, radii, inch
        self._labels = np.empty((0, 2, 2))  # middle and half of the size of each, [labels, 2, 2]
        self._drawn = np.empty((0, 2))  # points of all arrows, [points, 2]

    def arrow(self, source: int, target: int, symbols: tuple[str, ...], style: Any = "-") -> None:
        """Draw an arrow from one circle to another, or back to the same, with its symbols."""
        label = _label(symbols)
        ways = self._loops(source) if source == target else self._bows(source, target)
        half = np.array([CHARACTER * len(label) / 2 + 0.02, LINE / 2]) * self._inch
        choices: list[tuple[float, int, np.ndarray, np.ndarray]] = []
        for cost, path in ways:
            cost += self._crossing(path, {source, target})
            for place in PLACES:
                middle = path[round(place * (len(path) - 1))]
                if source == target:
                    middle = middle + _unit(middle - self._centres[source]) * half.max()
                choices.append((cost + abs(place - 0.5) + self._covering(middle, half), len(choices), path, middle))
        _, _, path, middle = min(choices)
        self._drawn = np.concatenate([self._drawn, path[::4]])
        self._labels = np.concatenate([self._labels, [[middle, half]]])
        look: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 9, "color": INK, "linewidth": 1.1, "zorder": 4}
        self._axes.add_patch(FancyArrowPatch(path=Path(path), linestyle=style, **look))
        self._write(middle, label, color=INK, fontsize=9, fontweight="bold")

    def name(self, circle: int, name: str) -> None:
        """Write a name beside a circle."""
        half = np.array([CHARACTER * len(name) / 2 + 0.02, LINE / 2]) * self._inch
        centre, radius = self._centres[circle], self._radii[circle]
        clear = radius + 0.04 * self._inch
        places = [centre + way * clear + np.clip(1.5 * way, -1, 1) * half for way in np.roll(DIRECTIONS, -3, axis=0)]
        costs = [self._covering(place, half) + 0.01 * turn for turn, place in enumerate(places)]
        middle = places[int(np.argmin(costs))]
        self._labels = np.concatenate([self._labels, [[middle, half]]])
        self._write(middle, name, color="black", fontsize=9, fontstyle="italic")

    def entrance(self, state: int) -> None:
        """Draw an arrow that leads into a circle from nowhere."""
        centre, radius = self._centres[state], self._radii[state]
        ways = [
            (0.02 * turn, centre + np.linspace(radius + 0.45 * self._inch, radius, SAMPLES)[:, None] * way)
            for turn, way in enumerate(sorted(DIRECTIONS.tolist(), key=lambda way: way[0]))
        ]
        _, _, path = min(
            (cost + self._crossing(path, {state}) + self._covering(path[0], np.full(2, 0.05)), place, path)
            for place, (cost, path) in enumerate(ways)
        )
        self._drawn = np.concatenate([self._drawn, path[::4]])
        look: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 13, "facecolor": "white", "edgecolor": INK}
        self._axes.add_patch(FancyArrowPatch(path[0], path[-1], shrinkA=0, shrinkB=0, linewidth=1.1, zorder=4, **look))

    def _write(self, middle: np.ndarray, text: str, **look: Any) -> None:
        edged = [withStroke(linewidth=4.5, foreground="white")]
        x, y = middle.tolist()
        self._axes.text(x, y, text, ha="center", va="center", zorder=6, path_effects=edged, **look)

    def _bows(self, source: int, target: int) -> list[tuple[float, np.ndarray]]:
        """Arcs between two circles, each with its cost."""
        start, end = self._centres[source], self._centres[target]
        across = np.array([start[1] - end[1], end[0] - start[0]])
        along = np.linspace(0, 1, 4 * SAMPLES)[:, None]
        ways = []
        for bend in BENDS:
            control = (start + end) / 2 + bend * across
            curve = (1 - along) ** 2 * start + 2 * along * (1 - along) * control + along**2 * end
            outside = (np.linalg.norm(curve - start, axis=1) > self._radii[source]) & (
                np.linalg.norm(curve - end, axis=1) > self._radii[target]
            )
            path = curve[outside]
            if len(path) > SAMPLES:
                ways.append((abs(bend), path))
        return ways or [(0.0, start + along * (end - start))]

    def _loops(self, state: int) -> list[tuple[float, np.ndarray]]:
        """Loops at a circle, each with its cost."""
        centre, radius, size = self._centres[state], self._radii[state], 0.2 * self._inch
        turn = np.linspace(0, 2 * np.pi, 4 * SAMPLES)
        ways = []
        for order, way in enumerate(np.roll(DIRECTIONS, -6, axis=0)):  # from the top on
            middle = centre + way * (radius + 0.7 * size)
            angle = np.arctan2(*-way[::-1]) + turn
            path = middle + size * np.stack([np.cos(angle), np.sin(angle)], axis=1)
            ways.append((0.01 * order, path[np.linalg.norm(path - centre, axis=1) > radius]))
        return ways

    def _crossing(self, path: np.ndarray, ends: set[int]) -> float:
        """Cost of a path [points, 2] that passes through circles, labels, other paths, or out of the axes."""
        path = path[::4]
        hit = (np.linalg.norm(path[:, None] - self._centres, axis=2) < self._radii + 0.08 * self._inch).any(axis=0)
        hit[list(ends)] = False
        middles, halves = self._labels.swapaxes(0, 1)
        through = (np.abs(path[:, None] - middles) < halves + 0.04 * self._inch).all(axis=2).any(axis=0)
        apart = np.linalg.norm(path[:, None] - self._drawn, axis=2).min(axis=1, initial=np.inf)
        beside = (apart < 0.06 * self._inch).sum()
        return float(4 * hit.sum() + 2 * through.sum() + 0.04 * beside + 3 * (not self._inside(path)))

    def _covering(self, middle: np.ndarray, half: np.ndarray) -> float:
        """Cost of a label that covers circles, labels, other paths, or lies outside the axes."""
        nearest = np.clip(self._centres, middle - half, middle + half)
        circles = (np.linalg.norm(nearest - self._centres, axis=1) < self._radii).sum()
        middles, halves = self._labels.swapaxes(0, 1)
        labels = (np.abs(middles - middle) < half + halves).all(axis=1).sum()
        paths = (np.abs(self._drawn - middle) < half).all(axis=1).any()
        is_outside = not self._inside(np.stack([middle - half, middle + half]))
        return float(3 * circles + 3 * labels + paths + 3 * is_outside)

    def _inside(self, points: np.ndarray) -> bool:
        limits = np.stack([self._axes.get_xlim(), self._axes.get_ylim()], axis=1)
        return bool((points > limits[0]).all() and (points < limits[1]).all())


def _placed(machine: MooreMachine) -> np.ndarray:
    """Where the states of a diagram are, [states, 2]: as far apart as they are by arrows, the first one on the left.

    Stress majorisation (Gansner, Koren & North 2005) from classical scaling.
    """
    states = len(machine)
    if states == 1:
        return np.zeros((1, 2))
    joined = np.zeros((states, states))
    for source, target in machine.edges:
        joined[source, target] = source != target
    wanted = shortest_path(joined, directed=False, unweighted=True)
    centred = np.eye(states) - 1 / states
    values, vectors = np.linalg.eigh(-centred @ wanted**2 @ centred / 2)
    places = vectors[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 1e-3))  # [states, 2]
    with np.errstate(divide="ignore"):
        weights = np.where(wanted > 0, wanted**-2.0, 0.0)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    inverse = np.linalg.pinv(laplacian)
    for _ in range(300):
        apart = np.maximum(np.linalg.norm(places[:, None] - places, axis=2), 1e-9)
        pull = np.where(wanted > 0, weights * wanted / apart, 0.0)
        places = inverse @ ((np.diag(pull.sum(axis=1)) - pull) @ places)
    places -= places.mean(axis=0)
    places = places @ np.linalg.svd(places)[2].T  # the longest way across
    places *= np.where(places[0] > 0, -1.0, 1.0)
    apart = np.linalg.norm(places[:, None] - places, axis=2)[~np.eye(states, dtype=bool)]
    return places * APART * max(1.0, 0.75 / apart.min())


def _framed(points: np.ndarray, side: float, names: tuple[str, str], title: str) -> tuple[Figure, Axes, float]:
    """A figure with axes of equal scales round points [points, 2], and how long an inch is on them."""
    low, high = points.min(axis=0), points.max(axis=0)
    inch = max(float((high - low).max()), 1e-3) / (side - 1.6)
    half = (high - low) / 2 + 0.8 * inch
    half = np.maximum(half, 0.4 * half.max())
    width, height = 2 * half / inch
    whole_width, whole_height = width + 0.9, height + 0.65 + HEADING
    figure = Figure(figsize=(whole_width, whole_height))
    figure.text(0.1 / whole_width, 1 - 0.1 / whole_height, title, va="top", fontsize=10)
    box = (0.75 / whole_width, 0.55 / whole_height, width / whole_width, height / whole_height)
    limits = np.stack([(low + high) / 2 - half, (low + high) / 2 + half], axis=1)
    axes = figure.add_axes(box, xlim=limits[0], ylim=limits[1], xlabel=names[0], ylabel=names[1])
    if not names[1]:
        axes.set_yticks([])
    return figure, axes, inch


def _plane(found: Extraction) -> tuple[np.ndarray, np.ndarray, tuple[str, str]]:
    """Points [positions, 2], start [1, 2] and names of the axes."""
    points, start = found.points, found.start[None]
    units = points.shape[1]
    if units == 1:
        return np.pad(points, ((0, 0), (0, 1))), np.pad(start, ((0, 0), (0, 1))), (found.units[0], "")
    if units == 2:
        return points, start, (found.units[0], found.units[1])
    mean = points.mean(axis=0)
    scales, ways = np.linalg.svd(points - mean, full_matrices=False)[1:]
    shares = scales**2 / max((scales**2).sum(), 1e-12)
    first, second = (f"principal component {own + 1} ({shares[own]:.0%} of the variance)" for own in range(2))
    return (points - mean) @ ways[:2].T, (start - mean) @ ways[:2].T, (first, second)


def _short_first(machine: MooreMachine, centres: np.ndarray) -> list[tuple[tuple[int, int], tuple[str, ...]]]:
    """The arrows with their symbols, from short to long, loops last."""
    return sorted(
        machine.edges.items(),
        key=lambda edge: (edge[0][0] == edge[0][1], np.linalg.norm(np.subtract(*centres[list(edge[0])]).round(6))),
    )


def _write_inside(axes: Axes, place: np.ndarray, text: str, size: float, colour: str) -> None:
    """Write into a state's circle, so small that it fits."""
    size = min(size, 72 * 1.75 * RADIUS / (0.62 * max(len(text), 1)))
    x, y = place.tolist()
    axes.text(x, y, text, ha="center", va="center", fontsize=size, color=colour, zorder=5)


def _label(symbols: tuple[str, ...]) -> str:
    return ", ".join(symbols)


def _expected(output: frozenset[str] | None) -> str:
    if output is None:
        return "?"
    return ", ".join(sorted(output)) or "∅"


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _escaped(text: str) -> str:
    """Text between quotes in DOT."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _entities(text: str) -> str:
    """Text in Mermaid, where punctuation has a meaning."""
    plain = {*string.ascii_letters, *string.digits, " ", ",", "_"}
    return "".join(c if c in plain or ord(c) > 127 else f"#{ord(c)};" for c in text)
