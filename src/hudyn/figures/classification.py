"""Figures of classifiers: confusion matrices, mistakes, learning curves."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter
from torch import Tensor

from hudyn.figures.style import COLOURS, GREYS, colour_bar, heading, image_tiles, in_style, printable
from hudyn.metrics.classification import Mistake

SHARE = "share of the true class"  # of which a confusion matrix shows colours
LONG_NAME = 5  # letters of a class beyond which names are turned
FEW_EPOCHS = 30  # that are marked by dots


@in_style
def confusion_matrix(matrix: Tensor, labels: list[str], title: str) -> Figure:
    """One member's confusion matrix with its counts; colours show shares of the true class.

    Args:
        matrix: counts [classes, classes]; rows are true classes, columns predicted ones.
        labels: name of each class.
        title: heading.
    """
    figure = Figure(figsize=(7.2, 6.4), layout="constrained")
    axes = figure.add_subplot()
    shares = _row_shares(matrix)
    image = axes.imshow(shares, vmin=0, vmax=1)
    for row, column in np.ndindex(*shares.shape):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(int(matrix[row, column])), ha="center", va="center", color=colour, fontsize=8.5)
    names = printable(labels)
    axes.set_xticks(range(len(names)), names, rotation=45 if max(map(len, names)) > LONG_NAME else 0)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="predicted class", ylabel="true class", title=title)
    colour_bar(figure, image, ax=axes, shrink=0.85, format=PercentFormatter(1, decimals=0), label=SHARE)
    return figure


@in_style
def confusion_matrices(matrices: Tensor, accuracies: Tensor, seeds: Sequence[int]) -> Figure:
    """Confusion matrices of all members, small, without numbers.

    Args:
        matrices: counts [members, classes, classes].
        accuracies: [members].
        seeds: seed of each member.
    """
    members = len(matrices)
    return image_tiles(
        [_row_shares(matrix) for matrix in matrices],
        [f"seed {seed}: {accuracy:.2%}" for seed, accuracy in zip(seeds, accuracies, strict=True)],
        columns=min(members, max(5, math.ceil(math.sqrt(members * 1.5)))),
        title="Confusion matrices (rows: true, columns: predicted)",
        side=1.4,
        bar=SHARE,
        bar_format=PercentFormatter(1, decimals=0),
        vmin=0,
        vmax=1,
    )


@in_style
def mistakes(images: Tensor, wrong: Sequence[Mistake], labels: list[str], title: str) -> Figure:
    """The images that a member classified wrongly with the highest confidence.

    Args:
        images: pixels [mistakes, height, width].
        wrong: the mistakes, in the same order.
        labels: name of each class.
        title: heading.
    """
    names, titles = printable(labels), []
    for mistake in wrong:
        probability = f"{math.floor(mistake.confidence * 1e4) / 1e4:.2%}"  # never rounded up to 100 %
        titles.append(f"{names[mistake.target]} → {names[mistake.choice]}\n{probability}")
    heading = f"{title}: true → predicted, with the predicted probability"
    return image_tiles(list(images.numpy()), titles, columns=6, title=heading, side=1.3, cmap=GREYS)


@in_style
def learning_curves(
    history: dict[str, np.ndarray], best: int, which: str, title: str, logarithmic: bool = False
) -> Figure:
    """Loss and accuracy after each epoch; thin lines are members, thick ones the best member.

    Args:
        history: ``epoch``: [epochs]; every measure ``split/loss`` or ``split/accuracy``: [epochs, members].
        best: index of the best member.
        which: name of the best member.
        title: heading.
        logarithmic: whether the axis of epochs is logarithmic.
    """
    figure = Figure(figsize=(9, 3.9), layout="constrained")
    heading(figure, title)
    pair = figure.subplots(1, 2)
    splits = [name.removesuffix("/loss") for name in history if name.endswith("/loss")]
    for axes, measure in zip(pair, ("loss", "accuracy"), strict=True):
        for colour, split in zip(COLOURS, splits, strict=False):
            _curves(axes, history["epoch"], history[f"{split}/{measure}"], best, colour, split)
        axes.set(xlabel="epoch", title=measure)
        axes.grid(axis="y")
        if logarithmic:
            axes.set_xscale("log")
            axes.set_xlim(1, max(10, history["epoch"][-1]))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    pair[0].set_ylabel("negative log-likelihood (nats)")
    pair[1].yaxis.set_major_formatter(PercentFormatter(1))
    pair[1].set_ylabel("accuracy")
    pair[0].legend(loc="best")
    if history[f"{splits[0]}/loss"].shape[1] > 1:
        figure.supxlabel(f"thick lines: {which}", x=0.99, ha="right", fontsize=8)
    return figure


def _curves(axes: Axes, epochs: np.ndarray, values: np.ndarray, best: int, colour: str, label: str) -> None:
    few = len(epochs) <= FEW_EPOCHS
    if values.shape[1] > 1:
        alpha = max(0.06, min(0.35, 10 / values.shape[1]))
        axes.plot(epochs, values, color=colour, linewidth=0.5, alpha=alpha, marker="." if few else "", markersize=2)
    axes.plot(epochs, values[:, best], color=colour, label=label, marker="o" if few else "", markersize=3)


def _row_shares(matrix: Tensor) -> np.ndarray:
    counts = matrix.double()
    return (counts / counts.sum(dim=1, keepdim=True).clamp(min=1)).numpy()
