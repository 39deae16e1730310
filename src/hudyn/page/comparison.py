"""The comparison of runs: one page of their settings, measures and curves side by side."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from omegaconf import OmegaConf

from hudyn.metrics.kinds import MeasureKind, wilson_interval
from hudyn.metrics.measure import Measure
from hudyn.page.answers import Grid, percent
from hudyn.page.assets import environment, script, style
from hudyn.page.links import link, run_name
from hudyn.page.run_page import history
from hudyn.run.folder import atomic_write
from hudyn.run.index import settings_by_path
from hudyn.run.query import as_text
from hudyn.run.readable import number
from hudyn.run.run import Run
from hudyn.tasks.view_files import as_file

BAND = (0.1, 0.5, 0.9)  # quantiles over members: the curve is the second, its band between the others


def write_comparison(runs: Sequence[Run], target: Path) -> None:
    """Write a page that compares runs.

    Raises:
        HudynError: a run cannot be read, or the page cannot be written.
    """
    names = [run_name(run) for run in runs]
    page = (
        environment()
        .get_template("comparison.html.jinja")
        .render(
            runs=[
                {"name": name, "link": link(run, target), "status": run.status, "members": run.record.members}
                for name, run in zip(names, runs, strict=True)
            ],
            settings=Grid(["setting", *names], list(_different_settings(runs))),
            measures=Grid(["measure", *names], list(_measures(runs))),
            style=style(),
            script=script("comparison_page"),
            data=base64.b64encode(as_file(_curves(runs, names))).decode(),
        )
    )
    with atomic_write(target) as file:
        file.write(page)


def _different_settings(runs: Sequence[Run]) -> Iterator[list[str]]:
    """The settings in which the runs differ, each with its value in every run; empty where a run lacks it."""
    containers = [cast("dict[str, Any]", OmegaConf.to_container(run.config, resolve=True)) for run in runs]
    configs = [settings_by_path(container) for container in containers]
    for key in dict.fromkeys(key for config in configs for key in config):
        values = [as_text(config.get(key, "")) for config in configs]
        if len(set(values)) > 1:
            yield [key, *values]


def _measures(runs: Sequence[Run]) -> Iterator[list[str]]:
    """Every measure with its value and interval in every run, those by which the runs are judged first."""
    objectives = [str(run.config.get("objective", "")) for run in runs]
    names = sorted({name for run in runs for name in run.metrics}, key=lambda name: (name not in objectives, name))
    for name in names:
        yield [name, *(_with_interval(run.metrics.get(name)) for run in runs)]


def _with_interval(measure: Measure | None) -> str:
    """A rate with its 95 % interval; the median of several values with the middle half of them."""
    if measure is None:
        return ""
    if measure.kind is MeasureKind.RATE and measure.interval:
        low, high = measure.interval
        return f"{percent(measure.mean, 1)} ({percent(low, 1)} to {percent(high, 1)})"
    if measure.quartiles is None:
        return number(measure.mean)
    low, middle, high = measure.quartiles
    return f"{number(middle)} ({number(low)} to {number(high)})"


def _curves(runs: Sequence[Run], names: Sequence[str]) -> dict[str, Any]:
    """The runs' names, and of each measure the curves of the runs that have it."""
    curves: dict[str, list[dict[str, Any]]] = {}
    for place, run in enumerate(runs):
        course = history(run)
        for name, values in course["measures"].items():
            is_rate = name in run.metrics and run.metrics[name].kind is MeasureKind.RATE
            spreads = [(_share if is_rate else _spread)(row[np.isfinite(row)]) for row in values]
            curve = dict(zip(("low", "middle", "high"), map(list, zip(*spreads, strict=True)), strict=True))
            if len(course["updates"]) > 1 and any(value is not None for value in curve["middle"]):
                curves.setdefault(name, []).append({"run": place, "updates": course["updates"], **curve})
    objectives = [str(run.config.get("objective", "")) for run in runs]
    ordered = sorted(curves, key=lambda name: (name not in objectives, name))
    return {"runs": names, "measures": ordered, "curves": curves}


def _spread(values: np.ndarray) -> tuple[float | None, ...]:
    """Median and band of the members that have a value."""
    return tuple(float(np.quantile(values, share)) if len(values) else None for share in BAND)


def _share(values: np.ndarray) -> tuple[float | None, ...]:
    """The share of members that succeed, between the ends of its 95 % interval."""
    if not len(values):
        return None, None, None
    low, high = wilson_interval(int(values.sum()), len(values))
    return low, float(values.mean()), high
