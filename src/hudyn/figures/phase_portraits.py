"""Phase portraits: the map of each symbol on the plane of two hidden units, at one time and over training."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from hudyn.arguments import ArgumentError
from hudyn.dynamics.fixed_points import SymbolMap
from hudyn.dynamics.maps import in_double
from hudyn.figures.arrows import draw_arrows, draw_heads
from hudyn.figures.fixed_points import draw_fixed_points, fixed_point_key, marker_key, moves
from hudyn.figures.labels import DISC, Labels
from hudyn.figures.plane import RASTER, Plane, draw_contour, draw_raster, plane_around
from hudyn.figures.style import COLOURS, LineLook, heading, in_style, label_outer, panel, pixels
from hudyn.networks.recurrent import RecurrentNetwork

ARROWS = 19  # of the vector field, along each side
FAR = 3  # fixed points of rectified units are shown up to this many times as far away as words lead
EDGE = 0.025  # around the states of bounded units, as a share of their range
# Sizes are in inches.
SIDES, SMALL_SIDE = {1: 4.6, 2: 4.6, 3: 4.0}, 3.4  # of a panel, by the number of panels; of each of more
LEFT, RIGHT, GAP, BOTTOM, TITLE, HEADING = 0.85, 0.15, 0.2, 0.5, 0.3, 0.4  # around panels
KEY_WIDTH = 2.8
NULLCLINES: list[LineLook] = [
    {"color": COLOURS[0], "linestyle": "-", "linewidth": 1.4},
    {"color": COLOURS[1], "linestyle": (0, (5, 1.5)), "linewidth": 1.4},
]
REGIONS = ["#EAF2F9", "#FDF0E4", "#E6F4EF", "#F9EEF4", "#FCF6E0", "#EDF7FC", "#F3F3F3"]  # one for each prediction
BOUNDARY_COLOUR, BOUNDARY_ALPHA = "#8C8C8C", 0.6
BOUNDARY_WIDTH, THIN_BOUNDARY_WIDTH = 3.5, 1.75  # between two predictions; among more
WORDS: list[LineLook] = [
    {"color": "#332288", "linestyle": "-", "linewidth": 1.1},
    {"color": "#117733", "linestyle": (0, (5, 1.5)), "linewidth": 1.3},
    {"color": "#882255", "linestyle": (0, (1, 1)), "linewidth": 1.3},
    {"color": "#AA4499", "linestyle": (0, (4, 1, 1, 1)), "linewidth": 1.3},
]
NUMBER_SIZE, REGION_SIZE = 7.5, 9  # points, of the texts
MOST_COVERED = 6.0  # cost up to which the number of a step is shown


@in_style
def phase_portrait(
    network: RecurrentNetwork,
    maps: Sequence[SymbolMap],
    words: Mapping[str, Tensor],
    alphabet: Sequence[str],
    title: str,
    plane: Plane | None = None,
) -> Figure:
    """The map F of the hidden state under each symbol, a panel a symbol, for two hidden units without context units.

    Arrows are F(h) - h; on a nullcline one unit keeps its value. Words start in the initial state. Each of their steps
    is drawn in the panel of its symbol, with its number at its end.

    Args:
        network: recurrent.
        maps: the map of each symbol.
        words: symbols of example words, [length], by name.
        alphabet: the symbols.
        title: heading.
        plane: the part of the plane that is shown; None for that of `visited_plane`.

    Raises:
        ArgumentError: another number of units, context units, or a parameter that is not finite.
    """
    network = planar(network)
    paths = _paths(network, words)
    looks = dict(zip(words, itertools.cycle(WORDS), strict=False))
    plane = plane or visited_plane([network], [maps], words)
    number = len(maps)
    rows = 1 if number <= 3 else round(math.sqrt((number + 1) / 2))
    columns = math.ceil((number + 1) / rows)
    side = SIDES.get(number, SMALL_SIDE)
    key_width = side if rows > 1 else KEY_WIDTH
    width = LEFT + (columns - 1) * (side + GAP) + key_width + RIGHT
    height = HEADING + rows * (TITLE + side) + BOTTOM
    figure = Figure(figsize=(width, height))
    heading(figure, title)
    logits = _logit_margins(network, plane)
    for place, symbol_map in enumerate(maps):
        row, column = divmod(place, columns)
        axes = panel(figure, LEFT + column * (side + GAP), height - HEADING - (row + 1) * (TITLE + side), side, side)
        axes.set(xlim=plane.x_range, ylim=plane.y_range, title=f"input {alphabet[symbol_map.symbol]}")
        label_outer(axes, "hidden unit 1", "hidden unit 2", place + columns >= number, column == 0)
        axes.spines[:].set_visible(True)
        labels = Labels(axes)
        _draw_predictions(axes, logits, plane)
        _draw_field(axes, labels, network, symbol_map.symbol, plane)
        steps = {name: (words[name] == symbol_map.symbol).nonzero()[:, 0].numpy() for name in paths}
        for name, path in paths.items():
            _draw_steps(axes, labels, path, steps[name], looks[name])
        draw_fixed_points(axes, labels, network, symbol_map, plane)
        for name, path in paths.items():
            for end in steps[name] + 1:
                text = labels.text(str(end), NUMBER_SIZE, looks[name]["color"])
                labels.beside(text, labels.inches(path[end]), [0.02], limit=MOST_COVERED)
        predicted = logits.argmax(axis=0)
        for symbol, letter in enumerate(alphabet[: len(logits)]):
            labels.inside(labels.text(f"→ {letter}", REGION_SIZE, "#606060", style="italic"), predicted == symbol)
    below = BOTTOM if rows > 1 else 0  # the labels of the panel above
    key = panel(figure, width - key_width - RIGHT, height - HEADING - rows * (TITLE + side) - below, key_width, side)
    key.set_axis_off()
    key.legend(handles=_key(looks), loc="upper left", borderaxespad=0, fontsize=8.5, labelspacing=0.45)
    return figure


def portrait_animation(
    networks: Sequence[RecurrentNetwork],
    maps: Sequence[Sequence[SymbolMap]],
    updates: Sequence[int],
    words: Mapping[str, Tensor],
    alphabet: Sequence[str],
    title: str,
) -> list[np.ndarray]:
    """The phase portrait of a network after several numbers of updates, all in the same plane.

    Args:
        networks: snapshots of the network.
        maps: the map of each symbol, of each snapshot.
        updates: number of updates before each snapshot.
        words: symbols of example words, [length], by name.
        alphabet: the symbols.
        title: heading; the number of updates follows it.

    Returns:
        An image for each snapshot, uint8 [height, width, 3].

    Raises:
        ArgumentError: as of `phase_portrait`.
    """
    plane = visited_plane([planar(network) for network in networks], maps, words)
    return [
        pixels(phase_portrait(network, of_symbols, words, alphabet, f"{title}: update {update:,}", plane))
        for network, of_symbols, update in zip(networks, maps, updates, strict=True)
    ]


def planar(network: RecurrentNetwork) -> RecurrentNetwork:
    """A copy in double precision of a network whose state is two hidden units.

    Raises:
        ArgumentError: as of `phase_portrait`.
    """
    if network.hidden_size != 2 or network.has_context:
        units = "hidden unit" + "s" * (network.hidden_size > 1) + " and context units" * network.has_context
        raise ArgumentError(
            "network",
            f"expected two hidden units and no context, got {type(network).__name__} with {network.hidden_size} "
            f"{units}; time_course shows any number, principal_components more",
        )
    return in_double(network)


def visited_plane(
    networks: Sequence[RecurrentNetwork], maps: Sequence[Sequence[SymbolMap]], words: Mapping[str, Tensor]
) -> Plane:
    """The plane that suits all networks: all states of bounded units; otherwise words, and fixed points not too far."""
    low = min(network.hidden_bounds[0] for network in networks)
    high = max(network.hidden_bounds[1] for network in networks)
    if math.isfinite(high - low):
        side = low - EDGE * (high - low), high + EDGE * (high - low)
        return Plane(side, side)
    seen = np.concatenate([np.zeros((1, 2)), *(path for net in networks for path in _paths(net, words).values())])
    symbol_maps = itertools.chain(*maps)
    points = [point.states for of_symbol in symbol_maps for point in (*of_symbol.fixed_points, *of_symbol.cycles)]
    near = [states for states in points if np.abs(states).max() < FAR * (1 + np.abs(seen).max())]
    return plane_around(torch.from_numpy(np.concatenate([seen, *near])))


@torch.no_grad()
def _paths(network: RecurrentNetwork, words: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """States before the first and after each symbol of each word, [length + 1, 2]."""
    (start,) = network.initial_state(1)
    return {name: torch.cat([start, network.run(word[None]).hidden[0]]).numpy() for name, word in words.items()}


@torch.no_grad()
def _logit_margins(network: RecurrentNetwork, plane: Plane) -> np.ndarray:
    """Each symbol's logit minus the largest of the others, [alphabet, RASTER, RASTER]."""
    logits = network.output(plane.raster()).movedim(-1, 0)  # [alphabet, RASTER, RASTER]
    largest, predicted = logits.topk(min(2, len(logits)), dim=0)
    others = torch.where(predicted[0] == torch.arange(len(logits))[:, None, None], largest[-1], largest[0])
    return (logits - others).numpy()


def _draw_field(axes: Axes, labels: Labels, network: RecurrentNetwork, symbol: int, plane: Plane) -> None:
    """Draw arrows of one length, the darker the faster, and the nullclines."""
    states = plane.raster(ARROWS + 2)[1:-1, 1:-1]
    field = moves(network, symbol, states)
    speeds = np.linalg.norm(field, axis=-1)
    ways = np.ptp(plane.x_range) / (1.5 * ARROWS) * field / np.maximum(speeds, 1e-12)[..., None]
    shades = {"array": 0.15 + 0.4 * np.minimum(speeds, 1).ravel(), "cmap": "Greys", "clim": (0, 1)}  # pale: background
    draw_arrows(axes, states.numpy().reshape(-1, 2), ways.reshape(-1, 2), 0.016, "middle", **shades)
    changes = moves(network, symbol, plane.raster())
    for unit, look in enumerate(NULLCLINES):
        labels.avoid(labels.inches(draw_contour(axes, plane, changes[..., unit], 0, **look)))


def _draw_predictions(axes: Axes, logits: np.ndarray, plane: Plane) -> None:
    """Draw the regions of the most probable next symbol, and the boundaries between them."""
    colours = ListedColormap([REGIONS[symbol % len(REGIONS)] for symbol in range(len(logits))])
    draw_raster(axes, plane, logits.argmax(axis=0), colours, -0.5, len(logits) - 0.5)
    width = BOUNDARY_WIDTH if len(logits) == 2 else THIN_BOUNDARY_WIDTH
    for margin in logits[: 1 if len(logits) == 2 else None]:
        draw_contour(axes, plane, margin, 0, BOUNDARY_COLOUR, width, alpha=BOUNDARY_ALPHA)


def _draw_steps(axes: Axes, labels: Labels, path: np.ndarray, steps: np.ndarray, look: LineLook) -> None:
    """Draw some steps of a path [length + 1, 2], and the initial state if the first is among them."""
    for number in steps:
        ends = path[number : number + 2]
        axes.plot(*ends.T, marker="o", markersize=2.5, markevery=[1], zorder=4.5, **look)
        labels.avoid(labels.inches(np.linspace(ends[0], ends[1], RASTER)))
    draw_heads(axes, path[steps], path[steps + 1], look["color"])
    if 0 in steps:
        axes.plot(*path[0], "*", markersize=11, markerfacecolor="white", markeredgecolor="black", zorder=7)
        labels.avoid_disc(labels.inches(path[0]), 0.1, DISC)


def _key(looks: Mapping[str, LineLook]) -> list[Artist]:
    """Handles of the legend."""
    words = [
        Line2D([], [], marker="o", markersize=2.5, label=f"{name}, steps numbered", **looks[name]) for name in looks
    ]
    boundary = Line2D([], [], color=BOUNDARY_COLOUR, linewidth=BOUNDARY_WIDTH, alpha=BOUNDARY_ALPHA)
    boundary.set_label("decision boundary (→ predicted symbol)")
    return [
        *words,
        *(Line2D([], [], label=f"nullcline of hidden unit {unit}", **look) for unit, look in enumerate(NULLCLINES, 1)),
        marker_key("*", "white", "initial state", 11),
        marker_key("$→$", "black", "F(h) − h (darker: longer)", 9),
        boundary,
        *fixed_point_key(),
    ]
