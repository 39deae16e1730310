"""Sweeps: every job once, a table that is complete however they end, and what is missing run later."""

import csv
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from hudyn.metrics.success import wilson_interval
from hudyn.sweep.record import Sweep
from hudyn.sweep.results import write_results

from .conftest import ROOT
from .test_train import wait_for

BRIEF = ["experiment=check_sigmoid", "members=2", "logger=none", "~report.evaluation"]


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def in_table(folder, key):
    """What sweep.json and sweep.csv say of each job."""
    jobs = json.loads((folder / "sweep.json").read_text())["jobs"]
    assert [job["status"] for job in jobs] == [row["status"] for row in rows(folder / "sweep.csv")]
    return [job.get(key) for job in jobs]


def test_a_killed_sweep_is_resumed_and_nothing_runs_twice(command, tmp_path):
    folder = tmp_path / "sweep"
    grid = ["model.network.hidden_size=2,3", "optimizer.lr=1e38,0.001"]  # the first of each pair fails
    slow = ["trainer.max_steps=2000", "data.evaluation_interval=100", "data.updates_per_step=100",
            "model.kernel=reference", "callbacks.checkpoint.interval=0.01"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, ROOT / "train.py", "-m", *BRIEF, *grid, *slow, f"hydra.sweep.dir={folder}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    threading.Thread(target=process.stdout.read, daemon=True).start()
    history = folder / "1" / "tables" / "history.csv"
    checkpoint = folder / "1" / "checkpoints" / "last.ckpt"
    wait_for(checkpoint.exists, process)
    process.kill()
    process.wait()
    reached = torch.load(checkpoint, weights_only=True)["global_step"]
    assert 0 < reached < 2000
    assert in_table(folder, "status")[0] == "failed"
    failed_at = (folder / "0" / "results.json").stat().st_mtime_ns
    outcome = command(f"resume_sweep={folder}")
    assert outcome.status == 1
    assert in_table(folder, "status") == ["failed", "done", "failed", "done"]
    assert (folder / "0" / "results.json").stat().st_mtime_ns == failed_at
    assert int(re.search(r"update ([\d,]+)/2,000", outcome.out)[1].replace(",", "")) > reached
    assert {int(row["update"]) for row in rows(history)} == set(range(100, 2001, 100))
    assert "hudyn: job 2 failed: The loss of member 0" in outcome.err
    assert "2 jobs of the sweep failed" in outcome.err
    assert "  0 (model.network.hidden_size=2 optimizer.lr=1e+38): The loss of member 0" in outcome.err
    ended_at = [path.stat().st_mtime_ns for path in sorted(folder.glob("*/results.json"))]
    assert command(f"resume_sweep={folder}").status == 1
    assert [path.stat().st_mtime_ns for path in sorted(folder.glob("*/results.json"))] == ended_at


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["resume_sweep=nowhere"], "nowhere holds no sweep: there is no such folder."),
        (["resume_sweep=."], "holds no sweep: it has no sweep.json"),
        (["resume_sweep=begun", "members=3"], "a sweep keeps its settings"),
        (["resume_sweep=begun"], "the sweep was started with mine; give it again"),
    ],
)
def test_what_cannot_be_resumed_is_refused(command, tmp_path, arguments, told):
    (tmp_path / "begun").mkdir()
    sweep = Sweep(tmp_path / "begun", "check_sigmoid", "train/solved", BRIEF, "mine", ["seed"], [{"seed": "0"}])
    write_results(sweep)
    outcome = command(*arguments)
    assert outcome.status != 0
    assert told in outcome.err
    assert "Traceback" not in outcome.err


def make_job(sweep: Sweep, number: int, seed: int, solved: list[float], status: str = "done") -> None:
    measure = {"kind": "rate", "mean": sum(solved) / len(solved), "min": 0, "max": 1, "values": solved}
    measure["interval"] = wilson_interval(int(sum(solved)), len(solved))
    folder = sweep.job_folder(number)
    folder.mkdir(parents=True)
    record = {"status": status, "seed": seed, "members": len(solved), "metrics": {"test/solved": measure}}
    (folder / "results.json").write_text(json.dumps(record))


def a_sweep(folder: Path, jobs: list[dict[str, str]]) -> Sweep:
    swept = [key for key in jobs[0] if len({job[key] for job in jobs}) > 1]
    return Sweep(folder, "srn_anb2n", "test/solved", ["experiment=srn_anb2n"], None, swept, jobs)


def test_jobs_that_differ_only_in_disjoint_seeds_are_one_population(tmp_path):
    sweep = a_sweep(tmp_path, [{"optimizer.lr": lr, "seed": seed} for lr in ("0.1", "0.2") for seed in ("0", "4")])
    make_job(sweep, 0, 0, [1.0, 0.0, 1.0, 1.0])
    make_job(sweep, 1, 4, [0.0, 0.0, 1.0, 1.0])
    make_job(sweep, 2, 0, [1.0, 0.0, 0.0, 0.0, 0.0])  # seeds 0 to 4
    make_job(sweep, 3, 4, [1.0, 0.0])  # seeds 4 and 5
    write_results(sweep)
    (population,) = rows(tmp_path / "populations.csv")
    assert (population["job"], population["members"], population["optimizer.lr"]) == ("0 1", "8", "0.1")
    assert float(population["test/solved"]) == 5 / 8
    low, high = wilson_interval(5, 8)
    assert float(population["test/solved_low"]) == pytest.approx(low, rel=1e-6)
    assert float(population["test/solved_high"]) == pytest.approx(high, rel=1e-6)
    assert [row["test/solved"] for row in rows(tmp_path / "sweep.csv")] == ["0.75", "0.5", "0.2", "0.5"]


def test_jobs_that_end_at_once_in_several_processes_are_all_in_the_table(tmp_path):
    """Each process writes what it sees; the one that writes last sees all."""
    sweep = a_sweep(tmp_path, [{"optimizer.lr": str(number)} for number in range(24)])
    write_results(sweep)
    script = (
        "import sys; from pathlib import Path; from tests.test_sweeps import *\n"
        "for number in range(int(sys.argv[2]), 24, 3):\n"
        "    sweep = Sweep.open(Path(sys.argv[1])); make_job(sweep, number, 0, [1.0, 0.0]); write_results(sweep)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, tmp_path, str(n)], cwd=ROOT) for n in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert in_table(tmp_path, "status") == ["done"] * 24


def test_a_big_sweep_is_not_written_after_every_job(tmp_path):
    sweep = a_sweep(tmp_path, [{"optimizer.lr": str(number)} for number in range(40)])
    for number in range(39):
        make_job(sweep, number, 0, [1.0, 0.0])
    write_results(sweep)
    before = (tmp_path / "sweep.html").stat().st_mtime_ns
    make_job(sweep, 39, 0, [1.0, 0.0])
    write_results(sweep, always=False)
    assert (tmp_path / "sweep.html").stat().st_mtime_ns == before
    write_results(sweep)
    assert in_table(tmp_path, "status") == ["done"] * 40
