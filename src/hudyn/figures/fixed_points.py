"""Fixed points, cycles, continua and slow points, drawn into the plane of two hidden units."""

import math

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from torch import Tensor

from hudyn.dynamics.fixed_points import MARGIN, Continuum, FixedPoint, SymbolMap
from hudyn.dynamics.maps import step
from hudyn.figures.arrows import draw_arrows
from hudyn.figures.labels import Labels
from hudyn.figures.plane import Plane
from hudyn.networks.recurrent import RecurrentNetwork

MARKERS = {"node": "o", "spiral": "D", "saddle": "X"}
FACES = {"stable": "black", "marginal": "#9A9A9A", "unstable": "white"}
CYCLE = (0, (2, 2))  # line style between the two states of a cycle
SIZE, CYCLE_SIZE, FLIP_SIZE = 7, 5, 16  # points, of markers
MARKER_RADIUS = 0.08  # inches around a fixed point that labels keep clear of
ARM = 0.08  # length of a saddle's arrows, in parts of the plane's width
LABEL_SIZE = 9
LABEL_DISTANCES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)  # inches
ON = 1e-6  # largest |F(h) - h|, in units of 1 + |h|, of a state on a continuum


def eigenvalue_text(eigenvalues: np.ndarray) -> str:
    """Eigenvalues with three significant digits; complex pairs by size and angle.

    >>> eigenvalue_text(np.array([-0.714, 1e-9])), eigenvalue_text(np.array([0.5j, -0.5j]))
    ('−0.714, 0', '0.5∠±90°')
    """
    texts = []
    for value in eigenvalues:
        if value.imag > MARGIN:
            texts.append(f"{abs(value):.3g}∠±{math.degrees(np.angle(value)):.0f}°")
        elif value.imag >= -MARGIN:
            texts.append(f"{value.real:.3g}" if abs(value.real) >= MARGIN else "0")
    return ", ".join(texts).replace("-", "−")


@torch.no_grad()
def moves(network: RecurrentNetwork, symbol: int, states: Tensor, period: int = 1) -> np.ndarray:
    """F(h) - h at states [..., 2]."""
    flat = states.reshape(-1, 2)
    after = step(network, torch.full((len(flat),), symbol), flat, period)
    return (after - flat).view(states.shape).numpy()


def draw_fixed_points(
    axes: Axes, labels: Labels, network: RecurrentNetwork, symbol_map: SymbolMap, plane: Plane
) -> None:
    """Draw what is known of the map of a symbol, and label fixed points and cycles with types and eigenvalues."""
    for continuum in symbol_map.continua:
        axes.plot(*_continuum_states(network, continuum, plane).T, ".", color="black", markersize=3, zorder=4)
    for slow in symbol_map.slow_points:
        axes.plot(*slow.state, "^", color="black", markersize=4, zorder=5)
        labels.avoid(labels.inches(slow.state[None]))
    points = (*symbol_map.fixed_points, *symbol_map.cycles)
    for point in points:
        if point.period == 2:
            axes.plot(*point.states.T, color="black", linestyle=CYCLE, linewidth=1, zorder=4)
        if point.kind == "saddle":
            _draw_saddle(axes, point, ARM * np.ptp(plane.x_range))
        for state in point.states:
            _draw_marker(axes, point, state)
            labels.avoid_disc(labels.inches(state), MARKER_RADIUS)
    visible = [point for point in points if plane.contains(point.state)]
    if len(visible) < len(points):
        title = f"outside the plot: {len(points) - len(visible)}"
        axes.set_title(title, loc="right", fontsize=9, fontweight="normal")
    for point in visible:
        text = f"{point.name}\nλ{' of F(F(h))' * (point.period == 2)} = {eigenvalue_text(point.eigenvalues)}"
        labels.beside(labels.text(text, LABEL_SIZE, "black"), labels.inches(point.state), LABEL_DISTANCES)


def fixed_point_key() -> list[Artist]:
    """Handles of the legend of what `draw_fixed_points` draws."""
    return [
        *(marker_key(marker, "black", kind) for kind, marker in MARKERS.items()),
        *(Patch(facecolor=face, edgecolor="black", label=stability) for stability, face in FACES.items()),
        marker_key("_", "black", "flip: a negative eigenvalue", FLIP_SIZE),
        Line2D([], [], color="black", linestyle=CYCLE, linewidth=1, label="2-cycle"),
        marker_key(".", "black", "continuum of fixed points", 3),
        marker_key("^", "black", "slow point", 4),
    ]


def marker_key(marker: str, face: str, label: str, size: float = SIZE) -> Line2D:
    """Handle of a legend: a marker."""
    return Line2D(
        [], [], linestyle="", marker=marker, label=label, markeredgecolor="black", markerfacecolor=face, markersize=size
    )


def _draw_marker(axes: Axes, point: FixedPoint, state: np.ndarray) -> None:
    if point.flip:
        axes.plot(*state, marker="_", color="black", markersize=FLIP_SIZE, markeredgewidth=1.4, zorder=5)
    size = (SIZE if point.period == 1 else CYCLE_SIZE) + (point.kind == "saddle")  # a cross looks smaller
    face = FACES[point.stability]
    axes.plot(*state, MARKERS[point.kind], markersize=size, markerfacecolor=face, markeredgecolor="black", zorder=6)


def _draw_saddle(axes: Axes, point: FixedPoint, length: float) -> None:
    """Draw a saddle's directions: arrows lead away from it along unstable ones, and to it along stable ones."""
    values, vectors = np.linalg.eig(point.jacobian)
    arms = length * np.concatenate([vectors.real.T, -vectors.real.T])
    for value, arm in zip(np.tile(values.real, 2), arms, strict=True):
        tail, move = (point.state, arm) if abs(value) > 1 else (point.state + arm, -arm)
        draw_arrows(axes, tail[None], move[None], 0.028, "tail", color="black", zorder=4)


def _continuum_states(network: RecurrentNetwork, continuum: Continuum, plane: Plane) -> np.ndarray:
    """States of a continuum in its known directions, [states, 2]."""
    dimension = len(continuum.directions)
    reach = math.hypot(*np.ptp(plane, axis=1))
    steps = np.linspace(-reach, reach, 2001 if dimension == 1 else 81)  # dots that join, in a line and in a plane
    places = np.stack(np.meshgrid(*[steps] * dimension), axis=-1).reshape(-1, dimension)
    states = continuum.state + places @ continuum.directions
    distances = moves(network, continuum.symbol, torch.from_numpy(states), continuum.period)
    return states[np.linalg.norm(distances, axis=1) < ON * (1 + np.linalg.norm(states, axis=1))]
