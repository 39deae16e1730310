"""Clusters of hidden states, with the transitions of the automaton between them."""

import re

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from hudyn.dynamics.extraction import Extraction
from hudyn.figures.arrows import Arrows
from hudyn.figures.components import Components
from hudyn.figures.style import COLOURS, MARKERS, PALE, heading, in_style, panel

SIDE, LARGE_SIDE = 6.4, 9.0  # inches, of a figure; of one with more than `MANY` clusters
MANY = 16  # clusters
EDGE = 0.8  # inches around the clusters: room for loops and names
LEFT, RIGHT, BOTTOM, HEADING = 0.95, 0.15, 0.55, 0.45  # inches around the axes
SMALLEST_RADIUS = 0.1  # inches, of a cluster
START_RADIUS = 0.12  # inches, around the star
DASHED = (0, (4, 2))
COLOURS_USED = 6  # the last two of `COLOURS` are yellow, hard to see, and black, the colour of text


@in_style
def cluster_scatter(extraction: Extraction, title: str) -> Figure:
    """Hidden states with a circle around each cluster, and the automaton's transitions as arrows between the circles.

    A circle is named after the state that its cluster belongs to. If a state has several clusters, its arrows join the
    largest. More than two units are shown by their first two principal components. The star is the initial state;
    clusters that the automaton does not reach are grey.
    """
    points, start, names = _in_plane(extraction)
    in_cluster = [extraction.clusters == cluster for cluster in range(extraction.number)]
    centres = np.array([(points[mask].min(axis=0) + points[mask].max(axis=0)) / 2 for mask in in_cluster])
    radii = np.array(
        [np.linalg.norm(points[mask] - centre, axis=1).max() for mask, centre in zip(in_cluster, centres, strict=True)]
    )
    extremes = np.vstack([centres - radii[:, None], centres + radii[:, None], start])
    figure, axes, inch = _framed(extremes, LARGE_SIDE if extraction.number > MANY else SIDE, title)
    axes.set(xlabel=names[0], ylabel=names[1])
    if not names[1]:
        axes.set_yticks([])
    radii = np.maximum(radii + 0.04 * inch, SMALLEST_RADIUS * inch)
    states = [int(extraction.states[mask][0]) for mask in in_cluster]
    largest = {states[cluster]: cluster for cluster in np.argsort([mask.sum() for mask in in_cluster], kind="stable")}
    for mask, centre, radius, state in zip(in_cluster, centres, radii, states, strict=True):
        colour = COLOURS[state % COLOURS_USED] if state >= 0 else PALE
        marker = MARKERS[state // COLOURS_USED % len(MARKERS)]
        x, y = points[mask].T
        axes.scatter(x, y, s=16, alpha=0.6, zorder=2, color=colour, marker=marker, linewidths=0)
        axes.add_patch(Circle(tuple(centre), radius, fill=False, edgecolor=colour, linewidth=1.6, zorder=3))
    axes.plot(*start, "*", color="white", markeredgecolor="black", markersize=14, zorder=5)

    arrows = Arrows(axes, np.vstack([centres, start]), np.append(radii, START_RADIUS * inch))
    machine = extraction.machine
    edges = [(source, target, symbols) for (source, target), symbols in machine.edges.items() if target in largest]
    for source, target, symbols in edges:
        if source in largest:
            arrows.arrow(largest[source], largest[target], symbols)
    for source, target, symbols in edges:
        if source == 0:
            arrows.arrow(extraction.number, largest[target], symbols, linestyle=DASHED)
    for cluster, state in enumerate(states):
        if state >= 0:
            arrows.name(cluster, machine.names[state])
    arrows.name(extraction.number, "H0")
    return figure


def _framed(points: np.ndarray, side: float, title: str) -> tuple[Figure, Axes, float]:
    """A figure of about `side` inches, its axes of equal scales around points [points, 2], and an inch on them."""
    low, high = points.min(axis=0), points.max(axis=0)
    inch = max(float((high - low).max()), 1e-3) / (side - 2 * EDGE)
    half = (high - low) / 2 + EDGE * inch
    half = np.maximum(half, 0.4 * half.max())  # no narrower than that
    width, height = 2 * half / inch
    figure = Figure(figsize=(LEFT + width + RIGHT, BOTTOM + height + HEADING))
    heading(figure, title)
    axes = panel(figure, LEFT, BOTTOM, width, height)
    (left, bottom), (right, top) = (low + high) / 2 - half, (low + high) / 2 + half
    axes.set(xlim=(left, right), ylim=(bottom, top))
    return figure, axes, inch


def _in_plane(extraction: Extraction) -> tuple[np.ndarray, np.ndarray, tuple[str, str]]:
    """Points [positions, 2] and the initial state [2] in the plane that is drawn, and the names of its axes."""
    points, start = extraction.points, extraction.start
    units = [re.sub("(hidden|context)", r"\1 unit", name) for name in extraction.units]
    if len(units) == 1:
        return np.pad(points, ((0, 0), (0, 1))), np.pad(start, (0, 1)), (units[0], "")
    if len(units) == 2:
        return points, start, (units[0], units[1])
    components = Components.of(points)
    return components.project(points), components.project(start), (components.label(0), components.label(1))
