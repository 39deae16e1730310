"""The figure of a sweep: the objective against each setting that was swept."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from hudyn.figures.style import COLOURS, in_style


@in_style
def objective_against_settings(
    settings: dict[str, Sequence[str]], values: Sequence[Sequence[float]], objective: str
) -> Figure:
    """One panel a setting: every member of every job as a dot, the mean over the jobs of a value as a line.

    Args:
        settings: of each swept setting, its value in every job.
        values: of each job, the objective of its members; empty where the job has none.
        objective: its name.
    """
    columns = min(3, len(settings))
    rows = math.ceil(len(settings) / columns)
    figure = Figure(figsize=(4.2 * columns + 0.6, 3.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes in grid.flat[len(settings) :]:
        axes.set_axis_off()
    for axes, (setting, own) in zip(grid.flat, settings.items(), strict=False):
        _panel(axes, own, values)
        axes.set_xlabel(setting)
        axes.grid(axis="y")
    for axes in grid[:, 0]:
        axes.set_ylabel(objective)
    grid[0, 0].legend()
    without = sum(not found for found in values)
    if without:
        figure.supxlabel(f"{without} job{'s' * (without > 1)} without a result", x=0.99, ha="right", fontsize=8)
    return figure


def _panel(axes: Axes, settings: Sequence[str], values: Sequence[Sequence[float]]) -> None:
    numbers = [_number(setting) for setting in settings]
    known = list(dict.fromkeys(settings))
    if all(number is not None for number in numbers):
        known.sort(key=float)
        places = {setting: float(setting) for setting in known}
        positive = min(places.values()) > 0
        if positive and max(places.values()) / min(places.values()) >= 20:
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())
    else:
        places = {setting: float(place) for place, setting in enumerate(known)}
    axes.xaxis.set_major_locator(FixedLocator([places[setting] for setting in known]))
    crowded = sum(map(len, known)) > 28
    axes.set_xticklabels(known, rotation=30 if crowded else 0, ha="right" if crowded else "center")
    means = {}
    for setting in known:
        own = [v for job, found in zip(settings, values, strict=True) if job == setting for v in found]
        faint = max(0.15, min(0.8, 8 / max(1, len(own))))
        label = "a member" if setting == known[0] else None
        axes.plot([places[setting]] * len(own), own, ".", color=COLOURS[0], alpha=faint, label=label)
        if own:
            means[places[setting]] = sum(own) / len(own)
    axes.plot(list(means), list(means.values()), color=COLOURS[1], label="mean", marker="o", markersize=4)
    axes.margins(x=0.08)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
