"""The progress bar."""

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import RichProgressBarTheme
from rich.console import Console

from hudyn.figures.style import COLOURS
from hudyn.run.callback import Cadence, training_ends
from hudyn.run.terminal import say
from hudyn.tasks.base import AnyData, AnyModule, TaskData


class Progress(RichProgressBar):
    """Lightning's rich progress bar, counting updates; without a terminal, a line an epoch, or every 2 s."""

    def __init__(self) -> None:
        colour = COLOURS[0]
        theme = RichProgressBarTheme(
            progress_bar=colour, progress_bar_finished=colour, progress_bar_pulse=colour, metrics_format=".4f"
        )
        super().__init__(refresh_rate=10, theme=theme)
        self._latest: dict[str, float] = {}
        self._cadence = Cadence(least=2.0)
        self._drawn = Console().is_terminal  # not in a notebook, where rich's bar would need ipywidgets
        if not self._drawn:
            self.disable()

    @property
    def total_train_batches(self) -> int:
        """Updates of an epoch, or until the next evaluation."""
        chunks = int(super().total_train_batches)
        loader = self.trainer.train_dataloader
        return min(chunks * loader.updates_per_step, loader.updates) if loader else chunks

    def _update(self, progress_bar_id: Any, current: int, visible: bool = True, hard: bool = False) -> None:
        if progress_bar_id is not None and progress_bar_id == self.train_progress_bar_id:
            loader = self.trainer.train_dataloader
            assert loader is not None
            current = min(current * loader.updates_per_step, self.total_train_batches)
        super()._update(progress_bar_id, current, visible, hard)

    def _get_train_description(self, current_epoch: int) -> str:
        if self._data.endless:
            end = f"/{self.trainer.max_steps:,}" if self.trainer.max_steps > 0 else ""
            return f"update {self.trainer.global_step:,}{end}"
        return f"epoch {current_epoch + 1}/{self.trainer.max_epochs}"

    @property
    def _data(self) -> AnyData:
        data = self.trainer.datamodule  # type: ignore[attr-defined] # Lightning sets it
        assert isinstance(data, TaskData)
        return data

    @property
    def test_description(self) -> str:
        """The label of the bar during the last evaluation."""
        return "evaluation"

    def get_metrics(self, trainer: Trainer, pl_module: AnyModule) -> dict[str, Any]:  # type: ignore[override]
        """Means over members of the latest results."""
        self._latest |= {name: measure.mean for name, measure in pl_module.results.items()}
        return dict(self._latest)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Show the results of the evaluation."""
        super().on_train_epoch_end(trainer, pl_module)
        if self._drawn or not trainer.is_global_zero:
            return
        if not self._data.endless or training_ends(trainer) or self._cadence.due:
            results = "  ".join(f"{name} {value:.4f}" for name, value in self.get_metrics(trainer, pl_module).items())
            with self._cadence.kept():
                say(f"{self._get_train_description(trainer.current_epoch)}  {results}")
