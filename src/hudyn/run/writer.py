"""Writes what reports produce: tables, figures and files into the run's folder, figures and texts into TensorBoard."""

import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

from hudyn.figures.style import as_svg, write_png
from hudyn.run.folder import atomic_write
from hudyn.run.run import Run
from hudyn.run.tables import write_csv, write_markdown
from hudyn.side_by_side import run_side_by_side
from hudyn.tasks.artifacts import Artifacts, Content, Drawn

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
    to_make: list[Callable[[], None]] = []
    for name, figure in artifacts.figures.items():
        to_make.append(partial(_write_figure, pictures[name], figure, name in artifacts.scalable))
    for place, content in artifacts.files.items():
        if callable(content):
            to_make.append(partial(_write_file, run.folder / place, content))
        else:
            _write_file(run.folder / place, content)
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


def _write_figure(path: Path, drawn: Drawn, is_scalable: bool) -> None:
    figure = drawn() if callable(drawn) else drawn
    if figure is None:
        return
    with atomic_write(path, "wb") as file:
        write_png(figure, file)
    if is_scalable:
        _write_file(path.with_suffix(".svg"), as_svg(figure))


def _write_file(path: Path, content: Content) -> None:
    made = content() if callable(content) else content
    if made is not None:
        with atomic_write(path, "wb") as file:
            file.write(made.encode() if isinstance(made, str) else made)
