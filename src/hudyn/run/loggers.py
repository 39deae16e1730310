"""Where curves and figures go: Lightning's loggers, in the run's folder, which continue when the run is resumed."""

import csv
from itertools import takewhile
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

from hudyn.run.folder import atomic_write


class RunLogger:
    """A logger that continues where a resumed run does, and that is closed after the run's evaluation and figures."""

    def continue_after(self, update: int) -> None:
        """Let a resumed run replace what was logged after `update`, as far as that is possible."""

    def close(self) -> None:
        """Close what is open."""


class TensorBoard(RunLogger, TensorBoardLogger):
    """TensorBoard's event files, straight in the run's folder; no hp_metric, no hparams.yaml beside config.yaml.

    A run has one file, and once it has been resumed, two: what was logged before is in the first.

    Args:
        save_dir: the run's folder.
    """

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir, name="", version="", default_hp_metric=False)

    @rank_zero_only
    def continue_after(self, update: int) -> None:
        """Keep what was logged up to `update`, in one file."""
        from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

        def is_kept(record: bytes) -> bool:
            return Event.FromString(record).step <= update

        paths = sorted(Path(self.log_dir).glob("events.out.tfevents.*"))
        if not paths:
            return
        with atomic_write(paths[0], "wb") as file:
            writer = RecordWriter(file)
            for path in paths:
                for record in takewhile(is_kept, RawEventFileLoader(str(path)).Load()):
                    writer.write(record)
        for path in paths[1:]:
            path.unlink()

    def save(self) -> None:
        """Write out what is waiting."""
        self.experiment.flush()

    def finalize(self, status: str) -> None:
        """Write out what is waiting; the file stays open for the evaluation and the figures, see `close`."""
        self.save()

    def close(self) -> None:
        """Close the event file."""
        self.experiment.close()


class CSV(RunLogger, CSVLogger):
    """``metrics.csv``, straight in the run's folder; ``hparams.yaml`` has the settings by which runs are compared.

    Args:
        save_dir: the run's folder.
    """

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir, name="", version="")

    @rank_zero_only
    def continue_after(self, update: int) -> None:
        """Keep the rows up to `update`; a process that was killed may have left half a row at the end."""

        def is_kept(row: dict[str, str]) -> bool:
            return "step" in row and None not in [*row, *row.values()] and int(row["step"]) <= update

        path = Path(self.log_dir) / "metrics.csv"
        if path.exists():
            with open(path, newline="") as file:
                rows = list(takewhile(is_kept, csv.DictReader(file)))
            self.experiment.metrics = rows  # Lightning's writer begins with an empty file
            self.save()


class MLflow(RunLogger, MLFlowLogger):
    """A run in MLflow; its tag ``folder`` names the run's folder.

    Args:
        save_dir: the run's folder.
        experiment_name: the MLflow experiment that the run belongs to.
        tracking_uri: where MLflow keeps its runs: a database or a server.
    """

    def __init__(self, save_dir: str, experiment_name: str, tracking_uri: str) -> None:
        self._folder = str(Path(save_dir).absolute())
        super().__init__(experiment_name, _run_name(save_dir), tracking_uri, tags={"folder": self._folder})

    @rank_zero_only
    def continue_after(self, update: int) -> None:
        """Continue the run in MLflow, which keeps what was logged after `update`."""
        experiment = self._mlflow_client.get_experiment_by_name(self._experiment_name)
        if experiment:
            runs = self._mlflow_client.search_runs([experiment.experiment_id], f'tags.folder = "{self._folder}"')
            self._run_id = runs[0].info.run_id if runs else None

    @property
    def save_dir(self) -> str:
        """The run's folder, where Lightning puts a profile."""
        return self._folder


class Wandb(RunLogger, WandbLogger):
    """A run in Weights & Biases, whose files are in the folder ``wandb`` of the run's folder.

    A resumed run continues it; Weights & Biases keeps what was logged after the checkpoint.

    Args:
        save_dir: the run's folder.
        project: the project that the run belongs to.
    """

    def __init__(self, save_dir: str, project: str) -> None:
        before = [path.name.rpartition("-")[2] for path in Path(save_dir).glob("wandb/*run-*-*")]
        super().__init__(_run_name(save_dir), save_dir, version=before[0] if before else None, project=project)
        self._exit_code = 0

    def finalize(self, status: str) -> None:
        """Note whether the run failed; it stays open for the evaluation, see `close`."""
        self._exit_code = int(status == "failed")

    def close(self) -> None:
        """Finish the run."""
        if self._experiment is not None:
            self._experiment.finish(self._exit_code)


def _run_name(folder: str) -> str:
    """What services call the run in `folder`: ``srn_anb2n/2026-01-31_12-00-00``."""
    return "/".join(Path(folder).absolute().parts[-2:])
