"""What every run writes while it trains: results.json, the table of epochs, TensorBoard's curves."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import DictConfig, OmegaConf
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from hudyn.metrics.members import spread
from hudyn.run.cadence import Cadence
from hudyn.run.folder import Run, summaries
from hudyn.run.tables import write_csv

HPARAMS = {
    "experiment": "name",
    "network": "model.network._target_",
    "hidden_size": "model.network.hidden_size",
    "optimizer": "optimizer._target_",
    "lr": "optimizer.lr",
    "momentum": "optimizer.momentum",
    "weight_decay": "optimizer.weight_decay",
    "batch_size": "data.batch_size",
    "epochs": "trainer.max_epochs",
    "updates": "trainer.max_steps",
    "members": "members",
    "seed": "seed",
}


class Results(Callback):
    """Keeps the results of every epoch and member, and writes them after each epoch."""

    def __init__(self) -> None:
        self.history: list[dict[str, Any]] = []
        self._fit_seconds = 0.0
        self._started = 0.0
        self._cadence = Cadence()
        self._latest: dict[str, torch.Tensor] = {}
        self._chunk_started = 0.0

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on: the epochs so far and the time they took."""
        return {"history": self.history, "fit_seconds": self.fit_seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""
        self.history, self._fit_seconds = list(state_dict["history"]), state_dict["fit_seconds"]

    @property
    def fit_seconds(self) -> float:
        """Seconds spent training and evaluating so far, those before a resume included."""
        return self._fit_seconds + (time.monotonic() - self._started if self._started else 0.0)

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """``epoch``, where there are any, and ``update``: [evaluations]; every measure: [evaluations, members].

        A measure is NaN where it was not taken.
        """
        if not self.history:
            return {}
        names = self._measures
        members = max(len(values) for row in self.history for values in row["results"].values())
        missing = [float("nan")] * members
        return {name: np.array([row[name] for row in self.history]) for name in self._places} | {
            name: np.array([row["results"].get(name, missing) for row in self.history]) for name in names
        }

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock; put the config and the hyperparameters into TensorBoard."""
        self._started = time.monotonic()
        if (writer := tensorboard(trainer)) and not self.history:
            config = Run(Path(trainer.default_root_dir)).config
            lines = OmegaConf.to_yaml(config).splitlines()
            writer.add_text("config", "\n".join(f"    {line}" for line in lines), 0)
            measures = pl_module.measures(trainer.datamodule)
            splits = trainer.datamodule.evaluated_splits
            evaluated = {name: 0.0 for name in measures if name.split("/")[0] in splits}
            for part in hparams(hyperparameters(config), evaluated):
                writer._get_file_writer().add_summary(part)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Forget the last epoch's results, so that none is taken for this one's."""
        pl_module.results.clear()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Start the chunk's clock."""
        self._chunk_started = time.monotonic()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log learning rate and speed."""
        seconds = time.monotonic() - self._chunk_started
        values = {
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "samples_per_second": outputs["samples"] * trainer.world_size / max(seconds, 1e-9),
        }
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.global_step)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log and write the epoch's results."""
        self._latest = dict(pl_module.results) or self._latest
        passes = {} if trainer.datamodule.endless else {"epoch": trainer.current_epoch + 1}
        results = {name: values.double().tolist() for name, values in pl_module.results.items()}
        self.history.append(passes | {"update": trainer.global_step, "results": results})
        curves = self._log(trainer, pl_module.results)
        for logger in trainer.loggers if passes else []:
            logger.log_metrics({f"by_epoch/{tag}": value for tag, value in curves.items()}, step=passes["epoch"])
        if self._cadence.due:
            with self._cadence.kept():
                self._write(trainer, pl_module)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Write what is not yet written."""
        if self.history:
            self._write(trainer, pl_module)

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the measures that only the last evaluation takes."""
        taken = self._measures
        self._log(trainer, {name: values for name, values in pl_module.results.items() if name not in taken})

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Stop the clock and write everything; where nothing was left to train, take up the last epoch's results."""
        self._fit_seconds, self._started = self.fit_seconds, 0.0
        if self.history and not pl_module.results:
            last = self.history[-1]["results"]
            pl_module.results = {name: torch.tensor(values, dtype=torch.float64) for name, values in last.items()}
        if self.history:
            self._write(trainer, pl_module)

    def _log(self, trainer: Any, results: dict[str, torch.Tensor]) -> dict[str, float]:
        """Log results, but for the training losses, which are logged as they come; return the curves' values."""
        curves = {tag: value for name, values in results.items() for tag, value in spread(name, values).items()}
        for logger in trainer.loggers:
            shown = {tag: value for tag, value in curves.items() if not tag.startswith("train/loss")}
            logger.log_metrics(shown, step=trainer.global_step)
        return curves

    def _write(self, trainer: Any, pl_module: Any) -> None:
        if not trainer.is_global_zero:
            return
        run = Run(Path(trainer.default_root_dir))
        self._write_history(run)
        run.update_results(
            metrics=summaries(pl_module.results or self._latest),
            time=run.results.get("time", {})
            | {"fit_s": round(self.fit_seconds, 2), "updates": self.history[-1]["update"]},
        )

    def _write_history(self, run: Run) -> None:
        write_csv(
            run.tables / "history.csv",
            (
                {name: row[name] for name in self._places}
                | {"member": member}
                | {name: values[member] for name, values in row["results"].items()}
                for row in self.history
                for member in range(max(map(len, row["results"].values()), default=0))
            ),
            columns=[*self._places, "member", *self._measures],
        )

    @property
    def _places(self) -> list[str]:
        """What says when a row of the history was taken."""
        return [name for name in ("epoch", "update") if name in self.history[0]]

    @property
    def _measures(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.history for name in row["results"]))


def hyperparameters(config: DictConfig) -> dict[str, Any]:
    """The fixed short set of settings that TensorBoard's HPARAMS tab compares runs by."""
    values = {name: OmegaConf.select(config, path) for name, path in HPARAMS.items()}
    return {name: value for name, value in values.items() if value not in (None, -1)}


def tensorboard(trainer: Any) -> SummaryWriter | None:
    """The trainer's TensorBoard writer, on the process that writes."""
    loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
    return loggers[0].experiment if loggers and trainer.is_global_zero else None
