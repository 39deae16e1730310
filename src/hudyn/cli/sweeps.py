"""Starts and resumes sweeps: every job once, on whatever launches jobs, and one table of all."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from hudyn.cli.jobs import end_sweep, register_resolvers, run_job, sweep_name
from hudyn.cli.process import advice_to_resume, collect_garbage_again
from hudyn.config.check import check
from hudyn.config.compose import Composer, check_all, config_folder
from hudyn.config.hydra_adapter import Job, SweepContext, parse_arguments, quoted, settings, sweep_context
from hudyn.config.problems import ConfigurationError, Problem
from hudyn.errors import HudynError, UsageError
from hudyn.run.run import Run
from hudyn.sweep.engines import Engine
from hudyn.sweep.fusion import POPULATION, Fusion, UnfusableError, fuse
from hudyn.sweep.record import FINISHED, Sweep

LAUNCHER = ("hydra/launcher=", "hydra.launcher.")
GIVEN_ANEW = ("allowed_targets=", *LAUNCHER)
MAY_BE_GIVEN = "allowed_targets, hydra/launcher, --config-dir"  # with resume_sweep


def start_sweep(composer: Composer) -> None:
    """Run the jobs of a checked command line.

    Raises:
        HudynError: which jobs failed, and why.
    """
    fusion = _fusion(composer)
    if fusion is None:
        check_jobs(composer)
    assert composer.first is not None
    folders, jobs = composer.config_folders, [] if composer.is_search else composer.sweep()
    register_resolvers()
    launcher = composer.first.hydra.launcher
    with sweep_context(config_folder(), folders, composer.overrides, launcher, run_job) as context:
        folder = context.folder
        if (folder / "sweep.json").exists():
            raise UsageError(f"{folder} holds a sweep already. Continue it with resume_sweep={folder}.")
        sweep = Sweep(
            folder,
            name=sweep_name(composer.first.hydra.runtime.choices.experiment),
            objective=composer.first.objective,
            overrides=composer.overrides,
            config_folder=str(folders[0]) if folders else None,
            swept=list(composer.swept),
            jobs=[_settings(job) for job in jobs],
            trials=composer.first.search.trials if composer.is_search else 0,
        )
        _run(sweep, context, composer, dict(enumerate(jobs)), fusion)


def resume_sweep(folder: Path, arguments: Sequence[str]) -> None:
    """Run the jobs of a sweep that are missing, and continue those that were interrupted.

    Args:
        folder: the sweep's.
        arguments: the rest of the command line: what the jobs run on now; ``allowed_targets`` and ``--config-dir``, for
            which the folder does not count, since it may be somebody else's.

    Raises:
        HudynError: there is no sweep, a mistake in the arguments, or which jobs failed, and why.
    """
    sweep = Sweep.open(folder)
    if not sweep.overrides:
        raise UsageError(f"{folder} cannot be resumed: its jobs were chosen one after another by Hydra's sweeper.")
    unfinished = sweep.unfinished()
    if not unfinished and len(sweep.jobs) == len(sweep):
        end_sweep(sweep)
        return
    parsed = parse_arguments(arguments)
    problems = [
        Problem(
            text.partition("=")[0],
            f"a sweep keeps its settings; what may be given: {MAY_BE_GIVEN}",
        )
        for text in parsed.overrides
        if not text.lstrip("+").startswith(GIVEN_ANEW)
    ]
    if sweep.config_folder and not parsed.config_folder:
        problems.append(Problem("--config-dir", f"the sweep was started with {sweep.config_folder}; give it again"))
    anew = ["allowed_targets=", "hydra.sweep.dir="]
    if any(text.startswith("hydra/launcher=") for text in parsed.overrides):
        anew += LAUNCHER
    kept = [text for text in sweep.overrides if not text.lstrip("+").startswith(tuple(anew))]
    composer = Composer(
        [*kept, *parsed.overrides, f"hydra.sweep.dir={quoted(str(folder))}"],
        multirun=True,
        config_folders=[parsed.config_folder] if parsed.config_folder else [],
    )
    all_jobs = list(composer.jobs())
    problems += composer.problems
    if not sweep.trials and len(all_jobs) != len(sweep.jobs):
        problems.append(Problem("sweep.json", f"has {len(sweep.jobs)} jobs, its overrides make {len(all_jobs)}"))
    to_check = range(len(all_jobs)) if sweep.trials else unfinished
    check_all([all_jobs[number] for number in to_check if not problems], problems, composer.files)
    assert composer.first is not None
    jobs = {} if sweep.trials else dict(enumerate(composer.sweep()))
    register_resolvers()
    launcher = composer.first.hydra.launcher
    with sweep_context(config_folder(), composer.config_folders, composer.overrides, launcher, run_job) as context:
        fusion = _fusion(composer) if (folder / POPULATION).is_dir() else None
        _run(sweep, context, composer, {number: jobs[number] for number in unfinished if number in jobs}, fusion)


def check_jobs(composer: Composer) -> None:
    """Check the jobs of a sweep, as far as they are known.

    Raises:
        ConfigurationError: with every problem of the overrides and the configs.
    """
    jobs, problems = list(composer.jobs()), list(composer.problems)
    if any(_needs_processes(config) for _, config in jobs):
        message = "the jobs of a sweep run on one device each: Lightning would start the whole sweep for every other"
        problems.append(Problem("trainer.strategy", message))
    check_all(jobs, problems, composer.files)


def _needs_processes(config: DictConfig) -> bool:
    return str(config.trainer.get("strategy")).startswith("ddp")


def _fusion(composer: Composer) -> Fusion | None:
    """The jobs of a sweep as one population, checked; None where they are to be run one by one.

    Raises:
        ConfigurationError: ``sweep=fused`` is given, and they cannot be one population.
    """
    if composer.problems or composer.first is None or composer.is_search or len(composer.sweep()) < 2:
        return None
    config = settings(composer.first)
    if config.get("sweep") == "jobs" or check(config, composer.files) or _needs_processes(config):
        return None
    try:
        if not str(composer.first.hydra.launcher._target_).endswith("BasicLauncher"):
            raise UnfusableError("hydra/launcher=basic")
        fusion = fuse(config, composer.swept)
        check_all([("", fusion.config)], [], composer.files)
        from hudyn.sweep.population import is_exact  # imports torch

        if not is_exact(fusion):
            raise UnfusableError("a task whose members train to the end by the numba kernel: sequences, on the CPU")
        return fusion
    except (UnfusableError, ConfigurationError) as error:
        if config.sweep == "fused" and isinstance(error, UnfusableError):
            raise ConfigurationError([Problem("sweep", f"fused needs {error}")]) from error
        if config.sweep == "fused":
            raise
        return None


def _run(
    sweep: Sweep,
    context: SweepContext,
    composer: Composer,
    jobs: Mapping[int, Sequence[str]],
    fusion: Fusion | None,
) -> None:
    """Run jobs of a sweep, with its results written before the first, after each, and at the end."""
    assert composer.first is not None
    config = composer.first
    from hudyn.cli.launch import engine, launch
    from hudyn.run.signals import sigterm_raises
    from hudyn.sweep.results import write_results

    collect_garbage_again()
    write_results(sweep)
    further = ["--config-dir", sweep.config_folder] if sweep.config_folder else []
    with sigterm_raises(), advice_to_resume(sweep.folder, config.allowed_targets, "resume_sweep", further):
        try:
            if not (fusion and _trained_together(sweep, fusion, jobs)):
                on = engine(config.hydra.launcher, context)
                if sweep.trials:
                    _search(sweep, context, composer, on)
                else:
                    launch(on, sweep, (context.job(number, overrides) for number, overrides in jobs.items()))
        except BaseException:
            write_results(sweep)
            raise
    end_sweep(sweep)


def _search(sweep: Sweep, context: SweepContext, composer: Composer, on: Engine) -> None:
    """Run the trials of a search that are still to be run, first those that were interrupted."""
    from hudyn.cli.launch import launch
    from hudyn.run.readable import number as readable
    from hudyn.run.terminal import say
    from hudyn.sweep.results import write_results
    from hudyn.sweep.search import Search, Trials

    assert composer.first is not None
    search = instantiate(settings(composer.first).search)
    assert isinstance(search, Search)
    trials = Trials(search, sweep.folder, composer.space)
    sweep.jobs[:] = [_settings(composer.trial(values)) for values in trials.settings()]

    def tell(number: int) -> None:
        if (result := sweep.result(number))["status"] in FINISHED:
            trials.tell(number, result, sweep.objective)
            sweep.found.update(trials.found())

    def jobs() -> Iterator[Job]:
        for number, values in enumerate(trials.settings()):
            if number in unfinished:
                yield context.job(number, composer.trial(values))
        while len(sweep.jobs) < sweep.trials:
            overrides = composer.trial(trials.ask())
            sweep.jobs.append(_settings(overrides))
            write_results(sweep)
            yield context.job(len(sweep.jobs) - 1, overrides)

    for number in trials.running():
        tell(number)
    unfinished = set(trials.running())
    launch(on, sweep, jobs(), search.at_once, tell)
    if "best" in sweep.found:
        best = sweep.found["best"]
        mean = sweep.result(best)["metrics"][sweep.objective]["mean"]
        say(f"best: job {best}, {sweep.label(best)}, {sweep.objective} {readable(mean)}")


def _trained_together(sweep: Sweep, fusion: Fusion, jobs: Mapping[int, Sequence[str]]) -> bool:
    """Train the jobs as one population; False where the training of one failed, which must not stop the others."""
    from hudyn.run.terminal import say
    from hudyn.sweep.population import train_population

    population = Run(sweep.folder / POPULATION)
    with population.claimed():
        try:
            train_population(population, sweep, fusion, {number: _without_hydra(job) for number, job in jobs.items()})
        except HudynError as error:
            say(f"{error}\nThe jobs are run one by one instead, so that those that fail do not stop the others.")
            shutil.rmtree(population.folder, ignore_errors=True)
            return False
    return True


def _settings(overrides: Sequence[str]) -> dict[str, str]:
    """The settings among a job's overrides, as `hudyn.run.run.Run.overrides` has them."""
    given = [text.partition("=") for text in _without_hydra(overrides)]
    return {key.lstrip("+~"): value for key, _, value in given}


def _without_hydra(overrides: Sequence[str]) -> list[str]:
    return [text for text in overrides if not text.lstrip("+~").startswith("hydra")]
