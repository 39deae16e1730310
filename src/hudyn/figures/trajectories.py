"""The course of a network's units as it reads."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from hudyn.dynamics.trajectories import WordTrajectory
from hudyn.figures.style import COLOURS, colour_bar, heading, in_style


@in_style
def time_course(read: WordTrajectory, alphabet: Sequence[str], units: np.ndarray, title: str) -> Figure:
    """The units of a network as it reads a text, a panel for each kind of unit and gate, and what it predicts.

    Args:
        read: what the network goes through.
        alphabet: the symbols.
        units: indices of the units that are shown.
        title: heading.
    """
    series = {name: states[1:] for name, states in read.parts.items()}
    series |= {name if name == "candidate" else f"{name} gate": gate for name, gate in read.gates.items()}
    symbols = read.symbols
    heights = [1.35] * len(series) + [0.2 * len(alphabet) + 0.15] * 2
    figure = Figure(figsize=(max(6.4, 0.17 * len(symbols) + 2), sum(heights) + 1.3), layout="constrained")
    heading(figure, title)
    ratios = {"height_ratios": heights, "width_ratios": [figure.get_figwidth(), 0.15]}
    panels, keys = figure.subplots(len(heights), 2, sharex="col", squeeze=False, gridspec_kw=ratios).T
    for axes, (name, values) in zip(panels, series.items(), strict=False):
        for unit, colour in zip(units, itertools.cycle(COLOURS), strict=False):
            axes.plot(values[:, unit], "o-", color=colour, markersize=3, linewidth=1.2, label=f"unit {unit + 1}")
        low = 0 if name.endswith("gate") else -1
        if np.abs(values[:, units]).max() <= 1:
            axes.set_ylim(low - 0.05 * (1 - low), 1 + 0.05 * (1 - low))
        axes.set_ylabel(name)
        axes.grid(axis="y")
    for axes in panels:
        for begin in read.text.starts:
            axes.axvline(begin - 0.5, color="gray", linewidth=0.8)
        axes.tick_params(axis="x", length=0)
    panels[0].set_xlim(-0.5, len(symbols) - 0.5)
    panels[0].set_xticks(range(len(symbols)), symbols)
    panels[0].tick_params(labeltop=True)
    for key in keys:
        key.set_axis_off()
    keys[0].legend(*panels[0].get_legend_handles_labels(), loc="upper left", borderaxespad=0)
    predictions = {"predicted": read.probabilities, "true": read.text.probabilities}
    for axes, (name, distributions) in zip(panels[len(series) :], predictions.items(), strict=True):
        image = axes.imshow(distributions.T, aspect="auto", vmin=0, vmax=1)
        axes.set_yticks(range(len(alphabet)), alphabet)
        axes.set_ylabel(f"{name}\nnext")
    place = figure.add_subplot(keys[0].get_gridspec()[len(series) :, 1])
    colour_bar(figure, image, cax=place, ticks=[0, 0.5, 1], label="probability")
    figure.align_ylabels(panels)
    return figure
