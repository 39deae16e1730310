"""Which sweeps can be trained as one population: those over seeds, and numbers of the optimizer or the network."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf

from hudyn.config.variants import variants

POPULATION = "population"  # the folder in a sweep's folder where its population is while it is trained
CALLBACKS = {"progress", "history", "checkpoint"}  # that say nothing of a whole population


class UnfusableError(Exception):
    """The jobs of a sweep cannot be one population; the message says what would have to be otherwise."""


@dataclass(frozen=True)
class Fusion:
    """The jobs of a sweep as one population.

    Attributes:
        config: of the population.
        configs: of each job.
        members: the members of the population that each job is.
    """

    config: DictConfig
    configs: Sequence[DictConfig]
    members: Sequence[slice]


def fuse(base: DictConfig, swept: Mapping[str, Sequence[str]]) -> Fusion:
    """The jobs of a sweep as one population.

    Args:
        base: the config of the first job.
        swept: the values of each setting that is swept over, in the order of the command line.

    Raises:
        UnfusableError: they cannot be.
    """
    if base.get("scheduler"):
        raise UnfusableError("no schedule of the learning rate")
    if extra := set(map(str, base.callbacks)) - CALLBACKS:
        raise UnfusableError(f"no further callbacks, got {', '.join(sorted(extra))}")
    values = {key: [_number(key, text) for text in texts] for key, texts in swept.items()}
    size, seeds = int(base.members), [int(seed) for seed in values.get("seed", [base.seed])]
    if seeds != list(range(seeds[0], seeds[0] + size * len(seeds), size)):
        raise UnfusableError(f"seeds that follow one another with members={size}, got {', '.join(map(str, seeds))}")
    config = _changed(base, {key: numbers for key, numbers in values.items() if key != "seed"})
    config.seed = seeds[0]
    parts = variants(config)
    if len(parts) * len(seeds) != len(list(itertools.product(*values.values()))):
        raise UnfusableError("numbers of the optimizer or the network, each value once")
    config.members = size * len(seeds) * len(parts)
    configs, members = [], []
    for combination in itertools.product(*values.values()):
        job = dict(zip(values, combination, strict=True))
        seed = int(job.get("seed", base.seed))
        settings = {key: value for key, value in job.items() if key != "seed"}
        first = (parts.index(settings) * len(seeds) + seeds.index(seed)) * size
        configs.append(_changed(base, settings | {"seed": seed}))
        members.append(slice(first, first + size))
    return Fusion(config, configs, members)


def _number(key: str, text: str) -> float | int:
    value = OmegaConf.from_dotlist([f"value={text}"]).value
    if isinstance(value, bool) or not isinstance(value, int | float) or (key == "seed" and not isinstance(value, int)):
        raise UnfusableError(f"numbers, got {key}={text}")
    return value


def _changed(config: DictConfig, settings: Mapping[str, object]) -> DictConfig:
    changed = config.copy()
    OmegaConf.set_struct(changed, False)
    for path, value in settings.items():
        OmegaConf.update(changed, path, value, force_add=True)
    return changed
