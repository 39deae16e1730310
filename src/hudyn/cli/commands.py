"""The commands: train.py, eval.py and so on. torch is imported only once the command line is checked."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hudyn.cli.process import advice_to_resume, collect_garbage_again, leave, run_command
from hudyn.config.problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from hudyn.run.run import Run


def train() -> None:
    """train.py: compose, check, run; or continue a run (``resume=<folder>``) or a sweep (``resume_sweep=<folder>``)."""
    run_command(_train)


def evaluate() -> None:
    """eval.py: evaluate the run that ``run=<folder>`` names, with settings changed that it may change."""
    run_command(_evaluate)


def analyze() -> None:
    """analyze.py: analyse what the networks of the run that ``run=<folder>`` names do, and how."""
    run_command(_analyze)


def report() -> None:
    """report.py: write a run's page again, compare runs, or answer the assignment's questions from its runs."""
    run_command(_report)


def runs() -> None:
    """runs.py: list, filter, sort and compare the runs of a folder."""
    run_command(_runs)


def _train() -> None:
    folder, arguments = _split_off("resume")
    if folder is not None:
        _resume(folder, arguments)
        return
    folder, arguments = _split_off("resume_sweep")
    if folder is not None:
        from hudyn.cli.sweeps import resume_sweep

        resume_sweep(folder, arguments)
        return
    _start(arguments)


def _start(arguments: list[str]) -> None:
    """Run the job or jobs of a command line; nothing is run if there is a problem."""
    from hudyn.cli.jobs import run_jobs, run_only_job
    from hudyn.config.hydra_adapter import parse_arguments

    parsed = parse_arguments(arguments)
    if parsed.answered_by_hydra:
        run_jobs(arguments)
        return
    if parsed.replaces_root and "LOCAL_RANK" not in os.environ:
        message = "hudyn's root config is always conf/train.yaml; add configs of your own with --config-dir"
        raise ConfigurationError([Problem("--config-path, --config-name, --experimental-rerun", message)])
    from hudyn.config.compose import Composer, check_all

    composer = Composer(parsed.overrides, parsed.multirun, [parsed.config_folder] if parsed.config_folder else [])
    if parsed.multirun:
        from hudyn.cli.sweeps import check_jobs, start_sweep

        if composer.has_known_jobs:
            start_sweep(composer)
            return
        check_jobs(composer)
    else:
        check_all(list(composer.jobs()), composer.problems, composer.files)
    overrides = dict(zip(parsed.overrides, composer.overrides, strict=True))
    accepted = [*(argument for argument in arguments if argument not in overrides), *overrides.values()]
    if parsed.multirun or parsed.replaces_root or composer.first is None:
        run_jobs(accepted)
    else:
        run_only_job(composer.files, composer.first, accepted)


def _resume(folder: Path, overrides: list[str]) -> None:
    from hudyn.run.run import Run

    run = Run.open(folder)
    with run.claimed():
        _continue(run, overrides)


def _continue(run: "Run", overrides: list[str]) -> None:
    """Continue a run that this process has claimed."""
    from hudyn.config.saved import RESUME_MAY_CHANGE, changed

    config = changed(run.config, overrides, RESUME_MAY_CHANGE)
    from hudyn.run.terminal import show
    from hudyn.run.training import check_resumable, train

    collect_garbage_again()
    check_resumable(run, config)
    run.begin(config, resume=True)
    try:
        with advice_to_resume(run.folder, config.allowed_targets):
            train(run, resume=True)
        show(run)
    finally:
        parent = run.folder.absolute().parent
        if (parent / "multirun.yaml").exists():
            from hudyn.sweep.record import Sweep
            from hudyn.sweep.results import write_results

            write_results(Sweep.at(parent, run.config.objective))


def _evaluate() -> None:
    from hudyn.config.saved import EVALUATION_MAY_CHANGE

    run, config = _finished("eval.py", EVALUATION_MAY_CHANGE)
    from hudyn.run.terminal import show
    from hudyn.run.training import evaluate

    collect_garbage_again()
    show(evaluate(run, config))


def _analyze() -> None:
    from hudyn.config.saved import ANALYSIS_MAY_CHANGE

    run, config = _finished("analyze.py", ANALYSIS_MAY_CHANGE)
    if "dynamics" not in config.report:
        leave(f"{run.folder}: its config has no report.dynamics, as runs of sequences have; nothing to analyse.", 2)
    from hudyn.run.terminal import say, show
    from hudyn.run.training import analyse

    collect_garbage_again()
    analysis = analyse(run, config)
    show(analysis)
    say("\n".join(analysis.record.parts["dynamics"]["words"]))


def _report() -> None:
    from hudyn.cli.page_request import USAGE, page_request

    if {"-h", "--help"} & set(sys.argv[1:]):
        leave(USAGE, 0)
    request, mistakes = page_request(sys.argv[1:])
    if mistakes:
        leave("\n".join(mistakes), 2)
    from hudyn.cli.pages import make_page
    from hudyn.page.pdf import write_pdf
    from hudyn.run.terminal import say

    collect_garbage_again()
    page, failed = make_page(request)
    say(f"{page} is written.")
    if request.pdf:
        say(f"{write_pdf(page)} is written.")
    if failed:
        leave(f"{page} lacks {', '.join(failed)}, which failed.", 1)


def _runs() -> None:
    from hudyn.cli.run_list import USAGE, listing, run_list

    if {"-h", "--help"} & set(sys.argv[1:]):
        leave(USAGE, 0)
    print(listing(run_list(sys.argv[1:])))


def _finished(command: str, may_change: tuple[str, ...]) -> "tuple[Run, DictConfig]":
    """The run that ``run=<folder>`` names, and its config with the changes of the command line."""
    folder, overrides = _split_off("run")
    if folder is None or any(override.startswith("-") for override in overrides):
        leave(f"usage: {command} run=<folder of a run> [key=value ...]", 0 if {"-h", "--help"} & set(overrides) else 2)
    from hudyn.config.saved import changed
    from hudyn.run.run import Run

    run = Run.open(folder)
    return run, changed(run.config, overrides, may_change)


def _split_off(key: str) -> tuple[Path | None, list[str]]:
    """The folder that the command line's last ``key=<folder>`` names, and the other arguments."""
    folders = [argument.removeprefix(f"{key}=") for argument in sys.argv[1:] if argument.startswith(f"{key}=")]
    others = [argument for argument in sys.argv[1:] if not argument.startswith(f"{key}=")]
    return Path(folders[-1].strip("'\"")) if folders else None, others
