"""Trains the jobs of a sweep as one population, and writes each job's folder as if it had run alone."""

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from omegaconf import DictConfig, OmegaConf

from hudyn.config.build import build_data, build_module
from hudyn.errors import HudynError
from hudyn.metrics.measure import Measure
from hudyn.page.run_page import write_page
from hudyn.run.checkpoint import AtomicCheckpointIO, load_checkpoint
from hudyn.run.folder import locked
from hudyn.run.history import History
from hudyn.run.run import Run
from hudyn.run.terminal import say
from hudyn.run.training import recorded, trained
from hudyn.side_by_side import run_side_by_side
from hudyn.sweep.fusion import POPULATION, Fusion
from hudyn.sweep.record import Sweep
from hudyn.tasks.base import AnyModule


def is_exact(fusion: Fusion) -> bool:
    """Whether every job gets the bits of a run of its own."""
    config = fusion.configs[0]
    return config.trainer.accelerator == "cpu" and build_module(config, build_data(config)).is_like_alone


def train_population(sweep: Sweep, fusion: Fusion) -> None:
    """Train all jobs of a sweep, or continue to, in the sweep's folder ``population``, which is removed at the end.

    Raises:
        HudynError: the training of a member failed.
        Interrupted: a signal stopped it.
    """
    run = Run(sweep.folder / POPULATION)
    with locked(sweep.folder / ".locks" / "population", wait=False) as is_mine:
        if not is_mine:
            raise HudynError(f"{sweep.folder} is run by another process.")
        say(f"{len(sweep.jobs)} jobs as one population of {fusion.config.members} members")
        resume = bool(run.record.experiment)
        run.begin(_unreported(fusion.config), resume)
        with recorded(run), trained(run, resume) as (study, _):
            unfinished = sweep.unfinished()
            content = load_checkpoint(run.checkpoint)
            tasks = [partial(_write_job, sweep, number, fusion, study.module, run, content) for number in unfinished]
            run_side_by_side(tasks)
        shutil.rmtree(run.folder)


def _unreported(config: DictConfig) -> DictConfig:
    """A config whose run reports nothing: its jobs do."""
    changed = config.copy()
    OmegaConf.set_struct(changed, False)
    changed.report, changed.logger, changed.objective = {}, {}, ""
    return changed


def _write_job(
    sweep: Sweep, number: int, fusion: Fusion, module: AnyModule, whole: Run, content: Mapping[str, Any]
) -> None:
    """Write the folder of a job; results.json, which says that it is done, comes last."""
    members, record = fusion.members[number], whole.record
    run = Run(sweep.job_folder(number))
    run.save_overrides([f"{key}={value}" for key, value in sweep.jobs[number].items()])
    run.begin(fusion.configs[number], resume=True)
    history = History()
    history.run, part = run, content["callbacks"]["History"]
    share = 1 / len(sweep.jobs)
    history.load_state_dict({"history": _rows(part["history"], members), "fit_seconds": part["fit_seconds"] * share})
    history.write_table()
    checkpoint = module.checkpoint_of(content, members)
    checkpoint["callbacks"] = {**content["callbacks"], "History": history.state_dict()}
    AtomicCheckpointIO().save_checkpoint(checkpoint, run.checkpoint)
    run.record.network, run.record.environment = dict(record.network), dict(record.environment)
    run.record.metrics = {
        name: Measure(measure.values[members], measure.kind) for name, measure in record.metrics.items()
    }
    seconds = round(history.fit_seconds, 2)
    run.record.time = {"fit_s": seconds, "updates": record.time["updates"], "total_s": seconds}
    run.record.status = "done"
    write_page(run)
    run.save()


def _rows(rows: Sequence[Mapping[str, Any]], members: slice) -> list[dict[str, Any]]:
    """The history of some members."""
    return [{**row, "results": {name: values[members] for name, values in row["results"].items()}} for row in rows]
