"""The one place that uses Hydra's private parts: its config loader, its override parser and its argument parser."""

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.conf import HydraConf
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.core.utils import JobRuntime, run_job, setup_globals
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from hudyn.sweep.space import Space

ROOT_CONFIG = "train"


class CompositionError(Exception):
    """Hydra cannot parse an override or compose a config; the message is one line.

    Args:
        message: what is wrong.
        place: where it is wrong: the command line, or a file.
    """

    def __init__(self, message: str, place: str = "command line") -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True)
class Arguments:
    """A command line as Hydra parses it."""

    overrides: list[str]  # everything that is not an option
    multirun: bool  # whether it is a sweep (``-m``)
    config_folder: Path | None  # a further folder of configs (``--config-dir``)
    answered_by_hydra: bool  # whether Hydra only prints something, such as its help
    replaces_root: bool  # whether it names another root config than ours


def parse_arguments(arguments: Sequence[str]) -> Arguments:
    """Parse a command line; exits with a usage message where argparse refuses it."""
    options = get_args_parser().parse_intermixed_args(list(arguments))  # overrides also after an option
    return Arguments(
        overrides=options.overrides,
        multirun=options.multirun,
        config_folder=Path(options.config_dir) if options.config_dir else None,
        answered_by_hydra=bool(
            options.help or options.hydra_help or options.cfg or options.info or options.shell_completion
        ),
        replaces_root=bool(options.config_path or options.config_name or options.experimental_rerun),
    )


@dataclass(frozen=True)
class Override:
    """One override of a command line."""

    text: str  # as it was written
    key: str  # the key or config group, without ``+`` or ``~``
    values: tuple[object, ...]  # the value; for a sweep, every value; of an interval, its ends
    adds: bool  # whether it adds a key (``+`` or ``++``)
    deletes: bool  # whether it deletes a key (``~``)
    sweeps: bool  # whether it has several values
    first: str  # the override of the first job
    space: Space | None  # what a search may choose from; None without several values


class ConfigFiles:
    """The config groups and files that Hydra composes.

    Args:
        root: the folder that holds the root config.
        more: further folders; their files take precedence, as with ``--config-dir``.
    """

    def __init__(self, root: Path, more: Sequence[Path] = ()) -> None:
        setup_globals()  # registers the resolvers ${hydra:...} and ${now:...}
        self._loader = ConfigLoaderImpl(_search_path(root, more))
        self.groups = set(self._subgroups(""))

    def options(self, group: str) -> list[str]:
        """Names of the options of a config group."""
        return list(self._loader.repository.get_group_options(group, results_filter=ObjectType.CONFIG))

    def targets(self, group: str) -> dict[str, list[str]]:
        """The ``_target_`` of each option of a group, or those of its parts; its defaults list is not followed."""
        targets = {}
        for option in self.options(group):
            try:
                loaded = self._loader.repository.load_config(f"{group}/{option}")
            except (HydraException, OmegaConfBaseException, YAMLError):
                continue  # it is reported when it is chosen
            content = OmegaConf.to_container(loaded.config) if loaded is not None else None
            if isinstance(content, dict):
                nodes = [content] if "_target_" in content else [v for v in content.values() if isinstance(v, dict)]
                targets[option] = [str(node["_target_"]) for node in nodes if "_target_" in node]
        return targets

    def parse(self, text: str) -> Override:
        """Parse one override.

        Raises:
            CompositionError: it does not have the form of an override.
        """
        (parsed,) = self._parse([text])
        sweeps = parsed.is_sweep_override()
        space = _space(parsed) if sweeps else None
        values = space.values if space else (parsed.value(),)
        return Override(
            text=text,
            key=parsed.key_or_group,
            values=tuple(map(_without_quotes, space.values)) if space else values,
            adds=parsed.is_add() or parsed.is_force_add(),
            deletes=parsed.is_delete(),
            sweeps=sweeps,
            first=f"{parsed.get_key_element()}={values[0]}" if sweeps else text,
            space=space,
        )

    def compose(self, overrides: Sequence[str], multirun: bool = False) -> DictConfig:
        """Compose the root config with `overrides`, including Hydra's own part.

        Raises:
            CompositionError: Hydra refuses it.
        """
        mode = RunMode.MULTIRUN if multirun else RunMode.RUN
        try:
            return self._loader.load_configuration(ROOT_CONFIG, list(overrides), run_mode=mode)
        except YAMLError as error:
            file = getattr(getattr(error, "problem_mark", error), "name", "command line")
            text = str(error).replace(f'in "{file}", ', "in ")
            raise CompositionError(" ".join(text.split()), file) from error
        except (HydraException, OmegaConfBaseException, ValueError) as error:  # ValueError: a group set to null
            cause = f" ({error.__cause__})" if isinstance(error.__cause__, OmegaConfBaseException) else ""
            text = str(error).split("\nTo append")[0] + cause.split("\n    full_key")[0]
            raise CompositionError(" ".join(text.split())) from error

    def run(self, config: DictConfig, task: Callable[[DictConfig], object]) -> None:
        """Run a task with a composed config, as Hydra runs the only job of a command line."""
        version.setbase("1.3")
        JobRuntime().set("name", ROOT_CONFIG)
        with open_dict(config):
            config.hydra.job.name, config.hydra.mode = ROOT_CONFIG, RunMode.RUN
        callbacks = Callbacks(config)
        context = HydraContext(self._loader, callbacks)
        callbacks.on_run_start(config=config, config_name=ROOT_CONFIG)
        returned = run_job(task, config, "hydra.run.dir", None, context)
        callbacks.on_run_end(config=config, config_name=ROOT_CONFIG, job_return=returned)
        returned.return_value  # noqa: B018 # raises the job's error

    def sweep(self, overrides: Sequence[str]) -> list[list[str]]:
        """The overrides of each job of a sweep, as Hydra's basic sweeper makes them."""
        batches = BasicSweeper.split_arguments(self._parse(overrides), max_batch_size=None)
        return [list(job) for batch in batches for job in batch]

    def with_values(self, overrides: Sequence[str], values: Mapping[str, str]) -> list[str]:
        """Overrides in which those with several values get the one that `values` has for their key."""
        parsed = self._parse(overrides)
        return [
            f"{one.get_key_element()}={values[one.key_or_group]}" if one.is_sweep_override() else text
            for one, text in zip(parsed, overrides, strict=True)
        ]

    def _parse(self, texts: Sequence[str]) -> list[Any]:
        try:
            return OverridesParser.create(config_loader=self._loader).parse_overrides(list(texts))
        except HydraException as error:
            raise CompositionError(str(error).splitlines()[0]) from error

    def _subgroups(self, parent: str) -> Iterator[str]:
        for name in self._loader.repository.get_group_options(parent, results_filter=ObjectType.GROUP):
            group = f"{parent}/{name}" if parent else name
            yield group
            yield from self._subgroups(group)


@dataclass(frozen=True)
class Job:
    """A job of a sweep, which any process can run.

    Attributes:
        number: its number, which names its folder.
        overrides: those of the command line, one value each.
    """

    number: int
    overrides: Sequence[str]
    _config: DictConfig  # of the sweep
    _context: HydraContext
    _task: Callable[[DictConfig], object]
    _singletons: Mapping[Any, Any]

    def __call__(self) -> None:
        """Run it here."""
        Singleton.set_state(self._singletons)
        setup_globals()
        config = self._context.config_loader.load_sweep_config(self._config, list(self.overrides))
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = str(self.number), self.number
        returned = run_job(self._task, config, "hydra.sweep.dir", "hydra.sweep.subdir", self._context)
        returned.return_value  # noqa: B018 # raises the job's error


@dataclass(frozen=True)
class SweepContext:
    """What the jobs of a sweep are made with and launched by.

    Attributes:
        folder: the sweep's.
    """

    folder: Path
    _config: DictConfig
    _context: HydraContext
    _task: Callable[[DictConfig], object]

    def job(self, number: int, overrides: Sequence[str]) -> Job:
        """A job, by its number and its overrides."""
        named = [*overrides, f"hydra.sweep.subdir='{number}'"]
        return Job(number, named, self._config, self._context, self._task, Singleton.get_state())

    def launch(self, jobs: Sequence[Job]) -> None:
        """Run jobs on Hydra's launcher, and wait for all."""
        launcher = Plugins.instance().instantiate_launcher(self._context, self._task, self._config)
        launcher.launch([job.overrides for job in jobs], initial_job_idx=jobs[0].number)


@contextmanager
def sweep_context(
    root: Path,
    more: Sequence[Path],
    overrides: Sequence[str],
    launcher: DictConfig,
    task: Callable[[DictConfig], object],
) -> Iterator[SweepContext]:
    """What the jobs of a sweep are made with, in its new or old folder.

    Args:
        root: the folder that holds the root config.
        more: further folders of configs.
        overrides: of the command line, with several values or one each.
        launcher: the settings of Hydra's launcher.
        task: what a job does with its config; it may run in another process.
    """
    version.setbase("1.3")
    try:
        hydra = Hydra.create_main_hydra2(ROOT_CONFIG, _search_path(root, more))
        config = hydra.compose_config(ROOT_CONFIG, list(overrides), RunMode.MULTIRUN, with_log_configuration=True)
        folder = Path(config.hydra.sweep.dir)
        with open_dict(config):
            config.hydra.sweep.dir, config.hydra.launcher = str(folder), launcher
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted(str(folder))}")  # also in other processes
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / "multirun.yaml")
        callbacks = Callbacks(config)
        callbacks.on_multirun_start(config=config, config_name=ROOT_CONFIG)
        yield SweepContext(folder, config, HydraContext(hydra.config_loader, callbacks), task)
        callbacks.on_multirun_end(config=config, config_name=ROOT_CONFIG)
    finally:
        GlobalHydra.instance().clear()


def config_folder_of(hydra: HydraConf) -> str | None:
    """The further folder of configs (``--config-dir``) of a job, by its config of Hydra; None if there is none."""
    folders = [Path(source.path) for source in hydra.runtime.config_sources if source.provider == "command-line"]
    here = Path.cwd()
    return str(folders[0].relative_to(here) if folders[0].is_relative_to(here) else folders[0]) if folders else None


def quoted(text: str) -> str:
    r"""A value as an override has it, so that Hydra reads it as this text.

    >>> quoted("it's, 1")
    "'it\\'s, 1'"
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _search_path(root: Path, more: Sequence[Path]) -> ConfigSearchPath:
    search_path = create_config_search_path(str(root))
    of_plugins = ConfigStore.instance().repo["hydra"]["launcher"]
    for path in root.glob("hydra/launcher/*.yaml"):  # ours; Hydra would hold it against a plugin's of the same name
        of_plugins.pop(path.name, None)
    for folder in more:
        search_path.prepend("command-line", f"file://{folder.absolute()}", anchor=SearchPathQuery("schema"))
    return search_path


def settings(config: DictConfig) -> DictConfig:
    """A composed config without Hydra's own part, with experiment and name, which refer to that part, filled in."""
    whole = copy.deepcopy(config)
    hydra_config: Any = HydraConfig.instance()
    before = hydra_config.cfg
    hydra_config.cfg = OmegaConf.masked_copy(whole, "hydra")
    try:
        with contextlib.suppress(OmegaConfBaseException):  # the check reports a reference that cannot be resolved
            whole.experiment = whole.experiment
            whole.name = whole.name
    finally:
        hydra_config.cfg = before
    with open_dict(whole):
        del whole["hydra"]
    return whole


def _space(parsed: Any) -> Space:
    """The values of an override that has several."""
    sweep = parsed.value()
    if parsed.is_interval_sweep():
        return Space((str(sweep.start), str(sweep.end)), (sweep.start, sweep.end), log="log" in sweep.tags)
    values = tuple(parsed.sweep_string_iterator())
    if parsed.is_range_sweep() and len(values) > 1:
        numbers = list(parsed.sweep_iterator())
        return Space(values, (numbers[0], numbers[-1]), numbers[1] - numbers[0])
    return Space(values)


def _without_quotes(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
