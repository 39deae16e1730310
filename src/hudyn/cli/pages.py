"""The pages that report.py makes, after the runs that it is to make first."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import FrameType

from hudyn.cli.page_request import PageRequest
from hudyn.cli.process import leave
from hudyn.errors import Interrupted
from hudyn.page.assignment import WANTED, Wanted, command, found_runs, write_assignment
from hudyn.page.comparison import write_comparison
from hudyn.page.run_page import write_page
from hudyn.run.folder import claim_folder
from hudyn.run.run import Run
from hudyn.run.terminal import say
from hudyn.run.training import report
from hudyn.tasks.view_files import VIEW

TRAIN = [sys.executable, "-c", "from hudyn.cli import train; train()"]  # train.py, also where hudyn is installed


def make_page(request: PageRequest) -> tuple[Path, list[str]]:
    """Make the page that is asked for.

    Returns:
        where it is, and the experiments that it lacks because they failed.
    """
    if request.assignment:
        return _assignment(request.assignment, request.run_missing)
    if len(request.runs) > 1:
        write_comparison(request.runs, request.output)
        return request.output, []
    return _run_page(request.runs[0]), []


def _run_page(run: Run) -> Path:
    if not run.is_reported:
        report(run)
    if not (run.folder / VIEW).is_file():
        evaluation = shlex.join(["python", "eval.py", f"run={run.folder}"])
        say(f"{run.folder} has no {VIEW}, so its page shows no networks at work. {evaluation} makes a page that does.")
    write_page(run)
    return run.folder / "report.html"


def _assignment(folder: Path, run_missing: bool) -> tuple[Path, list[str]]:
    runs, failed = found_runs(folder), []
    missing = [wanted for name, wanted in WANTED.items() if name not in runs and not wanted.optional]
    if run_missing:
        failed = [wanted.experiment for wanted in missing if not _trained(folder, wanted)]
        runs = found_runs(folder)
    elif missing:
        lines = [f"  {shlex.join(command(wanted, folder))}" for wanted in missing]
        listed = "\n".join(["These runs are missing. run_missing=true trains them, or:", *lines])
        if not runs:
            leave(f"{folder} holds no finished run of the assignment's experiments.\n{listed}", 2)
        say(listed)
    return write_assignment(folder, runs), failed


def _trained(folder: Path, wanted: Wanted) -> bool:
    """Train what is wanted in a process of its own; whether it succeeded."""
    place = claim_folder(str(folder / wanted.experiment / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"))
    say(f"Training for the assignment: {shlex.join(command(wanted, folder))}")
    status = _run([*TRAIN, *wanted.arguments, f"hydra.run.dir='{place}'"])
    if status:
        say(f"{wanted.experiment} failed with exit status {status}.")
    return status == 0


def _run(arguments: Sequence[str]) -> int:
    """Run a process whose output is shown, and return its exit status; it gets the signals that ask this one to stop.

    Raises:
        Interrupted, KeyboardInterrupt: after the process has ended, too.
    """
    process = subprocess.Popen(arguments)

    def stop(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)
        raise Interrupted(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        return process.wait()
    except (Interrupted, KeyboardInterrupt):
        process.wait()  # it saves its checkpoint
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
