"""What the modules share that make many updates in one Lightning step."""

from typing import Any

from hudyn.errors import HudynError


def count_updates(trainer: Any, number: int) -> None:
    """Tell the trainer of `number` updates, which were made without its wrappers and their cost.

    Where they are the last, the epoch ends with them, so that an evaluation follows.
    """
    progress = trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
    for tracker in (progress.total, progress.current):
        tracker.ready += number
        tracker.completed += number
    if 0 <= trainer.max_steps <= trainer.global_step:
        trainer.should_stop = True


def not_finite(what: str) -> HudynError:
    """The error of a loss that is not finite: ``not_finite("The test loss of member 3 is nan.")``."""
    return HudynError(f"{what} Training stopped. A smaller learning rate (optimizer.lr) is the usual remedy.")
