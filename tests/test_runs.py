import errno
import json
import math
import os
import threading

import pytest
import torch
from omegaconf import OmegaConf

from hudyn.errors import HudynError
from hudyn.run.checkpoint import AtomicCheckpointIO, load_checkpoint
from hudyn.run.folder import Run, atomic_write, claim_folder, summaries, summary


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


def test_results_are_json_whatever_the_numbers(tmp_path):
    run = Run(tmp_path)
    measures = {"test/loss": torch.tensor([1.0, math.inf]), "test/first": torch.tensor([math.nan, math.nan])}
    run.update_results(status="running", metrics=summaries(measures))
    run.update_results(status="failed")
    text = (tmp_path / "results.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    results = json.loads(text)
    assert results["status"] == "failed"
    loss, first = results["metrics"].values()
    assert (loss["mean"], loss["min"], loss["max"], loss["values"]) == (None, 1.0, None, [1.0, None])
    assert first == {"mean": None, "min": None, "max": None, "values": [None, None]}


def test_a_summary_counts_the_members_that_have_a_value():
    found = summary(torch.tensor([4.0, math.nan, 1.0, 2.0, 3.0, 5.0]))
    assert (found["mean"], found["min"], found["max"], found["quartiles"]) == (3.0, 1.0, 5.0, [2.0, 3.0, 4.0])
    assert len(found["values"]) == 6


def test_a_summary_of_a_success_has_the_interval_of_its_rate():
    found = summary(torch.tensor([True] * 8 + [False] * 2))
    assert found["mean"] == 0.8
    assert found["interval"] == pytest.approx([0.4902, 0.9433], abs=1e-4)
    assert found["values"] == [1.0] * 8 + [0.0] * 2


def test_config_and_results_come_back(tmp_path):
    run = Run(tmp_path)
    run.config = OmegaConf.create({"seed": 3, "data": {"seed": "${seed}"}})
    assert Run.open(tmp_path).config.data.seed == 3
    assert OmegaConf.load(tmp_path / "config.yaml").data.seed == 3


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(HudynError, match=r"holds no run: it has no config.yaml"):
        Run.open(tmp_path)


def test_damaged_results_are_named(tmp_path):
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(HudynError, match=r"results.json cannot be read"):
        _ = Run(tmp_path).results


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
