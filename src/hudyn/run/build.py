"""The trainer of a run, and the population that it left."""

from collections.abc import Iterator
from contextlib import contextmanager

from hydra.utils import instantiate
from lightning.pytorch import Trainer
from omegaconf import DictConfig

from hudyn.config.build import build_data, build_module
from hudyn.run.callback import RunCallback
from hudyn.run.checkpoint import AtomicCheckpointIO, load_checkpoint, load_weights
from hudyn.run.loggers import RunLogger
from hudyn.run.run import Run
from hudyn.tasks.base import AnyStudy, Study


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
        if isinstance(logger, RunLogger) and resumed_at is not None:
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
            gradient_clip_val=None,  # the module clips each member's gradient, and accumulates
            accumulate_grad_batches=1,
        )
    finally:
        for logger in loggers:
            if isinstance(logger, RunLogger):
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
