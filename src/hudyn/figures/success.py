"""The success rate of a population against time."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter, StrMethodFormatter
from torch import Tensor

from hudyn.figures.style import COLOURS, in_style
from hudyn.metrics.kinds import wilson_interval


@in_style
def success_curves(first: Tensor, sustained: Tensor, last: int, unit: str, what: str, title: str) -> Figure:
    """Share of members that have succeeded against time, with its 95 % interval.

    Args:
        first: time of each member's first success, NaN if there was none, [members].
        sustained: time from which each member succeeded until the end, NaN if it did not, [members].
        last: time of the end of training.
        unit: unit of time.
        what: name of a success.
        title: heading.
    """
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    finite = first[~first.isnan()]
    begin = max(1.0, 0.7 * (finite.min().item() if len(finite) else last / 10))
    wide = last > 10 * begin
    axes.set_xscale("log" if wide else "linear")
    axes.set(xlabel=unit, ylabel=f"share of {len(first)} members", title=title)
    _curve(axes, first, last, COLOURS[4], 4.0, f"{what} at least once")
    moments, counts = _curve(axes, sustained, last, COLOURS[0], 1.6, f"{what} for good")
    low, high = np.array([wilson_interval(int(count), len(sustained)) for count in counts]).T
    band = axes.fill_between(moments, low, high, step="post", color=COLOURS[0], alpha=0.15, linewidth=0)
    band.set_label("95 % interval")
    axes.set_xlim(begin if wide else 0, max(last, 2))
    axes.set_ylim(-0.01, 1.02)
    if wide:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(axis="y")
    figure.legend(loc="outside lower left", borderaxespad=0.8)
    return figure


def _curve(
    axes: Axes, times: Tensor, last: int, colour: str, width: float, label: str
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the curve; return the times at which it rises, and the number of successful members from then on."""
    members = len(times)
    known = np.sort(times[~times.isnan()].numpy())
    moments = np.concatenate([[1], known, [last]])
    counts = np.concatenate([np.arange(len(known) + 1), [len(known)]])
    label = f"{label}: {len(known)} of {members}"
    if len(known):
        label += f", median {axes.get_xlabel()} {np.median(known):,.0f}"
    axes.plot(moments, counts / members, drawstyle="steps-post", color=colour, linewidth=width, label=label)
    return moments, counts
