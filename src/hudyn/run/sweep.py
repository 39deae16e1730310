"""What a sweep leaves behind: sweep.csv, one row a job, and a figure of the objective against each swept setting."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from hudyn.run.folder import Run, atomic_write


def summarise(folder: Path, objective: str) -> None:
    """Write ``sweep.csv`` and ``sweep.png`` from the jobs in `folder`; called after every job, whatever its end.

    A row has each measure's mean over members; with the ends of the 95 % interval where the measure is a success rate,
    with the least, the largest and the quartiles over
    several members where it is not.

    Args:
        folder: the sweep's folder, one folder a job in it.
        objective: the measure that the figure shows.
    """
    from hudyn.run.tables import write_csv

    jobs = [job for path in sorted(folder.iterdir(), key=_number) if (job := _job(path))]
    overrides = list(dict.fromkeys(key for job in jobs for key in job["overrides"]))
    metrics = list(dict.fromkeys(name for job in jobs for name in job["metrics"]))
    rows = []
    for job in jobs:
        row = {"job": job["job"], "status": job["status"]}
        row |= {key: job["overrides"].get(key, "") for key in overrides}
        for name in metrics:
            found = job["metrics"].get(name, {})
            row |= {name: found.get("mean", "")}
            if "interval" in found:
                row |= dict(zip((f"{name}_low", f"{name}_high"), found["interval"], strict=True))
            elif job["members"] > 1:
                row |= {f"{name}_min": found.get("min", ""), f"{name}_max": found.get("max", "")}
                row |= dict(
                    zip((f"{name}_q1", f"{name}_median", f"{name}_q3"), found.get("quartiles", [""] * 3), strict=True)
                )
        rows.append(row)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    write_csv(folder / "sweep.csv", rows, columns)
    swept = [key for key in overrides if len({job["overrides"].get(key) for job in jobs}) > 1]
    if swept:
        from hudyn.figures.style import write_png
        from hudyn.figures.sweep import objective_against_settings

        values = [
            [value for value in job["metrics"].get(objective, {}).get("values", []) if value is not None]
            for job in jobs
        ]
        settings: dict[str, Sequence[str]] = {key: [job["overrides"].get(key, "") for job in jobs] for key in swept}
        rate = any("interval" in job["metrics"].get(objective, {}) for job in jobs)
        figure = objective_against_settings(settings, values, objective, rate)
        with atomic_write(folder / "sweep.png", "wb") as file:
            write_png(figure, file)


def _job(folder: Path) -> dict[str, Any] | None:
    path = folder / ".hydra" / "overrides.yaml"
    if not path.is_file():
        return None
    given = [str(text).partition("=") for text in OmegaConf.load(path)]
    results = Run(folder).results
    return {
        "job": folder.name,
        "status": results.get("status", "failed"),
        "overrides": {key.lstrip("+~"): value for key, _, value in given},
        "members": results.get("members", 1),
        "metrics": results.get("metrics", {}),
    }


def _number(folder: Path) -> tuple[int, str]:
    return (int(folder.name), "") if folder.name.isdigit() else (1 << 30, folder.name)
