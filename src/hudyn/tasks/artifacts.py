"""What a report produces, before anything is written: tables, figures, files, text and a summary."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from matplotlib.figure import Figure

Row: TypeAlias = Mapping[str, object]
Drawn: TypeAlias = Figure | Callable[[], Figure | None]
Content: TypeAlias = str | bytes | Callable[[], str | bytes | None]


@dataclass(frozen=True)
class Table:
    """Rows under named columns.

    Attributes:
        rows: the cells of each row by column; a missing cell stays empty.
        columns: names in order; those of the first row if None.
        markdown: whether to write the table as Markdown too, to be pasted into a text.
    """

    rows: Sequence[Row]
    columns: Sequence[str] | None = None
    markdown: bool = False


@dataclass(frozen=True)
class Artifacts:
    """What a report produces.

    Functions are called side by side, on all cores; one that returns None leaves its figure or file out.

    Attributes:
        tables: by name; written as ``tables/<name>.csv``.
        figures: figures by name, or functions that draw them; written as ``figures/<name>.png`` and into TensorBoard.
        files: text or bytes by path in the run's folder, such as ``figures/training.gif``, or functions that make them.
        words: texts by name, for TensorBoard.
        summary: parts of results.json by name, such as ``evaluation``: mappings, lists, numbers, texts and None.
    """

    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Drawn] = field(default_factory=dict)
    files: Mapping[str, Content] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    summary: Mapping[str, object] = field(default_factory=dict)
