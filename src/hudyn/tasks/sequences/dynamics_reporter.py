"""The report of what trained recurrent networks do, at the end of a run or of an analysis."""

import importlib.util
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback

from hudyn.run.figures import write_figures
from hudyn.run.folder import Run, atomic_write
from hudyn.run.history import tensorboard
from hudyn.tasks.sequences.reporter import best_member


class DynamicsReporter(Callback):
    """Writes what the members do and how into the run's folder: verdicts, fixed points, automata, counters.

    Args:
        animation: whether to draw the best member's phase portrait in the course of training too, where it has two
            hidden units, as ``figures/phase_portrait.gif``.
        draw_unsolved: whether to draw networks that do not solve the task too.
        learner: whether to ask the best member for its automaton by L* too (Angluin 1987), where the language has one.

    Raises:
        ValueError: the learner is asked for, and AALpy is not installed.
    """

    def __init__(self, animation: bool = False, draw_unsolved: bool = False, learner: bool = False) -> None:
        self.animation = animation
        self.draw_unsolved = draw_unsolved
        self.learner = learner
        if learner and not importlib.util.find_spec("aalpy"):
            raise ValueError('learner: AALpy is not installed (pip install "hudyn[analysis]")')

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """Write the report."""
        if not trainer.is_global_zero:
            return
        from hudyn.figures.plane import write_gif  # the analysis takes a while to import
        from hudyn.figures.spaces import plotly_script
        from hudyn.figures.style import write_svg
        from hudyn.tasks.sequences.dynamics import DynamicsReport

        run, data, population = Run(Path(trainer.default_root_dir)), trainer.datamodule, pl_module.population
        best, _ = best_member(pl_module.results)
        snapshots = pl_module.snapshots
        report = DynamicsReport(
            language=data.language,
            texts=data.evaluation,
            joined=data.words > 1 or data.stream,
            draw_unsolved=self.draw_unsolved,
            networks=[_at_least_single(population.member(member)) for member in range(population.members)],
            results=pl_module.results,
            best=best,
            seed=population.seed,
            max_n=pl_module.max_n,
            updates=max(pl_module.success.updates, default=0),
            times=snapshots.updates,
            snapshots=[vectors[best] for vectors in snapshots.vectors],
        )
        told = report.summary()
        report.write_tables(run.tables)
        figures = report.draw()
        write_figures(figures, trainer)
        if "automaton" in figures:
            with atomic_write(run.figures / "automaton.svg", "wb") as file:
                write_svg(figures["automaton"], file)
        if importlib.util.find_spec("plotly") and (page := report.page()):
            for name, text in (("state_space.html", page), ("plotly.min.js", plotly_script())):
                with atomic_write(run.figures / name) as file:
                    file.write(text)
        if self.animation and (frames := report.animate()):
            with atomic_write(run.figures / "phase_portrait.gif", "wb") as file:
                write_gif(frames, file)
        if self.learner:
            told["words"] += report.learn()
        if writer := tensorboard(trainer):
            writer.add_text("dynamics", "\n\n".join(told["words"]), trainer.global_step)
        run.update_results(dynamics=told)


def _at_least_single(network: Any) -> Any:
    """The network on the CPU, of half precision in single."""
    network = network.cpu()
    return network if next(network.parameters()).dtype == torch.float64 else network.float()
