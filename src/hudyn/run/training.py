"""A run from its checked config to its results: build, fit, evaluate, report."""

import errno
import logging
import math
import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from hydra.utils import get_class, instantiate
from lightning.pytorch import LightningDataModule, Trainer
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from hudyn.errors import HudynError, Interrupted
from hudyn.kernels.threads import use_threads
from hudyn.run.checkpoint import AtomicCheckpointIO, load_checkpoint
from hudyn.run.folder import Run, environment, rank, summaries, summary
from hudyn.run.loggers import TensorBoard
from hudyn.run.page import interval, numbers, write_page


def train(run: Run, resume: bool = False) -> float | None:
    """Run an experiment from its config, or continue it.

    Args:
        run: the run, begun: its config is checked and written.
        resume: whether to continue from its last checkpoint, if there is one.

    Returns:
        the objective: mean over members of the measure that `config.objective` names, None where it was not taken.

    Raises:
        HudynError: the run failed for a reason that a person can mend; results.json has status "failed".
        Interrupted: a signal stopped the run; results.json has status "interrupted".
    """
    started = time.monotonic()
    config, folder = run.config, run.folder
    with _recorded(run, started):
        if rank() == 0:
            for left_over in folder.rglob(".*.part"):  # of a process that was killed while writing
                left_over.unlink(missing_ok=True)
        checkpoint = run.checkpoint if resume and run.checkpoint.exists() else None
        step = load_checkpoint(checkpoint)["global_step"] if checkpoint else None
        module, data, trainer = build(config, folder, resumed_at=step)
        run.update_results(
            network={"class": config.model.network._target_, "parameters": parameters(module)},
            environment=environment(str(trainer.strategy.root_device)),
        )
        trained = any(parameter.requires_grad for parameter in module.population.parameters())
        if trained:
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        try:
            trainer.test(module, datamodule=data, verbose=False)
        finally:  # where a report cannot be written, what was measured is kept
            if trainer.is_global_zero and module.results:
                run.update_results(metrics=summaries(module.results))
        if not trained:
            trainer.save_checkpoint(run.checkpoint)
        if trainer.is_global_zero:
            show(module.results, run)
    if config.objective not in module.results:
        return None
    return summary(module.results[config.objective])["mean"]


def check_resumable(run: Run, config: DictConfig) -> None:
    """Look at the run's last checkpoint, if there is one, before anything of the run is changed.

    Raises:
        HudynError: it cannot be loaded, or the run is past the end that `config` gives it.
    """
    if not run.checkpoint.exists():
        return
    checkpoint = load_checkpoint(run.checkpoint)
    epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    for what, done in (("epochs", epochs), ("steps", checkpoint["global_step"])):
        end = config.trainer.get(f"max_{what}", -1)
        if end in (None, -1):
            continue
        if done > end:
            raise HudynError(f"{run.folder} is trained for {done} {what}, more than trainer.max_{what}={end}.")
        if done == end:
            print(
                f"{run.folder} is trained to its end, {done} {what}; trainer.max_{what}=... trains longer.", flush=True
            )


def evaluate(run: Run, config: DictConfig, folder: Path) -> Run:
    """Evaluate the last checkpoint of a run.

    Args:
        run: the run.
        config: its config, possibly changed.
        folder: where the evaluation's results, tables and figures go.

    Returns:
        the evaluation, as a run.

    Raises:
        HudynError: no checkpoint, a damaged one, or one that does not fit the config.
    """
    started = time.monotonic()
    finished = run.results
    evaluation = Run(folder)
    with _recorded(evaluation, started):
        state = load_checkpoint(run.checkpoint)["state_dict"]
        evaluation.config = config
        evaluation.update_results(
            experiment=config.name, seed=config.seed, members=config.members, status="running", run=str(run.folder)
        )
        module, data, trainer = build(config, folder)
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            raise HudynError(f"{run.checkpoint} does not fit the run's config.\n{error}") from error
        module.results = {
            name: torch.tensor([math.nan if v is None else v for v in values["values"]], dtype=torch.float64)
            for name, values in finished.get("metrics", {}).items()
            if name.startswith("train/")
        }
        trainer.test(module, datamodule=data, verbose=False)
        evaluation.update_results(
            network={"class": config.model.network._target_, "parameters": parameters(module)},
            metrics=summaries(module.results),
            environment=environment(str(trainer.strategy.root_device)),
        )
        show(module.results, evaluation)
    return evaluation


def build(config: DictConfig, folder: Path, resumed_at: int | None = None) -> tuple[Any, LightningDataModule, Trainer]:
    """The objects of a run; torch is given the threads that the config allows.

    Args:
        config: the composed config, checked.
        folder: the run's folder.
        resumed_at: the update after which a run is continued.
    """
    quieten()
    threads = config.threads or os.cpu_count() or 1
    module_class: Any = get_class(config.model._target_)
    use_threads(threads)
    torch.set_num_threads(1 if module_class.small_operations else threads)
    settings = OmegaConf.masked_copy(config.model, [key for key in config.model if key not in ("_target_", "network")])
    module = module_class(
        network=partial(instantiate, config.model.network),
        optimizer=instantiate(config.optimizer),
        **instantiate(settings),
    )
    data = instantiate(config.data)
    loggers = [instantiate(logger, save_dir=str(folder)) for logger in config.logger.values()]
    for logger in loggers:
        if isinstance(logger, TensorBoard) and resumed_at is not None:
            logger.continue_after(resumed_at)
    trainer = instantiate(
        config.trainer,
        callbacks=[instantiate(callback) for callback in config.callbacks.values()],
        logger=loggers,
        plugins=[AtomicCheckpointIO()],
        default_root_dir=str(folder),
    )
    return module, data, trainer


def parameters(module: Any) -> int:
    """Number of parameters of one member."""
    return sum(tensor.numel() for tensor in module.population.parameters()) // module.population.members


def show(results: dict[str, torch.Tensor], run: Run) -> None:
    """Print a short table of the results."""
    members = max(len(values) for values in results.values())
    table = Table(title=f"{run.results['experiment']}, {members} member{'s' * (members > 1)}", title_justify="left")
    columns = ["value"] if members == 1 else ["mean", "min", "median", "max"]
    found = {name: summary(results[name]) for name in sorted(results)}
    intervals = members > 1 and any("interval" in values for values in found.values())
    for column in ["measure", *columns, *["95 % interval"] * intervals]:
        table.add_column(column, justify="left" if column == "measure" else "right")
    for name, values in found.items():
        shown = values | {"value": values["mean"], "median": values.get("quartiles", ["", [], ""])[1]}
        cells = [numbers(shown[column]) for column in columns]
        table.add_row(name, *cells, *[interval(values)] * intervals)
    console = Console()
    console.print(table)
    console.print(f"[bold]{run.folder}[/]: report.html, results.json, tables, figures", soft_wrap=True, highlight=False)


@contextmanager
def _recorded(run: Run, started: float) -> Iterator[None]:
    """Write how the run ended into its results.json, whatever its end."""

    def record(status: str, **changes: Any) -> None:
        spent = run.results.get("time", {})
        total = spent.get("total_s", 0.0) + time.monotonic() - started
        run.update_results(status=status, time=spent | {"total_s": round(total, 2)}, **changes)
        if rank() == 0:
            write_page(run)

    def record_failure(status: str, error: BaseException) -> None:
        try:
            record(status, error=str(error))
        except HudynError as unwritable:
            error.add_note(f"{unwritable}")

    with _sigterm_raises():
        try:
            yield
        except (KeyboardInterrupt, SystemExit, Interrupted) as error:
            interrupted = error if isinstance(error, Interrupted) else Interrupted(signal.SIGINT)
            record_failure("interrupted", interrupted)
            raise interrupted from None
        except HudynError as error:
            record_failure("failed", error)
            raise
        except BaseException as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                full = HudynError(f"{run.folder} cannot be written: {error.strerror}.")
                record_failure("failed", full)
                raise full from error
            record_failure("failed", HudynError(traceback.format_exc()))
            raise
        record("done", error=None)


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Let SIGTERM raise `Interrupted`, as Ctrl-C raises KeyboardInterrupt."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, stop), signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous[0])
        signal.signal(signal.SIGINT, previous[1])


def quieten() -> None:
    """Keep Lightning's advice on what does not apply here from the terminal."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        r"The number of training batches \(\d+\) is smaller than the logging interval",
        r"GPU available but not used",
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning's own use of torch
    ):
        warnings.filterwarnings("ignore", message)
