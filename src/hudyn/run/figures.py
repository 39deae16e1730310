"""Where the figures of a report go."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from hudyn.figures.style import pixels, write_png
from hudyn.run.folder import Run, atomic_write
from hudyn.run.history import tensorboard


def write_figures(figures: Mapping[str, Figure], trainer: Any) -> None:
    """Write drawn figures, by name, into the run's folder and into TensorBoard."""
    run, writer = Run(Path(trainer.default_root_dir)), tensorboard(trainer)
    for name, figure in figures.items():
        with atomic_write(run.figures / f"{name}.png", "wb") as file:
            write_png(figure, file)
        if writer:
            writer.add_image(name, pixels(figure), trainer.global_step, dataformats="HWC")
