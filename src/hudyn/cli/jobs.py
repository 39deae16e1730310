"""Runs a job: the only one of a checked command line, which Hydra composes, or one of a sweep."""

import gc
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from hudyn import lean
from hudyn.cli.process import advice_to_resume, collect_garbage_again
from hudyn.config.compose import config_folder
from hudyn.config.hydra_adapter import ROOT_CONFIG, ConfigFiles, config_folder_of
from hudyn.config.saved import RESUME_MAY_CHANGE, changed
from hudyn.errors import HudynError
from hudyn.run.folder import claim_folder, locked
from hudyn.run.run import Run
from hudyn.sweep.record import FINISHED, Sweep


def run_only_job(files: ConfigFiles, config: DictConfig, arguments: list[str]) -> None:
    """Run the only job of a command line.

    Args:
        files: that the config was composed from.
        config: the job's, with Hydra's part.
        arguments: the command line.

    Raises:
        Exception: what made it fail.
    """
    sys.argv[1:] = arguments
    register_resolvers()
    files.run(config, _begin_and_train)


def _begin_and_train(config: DictConfig) -> None:
    run = Run(_folder())
    with run.claimed():
        run.record.config_folder = config_folder_of(HydraConfig.get())
        run.begin(config)
        _train(run, config)


def run_jobs(arguments: list[str]) -> None:
    """Let Hydra run a command line: one job, or the jobs that its sweeper chooses.

    Raises:
        HudynError: jobs of a sweep failed.
        Exception: what made a single job fail.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # lets errors pass through Hydra
    sys.argv[1:] = arguments
    register_resolvers()
    sweeps: list[Sweep] = []

    def task(config: DictConfig) -> float | None:
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            objective = run_job(config)
            sweeps[:] = [Sweep.at(_folder().parent, config.objective)]
            return objective
        _begin_and_train(config)
        return None

    hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=ROOT_CONFIG)(task)()
    for sweep in sweeps:
        end_sweep(sweep)


def register_resolvers() -> None:
    """What the config needs to name the folders of runs and sweeps."""
    OmegaConf.register_new_resolver("new_folder", claim_folder, use_cache=True, replace=True)
    OmegaConf.register_new_resolver("sweep_name", sweep_name, replace=True)


def sweep_name(experiment: str) -> str:
    """What to call a sweep: the experiment, or all that are swept over."""
    swept = [text.removeprefix("experiment=") for text in sys.argv[1:] if text.startswith("experiment=")]
    several = swept[-1].strip("'\"").split(",") if swept else []
    return "+".join(several) if len(several) > 1 else experiment


def run_job(config: DictConfig) -> float | None:
    """Run or continue a job of a sweep, unless it is finished or another process runs it; a failure is only reported.

    Returns:
        The objective: its mean over members, None if it was not measured, NaN after a failure.
    """
    from hudyn.run.terminal import say
    from hudyn.sweep.results import write_results

    folder = _folder()
    number, sweep = int(folder.name), Sweep.at(folder.parent, config.objective)
    run = Run(folder)
    with locked(run.lock, wait=False) as is_mine:
        if not is_mine:
            say(f"job {number} is run by another process")
            return None
        if run.status not in FINISHED:
            say(f"job {number} of {len(sweep)}: {sweep.label(number)}")
            _run_or_continue(run, config, number)
            gc.collect()  # a job leaves few but large objects that refer to themselves
    write_results(Sweep.at(folder.parent, config.objective), always=False)
    if run.status == "failed":
        return float("nan")
    objective = run.metrics.get(config.objective)
    return None if objective is None else objective.mean


def _run_or_continue(run: Run, config: DictConfig, number: int) -> None:
    """Run a job of a sweep, or continue it with the config that it was started with."""
    try:
        if resume := bool(run.record.experiment):
            config = changed(run.config, [f"allowed_targets=[{','.join(config.allowed_targets)}]"], RESUME_MAY_CHANGE)
        run.record.config_folder = config_folder_of(HydraConfig.get())
        run.begin(config, resume)
        _train(run, config, resume)
    except Exception as error:
        text = str(error) if isinstance(error, HudynError) else traceback.format_exc()
        print(f"hudyn: job {number} failed: {text}", file=sys.stderr, flush=True)
        if run.status != "failed":  # it had not begun to train
            run.record.status, run.record.error = "failed", text
            with suppress(Exception):
                run.save()


def _train(run: Run, config: DictConfig, resume: bool = False) -> None:
    """Train a run that has begun, and show its results."""
    lean.import_lightning([config])  # a launcher's process has not imported it
    from hudyn.run.terminal import show
    from hudyn.run.training import train

    collect_garbage_again()
    with advice_to_resume(run.folder, config.allowed_targets):
        train(run, resume)
    if int(os.environ.get("LOCAL_RANK", 0)) == 0:
        show(run)


def end_sweep(sweep: Sweep) -> None:
    """Write the results of a sweep whose jobs have ended, and say where they are.

    Raises:
        HudynError: which jobs failed, and why.
    """
    from hudyn.run.terminal import say
    from hudyn.sweep.results import write_figure, write_results

    write_results(sweep)
    write_figure(sweep)
    say(f"{sweep.folder}: sweep.html, sweep.csv, sweep.json, and a folder for each job")
    if problems := sweep.problems():
        raise HudynError("\n".join(problems))


def _folder() -> Path:
    """The folder of the job that Hydra runs."""
    return Path(HydraConfig.get().runtime.output_dir)
