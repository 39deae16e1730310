"""How far networks count, within and beyond the words that they were trained on."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter, StrMethodFormatter

from hudyn.figures.style import COLOURS, in_style

TRAINED_COLOUR = "#FDE3CF"
LINEAR_UP_TO = 40  # the largest n on a linear axis
SIZE = (7.2, 4.2)  # inches, of a figure


@in_style
def accuracy_by_n(ns: np.ndarray, accuracies: np.ndarray, trained_up_to: int, longest: int, title: str) -> Figure:
    """Accuracy at the determined positions of words against n, within and beyond the trained range.

    Args:
        ns: number n of each word, [ns].
        accuracies: accuracy at determined positions, [ns], or of each member, [members, ns].
        trained_up_to: largest n in training.
        longest: N* of the best member.
        title: heading.
    """
    members = np.atleast_2d(accuracies)
    unbroken = (members == 1).cumprod(axis=1).sum(axis=1)
    *others, best = members[np.lexsort([members.mean(axis=1), unbroken])]
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot(xlabel="n", ylabel="accuracy at determined positions", title=title)
    for place, other in enumerate(others):
        axes.plot(ns, other, color=COLOURS[5], linewidth=0.7, label=None if place else f"{len(others)} other members")
    axes.plot(ns, best, color=COLOURS[0], linewidth=2.4, label="best member" if others else None)
    _mark(axes, trained_up_to, longest, f"N* = {longest:,}: all words up to it are correct")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if ns[-1] > LINEAR_UP_TO:
        _make_logarithmic(axes, ns[-1])
    axes.set(xlim=(min(ns[0], longest) - 0.2, 1.03 * ns[-1]), ylim=(min(0.9, members.min()) - 0.02, 1.01))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="y")
    figure.legend(loc="outside lower left", ncols=2)
    return figure


@in_style
def spread_of_longest(longest: np.ndarray, trained_up_to: int, max_n: int, title: str) -> Figure:
    """How many members have an N* of at least n, a dot for each member.

    Args:
        longest: N* of each member, [members].
        trained_up_to: largest n in training.
        max_n: largest n of the search for N*.
        title: heading.
    """
    members = len(longest)
    shares = np.arange(members, 0, -1) / members
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot(xlabel="N*", ylabel="share of members with at least this N*", title=title)
    axes.plot([0, *np.sort(longest)], [1, *shares], drawstyle="steps-pre", color=COLOURS[5])
    axes.plot(np.sort(longest), shares, "o", color=COLOURS[0], markersize=5, clip_on=False, zorder=3, label="member")
    median = float(np.median(longest))
    _mark(axes, trained_up_to, median, f"median N*: {median:,g}")
    label = f"end of the search, n = {max_n:,}: reached by {int((longest == max_n).sum())} of {members}"
    axes.axvline(max_n, color="gray", linestyle=":", label=label)
    _make_logarithmic(axes, max_n)
    axes.set(xlim=(-0.2, 1.1 * max_n), ylim=(0, 1.03))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="y")
    figure.legend(loc="outside lower left", ncols=2)
    return figure


def _mark(axes: Axes, trained_up_to: int, reached: float, label: str) -> None:
    """Shade the trained range, and mark the n that was reached."""
    axes.axvspan(0, trained_up_to, color=TRAINED_COLOUR, linewidth=0, label=f"trained: n ≤ {trained_up_to:,}")
    axes.axvline(reached, color=COLOURS[1], linestyle="--", label=label)


def _make_logarithmic(axes: Axes, last: int) -> None:
    """Make the x axis logarithmic from 1 on, with 0 before it, and ticks at 0, 1, 2, 5, 10, … up to the last."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.5)
    places = [0] + [digit * 10**power for power in range(len(str(last))) for digit in (1, 2, 5)]
    axes.xaxis.set_major_locator(FixedLocator([place for place in places if place <= last]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
