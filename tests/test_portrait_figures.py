"""Phase portraits and figures of state spaces: everything is there, right, and where it belongs."""

import itertools

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.contour import QuadContourSet

from hudyn import figures
from hudyn.dynamics.analysis import Analysis, analyse
from hudyn.dynamics.branches import Branch
from hudyn.dynamics.fixed_points import SymbolMap, symbol_maps
from hudyn.dynamics.trajectories import WordTrajectory
from hudyn.figures import components
from hudyn.figures.clusters import cluster_scatter
from hudyn.figures.components import Components, principal_components
from hudyn.figures.eigenvalues import eigenvalue_course
from hudyn.figures.fixed_points import FACES, MARKERS, eigenvalue_text
from hudyn.figures.phase_portraits import (
    ARROWS,
    BOUNDARY_COLOUR,
    NULLCLINES,
    WORDS,
    phase_portrait,
    portrait_animation,
)
from hudyn.figures.style import pixels
from hudyn.figures.trajectories import counter_courses
from hudyn.languages import Counting, Text
from hudyn.networks import GRU, LSTM, SRN, FixedPointSRN

from .test_figures import assert_nothing_cut_off
from .test_plane_figures import texts

POINTS = [[0.2, -0.4], [0.3, 0.2]]
TEXT = torch.tensor([[0, 1, 0, 0, 1, 1, 0, 1]])
CASES = [
    ([[0.5, 0.3], [0.0, 0.25]], "node", "stable", "stable node\nλ = 0.5, 0.25"),
    ([[2.0, 0.3], [0.0, 0.5]], "saddle", "unstable", "saddle\nλ = 2, 0.5"),
    ([[0.6, 0.6], [-0.6, 0.6]], "spiral", "stable", "stable spiral\nλ = 0.849∠±45°"),
    ([[1.0, 0.8], [-0.8, 1.0]], "spiral", "unstable", "unstable spiral\nλ = 1.28∠±39°"),
    ([[-0.7, 0.1], [0.0, 0.2]], "node", "stable", "stable flip node\nλ = −0.7, 0.2"),
    ([[-1.0, 0.1], [0.0, 0.4]], "node", "marginal", "marginal flip node\nλ = −1, 0.4"),
]


def random_srn(alphabet, seed=0, spread=1.5):
    torch.manual_seed(seed)
    return SRN(alphabet, 2, init_std=spread)


def drawn(network, words=None, maps=None, text=TEXT):
    words = {"word": text[0]} if words is None else words
    maps = symbol_maps(network, text) if maps is None else maps
    return phase_portrait(network, maps, words, "abcdefg", "a heading")


def bare(alphabet):
    """Maps of which nothing is known."""
    return [SymbolMap(symbol, (), (), (), (), None) for symbol in range(alphabet)]


def marks(axes, place, atol=1e-3):
    """The looks of what is marked at a place: marker and colour of its face."""
    lines = [line for line in axes.lines if len(line.get_xdata()) == 1]
    return {
        (line.get_marker(), to_hex(line.get_markerfacecolor()))
        for line in lines
        if np.allclose([line.get_xdata()[0], line.get_ydata()[0]], place, atol=atol)
    }


def contours(axes, colour):
    """Points of the contour lines of a colour, [points, 2]."""
    own = [
        c for c in axes.collections if isinstance(c, QuadContourSet) and to_hex(c.get_edgecolor()[0]) == colour.lower()
    ]
    return np.concatenate([np.asarray(path.vertices) for c in own for path in c.get_paths()])


# Phase portraits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("jacobian", "kind", "stability", "label"), CASES)
def test_a_fixed_point_is_marked_by_its_type_with_its_eigenvalues(jacobian, kind, stability, label):
    axes = drawn(FixedPointSRN(jacobian, POINTS)).axes[0]
    shown = marks(axes, POINTS[0])
    assert (MARKERS[kind], to_hex(FACES[stability])) in shown
    assert ("_" in {marker for marker, _ in shown}) == ("flip" in label)
    assert label in [text.get_text() for text in axes.texts]
    for line in NULLCLINES:
        assert np.linalg.norm(contours(axes, line["color"]) - POINTS[0], axis=1).min() < 0.012


def test_each_symbol_has_its_own_points_in_its_own_panel():
    first, second, _ = drawn(FixedPointSRN([[0.5, 0.3], [0.0, 0.25]], POINTS)).axes
    assert (first.get_title("left"), second.get_title("left")) == ("input a", "input b")
    assert not marks(first, POINTS[1])
    assert not marks(second, POINTS[0])
    assert marks(second, POINTS[1])


def test_nullclines_are_where_a_unit_keeps_its_value():
    network = random_srn(3)
    figure = drawn(network, maps=bare(3))
    for symbol, axes in enumerate(figure.axes[:3]):
        for unit, line in enumerate(NULLCLINES):
            states = torch.from_numpy(contours(axes, line["color"])).float()
            (after,), _ = network.step(network.from_input(torch.full((len(states),), symbol)), (states,))
            assert (after - states)[:, unit].abs().max() < 0.01


def test_arrows_lead_where_the_map_leads():
    network = random_srn(2)
    axes = drawn(network, maps=bare(2)).axes[1]
    field = max(axes.collections, key=lambda c: getattr(c, "N", 0))
    states = torch.from_numpy(np.asarray(field.get_offsets())).float()
    (after,), _ = network.step(network.from_input(torch.ones(len(states), dtype=torch.long)), (states,))
    moves = (after - states).detach().numpy()
    ways = np.stack([field.U, field.V], axis=1)
    cosines = (moves * ways).sum(axis=1) / np.linalg.norm(moves, axis=1) / np.linalg.norm(ways, axis=1)
    assert len(states) == ARROWS**2
    assert cosines.min() > 0.999
    assert np.corrcoef(field.get_array(), np.minimum(np.linalg.norm(moves, axis=1), 1))[0, 1] > 0.999


@pytest.mark.parametrize("alphabet", [2, 3])
def test_the_borders_are_where_two_predictions_are_equally_likely(alphabet):
    network = random_srn(alphabet, seed=1)
    torch.nn.init.zeros_(network.output.bias)  # so that all borders begin at 0
    states = torch.from_numpy(contours(drawn(network, maps=bare(alphabet)).axes[0], BOUNDARY_COLOUR)).float()
    first, second = network.output(states).topk(2, dim=1).values.T
    assert (first - second).max() < 0.05


def test_regions_are_named_after_the_symbol_predicted_there():
    network = random_srn(3, seed=1)
    axes = drawn(network, maps=bare(3)).axes[0]
    named = [text for text in axes.texts if text.get_text().startswith("→")]
    assert named
    for text in named:
        chosen = network.output(torch.tensor(text.get_position())).argmax().item()
        assert text.get_text() == f"→ {'abc'[chosen]}"


def test_each_step_of_a_word_is_in_the_panel_of_its_symbol():
    network = random_srn(2, spread=0.6)
    words = {"aab": torch.tensor([0, 0, 1]), "ba": torch.tensor([1, 0])}
    panels = drawn(network, words, bare(2)).axes[:2]
    for look, word in zip(WORDS, words.values(), strict=False):
        states = torch.cat([network.initial_state(1)[0], network.run(word[None]).hidden[0]]).detach().numpy()
        for symbol, axes in enumerate(panels):
            steps = [line.get_xydata() for line in axes.lines if line.get_color() == look["color"]]
            wanted = [states[place : place + 2] for place, read in enumerate(word) if read == symbol]
            np.testing.assert_allclose(steps, wanted, atol=1e-5)
            numbers = [text.get_text() for text in axes.texts if text.get_color() == look["color"]]
            assert set(numbers) <= {str(place + 1) for place, read in enumerate(word) if read == symbol}
    shown = texts(panels[0].figure)
    assert {"1", "2", "3", "aab, steps numbered", "ba, steps numbered"} <= set(shown)


def test_a_cycle_is_two_linked_points():
    network = FixedPointSRN([[-2.0, 0.0], [0.0, -0.3]], [[0.0, 0.0], [0.3, 0.2]])
    maps = symbol_maps(network, TEXT)
    (cycle,) = maps[0].cycles
    axes = drawn(network).axes[0]
    assert all((MARKERS["node"], "#000000") in marks(axes, state) for state in cycle.states)
    assert any(
        line.get_xydata().shape == (2, 2) and np.allclose(line.get_xydata(), cycle.states) for line in axes.lines
    )
    assert f"stable node, a 2-cycle\nλ of F(F(h)) = {eigenvalue_text(cycle.eigenvalues)}" in texts(axes)


def test_a_line_of_fixed_points_is_drawn_where_it_is():
    network = SRN(2, 2, activation="relu", init_std=0.0)
    with torch.no_grad():
        network.hidden_weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.5]]))
        network.input_weight[:, 0] = torch.tensor([0.0, 0.5])  # so that (h, 1) is fixed for each h ≥ 0
        network.initial_hidden.fill_(0.5)
    axes = drawn(network).axes[0]
    (line,) = (line for line in axes.lines if len(line.get_xdata()) > 2)
    x, y = line.get_data()
    np.testing.assert_allclose(y, 1, atol=1e-5)
    assert x.min() == pytest.approx(0, abs=0.01)
    assert x.max() >= axes.get_xlim()[1]


def test_a_fixed_point_far_away_is_told_of():
    network = SRN(2, 2, activation="relu", init_std=0.0)
    with torch.no_grad():
        network.hidden_weight.copy_(torch.diag(torch.tensor([0.5, 0.5])))
        network.input_weight.copy_(torch.tensor([[100.0, 0.5], [100.0, 0.5]]))  # fixed: 200 under a, 1 under b
    first, second, _ = drawn(network, {"b": torch.tensor([1])}, text=torch.tensor([[1, 0]])).axes
    assert (first.get_title("right"), second.get_title("right")) == ("outside the plot: 1", "")
    assert first.get_xlim()[1] < 10
    assert (MARKERS["node"], "#000000") in marks(second, [1, 1])


def boxes_of(labels):
    return [(text.get_text(), text.get_window_extent()) for text in labels]


@pytest.mark.parametrize(("alphabet", "seed"), [(1, 0), (2, 1), (3, 2), (7, 3)])
def test_nothing_covers_another_and_nothing_is_cut_off(alphabet, seed):
    network = random_srn(alphabet, seed)
    text = torch.arange(14)[None] % alphabet
    figure = drawn(network, {"first": text[0, :7], "second": text[0, 7:]}, text=text)
    *panels, key = figure.axes
    assert len(panels) == alphabet
    assert_nothing_cut_off(figure)
    legend = key.get_legend().get_window_extent()
    assert not any(legend.overlaps(axes.get_tightbbox()) for axes in panels)
    for one, other in itertools.combinations(panels, 2):
        assert not one.get_window_extent().overlaps(other.title.get_window_extent())
        assert not one.get_tightbbox().overlaps(other.get_window_extent())
    for axes in panels:
        for (_, one), (_, other) in itertools.combinations(boxes_of(axes.texts), 2):
            width = min(one.x1, other.x1) - max(one.x0, other.x0)
            height = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert max(width, 0) * max(height, 0) < 0.1 * min(one.width * one.height, other.width * other.height)


def test_gated_units_have_a_portrait_too():
    torch.manual_seed(0)
    network = GRU(3, 2)
    assert len(drawn(network).axes) == 4


@pytest.mark.parametrize(
    ("network", "got"),
    [
        (SRN(2, 3), "SRN with 3 hidden units; time_course"),
        (SRN(2, 1), "SRN with 1 hidden unit; time_course"),
        (LSTM(2, 2), "LSTM with 2 hidden units and context units; time_course"),
    ],
)
def test_other_networks_are_sent_to_their_figures(network, got):
    with pytest.raises(ValueError, match=f"expected two hidden units and no context, got {got}"):
        phase_portrait(network, [], {}, "ab", "")


def test_a_portrait_of_nan_is_refused():
    network = random_srn(2)
    network.bias.data[0] = torch.nan
    with pytest.raises(ValueError, match="expected finite parameters, got bias"):
        phase_portrait(network, bare(2), {}, "ab", "")


def test_an_animation_stands_still_but_for_what_changes():
    networks = [random_srn(2, spread=spread) for spread in (0.1, 0.1, 2.0)]
    maps = [bare(2), bare(2), symbol_maps(networks[2], TEXT)]
    first, same, other = portrait_animation(networks, maps, [5, 5, 90], {"ab": TEXT[0, :2]}, "ab", "SRN")
    assert first.dtype == np.uint8
    assert (first == same).all()
    assert first.shape == other.shape
    changed = (first != other).any(axis=(0, 2)).nonzero()[0]
    assert changed.max() < 0.8 * first.shape[1]  # the key does not


# Spaces ---------------------------------------------------------------------------------------------------------


def reading(length, units=3, seed=0, groups=("hidden", "context")):
    generator = np.random.default_rng(seed)
    states = [generator.standard_normal((length + 1, units)) for _ in groups]
    return read(["a", "b"] * (length // 2) + ["<b>"] * (length % 2), *states)


def read(symbols, hidden, context=None):
    """A word trajectory of hidden and context states, before the first symbol and after each."""
    text = Text(None, None, np.arange(len(symbols)), None, None)
    parts = [hidden] if context is None else [hidden, context]
    start, after = np.concatenate([part[0] for part in parts]), [part[1:] for part in parts]
    return WordTrajectory(symbols, text, start, after[0], None if context is None else after[1], {}, None)


@pytest.mark.parametrize(
    ("readings", "message"),
    [
        ({}, "expected a word, got none"),
        ({"w": read("aba", np.full((4, 3), np.nan))}, "hidden states of w with NaN"),
    ],
)
def test_what_has_no_components_is_refused(readings, message):
    with pytest.raises(ValueError, match=message):
        principal_components({"hidden": np.eye(3)}, np.arange(3), readings, None, "")


def test_components_are_those_of_numpy():
    points = np.random.default_rng(0).standard_normal((200, 5)) @ np.diag([3, 1, 0.5, 0.2, 0.1]) + 2
    mean, directions, shares = Components.of(points)
    values = np.linalg.eigvalsh(np.cov(points.T))[::-1]
    np.testing.assert_allclose(shares, values / values.sum(), atol=1e-12)
    np.testing.assert_allclose(((points - mean) @ directions.T).var(axis=0, ddof=1), values)
    np.testing.assert_allclose(directions @ directions.T, np.eye(5), atol=1e-12)
    assert (directions[np.arange(5), np.abs(directions).argmax(axis=1)] > 0).all()


def test_components_are_drawn_with_their_variance(monkeypatch):
    seen = []
    original = components.state_scatter
    monkeypatch.setattr(components, "state_scatter", lambda *args: seen.append(args) or original(*args))
    groups = {name: np.random.default_rng(1).standard_normal((50, 4)) for name in ("hidden", "context")}
    readings = {"word": reading(4, units=4)}
    figure = principal_components(groups, np.arange(50.0) % 3, readings, None, "heading")
    assert len(seen) == 2
    for (points, _, words, names, _, title), (group, own) in zip(seen, groups.items(), strict=True):
        assert title == f"{group} units"
        mean, directions, shares = Components.of(own)
        np.testing.assert_allclose(points, (own - mean) @ directions[:2].T)
        np.testing.assert_allclose(words["word"], (readings["word"].parts[group] - mean) @ directions[:2].T)
        assert names == [f"principal component {place + 1} ({shares[place]:.0%} of the variance)" for place in range(2)]
    assert_nothing_cut_off(figure)


def test_states_that_never_change_have_components_without_variance():
    still = read("ab", np.ones((3, 4)))
    principal_components({"hidden": np.ones((9, 4))}, np.zeros(9), {"ab": still}, {0.0: "state"}, "")
    assert Components.of(np.ones((9, 4)))[2].tolist() == [0] * 4


def test_components_of_one_unit_are_refused():
    with pytest.raises(ValueError, match="expected two hidden units or more, got one; time_course"):
        principal_components({"hidden": np.ones((9, 1))}, np.zeros(9), {"ab": reading(2)}, None, "")


@pytest.mark.parametrize("turn", [0.0, 0.5])
def test_eigenvalues_move_with_the_updates(turn):
    updates = [0, 1, 10, 100, 1000]
    way = np.linspace(0.5, 1.5, 4)[:, None] * np.exp(1j * turn * np.array([1, -1]))
    branches = [Branch(1, np.arange(1, 5), np.zeros((4, 2)), way), Branch(0, np.arange(2), np.zeros((2, 2)), -way[:2])]
    figure = eigenvalue_course(branches, updates, "ab", "eigenvalues")
    rows = 3 if turn else 2
    grid = np.array(figure.axes[: 2 * rows]).reshape(rows, 2)
    assert [axes.get_title("left") for axes in grid[0]] == ["input a", "input b"]
    for axes, measure in zip(grid[:, 1], (np.abs, np.real), strict=False):
        courses = [line.get_xydata() for line in axes.lines if line.get_marker() == "."]
        np.testing.assert_allclose(courses, [np.stack([updates[1:], own], axis=1) for own in measure(way).T])
    lines = [line.get_ydata()[0] for line in grid[1, 1].lines if line.get_marker() != "."]
    assert {1, -1} <= set(lines)
    if turn:
        drawn_there = np.concatenate([points.get_offsets() for points in grid[2, 1].collections])
        np.testing.assert_allclose(drawn_there, np.stack([way.T.real.ravel(), way.T.imag.ravel()], axis=1))
        assert "1,000" in texts(figure)
    assert_nothing_cut_off(figure)


def test_eigenvalues_of_no_fixed_point_are_refused():
    with pytest.raises(ValueError, match="expected a fixed point, got none; counter_courses"):
        eigenvalue_course([], [0], "ab", "")


def test_counters_have_a_panel_for_each_unit_and_symbol():
    words = ["aabbbb", "aaabbbbbb"]
    values = [np.stack([np.arange(len(word) + 1.0), np.zeros(len(word) + 1)], axis=1) for word in words]
    slopes = np.array([[1.0, -0.5], [np.nan, np.nan]])
    figure = counter_courses(values, words, [2, 3], slopes, ["context 1", "context 2"], "counters")
    panels = np.array(figure.axes[:4]).reshape(2, 2)
    assert [axes.get_title("right") for axes in panels.flat] == ["+1.00 per a", "−0.50 per b", "", ""]
    assert [axes.get_ylabel() for axes in panels[:, 0]] == ["context 1", "context 2"]
    under_a, under_b = ([line.get_xydata() for line in axes.lines] for axes in panels[0])
    np.testing.assert_array_equal(under_a[1], [[0, 0], [1, 1], [2, 2], [3, 3]])
    np.testing.assert_array_equal(under_b[0], [[0, 2], [1, 3], [2, 4], [3, 5], [4, 6]])
    colours = [line.get_color() for line in panels[0, 0].lines]
    assert colours[0] != colours[1]
    assert {"n", "2", "3", "number of b", "counters"} <= set(texts(figure))
    assert_nothing_cut_off(figure)


def test_counters_that_are_nan_are_refused():
    with pytest.raises(ValueError, match="units with NaN"):
        counter_courses([np.full((3, 1), np.nan)], ["ab"], [1], np.ones((1, 2)), ["context 1"], "")


def test_the_mechanism_shows_clusters_automaton_portraits_and_the_explanation(monkeypatch):
    monkeypatch.setattr(Analysis, "explanation", ["Falls under a.", "Rises under b. " * 30])
    found = analyse(random_srn(2), Counting([1, 2], 4), most=5)
    figure = figures.mechanism(found, "how")
    picture = pixels(figure)
    for part in (
        pixels(cluster_scatter(found.automaton, "1. Clusters of hidden states")),
        pixels(figures.phase_portrait(found, "3. The map of the state under each symbol")),
    ):
        height, width = part.shape[:2]
        middle = height // 2
        same = [row for row in range(len(picture)) if (picture[row, :width] == part[middle]).all()]
        tops = np.array(same) - middle
        assert any((picture[top : top + height, :width] == part).all() for top in tops[tops >= 0])
    told = " ".join(texts(figure)).split()
    assert told.count("Rises") == 30
    assert "how" in told
    assert_nothing_cut_off(figure)
