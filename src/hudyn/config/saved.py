"""The config of a saved run: changed by overrides, and trusted only as far as its reader says."""

import copy
import re
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hudyn.arguments import nearest
from hudyn.config.check import AUTO_PRECISION, check, takes
from hudyn.config.compose import check_all
from hudyn.config.problems import ConfigurationError, Problem

# What may be changed of a saved config, in which references such as ${members} are already filled in.
RESUME_MAY_CHANGE = ("trainer.", "model.kernel=", "data.root=", "allowed_targets=")
EVALUATION_MAY_CHANGE = ("data.", "trainer.", "model.kernel=", "report.", "logger.", "allowed_targets=")
ANALYSIS_MAY_CHANGE = ("data.", "trainer.", "model.kernel=", "report.dynamics.", "allowed_targets=")


def changed(config: DictConfig, overrides: Sequence[str], may_change: tuple[str, ...]) -> DictConfig:
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
        node = OmegaConf.select(config, parent)
        if not equals:
            problems.append(Problem(override, "expected key=value"))
        elif override.endswith(f"trainer.precision={AUTO_PRECISION}"):
            problems.append(Problem(key, "auto chooses when a run begins; here, give 32-true or bf16-mixed"))
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


def trusted(config: DictConfig, allowed_targets: Sequence[str] = ()) -> DictConfig:
    """A copy of a saved config whose data, model and optimizer are of allowed classes.

    Args:
        config: the config; which packages it trusts is ignored, for its folder may be somebody else's.
        allowed_targets: packages that are trusted beside hudyn, torch, Lightning and torchmetrics.

    Raises:
        ConfigurationError: with every class that is not allowed, or does not exist.
    """
    config = copy.deepcopy(config)
    config.allowed_targets = allowed_targets
    paths = r"allowed_targets|(data|model|optimizer)\.(.+\.)?_target_"
    refused = [problem for problem in check(config) if re.fullmatch(paths, problem.path)]
    if refused:
        raise ConfigurationError(refused)
    return config
