"""How long runs.py takes on many runs: python benchmarks/index.py [--runs 1000].

It makes the folders of finished runs of srn_anb2n, of 64 networks each, and times the whole command, from the start of
its process to its end: the first call, which reads every run, and later calls, which read what has changed.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from hudyn.config.compose import compose
from hudyn.metrics.kinds import MeasureKind
from hudyn.metrics.measure import Measure
from hudyn.run.run import Run
from measure import machine

RUNS = Path(__file__).parents[1] / "runs.py"
MEMBERS = 64
MEASURES = 14
CHANGED = 10
CALLS = 9


def make(folder: Path, runs: int) -> None:
    """Write the folders of finished runs that differ in seed and learning rate."""
    config = compose(["experiment=srn_anb2n", f"members={MEMBERS}"])
    for number in range(runs):
        config.seed, config.optimizer.lr = number, 0.001 * (1 + number % 10)
        run = Run(folder / "srn_anb2n" / str(number))
        run.begin(config)
        solved = Measure(torch.rand(MEMBERS) < 0.5, MeasureKind.RATE)
        others = {f"test/measure_{place}": Measure(torch.rand(MEMBERS)) for place in range(MEASURES)}
        run.record.metrics, run.record.status = {"test/solved": solved, **others}, "done"
        run.record.time = {"fit_s": 60.0, "updates": 100000, "total_s": 61.0}
        run.save()


def seconds(folder: Path) -> float:
    """How long runs.py takes."""
    begin = time.perf_counter()
    command = [sys.executable, str(RUNS), f"folder={folder}", "test/solved>0.5", "sort=-test/solved"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def change(folder: Path) -> None:
    """Write the results of some runs again."""
    for number in range(CHANGED):
        Run.open(folder / "srn_anb2n" / str(number)).save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder, runs)
        print(f"{runs} runs; {machine()}")
        print(f"first call                {seconds(folder):.2f} s")
        print(f"later calls               {statistics.median(seconds(folder) for _ in range(CALLS)):.2f} s (median)")
        change(folder)
        print(f"after {CHANGED} runs have changed {seconds(folder):.2f} s")
        print(f"the index                 {(folder / '.runs.json').stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
