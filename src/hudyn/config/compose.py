"""Composes configs from overrides as Hydra will, and checks every override; imports neither torch nor Lightning."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf

from hudyn import lean
from hudyn.arguments import nearest
from hudyn.config.check import check, check_launcher, is_open, no_such_argument, takes, walk
from hudyn.config.hydra_adapter import CompositionError, ConfigFiles, Override, settings
from hudyn.config.problems import ConfigurationError, Problem
from hudyn.config.signatures import locate
from hudyn.sweep.space import Space


def config_folder() -> Path:
    """Where `conf/` is: inside the installed package, or beside `src/` in a checkout."""
    installed = Path(__file__).parents[1] / "conf"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "conf"


def compose(overrides: Sequence[str], config_folders: Sequence[Path] = ()) -> DictConfig:
    """Compose and check the config of one run.

    Args:
        overrides: as on the command line: ``["experiment=srn_anb2n", "members=8"]``.
        config_folders: further folders of configs, as with ``--config-dir``.

    Raises:
        ConfigurationError: with every problem of the overrides and the config.
    """
    composer = Composer(overrides, config_folders=config_folders, folder_argument="config_folder")
    jobs = list(composer.jobs())
    check_all(jobs, composer.problems, composer.files)
    ((_, config),) = jobs
    return config


def check_all(
    jobs: Sequence[tuple[str, DictConfig]], problems: Sequence[Problem] = (), files: ConfigFiles | None = None
) -> None:
    """Check the configs of all jobs: first without making objects; where nothing is wrong, by making them.

    Args:
        jobs: what tells each job from the others, and its config.
        problems: what is known to be wrong already.
        files: the config files, to name the options that fit.

    Raises:
        ConfigurationError: with every problem found.
    """
    _refuse(problems, [(label, check(config, files)) for label, config in jobs])
    if lean.wanted:
        lean.import_lightning(config for _, config in jobs)
    from hudyn.config.objects import check_objects  # imports torch

    _refuse([], [(label, check_objects(config)) for label, config in jobs])


def _refuse(problems: Sequence[Problem], of_jobs: Sequence[tuple[str, list[Problem]]]) -> None:
    """Raise `problems` and those of the jobs; one that not all jobs have names its job."""
    everywhere = set.intersection(*(set(of_job) for _, of_job in of_jobs)) if of_jobs else set()
    all_problems = [*problems] + [
        problem if problem in everywhere else Problem(problem.path, f"{problem.message} (job {label})")
        for label, of_job in of_jobs
        for problem in of_job
    ]
    if all_problems:
        raise ConfigurationError(all_problems)


class Composer:
    """Composes configs as Hydra will, and says what is wrong with the overrides.

    An argument of a target that the config does not have is added: ``trainer.precision=64-true`` becomes
    ``++trainer.precision=64-true``.

    Args:
        overrides: the command line's overrides.
        multirun: whether it is a sweep.
        config_folders: further folders of configs.
        folder_argument: what the caller gives them as.

    Attributes:
        files: the config files.
        config_folders: the further folders of configs.
        problems: what is wrong with the overrides.
        overrides: the overrides without mistakes, as Hydra must be given them.

    Raises:
        ConfigurationError: one of the folders does not exist.
    """

    def __init__(
        self,
        overrides: Sequence[str],
        multirun: bool = False,
        config_folders: Sequence[Path] = (),
        folder_argument: str = "--config-dir",
    ) -> None:
        if missing := [folder for folder in config_folders if not folder.is_dir()]:
            raise ConfigurationError(Problem(folder_argument, f"there is no folder {folder}") for folder in missing)
        self._folder_argument = folder_argument
        self.files = ConfigFiles(config_folder(), config_folders)
        self.config_folders = config_folders
        self.multirun = multirun
        self.problems: list[Problem] = []
        parsed = [override for text in overrides if (override := self._parsed(text))]
        accepted: dict[int, str] = {}  # by place in `parsed`: the order of a sweep's overrides is that of its jobs

        def compose_accepted() -> DictConfig | None:
            return self._compose([self.files.parse(accepted[place]).first for place in sorted(accepted)])

        for place, override in enumerate(parsed):
            if self._is_choice(override) and self._check_choice(override):
                accepted[place] = override.text
        self.base = compose_accepted()
        parsed += self._declared_space({override.key for override in parsed})
        self._check_search({override.key: override.space for override in parsed if override.space})
        for of_targets in (True, False):  # the arguments that may be given depend on the targets
            for place, override in enumerate(parsed):
                is_value = not self._is_choice(override) and override.key.endswith("._target_") is of_targets
                if is_value and (text := self._accepted(override)):
                    accepted[place] = text
            if of_targets and self.base is not None and any(o.key.endswith("._target_") for o in parsed):
                self.base = compose_accepted() or self.base
        self.overrides = [accepted[place] for place in sorted(accepted)]

    def jobs(self) -> Iterator[tuple[str, DictConfig]]:
        """For each job the overrides that only it has, and its config without Hydra's part."""
        if self.base is None:
            return
        for label, overrides in self._jobs():
            config = self._compose(overrides) if self.multirun else self.first
            if config is not None:
                self._check_launcher(config.hydra)
                yield label, settings(config)

    def _check_launcher(self, hydra: DictConfig) -> None:
        """A launcher is of the whole sweep, and of a sweep only."""
        if not self.multirun:
            if hydra.mode not in (None, RunMode.RUN):
                self._report("hydra.mode", "a sweep is asked for by -m")
            if not str(hydra.launcher._target_).endswith("BasicLauncher"):
                self._report("hydra/launcher", "launches the jobs of a sweep: add -m, or hydra/launcher=basic")
        elif self.first is not None and hydra.launcher != self.first.hydra.launcher:
            self._report("hydra/launcher", "the experiments name different ones; name the sweep's on the command line")
        self.problems += check_launcher(hydra.launcher)

    def _jobs(self) -> Iterator[tuple[str, list[str]]]:
        parsed = [self.files.parse(text) for text in self.overrides]
        if not self.multirun or not any(override.sweeps for override in parsed):
            yield "", self.overrides
        elif self.is_search:  # every choice, and the ends of every interval, beside the first of the others
            first = {key: space.values[0] for key, space in self.space.items()}
            yield " ".join(f"{key}={value}" for key, value in first.items()), self.trial(first)
            for key, space in self.space.items():
                for value in space.values[-1:] if space.interval else space.values[1:]:
                    yield f"{key}={value}", self.trial(first | {key: value})
        elif not self.has_known_jobs or any(space.is_continuous for space in self.space.values()):
            yield "", [override.first for override in parsed]
        else:
            for overrides in self.sweep():
                yield " ".join(text.lstrip("+") for text in overrides if text not in self.overrides), overrides

    @cached_property
    def first(self) -> DictConfig | None:
        """The config of the first or only job, with Hydra's part; None where it cannot be composed."""
        first = [self.files.parse(text).first for text in self.overrides] if self.multirun else self.overrides
        return self._compose(first)

    @property
    def is_search(self) -> bool:
        """Whether the jobs of a sweep are chosen one after another."""
        return self.base is not None and bool(self.base.get("search"))

    @property
    def space(self) -> dict[str, Space]:
        """What a search may choose from, by key."""
        parsed = map(self.files.parse, self.overrides)
        return {override.key: override.space for override in parsed if override.space is not None}

    @property
    def has_known_jobs(self) -> bool:
        """Whether the jobs of a sweep are known beforehand: all combinations of the values."""
        return self.base is not None and str(self.base.hydra.sweeper._target_).endswith("BasicSweeper")

    @property
    def swept(self) -> dict[str, list[str]]:
        """The values of each key that has several, as texts."""
        overrides = map(self.files.parse, self.overrides)
        return {override.key: list(map(str, override.values)) for override in overrides if len(override.values) > 1}

    def sweep(self) -> list[list[str]]:
        """The overrides of each job of a sweep."""
        return self.files.sweep(self.overrides)

    def trial(self, values: Mapping[str, str]) -> list[str]:
        """The overrides of a trial of a search, by the values of the settings that are searched."""
        return self.files.with_values(self.overrides, values)

    def _declared_space(self, given: set[str]) -> list[Override]:
        """What the experiment declares to be searched, as overrides, unless the command line has the setting."""
        space = OmegaConf.select(self.base, "search.space") if self.base is not None else None
        texts = [f"{key}={text}" for key, text in (space or {}).items() if key not in given]
        return [override for text in texts if (override := self._parsed(text))]

    def _check_search(self, space: Mapping[str, Space]) -> None:
        """A search is a sweep over something; only it can choose from an interval."""
        for key, values in space.items():
            if values.interval and values.is_continuous:
                low, high = values.interval
                if not self.is_search:
                    self._report(key, "only a search chooses from an interval: -m search=tpe")
                elif not low < high or (values.log and low <= 0):
                    ends = "0 < least < greatest" if values.log else "least < greatest"
                    self._report(key, f"expected an interval with {ends}, got {low:g} and {high:g}")
        if self.is_search and not (self.multirun and space):
            message = "has several jobs: add -m, and intervals or several values of what is to be searched"
            self._report("search", message)

    def _parsed(self, text: str) -> Override | None:
        try:
            return self.files.parse(text)
        except CompositionError as error:
            is_experiment = text in self.files.options("experiment")
            hint = f"; did you mean experiment={text}?" if is_experiment else f" ({error})"
            self._report(text, f"not an override of the form key=value or group=option{hint}")
            return None

    def _is_choice(self, override: Override) -> bool:
        return override.key in self.files.groups or "/" in override.key

    def _check_choice(self, override: Override) -> bool:
        group = override.key
        if group not in self.files.groups:
            self._report(group, "there is no such group" + nearest(group, self.files.groups))
            return False
        if override.deletes:
            return True
        options = self.files.options(group)
        chosen = [option for value in override.values for option in (value if isinstance(value, list) else [value])]
        names = [str(option).removesuffix(".yaml") for option in chosen if option is not None]
        unknown = [name for name in names if name not in options]
        for name in unknown:
            others = [f"{other}={name}" for other in sorted(self.files.groups) if name in self.files.options(other)]
            hint = f"; did you mean {' or '.join(others)}?" if others else nearest(name, options)
            notes = ["docs/experiments.md describes all"] if group == "experiment" else []
            notes += [] if self.config_folders else [f"configs of your own need {self._folder_argument}"]
            more = f" ({'; '.join(notes)})" if notes and not others else ""
            self._report(group, f"there is no option {name}{hint}{more}")
        return not unknown

    def _accepted(self, override: Override) -> str | None:
        """The override as Hydra must be given it; None, with a problem reported, if there is no such key."""
        if override.adds or self.base is None:
            return override.text
        node: Any = self.base
        path = ""
        for part in override.key.split("."):
            if isinstance(node, ListConfig):
                return override.text
            where = f"{path}.{part}" if path else part
            if not isinstance(node, DictConfig) or part not in node:
                if not override.deletes and self._is_argument(path, node, part):
                    return f"++{override.text}"  # not one +, which is refused where another job of a sweep has the key
                self._report(where, self._no_such_key(path, node, part, override.key))
                return None
            if is_open(node, part):
                return override.text
            path, node = where, node[part]
        return override.text

    def _is_argument(self, path: str, node: object, part: str) -> bool:
        """Whether `part` is an argument of the target at `path`, or a part of an argument that is null."""
        if node is None:
            parent = OmegaConf.select(self.base or OmegaConf.create(), path.rpartition(".")[0])
            return isinstance(parent, DictConfig) and "_target_" in parent
        return takes(node, part) and not path.startswith("hydra")

    def _no_such_key(self, path: str, node: object, part: str, key: str) -> str:
        paths = [where for where, parent, _ in walk(self.base) if isinstance(parent, DictConfig)]
        elsewhere = [other for other in paths if other.endswith(f".{key}") and not other.startswith("hydra.")]
        if elsewhere:
            return f"there is no such key; did you mean {' or '.join(elsewhere)}?"
        if not isinstance(node, DictConfig):
            return "there is no such key"
        if "_target_" in node and not path.startswith("hydra"):
            name = str(node._target_)
            try:
                return no_such_argument(path, name, locate(name), part)
            except LookupError:
                return f"there is no such key{nearest(part, map(str, node))}"
        known = set(map(str, node))
        if not path:
            known = known - {"hydra"} | {group for group in self.files.groups if "/" not in group}
        return "there is no such key" + nearest(part, known)

    def _compose(self, overrides: Sequence[str]) -> DictConfig | None:
        try:
            return self.files.compose(overrides, self.multirun)
        except CompositionError as error:
            self._report(error.place, str(error))
            return None

    def _report(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))
