"""What the jobs of a sweep run on: a process that is lost takes no other with it, and its job is launched again."""

import importlib.util
import json
import os
import signal
import stat
from functools import partial
from pathlib import Path

import pytest

from hudyn.cli.launch import TRIES, launch
from hudyn.config.hydra_adapter import Job
from hudyn.sweep.engines import Engine, Joblib, Ray, Submitit
from hudyn.sweep.record import Sweep

from .test_sweeps import BRIEF, in_table


def needs(package: str, extra: str) -> pytest.MarkDecorator:
    absent = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(absent, reason=f"needs {package}: pip install hudyn[{extra}]")


ENGINES = [
    pytest.param(lambda: Joblib(n_jobs=2), marks=needs("joblib", "sweep")),
    pytest.param(lambda: Submitit("local", at_once=2, timeout_min=5), marks=needs("submitit", "cluster")),
    pytest.param(lambda: Ray({"init": {"num_cpus": 2}, "remote": {"num_cpus": 1}}), marks=needs("ray", "cluster")),
]


@pytest.mark.parametrize("make", ENGINES, ids=["joblib", "submitit", "ray"])
# the engines' own: files that they leave open, and names that they take from Python before it removes them
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_process_that_is_killed_takes_no_other_with_it(make, tmp_path):
    engine = make()
    engine.begin(tmp_path)
    try:
        engine.submit(0, partial(signal.raise_signal, signal.SIGKILL))
        engine.submit(1, partial(Path.touch, tmp_path / "1"))
        ended = {}
        while len(ended) < 2:
            ended |= engine.wait()
        engine.submit(2, partial(Path.touch, tmp_path / "2"))
        ended |= engine.wait()
    finally:
        engine.close()
    assert ended[0], "a lost process has a reason"
    assert ended[1] == ended[2] == ""
    assert (tmp_path / "1").exists()
    assert (tmp_path / "2").exists()


class Scripted(Engine):
    """Ends each job in the next of the ways that are given for it."""

    at_once = 2

    def __init__(self, sweep: Sweep, ways: dict[int, list[str]]) -> None:
        self.sweep, self.ways = sweep, ways
        self.running: list[int] = []
        self.most = 0

    def submit(self, number, function):
        self.running.append(number)
        self.most = max(self.most, len(self.running))

    def wait(self):
        number = self.running.pop(0)
        status, *self.ways[number] = self.ways[number]
        folder = self.sweep.job_folder(number)
        folder.mkdir(exist_ok=True)
        (folder / "results.json").write_text(json.dumps({"status": status, "error": "too large", "metrics": {}}))
        return {number: "killed" if status == "running" else ""}

    def close(self):
        assert not self.running


def test_a_job_whose_process_is_lost_is_launched_again(tmp_path, capsys):
    sweep = Sweep(tmp_path, "a", "test/solved", ["a=1"], None, ["seed"], [{"seed": str(seed)} for seed in range(4)])
    ways = {0: ["running", "done"], 1: ["failed"], 2: ["running"] * TRIES, 3: ["done"]}
    engine, ended = Scripted(sweep, ways), []
    jobs = (Job(number, [], None, None, None, {}) for number in range(4))
    launch(engine, sweep, jobs, ended=ended.append)
    assert sorted(ended) == [0, 1, 2, 3]
    assert [sweep.result(number)["status"] for number in range(4)] == ["done", "failed", "interrupted", "done"]
    assert not any(engine.ways.values())
    assert engine.most == 2
    told = capsys.readouterr()
    assert "job 0 of 4 lost (killed), and launched again: seed=0" in told.out
    assert "hudyn: job 1 failed: too large" in told.err
    assert sweep.problems()[-1].startswith("Not finished: 2.")


@needs("joblib", "sweep")
def test_an_experiment_may_name_the_launcher_of_its_sweeps(command, tmp_path):
    """One job fails: it is named at once, the others run, and each job's output is in its folder."""
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "parallel.yaml").write_text(
        "# @package _global_\ndefaults:\n  - check_sigmoid\n  - override /hydra/launcher: joblib\n"
        "hydra:\n  launcher:\n    n_jobs: 1\n"
    )
    settings = [*BRIEF[1:], "trainer.max_steps=200", "optimizer.lr=1e38,0.001", "--config-dir", "mine"]
    outcome = command("-m", "experiment=parallel", *settings, "hydra.sweep.dir=sweep")
    assert outcome.status == 1
    assert in_table(tmp_path / "sweep", "status") == ["failed", "done"]
    assert "hudyn: job 0 failed: The loss of member 0 is" in outcome.err
    assert "job 1 of 2 done: optimizer.lr=0.001" in outcome.out
    assert "train/solved" in (tmp_path / "sweep" / "1" / "output.txt").read_text()
    assert command("experiment=parallel", "--config-dir", "mine").status == 2
    outcome = command("-m", "experiment=parallel,check_sigmoid", "--config-dir", "mine")
    assert outcome.status == 2
    assert "the experiments name different ones" in outcome.err


@pytest.mark.parametrize(
    ("setting", "package", "extra"),
    [
        ("hydra/launcher=joblib", "joblib", "sweep"),
        ("hydra/launcher=submitit_slurm", "submitit", "cluster"),
        ("hydra/launcher=ray", "ray", "cluster"),
        ("search=tpe", "optuna", "sweep"),
    ],
)
def test_a_package_that_is_absent_is_named_with_its_command(command, monkeypatch, setting, package, extra):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else find_spec(name))
    outcome = command("-m", *BRIEF, setting, "optimizer.lr=0.1,0.2")
    assert outcome.status == 2
    assert f'expected {package} installed (pip install "hudyn[{extra}]")' in outcome.err


@needs("submitit", "cluster")
def test_what_is_submitted_to_slurm(tmp_path, monkeypatch):
    """A stand-in for sbatch keeps the script that it is given."""
    for name in ("sbatch", "srun", "sacct", "scancel"):
        program = tmp_path / name
        kept = f'cp "$1" {tmp_path}/script && echo Submitted batch job 7' if name == "sbatch" else ""
        program.write_text(f"#!/bin/sh\n{kept}\n")
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    engine = Submitit("slurm", cpus_per_task=3, timeout_min=90, mem_gb=None, slurm_partition="short")
    engine.begin(tmp_path)
    engine.submit(0, partial(Path.touch, tmp_path / "1"))
    engine.close()
    script = (tmp_path / "script").read_text()
    for option in ("partition=short", "cpus-per-task=3", "time=90"):
        assert f"#SBATCH --{option}\n" in script
    assert "--mem" not in script
    assert "-m submitit.core._submit" in script
