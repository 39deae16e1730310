import io

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from PIL import Image

from hudyn.dynamics.dividing_lines import dividing_lines as lines_of
from hudyn.figures.diagram import network_diagram
from hudyn.figures.division import over_plane
from hudyn.figures.line_equations import dividing_lines
from hudyn.figures.lines_in_training import animation, moving_lines
from hudyn.figures.plane import RASTER, plane_around
from hudyn.figures.style import as_gif
from hudyn.figures.units_over_plane import unit_functions
from hudyn.networks.grid import GridMLP

from .test_figures import assert_nothing_cut_off

POINTS = torch.cartesian_prod(torch.arange(3.0), torch.arange(3.0))
LABELS = POINTS.sum(dim=1) % 2
STRIPES = {
    "hidden": [[1, 1]] * 4,
    "hidden_bias": [-0.5, -1.5, -2.5, -3.5],
    "output": [1, -1, 1, -1],
    "output_bias": -0.5,
}
DATA = POINTS, LABELS, "nine points"


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def given(hidden, hidden_bias, **options):
    """A network with the given hidden units, whose output is their sum."""
    weights = {"hidden": hidden, "hidden_bias": hidden_bias, "output": [1] * len(hidden), "output_bias": 0}
    return GridMLP(len(hidden), weights=weights, **options)


def drawn(hidden_size, activation="sigmoid", seed=0):
    """A network with weights drawn at random."""
    weights = torch.Generator().manual_seed(seed)
    rows = torch.randn(hidden_size, 3, generator=weights).tolist()
    return given([row[:2] for row in rows], [row[2] for row in rows], activation=activation)


def test_every_unit_is_on_in_the_raster_where_the_network_says_so():
    network = GridMLP(4, "step", weights=STRIPES)
    x_range, y_range = shown = plane_around(POINTS)
    on, activations = over_plane(network, shown)
    assert on.shape == activations.shape == (5, RASTER, RASTER)
    for row, column in [(3, 200), (200, 3), (30, 100), (-1, -1)]:
        x = np.linspace(*x_range, RASTER)[column]
        y = np.linspace(*y_range, RASTER)[row]
        right = [x + y >= bias for bias in (0.5, 1.5, 2.5, 3.5)]
        right.append(sum(right) % 2 == 1)
        assert on[:, row, column].tolist() == activations[:, row, column].tolist() == right


def test_the_picture_of_the_output_is_that_of_the_raster():
    network = GridMLP(4, "step", weights=STRIPES)
    figure = unit_functions(network, *DATA)
    on, activations = over_plane(network, plane_around(POINTS))
    pictures = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    np.testing.assert_array_equal(pictures[8:10], [on[-1], activations[-1]])


@pytest.mark.parametrize("activation", ["sigmoid", "step", "tanh", "relu"])
def test_each_unit_has_its_panels_and_a_bar_tells_the_activations(activation):
    shown = texts(unit_functions(drawn(1, activation), *DATA))
    assert {"hidden unit 1", "output", "off", "on", "label 0", "label 1", "x", "y"} <= set(shown)
    bars = {text for text in shown if text.startswith("activation")}
    two_bars = {"activation of the hidden units", "activation of the output"}
    assert bars == (two_bars if activation in ("tanh", "relu") else {"activation"})


@pytest.mark.parametrize(("hidden_size", "activation"), [(1, "tanh"), (4, "step"), (10, "sigmoid"), (18, "relu")])
def test_every_unit_is_told_of_and_nothing_is_cut_off(hidden_size, activation):
    network = drawn(hidden_size, activation)
    assert_nothing_cut_off(unit_functions(network, *DATA))
    assert_nothing_cut_off(moving_lines([network] * 2, [0, 1], *DATA))
    assert_nothing_cut_off(network_diagram(network, "weights"))
    figure = dividing_lines(network, *DATA)
    assert_nothing_cut_off(figure)
    shown = texts(figure)
    for number, line in enumerate(lines_of(network), start=1):
        assert any(text.startswith(f"h{number}: {line.solved}") for text in shown)


def test_points_of_any_extent_and_number_are_shown():
    flat = torch.stack([torch.linspace(0, 100, 300), torch.full((300,), 7.0)], dim=1)
    for points in (flat, flat.flip(1), flat[:1]):
        labels = torch.zeros(len(points))
        assert_nothing_cut_off(unit_functions(drawn(1), points, labels, "flat"))
        assert_nothing_cut_off(dividing_lines(drawn(18), points, labels, "flat"))


def test_a_line_that_is_not_seen_is_listed_with_the_reason():
    network = given([[1, 0], [0, 1], [0, 0], [0, 0]], [-1, 90, 1, -1])
    shown = texts(dividing_lines(network, *DATA))
    assert {
        "h1: x = 1",
        "h2: y = −90 (outside the plot)",
        "h3: no line: always on",
        "h4: no line: always off",
    } <= set(shown)
    assert "h1" in shown
    assert not {"h2", "h3", "h4"} & set(shown)


def test_the_arrow_points_to_where_the_unit_is_on():
    figure = dividing_lines(given([[-1, 0]], [1]), *DATA)
    (arrow,) = (text for text in figure.axes[0].texts if getattr(text, "arrow_patch", None))
    assert arrow.xy[0] < arrow.xyann[0] == 1


def test_each_frame_tells_its_epoch_and_how_many_points_are_right():
    networks = [given([[0, 0]], [0]), GridMLP(4, "step", weights=STRIPES)]
    figure = moving_lines([networks[0]], [0], *DATA)
    assert {"epoch 0", "4 of 9 correct", "h1"} <= set(texts(figure))
    figure = moving_lines(networks[1:] * 8, range(1200, 1208), *DATA)
    assert {"epoch 1,200", "epoch 1,207", "9 of 9 correct", "h4"} <= set(texts(figure))


def test_an_animation_has_frames_of_one_size_and_holds_the_last():
    frames = animation([drawn(3, seed=seed) for seed in range(4)], [0, 9, 1000, 123456], *DATA)
    assert {(frame.dtype.name, frame.shape) for frame in frames} == {("uint8", frames[0].shape)}
    with Image.open(io.BytesIO(as_gif(frames))) as gif:
        assert (gif.n_frames, gif.info["loop"], gif.size) == (4, 0, frames[0].shape[1::-1])
        gif.seek(3)
        assert gif.info["duration"] == 2000
        assert gif.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_the_diagram_tells_every_weight_and_bias():
    network = given([[1.25, -2], [0, 3.14159]], [0.5, -0.5])
    shown = texts(network_diagram(network, "weights"))
    assert {
        "x",
        "y",
        "hidden unit 1\nbias 0.5",
        "hidden unit 2\nbias −0.5",
        "output\nbias 0",
        "positive",
        "negative",
    } <= set(shown)
    assert {"1.25", "−2", "0", "3.14", "1"} <= set(shown)


def test_the_weights_on_the_edges_do_not_overlap():
    figure = network_diagram(drawn(10), "weights")
    written = [text for text in figure.axes[0].texts if text.get_bbox_patch()]
    assert len(written) == 30
    boxes = [text.get_window_extent() for text in written]
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


def test_a_diagram_of_many_units_says_that_it_leaves_out_their_weights():
    figure = network_diagram(drawn(30), "weights")
    assert not [text for text in figure.axes[0].texts if text.get_bbox_patch()]
    assert "weights are not shown for more than 12 hidden units" in texts(figure)
