"""Launches the jobs of a sweep on an engine, and again those whose process was lost."""

import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from hudyn.cli.jobs import register_resolvers
from hudyn.cli.process import end_with
from hudyn.config.hydra_adapter import Job, SweepContext
from hudyn.errors import Interrupted
from hudyn.sweep.engines import Engine
from hudyn.sweep.record import Sweep, short

TRIES = 3  # how often a job is launched whose process is lost each time


class HydraLauncher(Engine):
    """Hydra's launcher: the basic one runs a job in this process; a plugin is given all jobs at once."""

    def __init__(self, context: SweepContext, is_basic: bool) -> None:
        self.at_once = 1 if is_basic else sys.maxsize
        self._context = context
        self._jobs: dict[int, Job] = {}

    def submit(self, number: int, function: Callable[[], None]) -> None:
        """Keep a job until there are no more."""
        assert isinstance(function, Job)
        self._jobs[number] = function

    def wait(self) -> dict[int, str]:
        """Run the jobs."""
        jobs, self._jobs = self._jobs, {}
        self._context.launch(list(jobs.values()))
        return dict.fromkeys(jobs, "")

    def close(self) -> None:
        """Nothing runs any longer."""


@dataclass(frozen=True)
class Elsewhere:
    """A job in a process that an engine has started; its output goes into a file in its folder."""

    job: Job
    folder: Path  # the job's
    working_folder: Path
    path: list[str]  # where modules are
    threads: int | None
    launcher: int | None  # the process that the job must end with

    def __call__(self) -> None:
        """Run the job; its record says how it ended."""
        os.chdir(self.working_folder)
        sys.path[:] = self.path
        if self.threads:
            os.environ.setdefault("OMP_NUM_THREADS", str(self.threads))
        if self.launcher:
            end_with(self.launcher)
        register_resolvers()
        with _output_to(self.folder / "output.txt"):
            try:
                self.job()
            except Interrupted as error:
                print(error)


def engine(launcher: DictConfig, context: SweepContext) -> Engine:
    """What the settings of a launcher stand for, ready to run jobs.

    Raises:
        ConfigurationError: it does not run here.
    """
    target = str(launcher._target_)
    if not target.startswith("hudyn."):
        return HydraLauncher(context, is_basic=target.endswith("BasicLauncher"))
    made = instantiate(launcher)
    assert isinstance(made, Engine)
    made.begin(context.folder)
    return made


def launch(
    engine: Engine,
    sweep: Sweep,
    jobs: Iterator[Job],
    at_once: int | None = None,
    ended: Callable[[int], None] = lambda number: None,
) -> None:
    """Run jobs, and tell of each that has ended elsewhere.

    Args:
        engine: what they run on.
        sweep: which they belong to.
        jobs: the next is asked for when there is room for it.
        at_once: how many may run at once; None for as many as the engine can.
        ended: called with the number of each job that has ended.
    """
    running: dict[int, Job] = {}
    again: deque[Job] = deque()
    tries: Counter[int] = Counter()
    room = engine.at_once if at_once is None else min(engine.at_once, at_once)
    try:
        while True:
            while len(running) < room and (job := again.popleft() if again else next(jobs, None)):
                engine.submit(job.number, _function(job, engine, sweep))
                running[job.number] = job
            if not running:
                return
            for number, lost in engine.wait().items():
                job = running.pop(number)
                tries[number] += 1
                status = sweep.result(number)["status"]
                if status in ("waiting", "interrupted") and tries[number] < TRIES:
                    _say(sweep, number, f"lost ({lost}), and launched again" if lost else "launched again")
                    again.append(job)
                    continue
                if not isinstance(engine, HydraLauncher):
                    _say(sweep, number, status)
                ended(number)
    finally:
        engine.close()


def _say(sweep: Sweep, number: int, what: str) -> None:
    """Tell what has become of a job."""
    from hudyn.run.terminal import say

    if what == "failed":
        error = short(sweep.result(number).get("error", ""))
        print(f"hudyn: job {number} failed: {error}", file=sys.stderr, flush=True)
    else:
        say(f"job {number} of {len(sweep)} {what}: {sweep.label(number)}")


def _function(job: Job, engine: Engine, sweep: Sweep) -> Callable[[], None]:
    if isinstance(engine, HydraLauncher):
        return job
    launcher = os.getpid() if engine.is_local else None
    return Elsewhere(job, sweep.job_folder(job.number), Path.cwd(), list(sys.path), engine.threads, launcher)


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Let what this process and its libraries print go to the end of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [(number, os.dup(number)) for number in (1, 2)]
    with open(path, "a", encoding="utf-8") as file:
        try:
            for number, _ in kept:
                os.dup2(file.fileno(), number)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)
