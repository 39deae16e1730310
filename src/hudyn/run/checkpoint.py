"""Checkpoints from which a run continues exactly, however it was stopped."""

import io
import pickle
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch import callbacks as lightning_callbacks

from hudyn.errors import HudynError, Interrupted
from hudyn.run.cadence import Cadence, training_ends
from hudyn.run.folder import Run, atomic_write

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Checkpoint(lightning_callbacks.Checkpoint):
    """Keeps ``checkpoints/last.ckpt``: after an epoch, every `interval` seconds, and when a signal stops the run.

    Of epochs so short that saving after each would take more than a twentieth of the time, it leaves some out, but
    never the last. It saves between two chunks of updates, or after the evaluation that ends an epoch, where a resumed
    run can pick up exactly. SIGINT (Ctrl-C) and SIGTERM wait for the next such point; the second one does not.

    Args:
        interval: seconds between two checkpoints within an epoch.
    """

    def __init__(self, interval: float = 60.0) -> None:
        if interval <= 0:
            raise ValueError(f"interval: expected a positive number of seconds, got {interval}")
        self.interval = interval
        self._received: int | None = None
        self._saved_at = 0.0
        self._cadence = Cadence()
        self._previous: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over the signals."""
        self._received = None
        self._saved_at = time.monotonic()
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._request) for number in SIGNALS}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save where the interval is over, save and stop where a signal came."""
        if trainer.is_last_batch:
            return  # the epoch's evaluation follows, then `on_train_epoch_end`
        stop = _any_device(trainer, self._received is not None)
        if stop or _any_device(trainer, time.monotonic() - self._saved_at >= self.interval):
            self._save(trainer, stop)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save where it is due; save and stop where a signal came."""
        stop = _any_device(trainer, self._received is not None)
        if stop or training_ends(trainer) or _any_device(trainer, self._cadence.due):
            self._save(trainer, stop)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the signals back."""
        self._restore_signals()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the signals back."""
        self._restore_signals()

    def _save(self, trainer: Trainer, stop: bool) -> None:
        with self._cadence.kept():
            trainer.save_checkpoint(Run(Path(trainer.default_root_dir)).checkpoint)
        self._saved_at = time.monotonic()
        if stop:
            raise Interrupted(self._received or signal.SIGTERM)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self._received is not None:
            self._restore_signals()
            raise Interrupted(number)
        self._received = number
        name = signal.Signals(number).name
        print(f"\n{name}: saving at the next safe point; once more stops at once.", file=sys.stderr, flush=True)

    def _restore_signals(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}


def _any_device(trainer: Trainer, here: bool) -> bool:
    return here if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(here, all=False)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all, and reads only tensors and plain values."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `checkpoint` to `path`; what was there before is replaced at the end only."""
        content = io.BytesIO()  # torch.save into a file hides why a write fails
        torch.save(checkpoint, content)
        with atomic_write(Path(path), "wb") as file:
            file.write(content.getbuffer())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """See `load_checkpoint`."""
        return load_checkpoint(Path(path))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The contents of a checkpoint, on the CPU; never runs code from the file.

    Raises:
        HudynError: the file is missing, damaged, or holds more than tensors and plain values.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise HudynError(f"{path} does not exist: the run was stopped before its first checkpoint.") from error
    except (pickle.UnpicklingError, OSError, RuntimeError, EOFError, ValueError) as error:
        if "Unsupported global" in str(error):
            raise HudynError(
                f"{path} is refused: it holds more than tensors and plain values and could run code when loaded.\n"
                "Use a checkpoint that hudyn wrote."
            ) from error
        raise HudynError(f"{path} is damaged and cannot be loaded. Its run must be started anew.") from error
