"""Checkpoints from which a run continues exactly, however it was stopped."""

import io
import pickle
import signal
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch import callbacks as lightning_callbacks
from torch import Tensor

from hudyn.arguments import PositiveFloat, checked
from hudyn.errors import HudynError, Interrupted
from hudyn.run.callback import Cadence, RunCallback, training_ends
from hudyn.run.folder import atomic_write
from hudyn.run.formats import upgraded_checkpoint

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Checkpoint(RunCallback, lightning_callbacks.Checkpoint):
    """Keeps ``checkpoints/last.ckpt``: after an epoch, every `interval` seconds, and when a signal stops the run.

    Where epochs are so short that saving after each would take more than a twentieth of the time, it skips some, but
    never the last. It saves between two chunks of updates, or after the evaluation that ends an epoch, where a resumed
    run can pick up exactly. SIGINT (Ctrl-C) and SIGTERM wait for the next such point; a second one does not.

    Args:
        interval: seconds between two checkpoints within an epoch.
    """

    @checked
    def __init__(self, interval: PositiveFloat = 60.0) -> None:
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
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Save if the interval is over; save and stop if a signal came."""
        if trainer.is_last_batch:
            return  # the epoch's evaluation follows, then `on_train_epoch_end`
        stop = _any_device(trainer, self._received is not None)
        if stop or _any_device(trainer, time.monotonic() - self._saved_at >= self.interval):
            self._save(trainer, stop)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save if it is due; save and stop if a signal came."""
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
            for logger in trainer.loggers:
                logger.save()  # a resumed run continues after what is in the checkpoint
            trainer.save_checkpoint(self.run.checkpoint)
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
        """Write `checkpoint` to `path`; the previous one is replaced only at the end."""
        content = io.BytesIO()  # torch.save into a file hides why a write fails
        torch.save(checkpoint, content)
        with atomic_write(Path(path), "wb") as file:
            file.write(content.getbuffer())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """See `load_checkpoint`."""
        return load_checkpoint(Path(path))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The contents of a checkpoint, on the CPU; never runs code from the file.

    torch writes a ZIP archive with a CRC-32 of each part, but does not verify it when it reads; this does.

    Raises:
        HudynError: the file is missing or damaged, or holds more than tensors and plain values.
    """
    if not path.exists():
        raise HudynError(f"{path} does not exist: the run was stopped before its first checkpoint.")
    damaged = f"{path} is damaged and cannot be loaded. Its run must be started anew."
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise HudynError(damaged)
        return upgraded_checkpoint(torch.load(path, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError as error:
        if "Unsupported global" not in str(error):
            raise HudynError(damaged) from error
        raise HudynError(
            f"{path} is refused: it holds more than tensors and plain values and could run code when loaded.\n"
            "Use a checkpoint that hudyn wrote."
        ) from error
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError, ValueError, NotImplementedError) as error:
        raise HudynError(damaged) from error


def load_weights(module: LightningModule, state: Mapping[str, Tensor], path: Path) -> None:
    """Put a checkpoint's weights into a module.

    Args:
        module: made from the run's config.
        state: the checkpoint's ``state_dict``.
        path: the checkpoint, for messages.

    Raises:
        HudynError: they have other names or shapes, or are not finite.
    """
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise HudynError(f"{path} does not fit the run's config.\n{error}") from error
    for name, parameter in module.named_parameters():
        if not parameter.isfinite().all():
            raise HudynError(
                f"{path} holds weights that are not finite ({name}): its training diverged. "
                "Start a new run with a smaller learning rate (optimizer.lr)."
            )
