"""Weights of a first layer as images."""

from matplotlib.figure import Figure
from torch import Tensor, nn

from hudyn.figures.style import DIVERGING, colour_bar, heading, in_style, printable, tiles

SHOWN = 64  # units


def first_layer(network: nn.Module, image_shape: tuple[int, int, int]) -> tuple[str, Tensor] | None:
    """The weights of the first layer as images, one a unit.

    Args:
        network: any network.
        image_shape: channels, height and width of its input; the images are means over the channels.

    Returns:
        the layer's name and its weights [units, height, width], of the image's size for a linear layer and of the
        kernel's for a convolution; None if the first layer is neither.
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
    """Weights of at most 64 units of a layer, one image a unit, on one scale around zero.

    Args:
        weights: [units, height, width].
        labels: name of each unit; None for numbers.
        title: heading.
    """
    shown = weights[:SHOWN]
    names = printable(labels) if labels else [str(unit) for unit in range(len(shown))]
    columns = min(len(shown), 5 if len(shown) <= 10 else 8)
    figure, panels = tiles(len(shown), columns, size=(1.15, 1.3), edge=(1.2, 0.5))
    part = f", the first {SHOWN} of {len(weights)} units" if len(weights) > SHOWN else ""
    heading(figure, title + part)
    limit = shown.abs().max().item()
    for axes, weight, name in zip(panels, shown, names, strict=True):
        image = axes.imshow(weight.numpy(), cmap=DIVERGING, vmin=-limit, vmax=limit)
        axes.set_title(name, fontsize=8.5, fontweight="normal", loc="center")
    colour_bar(figure, image, ax=panels, shrink=0.8, aspect=30).set_label("weight", fontsize=8)
    return figure
