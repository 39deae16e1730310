"""The report of two-layer perceptrons over the plane, at the end of a run or of an evaluation."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor

from hudyn.figures.plane import write_gif
from hudyn.run.figures import write_figures
from hudyn.run.folder import Run, atomic_write
from hudyn.tasks.check.report import GridReport


class GridReporter(Callback):
    """Writes tables and figures into the run's folder, and the figures into TensorBoard.

    Args:
        animation: whether to draw the best member's dividing lines in motion too, as ``figures/training.gif``.
    """

    def __init__(self, animation: bool = False) -> None:
        self.animation = animation

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """Write the report."""
        if not trainer.is_global_zero:
            return
        run, data, snapshots = Run(Path(trainer.default_root_dir)), trainer.datamodule, pl_module.snapshots
        best, best_by = best_member(pl_module.results)
        report = GridReport(
            points=data.points.cpu().float(),
            labels=data.labels.cpu().float(),
            results=pl_module.results,
            network=pl_module.population.member(best).cpu().float(),
            best=best,
            best_by=best_by,
            seed=pl_module.population.seed,
            times=snapshots.updates if "train/updates" in pl_module.results else [],
            snapshots=torch.stack(snapshots.vectors).float() if snapshots.updates else torch.empty(0),
        )
        report.write_tables(run.tables)
        write_figures(report.draw(), trainer)
        if self.animation and report.times:
            with atomic_write(run.figures / "training.gif", "wb") as file:
                write_gif(report.animate(), file)
        run.update_results(evaluation=report.summary())


def best_member(results: dict[str, Tensor]) -> tuple[int, str]:
    """The member shown where one stands for all, and what it is best by.

    >>> from torch import nan, tensor
    >>> results = {"train/accuracy": tensor([1.0, 1.0, 0.5]), "train/loss": tensor([0.2, 0.3, 0.4])}
    >>> best_member(results | {"train/sustained_success": tensor([900.0, 500.0, nan])})
    (1, 'soonest right for good')
    >>> best_member(results)
    (0, 'most points right')
    """
    soonest = results.get("train/sustained_success", results["train/loss"] * torch.nan).nan_to_num(torch.inf)
    ranking = zip(soonest.tolist(), (-results["train/accuracy"]).tolist(), results["train/loss"].tolist(), strict=True)
    best = min(enumerate(ranking), key=lambda member: member[1])[0]
    return best, "soonest right for good" if soonest[best].isfinite() else "most points right"
