"""Hands a checked command line to Hydra, which runs one job or the jobs of a sweep."""

import os
import sys
import traceback
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from hudyn.cli.process import advice_to_resume, collect_garbage_again
from hudyn.config.compose import config_folder
from hudyn.config.hydra_adapter import ROOT_CONFIG
from hudyn.errors import HudynError
from hudyn.run.folder import claim_folder


def run_jobs(arguments: list[str]) -> None:
    """Let Hydra run a command line.

    Raises:
        HudynError: jobs of a sweep failed.
        Exception: what made a single job fail.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # lets errors pass through Hydra
    sys.argv[1:] = arguments
    OmegaConf.register_new_resolver("new_folder", claim_folder, use_cache=True, replace=True)
    OmegaConf.register_new_resolver("sweep_name", _sweep_name, replace=True)
    failures: list[Exception] = []

    def task(config: DictConfig) -> float | None:
        return _run_job(config, failures)

    hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=ROOT_CONFIG)(task)()
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise HudynError(f"{len(failures)} jobs of the sweep failed.")


def _sweep_name(experiment: str) -> str:
    """What to call a sweep: the experiment, or all that are swept over."""
    swept = [text.removeprefix("experiment=") for text in sys.argv[1:] if text.startswith("experiment=")]
    several = swept[-1].strip("'\"").split(",") if swept else []
    return "+".join(several) if len(several) > 1 else experiment


def _run_job(config: DictConfig, failures: list[Exception]) -> float | None:
    """Run one job. In a sweep a failure is noted and printed, and the next job begins.

    Returns:
        The objective for Hydra's sweeper: its mean over members, None if it was not measured, NaN after a failure.
    """
    from hudyn.run.run import Run
    from hudyn.run.sweep import summarise

    hydra_config = HydraConfig.get()
    is_sweep = hydra_config.mode is RunMode.MULTIRUN
    run = Run(Path(hydra_config.runtime.output_dir))
    try:
        run.begin(config)
        from hudyn.run.terminal import show
        from hudyn.run.training import train

        collect_garbage_again()
        with advice_to_resume(run.folder, config.allowed_targets):
            train(run)
        if int(os.environ.get("LOCAL_RANK", 0)) == 0:
            show(run)
    except Exception as error:
        failures.append(error)
        if is_sweep:
            text = str(error) if isinstance(error, HudynError) else traceback.format_exc()
            print(f"hudyn: job {hydra_config.job.num} failed: {text}", file=sys.stderr, flush=True)
        return float("nan")
    finally:
        if is_sweep:
            summarise(run.folder.parent, config.objective)
    objective = run.metrics.get(config.objective)
    return None if objective is None else objective.mean
