"""The commands: train.py, eval.py and analyze.py. torch is imported only once the command line is known to be sound."""

import gc
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hudyn.cli.problems import Problem, listing, nearest
from hudyn.errors import HudynError, Interrupted

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from hudyn.run.run import Run

# What may be changed of a run's saved config, where references such as ${members} are already filled in.
RESUME_MAY_CHANGE = ("trainer.", "model.kernel=", "data.root=", "allowed_targets=")
EVALUATION_MAY_CHANGE = ("data.", "trainer.", "model.kernel=", "report.", "logger.", "allowed_targets=")
ANALYSIS_MAY_CHANGE = ("data.", "trainer.", "model.kernel=", "report.dynamics.", "allowed_targets=")


def train() -> None:
    """train.py: compose, check, run; or continue a run with ``resume=<folder>``."""
    _guarded(_train)


def evaluate() -> None:
    """eval.py: evaluate the run that ``run=<folder>`` names, with settings changed that it may change."""
    _guarded(_evaluate)


def analyze() -> None:
    """analyze.py: analyse what the networks of the run that ``run=<folder>`` names do, and how."""
    _guarded(_analyze)


def _guarded(command: Any) -> None:
    """Turn the outcome of `command` into an exit status, and errors meant for people into a message."""
    gc.disable()  # until all is imported: to look for garbage among so much that is new takes longer than to import it
    try:
        command()
    except Interrupted as error:
        _leave(str(error), 128 + error.signal_number)
    except KeyboardInterrupt:
        _leave("stopped", 130)
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        told = _for_people(error)
        if told is None:
            raise
        _leave(told, 1)


def _imported() -> None:
    """Collect garbage again, but not among what has been imported; once, for a sweep's jobs leave garbage."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _for_people(error: BaseException) -> str | None:
    """The message of an error that a person can mend, also where Hydra or OmegaConf wrapped it; None for others."""
    if isinstance(error, HudynError):
        return "\n".join([str(error), *getattr(error, "__notes__", [])])
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}."
    wrapped = type(error).__module__.partition(".")[0] in ("hydra", "omegaconf")
    cause = error.__cause__ or error.__context__
    return _for_people(cause) if wrapped and cause else None


def _leave(message: str, status: int) -> NoReturn:
    sys.stdout.flush()
    print(f"hudyn: {message}", file=sys.stderr, flush=True)
    sys.exit(status)


def _train() -> None:
    arguments = sys.argv[1:]
    sys.path.insert(0, str(Path.cwd()))  # a person's own classes, as with python -m
    folder = _value("resume", arguments)
    if folder is not None:
        _resume(Path(folder), [argument for argument in arguments if not argument.startswith("resume=")])
        return
    _check(arguments)
    _run_hydra()


def _resume(folder: Path, overrides: list[str]) -> None:
    from hudyn.run.run import Run

    run = Run.open(folder)
    config = _changed(run.config, overrides, RESUME_MAY_CHANGE)
    from hudyn.run.sweep import summarise
    from hudyn.run.terminal import show
    from hudyn.run.training import check_resumable, train

    _imported()
    check_resumable(run, config)
    run.begin(config, resume=True)

    try:
        with _advised(folder):
            train(run, resume=True)
        show(run)
    finally:
        if (folder.absolute().parent / "multirun.yaml").exists():
            summarise(folder.absolute().parent, run.config.objective)


def _evaluate() -> None:
    run, config = _finished("eval.py", EVALUATION_MAY_CHANGE)
    from hudyn.run.terminal import show
    from hudyn.run.training import evaluate

    _imported()
    show(evaluate(run, config))


def _analyze() -> None:
    run, config = _finished("analyze.py", ANALYSIS_MAY_CHANGE)
    if "dynamics" not in config.report:
        _leave(f"{run.folder}: its config has no report.dynamics, as runs of sequences have; nothing to analyse.", 2)
    from hudyn.run.terminal import say, show
    from hudyn.run.training import analyse

    _imported()
    analysis = analyse(run, config)
    show(analysis)
    for sentence in analysis.record.parts["dynamics"]["words"]:
        say(sentence)


def _finished(command: str, allowed: tuple[str, ...]) -> "tuple[Run, DictConfig]":
    """The run that ``run=<folder>`` names, and its config with what the command line changes of it."""
    arguments = sys.argv[1:]
    sys.path.insert(0, str(Path.cwd()))
    folder = _value("run", arguments)
    if folder is None or any(argument.startswith("-") for argument in arguments):
        _leave(f"usage: {command} run=<folder of a run> [key=value ...]", 0 if {"-h", "--help"} & set(arguments) else 2)
    from hudyn.run.run import Run

    run = Run.open(Path(folder))
    return run, _changed(run.config, [argument for argument in arguments if not argument.startswith("run=")], allowed)


def _value(key: str, arguments: list[str]) -> str | None:
    found = [argument.removeprefix(f"{key}=") for argument in arguments if argument.startswith(f"{key}=")]
    return found[-1].strip("'\"") if found else None


def _changed(config: "DictConfig", overrides: list[str], allowed: tuple[str, ...]) -> "DictConfig":
    """A saved config with `key=value` overrides of keys that it has and that are `allowed`, checked."""
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    problems = []
    config.allowed_targets = []  # whom to trust is not for a run's folder to say, which may be somebody else's
    for override in overrides:
        key, equals, text = override.partition("=")
        parent, _, leaf = key.rpartition(".")
        node = OmegaConf.select(config, parent) if parent else config
        if not equals:
            problems.append(Problem(override, "expected key=value"))
        elif not override.startswith(allowed):
            problems.append(Problem(key, f"the run keeps its {key}; what may change: {', '.join(allowed)}"))
        elif not isinstance(node, DictConfig) or leaf not in node:
            known = map(str, node) if isinstance(node, DictConfig) else []
            problems.append(Problem(key, "the run's config has no such key" + nearest(leaf, known)))
        else:
            try:
                OmegaConf.update(config, key, OmegaConf.from_dotlist([f"value={text}"]).value)
            except OmegaConfBaseException as error:
                problems.append(Problem(key, str(error).splitlines()[0]))
    from hudyn.cli.check import check

    _refuse(problems + check(config))
    return config


def _refuse(problems: list[Problem]) -> None:
    if problems:
        _leave(listing(problems), 2)


def _check(arguments: list[str]) -> None:
    """Leave with every problem of the command line and of the configs it composes, if there is any."""
    from hydra._internal.utils import get_args_parser

    options = get_args_parser().parse_args(arguments)
    if options.help or options.hydra_help or options.cfg or options.info or options.shell_completion:
        return  # Hydra answers these without running anything
    if (options.config_path or options.config_name or options.experimental_rerun) and "LOCAL_RANK" not in os.environ:
        other = "hudyn's root config is always conf/train.yaml; add configs of your own with --config-dir"
        _refuse([Problem("--config-path, --config-name, --experimental-rerun", other)])
    from hudyn.cli.check import check
    from hudyn.cli.compose import Composer, settings

    composer = Composer(options.overrides, options.multirun, options.config_dir)
    jobs = [(label, settings(config)) for label, config in composer.jobs()]
    # Where Hydra's own errors are all there is to tell, they are told at once, without waiting for torch.
    own = [override for override in composer.values if not override.key_or_group.startswith("hydra.")]
    targets = not composer.problems or bool(own)
    found = [(label, problem) for label, config in jobs for problem in check(config, targets)]
    if options.multirun and any(str(config.trainer.get("strategy")).startswith("ddp") for _, config in jobs):
        several = "a sweep's jobs run on one device each: Lightning would start the whole sweep again for every other"
        found += [(label, Problem("trainer.strategy", several)) for label, _ in jobs]
    everywhere = {problem for _, problem in found if sum(other == problem for _, other in found) == len(jobs)}
    problems = [
        problem if problem in everywhere or not label else Problem(problem.path, f"{problem.message} (job {label})")
        for label, problem in found
    ]
    _refuse(composer.problems + problems)


def _run_hydra() -> None:
    import hydra
    from omegaconf import OmegaConf

    from hudyn.cli.compose import CONFIG_NAME, config_folder
    from hudyn.run.folder import claim_folder

    os.environ["HYDRA_FULL_ERROR"] = "1"  # lets errors reach `_guarded`
    OmegaConf.register_new_resolver("new_folder", claim_folder, use_cache=True, replace=True)
    OmegaConf.register_new_resolver("sweep_name", _sweep_name, replace=True)
    failures: list[Exception] = []

    def task(config: "DictConfig") -> float | None:
        return _job(config, failures)

    hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=CONFIG_NAME)(task)()
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise HudynError(f"{len(failures)} jobs of the sweep failed.")


def _sweep_name(experiment: str) -> str:
    """What to call a sweep: the experiment, or those that are swept over."""
    swept = _value("experiment", sys.argv[1:])
    return "+".join(swept.split(",")) if swept and "," in swept else experiment


def _job(config: "DictConfig", failures: list[Exception]) -> float | None:
    """One job of Hydra's. In a sweep a failure is told and noted, and the next job begins."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from hudyn.run.run import Run
    from hudyn.run.sweep import summarise

    hydra = HydraConfig.get()
    sweeping = hydra.mode is RunMode.MULTIRUN
    run = Run(Path(hydra.runtime.output_dir))
    try:
        run.begin(config)
        from hudyn.run.terminal import show
        from hudyn.run.training import train

        _imported()
        with _advised(run.folder):
            train(run)
        show(run)
        objective = run.metrics.get(config.objective)
        return None if objective is None else objective.mean
    except Exception as error:
        failures.append(error)
        if sweeping:
            told = str(error) if isinstance(error, HudynError) else traceback.format_exc()
            print(f"hudyn: job {hydra.job.num} failed: {told}", file=sys.stderr, flush=True)
        return float("nan")
    finally:
        if sweeping:
            summarise(run.folder.parent, config.objective)


@contextmanager
def _advised(folder: Path) -> Iterator[None]:
    """Say how to go on with the run in `folder` where it is interrupted."""
    try:
        yield
    except Interrupted as error:
        error.args = (f"{error}; continue with: python train.py resume={folder}",)
        raise
