"""Figures of weights that can be seen as images."""

import math

from matplotlib.figure import Figure
from torch import Tensor, nn

from hudyn.figures.style import DIVERGING, in_style, printable

SHOWN = 64


def first_layer(network: nn.Module, image_shape: tuple[int, int, int]) -> tuple[str, Tensor] | None:
    """The weights of the first layer as one image a unit, where they can be seen so.

    Args:
        network: any network.
        image_shape: channels, height and width of its input; channels are averaged over.

    Returns:
        the layer's name and its weights [units, height, width], of the image's size for a linear layer and of the
        kernel's for a convolution; None where the first layer is neither.
    """
    channels, height, width = image_shape
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == channels and min(module.kernel_size) > 1:
            return name, module.weight.detach().cpu().mean(dim=1)
        if isinstance(module, nn.Linear) and module.in_features == channels * height * width:
            return name, module.weight.detach().cpu().view(-1, *image_shape).mean(dim=1)
        if any(True for _ in module.parameters(recurse=False)):
            return None
    return None


@in_style
def weight_images(weights: Tensor, labels: list[str] | None, title: str) -> Figure:
    """Weights of the units of a layer, one image each, on one scale around zero; 64 units at most.

    Args:
        weights: [units, height, width].
        labels: name of each unit; numbers where None.
        title: heading.
    """
    shown = weights[:SHOWN]
    names = printable(labels) if labels else [str(unit) for unit in range(len(shown))]
    columns = min(len(shown), 5 if len(shown) <= 10 else 8)
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(1.15 * columns + 1.2, 1.3 * rows + 0.5), layout="constrained")
    part = f", the first {SHOWN} of {len(weights)} units" if len(weights) > SHOWN else ""
    figure.suptitle(title + part, x=0.01, ha="left", fontsize=10)
    limit = shown.abs().max().item()
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, weight, name in zip(grid.flat, shown, names, strict=False):
        image = axes.imshow(weight.numpy(), cmap=DIVERGING, vmin=-limit, vmax=limit)
        axes.set_title(name, fontsize=8.5, fontweight="normal", loc="center")
    bar = figure.colorbar(image, ax=grid, shrink=0.8, aspect=30)
    bar.set_label("weight", fontsize=8)
    bar.outline.set_visible(False)
    return figure
