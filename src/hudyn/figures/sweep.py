"""The figure of a sweep: the objective against each setting that was swept."""

import itertools
import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from hudyn.figures.style import COLOURS, in_style
from hudyn.metrics.success import wilson_interval


@in_style
def objective_against_settings(
    settings: dict[str, Sequence[str]], values: Sequence[Sequence[float]], objective: str, rate: bool = False
) -> Figure:
    """One panel a setting: every member of every job as a dot, the mean over them as a line.

    Of a success rate, the mean alone, with its 95 % interval. Of two swept settings, each panel has a line for every
    value of the other; of more, one over all jobs.

    Args:
        settings: of each swept setting, its value in every job.
        values: of each job, the objective of its members; empty where the job has none.
        objective: its name.
        rate: whether it is a success rate: 0 or 1 of each member.
    """
    counts = sorted({len(found) for found in values if found})
    members = f"{counts[0]} members" if len(counts) == 1 else "members"
    told = f"share of {members}, with its 95 % interval" if rate else "mean over members"
    columns = min(3, len(settings))
    rows = math.ceil(len(settings) / columns)
    figure = Figure(figsize=(4.2 * columns + 0.6, 3.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes in grid.flat[len(settings) :]:
        axes.set_axis_off()
    for axes, (setting, own) in zip(grid.flat, settings.items(), strict=False):
        others = [name for name in settings if name != setting] if len(settings) == 2 else []
        lines = settings[others[0]] if others else [told] * len(own)
        places = _places(axes, list(dict.fromkeys(own)))
        for colour, line in zip(itertools.cycle(COLOURS), dict.fromkeys(lines), strict=False):
            chosen = [job for job in range(len(own)) if lines[job] == line and values[job]]
            draw = _rates if rate else _line
            draw(axes, [places[own[job]] for job in chosen], [values[job] for job in chosen], colour, line)
        axes.set_xlabel(setting)
        axes.grid(axis="y")
        axes.margins(x=0.08)
        axes.legend(title=others[0] if others else None, fontsize=8, title_fontsize=8)
    for axes in grid[:, 0]:
        axes.set_ylabel(objective)
        if rate:
            axes.set_ylim(-0.02, 1.02)
            axes.yaxis.set_major_formatter(PercentFormatter(1))
    without = sum(not found for found in values)
    if without:
        figure.supxlabel(f"{without} job{'s' * (without > 1)} without a result", x=0.99, ha="right", fontsize=8)
    return figure


def _line(axes: Axes, places: Sequence[float], values: Sequence[Sequence[float]], colour: str, label: str) -> None:
    """Dots of all members of the jobs at `places`, and a line through the mean at each place."""
    found = _pooled(places, values)
    for place, own in found.items():
        axes.plot([place] * len(own), own, ".", color=colour, alpha=max(0.15, min(0.8, 8 / len(own))))
    along = sorted(found)
    axes.plot(
        along, [sum(found[p]) / len(found[p]) for p in along], color=colour, label=label, marker="o", markersize=4
    )


def _rates(axes: Axes, places: Sequence[float], values: Sequence[Sequence[float]], colour: str, label: str) -> None:
    """A line through the share of successes at each of `places`, with 95 % intervals."""
    found = _pooled(places, values)
    along = sorted(found)
    rates = [sum(found[p]) / len(found[p]) for p in along]
    intervals = [wilson_interval(int(sum(found[p])), len(found[p])) for p in along]
    reach = [
        [max(0.0, rate - low) for rate, (low, _) in zip(rates, intervals, strict=True)],
        [max(0.0, high - rate) for rate, (_, high) in zip(rates, intervals, strict=True)],
    ]
    axes.errorbar(along, rates, reach, color=colour, label=label, marker="o", markersize=4, capsize=3)


def _pooled(places: Sequence[float], values: Sequence[Sequence[float]]) -> dict[float, list[float]]:
    """The values of all jobs at each place."""
    found: dict[float, list[float]] = {}
    for place, own in zip(places, values, strict=True):
        found.setdefault(place, []).extend(own)
    return found


def _places(axes: Axes, known: list[str]) -> dict[str, float]:
    """Where each value of a setting stands on the x axis, whose ticks are set: to scale where all are numbers."""
    if all(_is_number(setting) for setting in known):
        known = sorted(known, key=float)
        places = {setting: float(setting) for setting in known}
        if places[known[0]] > 0 and places[known[-1]] / places[known[0]] >= 20:
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())
    else:
        places = {setting: float(place) for place, setting in enumerate(known)}
    axes.xaxis.set_major_locator(FixedLocator(list(places.values())))
    crowded = sum(map(len, known)) > 28
    axes.set_xticklabels(known, rotation=30 if crowded else 0, ha="right" if crowded else "center")
    return places


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
