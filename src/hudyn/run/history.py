"""What every run writes while it trains: its record, the table of evaluations, the curves of its loggers."""

import textwrap
import time
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import OmegaConf
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from hudyn.metrics.measure import Measure
from hudyn.run.callback import Cadence, RunCallback
from hudyn.run.run import Run
from hudyn.run.tables import write_csv
from hudyn.tasks.base import AnyModule

# The settings by which loggers, and TensorBoard's HPARAMS tab, compare runs.
HPARAMS = {
    "experiment": "experiment",
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
# The measures beside the objective in the HPARAMS tab, of all tasks: it takes the columns of one run for every run.
COMPARED = ("test/accuracy", "test/loss", "test/excess", "test/longest", "test/solved", "train/solved")


class History(RunCallback):
    """Keeps the results of every evaluation and member, and writes them after each.

    Attributes:
        rows: of each evaluation its place, ``epoch`` (for passes over data) and ``update``, and ``results``: the values
            of every measure, [members] each.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._fit_seconds = 0.0
        self._started = 0.0
        self._cadence = Cadence()
        self._latest: dict[str, Measure] = {}
        self._chunk_started = 0.0

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs: the evaluations so far, and the time that training took."""
        return {"history": self.rows, "fit_seconds": self.fit_seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.rows, self._fit_seconds = list(state_dict["history"]), state_dict["fit_seconds"]

    @property
    def fit_seconds(self) -> float:
        """Seconds spent training and evaluating so far, including those before a resume."""
        return self._fit_seconds + (time.monotonic() - self._started if self._started else 0.0)

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """``epoch`` (for passes over data) and ``update``, [evaluations]; every measure, [evaluations, members].

        A measure is NaN where it was not taken.
        """
        if not self.rows:
            return {}
        members = max((len(values) for row in self.rows for values in row["results"].values()), default=0)
        missing = [float("nan")] * members
        return {name: np.array([row[name] for row in self.rows]) for name in self._places} | {
            name: np.array([row["results"].get(name, missing) for row in self.rows]) for name in self._measures
        }

    def on_fit_start(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Start the clock; log the hyperparameters of a run that begins, and its config into TensorBoard."""
        resumed = self.fit_seconds > 0
        self._started = time.monotonic()
        if resumed:
            return
        self._log_settings(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Forget the last evaluation's results, so that none is taken for the next one's."""
        pl_module.results.clear()

    def on_train_batch_start(self, *_: object) -> None:
        """Start the chunk's clock."""
        self._chunk_started = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: AnyModule, outputs: Any, *_: object) -> None:  # type: ignore[override]
        """Log learning rate and speed."""
        seconds = time.monotonic() - self._chunk_started
        rates = torch.tensor([group["lr"] for group in trainer.optimizers[0].param_groups], dtype=torch.float64)
        values = Measure(rates).curves("learning_rate") | {
            "samples_per_second": outputs["samples"] * trainer.world_size / max(seconds, 1e-9),
        }
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.global_step)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Log and write the results of the evaluation."""
        self._latest = dict(pl_module.results) or self._latest
        passes = {} if pl_module.data.endless else {"epoch": trainer.current_epoch + 1}
        results = {name: measure.values.tolist() for name, measure in pl_module.results.items()}
        self.rows.append(passes | {"update": trainer.global_step, "results": results})
        curves = self._log(trainer, pl_module.results)
        for logger in trainer.loggers if passes else []:
            logger.log_metrics({f"by_epoch/{tag}": value for tag, value in curves.items()}, step=passes["epoch"])
        if self._cadence.due:
            with self._cadence.kept():
                self._write(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: AnyModule, exception: BaseException) -> None:  # type: ignore[override]
        """Write what is not yet written."""
        if self.rows:
            self._write(trainer, pl_module)

    def on_test_start(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Log the settings of a run that trains nothing."""
        if not pl_module.trained and self.run.record.run is None:
            self._log_settings(trainer)

    def on_test_end(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Log the measures that only the last evaluation takes."""
        logged = self._measures
        self._log(trainer, {name: measure for name, measure in pl_module.results.items() if name not in logged})

    def on_fit_end(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Stop the clock and write everything; if nothing was left to train, restore the last evaluation's results."""
        self._fit_seconds, self._started = self.fit_seconds, 0.0
        if self.rows and not pl_module.results:
            last = self.rows[-1]["results"]
            pl_module.record({name: torch.tensor(values, dtype=torch.float64) for name, values in last.items()})
        if self.rows:
            self._write(trainer, pl_module)

    def _log_settings(self, trainer: Trainer) -> None:
        """Log the settings by which runs are compared; into TensorBoard the config, too."""
        config = self.run.config
        chosen = {name: OmegaConf.select(config, path) for name, path in HPARAMS.items()} | self._swept()
        given = {
            name: str(value) if OmegaConf.is_config(value) else value  # a list of numbers, one for each variant
            for name, value in chosen.items()
            if value not in (None, -1)
        }
        for logger in trainer.loggers:
            if not isinstance(logger, TensorBoardLogger):
                logger.log_hyperparams(given)
        if writer := tensorboard(trainer):
            writer.add_text("config", textwrap.indent(OmegaConf.to_yaml(config, resolve=True), "    "), 0)
            measures = dict.fromkeys([config.objective, *COMPARED], 0.0)
            columns, *_ = hparams(dict.fromkeys(HPARAMS, 0.0) | given, measures)
            _, *session = hparams(given, {})
            for part in (columns, *session):
                writer._get_file_writer().add_summary(part)  # the public method opens an event file of its own

    def _swept(self) -> dict[str, object]:
        """The settings given to a job of a sweep, as far as `HPARAMS` does not name them."""
        if not (self.run.folder.parent / "multirun.yaml").is_file():
            return {}
        known = (*HPARAMS, *HPARAMS.values())
        values = {key: OmegaConf.select(self.run.config, key) for key in self.run.overrides if key not in known}
        return {
            key: self.run.overrides[key] if value is None or OmegaConf.is_dict(value) else value  # a group: its option
            for key, value in values.items()
        }

    def _log(self, trainer: Trainer, results: dict[str, Measure]) -> dict[str, float]:
        """Log results, but for the training losses, which are logged as they come; return all curves' values."""
        curves = {tag: value for name, measure in results.items() for tag, value in measure.curves(name).items()}
        shown = {tag: value for tag, value in curves.items() if not tag.startswith("train/loss")}
        for logger in trainer.loggers if shown else []:
            logger.log_metrics(shown, step=updates_made(trainer, self.run))
        return curves

    def _write(self, trainer: Trainer, pl_module: AnyModule) -> None:
        if not trainer.is_global_zero:
            return
        self.write_table()
        record = self.run.record
        record.metrics = dict(pl_module.results or self._latest)
        record.time |= {"fit_s": round(self.fit_seconds, 2), "updates": self.rows[-1]["update"]}
        self.run.save()

    def write_table(self) -> None:
        """Write ``tables/history.csv``."""
        write_csv(
            self.run.tables / "history.csv",
            (
                {name: row[name] for name in self._places}
                | {"member": member}
                | {name: values[member] for name, values in row["results"].items()}
                for row in self.rows
                for member in range(max(map(len, row["results"].values()), default=0))
            ),
            columns=[*self._places, "member", *self._measures],
        )

    @property
    def _places(self) -> list[str]:
        """Columns that say when an evaluation took place."""
        return [name for name in ("epoch", "update") if name in self.rows[0]]

    @property
    def _measures(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows for name in row["results"]))


def updates_made(trainer: Trainer, run: Run) -> int:
    """Number of updates that the networks were trained for, also if `trainer` only evaluates them."""
    return trainer.global_step or int(run.record.time.get("updates", 0))


def tensorboard(trainer: Trainer) -> SummaryWriter | None:
    """The trainer's TensorBoard writer; None if it has none, and on all processes but the first."""
    loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
    return loggers[0].experiment if loggers and trainer.is_global_zero else None
