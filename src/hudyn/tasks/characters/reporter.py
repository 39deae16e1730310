"""The report of image classifiers, at the end of a run or of an evaluation."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor

from hudyn.figures.classification import learning_curves
from hudyn.run.figures import write_figures
from hudyn.run.folder import Run
from hudyn.run.history import Results
from hudyn.tasks.characters.report import ImageReport


class ImageReporter(Callback):
    """Writes tables and figures of the test choices into the run's folder, and the figures into TensorBoard."""

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """Write the report."""
        if not trainer.is_global_zero:
            return
        run, data = Run(Path(trainer.default_root_dir)), trainer.datamodule
        best, best_by = best_member(pl_module.results)
        report = ImageReport(
            split="test",
            choices=pl_module.choices["test"],
            images=data.splits["test"][0].cpu(),
            class_names=data.class_names,
            class_labels=data.class_labels,
            results=pl_module.results,
            network=pl_module.population.member(best).cpu(),
            best=best,
            best_by=best_by,
            seed=pl_module.population.seed,
        )
        report.write_tables(run.tables)
        figures = report.draw()
        (curves,) = [callback.curves for callback in trainer.callbacks if isinstance(callback, Results)]
        if curves:
            figures["learning_curves"] = learning_curves(curves, best, report.which, report.heading)
        write_figures(figures, trainer)
        run.update_results(evaluation=report.summary())


def best_member(results: dict[str, Tensor]) -> tuple[int, str]:
    """The member shown where one stands for all, and the measure it is best by; the test set is not asked.

    >>> from torch import tensor
    >>> best_member({"train/loss": tensor([0.5, 0.3]), "test/loss": tensor([0.1, 0.9])})
    (1, 'train/loss')
    """
    for name in ("val/loss", "train/loss"):
        if name in results:
            return int(results[name].nan_to_num(torch.inf).argmin()), name
    return 0, "index"
