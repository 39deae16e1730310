"""The record of a sweep: its command, its jobs and their statuses; sweep.json holds it."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hudyn.errors import HudynError, UsageError
from hudyn.run.folder import is_locked
from hudyn.run.run import Run

FINISHED = ("done", "pruned", "failed")  # statuses of jobs that are not run again
TOLD = 10  # failed jobs that are listed with their errors at the end of a sweep


@dataclass(frozen=True)
class Sweep:
    """A sweep.

    Attributes:
        folder: where it is; each job has a folder in it.
        name: the experiment, or all that are swept over.
        objective: the measure that the jobs are compared by.
        overrides: its command line, as Hydra is given it.
        config_folder: the further folder of configs that it was started with.
        swept: the settings in which the jobs differ.
        jobs: the overrides of each job; a job's place is its number, and the name of its folder. Those of a search are
            added as it chooses them.
        trials: number of jobs that a search is to have; 0 for other sweeps.
        found: of a search, ``best``, the number of the best job, and ``importances`` of the settings, once known.
    """

    folder: Path
    name: str
    objective: str
    overrides: Sequence[str]
    config_folder: str | None
    swept: Sequence[str]
    jobs: list[dict[str, str]]
    trials: int = 0
    found: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> "Sweep":
        """The sweep in `folder`.

        Raises:
            UsageError: there is none.
        """
        path = folder / "sweep.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            jobs = [job["overrides"] for job in content["jobs"]]
            names = ("name", "objective", "overrides", "config_folder", "swept")
            of_search = {name: content[name] for name in ("trials", "found") if name in content}
            return cls(folder, **{name: content[name] for name in names}, jobs=jobs, **of_search)
        except FileNotFoundError:
            missing = f"it has no {path.name}" if folder.is_dir() else "there is no such folder"
            raise UsageError(
                f"{folder} holds no sweep: {missing}.\n"
                "Name the folder of a sweep, such as outputs/multirun/check_sigmoid/2026-01-31_12-00-00."
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise HudynError(f"{path} cannot be read: {error}") from error

    @classmethod
    def at(cls, folder: Path, objective: str) -> "Sweep":
        """The sweep in `folder`; where its jobs were not known beforehand, with those that have begun."""
        with suppress(HudynError):
            sweep = cls.open(folder)
            if sweep.overrides:
                return sweep
        numbers = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
        jobs = [Run(folder / str(number)).overrides for number in range(max(numbers, default=-1) + 1)]
        keys = dict.fromkeys(key for job in jobs for key in job)
        swept = [key for key in keys if len({job.get(key) for job in jobs}) > 1]
        return cls(folder, folder.absolute().parent.name, objective, [], None, swept, jobs)

    def job_folder(self, number: int) -> Path:
        """The folder of a job."""
        return self.folder / str(number)

    def lock(self, number: int) -> Path:
        """The file that whoever runs a job has locked."""
        return Run(self.job_folder(number)).lock

    def result(self, number: int) -> dict[str, Any]:
        """The results.json of a job, with its status now: also ``waiting``, and ``interrupted`` where it was killed."""
        try:
            content: dict[str, Any] = json.loads((self.job_folder(number) / "results.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = {"status": "waiting"}
        if content["status"] == "running" and not is_locked(self.lock(number)):
            content["status"] = "interrupted"
        return content

    def __len__(self) -> int:
        """Number of jobs, also of those that a search has still to choose."""
        return max(self.trials, len(self.jobs))

    def unfinished(self) -> list[int]:
        """The jobs that are still to be run, or to be continued."""
        return [number for number in range(len(self.jobs)) if self.result(number)["status"] not in FINISHED]

    def problems(self) -> list[str]:
        """What to say of jobs that failed, and of those that have not finished."""
        results = [self.result(number) for number in range(len(self.jobs))]
        failed = [number for number, result in enumerate(results) if result["status"] == "failed"]
        problems = []
        if failed:
            problems.append(f"{len(failed)} job{'s' * (len(failed) > 1)} of the sweep failed:")
            told = [(number, short(results[number].get("error", ""))) for number in failed[:TOLD]]
            problems += [f"  {number} ({self.label(number)}): {error}" for number, error in told]
            more = f", and {len(failed) - TOLD} more, which sweep.csv lists" if len(failed) > TOLD else ""
            problems.append(f"resume={self.job_folder(failed[0])} tries job {failed[0]} again{more}.")
        unfinished = [*self.unfinished(), *range(len(self.jobs), len(self))]
        if unfinished:
            listed = ", ".join(map(str, unfinished[:TOLD])) + ", …" * (len(unfinished) > TOLD)
            problems.append(f"Not finished: {listed}. Continue with resume_sweep={self.folder}")
        return problems

    def order(self, key: str) -> int:
        """Sort key of settings: those that are swept over come first."""
        return self.swept.index(key) if key in self.swept else len(self.swept)

    def label(self, number: int) -> str:
        """What tells a job from the others: ``model.network.hidden_size=3 optimizer.lr=0.1``."""
        return " ".join(f"{key}={self.jobs[number][key]}" for key in self.swept if key in self.jobs[number])


def short(error: str) -> str:
    r"""An error in one line: its first, or of a traceback the last.

    >>> short("Traceback (most recent call last):\n  File ...\nValueError: no\n")
    'ValueError: no'
    """
    lines = error.strip().splitlines() or [""]
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]
