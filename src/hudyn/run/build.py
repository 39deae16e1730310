"""The objects of a run, made from its config."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from inspect import signature
from typing import cast

import torch
from hydra.utils import get_class, get_method, instantiate
from lightning.pytorch import Trainer
from omegaconf import DictConfig, OmegaConf
from torch import nn

from hudyn.kernels.threads import use_threads
from hudyn.run.callback import RunCallback
from hudyn.run.checkpoint import AtomicCheckpointIO, load_checkpoint, load_weights
from hudyn.run.loggers import TensorBoard
from hudyn.run.run import Run
from hudyn.tasks.base import AnyData, AnyModule, AnyStudy, Study


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


@contextmanager
def build_trainer(config: DictConfig, run: Run, resumed_at: int | None = None) -> Iterator[Trainer]:
    """The trainer with its callbacks, and its loggers, which are closed at the end.

    Args:
        config: the config.
        run: the run.
        resumed_at: the update after which the run is continued.
    """
    loggers = [instantiate(logger, save_dir=str(run.folder)) for logger in config.logger.values()]
    for logger in loggers:
        if isinstance(logger, TensorBoard) and resumed_at is not None:
            logger.continue_after(resumed_at)
    callbacks = [instantiate(callback) for callback in config.callbacks.values()]
    for callback in callbacks:
        if isinstance(callback, RunCallback):
            callback.run = run
    try:
        yield instantiate(
            config.trainer,
            callbacks=callbacks,
            logger=loggers,
            plugins=[AtomicCheckpointIO()],
            default_root_dir=str(run.folder),
        )
    finally:
        for logger in loggers:
            if isinstance(logger, TensorBoard):
                logger.close()


def load_study(run: Run, config: DictConfig) -> AnyStudy:
    """A run's population as its last checkpoint has it, with the results that the run recorded.

    Raises:
        HudynError: no checkpoint, a damaged one, or one that does not fit the config.
    """
    state = load_checkpoint(run.checkpoint)["state_dict"]
    data = build_data(config)
    module = build_module(config, data)
    load_weights(module, state, run.checkpoint)
    module.results = dict(run.record.metrics)
    return Study(module, data)
