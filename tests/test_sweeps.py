"""Sweeps: every job once, a table that is complete however they end, and what is missing run later."""

import csv
import json
import multiprocessing
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hudyn.metrics.kinds import wilson_interval
from hudyn.run.run import Run
from hudyn.sweep import results
from hudyn.sweep.record import Sweep
from hudyn.sweep.results import write_results

from .conftest import ROOT
from .test_train import wait_for

BRIEF = ["experiment=check_sigmoid", "members=2", "logger=none", "~report.evaluation"]


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def updates_in(checkpoint):
    return torch.load(checkpoint, weights_only=True)["global_step"]


def in_table(folder, key):
    """What sweep.json and sweep.csv say of each job."""
    jobs = json.loads((folder / "sweep.json").read_text())["jobs"]
    assert [job["status"] for job in jobs] == [row["status"] for row in rows(folder / "sweep.csv")]
    return [job.get(key) for job in jobs]


def test_a_killed_sweep_is_resumed_and_nothing_runs_twice(command, tmp_path):
    folder = tmp_path / "sweep"
    grid = ["model.network.hidden_size=2,3", "optimizer.lr=1e38,0.001"]  # the first of each pair fails
    slow = ["trainer.max_steps=1000", "data.evaluation_interval=50", "data.updates_per_step=50",
            "model.kernel=reference", "callbacks.checkpoint.interval=0.01"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, ROOT / "train.py", "-m", *BRIEF, *grid, *slow, f"hydra.sweep.dir={folder}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    history = folder / "1" / "tables" / "history.csv"
    checkpoint = folder / "1" / "checkpoints" / "last.ckpt"
    wait_for(lambda: checkpoint.exists() and updates_in(checkpoint) >= 150, process)
    process.kill()
    process.wait()
    reached = updates_in(checkpoint)
    assert reached < 1000
    assert in_table(folder, "status")[0] == "failed"
    failed_at = (folder / "0" / "results.json").stat().st_mtime_ns
    outcome = command(f"resume_sweep={folder}")
    assert outcome.status == 1
    assert in_table(folder, "status") == ["failed", "done", "failed", "done"]
    assert (folder / "0" / "results.json").stat().st_mtime_ns == failed_at
    assert int(re.search(r"update ([\d,]+)/1,000", outcome.out)[1].replace(",", "")) >= reached  # it goes on
    assert [int(row["update"]) for row in rows(history)[::2]] == list(range(50, 1001, 50))
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
    assert outcome.status == 2
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


def end_jobs(folder: Path, numbers: range) -> None:
    sweep = Sweep.open(folder)
    for number in numbers:
        make_job(sweep, number, 0, [1.0, 0.0])
        write_results(sweep)


def test_jobs_that_end_at_once_in_several_processes_are_all_in_the_table(tmp_path):
    """Each process writes what it sees; the one that writes last sees all."""
    write_results(a_sweep(tmp_path, [{"optimizer.lr": str(number)} for number in range(24)]))
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=end_jobs, args=(tmp_path, range(first, 24, 3))) for first in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert in_table(tmp_path, "status") == ["done"] * 24


def test_a_big_sweep_is_not_written_after_every_job(tmp_path, monkeypatch):
    sweep = a_sweep(tmp_path, [{"optimizer.lr": str(number)} for number in range(40)])
    for number in range(39):
        make_job(sweep, number, 0, [1.0, 0.0])
    write_results(sweep)
    before = (tmp_path / "sweep.html").stat().st_mtime_ns
    make_job(sweep, 39, 0, [1.0, 0.0])
    monkeypatch.setattr(results, "AT_ONCE", 0.0)
    write_results(sweep, always=False)
    assert (tmp_path / "sweep.html").stat().st_mtime_ns == before
    monkeypatch.undo()
    write_results(sweep, always=False)
    assert in_table(tmp_path, "status") == ["done"] * 40


# Sweeps trained as one population ------------------------------------------------------------------------------------

SEQUENCES = ["experiment=srn_anb2n", "trainer.max_steps=300", "data.evaluation_interval=100",
             "data.evaluation_sequences=20", "logger=none", "threads=1"]  # fmt: skip


def same(one, other) -> bool:
    """Whether two parts of checkpoints have the same bits."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one.nan_to_num(), other.nan_to_num())
    if isinstance(one, dict):
        return set(one) == set(other) and all(same(one[key], other[key]) for key in one if key != "fit_seconds")
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize("members", [1, 2])
def test_fused_jobs_are_those_of_runs_of_their_own(command, tmp_path, members):
    """Weights, optimizer, history and measures, to the last bit; figures and tables when they are asked for."""
    swept = [f"members={members}", "optimizer=adam", "optimizer.lr=0.01,0.02", f"seed={3},{3 + members}",
             "~callbacks.progress"]  # fmt: skip
    assert command("-m", *SEQUENCES, *swept, "sweep=fused", "hydra.sweep.dir=fused").status == 0
    alone = [f"members={members}", "optimizer=adam", "optimizer.lr=0.02", f"seed={3 + members}",
             "~callbacks.progress=null", "sweep=fused"]  # fmt: skip
    assert command(*SEQUENCES, *alone, "hydra.run.dir=alone").status == 0
    job, run = tmp_path / "fused" / "3", tmp_path / "alone"
    load = [torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True) for folder in (job, run)]
    assert same(*load)
    for name in ("config.yaml", "tables/history.csv"):
        assert (job / name).read_text() == (run / name).read_text()
    assert Run(job).arguments == Run(run).arguments
    results = [json.loads((folder / "results.json").read_text()) for folder in (job, run)]
    assert results[0]["metrics"] == results[1]["metrics"]
    assert [row["status"] for row in rows(tmp_path / "fused" / "sweep.csv")] == ["done"] * 4
    assert not (tmp_path / "fused" / "population").exists()
    assert "report.py run=" in (job / "report.html").read_text()
    assert command(f"run={job}", program="report").status == 0
    assert {path.name for path in job.glob("[!.]*/*")} == {path.name for path in run.glob("[!.]*/*")}
    for name in ("members", "parameters"):
        assert (job / "tables" / f"{name}.csv").read_text() == (run / "tables" / f"{name}.csv").read_text()
    reported = json.loads((job / "results.json").read_text())
    assert reported["evaluation"] == results[1]["evaluation"]
    assert reported["dynamics"] == results[1]["dynamics"]


@pytest.mark.parametrize(
    ("swept", "told"),
    [
        (["model.network.hidden_size=2,3"], "numbers of the optimizer or the network"),
        (["seed=0,5"], "seeds that follow one another with members=1, got 0, 5"),
        (["optimizer.lr=0.1,0.2", "scheduler=cosine"], "no schedule of the learning rate"),
        (["optimizer.lr=0.1,0.2", "model.kernel=reference"], "the numba kernel"),
        (["optimizer.lr=0.1,0.2", "callbacks=early_stopping"], "no further callbacks"),
        (["optimizer.nesterov=true,false"], "numbers, got optimizer.nesterov"),
    ],
)
def test_a_sweep_that_cannot_be_fused_says_why(command, swept, told):
    outcome = command("-m", *SEQUENCES, "members=1", *swept, "sweep=fused")
    assert outcome.status == 2
    assert told in outcome.err


def test_a_job_that_fails_in_a_fused_sweep_stops_no_other(command, tmp_path):
    outcome = command("-m", *SEQUENCES, "members=1", "optimizer.lr=0.01,1e38", "~report.dynamics",
                      "~report.evaluation", "hydra.sweep.dir=sweep")  # fmt: skip
    assert outcome.status == 1
    assert in_table(tmp_path / "sweep", "status") == ["done", "failed"]
    assert "hudyn: job 1 failed: The loss of member 0" in outcome.err


def test_a_fused_sweep_that_was_stopped_goes_on(command, tmp_path, monkeypatch):
    from hudyn.run import training

    fit = training.Trainer.fit

    def stopped(trainer, *arguments, **settings):
        fit(trainer, *arguments, **settings)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training.Trainer, "fit", stopped)
        outcome = command("-m", *SEQUENCES, "members=1", "optimizer.lr=0.01,0.02", "hydra.sweep.dir=sweep")
    assert outcome.status == 130
    assert "train.py resume_sweep=sweep" in outcome.err
    assert in_table(tmp_path / "sweep", "status") == ["waiting", "waiting"]
    with Run(tmp_path / "sweep" / "population").claimed():
        outcome = command("resume_sweep=sweep")
    assert outcome.status == 2
    assert "population is being trained by process" in outcome.err
    assert command("resume_sweep=sweep").status == 0
    assert in_table(tmp_path / "sweep", "status") == ["done", "done"]
