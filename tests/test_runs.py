import errno
import json
import os
import threading

import pytest
import torch
from omegaconf import OmegaConf

from hudyn.callbacks.checkpoint import AtomicCheckpointIO, load_checkpoint
from hudyn.errors import HudynError
from hudyn.runs import Run, atomic_write, claim_folder, summary


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
    run.update_results(status="running", metrics={"test/loss": summary(torch.tensor([1.0, float("nan")]))})
    run.update_results(status="failed")
    text = (tmp_path / "results.json").read_text()
    assert "NaN" not in text
    assert json.loads(text) == {
        "status": "failed",
        "metrics": {"test/loss": {"mean": None, "min": None, "max": None, "values": [1.0, None]}},
    }


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
