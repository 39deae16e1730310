"""Where curves and figures go."""

from lightning.pytorch.loggers import TensorBoardLogger


class TensorBoard(TensorBoardLogger):
    """TensorBoard's event files, straight in the run's folder; no hp_metric, no hparams.yaml beside config.yaml.

    Args:
        save_dir: the run's folder.
    """

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir, name="", version="", default_hp_metric=False)

    def continue_after(self, update: int) -> None:
        """Let a resumed run replace what was logged after `update`."""
        self._kwargs["purge_step"] = update + 1

    def save(self) -> None:
        """Write out what is waiting."""
        self.experiment.flush()

    def finalize(self, status: str) -> None:
        """Write out what is waiting; the file stays open for the evaluation and the figures, see `close`."""
        self.save()

    def close(self) -> None:
        """Close the event file."""
        self.experiment.close()
