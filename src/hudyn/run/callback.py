"""Callbacks that write into the run's folder."""

from lightning.pytorch import Callback

from hudyn.run.run import Run


class RunCallback(Callback):
    """A callback that is told which run it belongs to before training starts.

    Attributes:
        run: the run.
    """

    run: Run
