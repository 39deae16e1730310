"""Runs from the command line to their results, on the small set."""

import base64
import csv
import gzip
import html
import json
import math
import os
import platform
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import hudyn
from hudyn.errors import HudynError
from hudyn.run.readable import heading
from hudyn.run.run import Run

from .conftest import ROOT, SHORT, run_folders, train_here

UNREPORTED = [*SHORT, "~report.evaluation"]  # for tests of numbers, which need no figures
EXPERIMENTS = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))
# experiments whose figures are drawn as well: of each task, network and kind of language
DRAWN = {"check_sigmoid", "kmnist_conv", "srn_anb2n", "srn_reber", "lstm_anb2nc3n", "lstm_reber_embedded"}


def weights(folder):
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return {name: value for name, value in checkpoint["state_dict"].items() if "network" in name}


def assert_same_weights(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_runs_briefly(command, experiment):
    counts = ["model.max_n=20"] if experiment.startswith(("srn", "lstm")) else []
    outcome = command(f"experiment={experiment}", "debug=fast", "members=1", *counts, draws=experiment in DRAWN)
    assert outcome.status == 0, outcome.err
    assert outcome.results["status"] == "done"
    assert outcome.results["experiment"] == experiment
    path = ROOT / "conf" / "experiment" / f"{experiment}.yaml"
    assert any(f"# python train.py experiment={experiment}" in line for line in path.read_text().splitlines()[:6])
    expected = OmegaConf.load(path).expected  # its own, not that of an experiment it builds on
    assert f"Expected: {expected}" in html.unescape((outcome.folder / "report.html").read_text())


def test_the_experiments_follow_the_recipe(command):
    """Batch 64, file order, SGD 0.01 with momentum 0.5 (NetConv: 0.9), 10 epochs, nothing held out."""
    from hudyn.config.compose import compose

    for experiment, network, momentum in (("lin", "NetLin", 0.5), ("full", "NetFull", 0.5), ("conv", "NetConv", 0.9)):
        config = compose([f"experiment=kmnist_{experiment}"])
        assert config.model.network._target_ == f"hudyn.networks.{network}"
        assert config.optimizer == {
            "_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.01, "momentum": momentum, "weight_decay": 0.0,
            "fused": True,
        }  # fmt: skip
        assert (config.data.batch_size, config.data.shuffle, config.data.validation_size) == (64, False, 0)
        assert (config.data.dataset, config.trainer.max_epochs, config.seed, config.members) == ("KMNIST", 10, 0, 1)


def test_what_a_run_leaves_behind(finished):
    results = json.loads((finished / "results.json").read_text())
    assert results["experiment"] == "kmnist_lin"
    assert (results["seed"], results["members"], results["status"]) == (0, 3, "done")
    assert results["network"] == {"class": "hudyn.networks.NetLin", "parameters": 7850}
    assert set(results["metrics"]) == {"train/loss", "train/accuracy", "test/loss", "test/accuracy"}
    accuracy = results["metrics"]["test/accuracy"]
    assert len(accuracy["values"]) == 3
    assert accuracy["mean"] == pytest.approx(sum(accuracy["values"]) / 3)
    assert (accuracy["min"], accuracy["max"]) == (min(accuracy["values"]), max(accuracy["values"]))
    assert results["time"]["updates"] == 10
    assert results["time"]["total_s"] > results["time"]["fit_s"] > 0
    assert set(results["environment"]) == {"python", "torch", "lightning", "device", "git"}
    for path in ("config.yaml", "checkpoints/last.ckpt", ".hydra/overrides.yaml"):
        assert (finished / path).is_file()
    assert OmegaConf.load(finished / "config.yaml").model.members == 3
    assert not list(finished.rglob("*.part"))


def test_a_run_with_a_name_is_still_one_of_its_experiment(command, tmp_path):
    (tmp_path / "mine" / "model" / "network").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "network" / "narrow.yaml").write_text("_target_: hudyn.networks.NetLin\n")
    given = ["experiment=kmnist_lin", "model/network=narrow", "name=light", "debug=fast", "~report.evaluation"]
    outcome = command("--config-dir", "mine", *given)
    assert outcome.status == 0, outcome.err
    assert outcome.folder.parent == tmp_path / "outputs" / "light"
    config = OmegaConf.load(outcome.folder / "config.yaml")
    for of_run in (outcome.results, config):
        assert (of_run["experiment"], of_run["name"]) == ("kmnist_lin", "light")
    page = html.unescape((outcome.folder / "report.html").read_text())
    assert f"python train.py --config-dir mine {shlex.join(given)}<" in page
    assert "<h1>light " in page
    assert "1 of 1 runs" in command("experiment=kmnist_*", "name=light", program="runs").out


def test_tables_agree_with_each_other_and_with_the_results(finished):
    results = json.loads((finished / "results.json").read_text())
    accuracies = results["metrics"]["test/accuracy"]["values"]
    evaluation = results["evaluation"]
    for member in range(3):
        matrix = [row for row in rows(finished / "tables/confusion_matrix.csv") if int(row["member"]) == member]
        assert [row["target"] for row in matrix] == evaluation["classes"]
        counts = [[int(row[name]) for name in evaluation["classes"]] for row in matrix]
        assert counts == evaluation["members"][member]["confusion_matrix"]
        assert sum(map(sum, counts)) == 100
        assert sum(counts[i][i] for i in range(10)) / 100 == pytest.approx(accuracies[member])
        confusions = [row for row in rows(finished / "tables/confusions.csv") if int(row["member"]) == member]
        ranked = [int(row["count"]) for row in confusions]
        assert ranked == sorted(ranked, reverse=True)
        assert sum(ranked) == 100 - sum(counts[i][i] for i in range(10))
        for number, row in enumerate(r for r in rows(finished / "tables/classes.csv") if int(r["member"]) == member):
            assert float(row["recall"]) == pytest.approx(counts[number][number] / 10)
    best = [int(row["best"]) for row in rows(finished / "tables/members.csv")]
    losses = results["metrics"]["train/loss"]["values"]
    assert best.index(1) == losses.index(min(losses)) == evaluation["best_member"]
    assert [row["seed"] for row in rows(finished / "tables/members.csv")] == ["0", "1", "2"]
    assert rows(finished / "tables/parameters.csv")[0]["arithmetic"] == "10·784 + 10"
    history = rows(finished / "tables/history.csv")
    assert [(row["epoch"], row["update"]) for row in history] == [("1", "5")] * 3 + [("2", "10")] * 3
    assert float(history[-1]["test/accuracy"]) == pytest.approx(accuracies[2])


def test_figures_are_there_and_large_enough_to_read(finished):
    from PIL import Image

    figures = {}
    for path in (finished / "figures").glob("*.png"):
        with Image.open(path) as image:
            figures[path.stem] = image.size
    assert set(figures) == {"confusion_matrix", "confusion_matrices", "mistakes", "weights", "learning_curves"}
    assert all(width >= 600 and height >= 300 for width, height in figures.values())


def data_of(page):
    """What the page's scripts get."""
    packed = re.search(r'<script type="text/plain" id="data">(.*?)</script>', page)[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def test_the_page_shows_every_figure_and_table(finished):
    page = (finished / "report.html").read_text()
    assert "kmnist_lin" in page
    assert "done" in page
    assert "(with the experiment's own settings; this run changed some)" in page
    for path in (finished / "figures").glob("*.png"):
        assert f'alt="{heading(path.stem)}' in page
    tables = {table["name"]: table["csv"] for table in data_of(page)["tables"]}
    for path in (finished / "tables").glob("*.csv"):
        assert path.stem == "history" or tables[path.stem] == path.read_text()
    assert "10·784 + 10" in tables["parameters"]
    assert not re.search(r"(src|href)=.?http|@import|url\(", page)


def test_what_tensorboard_shows(finished):
    tags, scalars, texts = set(), {}, {}
    for path in sorted(finished.glob("events.*")):
        events = EventAccumulator(str(path)).Reload()
        tags |= set(events.Tags()["images"])
        for tag in events.Tags()["scalars"]:
            scalars.setdefault(tag, []).extend((event.step, event.value) for event in events.Scalars(tag))
        for tag in events.Tags()["tensors"]:
            texts[tag] = events.Tensors(tag)[0].tensor_proto.string_val[0].decode()
        hparams = events.summary_metadata.get("_hparams_/experiment")
    assert {"confusion_matrix", "mistakes", "weights", "learning_curves"} <= tags
    assert [step for step, _ in scalars["train/loss"]] == list(range(1, 11))
    assert [step for step, _ in scalars["test/accuracy"]] == [5, 10]
    assert [step for step, _ in scalars["by_epoch/test/accuracy"]] == [1, 2]
    assert {"learning_rate", "samples_per_second", "test/accuracy_min", "train/loss_max"} <= set(scalars)
    assert scalars["learning_rate"][0][1] == pytest.approx(0.01)
    assert "hp_metric" not in scalars
    assert "_target_: hudyn.networks.NetLin" in texts["config/text_summary"]
    assert not (finished / "hparams.yaml").exists()
    first = EventAccumulator(str(sorted(finished.glob("events.*"))[0])).Reload()
    keys = first.summary_metadata
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(keys), hparams


def test_hparams_are_a_fixed_short_set_with_real_metrics(finished):
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    events = EventAccumulator(str(sorted(finished.glob("events.*"))[0])).Reload()

    def data(tag):
        return HParamsPluginData.FromString(events.summary_metadata[tag].plugin_data.content)

    experiment = data("_hparams_/experiment").experiment
    columns = [info.name.tag for info in experiment.metric_infos]
    assert columns[:2] == ["test/accuracy", "test/loss"]  # then those of other tasks
    shown = data("_hparams_/session_start_info").session_start_info.hparams
    assert set(shown) == {
        "experiment", "network", "optimizer", "lr", "momentum", "weight_decay", "batch_size", "epochs",
        "members", "seed",
    }  # fmt: skip
    assert shown["network"].string_value == "hudyn.networks.NetLin"


def test_the_terminal_shows_an_epoch_a_line_and_a_table(command):
    outcome = command(*SHORT)
    assert "epoch 2/2  train/loss" in outcome.out
    assert re.search(rf"test/accuracy +{outcome.values('test/accuracy')[0]:.4f}", outcome.out)
    assert outcome.folder.name in outcome.out
    assert outcome.err == ""


def test_no_figure_stays_open(command):
    command("debug=fast")
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_members_reproduce_their_solo_runs(command):
    together = command(*UNREPORTED, "experiment=kmnist_full", "model.network.hidden_size=20", "members=3", "seed=4")
    for member in range(3):
        solo = command(*UNREPORTED, "experiment=kmnist_full", "model.network.hidden_size=20", f"seed={4 + member}")
        for name in ("test/accuracy", "test/loss", "train/loss", "train/accuracy"):
            assert together.values(name)[member] == pytest.approx(solo.values(name)[0], rel=1e-5)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(command):
    first, again, other = (
        weights(command(*UNREPORTED, "data.shuffle=true", f"seed={seed}").folder) for seed in (1, 1, 2)
    )
    assert_same_weights(first, again)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_seed_zero_is_a_seed(command):
    assert_same_weights(weights(command(*UNREPORTED).folder), weights(command(*UNREPORTED, "seed=0").folder))


def test_updates_per_step_does_not_change_the_result(command):
    first, second = (weights(command(*UNREPORTED, f"data.updates_per_step={n}").folder) for n in (1, 4))
    assert_same_weights(first, second)


def test_overfit_reaches_every_image_of_its_batch(command):
    outcome = command("debug=overfit", "data.batch_size=16", "optimizer.lr=0.05")
    assert outcome.values("train/accuracy") == [1.0]


def test_profile_tells_where_the_time_went(command):
    outcome = command("debug=profile")
    assert "run_training_batch" in (outcome.folder / "fit-profile.txt").read_text()


def test_held_out_images_choose_the_best_member(command):
    outcome = command(*SHORT, "members=2", "data.validation_size=50")
    losses = outcome.values("val/loss")
    assert outcome.results["evaluation"]["best_member"] == losses.index(min(losses))
    assert outcome.results["evaluation"]["best_by"] == "lowest val/loss"


def test_an_epoch_without_evaluation_has_no_test_results(command):
    outcome = command(*UNREPORTED, "+trainer.check_val_every_n_epoch=2")
    history = rows(outcome.folder / "tables/history.csv")
    assert history[0]["test/accuracy"] == ""
    assert float(history[1]["test/accuracy"]) == pytest.approx(outcome.values("test/accuracy")[0])


def test_max_steps_stops_after_that_many_updates(command):
    outcome = command(*UNREPORTED, "+trainer.max_steps=3")
    assert outcome.status == 0, outcome.err
    assert outcome.results["time"]["updates"] == 3
    assert outcome.results["metrics"]["train/loss"]["mean"] > 0
    assert_same_weights(
        weights(outcome.folder), weights(command(*UNREPORTED, "trainer.max_epochs=1", "+trainer.limit_train_batches=3",
                                                 "data.updates_per_step=1").folder)
    )  # fmt: skip


def test_early_stopping_may_watch_a_measure(command):
    early = ["+callbacks.early._target_=lightning.pytorch.callbacks.EarlyStopping", "+callbacks.early.patience=1"]
    outcome = command(*UNREPORTED, *early, "+callbacks.early.monitor=val/loss", "+callbacks.early.min_delta=100",
                      "data.validation_size=50", "trainer.max_epochs=9")  # fmt: skip
    assert outcome.status == 0, outcome.err
    assert len(rows(outcome.folder / "tables/history.csv")) == 2


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_other_precisions(command, precision):
    outcome = command(*UNREPORTED, f"+trainer.precision={precision}")
    assert outcome.status == 0, outcome.err
    assert outcome.values("train/loss")[0] == pytest.approx(command(*UNREPORTED).values("train/loss")[0], rel=0.02)


def test_a_loss_that_is_not_finite_stops_the_run(command):
    outcome = command(*SHORT, "members=2", "optimizer.lr=1e38")
    assert outcome.status == 1
    assert "The loss of member 0 is" in outcome.err
    assert "at update 2." in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.results["status"] == "failed"
    assert "at update 2." in outcome.results["error"]
    page = (outcome.folder / "report.html").read_text()
    assert "What went wrong" in page
    assert "at update 2." in page


def test_missing_data_fails_without_a_traceback(command, tmp_path, monkeypatch):
    from torchvision import datasets

    def unreachable(root, download):
        raise OSError("no network")

    monkeypatch.setattr(datasets, "KMNIST", unreachable)
    outcome = command(*SHORT, "data.root=nowhere")
    assert outcome.status == 1
    assert "could not be fetched (no network)" in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.results["status"] == "failed"


def test_an_unforeseen_error_leaves_its_traceback_in_the_results(command, monkeypatch):
    from hudyn.tasks.characters import KMNISTDataModule

    monkeypatch.setattr(KMNISTDataModule, "prepare_data", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        command(*SHORT)
    (folder,) = run_folders(Path.cwd())
    results = json.loads((folder / "results.json").read_text())
    assert results["status"] == "failed"
    assert "ZeroDivisionError" in results["error"]


def test_a_folder_that_holds_a_run_is_not_written_over(command):
    first = command(*UNREPORTED)
    again = command(*UNREPORTED, f"hydra.run.dir={first.folder}", "seed=1")
    assert again.status == 2
    assert "holds a run already. Continue it with resume=" in again.err
    assert first.results["status"] == "done"
    assert first.results["seed"] == 0


def test_outputs_that_cannot_be_written(command, tmp_path):
    (tmp_path / "outputs").write_text("a file where the folder should be")
    outcome = command(*SHORT)
    assert outcome.status == 1
    assert "cannot be made: " in outcome.err
    assert "Traceback" not in outcome.err
    outcome = command(*SHORT, "hydra.run.dir=outputs/here")
    assert outcome.status == 1
    assert "Traceback" not in outcome.err
    assert "outputs" in outcome.err


# Sweeps ---------------------------------------------------------------------------------------------------------


def test_a_sweep_is_summed_up_also_where_jobs_fail(command, tmp_path):
    outcome = command(
        "-m",
        *UNREPORTED,
        "experiment=kmnist_full",
        "model.network.hidden_size=4,8",
        "optimizer.lr=0.01,1e38",
        "members=2",
    )
    assert outcome.status == 1
    assert "job 1 failed: The loss of member 0" in outcome.err
    assert "2 jobs of the sweep failed" in outcome.err
    (table,) = tmp_path.rglob("sweep.csv")
    assert table.parent.parent == tmp_path / "outputs" / "multirun" / "kmnist_full"
    jobs = rows(table)
    assert [job["job"] for job in jobs] == ["0", "1", "2", "3"]
    assert [job["status"] for job in jobs] == ["done", "failed", "done", "failed"]
    assert [job["model.network.hidden_size"] for job in jobs] == ["4", "4", "8", "8"]
    first = json.loads((table.parent / "0" / "results.json").read_text())["metrics"]["test/accuracy"]
    assert float(jobs[0]["test/accuracy"]) == pytest.approx(first["mean"])
    assert float(jobs[0]["test/accuracy_max"]) == pytest.approx(first["max"])
    assert jobs[1]["test/accuracy"] == ""
    assert (table.parent / "sweep.png").stat().st_size > 10_000


def test_a_sweep_over_experiments_is_named_after_them(command, tmp_path):
    command("-m", "experiment=kmnist_lin,kmnist_full", "debug=fast")
    (table,) = tmp_path.rglob("sweep.csv")
    assert table.parent.parent.name == "kmnist_lin+kmnist_full"
    assert [job["experiment"] for job in rows(table)] == ["kmnist_lin", "kmnist_full"]


def test_a_sweep_that_is_interrupted_is_summed_up_and_its_job_resumed(command, small_data, tmp_path):
    folder = tmp_path / "sweep"
    process = start(None, "-m", "seed=0,1", f"hydra.sweep.dir={folder}", *LONG, data=small_data)
    history = folder / "0" / "tables" / "history.csv"
    wait_for(lambda: history.exists(), process)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143
    assert [job["status"] for job in rows(folder / "sweep.csv")] == ["interrupted", "waiting"]
    assert command(f"resume={folder / '0'}", "trainer.max_epochs=3").status == 0
    assert [job["status"] for job in rows(folder / "sweep.csv")] == ["done", "waiting"]


# Resuming and evaluating ----------------------------------------------------------------------------------------


def start(folder, *arguments, data, largest_file=None):
    """A run in a process of its own, which may be kept from writing files larger than `largest_file` bytes."""
    place = [f"hydra.run.dir={folder}"] if folder else []
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *arguments, *place, "experiment=kmnist_lin"],
        env=os.environ | {"HUDYN_DATA": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=largest_file and (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))),
    )


def wait_for(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


LONG = ["trainer.max_epochs=20", "data.batch_size=4", "data.updates_per_step=3", "data.shuffle=true", "members=2",
        "~report.evaluation"]  # fmt: skip


@pytest.fixture(scope="module")
def uninterrupted(small_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    return train_here(folder, small_data, *LONG, "experiment=kmnist_lin")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_resumes_to_the_same_bits(command, small_data, tmp_path, uninterrupted, number, status):
    folder = tmp_path / "run"
    process = start(folder, *LONG, "callbacks.checkpoint.interval=0.05", data=small_data)
    history = folder / "tables" / "history.csv"
    wait_for(lambda: history.exists() and len(history.read_text().splitlines()) > 10, process)
    process.send_signal(number)
    _, told = process.communicate()
    assert process.returncode == status
    results = json.loads((folder / "results.json").read_text())
    assert results["status"] == ("running" if number == signal.SIGKILL else "interrupted")
    assert (f"continue with: python {ROOT / 'train.py'} resume={folder}" in told) == (number != signal.SIGKILL)
    before = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert 0 < before < 20 * 75
    outcome = command(f"resume={folder}")
    assert outcome.status == 0, outcome.err
    assert_same_weights(weights(folder), weights(uninterrupted))
    assert history.read_text() == (uninterrupted / "tables" / "history.csv").read_text()
    results = json.loads((folder / "results.json").read_text())
    assert (results["status"], results["time"]["updates"]) == ("done", 20 * 75)
    assert len(run_folders(tmp_path)) == 1


def test_a_run_killed_at_its_very_start_can_be_resumed(command, small_data, tmp_path, finished):
    folder = tmp_path / "run"
    process = start(folder, *SHORT, "members=3", data=small_data)
    wait_for(lambda: (folder / "results.json").exists(), process)
    process.kill()
    process.communicate()
    assert not (folder / "checkpoints").exists()
    assert command(f"resume={folder}").status == 0
    assert_same_weights(weights(folder), weights(finished))


def test_a_checkpoint_that_cannot_be_written_costs_nothing(command, small_data, tmp_path, finished):
    folder = tmp_path / "run"
    process = start(folder, *SHORT, "members=3", data=small_data, largest_file=50_000)
    _, told = process.communicate()
    assert process.returncode == 1
    assert "last.ckpt could not be written: File too large." in told
    assert "Traceback" not in told
    assert json.loads((folder / "results.json").read_text())["status"] == "failed"
    assert not list(folder.rglob("*.part"))
    assert command(f"resume={folder}").status == 0
    assert_same_weights(weights(folder), weights(finished))


def test_a_run_killed_before_its_first_checkpoint_starts_again(command, finished, tmp_path):
    (tmp_path / "run").mkdir()
    shutil.copy(finished / "config.yaml", tmp_path / "run")
    outcome = command("resume=run")
    assert outcome.status == 0, outcome.err
    assert_same_weights(weights(tmp_path / "run"), weights(finished))


def test_resuming_a_finished_run_changes_nothing(command, tmp_path):
    outcome = command(*UNREPORTED, "members=2")
    before = weights(outcome.folder)
    results = outcome.results
    again = command(f"resume={outcome.folder}")
    assert again.status == 0, again.err
    assert "is trained to its end, 2 epochs" in again.out
    assert_same_weights(before, weights(outcome.folder))
    assert outcome.results["metrics"] == results["metrics"]


def test_a_finished_run_can_be_trained_longer(command):
    short = command(*UNREPORTED).folder
    assert command(f"resume={short}", "trainer.max_epochs=4").status == 0
    long = command(*UNREPORTED, "trainer.max_epochs=4").folder
    assert_same_weights(weights(short), weights(long))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["resume=nowhere"], 2, "There is no folder nowhere"),
        (["resume={run}", "optimizer.lr=1"], 2, "the run keeps its optimizer.lr; what may change: trainer."),
        (["resume={run}/.."], 2, "runs; name one of them. The latest: "),
        (
            ["resume={run}", "trainer.max_epochs=1"],
            2,
            "is trained for 2 epochs, more than trainer.max_epochs=1; give a larger trainer.max_epochs to train on.",
        ),
        (["resume={run}", "trainer.max_epoch=3"], 2, "did you mean max_epochs?"),
    ],
)
def test_what_cannot_be_resumed(command, finished, arguments, status, message):
    outcome = command(*(argument.format(run=finished) for argument in arguments))
    assert outcome.status == status
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_a_run_that_is_being_trained_is_not_trained_a_second_time(command, finished):
    """Nor continued while it is started; processes of further devices belong to the first."""
    with Run(finished).claimed():
        for arguments in ([f"resume={finished}"], [*UNREPORTED, f"hydra.run.dir={finished}"]):
            outcome = command(*arguments)
            assert outcome.status == 2
            holder = f"process {os.getpid()} on {platform.node()}"
            assert f"{finished} is being trained by {holder}; wait for it or stop it." in outcome.err
        with pytest.raises(HudynError, match=r"is being trained by"):
            hudyn.resume(finished)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("LOCAL_RANK", "1")
            with Run(finished).claimed():
                pass
    with Run(finished).claimed():
        pass


def test_evaluation_gives_the_results_of_the_run(command, finished):
    results = json.loads((finished / "results.json").read_text())
    outcome = command(f"run={finished}", program="eval", draws=True)
    assert outcome.status == 0, outcome.err
    (folder,) = (finished / "evaluations").iterdir()
    evaluated = json.loads((folder / "results.json").read_text())
    assert evaluated["metrics"] == results["metrics"]
    assert evaluated["evaluation"] == results["evaluation"]
    assert (folder / "figures" / "confusion_matrix.png").is_file()
    assert json.loads((finished / "results.json").read_text()) == results


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "usage: eval.py run=<folder of a run>"),
        (["run=nowhere"], 2, "There is no folder nowhere"),
        (["run={run}", "data.batchsize=3"], 2, "did you mean batch_size?"),
        (["run={run}", "members=4"], 2, "the run keeps its members"),
    ],
)
def test_what_cannot_be_evaluated(command, finished, arguments, status, message):
    outcome = command(*(argument.format(run=finished) for argument in arguments), program="eval")
    assert outcome.status == status
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_a_run_folder_does_not_say_whom_to_trust(command, finished, tmp_path):
    import shutil

    folder = shutil.copytree(finished, tmp_path / "theirs")
    config = (folder / "config.yaml").read_text()
    config = config.replace("allowed_targets: []", "allowed_targets: [os]")
    target = tmp_path / "made_by_a_config"
    config = config.replace("callbacks:\n", f"callbacks:\n  extra:\n    _target_: os.makedirs\n    name: {target}\n")
    (folder / "config.yaml").write_text(config)
    for program, key in (("eval", "run"), ("train", "resume")):
        outcome = command(f"{key}={folder}", program=program)
        assert outcome.status == 2
        assert "os.makedirs is not in an allowed package" in outcome.err
    assert not target.exists()


# Several devices ------------------------------------------------------------------------------------------------


def test_two_devices_train_what_one_does(command, small_data, tmp_path):
    settings = [*UNREPORTED, "trainer.accelerator=cpu", "data.batch_size=7"]
    process = start(tmp_path / "2", *settings, "trainer=ddp", "trainer.devices=2", data=small_data)
    alone = command(*settings)
    _, told = process.communicate()
    assert process.returncode == 0, told
    evaluated = command(f"run={tmp_path / '2'}", program="eval")
    assert evaluated.status == 0, evaluated.err
    assert len(list((tmp_path / "2" / "evaluations").iterdir())) == 1
    for name, expected in weights(alone.folder).items():
        torch.testing.assert_close(weights(tmp_path / "2")[name], expected, rtol=1e-4, atol=1e-6)
    measures = json.loads((tmp_path / "2" / "results.json").read_text())["metrics"]
    for name, measure in alone.results["metrics"].items():
        assert math.isclose(measures[name]["mean"], measure["mean"], rel_tol=1e-5)


def test_processes_of_other_devices_end_with_the_first(small_data, tmp_path):
    """Where the first process is killed, those that Lightning started end too: they hold its output open until then."""
    settings = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
    process = start(tmp_path / "run", *LONG, "members=1", *settings, data=small_data)
    history = tmp_path / "run" / "tables" / "history.csv"
    wait_for(lambda: history.exists(), process)
    process.kill()
    process.communicate(timeout=30)
