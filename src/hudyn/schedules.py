"""Schedules of the learning rate that torch does not have."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from hudyn.arguments import Positive, Share, checked


class WarmupCosine(LambdaLR):
    """The learning rate rises linearly, then falls to 0 along half a cosine.

    Args:
        optimizer: whose learning rates are the largest.
        total_steps: number of updates of the run.
        warmup: share of them in which the learning rate rises.
    """

    @checked
    def __init__(self, optimizer: Optimizer, total_steps: Positive, warmup: Share = 0.05) -> None:
        rising = warmup * total_steps

        def factor(update: int) -> float:
            if update < rising:
                return (update + 1) / (rising + 1)
            done = min(1.0, (update - rising) / max(1.0, total_steps - rising))
            return 0.5 * (1 + math.cos(math.pi * done))

        super().__init__(optimizer, factor)
