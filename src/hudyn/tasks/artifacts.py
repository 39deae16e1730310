"""What a report produces, before anything is written: tables, figures, files, text and a summary."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

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
class Story:
    """What the run's page tells beside figures and tables; where several reports tell the same, the last one counts.

    Attributes:
        answer: the outcome in a sentence, with its interval.
        how: how the best member does it, in paragraphs.
        kinds: what each member turned out to be, [members].
        figures: captions of figures by name, in the order of the story.
        tables: captions of tables by name, in the order of the story.
    """

    answer: str = ""
    how: Sequence[str] = ()
    kinds: Sequence[str] = ()
    figures: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)

    def after(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """This story added to what earlier reports told, as results.json holds it."""
        new = {"answer": self.answer, "how": list(self.how), "kinds": list(self.kinds)}
        captions = {
            "figures": told.get("figures", {}) | dict(self.figures),
            "tables": told.get("tables", {}) | dict(self.tables),
        }
        return {**told, **{name: value for name, value in new.items() if value}, **captions}


@dataclass(frozen=True)
class Artifacts:
    """What a report produces.

    Functions are called side by side, on all cores; one that returns None leaves its figure or file out.

    Attributes:
        tables: by name; written as ``tables/<name>.csv``.
        figures: figures by name, or functions that draw them; written as ``figures/<name>.png`` and into TensorBoard.
        scalable: names of the figures that are written as SVG too.
        files: text or bytes by path in the run's folder, such as ``figures/training.gif``, or functions that make them.
        words: texts by name, for TensorBoard.
        summary: parts of results.json by name, such as ``evaluation``: mappings, lists, numbers, texts and None.
        story: what the run's page tells.
    """

    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Drawn] = field(default_factory=dict)
    scalable: Sequence[str] = ()
    files: Mapping[str, Content] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    summary: Mapping[str, object] = field(default_factory=dict)
    story: Story = Story()
