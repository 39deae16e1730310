"""Writes what reports produce: tables, figures and files into the run's folder, figures and texts into TensorBoard."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from hudyn.figures.style import pixels, write_png
from hudyn.run.folder import atomic_write
from hudyn.run.run import Run
from hudyn.tasks.artifacts import Artifacts, Row


def write(artifacts: Artifacts, run: Run, tensorboard: SummaryWriter | None = None, update: int = 0) -> None:
    """Write what a report produced, and add its summary to the run's record.

    Args:
        artifacts: what the report produced.
        run: whose folder to write into.
        tensorboard: where figures and texts go too.
        update: number of updates made, TensorBoard's step.

    Raises:
        HudynError: a file cannot be written.
    """
    for name, table in artifacts.tables.items():
        write_csv(run.tables / f"{name}.csv", table.rows, table.columns)
        if table.markdown:
            write_markdown(run.tables / f"{name}.md", table.rows)
    for place, content in artifacts.files.items():
        with atomic_write(run.folder / place, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
    for name, figure in artifacts.figures.items():
        with atomic_write(run.figures / f"{name}.png", "wb") as file:
            write_png(figure, file)
        if tensorboard:
            tensorboard.add_image(name, pixels(figure), update, dataformats="HWC")
    for name, text in artifacts.words.items():
        if tensorboard:
            tensorboard.add_text(name, "\n".join(f"    {line}" for line in text.splitlines()), update)
    run.record.parts |= artifacts.summary
    run.save()


def write_csv(path: Path, rows: Iterable[Row], columns: Sequence[str] | None = None) -> None:
    """Write `rows` with a heading; `columns` default to the first row's keys. Floats keep 7 digits.

    Raises:
        HudynError: the file cannot be written.
    """
    rows = list(rows)
    names = list(columns if columns is not None else rows[0] if rows else [])
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, names, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows({key: _digits(value) for key, value in row.items()} for row in rows)


def write_markdown(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write `rows` as a Markdown table, to be pasted into a text. Floats keep 3 digits after the point.

    Raises:
        HudynError: the file cannot be written.
    """
    names = list(rows[0])
    cells = [[f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows]
    widths = [max(3, *map(len, column)) for column in zip(names, *cells, strict=True)]
    numeric = [isinstance(value, int | float) for value in rows[0].values()]
    rule = ["-" * (width - 1) + (":" if right else "-") for width, right in zip(widths, numeric, strict=True)]
    with atomic_write(path) as file:
        for line in (names, rule, *cells):
            parts = [
                text.rjust(width) if right else text.ljust(width)
                for text, width, right in zip(line, widths, numeric, strict=True)
            ]
            file.write(f"| {' | '.join(parts)} |\n")


def _digits(value: object) -> object:
    return f"{value:.7g}" if isinstance(value, float) else value
