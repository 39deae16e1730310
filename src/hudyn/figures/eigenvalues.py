"""The eigenvalues of fixed points against training."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import EngFormatter, StrMethodFormatter

from hudyn.arguments import ArgumentError
from hudyn.dynamics.branches import Branch
from hudyn.dynamics.fixed_points import MARGIN
from hudyn.figures.style import COLOURS, COUNTS, colour_bar, heading, in_style

WIDTH, NARROW_WIDTH = 3.4, 2.3  # inches, of a column; of each of more than three
HEIGHT = 2.3  # inches, of a row
MANY_UPDATES, LARGE = 100, 5.0  # updates, and sizes of eigenvalues, beyond which their axes are logarithmic


@in_style
def eigenvalue_course(
    branches: Sequence[Branch], updates: Sequence[int], alphabet: Sequence[str], title: str
) -> Figure:
    """Eigenvalues of fixed points against training, a column a symbol: size, real part, and complex plane.

    The complex plane is left out if all eigenvalues are real.

    Args:
        branches: fixed points followed through training.
        updates: number of updates before each snapshot of the network.
        alphabet: the symbols.
        title: heading.

    Raises:
        ArgumentError: there is no fixed point.
    """
    if not branches:
        raise ArgumentError("branches", "expected a fixed point, got none; counter_courses shows counters")
    values = np.concatenate([branch.eigenvalues.ravel() for branch in branches])
    reach = 1.1 * max(1.0, float(np.abs(values).max()))
    is_complex = bool((np.abs(values.imag) > MARGIN).any())
    width = WIDTH if len(alphabet) <= 3 else NARROW_WIDTH
    heights = [HEIGHT, HEIGHT] + [width] * is_complex
    figure = Figure(figsize=(width * len(alphabet) + 1.2, sum(heights) + 0.7), layout="constrained")
    heading(figure, title)
    grid = figure.subplots(len(heights), len(alphabet), squeeze=False, sharey="row", height_ratios=heights)
    for symbol, (sizes, reals, *planes) in enumerate(grid.T):
        of_symbol = [branch for branch in branches if branch.symbol == symbol]
        sizes.set_title(f"input {alphabet[symbol]}")
        for axes, measure in ((sizes, np.abs), (reals, np.real)):
            _draw_course(axes, of_symbol, np.array(updates), measure, reach)
        sizes.tick_params(labelbottom=False)
        reals.set_xlabel("update")
        for axes in planes:
            mappable = _draw_complex(axes, of_symbol, len(updates), reach)
    for row, name in zip(grid, ["size |λ|", "real part of λ", "imaginary part of λ"], strict=False):
        row[0].set_ylabel(name)
    figure.align_ylabels()
    figure.supxlabel("colour: fixed point; line style: eigenvalue", x=0.01, ha="left", fontsize=8.5)
    if is_complex:
        bar = colour_bar(figure, mappable, ax=grid[-1], label="update", aspect=15)
        chosen = np.unique(np.linspace(0, len(updates) - 1, 5).round().astype(int))
        bar.set_ticks(chosen.tolist(), labels=[f"{updates[place]:,}" for place in chosen])
    return figure


def _draw_course(
    axes: Axes,
    branches: Sequence[Branch],
    updates: np.ndarray,
    measure: Callable[[np.ndarray], np.ndarray],
    reach: float,
) -> None:
    """Draw a measure of eigenvalues over training with lines at 1 and -1, on logarithmic axes if they are long."""
    for line, colour in ((1, "black"), (0, "lightgray"), (-1, "black")):
        if measure is np.real or line >= 0:
            axes.axhline(line, color=colour, linewidth=0.8, zorder=0)
    for branch, colour in zip(branches, itertools.cycle(COLOURS), strict=False):
        for course, style in zip(measure(branch.eigenvalues).T, itertools.cycle(("-", "--", ":")), strict=False):
            axes.plot(updates[branch.times], course, color=colour, linestyle=style, marker=".", markersize=3)
    if updates[-1] > MANY_UPDATES:
        first = updates[updates > 0][0]
        axes.set_xscale("symlog", linthresh=first)
        axes.set_xticks([0, *10.0 ** np.arange(np.ceil(np.log10(first)), np.floor(np.log10(updates[-1])) + 1)])
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    if reach > LARGE:
        axes.set_yscale("symlog", linthresh=2)
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.update_datalim([(updates[0], 1.2), (updates[0], -1.2 if measure is np.real else 0)])
    axes.autoscale_view()


def _draw_complex(axes: Axes, branches: Sequence[Branch], snapshots: int, reach: float) -> ScalarMappable:
    """Draw eigenvalues in the complex plane, coloured by the index of their snapshot; the mapping of the colours."""
    mappable = ScalarMappable(Normalize(0, snapshots - 1), COUNTS)
    axes.add_patch(Circle((0, 0), 1, fill=False, linewidth=0.8))
    for branch in branches:
        colours = mappable.to_rgba(branch.times)
        for values in branch.eigenvalues.T:
            axes.scatter(values.real, values.imag, s=7, color=colours)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="real part of λ")
    return mappable
