"""Runs of the check experiments from the command line to their results."""

import json
import math
import signal
import subprocess
import sys

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hudyn.run.readable import heading

from .conftest import ROOT, train_here
from .test_config import problems
from .test_train import assert_same_weights, rows, wait_for, weights

# 400 updates, within which seeds 0, 1 and 2 succeed for good and seeds 3 and 4 do not.
QUICK = [
    "experiment=check_sigmoid", "optimizer.lr=0.02", "model.network.hidden_size=10", "model.network.init_std=2.0",
    "model.stop_after=20", "trainer.max_steps=400", "data.evaluation_interval=100", "data.updates_per_step=30",
    "trainer.log_every_n_steps=50",
]  # fmt: skip
UNREPORTED = [*QUICK, "~report.evaluation"]  # for tests of numbers, which need no figures
TABLE = ["0000", "1000", "1100", "1000", "1100", "1110", "1100", "1110", "1111"]
GRID = [(x, y) for y in range(3) for x in range(3)]


def start(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *arguments, f"hydra.run.dir={folder}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def population(small_data, tmp_path_factory):
    """The folder of a finished run of five members."""
    return train_here(tmp_path_factory.mktemp("check") / "run", small_data, *QUICK, "members=5")


def near(value, **tolerance):
    """What is approximately `value`, None where there is none."""
    return None if value is None else pytest.approx(value, **tolerance)


def results(folder):
    return json.loads((folder / "results.json").read_text())


# Given weights --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("experiment", ["check_step", "check_scaled"])
def test_given_weights_are_evaluated_and_drawn(command, experiment):
    outcome = command(f"experiment={experiment}", draws=True)
    assert outcome.status == 0, outcome.err
    assert outcome.values("train/accuracy") == [1.0]
    assert outcome.values("train/solved") == [1.0]
    assert "updates" not in outcome.results["time"]
    table = rows(outcome.folder / "tables/activations.csv")
    assert [(int(row["x"]), int(row["y"])) for row in table] == GRID
    shown = [[row[f"hidden_{unit}"] for unit in range(1, 5)] for row in table]
    if experiment == "check_step":
        assert ["".join(row) for row in shown] == TABLE
        assert [row["output"] for row in table] == [row["label"] for row in table]
    else:
        assert ["".join(str(round(float(value))) for value in row) for row in shown] == TABLE
        assert float(shown[0][0]) == pytest.approx(1 / (1 + math.exp(5)), rel=1e-5)
    assert [row["right"] for row in table] == ["1"] * 9
    lines = rows(outcome.folder / "tables/dividing_lines.csv")
    assert [row["line"] for row in lines[:4]] == [f"y = −x + {offset}" for offset in (0.5, 1.5, 2.5, 3.5)]
    scale = 1 if experiment == "check_step" else 10
    assert [float(row["weight_to_output"]) for row in lines[:4]] == [scale, -scale, scale, -scale]
    figures = {path.stem for path in (outcome.folder / "figures").glob("*.png")}
    assert figures == {"units", "dividing_lines", "network"}
    assert command(f"run={outcome.folder}", program="eval").status == 0
    assert command(f"resume={outcome.folder}").status == 0


def test_the_markdown_tables_say_what_the_csv_tables_say(command):
    outcome = command("experiment=check_step")
    for name in ("activations", "dividing_lines"):
        heading, rule, *lines = (outcome.folder / f"tables/{name}.md").read_text().splitlines()
        columns = [cell.strip() for cell in heading.strip("|").split("|")]
        table = rows(outcome.folder / f"tables/{name}.csv")
        assert columns == list(table[0])
        assert len({len(line) for line in (heading, rule, *lines)}) == 1
        for line, row in zip(lines, table, strict=True):
            cells = dict(zip(columns, [cell.strip() for cell in line.strip("|").split("|")], strict=True))
            for column in columns:
                same = cells[column] == row[column] or float(cells[column]) == pytest.approx(float(row[column]))
                assert same, (column, cells[column], row[column])


def test_ones_own_weights_by_override_and_in_a_file(command, tmp_path):
    outcome = command("experiment=check_step", "model.network.weights.output=[10,-10,-10,-10]")
    assert outcome.values("train/accuracy") == [pytest.approx(7 / 9)]
    assert outcome.values("train/loss") == [None]
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "half.yaml").write_text(
        "# @package _global_\ndefaults:\n  - check_step\n  - _self_\nmodel:\n  network:\n    hidden_size: 1\n"
        "    weights: {hidden: [[1, 0]], hidden_bias: [-0.5], output: [1], output_bias: -0.5}\n"
    )
    outcome = command("--config-dir", "mine", "experiment=half")
    assert outcome.status == 0, outcome.err
    assert [row["output"] for row in rows(outcome.folder / "tables/activations.csv")] == ["0", "1", "1"] * 3
    assert rows(outcome.folder / "tables/dividing_lines.csv")[0]["line"] == "x = 0.5"


@pytest.mark.parametrize(
    ("arguments", "path", "message"),
    [
        (
            ["experiment=check_step", "model.network.weights.hidden=[[1,1],[1,1]]"],
            "model.network.weights.hidden",
            "expected 4 rows of 2 numbers (model.network.hidden_size is 4), got [[1, 1], [1, 1]]",
        ),
        (
            ["experiment=check_step", "model.network.hidden_size=3"],
            "model.network.weights.hidden",
            "expected 3 rows of 2 numbers (model.network.hidden_size is 3), got [[1, 1], [1, 1], [1, 1], [1, 1]]",
        ),
        (["experiment=check_sigmoid", "model.network.activation=step"], "model.network.activation", "no gradient"),
        (["experiment=check_sigmoid", "model.network.activation=x"], "model.network.activation", "expected one of"),
        (["experiment=check_step", "members=3"], "members", "the network is not trained"),
        (["experiment=check_sigmoid", "+trainer.min_steps=9"], "trainer.min_steps", "is not possible here"),
        (["experiment=check_sigmoid", "data.file=nowhere.csv"], "data.file", "nowhere.csv cannot be read"),
        (["experiment=check_sigmoid", "model.kernel=cuda"], "model.kernel", "expected one of auto, reference, numba"),
        (["experiment=check_sigmoid", "model/network=net_lin"], "model.network", "NetLin reads images, but this task"),
        (["experiment=check_sigmoid", "objective=train/solvd"], "objective", "did you mean train/solved?"),
    ],
)
def test_mistakes_are_named_before_anything_runs(command, tmp_path, arguments, path, message):
    outcome = command(*arguments)
    assert outcome.status == 2
    found = problems(outcome)
    assert set(found) == {path}
    assert message in found[path]
    assert list(tmp_path.iterdir()) == []


# Trained --------------------------------------------------------------------------------------------------------


def test_the_recipe_is_the_assignments():
    from hudyn.config.compose import compose

    config = compose(["experiment=check_sigmoid"])
    assert config.optimizer == {
        "_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.001, "weight_decay": 1e-5, "fused": True,
    }  # fmt: skip
    network = config.model.network
    assert (network.hidden_size, network.activation, network.init_std, network.weights) == (5, "sigmoid", 0.15, None)
    assert (config.model.stop_after, config.trainer.max_steps, config.trainer.max_epochs) == (2000, 200_000, -1)
    assert (config.data.file, config.members, config.seed) == (None, 1, 0)


def test_results_tell_how_many_succeed_and_when(population):
    found = results(population)
    assert found["network"] == {"class": "hudyn.networks.GridMLP", "parameters": 41}
    metrics = found["metrics"]
    for name in ("train/solved", "train/sustained"):
        assert metrics[name]["values"] == [1, 1, 1, 0, 0]
        assert metrics[name]["mean"] == 0.6
        assert metrics[name]["interval"] == pytest.approx([0.2307, 0.8824], abs=1e-4)
    updates, first, sustained = (
        metrics[f"train/{name}"]["values"] for name in ("updates", "first_success", "sustained_success")
    )
    assert updates[3:] == [400, 400]
    assert sustained[3:] == [None, None]
    for member in range(3):
        assert sustained[member] == updates[member] - 19
        assert first[member] <= sustained[member]
    assert metrics["train/sustained_success"]["quartiles"][1] == sorted(sustained[:3])[1]
    assert found["evaluation"]["best_member"] == sustained.index(min(sustained[:3]))
    members = rows(population / "tables/members.csv")
    assert [row["train/solved"] for row in members] == ["1", "1", "1", "0", "0"]
    assert members[4]["train/first_success"] in ("", str(first[4] or "").removesuffix(".0"))
    history = rows(population / "tables/history.csv")
    assert list(history[0])[:2] == ["update", "member"]
    assert [int(row["update"]) for row in history[::5]] == [100, 200, 300, 400]


def test_the_best_members_tables_and_figures(population):
    figures = {}
    for path in (population / "figures").glob("*.png"):
        with Image.open(path) as image:
            figures[path.stem] = image.size
    expected = {"units", "dividing_lines", "network", "training", "learning_curves", "success"}
    assert set(figures) == expected
    assert all(width >= 600 and height >= 300 for width, height in figures.values())
    page = (population / "report.html").read_text()
    assert all(f'alt="{heading(name)}' in page for name in expected)
    assert page.count("data:image/webp") == len(expected)
    assert "0.231 – 0.882" in page
    table = rows(population / "tables/activations.csv")
    assert all((float(row["output"]) >= 0.5) == (row["label"] == "1") for row in table)
    assert len(rows(population / "tables/dividing_lines.csv")) == 11


def test_an_animation_lies_beside_the_page(command, monkeypatch):
    monkeypatch.setattr("hudyn.tasks.check.report.ANIMATION_FRAMES", 5)
    drawn = ["trainer.max_steps=60", "data.evaluation_interval=20", "report.evaluation.animation=true"]
    folder = command(*QUICK, *drawn, draws=True).folder
    with Image.open(folder / "figures/training.gif") as animation:
        assert animation.n_frames > 2
    assert 'href="figures/training.gif"' in (folder / "report.html").read_text()


def test_what_tensorboard_shows(population):
    scalars, images = {}, set()
    for path in sorted(population.glob("events.*")):
        events = EventAccumulator(str(path)).Reload()
        images |= set(events.Tags()["images"])
        for tag in events.Tags()["scalars"]:
            scalars.setdefault(tag, []).extend((event.step, event.value) for event in events.Scalars(tag))
    assert {"units", "dividing_lines", "network", "training", "success"} <= images
    assert [step for step, _ in scalars["train/solved"]] == [100, 200, 300, 400]
    assert scalars["train/solved"][-1][1] == pytest.approx(0.6)
    assert scalars["train/sustained"] == [(400, pytest.approx(0.6))]
    assert "train/first_success_max" in scalars
    assert not any(tag.startswith("by_epoch") for tag in scalars)
    # losses are logged at the end of the first step, of 30 updates, that passes a multiple of 50
    assert [step for step, _ in scalars["train/loss"]][:3] == [60, 100, 160]


def test_a_member_is_its_solo_run_to_the_last_bit(command, population):
    together = weights(population)
    metrics = results(population)["metrics"]
    for member in (0, 4):
        solo = command(*UNREPORTED, f"seed={member}")
        assert solo.status == 0, solo.err
        for name, values in weights(solo.folder).items():
            assert torch.equal(values, together[name][member])
        for name, found in metrics.items():
            assert solo.values(name)[0] == near(found["values"][member], rel=1e-6)


def test_a_run_ends_when_every_member_is_frozen(command):
    outcome = command(*UNREPORTED, "seed=1")
    made = outcome.values("train/updates")[0]
    assert 0 < made < 400
    assert outcome.results["time"]["updates"] == made
    before = weights(outcome.folder)
    assert command(f"resume={outcome.folder}").status == 0
    assert_same_weights(before, weights(outcome.folder))
    assert outcome.results["time"]["updates"] == made


def test_the_reference_gives_the_same_results(command, population):
    outcome = command(*UNREPORTED, "members=5", "model.kernel=reference")
    assert outcome.status == 0, outcome.err
    metrics = results(population)["metrics"]
    for name in ("train/solved", "train/first_success", "train/sustained_success", "train/updates"):
        for one, other in zip(outcome.values(name), metrics[name]["values"], strict=True):
            assert one == near(other, abs=2)


def test_another_optimizer_and_precision(command):
    for settings in (["optimizer=sgd", "optimizer.lr=1.0"], ["+trainer.precision=64-true"]):
        outcome = command(*UNREPORTED, *settings, "trainer.max_steps=40", "members=2")
        assert outcome.status == 0, outcome.err
        assert outcome.values("train/updates") == [40, 40]


def test_a_stopped_run_resumes_to_the_same_bits(command, tmp_path, population):
    folder = tmp_path / "run"
    slow = ["data.updates_per_step=1", "data.evaluation_interval=20", "callbacks.checkpoint.interval=0.05"]
    process = start(folder, *QUICK, *slow, "members=5")
    wait_for(lambda: (folder / "checkpoints" / "last.ckpt").exists(), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert 0 < before < 400
    outcome = command(f"resume={folder}")
    assert outcome.status == 0, outcome.err
    assert_same_weights(weights(folder), weights(population))
    (one, other) = (results(place)["metrics"] for place in (folder, population))
    assert one == other
    assert results(folder)["time"]["updates"] == 400


def test_a_finished_run_is_trained_longer(command, population):
    short = command(*UNREPORTED, "members=5", "trainer.max_steps=200").folder
    assert command(f"resume={short}", "trainer.max_steps=400").status == 0
    assert_same_weights(weights(short), weights(population))
    outcome = command(f"resume={short}", "trainer.max_steps=100")
    assert outcome.status == 2
    assert "is trained for 400 steps, more than trainer.max_steps=100" in outcome.err


def test_evaluation_gives_the_results_of_the_run(command, population):
    outcome = command(f"run={population}", program="eval", draws=True)
    assert outcome.status == 0, outcome.err
    (folder,) = (population / "evaluations").iterdir()
    assert results(folder)["metrics"] == results(population)["metrics"]
    assert results(folder)["evaluation"] == results(population)["evaluation"]
    assert (folder / "figures" / "training.png").is_file()


def test_points_of_ones_own(command, tmp_path):
    path = tmp_path / "exclusive_or.csv"
    path.write_text("x,y,label\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
    outcome = command(*QUICK, f"data.file={path}", "optimizer.lr=0.05")
    assert outcome.status == 0, outcome.err
    assert outcome.values("train/solved") == [1]
    assert [row["label"] for row in rows(outcome.folder / "tables/activations.csv")] == ["0", "1", "1", "0"]
    path.write_text("x,y,label\n0,0,1\n0,1,0\n1,0,0\n1,1,1\n")
    again = command(f"run={outcome.folder}", program="eval")
    (folder,) = (outcome.folder / "evaluations").iterdir()
    assert results(folder)["metrics"]["train/solved"]["values"] == [0]
    assert "train/sustained" not in results(folder)["metrics"]
    assert again.status == 0


def test_a_run_is_not_resumed_on_other_points(command, tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("x,y,label\n0,0,0\n0,1,1\n")
    outcome = command(*UNREPORTED, f"data.file={path}", "trainer.max_steps=10")
    path.write_text("x,y,label\n0,0,0\n0,2,1\n")
    again = command(f"resume={outcome.folder}", "trainer.max_steps=20")
    assert again.status == 1
    assert "The run was started with other points" in again.err


def test_updates_that_do_not_fill_an_evaluations_interval_are_evaluated_too(command):
    outcome = command(*UNREPORTED, "seed=4", "trainer.max_steps=250")
    history = rows(outcome.folder / "tables/history.csv")
    assert [row["update"] for row in history] == ["100", "200", "250"]
    assert float(history[-1]["train/loss"]) == pytest.approx(outcome.values("train/loss")[0])
    assert "update 250/250" in outcome.out


def test_a_run_that_is_stopped_keeps_its_latest_measures(command, tmp_path):
    process = start(tmp_path / "run", *UNREPORTED, "data.updates_per_step=1", "trainer.max_steps=40000", "seed=4")
    wait_for(lambda: (tmp_path / "run" / "tables" / "history.csv").exists(), process)
    process.send_signal(signal.SIGINT)
    process.communicate()
    found = results(tmp_path / "run")
    assert found["status"] == "interrupted"
    assert found["metrics"]["train/accuracy"]["values"][0] > 0


def test_mixed_precision_is_trained_by_the_reference(command):
    outcome = command(*QUICK, "+trainer.precision=bf16-mixed", "model.kernel=numba")
    assert outcome.status == 1
    assert "it runs on cpu, in float32 or float64" in outcome.err


def test_a_loss_that_is_not_finite_stops_the_run(command):
    outcome = command(*QUICK, "optimizer=sgd", "optimizer.lr=1e38", "model.network.activation=relu")
    assert outcome.status == 1
    assert "The loss of member 0 is" in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.results["status"] == "failed"


def test_a_kernel_that_cannot_be_taken_is_told_of(command):
    outcome = command(*QUICK, "optimizer=adam", "optimizer._target_=torch.optim.NAdam", "~optimizer.fused",
                      "model.kernel=numba")  # fmt: skip
    assert outcome.status == 1
    assert (
        "model.kernel=numba is not available here: it supports plain SGD, Adam, AdamW, RMSprop, the optimizer is NAdam"
        in outcome.err
    )


def test_a_sweep_gives_success_rates_with_their_intervals(command, tmp_path):
    outcome = command("-m", *UNREPORTED, "members=5", "model.network.hidden_size=2,10")
    assert outcome.status == 0, outcome.err
    (table,) = tmp_path.rglob("sweep.csv")
    jobs = rows(table)
    assert [float(job["train/solved"]) for job in jobs] == [0.0, 0.6]
    assert float(jobs[0]["train/solved_low"]) == 0
    assert float(jobs[1]["train/solved_high"]) == pytest.approx(0.8824, abs=1e-4)
    assert jobs[0]["train/first_success"] == ""
    assert (table.parent / "sweep.png").stat().st_size > 10_000


def test_two_devices_train_what_one_does(tmp_path, population):
    process = start(
        tmp_path / "two", *UNREPORTED, "members=5", "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"
    )
    _, told = process.communicate()
    assert process.returncode == 0, told
    assert_same_weights(weights(tmp_path / "two"), weights(population))
