"""The config of a saved run, changed by the command line."""

import copy

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hudyn.arguments import nearest
from hudyn.cli.check import takes
from hudyn.cli.compose import check_all
from hudyn.cli.problems import Problem


def changed(config: DictConfig, overrides: list[str], may_change: tuple[str, ...]) -> DictConfig:
    """A copy of a saved config with ``key=value`` overrides, checked.

    Args:
        config: the config; which packages it trusts is ignored, for its folder may be somebody else's.
        overrides: keys that the config has, or arguments of its targets.
        may_change: what an override must start with.

    Raises:
        ConfigurationError: with every problem of the overrides and the config.
    """
    config = copy.deepcopy(config)
    config.allowed_targets = []
    problems = []
    for override in overrides:
        key, equals, text = override.lstrip("+").partition("=")
        parent, _, leaf = key.rpartition(".")
        node = OmegaConf.select(config, parent) if parent else config
        if not equals:
            problems.append(Problem(override, "expected key=value"))
        elif not f"{key}=".startswith(may_change):
            problems.append(Problem(key, f"the run keeps its {key}; what may change: {', '.join(may_change)}"))
        elif not (isinstance(node, DictConfig) and leaf in node) and not takes(node, leaf):
            known = map(str, node) if isinstance(node, DictConfig) else []
            problems.append(Problem(key, "the run's config has no such key" + nearest(leaf, known)))
        else:
            try:
                OmegaConf.update(config, key, OmegaConf.from_dotlist([f"value={text}"]).value, force_add=True)
            except OmegaConfBaseException as error:
                problems.append(Problem(key, str(error).splitlines()[0]))
    check_all([("", config)], problems)
    return config
