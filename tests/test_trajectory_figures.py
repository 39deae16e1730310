import re

import numpy as np
import pytest

from hudyn.dynamics.trajectories import WordTrajectory
from hudyn.figures import generalisation, state_scatters
from hudyn.figures.trajectories import time_course
from hudyn.languages import Text

from .test_figures import assert_nothing_cut_off
from .test_plane_figures import texts as written

COUNTS = np.array([1, 2, 3, 2.5, 2, 1.5, 1, 0])  # of a^3 b^6, shortened
NAMES = {float(label): f"state {label}" for label in range(20)}


def texts(figure):
    return [text.strip() for text in written(figure)]


def counter(units, states):
    """Points around the place of each state, and the path of a word from H0 through them that waits at its end."""
    generator = np.random.default_rng(0)
    angles = np.outer(states, np.arange(1, units + 1))
    places = 0.9 ** states[:, None] * np.cos(angles)
    points = np.repeat(places, 20, axis=0) + 0.03 * generator.standard_normal((20 * len(states), units))
    return points, np.repeat(states, 20), {"a³b⁵": np.array([np.zeros(units), *places, places[-1]])}


def drawn(units, states=COUNTS, names=None, draw=state_scatters.state_scatter):
    return draw(*counter(units, states), [f"hidden {unit + 1}" for unit in range(units)], names, "a counter")


@pytest.mark.parametrize("units", [2, 3, 4])
def test_each_pair_of_units_has_a_panel_and_counts_are_told_by_a_bar(units):
    figure = drawn(units)
    shown = texts(figure)
    assert shown.count("H0") == units * (units - 1) / 2
    assert {"a³b⁵", "count", "a counter", *(f"hidden {unit + 1}" for unit in range(units))} <= set(shown)
    assert {"0", "1", "1.5", "2", "2.5", "3"} <= set(shown)
    assert_nothing_cut_off(figure)


@pytest.mark.parametrize("units", [2, 4])
def test_each_named_state_has_a_look_of_its_own(units):
    figure = drawn(units, np.arange(19.0), NAMES)
    legend = figure.axes[-1].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == list(NAMES.values())
    clouds = figure.axes[0].collections[: len(NAMES)]
    looks = {(*cloud.get_facecolor()[0], cloud.get_paths()[0].vertices.tobytes()) for cloud in clouds}
    assert len(looks) == len(NAMES)
    assert_nothing_cut_off(figure)


@pytest.mark.parametrize("names", [None, NAMES])
def test_three_units_are_seen_from_two_sides(names):
    figure = drawn(3, np.arange(19.0), names, state_scatters.state_scatter_3d)
    shown = texts(figure)
    assert all(shown.count(label) == 2 for label in ("H0", "hidden 1", "hidden 2", "hidden 3"))
    assert {"a³b⁵", "state" if names else "count", *(names or {}).values()} <= set(shown)
    left, right = (axes.zaxis.label.get_window_extent() for axes in figure.axes[:2])
    assert not left.overlaps(right)
    assert_nothing_cut_off(figure)


def test_a_bar_of_many_counts_tells_only_those_that_find_room():
    figure = drawn(2, np.arange(0, 100, 0.5))
    ticks = figure.axes[-1].get_yticks()
    assert 5 <= len(ticks) <= 10
    assert set(ticks) <= set(range(100))


def test_long_names_of_words_are_not_cut_off():
    points, states, words = counter(2, COUNTS)
    named = {f"{number} {'ab' * 20}": path for number in range(4) for path in words.values()}
    figure = state_scatters.state_scatter(points, states, named, ["hidden 1", "hidden 2"], None, "long")
    assert_nothing_cut_off(figure)
    assert set(named) <= set(texts(figure))


def test_the_middle_of_a_word_is_left_out_where_there_is_no_room():
    points, states, words = counter(2, COUNTS)
    named = {f"BP{'TVPX' * 50}VE": path for path in words.values()}
    figure = state_scatters.state_scatter(points, states, named, ["hidden 1", "hidden 2"], None, "long")
    assert_nothing_cut_off(figure)
    (shown,) = [text for text in texts(figure) if text.startswith("BP")]
    assert re.fullmatch(r"BP(TVPX){5,}\w*…\w*(TVPX){5,}VE", shown)


@pytest.mark.parametrize(("length", "units"), [(1, 1), (12, 4), (80, 3)])
def test_a_course_has_every_symbol_group_and_unit(length, units):
    wave = np.sin(np.outer(np.arange(length), np.arange(1, units + 1)))
    symbols = [*"BTSXPVE" * 12][:length]
    text = Text(
        np.arange(length) % 7, np.full((length, 7), 1 / 7), np.zeros(length), np.zeros(length), np.array([0, 7])
    )
    gates = {"forget": (1 + wave) / 2}
    read = WordTrajectory(symbols, text, np.zeros(2 * units), wave, 3 * wave, gates, np.zeros((length, 7)))
    figure = time_course(read, "BTSXPVE", np.arange(units), "a text")
    panels = dict(zip(["hidden", "context", "forget gate", "predicted\nnext", "true\nnext"], figure.axes, strict=False))
    assert all(axes.get_ylabel() == name for name, axes in panels.items())
    assert [label.get_text() for label in panels["true\nnext"].get_xticklabels()] == symbols
    assert {"a text", "probability", f"unit {units}"} <= set(texts(figure))
    low, high = panels["forget gate"].get_ylim()
    assert -0.1 < low < 0 < 1 < high < 1.1
    assert panels["context"].get_ylim()[1] > 3 * wave.max()
    assert_nothing_cut_off(figure)


@pytest.mark.parametrize(("members", "last", "longest"), [(1, 8, 0), (1, 8, 8), (64, 30, 5), (64, 1000, 1000)])
def test_accuracy_tells_what_was_trained_and_how_far_the_best_comes(members, last, longest):
    ns = np.arange(1, last + 1)
    reach = np.linspace(longest, 0, members)[:, None]
    accuracies = np.where(ns <= reach, 1, 0.5 + 0.4 / ns)
    figure = generalisation.accuracy_by_n(ns, accuracies[0] if members == 1 else accuracies, 4, longest, "by n")
    shown = texts(figure)
    assert {"n", "by n", "trained: n ≤ 4", f"N* = {longest:,}: all words up to it are correct"} <= set(shown)
    assert ("63 other members" in shown) == (members > 1)
    thickest = max(figure.axes[0].lines, key=lambda line: line.get_linewidth())
    np.testing.assert_array_equal(thickest.get_ydata(), accuracies[0])
    low, high = figure.axes[0].get_xlim()
    assert low < longest < high
    assert_nothing_cut_off(figure)


@pytest.mark.parametrize(
    ("longest", "median", "at_end"),
    [([0], "0", "0 of 1"), ([1000], "1,000", "1 of 1"), ([0, 0, 3, 8, 64, 1000] * 10, "5.5", "10 of 60")],
)
def test_the_spread_has_a_dot_for_each_member_from_0_to_the_end_of_the_search(longest, median, at_end):
    figure = generalisation.spread_of_longest(np.array(longest), 4, 1000, "spread")
    told = {f"median N*: {median}", "trained: n ≤ 4", f"end of the search, n = 1,000: reached by {at_end}"}
    assert {"0", "1,000", "spread", *told} <= set(texts(figure))
    (dots,) = (line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert sorted(longest) == list(dots.get_xdata())
    assert_nothing_cut_off(figure)
