"""Weights of a first layer as images."""

from matplotlib.figure import Figure
from torch import Tensor, nn

from hudyn.figures.style import DIVERGING, image_tiles, in_style, printable

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
    part = f", the first {SHOWN} of {len(weights)} units" if len(weights) > SHOWN else ""
    limit = shown.abs().max().item()
    return image_tiles(
        list(shown.numpy()),
        names,
        columns=min(len(shown), 5 if len(shown) <= 10 else 8),
        title=title + part,
        side=1.0,
        bar="weight",
        cmap=DIVERGING,
        vmin=-limit,
        vmax=limit,
    )
