import errno
import json
import math
import os
import shutil
import threading
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from hudyn.errors import HudynError
from hudyn.metrics.kinds import MeasureKind
from hudyn.metrics.measure import Measure
from hudyn.run.checkpoint import AtomicCheckpointIO, load_checkpoint
from hudyn.run.folder import atomic_write, claim_folder, is_locked
from hudyn.run.record import Record
from hudyn.run.run import Run


def full_disk(*arguments, **keywords):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write("new")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_of_and_costs_nothing_already_there(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    writer = AtomicCheckpointIO()
    writer.save_checkpoint({"step": 1}, path)
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(HudynError, match=r"last.ckpt could not be written: No space left on device"):
        writer.save_checkpoint({"step": 2}, path)
    assert load_checkpoint(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_folders_claimed_at_the_same_time_are_different(tmp_path):
    found = []
    wanted = str(tmp_path / "kmnist_lin" / "2026-01-31_12-00-00")
    threads = [threading.Thread(target=lambda: found.append(claim_folder(wanted))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted({wanted, *(f"{wanted}-{n}" for n in range(2, 9))})


def test_where_there_are_no_locks_a_run_is_trained_all_the_same(tmp_path, monkeypatch):
    def no_locks(*arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    with Run(tmp_path).claimed():
        assert not is_locked(Run(tmp_path).lock)


def test_results_are_json_whatever_the_numbers(tmp_path):
    run = Run(tmp_path)
    run.config = OmegaConf.create()
    run.record.metrics = {
        "test/loss": Measure(torch.tensor([1.0, math.inf])),
        "test/first": Measure(torch.tensor([math.nan, math.nan]), MeasureKind.TIME),
    }
    run.save()
    run.record.status = "failed"
    run.save()
    text = (tmp_path / "results.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    results = json.loads(text)
    assert results["status"] == "failed"
    loss, first = results["metrics"].values()
    assert (loss["mean"], loss["min"], loss["max"], loss["values"]) == (None, 1.0, None, [1.0, None])
    assert first == {"kind": "time", "mean": None, "min": None, "max": None, "values": [None, None]}


def test_a_record_comes_back_with_the_kinds_of_its_measures(tmp_path):
    path = tmp_path / "results.json"
    record = Record("srn_anb2n", seed=3, members=2, tags=["a"], status="done", parts={"evaluation": {"best_member": 1}})
    record.metrics = {
        "test/solved": Measure(torch.tensor([True, False]), MeasureKind.RATE),
        "test/first_success": Measure(torch.tensor([2000.0, math.nan]), MeasureKind.TIME),
    }
    path.write_text(record.to_json())
    again = Record.read(path)
    assert {name: measure.kind for name, measure in again.metrics.items()} == {
        "test/solved": "rate",
        "test/first_success": "time",
    }
    assert again.metrics["test/solved"].interval == record.metrics["test/solved"].interval
    assert again.to_json() == record.to_json()


def test_results_of_an_earlier_version_have_their_rates(tmp_path):
    old = {"metrics": {"test/solved": {"mean": 0.5, "interval": [0.1, 0.9], "values": [1.0, 0.0]}}}
    (tmp_path / "results.json").write_text(json.dumps(old))
    assert Record.read(tmp_path / "results.json").metrics["test/solved"].kind == "rate"


def test_the_experiment_of_a_run_of_an_earlier_version_is_its_name(tmp_path):
    (tmp_path / "config.yaml").write_text("name: mine\nreport: {}\n")
    (tmp_path / "results.json").write_text('{"experiment": "mine", "status": "done"}')
    run = Run.open(tmp_path)
    assert (run.config.experiment, run.record.name) == ("mine", "mine")


def test_a_summary_counts_the_members_that_have_a_value():
    summary = Measure(torch.tensor([4.0, math.nan, 1.0, 2.0, 3.0, 5.0])).record()
    assert (summary["mean"], summary["min"], summary["max"]) == (3.0, 1.0, 5.0)
    assert summary["quartiles"] == [2.0, 3.0, 4.0]
    assert len(summary["values"]) == 6


def test_a_summary_of_a_success_has_the_interval_of_its_rate():
    summary = Measure(torch.tensor([True] * 8 + [False] * 2), MeasureKind.RATE).record()
    assert summary["mean"] == 0.8
    assert summary["interval"] == pytest.approx([0.4902, 0.9433], abs=1e-4)
    assert summary["values"] == [1.0] * 8 + [0.0] * 2


def test_config_and_results_come_back(tmp_path):
    run = Run(tmp_path)
    run.config = OmegaConf.create({"seed": 3, "data": {"seed": "${seed}"}, "report": {}})
    run.save_config()
    assert Run.open(tmp_path).config.data.seed == 3
    assert OmegaConf.load(tmp_path / "config.yaml").data.seed == 3


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(HudynError, match=r"holds no run: it has no config.yaml"):
        Run.open(tmp_path)


def test_damaged_results_are_named(tmp_path):
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(HudynError, match=r"results.json cannot be read"):
        _ = Run(tmp_path).record


class Payload:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return print, ("code from a checkpoint",)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path, capsys):
    torch.save({"state_dict": {}, "extra": Payload()}, tmp_path / "last.ckpt")
    with pytest.raises(HudynError, match=r"is refused: it holds more than tensors and plain values"):
        load_checkpoint(tmp_path / "last.ckpt")
    assert "code from a checkpoint" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "damage", [lambda content: content[: len(content) // 2], lambda content: b"nonsense", lambda _: b""]
)
def test_a_damaged_checkpoint_is_told_of(tmp_path, damage):
    path = tmp_path / "last.ckpt"
    torch.save({"weights": torch.zeros(100)}, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(HudynError, match=r"last.ckpt is damaged and cannot be loaded"):
        load_checkpoint(path)


def test_a_missing_checkpoint_is_told_of(tmp_path):
    with pytest.raises(HudynError, match=r"was stopped before its first checkpoint"):
        load_checkpoint(tmp_path / "last.ckpt")


@pytest.fixture
def damaged(finished, tmp_path):
    """A copy of the finished run, to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "damaged"))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def flip_a_bit(path):
    weights = torch.load(path, weights_only=True)["state_dict"]["population.network.output.weight"]
    content = bytearray(path.read_bytes())
    content[content.index(weights.numpy().tobytes()) + 1000] ^= 1 << 6
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def give_other_shapes(path):
    checkpoint = torch.load(path, weights_only=True)
    state = checkpoint["state_dict"]
    state["population.network.output.weight"] = state["population.network.output.weight"][..., :10]
    torch.save(checkpoint, path)


def diverge(path):
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["state_dict"]["population.network.output.bias"].fill_(torch.nan)
    torch.save(checkpoint, path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (Path.unlink, "does not exist"),
        (truncate, "is damaged"),
        (flip_a_bit, "is damaged"),
        (give_other_shapes, "does not fit the run's config"),
        (diverge, "weights that are not finite"),
    ],
)
def test_a_bad_checkpoint_is_named_and_nothing_is_written(command, damaged, damage, message):
    damage(damaged / "checkpoints" / "last.ckpt")
    before = contents(damaged)
    outcome = command(f"run={damaged}", program="eval")
    assert outcome.status == 1
    assert message in outcome.err
    assert "last.ckpt" in outcome.err
    assert "Traceback" not in outcome.err
    assert contents(damaged) == before
    if damage is not Path.unlink:  # without a checkpoint, a run begins again
        outcome = command(f"resume={damaged}", "trainer.max_epochs=3")
        assert outcome.status == 1
        assert message in outcome.err
        assert "Traceback" not in outcome.err


def test_a_run_of_the_earlier_format_opens_evaluates_and_resumes(command, damaged):
    """Version 0.1 named modules by kind, made reports callbacks, and left a measure's kind to be guessed."""
    config = OmegaConf.load(damaged / "config.yaml")
    config.data._target_ = "hudyn.data.KMNISTDataModule"
    config.model._target_ = "hudyn.modules.ImageClassifier"
    config.logger.tensorboard._target_ = "hudyn.loggers.TensorBoard"
    del config.report
    config.callbacks = {
        "progress": {"_target_": "hudyn.callbacks.Progress"},
        "results": {"_target_": "hudyn.callbacks.Results"},
        "checkpoint": {"_target_": "hudyn.callbacks.Checkpoint", "interval": 60},
        "report": {"_target_": "hudyn.callbacks.ImageReporter"},
    }
    OmegaConf.save(config, damaged / "config.yaml")
    results = json.loads((damaged / "results.json").read_text())
    for measure in results["metrics"].values():
        del measure["kind"]
    (damaged / "results.json").write_text(json.dumps(results))
    checkpoint = torch.load(damaged / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["callbacks"]["Results"] = checkpoint["callbacks"].pop("History")
    torch.save(checkpoint, damaged / "checkpoints" / "last.ckpt")

    outcome = command(f"run={damaged}", program="eval")
    assert outcome.status == 0, outcome.err
    (evaluation,) = (damaged / "evaluations").iterdir()
    again = json.loads((evaluation / "results.json").read_text())
    assert again["metrics"]["test/loss"]["values"] == results["metrics"]["test/loss"]["values"]
    assert command(f"resume={damaged}", "trainer.max_epochs=3").status == 0
    assert len(Run.open(damaged).history) == 3 * 3
