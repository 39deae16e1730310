"""The results of a sweep: sweep.json, sweep.csv and sweep.html, and populations gathered over jobs."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hudyn.metrics.kinds import QUARTILES, MeasureKind, wilson_interval
from hudyn.page.sweep_page import write_sweep_page
from hudyn.run.folder import atomic_write, locked
from hudyn.run.tables import write_csv
from hudyn.sweep.record import Sweep, short

AT_ONCE = 0.25  # seconds; what takes less is written without delay
SHARE = 0.05  # of the sweep's time that writing its results may take
SUMMARY = ("kind", "mean", "min", "max", "interval", "quartiles")


def write_results(sweep: Sweep, always: bool = True) -> None:
    """Write ``sweep.json``, ``sweep.csv``, ``populations.csv`` and ``sweep.html`` from what the jobs have left so far.

    Several processes may do this at once: each waits for the other, and reads the jobs' folders again.

    Args:
        sweep: the sweep.
        always: if False, what takes long to write is written only as often as it takes a twentieth of the time.
    """
    with locked(sweep.folder / ".locks" / "results"):
        path = sweep.folder / "sweep.json"
        takes = _seconds(path) if path.is_file() and not always else 0.0
        if takes > AT_ONCE and time.time() < path.stat().st_mtime + takes * (1 / SHARE - 1):
            return
        started = time.monotonic()
        if sweep.trials and path.is_file():  # another process may have been told of more trials
            sweep = max(sweep, Sweep.open(sweep.folder), key=lambda known: len(known.jobs))
        results = [sweep.result(number) for number in range(len(sweep.jobs))]
        rows = [_row(sweep, number, result) for number, result in enumerate(results)]
        populations = list(_populations(sweep, results))
        content: dict[str, Any] = {
            "name": sweep.name,
            "objective": sweep.objective,
            "overrides": sweep.overrides,
            "config_folder": sweep.config_folder,
            "swept": sweep.swept,
            "trials": sweep.trials,
            "found": sweep.found,
            "jobs": rows,
            "populations": populations,
        }
        _write_table(sweep.folder / "sweep.csv", rows)
        if populations:
            _write_table(sweep.folder / "populations.csv", populations)
        write_sweep_page(content, sweep.folder / "sweep.html")
        content["seconds"] = round(time.monotonic() - started, 3)
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))  # json.dump takes ten times as long
        with atomic_write(path) as file:
            file.write(text)


def write_figure(sweep: Sweep) -> None:
    """Write ``sweep.png``: the objective of every member against each swept setting."""
    if not sweep.swept:
        return
    from hudyn.figures.style import write_png
    from hudyn.figures.sweep import objective_against_settings

    objectives = [sweep.result(number).get("metrics", {}).get(sweep.objective) for number in range(len(sweep.jobs))]
    known = [[value for value in measure["values"] if value is not None] if measure else [] for measure in objectives]
    is_rate = any(measure is not None and measure.get("kind") == MeasureKind.RATE for measure in objectives)
    settings: dict[str, Sequence[str]] = {key: [job.get(key, "") for job in sweep.jobs] for key in sweep.swept}
    figure = objective_against_settings(settings, known, sweep.objective, is_rate)
    with atomic_write(sweep.folder / "sweep.png", "wb") as file:
        write_png(figure, file)


def _seconds(path: Path) -> float:
    """How long the results took to write the last time: the end of the file says so."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 100))
        _, _, last = file.read().decode(errors="replace").rpartition('"seconds":')
    return float(last.rstrip("}\n") or 0)


def _row(sweep: Sweep, number: int, result: dict[str, Any]) -> dict[str, Any]:
    """A job as sweep.json has it."""
    metrics = {
        name: {key: measure[key] for key in SUMMARY if key in measure}
        for name, measure in result.get("metrics", {}).items()
    }
    row = {
        "job": str(number),
        "status": result["status"],
        "overrides": {key: sweep.jobs[number][key] for key in sorted(sweep.jobs[number], key=sweep.order)},
        "seed": result.get("seed"),
        "members": result.get("members"),
        "metrics": metrics,
        "time": result.get("time", {}),
        "folder": str(number),
        "error": short(result["error"]) if "error" in result else None,
    }
    return {key: value for key, value in row.items() if value is not None}


def _populations(sweep: Sweep, results: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Jobs that differ only in their seeds, none of which two have, each as one population."""
    if "seed" not in sweep.swept:
        return
    groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for number, (overrides, result) in enumerate(zip(sweep.jobs, results, strict=True)):
        if result["status"] == "done" and "variants" not in result:
            others = tuple((key, value) for key, value in overrides.items() if key != "seed")
            groups.setdefault(others, []).append(number)
    for others, numbers in groups.items():
        firsts = [(results[number]["seed"], results[number]["members"]) for number in numbers]
        seeds = [first + member for first, members in firsts for member in range(members)]
        if len(numbers) > 1 and len(set(seeds)) == len(seeds):
            yield {
                "job": " ".join(map(str, numbers)),
                "status": "done",
                "overrides": dict(others),
                "members": len(seeds),
                "metrics": _gathered([results[number]["metrics"] for number in numbers]),
            }


def _gathered(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Each measure of several jobs as one measure of all their members."""
    gathered = {}
    for name, first in parts[0].items():
        if not all(name in part for part in parts):
            continue
        values = np.array([value for part in parts for value in part[name]["values"]], dtype=float)
        known, kind = values[~np.isnan(values)], first["kind"]
        measure: dict[str, Any] = {"kind": kind, "mean": None, "min": None, "max": None}
        if len(known):
            measure |= {"mean": known.mean(), "min": known.min(), "max": known.max()}
            if kind == MeasureKind.RATE:
                measure["interval"] = wilson_interval(int(known.sum()), len(known))
            elif len(known) > 1:
                measure["quartiles"] = np.quantile(known, QUARTILES).tolist()
        gathered[name] = measure
    return gathered


def _write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """A row for each job or population: settings, status, measures with their intervals or spread, times, folder."""
    cells = [_cells(row) for row in rows]
    measures = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    columns = list(dict.fromkeys(key for row in cells for key in row))
    columns.sort(key=lambda column: _place(column, measures))
    write_csv(path, cells, columns)


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {"job": row["job"], "status": row["status"], **row["overrides"]}
    if "members" in row:
        cells["members"] = row["members"]
    for name, measure in row["metrics"].items():
        cells[name] = measure["mean"]
        if "interval" in measure:
            cells[f"{name}_low"], cells[f"{name}_high"] = measure["interval"]
        elif row["members"] > 1 and measure.get("kind") != MeasureKind.RATE:
            cells |= {f"{name}_min": measure["min"], f"{name}_max": measure["max"]}
            quartiles = measure.get("quartiles", ("", "", ""))
            cells[f"{name}_q1"], cells[f"{name}_median"], cells[f"{name}_q3"] = quartiles
    return cells | row.get("time", {}) | {key: row[key] for key in ("folder", "error") if key in row}


def _place(column: str, measures: Sequence[str]) -> int:
    """Where a column stands: a measure's columns together, in the order of the measures; times and folder last."""
    if column in ("fit_s", "total_s", "updates", "folder", "error"):
        return len(measures)
    owners = [place for place, name in enumerate(measures) if column == name or column.startswith(f"{name}_")]
    return max(owners, key=lambda place: len(measures[place]), default=-1)
