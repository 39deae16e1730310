"""Figures and texts of automata: everything is there, legible, and where it belongs."""

import html
import io
import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import Circle, FancyArrowPatch

from hudyn.dynamics.extraction import extract_from
from hudyn.figures.automata import dot, mermaid, state_diagram
from hudyn.figures.clusters import cluster_scatter
from hudyn.languages import Counting, Dyck
from hudyn.languages.moore import MooreMachine, renamed

from .test_automata import TOMITA, language, trajectories
from .test_figures import assert_nothing_cut_off

MACHINES = {name: language(name).automaton() for name in ("reber", "reber_embedded", *TOMITA)}
MACHINES |= {"anb2n": Counting([1, 2], 4).automaton(), "dyck_1": Dyck(1).automaton()}
QUOTED = MooreMachine(('"', "\\"), ((0, 1), (None, 0)), (None, frozenset()), ('say "a"', "b\\"))


def patches(figure, kind):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, kind)]


def boxes(figure):
    """The bounds of every text on the axes, by its letters, in pixels."""
    return [(text.get_text(), text.get_window_extent()) for text in figure.axes[0].texts if text.get_text()]


def overlap(one, other):
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(width, 0) * max(height, 0) / min(one.width * one.height, other.width * other.height)


@pytest.mark.parametrize("name", MACHINES)
def test_a_diagram_shows_every_state_and_transition_and_nothing_covers_another(name):
    machine = MACHINES[name]
    figure = state_diagram(machine, f"heading of {name}")
    assert figure.texts[0].get_text() == f"heading of {name}"
    written = [text for text, _ in boxes(figure)]
    assert sorted(written) == sorted(
        [
            *machine.names,
            *(", ".join(sorted(expected)) for expected in machine.outputs),
            *(", ".join(symbols) for symbols in machine.edges.values()),
        ]
    )
    circles = patches(figure, Circle)
    assert len(circles) == len(machine)
    assert len(patches(figure, FancyArrowPatch)) == len(machine.edges) + 1
    for one, other in itertools.combinations(circles, 2):
        assert np.subtract(one.center, other.center) @ np.subtract(one.center, other.center) > (2 * one.radius) ** 2
    for (_, one), (_, other) in itertools.combinations(boxes(figure), 2):
        assert overlap(one, other) < 0.02
    page = figure.bbox
    for _, box in boxes(figure):
        assert page.x0 <= box.x0 <= box.x1 <= page.x1
        assert page.y0 <= box.y0 <= box.y1 <= page.y1


@pytest.mark.parametrize("name", ["reber", "tomita_5", "anb2n"])
def test_an_arrow_leads_from_circle_to_circle_and_through_no_other(name):
    machine = MACHINES[name]
    figure = state_diagram(machine, "")
    centres = np.array([circle.center for circle in patches(figure, Circle)])
    radius = patches(figure, Circle)[0].radius
    joined = set()
    for arrow in patches(figure, FancyArrowPatch)[:-1]:
        path = arrow._path_original.vertices
        distances = np.linalg.norm(path[:, None] - centres, axis=2)
        assert distances.min() > 0.98 * radius
        joined.add((int(distances[0].argmin()), int(distances[-1].argmin())))
    assert joined == set(machine.edges)


def test_the_scatter_has_each_cluster_in_its_circle_and_names_the_states():
    right = MACHINES["reber"]
    found = extract_from(*trajectories(language("reber"), units=2))
    found = replace(found, machine=renamed(found.machine, right))
    figure = cluster_scatter(found, "heading")
    circles = patches(figure, Circle)
    assert len(circles) == found.number
    for point, cluster in zip(found.points, found.clusters, strict=True):
        assert np.linalg.norm(point - circles[cluster].center) <= circles[cluster].radius
    written = [text for text, _ in boxes(figure)]
    assert {*right.names, "H0"} <= set(written)
    assert len(patches(figure, FancyArrowPatch)) == len(right.edges) + 1  # that from H0
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("hidden unit 1", "hidden unit 2")
    scales = [np.ptp(axes.get_xlim()) / axes.bbox.width, np.ptp(axes.get_ylim()) / axes.bbox.height]
    assert scales[0] == pytest.approx(scales[1])  # so that circles are round
    limits = np.array([axes.get_xlim(), axes.get_ylim()])
    for circle in circles:
        assert (np.array(circle.center) - circle.radius > limits[:, 0]).all()
        assert (np.array(circle.center) + circle.radius < limits[:, 1]).all()


def test_many_units_are_drawn_by_their_principal_components():
    found = extract_from(*trajectories(language("reber"), units=5))
    axes = cluster_scatter(found, "").axes[0]
    spread = np.linalg.svd(found.points - found.points.mean(axis=0), compute_uv=False) ** 2
    shares = spread / spread.sum()
    assert axes.get_xlabel() == f"principal component 1 ({shares[0]:.0%} of the variance)"
    assert axes.get_ylabel() == f"principal component 2 ({shares[1]:.0%} of the variance)"
    drawn = np.concatenate([np.asarray(points.get_offsets()) for points in axes.collections])
    assert drawn.var(axis=0) == pytest.approx(spread[:2] / len(found.points))


@pytest.mark.parametrize("units", [1, 2, 3])
def test_states_that_never_change_can_be_drawn(units):
    states, start, symbols, read, legal, alphabet = trajectories(language("reber"), units=units)
    figure = cluster_scatter(extract_from(np.zeros_like(states), start, symbols, read, legal, alphabet), "")
    assert len(patches(figure, Circle)) == 1
    start[:] = 0
    cluster_scatter(extract_from(np.zeros_like(states), start, symbols, read, legal, alphabet), "")


@pytest.mark.parametrize("scale", [1, 1e-3])
def test_ticks_of_small_states_leave_room_for_the_label(scale):
    states, start, *texts = trajectories(language("reber"), units=2)
    assert_nothing_cut_off(cluster_scatter(extract_from(scale * states, scale * start, *texts), "heading"))


def test_one_unit_is_drawn_along_a_line():
    found = extract_from(*trajectories(language("tomita_5"), noise=0.001, units=1))
    axes = cluster_scatter(found, "").axes[0]
    assert axes.get_xlabel() == "hidden unit 1"
    assert not axes.get_yticks().size


def test_the_same_automaton_gives_the_same_picture():
    assert svg(state_diagram(MACHINES["reber"], "")) == svg(state_diagram(MACHINES["reber"], ""))


def svg(figure):
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return re.sub(r'"#?[mp][0-9a-f]{10}"|url\(#p[0-9a-f]{10}\)', "", file.getvalue().decode())


@pytest.mark.parametrize("machine", [*MACHINES.values(), QUOTED])
def test_dot_has_every_state_and_transition(machine):
    text = dot(machine)
    states = re.findall(r'^  (\d+) \[shape=circle, label="((?:[^"\\]|\\.)*)"\];$', text, re.M)
    plain = [re.sub(r"\\([\"\\])", r"\1", label.split("\\n")[0]) for _, label in states]
    assert [int(number) for number, _ in states] == [*range(len(machine))]
    assert plain == [*machine.names] if machine is not QUOTED else plain[0] == 'say "a"'
    edges = re.findall(r'^  (\d+) -> (\d+) \[label="((?:[^"\\]|\\.)*)"\];$', text, re.M)
    found = {(int(source), int(to)): re.sub(r"\\(.)", r"\1", label) for source, to, label in edges}
    assert found == {edge: ", ".join(symbols) for edge, symbols in machine.edges.items()}
    assert text.startswith("digraph {\n")
    assert text.endswith("}\n")


@pytest.mark.parametrize("machine", [*MACHINES.values(), QUOTED])
def test_mermaid_has_every_state_and_transition(machine):
    def plain(text):
        return html.unescape(re.sub(r"#(\d+);", r"&#\1;", text))

    first, second, *lines = mermaid(machine).splitlines()
    assert (first, second) == ("stateDiagram-v2", "  direction LR")
    states = [re.fullmatch(r'  state "([^"]*)<br>([^"]*)" as s(\d+)', line) for line in lines[: len(machine)]]
    assert [plain(state[1]) for state in states] == [*machine.names]
    assert [int(state[3]) for state in states] == [*range(len(machine))]
    assert lines[len(machine)] == "  [*] --> s0"
    edges = [re.fullmatch(r"  s(\d+) --> s(\d+) : ([\w#;, ]+)", line) for line in lines[len(machine) + 1 :]]
    assert {(int(edge[1]), int(edge[2])): tuple(plain(edge[3]).split(", ")) for edge in edges} == machine.edges
