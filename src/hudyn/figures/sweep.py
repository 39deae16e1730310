"""The objective of a sweep against each swept setting."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from hudyn.figures.style import COLOURS, in_style
from hudyn.metrics.kinds import wilson_interval

WIDTH, HEIGHT = 4.2, 3.4  # inches, of a panel
WIDE = 20  # ratio of the largest to the smallest value of a setting, from which its axis is logarithmic
CROWDED = 28  # letters of the labels of an axis, beyond which they are turned


@in_style
def objective_against_settings(
    settings: dict[str, Sequence[str]], values: Sequence[Sequence[float]], objective: str, rate: bool = False
) -> Figure:
    """One panel a setting: a dot for every member of every job, and a line through the means.

    A success rate is shown by the mean with its 95 % interval alone. If two settings were swept, each panel has a line
    for every value of the other; otherwise one line over all jobs.

    Args:
        settings: value of each swept setting in every job.
        values: objective of the members of each job; empty if the job has none.
        objective: its name.
        rate: whether it is a success rate: 0 or 1 of each member.
    """
    counts = sorted({len(members) for members in values if members})
    members = f"{counts[0]} members" if len(counts) == 1 else "members"
    mean = f"share of {members}, with its 95 % interval" if rate else "mean over members"
    columns = min(3, len(settings))
    rows = math.ceil(len(settings) / columns)
    figure = Figure(figsize=(WIDTH * columns + 0.6, HEIGHT * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes in grid.flat[len(settings) :]:
        axes.set_axis_off()
    for axes, (setting, by_job) in zip(grid.flat, settings.items(), strict=False):
        others = [name for name in settings if name != setting] if len(settings) == 2 else []
        lines = settings[others[0]] if others else [mean] * len(by_job)
        places = _places(axes, list(dict.fromkeys(by_job)))
        for colour, line in zip(itertools.cycle(COLOURS), dict.fromkeys(lines), strict=False):
            pooled: dict[float, list[float]] = {}
            for job, members_of_job in enumerate(values):
                if lines[job] == line and members_of_job:
                    pooled.setdefault(places[by_job[job]], []).extend(members_of_job)
            draw = _draw_rates if rate else _draw_means
            draw(axes, dict(sorted(pooled.items())), colour, line)
        axes.set_xlabel(setting)
        axes.grid(axis="y")
        axes.margins(x=0.08)
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 4, "alignment": "left"}  # clear of all lines
        axes.legend(title=others[0] if others else None, fontsize=8, title_fontsize=8, **above)
    for axes in grid[:, 0]:
        axes.set_ylabel(objective)
        if rate:
            axes.set_ylim(-0.02, 1.02)
            axes.yaxis.set_major_formatter(PercentFormatter(1))
    if without := sum(not members for members in values):
        figure.supxlabel(f"{without} job{'s' * (without > 1)} without a result", x=0.99, ha="right", fontsize=8)
    return figure


def _draw_means(axes: Axes, pooled: dict[float, list[float]], colour: str, label: str) -> None:
    """Dots of all members at each place, and a line through the means."""
    for place, values in pooled.items():
        axes.plot([place] * len(values), values, ".", color=colour, alpha=max(0.15, min(0.8, 8 / len(values))))
    means = [sum(values) / len(values) for values in pooled.values()]
    axes.plot(list(pooled), means, color=colour, label=label, marker="o", markersize=4)


def _draw_rates(axes: Axes, pooled: dict[float, list[float]], colour: str, label: str) -> None:
    """A line through the success rate at each place, with 95 % intervals."""
    rates = np.array([np.mean(values) for values in pooled.values()])
    intervals = np.array([wilson_interval(int(sum(values)), len(values)) for values in pooled.values()]).reshape(-1, 2)
    reach = np.maximum([rates - intervals[:, 0], intervals[:, 1] - rates], 0)
    axes.errorbar(list(pooled), rates, reach, color=colour, label=label, marker="o", markersize=4, capsize=3)


def _places(axes: Axes, known: list[str]) -> dict[str, float]:
    """The place of each value of a setting on the x axis, whose ticks are set: to scale if all are numbers."""
    try:
        places = dict(sorted(((setting, float(setting)) for setting in known), key=lambda place: place[1]))
        if min(places.values()) > 0 and max(places.values()) / min(places.values()) >= WIDE:
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())
    except ValueError:
        places = {setting: float(place) for place, setting in enumerate(known)}
    axes.xaxis.set_major_locator(FixedLocator(list(places.values())))
    crowded = sum(map(len, known)) > CROWDED
    axes.set_xticklabels(list(places), rotation=30 if crowded else 0, ha="right" if crowded else "center")
    return places
