"""The data, the network and the LightningModule that a checked config names."""

import math
from functools import partial
from inspect import signature
from typing import cast

import torch
from hydra.utils import get_class, get_method, instantiate
from omegaconf import DictConfig, OmegaConf
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from hudyn.config.check import makes_objects, plain
from hudyn.config.variants import variant_of, variants
from hudyn.cores import cores
from hudyn.kernels.threads import use_threads
from hudyn.schedules import Plateau
from hudyn.tasks.base import AnyData, AnyModule, MakeNetwork, Training

TOTAL_UPDATES = ("T_max", "total_steps")  # arguments of schedules that mean the number of updates of the run


def build_data(config: DictConfig) -> AnyData:
    """The data module; nothing is loaded yet."""
    data = cast(AnyData, instantiate(config.data))
    data.variants = len(variants(config))
    data.accumulated = config.trainer.get("accumulate_grad_batches") or 1
    return data


def build_module(config: DictConfig, data: AnyData) -> AnyModule:
    """The LightningModule with its population; torch gets the threads that the config allows."""
    module_class = cast(type[AnyModule], get_class(config.model._target_))
    threads = config.threads or cores()
    use_threads(threads)
    torch.set_num_threads(1 if module_class.small_operations else threads)
    settings = {str(key): value for key, value in config.model.items() if key not in ("_target_", "network")}
    combinations = variants(config)
    configs = [variant_of(config, combination) for combination in combinations]
    module = module_class(
        network=[network_maker(variant, module_class, data) for variant in configs],
        optimizer=instantiate(configs[0].optimizer),
        **{name: instantiate(value) if OmegaConf.is_config(value) else value for name, value in settings.items()},
    )
    by_norm = config.trainer.get("gradient_clip_algorithm") != "value"
    clip = config.trainer.get("gradient_clip_val") or None
    module.training_settings = Training(
        variants=combinations,
        own_rates=bool(config.get("scheduler")) and get_method(config.scheduler._target_) is Plateau,
        scheduler=partial(build_scheduler, config, data) if config.get("scheduler") else None,
        clip_norm=clip if by_norm else None,
        clip_value=None if by_norm else clip,
    )
    return module


def build_scheduler(config: DictConfig, data: AnyData, optimizer: Optimizer) -> LRScheduler:
    """The schedule of the learning rates, in updates; arguments that mean the number of updates follow from the run."""
    settings = config.scheduler
    taken = signature(get_method(settings._target_)).parameters
    open_arguments = [name for name in TOTAL_UPDATES if name in taken and settings.get(name) is None]
    updates = dict.fromkeys(open_arguments, run_updates(config, data))
    return cast(LRScheduler, instantiate(settings, **updates)(optimizer))


def run_updates(config: DictConfig, data: AnyData) -> int:
    """The number of updates of a whole run."""
    steps, epochs = config.trainer.get("max_steps", -1), config.trainer.get("max_epochs")
    by_epochs = math.inf if epochs in (None, -1) else epochs * data.updates_per_epoch
    return int(min(math.inf if steps in (None, -1) else steps, by_epochs))


def network_maker(config: DictConfig, module_class: type[AnyModule], data: AnyData) -> MakeNetwork:
    """What makes the networks, with the arguments that follow from the data and that the config leaves open."""
    settings = config.model.network
    taken = signature(get_method(settings._target_)).parameters
    derived = module_class.network_arguments(data)
    open_arguments = {name: value for name, value in derived.items() if name in taken and settings.get(name) is None}
    if any(makes_objects(plain(value)) for value in settings.values()):  # each network gets its own
        return partial(instantiate, settings, **open_arguments)
    return cast(MakeNetwork, instantiate(settings, **open_arguments, _partial_=True))  # the config is read once
