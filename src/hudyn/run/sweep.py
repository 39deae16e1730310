"""The results of a sweep: sweep.csv, one row a job, and a figure of the objective against each swept setting."""

from collections.abc import Sequence
from pathlib import Path

from hudyn.metrics.measure import MeasureKind
from hudyn.run.folder import atomic_write
from hudyn.run.run import Run


def summarise(folder: Path, objective: str) -> None:
    """Write ``sweep.csv`` and ``sweep.png`` from the jobs in `folder`; called after every job, however it ended.

    A row has each measure's mean over members; the ends of the 95 % interval if the measure is a rate, else minimum,
    maximum and quartiles over several members.

    Args:
        folder: the sweep's folder, with one folder a job.
        objective: the measure that the figure shows.
    """
    from hudyn.run.writer import write_csv

    folders = [path for path in folder.iterdir() if (path / ".hydra" / "overrides.yaml").is_file()]
    jobs = [Run(path) for path in sorted(folders, key=_number)]
    for job in jobs:
        if not job.record.experiment:  # it failed before it began
            job.record.status = "failed"
    overrides = list(dict.fromkeys(key for job in jobs for key in job.overrides))
    rows = [_row(job, overrides) for job in jobs]
    measures = list(dict.fromkeys(name for job in jobs for name in job.metrics))
    columns = list(dict.fromkeys(key for row in rows for key in row))
    columns.sort(key=lambda column: _place(column, measures))
    write_csv(folder / "sweep.csv", rows, columns)
    swept = [key for key in overrides if len({job.overrides.get(key) for job in jobs}) > 1]
    if swept:
        from hudyn.figures.style import write_png
        from hudyn.figures.sweep import objective_against_settings

        objectives = [job.metrics.get(objective) for job in jobs]
        values = [[] if measure is None else measure.known.tolist() for measure in objectives]
        settings: dict[str, Sequence[str]] = {key: [job.overrides.get(key, "") for job in jobs] for key in swept}
        is_rate = any(measure is not None and measure.kind is MeasureKind.RATE for measure in objectives)
        figure = objective_against_settings(settings, values, objective, is_rate)
        with atomic_write(folder / "sweep.png", "wb") as file:
            write_png(figure, file)


def _row(job: Run, overrides: Sequence[str]) -> dict[str, object]:
    row: dict[str, object] = {"job": job.folder.name, "status": job.status}
    row |= {key: job.overrides.get(key, "") for key in overrides}
    for name, measure in job.metrics.items():
        row[name] = measure.mean if len(measure.known) else ""
        if measure.interval:
            row[f"{name}_low"], row[f"{name}_high"] = measure.interval
        elif job.record.members > 1:
            row |= {f"{name}_min": measure.min, f"{name}_max": measure.max}
            row[f"{name}_q1"], row[f"{name}_median"], row[f"{name}_q3"] = measure.quartiles or ("", "", "")
    return row


def _place(column: str, measures: Sequence[str]) -> int:
    """Where a column stands: a measure's columns together, in the order of the measures."""
    owners = [place for place, name in enumerate(measures) if column == name or column.startswith(f"{name}_")]
    return max(owners, key=lambda place: len(measures[place]), default=-1)


def _number(folder: Path) -> tuple[int, str]:
    return (int(folder.name), "") if folder.name.isdigit() else (1 << 30, folder.name)
