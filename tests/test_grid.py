"""Two-layer perceptrons over the plane: networks, points, dividing lines, success, kernels."""

import itertools
import math
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hudyn.arguments import ArgumentError
from hudyn.dynamics.dividing_lines import DividingLine, dividing_lines
from hudyn.errors import HudynError
from hudyn.kernels.grid import reference, updates_by
from hudyn.kernels.numba.grid import updates as fused
from hudyn.kernels.steps import StepSettings
from hudyn.metrics.kinds import wilson_interval
from hudyn.metrics.labels import label_losses, right_choices
from hudyn.metrics.success import SuccessRecord
from hudyn.networks import GridMLP, NetLin
from hudyn.population import Population, member_vectors
from hudyn.tasks.check.data import CheckGridDataModule, check_grid, read_points
from hudyn.tasks.snapshots import Snapshots

GIVEN = {
    "hidden": [[1, 1]] * 4,
    "hidden_bias": [-0.5, -1.5, -2.5, -3.5],
    "output": [1, -1, 1, -1],
    "output_bias": -0.5,
}
POINTS, LABELS = check_grid()

# Networks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{"activation": "step"}, {"activation": "sigmoid", "scale": 10}])
def test_given_weights_have_the_assignments_activations(settings):
    network = GridMLP(4, weights=GIVEN, **settings)
    hidden, outputs = network.activations(POINTS)
    table = ["".join(str(int(value >= 0.5)) for value in row) for row in hidden]
    assert table == ["0000", "1000", "1100", "1000", "1100", "1110", "1100", "1110", "1111"]
    assert right_choices(network(POINTS), LABELS).all()
    assert [int(output >= 0.5) for output in outputs] == LABELS.tolist()
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_the_listing_with_the_misprint_gets_seven_of_nine():
    network = GridMLP(4, "step", weights=GIVEN | {"output": [10, -10, -10, -10]})
    assert int(right_choices(network(POINTS), LABELS).sum()) == 7


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_a_network_is_two_linear_layers(activation):
    network = GridMLP(3, activation)
    inner = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}[activation](network.hidden(POINTS))
    expected = inner @ network.output.weight[0] + network.output.bias
    torch.testing.assert_close(network(POINTS), expected)
    hidden, outputs = network.activations(POINTS)
    torch.testing.assert_close(hidden, inner)
    torch.testing.assert_close(outputs, torch.sigmoid(expected))


def test_weights_and_biases_are_drawn_with_the_given_spread():
    drawn = member_vectors(Population(GridMLP, members=500).parameters(), 500)
    assert drawn.std(dim=0).sub(0.15).abs().max() < 5 * 0.15 / math.sqrt(2 * 500)
    assert drawn.mean(dim=0).abs().max() < 5 * 0.15 / math.sqrt(500)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"hidden": [[1, 1]] * 3},
            "weights.hidden: expected 4 rows of 2 numbers (model.network.hidden_size is 4), got",
        ),
        ({"hidden": [[1, 1], [1], [1, 1], [1, 1]]}, "weights.hidden: expected 4 rows of 2 numbers"),
        (
            {"hidden_bias": [1, 2]},
            "weights.hidden_bias: expected 4 numbers (model.network.hidden_size is 4), got [1, 2]",
        ),
        ({"output": [1, 2, 3, "x"]}, "weights.output: expected 4 numbers"),
        ({"output": [1, 2, 3, math.nan]}, "weights.output: expected 4 numbers"),
        ({"output_bias": [1]}, "weights.output_bias: expected one number, got [1]"),
        ({"bias": 1}, "weights.bias: unknown name; expected hidden, hidden_bias, output, output_bias"),
    ],
)
def test_given_weights_of_the_wrong_shape_are_named(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        GridMLP(4, weights=GIVEN | changes)


def test_given_weights_that_are_missing_are_named():
    with pytest.raises(ValueError, match="weights: output_bias is missing; expected one number"):
        GridMLP(4, weights={name: GIVEN[name] for name in ("hidden", "hidden_bias", "output")})


# Points ---------------------------------------------------------------------------------------------------------


def test_the_check_grid_is_odd_where_x_plus_y_is():
    assert POINTS.tolist()[:4] == [[0, 0], [1, 0], [2, 0], [0, 1]]
    assert all(label == (x + y) % 2 for (x, y), label in zip(POINTS.tolist(), LABELS.tolist(), strict=True))


def test_points_of_a_file_come_in_its_order(tmp_path):
    path = tmp_path / "points.csv"
    path.write_bytes("\ufeffx, y, label\n0.5, -1, 1\n   \n2, 3e1, 0.0\n".encode())
    points, labels = read_points(path)
    assert points.tolist() == [[0.5, -1], [2, 30]]
    assert labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected the columns x,y,label, got nothing"),
        ("a,b\n1,2\n", "line 1: expected the columns x,y,label, got a,b"),
        ("x,y,label\n1,2,0\n1,2\n", "line 3: expected 3 values, got 2 (1,2)"),
        ("x,y,label\n1,two,0\n1,2,1\n", "line 2: y is not a number: 'two'"),
        ("x,y,label\n1,2,0\n1,inf,1\n", "line 3: y is not a finite number that fits into 32 bits: inf"),
        ("x,y,label\n1e39,2,0\n1,2,1\n", "line 2: x is not a finite number that fits into 32 bits: 1e39"),
        ("x,y,label\n1,2,0\n1,2,2\n", "line 3: expected label 0 or 1, got 2"),
        ("x,y,label\n1,2,0\n", "expected at least two points, got 1"),
        ("x,y,label\n" + "1,2,3\n" * 8, "3 more rows like these"),
    ],
)
def test_bad_rows_are_named(tmp_path, text, message):
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(ArgumentError) as error:
        CheckGridDataModule(file=str(path))
    assert error.value.argument == "file"
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(HudynError, match=r"nowhere.csv cannot be read: No such file or directory"):
        read_points(tmp_path / "nowhere.csv")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xff")
    with pytest.raises(HudynError, match=r"picture.csv cannot be read: .*Expected a CSV file"):
        read_points(tmp_path / "picture.csv")


# Dividing lines -------------------------------------------------------------------------------------------------


def test_a_segment_lies_on_its_line_and_ends_on_the_frame():
    random = np.random.default_rng(0)
    seen = {True: 0, False: 0}
    for weight_x, weight_y, bias in random.normal(0, 1, (300, 3)) * [3, 3, 6]:
        ends = DividingLine("hidden 1", weight_x, weight_y, bias).segment((-1, 3), (0, 2))
        corners = [weight_x * x + weight_y * y + bias for x in (-1, 3) for y in (0, 2)]
        assert (ends is not None) == (min(corners) < 0 < max(corners))
        seen[ends is not None] += 1
        for x, y in ends or ():
            assert weight_x * x + weight_y * y + bias == pytest.approx(0, abs=1e-9)
            assert min(abs(x + 1), abs(x - 3), abs(y), abs(y - 2)) < 1e-9
            assert -1 - 1e-9 <= x <= 3 + 1e-9
            assert -1e-9 <= y <= 2 + 1e-9
    assert min(seen.values()) > 30


@pytest.mark.parametrize(
    ("line", "equation", "solved"),
    [
        ((10.0, 10.0, -5.0), "10 x + 10 y − 5 = 0", "y = −x + 0.5"),
        ((0.0, 2.0, -1.0), "2 y − 1 = 0", "y = 0.5"),
        ((-1.0, 0.0, 0.0), "−x = 0", "x = 0"),
        ((0.0, 0.0, 1.0), "1 = 0", "no line: always on"),
        ((0.0, 0.0, -1.0), "−1 = 0", "no line: always off"),
        ((2.345678, -1.0, 0.0), "2.35 x − y = 0", "y = 2.35 x"),
    ],
)
def test_equations(line, equation, solved):
    found = DividingLine("hidden 1", *line)
    assert (found.equation, found.solved) == (equation, solved)


def test_a_dividing_line_is_where_the_net_input_is_zero():
    network = GridMLP(3)
    for number, line in enumerate(dividing_lines(network)):
        (x, y), _ = line.segment((-1e3, 1e3), (-1e3, 1e3))
        assert network.hidden(torch.tensor([x, y]))[number].item() == pytest.approx(0, abs=1e-3)


# Scores ---------------------------------------------------------------------------------------------------------


def test_losses_are_binary_cross_entropy_and_certainty_costs_nothing_where_it_is_right():
    log_odds = torch.randn(4, 9)
    expected = F.binary_cross_entropy_with_logits(log_odds, LABELS.expand(4, 9), reduction="none").mean(dim=1)
    torch.testing.assert_close(label_losses(log_odds, LABELS), expected)
    certain = torch.where(LABELS > 0, torch.inf, -torch.inf)
    assert label_losses(certain[None], LABELS).tolist() == [0]
    assert label_losses(-certain[None], LABELS).tolist() == [math.inf]


def test_the_record_of_success_agrees_with_counting():
    right = torch.rand(400, 20, generator=torch.Generator().manual_seed(0)) < torch.linspace(0.3, 1, 20)
    record = SuccessRecord(members=20, stop_after=7)
    newly = [record.update(row) for row in right]
    for member in range(20):
        history = "".join("01"[int(value)] for value in right[:, member])
        end = history.find("1" * 7)
        made = end + 7 if end >= 0 else 400
        first = history[:made].find("1") + 1
        assert record.updates[member] == made
        assert record.first[member] == first
        assert [bool(row[member]) for row in newly].count(True) == (end >= 0)
        assert record.frozen[member] == (end >= 0)
        sustained = record.sustained_success[member].item()
        assert sustained == end + 1 if end >= 0 else math.isnan(sustained)
    assert 0 < record.frozen.sum() < 20


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (243, 256), (1, 2)])
def test_wilson_intervals_solve_their_equation(successes, trials):
    """The ends are the rates p whose distance to the share found is 1.96 standard errors, sqrt(p (1 - p) / n)."""
    share = successes / trials
    for end in wilson_interval(successes, trials):
        assert (share - end) ** 2 == pytest.approx(1.959963984540054**2 * end * (1 - end) / trials, abs=1e-9)


def test_snapshots_come_back_and_are_rarer_the_later():
    due = [0]
    while due[-1] < 200_000:
        due.append(Snapshots.next_after(due[-1]))
    assert due[:4] == [0, 1, 2, 3]
    assert len(due) < 170
    assert all(later / earlier < 1.12 for earlier, later in itertools.pairwise(due[40:]))
    snapshots, population = Snapshots(), Population(GridMLP, members=3)
    snapshots.take(7, population)
    snapshots.take(7, population)
    again = Snapshots()
    again.load_state_dict(snapshots.state_dict())
    assert again.updates == [7]
    assert torch.equal(again.vectors[0][1], nn.utils.parameters_to_vector(population.member(1).parameters()))


# Kernels --------------------------------------------------------------------------------------------------------

adam = partial(torch.optim.Adam, lr=0.02, weight_decay=1e-5, fused=True)


def trained(kernel, updates, members=1, seed=0, stop_after=10_000, **network):
    """Vectors of all members, [members, parameters], and their record, after calls of `updates` updates each."""
    population = Population(partial(GridMLP, **network), members, seed)
    optimizer, record = adam(population.parameters()), SuccessRecord(members, stop_after)
    for number in updates:
        settings = StepSettings.constant(optimizer, members, number)
        settings = replace(settings, trained=(~record.frozen).nonzero()[:, 0].numpy())
        kernel(population, optimizer, settings, POINTS, LABELS, record)
    return member_vectors(population.parameters(), members), record


@pytest.mark.parametrize("kernel", [reference, fused])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_updates_are_those_of_a_plain_loop(kernel, activation):
    """torch's own layers, loss on the output's probability, accuracy before the update, and Adam."""
    torch.manual_seed(3)
    network = GridMLP(6, activation, init_std=0.5)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02, weight_decay=1e-5)
    right = []
    for _ in range(150):
        outputs = torch.sigmoid(network(POINTS))
        right.append(bool(((outputs >= 0.5) == (LABELS > 0.5)).all()))
        optimizer.zero_grad()
        F.binary_cross_entropy(outputs, LABELS).backward()
        optimizer.step()
    vectors, record = trained(kernel, [150], seed=3, hidden_size=6, activation=activation, init_std=0.5)
    expected = nn.utils.parameters_to_vector(network.parameters()).detach()
    torch.testing.assert_close(vectors[0], expected, rtol=2e-4, atol=2e-4)
    assert record.updates.tolist() == [150]
    assert record.first[0].item() == (right.index(True) + 1 if any(right) else 0)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_the_fused_kernel_equals_the_reference(activation):
    settings = {"members": 4, "hidden_size": 5, "activation": activation, "init_std": 0.5}
    (one, first), (two, second) = (trained(kernel, [120, 30], **settings) for kernel in (reference, fused))
    torch.testing.assert_close(one, two, rtol=2e-4, atol=2e-4)
    assert torch.equal(first.updates, second.updates)


def test_both_kernels_find_the_same_successes():
    settings = {"members": 6, "hidden_size": 10, "init_std": 2.0, "stop_after": 20}
    first, second = (trained(kernel, [400], **settings)[1] for kernel in (reference, fused))
    assert 0 < first.frozen.sum() < 6
    assert (first.first - second.first).abs().max() <= 2
    assert (first.updates - second.updates).abs().max() <= 2


def test_a_member_is_its_solo_run_to_the_last_bit_on_any_number_of_threads(monkeypatch):
    monkeypatch.setattr("hudyn.kernels.threads._threads", 3)
    together, record = trained(fused, [300], members=7, seed=2)
    monkeypatch.setattr("hudyn.kernels.threads._threads", 1)
    for member in range(7):
        alone, own = trained(fused, [300], seed=2 + member)
        assert torch.equal(together[member], alone[0])
        assert record.first[member] == own.first[0]


def test_members_of_the_reference_are_their_solo_runs_to_float_tolerance():
    together, _ = trained(reference, [100], members=3, seed=2)
    for member in range(3):
        torch.testing.assert_close(
            together[member], trained(reference, [100], seed=2 + member)[0][0], rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize("kernel", [reference, fused])
@pytest.mark.parametrize("members", [1, 4])
def test_a_member_that_has_succeeded_for_good_is_frozen_as_it_was(kernel, members):
    """Its parameters are those of a run that ends with the update at which the rule was met."""
    settings = {"members": members, "hidden_size": 8, "init_std": 1.0, "stop_after": 30, "seed": 1}
    vectors, record = trained(kernel, [700], **settings)
    assert record.frozen.sum() == min(members, 2)
    for member in record.frozen.nonzero()[:, 0]:
        until, _ = trained(kernel, [int(record.updates[member])], **settings | {"stop_after": 10_000})
        assert torch.equal(vectors[member], until[member])
    further, after = trained(kernel, [350, 350, 60], **settings)
    assert torch.equal(further[record.frozen], vectors[record.frozen])
    assert torch.equal(after.updates[record.frozen], record.updates[record.frozen])


def test_which_kernel_is_taken():
    def taken(kernel="auto", network=GridMLP, optimizer=adam):
        population = Population(network)
        return updates_by(kernel, population, optimizer(population.parameters()))

    assert taken() is fused
    assert taken("reference") is reference
    assert taken(optimizer=partial(torch.optim.SGD, lr=0.1)) is fused
    assert taken(optimizer=partial(torch.optim.AdamW, lr=0.1)) is fused
    assert taken(optimizer=partial(torch.optim.Adagrad, lr=0.1)) is reference
    assert taken(network=lambda: GridMLP().bfloat16()) is reference
    with pytest.raises(
        HudynError, match=r"model.kernel=numba is not available here: it supports plain SGD, Adam, AdamW, RM"
    ):
        taken("numba", optimizer=partial(torch.optim.Adagrad, lr=0.1))
    with pytest.raises(HudynError, match="it supports GridMLP, SRN, LSTM, GRU, the network is a NetLin"):
        taken("numba", network=NetLin)


def test_without_numba_the_reference_is_taken(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    population = Population(GridMLP)
    assert updates_by("auto", population, adam(population.parameters())) is reference
