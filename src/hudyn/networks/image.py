"""Networks for 28×28 grey images in ten classes: one linear layer, two dense layers, two convolutions."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hudyn.arguments import ArgumentError, Positive, checked

PIXELS = 28 * 28
CLASSES = 10


class NetLin(nn.Module):
    """One linear layer and log-softmax: 7,850 parameters."""

    inputs = "images"

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(PIXELS, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities [batch, 10] of the classes of images [batch, 1, 28, 28]."""
        return F.log_softmax(self.output(images.flatten(1)), dim=-1)


class NetFull(nn.Module):
    """Two dense layers with tanh between them, then log-softmax.

    Args:
        hidden_size: number of hidden units.
    """

    inputs = "images"

    @checked
    def __init__(self, hidden_size: Positive = 300) -> None:
        super().__init__()
        self.hidden = nn.Linear(PIXELS, hidden_size)
        self.output = nn.Linear(hidden_size, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities [batch, 10] of the classes of images [batch, 1, 28, 28]."""
        hidden = torch.tanh(self.hidden(images.flatten(1)))  # [batch, hidden]
        return F.log_softmax(self.output(hidden), dim=-1)


class NetConv(nn.Module):
    """Convolutions with relu that keep the image's size, then one linear layer and log-softmax.

    Args:
        channels: output channels of each convolution.
        kernel_size: side of the square kernels, odd.

    Raises:
        ArgumentError: no convolution, a number of channels below 1, or an even kernel size.
    """

    inputs = "images"

    def __init__(self, channels: Sequence[int] = (32, 64), kernel_size: int = 5) -> None:
        super().__init__()
        if not channels or min(channels) < 1:
            raise ArgumentError("channels", f"expected a positive number for each convolution, got {list(channels)}")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ArgumentError("kernel_size", f"expected a positive odd number, got {kernel_size}")
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, outputs, kernel_size, padding=kernel_size // 2)
            for inputs, outputs in zip([1, *channels[:-1]], channels, strict=True)
        )
        self.output = nn.Linear(channels[-1] * PIXELS, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities [batch, 10] of the classes of images [batch, 1, 28, 28]."""
        maps = images
        for convolution in self.convolutions:
            maps = F.relu(convolution(maps))  # [batch, channels, 28, 28]
        return F.log_softmax(self.output(maps.flatten(1)), dim=-1)
