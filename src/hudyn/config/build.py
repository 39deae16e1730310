"""The data, the network and the LightningModule that a checked config names."""

import os
from functools import partial
from inspect import signature
from typing import cast

import torch
from hydra.utils import get_class, get_method, instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

from hudyn.kernels.threads import use_threads
from hudyn.tasks.base import AnyData, AnyModule


def build_data(config: DictConfig) -> AnyData:
    """The data module; nothing is loaded yet."""
    return cast(AnyData, instantiate(config.data))


def build_module(config: DictConfig, data: AnyData) -> AnyModule:
    """The LightningModule with its population; torch gets the threads that the config allows."""
    module_class = cast(type[AnyModule], get_class(config.model._target_))
    threads = config.threads or os.cpu_count() or 1
    use_threads(threads)
    torch.set_num_threads(1 if module_class.small_operations else threads)
    settings = {str(key): value for key, value in config.model.items() if key not in ("_target_", "network")}
    return module_class(
        network=partial(build_network, config, module_class, data),
        optimizer=instantiate(config.optimizer),
        **{name: instantiate(value) if OmegaConf.is_config(value) else value for name, value in settings.items()},
    )


def build_network(config: DictConfig, module_class: type[AnyModule], data: AnyData) -> nn.Module:
    """One network, with the arguments that follow from the data and that the config leaves open."""
    settings = config.model.network
    taken = signature(get_method(settings._target_)).parameters
    derived = module_class.network_arguments(data)
    open_arguments = {name: value for name, value in derived.items() if name in taken and settings.get(name) is None}
    return cast(nn.Module, instantiate(settings, **open_arguments))
