"""Evaluates each member with the average of its parameters during training."""

from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from hudyn.arguments import Share, checked
from hudyn.kernels.steps import Average
from hudyn.tasks.base import AnyModule


class MemberAveraging(Callback):
    """Evaluates each member with an exponential moving average of its parameters, which it has at the end of the run.

    The average begins with the initial parameters; checkpoints hold both.

    Args:
        decay: share of the average that an update keeps.
    """

    @checked
    def __init__(self, decay: Share = 0.999) -> None:
        self.decay = decay
        self._average: Average | None = None
        self._trained: list[Tensor] | None = None  # parameters with which a resumed run goes on
        self._parameters: list[Tensor] = []

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"trained": [parameter.detach().clone() for parameter in self._parameters]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._trained = state_dict["trained"]

    @torch.no_grad()
    def on_train_start(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Begin the average, or go on with the one in the checkpoint."""
        self._parameters = list(pl_module.population.parameters())
        self._average = Average(self.decay, [parameter.detach().clone() for parameter in self._parameters])
        for parameter, trained in zip(self._parameters, self._trained or [], strict=False):
            parameter.copy_(trained)
        pl_module.average = self._average

    def on_validation_start(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Put the average in the place of the parameters."""
        self._exchange()

    def on_validation_end(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Put the parameters back."""
        self._exchange()

    def on_train_end(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Leave the average in the place of the parameters."""
        self._exchange()
        self._average = pl_module.average = None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: AnyModule, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        """Let the checkpoint's weights be the averages."""
        if self._average is not None:
            names = [name for name, _ in pl_module.named_parameters()]
            checkpoint["state_dict"] |= dict(zip(names, self._average.parameters, strict=True))

    @torch.no_grad()
    def _exchange(self) -> None:
        if self._average is None:
            return
        for average, parameter in zip(self._average.parameters, self._parameters, strict=True):
            before = parameter.clone()
            parameter.copy_(average)
            average.copy_(before)
