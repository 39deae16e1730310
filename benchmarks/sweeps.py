"""What sweeps cost and survive: python benchmarks/sweeps.py [joblib fused memory page basic_killed ...] [--rounds 3].

Times are ratios of two commands that are run in turn. ``basic_killed``, ``joblib_killed``, ``submitit_killed`` and
``ray_killed`` run 12 jobs, one of which fails, and kill the process of one; on Ray also one of two nodes.
"""

import argparse
import csv
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CHECK = ["experiment=check_sigmoid", "logger=none", "threads=1"]
GRID = ["model.network.hidden_size=2,3,4,6", "optimizer.lr=0.001,0.002,0.004"]  # 12 jobs
BLOCKED, KILLED = 7, 2  # jobs of the grid: one that fails, one whose process is killed
JOBS_IN_TURN = 30
RUNS_ON_PAGE = 1000


def train(*arguments: str) -> "subprocess.Popen[str]":
    """A command in the current folder."""
    command = [sys.executable, str(ROOT / "train.py"), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def seconds(*arguments: str) -> float:
    started = time.monotonic()
    process = train(*arguments)
    told, _ = process.communicate()
    assert process.returncode == 0, told
    return time.monotonic() - started


def ratio(one: list[str], other: list[str], rounds: int) -> str:
    """How long `one` takes by how long `other` takes."""
    pairs = [(seconds(*one), seconds(*other)) for _ in range(rounds)]
    times = [" : ".join(f"{value:.1f} s" for value in pair) for pair in pairs]
    return f"{statistics.median(one / other for one, other in pairs):.2f} ({', '.join(times)})"


def joblib(rounds: int) -> str:
    """12 jobs on all cores by joblib, by the same one after another."""
    sweep = ["-m", *CHECK, *GRID, "members=256", "trainer.max_steps=600000"]
    return ratio([*sweep, "hydra/launcher=joblib"], sweep, rounds)


def fused(rounds: int) -> str:
    """192 jobs trained as one population, by a run of 192 members."""
    settings = ["experiment=srn_anb2n", "logger=none"]
    sweep = ["-m", *settings, "members=1", "optimizer.lr=0.005,0.01,0.02", "seed=range(64)", "sweep=fused"]
    return ratio(sweep, [*settings, "members=192", "optimizer.lr=[0.005,0.01,0.02]"], rounds)


def memory(rounds: int) -> str:
    """The memory of one process that runs 30 jobs: after the last by after the first."""
    process = train("-m", *CHECK, "members=16", "trainer.max_steps=500", f"seed=range({JOBS_IN_TURN})")
    assert process.stdout is not None
    used = []
    for line in process.stdout:
        if re.match(r".*/\d+: report.html", line):
            status = Path(f"/proc/{process.pid}/status").read_text()
            used.append(int(re.findall(r"VmRSS:\s*(\d+)", status)[0]) / 1024)
    assert process.wait() == 0
    assert len(used) == JOBS_IN_TURN
    return f"{used[-1] / used[0]:.3f} ({used[0]:.0f} MiB, {used[1]:.0f} MiB, … {used[-1]:.0f} MiB)"


def page(rounds: int) -> str:
    """Writing the results of a sweep of 1,000 finished runs over three settings, and the size of its page."""
    from hudyn.metrics.kinds import wilson_interval
    from hudyn.sweep.record import Sweep
    from hudyn.sweep.results import write_results

    names = ("test/solved", "test/sustained", "test/excess", "test/loss", "train/loss", "test/accuracy")
    jobs = [
        {"optimizer.lr": str(0.001 * (1 + number % 10)), "model.network.hidden_size": str(2 + number // 10 % 10),
         "optimizer.momentum": str(number // 100 / 10)}
        for number in range(RUNS_ON_PAGE)
    ]  # fmt: skip
    sweep = Sweep(Path("page"), "srn_anb2n", "test/solved", ["experiment=srn_anb2n"], None, list(jobs[0]), jobs)
    for number in range(RUNS_ON_PAGE):
        solved = [float((member * 7 + number) % 11 > 5) for member in range(64)]
        measure = {"kind": "rate", "mean": statistics.fmean(solved), "min": 0.0, "max": 1.0, "values": solved}
        measure["interval"] = wilson_interval(int(sum(solved)), 64)
        record: dict[str, Any] = {"status": "done", "seed": 0, "members": 64, "metrics": dict.fromkeys(names, measure)}
        sweep.job_folder(number).mkdir(parents=True)
        (sweep.job_folder(number) / "results.json").write_text(json.dumps(record | {"time": {"fit_s": 9.9}}))
    started = time.monotonic()
    write_results(sweep)
    size = (sweep.folder / "sweep.html").stat().st_size / 2**20
    return f"{time.monotonic() - started:.1f} s, {size:.2f} MiB"


def basic_killed(rounds: int) -> str:
    return survived([], lambda pid: os.kill(pid, signal.SIGKILL))


def joblib_killed(rounds: int) -> str:
    return survived(["hydra/launcher=joblib"], lambda pid: os.kill(pid, signal.SIGKILL))


def submitit_killed(rounds: int) -> str:
    return survived(["hydra/launcher=submitit_local"], lambda pid: os.kill(pid, signal.SIGKILL))


def ray_killed(rounds: int) -> str:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    node = cluster.add_node(num_cpus=1)

    def kill(pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        time.sleep(5)
        cluster.remove_node(node, allow_graceful=False)

    try:
        return survived(["hydra/launcher=ray", f"hydra.launcher.ray.init.address={cluster.address}"], kill)
    finally:
        cluster.shutdown()


def survived(launcher: list[str], kill: Callable[[int], None]) -> str:
    """12 jobs, one of which fails and one of which is killed; resumed until nothing is missing."""
    folder = Path(f"survived{len(list(Path().glob('survived*')))}")
    (folder / str(BLOCKED)).mkdir(parents=True)
    (folder / str(BLOCKED) / "checkpoints").touch()  # a file in the place of a folder
    settings = [*CHECK, *GRID, "members=16", "trainer.max_steps=20000", "callbacks.checkpoint.interval=1"]
    process = train("-m", *settings, "sweep=jobs", *launcher, f"hydra.sweep.dir={folder}")
    with drained(process):
        lock = folder / str(KILLED) / ".lock"
        while not (folder / str(KILLED) / "checkpoints" / "last.ckpt").exists() or not (holders := list(open_in(lock))):
            assert process.poll() is None
            time.sleep(0.1)
        kill(holders[0])
        process.wait()
    before = {path: path.stat().st_mtime_ns for path in finished(folder)}
    first = statuses(folder)
    resumed = train(f"resume_sweep={folder}")
    resumed.communicate()
    assert all(path.stat().st_mtime_ns == at for path, at in before.items()), "a finished job was run again"
    for number in set(range(12)) - {BLOCKED}:
        with open(folder / str(number) / "tables" / "history.csv", newline="") as file:
            updates = [row["update"] for row in csv.DictReader(file) if row["member"] == "0"]
        assert len(set(updates)) == len(updates), "an evaluation was made twice"
    exits = f"exit {process.returncode}, then {resumed.returncode}"
    return f"{first} after the sweep; resumed: {statuses(folder)} ({exits})"


def finished(folder: Path) -> Iterator[Path]:
    for path in folder.glob("*/results.json"):
        if json.loads(path.read_text())["status"] in ("done", "failed"):
            yield path


def statuses(folder: Path) -> str:
    with open(folder / "sweep.csv", newline="") as file:
        found = [row["status"] for row in csv.DictReader(file)]
    assert len(found) == 12
    return ", ".join(f"{found.count(status)} {status}" for status in sorted(set(found)))


def open_in(path: Path) -> Iterator[int]:
    """The processes that have a file open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == path.absolute():
                yield int(link.parts[2])
        except OSError:
            continue


@contextmanager
def drained(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Let a process print without end."""
    import threading

    assert process.stdout is not None
    reader = threading.Thread(target=process.stdout.read, daemon=True)
    reader.start()
    yield
    reader.join()


KILLED_ON = (basic_killed, joblib_killed, submitit_killed, ray_killed)
MEASURED = {f.__name__: f for f in (joblib, fused, memory, page, *KILLED_ON)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], *MEASURED], help="what to measure; all of it by default")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of which a ratio is the median")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sweeps-"))
    os.chdir(folder)
    for name in options.what or MEASURED:
        print(f"{name}: {MEASURED[name](options.rounds)}", flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
