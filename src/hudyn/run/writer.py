"""Writes what reports produce: tables, figures and files into the run's folder, figures and texts into TensorBoard."""

import csv
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

from hudyn.figures.style import write_png
from hudyn.run.folder import atomic_write
from hudyn.run.run import Run
from hudyn.side_by_side import run_side_by_side
from hudyn.tasks.artifacts import Artifacts, Content, Drawn, Row

LINE = 100  # characters


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
    pictures = {name: run.figures / f"{name}.png" for name in artifacts.figures}
    contents: dict[Path, Drawn | Content] = {pictures[name]: figure for name, figure in artifacts.figures.items()}
    contents |= {run.folder / place: content for place, content in artifacts.files.items()}
    to_make = []
    for path, content in contents.items():
        if callable(content):
            to_make.append(partial(_write_file, path, content))
        else:
            _write_file(path, content)
    run_side_by_side(to_make)
    for name, path in pictures.items():
        if tensorboard and path.exists():
            image = Summary.Image(encoded_image_string=path.read_bytes())
            tensorboard._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=name, image=image)]), update)
    told = {"answer": artifacts.story.answer, "how": "\n\n".join(artifacts.story.how)}
    for name, text in {**artifacts.words, **told}.items():
        if tensorboard and text:
            tensorboard.add_text(name, textwrap.indent(_wrapped(text), "    "), update)
    run.record.parts |= artifacts.summary
    run.record.parts["page"] = artifacts.story.after(run.record.parts.get("page", {}))
    run.save()


def _wrapped(text: str) -> str:
    """A text whose sentences are in lines that TensorBoard shows without scrolling; its tables stay as they are."""
    return "\n".join(line if "  " in line else textwrap.fill(line, LINE) for line in text.splitlines())


def _write_file(path: Path, content: Drawn | Content) -> None:
    made = content() if callable(content) else content
    if made is None:
        return
    with atomic_write(path, "wb") as file:
        if isinstance(made, Figure):
            write_png(made, file)
        else:
            file.write(made.encode() if isinstance(made, str) else made)


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
        for row in rows:
            writer.writerow({key: f"{value:.7g}" if isinstance(value, float) else value for key, value in row.items()})


def write_markdown(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write `rows` as a Markdown table, to be pasted into a text. Floats keep 3 digits after the point.

    Raises:
        HudynError: the file cannot be written.
    """
    columns = []
    for name, first in rows[0].items():
        values = [row[name] for row in rows]
        cells = [name, *(f"{value:.3f}" if isinstance(value, float) else str(value) for value in values)]
        width, is_number = max(3, *map(len, cells)), isinstance(first, int | float)
        cells.insert(1, "-" * (width - 1) + (":" if is_number else "-"))
        columns.append([cell.rjust(width) if is_number else cell.ljust(width) for cell in cells])
    with atomic_write(path) as file:
        file.writelines(f"| {' | '.join(line)} |\n" for line in zip(*columns, strict=True))
