"""Automata as state diagrams, and as text that other programs draw: Graphviz's DOT and Mermaid."""

import string

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from scipy.sparse.csgraph import shortest_path

from hudyn.figures.arrows import Arrows
from hudyn.figures.style import PALE, heading, in_style, panel
from hudyn.languages.moore import MooreMachine

# All lengths are in inches.
RADIUS = 0.36  # of a state: room for a name of eight letters
APART = 1.4  # between states that an arrow joins: room for the arrow and its label
NEAREST = 0.75 * APART  # between any two states
EDGE = 0.6  # around the states: room for loops
HEADING = 0.35
SMALLEST = (4.0, 2.2)  # diagram, so that its heading has room
ITERATIONS = 300  # of stress majorisation; the automata of all languages here settle in fewer


@in_style
def state_diagram(machine: MooreMachine, title: str) -> Figure:
    """The states as circles with the symbols that they expect, the transitions as arrows; an open arrow leads in."""
    centres = _layout(machine)
    centres -= (centres.min(axis=0) + centres.max(axis=0)) / 2
    width, height = np.maximum(2 * (centres.max(axis=0) + EDGE + RADIUS), SMALLEST)
    centres += (width / 2, height / 2)
    figure = Figure(figsize=(width, height + HEADING))
    heading(figure, title)
    axes = panel(figure, 0, 0, width, height)
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    arrows = Arrows(axes, centres, np.full(len(machine), RADIUS))
    for (source, target), symbols in sorted(  # short arrows first, loops last
        machine.edges.items(),
        key=lambda edge: (edge[0][0] == edge[0][1], np.linalg.norm(np.subtract(*centres[list(edge[0])]).round(6))),
    ):
        arrows.arrow(source, target, symbols)
    arrows.entrance(0)
    for centre, name, expected in zip(centres, machine.names, machine.outputs, strict=True):
        axes.add_patch(Circle(tuple(centre), RADIUS, facecolor="white", edgecolor="black", zorder=3))
        _write_inside(axes, centre + np.array([0, 0.08]), name, 9, "black")
        _write_inside(axes, centre - np.array([0, 0.12]), _expected_symbols(expected), 7.5, PALE)
    return figure


def dot(machine: MooreMachine) -> str:
    """The automaton in the DOT language of Graphviz."""
    lines = ["digraph {", "  rankdir=LR;", '  begin [shape=point, label=""];', "  begin -> 0;"]
    for state, (name, expected) in enumerate(zip(machine.names, machine.outputs, strict=True)):
        lines.append(f'  {state} [shape=circle, label="{_quoted(name)}\\n{_quoted(_expected_symbols(expected))}"];')
    for (source, target), symbols in machine.edges.items():
        lines.append(f'  {source} -> {target} [label="{_quoted(", ".join(symbols))}"];')
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(machine: MooreMachine) -> str:
    """The automaton as a state diagram of Mermaid."""
    lines = ["stateDiagram-v2", "  direction LR"]
    for state, (name, expected) in enumerate(zip(machine.names, machine.outputs, strict=True)):
        lines.append(f'  state "{_entities(name)}<br>{_entities(_expected_symbols(expected))}" as s{state}')
    lines.append("  [*] --> s0")
    for (source, target), symbols in machine.edges.items():
        lines.append(f"  s{source} --> s{target} : {_entities(', '.join(symbols))}")
    return "\n".join(lines) + "\n"


def _layout(machine: MooreMachine) -> np.ndarray:
    """Centres of the states, [states, 2], whose distances follow the numbers of arrows between them; the first is left.

    Stress majorisation (Gansner, Koren & North 2005) from classical scaling.
    """
    states = len(machine)
    if states == 1:
        return np.zeros((1, 2))
    joined = np.zeros((states, states))
    for source, target in machine.edges:
        joined[source, target] = source != target
    wanted = shortest_path(joined, directed=False, unweighted=True)
    centring = np.eye(states) - 1 / states
    values, vectors = np.linalg.eigh(-centring @ wanted**2 @ centring / 2)
    places = vectors[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 1e-3))  # [states, 2]
    with np.errstate(divide="ignore"):
        weights = np.where(wanted > 0, wanted**-2.0, 0.0)
    inverse = np.linalg.pinv(np.diag(weights.sum(axis=1)) - weights)  # of the weighted Laplacian
    for _ in range(ITERATIONS):
        distances = np.maximum(np.linalg.norm(places[:, None] - places, axis=2), 1e-9)
        pull = np.where(wanted > 0, weights * wanted / distances, 0.0)
        places = inverse @ ((np.diag(pull.sum(axis=1)) - pull) @ places)
    places -= places.mean(axis=0)
    places = places @ np.linalg.svd(places)[2].T  # the longest extent across
    places *= np.where(places[0] > 0, -1.0, 1.0)
    distances = np.linalg.norm(places[:, None] - places, axis=2)[~np.eye(states, dtype=bool)]
    return places * max(APART, NEAREST / distances.min())


def _write_inside(axes: Axes, place: np.ndarray, text: str, size: float, colour: str) -> None:
    """Write into a state's circle, in a font of `size` points or so much smaller that the text fits."""
    letter = 0.62 / 72  # inches, the mean width of a letter in a font of one point
    size = min(size, 1.75 * RADIUS / (letter * max(len(text), 1)))
    x, y = place.tolist()
    axes.text(x, y, text, ha="center", va="center", fontsize=size, color=colour, zorder=5)


def _expected_symbols(output: frozenset[str] | None) -> str:
    """The symbols that a state expects: ``?`` if they are unknown, ``∅`` if there are none."""
    if output is None:
        return "?"
    return ", ".join(sorted(output)) or "∅"


def _quoted(text: str) -> str:
    """Text between quotes in DOT."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _entities(text: str) -> str:
    """Text in Mermaid, where punctuation has a meaning."""
    plain = {*string.ascii_letters, *string.digits, " ", ",", "_"}
    return "".join(c if c in plain or ord(c) > 127 else f"#{ord(c)};" for c in text)
