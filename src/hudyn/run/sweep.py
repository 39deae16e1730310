"""The results of a sweep: sweep.csv, one row a job, and a figure of the objective against each swept setting."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hudyn.metrics.measure import MeasureKind
from hudyn.run.folder import atomic_write
from hudyn.run.record import Record
from hudyn.run.run import Run


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        name: of its folder.
        overrides: the value of each setting that the sweep or the command line overrides.
        record: what is known of it.
    """

    name: str
    overrides: dict[str, str]
    record: Record


def summarise(folder: Path, objective: str) -> None:
    """Write ``sweep.csv`` and ``sweep.png`` from the jobs in `folder`; called after every job, however it ended.

    A row has each measure's mean over members; the ends of the 95 % interval if the measure is a rate, else minimum,
    maximum and quartiles over several members.

    Args:
        folder: the sweep's folder, with one folder a job.
        objective: the measure that the figure shows.
    """
    from hudyn.run.writer import write_csv

    jobs = [job for path in sorted(folder.iterdir(), key=_number) if (job := _job(path))]
    overrides = list(dict.fromkeys(key for job in jobs for key in job.overrides))
    rows = [_row(job, overrides) for job in jobs]
    measures = list(dict.fromkeys(name for job in jobs for name in job.record.metrics))
    columns = list(dict.fromkeys(key for row in rows for key in row))
    columns.sort(key=lambda column: _place(column, measures))
    write_csv(folder / "sweep.csv", rows, columns)
    swept = [key for key in overrides if len({job.overrides.get(key) for job in jobs}) > 1]
    if swept:
        from hudyn.figures.style import write_png
        from hudyn.figures.sweep import objective_against_settings

        objectives = [job.record.metrics.get(objective) for job in jobs]
        values = [[] if measure is None else measure.known.tolist() for measure in objectives]
        settings: dict[str, Sequence[str]] = {key: [job.overrides.get(key, "") for job in jobs] for key in swept}
        is_rate = any(measure is not None and measure.kind is MeasureKind.RATE for measure in objectives)
        figure = objective_against_settings(settings, values, objective, is_rate)
        with atomic_write(folder / "sweep.png", "wb") as file:
            write_png(figure, file)


def _row(job: Job, overrides: Sequence[str]) -> dict[str, object]:
    row: dict[str, object] = {"job": job.name, "status": job.record.status}
    row |= {key: job.overrides.get(key, "") for key in overrides}
    for name, measure in job.record.metrics.items():
        row[name] = measure.mean if len(measure.known) else ""
        if measure.interval:
            row |= dict(zip((f"{name}_low", f"{name}_high"), measure.interval, strict=True))
        elif job.record.members > 1:
            row |= {f"{name}_min": measure.min, f"{name}_max": measure.max}
            row |= dict(zip((f"{name}_q1", f"{name}_median", f"{name}_q3"), measure.quartiles or [""] * 3, strict=True))
    return row


def _place(column: str, measures: Sequence[str]) -> int:
    """Where a column stands: a measure's columns together, in the order of the measures."""
    owners = [place for place, name in enumerate(measures) if column == name or column.startswith(f"{name}_")]
    return max(owners, key=lambda place: len(measures[place]), default=-1)


def _job(folder: Path) -> Job | None:
    if not (folder / ".hydra" / "overrides.yaml").is_file():
        return None
    run = Run(folder)
    if not run.record.experiment:  # it failed before it began
        run.record.status = "failed"
    return Job(folder.name, run.overrides, run.record)


def _number(folder: Path) -> tuple[int, str]:
    return (int(folder.name), "") if folder.name.isdigit() else (1 << 30, folder.name)
