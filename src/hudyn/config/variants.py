"""Settings for which a config gives a list of numbers: parts of the population are trained with one of them each."""

import itertools
from collections.abc import Iterator
from typing import Any, get_args

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hudyn.config.signatures import locate

PLACES = ("optimizer", "model.network")


def variants(config: DictConfig) -> list[dict[str, float]]:
    """Every combination of the values in lists, by the settings' paths; one empty combination if there is no list.

    >>> variants(OmegaConf.create({"optimizer": {"_target_": "torch.optim.SGD", "lr": [0.1, 0.2], "momentum": 0.5}}))
    [{'optimizer.lr': 0.1}, {'optimizer.lr': 0.2}]
    """
    lists = dict(_lists(config))
    return [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]


def variant_of(config: DictConfig, settings: dict[str, float]) -> DictConfig:
    """A copy of the config with these settings, one of `variants`."""
    changed = config.copy()
    OmegaConf.set_struct(changed, False)
    for path, value in settings.items():
        OmegaConf.update(changed, path, value)
    return changed


def _lists(config: DictConfig) -> Iterator[tuple[str, list[float]]]:
    for place in PLACES:
        node = OmegaConf.select(config, place)
        if not isinstance(node, DictConfig) or "_target_" not in node:
            continue
        try:
            arguments = locate(str(node._target_)).arguments
        except LookupError:  # which the check reports
            continue
        for name in map(str, node):
            try:
                value = node[name]
            except OmegaConfBaseException:  # it is still to be given, or refers to nothing; the check reports that, too
                continue
            is_list = isinstance(value, ListConfig) and len(value) > 0 and name in arguments
            if is_list and _is_number(arguments[name].annotation()):
                yield f"{place}.{name}", [*value]


def _is_number(annotation: Any) -> bool:
    """Whether an annotation is float, also with bounds or as one of several types."""
    return annotation is float or any(part is float for part in get_args(annotation) if isinstance(part, type))
