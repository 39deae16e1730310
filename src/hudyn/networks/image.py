"""Networks for 28×28 grey images in ten classes: one linear layer, two full layers, two convolutions."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


PIXELS = 28 * 28
CLASSES = 10


class NetLin(nn.Module):
    """One linear layer and log-softmax: 7,850 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(PIXELS, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities of the classes, [batch, 10], of images [batch, 1, 28, 28]."""
        return F.log_softmax(self.output(images.flatten(1)), dim=-1)


class NetFull(nn.Module):
    """Two fully connected layers, tanh between them, log-softmax at the end.

    Args:
        hidden_size: number of hidden units.
    """

    def __init__(self, hidden_size: int = 300) -> None:
        super().__init__()
        if hidden_size < 1:
            raise ValueError(f"hidden_size: expected at least 1, got {hidden_size}")
        self.hidden = nn.Linear(PIXELS, hidden_size)
        self.output = nn.Linear(hidden_size, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities of the classes, [batch, 10], of images [batch, 1, 28, 28]."""
        hidden = torch.tanh(self.hidden(images.flatten(1)))  # [batch, hidden]
        return F.log_softmax(self.output(hidden), dim=-1)


class NetConv(nn.Module):
    """Convolutions with relu that keep the image's size, then one linear layer and log-softmax.

    Args:
        channels: output channels of each convolution.
        kernel_size: side of the square kernels, odd; the padding is half of it, rounded down.
    """

    def __init__(self, channels: Sequence[int] = (32, 64), kernel_size: int = 5) -> None:
        super().__init__()
        if not channels or min(channels) < 1:
            raise ValueError(f"channels: expected one positive number a convolution, got {list(channels)}")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: expected a positive odd number, got {kernel_size}")
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, kernel_size, padding=kernel_size // 2)
            for before, after in zip([1, *channels[:-1]], channels, strict=True)
        )
        self.output = nn.Linear(channels[-1] * PIXELS, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities of the classes, [batch, 10], of images [batch, 1, 28, 28]."""
        maps = images
        for convolution in self.convolutions:
            maps = F.relu(convolution(maps))  # [batch, channels, 28, 28]
        return F.log_softmax(self.output(maps.flatten(1)), dim=-1)
