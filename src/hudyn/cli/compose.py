"""What Hydra is asked to compose, checked override by override; imports nothing of torch."""

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from hudyn.cli.problems import Problem, nearest
from hudyn.errors import HudynError

CONFIG_NAME = "train"


def config_folder() -> Path:
    """Where `conf/` is: inside the installed package, or beside `src/` in a checkout."""
    installed = Path(__file__).parents[1] / "conf"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "conf"


class Composer:
    """Composes configs as Hydra will, and says what is wrong with the overrides.

    Args:
        overrides: the command line's overrides.
        multirun: whether it is a sweep.
        extra_folder: a further folder of configs (``--config-dir``).
    """

    def __init__(self, overrides: list[str], multirun: bool, extra_folder: str | None) -> None:
        search_path = create_config_search_path(str(config_folder()))
        if extra_folder and not Path(extra_folder).is_dir():
            raise HudynError(f"--config-dir: there is no folder {extra_folder}.")
        if extra_folder:
            place = SearchPathQuery(provider="schema")
            search_path.prepend("command-line", f"file://{Path(extra_folder).absolute()}", anchor=place)
        loader = Hydra.create_main_hydra2("train", search_path).config_loader
        GlobalHydra.instance().clear()  # leaves the place free for the run itself
        assert isinstance(loader, ConfigLoaderImpl)
        self.loader = loader
        self.multirun = multirun
        self.problems: list[Problem] = []
        self.groups = set(self._group_names(""))
        parsed = [override for text in overrides if (override := self._parsed(text))]
        choices = [override for override in parsed if self._is_choice(override)]
        choices = [override for override in choices if self._check_choice(override)]
        self.base = self._compose([text for override in choices for text in self._first_of_sweep(override)])
        values = [override for override in parsed if not self._is_choice(override)]
        if self.base is not None:
            values = [override for override in values if self._check_key(override)]
        self.values = values
        self.sound = [str(override.input_line) for override in [*choices, *values]]

    def jobs(self) -> Iterator[tuple[str, DictConfig]]:
        """Each job's sweep overrides and its composed config, of the overrides that are sound."""
        if self.base is None:
            return
        for label, overrides in self._jobs():
            config = self._compose(overrides)
            if config is not None:
                yield label, config

    def _jobs(self) -> Iterator[tuple[str, list[str]]]:
        swept = [override for override in self._parse_all(self.sound) if override.is_sweep_override()]
        if not self.multirun or not swept:
            yield "", self.sound
            return
        assert self.base is not None
        if not self.base.hydra.sweeper._target_.endswith("BasicSweeper"):
            plain = [text for override in self._parse_all(self.sound) for text in self._first_of_sweep(override)]
            yield "", plain
            return
        fixed = {str(override.input_line) for override in self._parse_all(self.sound) if override not in swept}
        batches = BasicSweeper.split_arguments(self._parse_all(self.sound), max_batch_size=None)
        for overrides in (job for batch in batches for job in batch):
            yield " ".join(text for text in overrides if text not in fixed), list(overrides)

    def _parse_all(self, texts: list[str]) -> list[Override]:
        return OverridesParser.create(config_loader=self.loader).parse_overrides(texts)

    def _parsed(self, text: str) -> Override | None:
        try:
            return self._parse_all([text])[0]
        except HydraException as error:
            reason = str(error).splitlines()[0]
            self._report(text, f"not an override of the form key=value or group=option ({reason})")
            return None

    def _group_names(self, parent: str) -> Iterator[str]:
        for name in self.loader.list_groups(parent):
            group = f"{parent}/{name}" if parent else name
            yield group
            yield from self._group_names(group)

    def _is_choice(self, override: Override) -> bool:
        return override.key_or_group in self.groups or "/" in override.key_or_group

    def _check_choice(self, override: Override) -> bool:
        group = override.key_or_group
        if group not in self.groups:
            self._report(group, "there is no such group" + nearest(group, self.groups))
            return False
        if override.is_delete():
            return True
        options = self.loader.get_group_options(group, results_filter=ObjectType.CONFIG)
        known = True
        for text in self._values(override):
            for option in text if isinstance(text, list) else [text]:
                name = str(option).removesuffix(".yaml")
                if option is not None and name not in options:
                    self._report(group, f"there is no option {name}" + nearest(name, options))
                    known = False
        return known

    def _values(self, override: Override) -> list[Any]:
        if override.is_sweep_override():
            return [_unquoted(text) for text in override.sweep_string_iterator()]
        return [override.value()]

    def _first_of_sweep(self, override: Override) -> list[str]:
        """An override as a single job would have it."""
        if not override.is_sweep_override():
            return [str(override.input_line)]
        first = next(iter(override.sweep_string_iterator()))
        return [f"{override.get_key_element()}={first}"]

    def _check_key(self, override: Override) -> bool:
        """Whether the key that an override sets or deletes is there to be set or deleted."""
        if override.is_add() or override.is_force_add():
            return True
        node: Any = self.base
        path = ""
        for part in override.key_or_group.split("."):
            if OmegaConf.is_list(node):
                return True
            if not isinstance(node, DictConfig) or part not in node:
                known = [str(key) for key in node] if isinstance(node, DictConfig) else []
                if not path:
                    known = [key for key in known if key != "hydra"] + sorted(g for g in self.groups if "/" not in g)
                where = f"{path}.{part}" if path else part
                elsewhere = [
                    path
                    for path in _paths(self.base or OmegaConf.create())
                    if path.endswith(f".{override.key_or_group}")
                ]
                owner = f" of {node._target_}" if isinstance(node, DictConfig) and "_target_" in node else ""
                hint = f"; did you mean {' or '.join(elsewhere)}?" if elsewhere else nearest(part, set(known))
                self._report(where, f"there is no such key{owner}{hint}")
                return False
            if OmegaConf.is_missing(node, part):
                return True
            path = f"{path}.{part}" if path else part
            node = node._get_node(part)
            if OmegaConf.is_interpolation(node):
                return True
        return True

    def _compose(self, overrides: list[str]) -> DictConfig | None:
        mode = RunMode.MULTIRUN if self.multirun else RunMode.RUN
        try:
            config = self.loader.load_configuration(CONFIG_NAME, list(overrides), run_mode=mode)
        except (HydraException, OmegaConfBaseException, YAMLError) as error:
            cause = f" ({error.__cause__})" if isinstance(error.__cause__, OmegaConfBaseException) else ""
            text = str(error) if isinstance(error, YAMLError) else str(error).split("\nTo append")[0]
            self._report("command line", " ".join((text + cause.split("\n    full_key")[0]).split()))
            return None
        return config

    def _report(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))


def settings(config: DictConfig) -> DictConfig:
    """The config without Hydra's own part, with what refers to it filled in."""
    whole = copy.deepcopy(config)
    hydra_config: Any = HydraConfig.instance()
    before = hydra_config.cfg
    hydra_config.cfg = OmegaConf.masked_copy(whole, "hydra")
    try:
        # where it cannot be resolved, the check of the config says why
        with contextlib.suppress(OmegaConfBaseException):
            whole.name = whole.name  # refers to the experiment that Hydra was asked for
    finally:
        hydra_config.cfg = before
    with open_dict(whole):
        del whole["hydra"]
    return whole


def _paths(node: DictConfig, path: str = "") -> Iterator[str]:
    """Dotted paths of all keys but Hydra's own."""
    for key in map(str, node):
        if path or key != "hydra":
            yield f"{path}{key}"
            child = node._get_node(key)
            if isinstance(child, DictConfig) and not child._is_interpolation() and not child._is_none():
                yield from _paths(child, f"{path}{key}.")


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
