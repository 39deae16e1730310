"""The run's page: report.html, made of what lies in the run's folder."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from omegaconf import OmegaConf

from hudyn.metrics.measure import Measure
from hudyn.run.folder import atomic_write
from hudyn.run.record import Record
from hudyn.run.run import Run

ROWS_SHOWN = 20


def write_page(run: Run) -> None:
    """Write ``report.html`` into the run's folder from its record, tables, figures and config.

    Raises:
        HudynError: it cannot be written.
    """
    environment = Environment(loader=PackageLoader("hudyn.run", ""), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"numbers": numbers, "interval": interval, "heading": heading, "is_number": is_number}
    page = environment.get_template("page.html.jinja").render(
        record=run.record,
        facts=facts(run.record),
        figures=sorted(path.name for path in run.figures.glob("*") if path.suffix in (".png", ".gif")),
        pages=sorted(path.name for path in run.figures.glob("*.html")),
        tables=[_table(path) for path in sorted(run.tables.glob("*.csv"))],
        config=OmegaConf.to_yaml(run.config),
    )
    with atomic_write(run.folder / "report.html") as file:
        file.write(page)


def facts(record: Record) -> list[tuple[str, str]]:
    """The few numbers at the top of the page."""
    values = {
        "members": record.members,
        "first seed": record.seed,
        "parameters": record.network.get("parameters"),
        "updates": record.time.get("updates"),
    }
    shown = [(name, f"{value:,}") for name, value in values.items() if value is not None]
    return shown + [("seconds", f"{record.time['total_s']:,.1f}")] * ("total_s" in record.time)


def number(value: float | None) -> str:
    """A measure as the page shows it.

    >>> number(0.69531), number(18121.14), number(None)
    ('0.6953', '18,121', 'none')
    """
    if value is None or math.isnan(value):
        return "none"
    if abs(value) < 100:
        return f"{value:.4f}"
    return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.3e}"


def numbers(values: float | Sequence[float] | None) -> str:
    """A measure, or several numbers of one, as the page shows them.

    >>> numbers([0.25, 0.5, 1832.0]), numbers(None)
    ('0.2500 · 0.5000 · 1,832', 'none')
    """
    return " · ".join(map(number, values)) if isinstance(values, Sequence) else number(values)


def interval(measure: Measure) -> str:
    """The interval of a success rate as the page shows it; empty for other measures.

    >>> import torch
    >>> from hudyn.metrics.measure import MeasureKind
    >>> interval(Measure(torch.tensor([1.0] * 8 + [0.0] * 2), MeasureKind.RATE))
    '0.490 – 0.943'
    """
    return "" if measure.interval is None else "{:.3f} – {:.3f}".format(*measure.interval)


def heading(name: str) -> str:
    """The name of a file as a heading.

    >>> heading("training.gif")
    'Training'
    >>> heading("confusion_matrix")
    'Confusion matrix'
    """
    return Path(name).stem.replace("_", " ").capitalize()


def is_number(text: str) -> bool:
    """Whether a cell of a table holds a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _table(path: Path) -> dict[str, Any]:
    with open(path, newline="", encoding="utf-8") as file:
        columns, *rows = csv.reader(file)
    return {"name": path.stem, "columns": columns, "rows": rows[:ROWS_SHOWN], "total": len(rows)}
