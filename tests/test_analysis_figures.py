"""The figures of an analysis: what they show, and what they refuse."""

import pytest
import torch
from IPython.core.pylabtools import print_figure
from matplotlib.figure import Figure
from matplotlib.text import Text

from hudyn import figures
from hudyn.dynamics import analyse
from hudyn.languages import Counting, Dyck
from hudyn.networks import LSTM, SRN, CountingLSTM, FixedPointSRN


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


@pytest.fixture(scope="module")
def planar():
    return analyse(FixedPointSRN([[0.5, 0.3], [0.0, 0.25]], [[0.3, -0.6], [-0.8, 0.1]]), Counting([1, 1]), most=5)


@pytest.fixture(scope="module")
def counter():
    return analyse(CountingLSTM(4), Counting([1, 1]), most=5)


@pytest.fixture(scope="module")
def three():
    torch.manual_seed(0)
    return analyse(LSTM(2, 3), Dyck())


@pytest.mark.parametrize("name", figures.__all__)
def test_a_notebook_can_show_every_figure(name, planar, three):
    analysis = three if name == "principal_components" else planar
    arguments = ["aabb"] if name == "trajectory" else []
    assert print_figure(getattr(figures, name)(analysis, *arguments))[:4] == b"\x89PNG"


def test_a_phase_portrait_has_a_panel_for_each_symbol_and_names_the_fixed_points(planar):
    shown = "\n".join(texts(figures.phase_portrait(planar)))
    assert "FixedPointSRN, 2 hidden units: phase portrait" in shown
    assert planar.fixed_points["a"][0].name in shown
    assert planar.fixed_points["b"][0].name in shown


def test_a_mechanism_holds_the_explanation(planar):
    shown = " ".join(" ".join(texts(figures.mechanism(planar, "My title"))).split())
    assert "My title" in shown
    assert str(planar.verdict)[:40] in shown


def test_counters_show_the_counting_unit_in_every_phase(counter):
    figure = figures.counters(counter)
    assert {"context 1", "number of a", "number of b"} <= set(texts(figure))
    assert "CountingLSTM, 5 hidden units: context 1 rises 1.00 per a, falls 1.00 per b" in texts(figure)
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    assert {len(axes.lines) for axes in panels} == {4}  # words


def test_an_automaton_has_the_names_of_the_languages_states(counter):
    shown = "\n".join(texts(figures.automaton(counter)))
    assert all(name in shown for name in counter.language_automaton.names)


def test_principal_components_of_hidden_and_context(three):
    assert isinstance(figures.principal_components(three), Figure)
    assert "LSTM, 3 hidden units: principal components" in texts(figures.principal_components(three))


def test_a_trajectory_has_a_panel_for_each_kind_of_unit(counter):
    figure = figures.trajectory(counter, "aabb")
    labels = [axes.get_ylabel() for axes in figure.axes]
    for name in ("hidden", "context", "input gate", "forget gate", "candidate", "output gate"):
        assert name in labels
    with pytest.raises(ValueError, match="symbol 1: expected a, got 'b'"):
        figures.trajectory(counter, "b")


def test_what_cannot_be_drawn_is_refused(three):
    with pytest.raises(ValueError, match="expected two hidden units"):
        figures.phase_portrait(three)
    with pytest.raises(ValueError, match="analysis: expected a countable language, got Dyck"):
        figures.counters(three)
    with pytest.raises(ValueError, match="hidden units"):
        figures.principal_components(analyse(SRN(2, 1), Counting([1, 1])))
    for name in figures.__all__:
        with pytest.raises(ValueError, match=r"analysis: expected hudyn.analyse\(network, language\), got LSTM"):
            getattr(figures, name)(three.network)
    with pytest.raises(AttributeError):
        _ = figures.no_such_figure


def test_the_plane_holds_all_states_of_a_bounded_cell():
    network = SRN(2, 2)
    network.hidden_bounds = (-2.0, 2.0)
    found = analyse(network, Counting([1, 1]), most=5)
    assert figures.phase_portrait(found).axes[0].get_xlim() == pytest.approx((-2.1, 2.1))
