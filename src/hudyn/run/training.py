"""A run from its checked config to its results: fit, evaluate, report."""

import errno
import importlib.util
import logging
import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from hydra.utils import instantiate
from lightning.pytorch import Trainer
from omegaconf import DictConfig, OmegaConf

from hudyn.config.build import build_data, build_module
from hudyn.config.saved import changed
from hudyn.errors import HudynError, Interrupted, Pruned, UsageError
from hudyn.page.run_page import write_page
from hudyn.run.build import build_trainer, load_study
from hudyn.run.checkpoint import load_checkpoint, load_weights
from hudyn.run.folder import claim_folder, rank, remove_unfinished
from hudyn.run.history import History, tensorboard, updates_made
from hudyn.run.precision import settle_precision
from hudyn.run.record import Status, environment
from hudyn.run.run import Run
from hudyn.run.signals import sigterm_raises
from hudyn.run.terminal import say
from hudyn.run.writer import write
from hudyn.tasks.artifacts import Artifacts
from hudyn.tasks.base import AnyStudy, Study
from hudyn.tasks.variants import report_variants


def train(run: Run, resume: bool = False) -> None:
    """Train, evaluate and report a run that has begun, or continue it.

    Args:
        run: the run.
        resume: whether to continue from its last checkpoint, if there is one.

    Raises:
        HudynError: the run failed for a reason that a person can mend; its status is "failed".
        Interrupted: a signal stopped the run; its status is "interrupted".
    """
    with recorded(run), trained(run, resume) as (study, trainer):
        if trainer.is_global_zero:
            _report(study, run.config, run, trainer)


@contextmanager
def trained(run: Run, resume: bool = False) -> Iterator[tuple[AnyStudy, Trainer]]:
    """Train and evaluate a run that has begun, or continue it; its population, and the trainer with open loggers."""
    config = run.config
    if rank() == 0:
        remove_unfinished(run.folder)
    checkpoint = run.checkpoint if resume and run.checkpoint.exists() else None
    content = load_checkpoint(checkpoint) if checkpoint else None
    quieten()
    data = build_data(config)
    module = build_module(config, data)
    if checkpoint and content:
        load_weights(module, content["state_dict"], checkpoint)
    settle_precision(run, module, data)
    with build_trainer(config, run, resumed_at=content["global_step"] if content else None) as trainer:
        run.record.network["parameters"] = module.parameters_per_member
        run.record.environment = environment(str(trainer.strategy.root_device))
        run.save()
        if module.trained:
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        trainer.test(module, datamodule=data, verbose=False)
        if not module.trained:
            trainer.save_checkpoint(run.checkpoint)
        if trainer.is_global_zero:
            run.record.metrics = dict(module.results)
            run.save()
        (history,) = [callback for callback in trainer.callbacks if isinstance(callback, History)]  # type: ignore[attr-defined] # Lightning sets it
        yield Study(module, data, history.curves), trainer


def report(run: Run) -> None:
    """Make the tables, figures and texts of a finished run that has none yet, such as a job of a fused sweep.

    Raises:
        HudynError: no checkpoint, a damaged one, or one that does not fit the config; a class that is not allowed.
    """
    config = changed(run.config, [], ())
    study, history = load_study(run, config), History()
    history.load_state_dict(load_checkpoint(run.checkpoint)["callbacks"]["History"])
    _report(replace(study, curves=history.curves), config, run)


def check_resumable(run: Run, config: DictConfig) -> None:
    """Look at the run's last checkpoint, if there is one, before anything of the run is changed.

    Raises:
        HudynError: it cannot be loaded.
        UsageError: the run is past the end that `config` gives it.
    """
    if not run.checkpoint.exists():
        return
    checkpoint = load_checkpoint(run.checkpoint)
    epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    for unit, done in (("epochs", epochs), ("steps", checkpoint["global_step"])):
        end = config.trainer.get(f"max_{unit}", -1)
        if end in (None, -1):
            continue
        if done > end:
            limit = f"trainer.max_{unit}"
            message = f"is trained for {done} {unit}, more than {limit}={end}; give a larger {limit} to train on."
            raise UsageError(f"{run.folder} {message}")
        if done == end:
            say(f"{run.folder} is trained to its end, {done} {unit}; trainer.max_{unit}=... trains longer.")


def evaluate(run: Run, config: DictConfig) -> Run:
    """Evaluate the last checkpoint of a run, with its config possibly changed, as a new run in its ``evaluations/``.

    Raises:
        HudynError: no checkpoint, a damaged one, or one that does not fit the config.
    """
    quieten()
    config.trainer.devices, config.trainer.strategy = 1, "auto"  # a second process would evaluate it a second time
    study = load_study(run, config)
    module = study.module
    module.results = {name: measure for name, measure in run.metrics.items() if name.startswith("train/")}
    evaluation = _begin_under(run, "evaluations", config)
    evaluation.record.time |= {name: value for name, value in run.record.time.items() if name == "updates"}
    with recorded(evaluation), build_trainer(config, evaluation) as trainer:
        trainer.test(module, datamodule=study.data, verbose=False)
        evaluation.record.network["parameters"] = module.parameters_per_member
        evaluation.record.metrics = dict(module.results)
        evaluation.record.environment = environment(str(trainer.strategy.root_device))
        evaluation.save()
        _report(study, config, evaluation, trainer)
    return evaluation


def analyse(run: Run, config: DictConfig) -> Run:
    """Analyse what the networks of a run do and how, as ``report.dynamics`` says, as a new run in its ``analyses/``.

    Every network is drawn, also one that does not solve the task; the best is asked for its automaton by L* too, if
    AALpy is installed.

    Raises:
        HudynError: no checkpoint, a damaged one, or one that does not fit the config.
    """
    quieten()
    study = load_study(run, config)
    learner = config.report.dynamics.learner or importlib.util.find_spec("aalpy") is not None
    settings = OmegaConf.merge(config.report.dynamics, {"draw_unsolved": True, "learner": learner})
    analysis = _begin_under(run, "analyses", config)
    with recorded(analysis):
        analysis.record.metrics = dict(study.results)
        _report(study, OmegaConf.create({"report": {"dynamics": settings}}), analysis)
    return analysis


def _begin_under(run: Run, name: str, config: DictConfig) -> Run:
    """A new run in the folder `name` of another one."""
    begun = Run(Path(claim_folder(str(run.folder / name / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"))))
    begun.record.run = str(run.folder)
    begun.begin(config)
    return begun


def _report(study: AnyStudy, config: DictConfig, run: Run, trainer: Trainer | None = None) -> None:
    """Write what each of the config's reports produces, and how members with different settings compare."""
    writer = tensorboard(trainer) if trainer else None
    reports = [instantiate(settings) for settings in config.report.values()]
    if len(study.module.training_settings.variants) > 1 and "objective" in config:
        reports.insert(0, partial(report_variants, objective=config.objective))
    for report in reports:
        artifacts = report(study)
        assert isinstance(artifacts, Artifacts)
        write(artifacts, run, writer, updates_made(trainer, run) if trainer else 0)


@contextmanager
def recorded(run: Run) -> Iterator[None]:
    """Record how the run ended, however it ends, and write its page."""
    started = time.monotonic()

    def end(status: Status, error: BaseException | None = None) -> None:
        run.record.status, run.record.error = status, None if error is None else str(error)
        run.record.time["total_s"] = round(run.record.time.get("total_s", 0.0) + time.monotonic() - started, 2)
        try:
            run.save()
            if rank() == 0:
                write_page(run)
        except HudynError as unwritable:
            if error is None:
                raise
            error.add_note(str(unwritable))

    with sigterm_raises():
        try:
            yield
        except (KeyboardInterrupt, SystemExit, Interrupted) as error:
            interrupted = error if isinstance(error, Interrupted) else Interrupted(signal.SIGINT)
            end("interrupted", interrupted)
            raise interrupted from None
        except Pruned as error:
            end("pruned", error)
            return
        except HudynError as error:
            end("failed", error)
            raise
        except BaseException as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                full = HudynError(f"{run.folder} cannot be written: {error.strerror}.")
                end("failed", full)
                raise full from error
            end("failed", HudynError(traceback.format_exc()))
            raise
        end("done")


def quieten() -> None:
    """Keep Lightning's advice that does not apply here from the terminal."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        r"The number of training batches \(\d+\) is smaller than the logging interval",
        r"GPU available but not used",
        r"Experiment logs directory .* exists and is not empty",  # the run's own, see hudyn.run.loggers
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning's own use of torch
    ):
        warnings.filterwarnings("ignore", message)
