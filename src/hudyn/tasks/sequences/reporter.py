"""The report of sequence predictors, at the end of a run or of an evaluation."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback
from torch import Tensor

from hudyn.run.figures import write_figures
from hudyn.run.folder import Run
from hudyn.run.history import tensorboard
from hudyn.tasks.sequences.report import SequenceReport


class SequenceReporter(Callback):
    """Writes tables, the text trace and figures into the run's folder, and trace and figures into TensorBoard."""

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """Write the report."""
        if not trainer.is_global_zero:
            return
        run, data = Run(Path(trainer.default_root_dir)), trainer.datamodule
        best, best_by = best_member(pl_module.results)
        report = SequenceReport(
            language=data.language,
            texts=data.evaluation,
            example=data.example,
            results=pl_module.results,
            network=pl_module.population.member(best).cpu().float(),
            best=best,
            best_by=best_by,
            seed=pl_module.population.seed,
            max_n=pl_module.max_n,
            updates=max(pl_module.success.updates, default=0),
        )
        report.write_tables(run.tables)
        writer = tensorboard(trainer)
        if writer:
            lines = report.trace().splitlines()
            writer.add_text("trace", "\n".join(f"    {line}" for line in lines), trainer.global_step)
        write_figures(report.draw(), trainer)
        run.update_results(evaluation=report.summary())


def best_member(results: dict[str, Tensor]) -> tuple[int, str]:
    """The member shown where one stands for all, and what it is best by.

    >>> from torch import tensor
    >>> best_member({"test/longest": tensor([4.0, 4.0, 0.0]), "test/excess": tensor([0.3, 0.2, 0.1])})
    (1, 'the largest N*')
    >>> best_member({"test/solved": tensor([False, False, False]), "test/excess": tensor([0.3, 0.2, 0.1])})
    (2, 'the least excess')
    >>> best_member({"test/solved": tensor([True, True, False]), "test/excess": tensor([0.3, 0.2, 0.1])})
    (1, 'the least excess that solves it')
    """
    excess = results["test/excess"].tolist()
    first = results["test/longest" if "test/longest" in results else "test/solved"].tolist()
    best = min(range(len(excess)), key=lambda member: (-first[member], excess[member]))
    if "test/longest" in results:
        return best, "the largest N*"
    return best, "the least excess" + " that solves it" * bool(first[best])
