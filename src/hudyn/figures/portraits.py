"""Phase portraits: what the map of each symbol does to a state of two hidden units."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from hudyn.dynamics.fixed_points import MARGIN, Continuum, FixedPoint, SymbolMap
from hudyn.dynamics.maps import in_double, step
from hudyn.figures.plane import Plane, plane_around
from hudyn.figures.style import COLOURS, in_style, pixels
from hudyn.networks.recurrent import SRN, RecurrentNetwork

RASTER = 200  # points along each side of the plane
ARROWS = 19  # along each side
FAR = 3  # how many times as far as words go fixed points of rectified units are shown
BOUNDED = Plane((-1.05, 1.05), (-1.05, 1.05))  # where tanh's states are
SIDES = {1: 4.6, 2: 4.6, 3: 4.0}  # inches, of a panel among so many
SMALL_SIDE = 3.4
LEFT, GAP, BOTTOM, TOP, HEADING = 0.85, 0.2, 0.5, 0.3, 0.4  # inches around panels
KEY_WIDTH = 2.8  # inches
CHARACTER, LINE = 0.062, 0.125  # inches, width and height of the labels' characters
LABEL_SIZE = 7.5
MARKERS = {"node": "o", "spiral": "D", "saddle": "X"}
FACES = {"stable": "black", "marginal": "#9A9A9A", "unstable": "white"}
NULLCLINES: list[dict[str, Any]] = [
    {"color": COLOURS[0], "linestyle": "-", "linewidth": 1.4},
    {"color": COLOURS[1], "linestyle": (0, (5, 1.5)), "linewidth": 1.4},
]
REGIONS = ["#EAF2F9", "#FDF0E4", "#E6F4EF", "#F9EEF4", "#FCF6E0", "#EDF7FC", "#F3F3F3"]
BORDER: dict[str, Any] = {"color": "#8C8C8C", "linewidth": 3.5, "alpha": 0.6}
WORDS: list[dict[str, Any]] = [
    {"color": "#332288", "linestyle": "-", "linewidth": 1.1},
    {"color": "#117733", "linestyle": (0, (5, 1.5)), "linewidth": 1.3},
    {"color": "#882255", "linestyle": (0, (1, 1)), "linewidth": 1.3},
    {"color": "#AA4499", "linestyle": (0, (4, 1, 1, 1)), "linewidth": 1.3},
]
START: dict[str, Any] = {"marker": "*", "markersize": 11, "markerfacecolor": "white", "markeredgecolor": "black"}
DIRECTIONS = np.exp(2j * np.pi * np.arange(16) / 16).view(float).reshape(-1, 2)


@in_style
def phase_portrait(
    network: RecurrentNetwork,
    maps: Sequence[SymbolMap],
    words: Mapping[str, Tensor],
    alphabet: Sequence[str],
    title: str,
) -> Figure:
    """What each symbol does to the hidden state, a panel a symbol, for two hidden units without context.

    Arrows are F(h) - h; nullclines are where one unit keeps its value. Words are read from the initial state; each of
    their steps is in the panel of the symbol that was read, with its number at its end.

    Args:
        network: recurrent.
        maps: of its symbols.
        words: symbols read, [length], by the word's name.
        alphabet: the symbols.
        title: heading.

    Raises:
        ValueError: another number of units, context units, or a parameter that is not finite.
    """
    copied = _checked(network)
    paths = _paths(copied, words)
    return _portrait(copied, maps, paths, words, alphabet, _plane([copied], [maps], [paths]), title)


def portrait_animation(
    networks: Sequence[RecurrentNetwork],
    maps: Sequence[Sequence[SymbolMap]],
    updates: Sequence[int],
    words: Mapping[str, Tensor],
    alphabet: Sequence[str],
    title: str,
) -> list[np.ndarray]:
    """The phase portrait of a network in the course of its training.

    Args:
        networks: snapshots.
        maps: of the symbols, of each snapshot.
        updates: number of updates before each.
        words: symbols read, [length], by the word's name.
        alphabet: the symbols.
        title: heading; the number of updates follows it.

    Returns:
        An image for every snapshot, uint8 [height, width, 3].

    Raises:
        ValueError: as of `phase_portrait`.
    """
    copies = [_checked(network) for network in networks]
    paths = [_paths(network, words) for network in copies]
    plane = _plane(copies, maps, paths)
    draw = in_style(_portrait)
    return [
        pixels(draw(network, own, ways, words, alphabet, plane, f"{title}: update {update:,}"))
        for network, own, ways, update in zip(copies, maps, paths, updates, strict=True)
    ]


def written(eigenvalues: np.ndarray) -> str:
    """Eigenvalues as figures tell them; complex pairs by size and angle.

    >>> written(np.array([-0.714, 1e-9])), written(np.array([0.5j, -0.5j]))
    ('−0.714, 0', '0.5∠±90°')
    """
    told = []
    for value in eigenvalues:
        if value.imag > MARGIN:
            told.append(f"{abs(value):.3g}∠±{math.degrees(np.angle(value)):.0f}°")
        elif value.imag >= -MARGIN:
            told.append(f"{value.real:.3g}" if abs(value.real) >= MARGIN else "0")
    return ", ".join(told).replace("-", "−")


class _Labels:
    """Places for labels on axes, clear of what is drawn there and of one another.

    Args:
        axes: where to write.
        plane: its limits.
        side: of the axes, in inches.
    """

    def __init__(self, axes: Axes, plane: Plane, side: float) -> None:
        self._axes = axes
        self._low, self._high = np.array(plane).T
        self._inch = (self._high - self._low) / side  # [2]
        self._per_inch = (RASTER - 1) / side
        self._middles, self._halves = np.empty((0, 2)), np.empty((0, 2))  # of labels, inches
        self._points = np.empty((0, 2))  # inches

    def avoid(self, points: np.ndarray) -> None:
        """Keep clear of points [points, 2]."""
        self._points = np.concatenate([self._points, self._inches(points)])

    def beside(self, place: np.ndarray, text: str, distances: Sequence[float], optional: bool, **look: Any) -> None:
        """Write beside a place, at one of some distances in inches; an optional label only where there is room."""
        lines = text.splitlines()
        half = np.array([CHARACTER * max(map(len, lines)), LINE * len(lines)]) / 2
        at = self._inches(place)
        middles = [
            at + way * distance + np.clip(1.4 * way, -1, 1) * half for distance in distances for way in DIRECTIONS
        ]
        costs = [self._cost(middle, half) + 4 * np.linalg.norm(middle - at) for middle in middles]
        best = int(np.argmin(costs))
        if optional and costs[best] >= 1:
            return
        self._middles, self._halves = np.vstack([self._middles, middles[best]]), np.vstack([self._halves, half])
        edge = np.clip(at, middles[best] - half, middles[best] + half)
        if np.linalg.norm(edge - at) > 0.3:
            self._axes.plot(*self._data(np.array([at, edge])).T, color="black", linewidth=0.6, zorder=7)
        self._write(middles[best], text, fontsize=LABEL_SIZE, **look)

    def inside(self, region: np.ndarray, text: str) -> None:
        """Write where a region, bool [RASTER, RASTER], has most room, if it has any."""
        free = region.copy()
        x, y = self._cells(self._points).T
        free[y, x] = False
        for (left, bottom), (right, top) in zip(
            self._cells(self._middles - self._halves), self._cells(self._middles + self._halves), strict=True
        ):
            free[bottom : top + 1, left : right + 1] = False
        room = distance_transform_edt(np.pad(free, 1))[1:-1, 1:-1]
        if room.max() > self._per_inch * LINE:
            row, column = np.unravel_index(room.argmax(), room.shape)
            place = np.array([column, row]) / self._per_inch
            self._write(place, text, fontsize=9, color="#606060", fontstyle="italic")

    def _cells(self, inches: np.ndarray) -> np.ndarray:
        """Columns and rows of the raster, [points, 2]."""
        return np.rint(inches * self._per_inch).astype(int).clip(0, RASTER - 1)

    def _cost(self, middle: np.ndarray, half: np.ndarray) -> float:
        covered = (np.abs(self._points - middle) < half + 0.03).all(axis=1).sum()
        crossed = (np.abs(self._middles - middle) < self._halves + half).all(axis=1).sum()
        outside = ((middle - half < 0.03) | (middle + half > self._inches(self._high) - 0.03)).any()
        return float(covered + 40 * crossed + 100 * outside)

    def _write(self, middle: np.ndarray, text: str, **look: Any) -> None:
        look |= {"ha": "center", "va": "center", "linespacing": 1.1, "zorder": 8}
        box = {"boxstyle": "round,pad=0.08", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
        x, y = self._data(middle).tolist()
        self._axes.text(x, y, text, bbox=box, **look)

    def _inches(self, points: np.ndarray) -> np.ndarray:
        return (points - self._low) / self._inch

    def _data(self, points: np.ndarray) -> np.ndarray:
        return points * self._inch + self._low


def _checked(network: RecurrentNetwork) -> RecurrentNetwork:
    """The network in double precision, if its portrait can be drawn."""
    if network.hidden_size != 2 or network.has_context:
        units = "hidden unit" + "s" * (network.hidden_size > 1) + " and context units" * network.has_context
        raise ValueError(
            f"phase_portrait: expected two hidden units and no context, got {type(network).__name__} with "
            f"{network.hidden_size} {units}; time_course shows any number, state_space three, principal_components more"
        )
    return in_double(network)


@torch.no_grad()
def _paths(network: RecurrentNetwork, words: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """States before the first and after each symbol of each word, [length + 1, 2]."""
    (start,) = network.initial_state(1)
    return {name: torch.cat([start, network.run(word[None]).hidden[0]]).numpy() for name, word in words.items()}


def _plane(
    networks: Sequence[RecurrentNetwork],
    maps: Sequence[Sequence[SymbolMap]],
    paths: Sequence[Mapping[str, np.ndarray]],
) -> Plane:
    """The plane of the hidden units: where tanh is; for rectified units around words and points not too far."""
    if not any(isinstance(network, SRN) and network.activation == "relu" for network in networks):
        return BOUNDED
    seen = np.concatenate([np.zeros((1, 2)), *(path for own in paths for path in own.values())])
    points = [point.states for own in maps for each in own for point in (*each.fixed_points, *each.cycles)]
    near = [states for states in points if np.abs(states).max() < FAR * (1 + np.abs(seen).max())]
    return plane_around(torch.from_numpy(np.concatenate([seen, *near])))


def _portrait(
    network: RecurrentNetwork,
    maps: Sequence[SymbolMap],
    paths: Mapping[str, np.ndarray],
    words: Mapping[str, Tensor],
    alphabet: Sequence[str],
    plane: Plane,
    title: str,
) -> Figure:
    """A panel for each symbol, and the key in the place after the last; all places are fixed."""
    number = len(maps)
    rows = 1 if number <= 3 else round(math.sqrt((number + 1) / 2))
    columns = math.ceil((number + 1) / rows)
    side = SIDES.get(number, SMALL_SIDE)
    last = side if rows > 1 else KEY_WIDTH
    width = LEFT + (columns - 1) * (side + GAP) + last + 0.15
    height = HEADING + rows * (TOP + side) + BOTTOM
    figure = Figure(figsize=(width, height))
    figure.text(0.1 / width, 1 - 0.1 / height, title, va="top", fontsize=10)
    regions = _predicted(network, plane)
    for place, own in enumerate(maps):
        row, column = divmod(place, columns)
        x, y = LEFT + column * (side + GAP), height - HEADING - (row + 1) * (TOP + side)
        axes = figure.add_axes((x / width, y / height, side / width, side / height), xlim=plane[0], ylim=plane[1])
        axes.set_title(f"{alphabet[own.symbol]} is read")
        is_lowest = place + columns >= number
        axes.set(xlabel="hidden 1" if is_lowest else "", ylabel="hidden 2" if column == 0 else "")
        axes.tick_params(labelbottom=is_lowest, labelleft=column == 0)
        axes.spines[:].set_visible(True)
        labels = _Labels(axes, plane, side)
        _draw_field(axes, labels, network, own.symbol, plane)
        _draw_borders(axes, regions, plane)
        steps = {name: (words[name] == own.symbol).nonzero()[:, 0].numpy() for name in paths}
        for (name, path), look in zip(paths.items(), WORDS * len(paths), strict=False):
            _draw_steps(axes, labels, path, steps[name], look)
        _draw_points(axes, labels, network, own, plane)
        for (name, path), look in zip(paths.items(), WORDS * len(paths), strict=False):
            for taken in steps[name] + 1:
                labels.beside(path[taken], str(taken), (0.05,), optional=True, color=look["color"])
        chosen = regions.argmax(axis=0)
        for symbol, letter in enumerate(alphabet):
            labels.inside(chosen == symbol, f"→ {letter}")
    below = BOTTOM if rows > 1 else 0  # the labels of the panel above
    x, y = width - last - 0.15, height - HEADING - rows * (TOP + side) - below
    key = figure.add_axes((x / width, y / height, last / width, side / height))
    key.set_axis_off()
    key.legend(handles=_key(paths), loc="upper left", borderaxespad=0, fontsize=8.5, labelspacing=0.45)
    return figure


@torch.no_grad()
def _predicted(network: RecurrentNetwork, plane: Plane) -> np.ndarray:
    """By how much each symbol's logit exceeds the largest of the others, [alphabet, RASTER, RASTER]."""
    logits = network.output(_raster(plane)).movedim(-1, 0)  # [alphabet, RASTER, RASTER]
    largest, chosen = logits.topk(min(2, len(logits)), dim=0)
    others = torch.where(chosen[0] == torch.arange(len(logits))[:, None, None], largest[-1], largest[0])
    return (logits - others).numpy()


def _raster(plane: Plane, number: int = RASTER) -> Tensor:
    """The states of a raster, [number, number, 2]; unit 2 grows with the row."""
    x, y = (torch.linspace(*bounds, number, dtype=torch.float64) for bounds in plane)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


@torch.no_grad()
def _moves(network: RecurrentNetwork, symbol: int, states: Tensor, period: int = 1) -> np.ndarray:
    """F(h) - h at states [..., 2]."""
    flat = states.reshape(-1, 2)
    after = step(network, torch.full((len(flat),), symbol), flat, period)
    return (after - flat).view(states.shape).numpy()


def _draw_field(axes: Axes, labels: _Labels, network: RecurrentNetwork, symbol: int, plane: Plane) -> None:
    """Draw arrows of one length, the darker the faster, and the nullclines."""
    states = _raster(plane, ARROWS + 2)[1:-1, 1:-1]
    moves = _moves(network, symbol, states)
    speeds = np.linalg.norm(moves, axis=-1)
    length = np.ptp(plane.x_range) / (1.5 * ARROWS)
    ways = length * moves / np.maximum(speeds, 1e-12)[..., None]
    darkness = 0.15 + 0.4 * np.minimum(speeds, 1)
    look: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "pivot": "middle", "width": 0.0035}
    axes.quiver(*states.movedim(-1, 0).numpy(), *np.moveaxis(ways, -1, 0), darkness, cmap="Greys", clim=(0, 1), **look)
    moves = _moves(network, symbol, _raster(plane))
    x, y = (np.linspace(*bounds, RASTER) for bounds in plane)
    for unit, line in enumerate(NULLCLINES):
        if moves[..., unit].min() < 0 < moves[..., unit].max():
            drawn = axes.contour(x, y, moves[..., unit], levels=[0], colors=line["color"], zorder=3)
            drawn.set(linestyle=line["linestyle"], linewidth=line["linewidth"])
            labels.avoid(np.concatenate([np.asarray(path.vertices)[::3] for path in drawn.get_paths()]))


def _draw_borders(axes: Axes, regions: np.ndarray, plane: Plane) -> None:
    """Draw where which symbol is the likeliest next, and the lines between."""
    extent = (*plane.x_range, *plane.y_range)
    colours = ListedColormap([REGIONS[symbol % len(REGIONS)] for symbol in range(len(regions))])
    look: dict[str, Any] = {"cmap": colours, "vmin": -0.5, "vmax": len(regions) - 0.5, "zorder": 0}
    axes.imshow(regions.argmax(axis=0), origin="lower", extent=extent, aspect="auto", **look)
    x, y = (np.linspace(*bounds, RASTER) for bounds in plane)
    for excess in regions[: 1 if len(regions) == 2 else None]:
        if excess.min() < 0 < excess.max():
            few = len(regions) == 2
            drawn = axes.contour(x, y, excess, levels=[0], colors=BORDER["color"], zorder=1)
            drawn.set(alpha=BORDER["alpha"], linewidth=BORDER["linewidth"] / (1 if few else 2))


def _draw_points(axes: Axes, labels: _Labels, network: RecurrentNetwork, own: SymbolMap, plane: Plane) -> None:
    """Draw fixed points, cycles, continua and slow points, with their types and eigenvalues."""
    for continuum in own.continua:
        axes.plot(*_on(network, continuum, plane).T, ".", color="black", markersize=3, zorder=4)
    for slow in own.slow_points:
        axes.plot(*slow.state, "^", color="black", markersize=4, zorder=5)
        labels.avoid(slow.state[None])
    points = (*own.fixed_points, *own.cycles)
    for point in points:
        labels.avoid(np.repeat(point.states, 5, axis=0))
        if point.period == 2:
            axes.plot(*point.states.T, color="black", linestyle=(0, (2, 2)), linewidth=1, zorder=4)
        if point.kind == "saddle":
            _draw_directions(axes, point, plane)
        for state in point.states:
            _draw_marker(axes, point, state)
    outside = sum(not _is_inside(point.state, plane) for point in points)
    if outside:
        axes.set_title(f"outside the frame: {outside}", loc="right", fontsize=8, fontweight="normal")
    for point in points:
        if _is_inside(point.state, plane):
            text = f"{point.name}\nλ{' of F(F(h))' * (point.period == 2)} = {written(point.eigenvalues)}"
            labels.beside(point.state, text, (0.1, 0.2, 0.3, 0.5, 0.7, 1.0), optional=False, color="black")


def _draw_marker(axes: Axes, point: FixedPoint, state: np.ndarray) -> None:
    size = 7 if point.period == 1 else 5
    if point.flip:
        axes.plot(*state, marker="_", color="black", markersize=size + 9, markeredgewidth=1.4, zorder=5)
    look: dict[str, Any] = {"markeredgecolor": "black", "markerfacecolor": FACES[point.stability], "zorder": 6}
    axes.plot(*state, marker=MARKERS[point.kind], markersize=size + (point.kind == "saddle"), **look)


def _draw_directions(axes: Axes, point: FixedPoint, plane: Plane) -> None:
    """Draw the directions of a saddle: arrows lead out where it repels, in where it attracts."""
    values, vectors = np.linalg.eig(point.jacobian)
    look: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.006, "color": "black"}
    for value, arm in zip(values.real, 0.08 * np.ptp(plane.x_range) * vectors.real.T, strict=True):
        for side in (arm, -arm):
            tail, way = (point.state, side) if abs(value) > 1 else (point.state + side, -side)
            axes.quiver(*tail, *way, zorder=4, **look)


def _on(network: RecurrentNetwork, continuum: Continuum, plane: Plane) -> np.ndarray:
    """Points of a continuum in the directions known, [points, 2]."""
    reach = math.hypot(*np.ptp(plane, axis=1))
    steps = np.linspace(-reach, reach, 2001 if len(continuum.directions) == 1 else 81)
    places = np.stack(np.meshgrid(*[steps] * len(continuum.directions)), axis=-1).reshape(-1, len(continuum.directions))
    states = continuum.state + places @ continuum.directions
    moves = _moves(network, continuum.symbol, torch.from_numpy(states), continuum.period)
    return states[np.linalg.norm(moves, axis=1) < 1e-6 * (1 + np.linalg.norm(states, axis=1))]


def _draw_steps(axes: Axes, labels: _Labels, path: np.ndarray, steps: np.ndarray, look: dict[str, Any]) -> None:
    """Draw some steps of a path [length + 1, 2], and the initial state if it is there."""
    head: dict[str, Any] = {"angles": "xy", "units": "inches", "scale_units": "inches", "scale": 10, "width": 0.016}
    for number in steps:
        before, after = path[number : number + 2]
        move = after - before
        axes.plot(*path[number : number + 2].T, marker="o", markersize=2.5, markevery=[1], zorder=4.5, **look)
        labels.avoid(before + np.linspace(0, 1, 20)[:, None] * move)
        if np.linalg.norm(move) > 0.1:
            way = move / np.linalg.norm(move)
            axes.quiver(*(before + move / 2), *way, pivot="middle", color=look["color"], zorder=4.5, **head)
    if 0 in steps:
        axes.plot(*path[0], **START, zorder=7)
        labels.avoid(np.repeat(path[:1], 5, axis=0))


def _is_inside(state: np.ndarray, plane: Plane) -> bool:
    low, high = np.array(plane).T
    return bool(((low < state) & (state < high)).all())


def _key(paths: Mapping[str, np.ndarray]) -> list[Artist]:
    """The handles of the key."""

    def mark(marker: str, face: str, label: str, size: float = 7) -> Line2D:
        look: dict[str, Any] = {"markeredgecolor": "black", "markerfacecolor": face, "markersize": size}
        return Line2D([], [], linestyle="", marker=marker, label=label, **look)

    looks = zip(paths, WORDS * len(paths), strict=False)
    return [
        *(Line2D([], [], marker="o", markersize=2.5, label=f"{name}, steps numbered", **look) for name, look in looks),
        *(Line2D([], [], label=f"hidden {unit} keeps its value", **look) for unit, look in enumerate(NULLCLINES, 1)),
        Line2D([], [], linestyle="", label="initial state", **START),
        mark("$→$", "black", "F(h) − h; the darker, the longer", 9),
        Line2D([], [], label="border of predictions (→ next)", **BORDER),
        *(mark(shape, "black", kind) for kind, shape in MARKERS.items()),
        *(Patch(facecolor=face, edgecolor="black", label=stability) for stability, face in FACES.items()),
        mark("_", "black", "flip: a λ < 0", 16),
        Line2D([], [], color="black", linestyle=(0, (2, 2)), linewidth=1, label="2-cycle"),
        mark(".", "black", "continuum of fixed points", 3),
        mark("^", "black", "slow point", 4),
    ]
