"""The run's page: report.html, made of what lies in the run's folder."""

import csv
import math
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from hudyn.run.folder import Run, atomic_write

ROWS_SHOWN = 20


def write_page(run: Run) -> None:
    """Write ``report.html`` into the run's folder from its results, tables, figures and config.

    Raises:
        HudynError: it cannot be written.
    """
    environment = Environment(loader=PackageLoader("hudyn.run", ""), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"numbers": numbers, "interval": interval, "words": words, "is_number": is_number}
    results = {
        "error": None,
        "tags": [],
        "metrics": {},
        "network": {},
        "environment": {},
        "members": 1,
        "dynamics": None,
    } | run.results
    page = environment.get_template("page.html.jinja").render(
        results=results,
        facts=facts(results),
        figures=sorted(path.name for path in run.figures.glob("*") if path.suffix in (".png", ".gif")),
        pages=sorted(path.name for path in run.figures.glob("*.html")),
        tables=[_table(path) for path in sorted(run.tables.glob("*.csv"))],
        config=(run.folder / "config.yaml").read_text(encoding="utf-8"),
    )
    with atomic_write(run.folder / "report.html") as file:
        file.write(page)


def facts(results: dict[str, Any]) -> list[tuple[str, str]]:
    """The few numbers that stand on top of the page."""
    spent, network = results.get("time", {}), results["network"]
    found = [("members", results["members"]), ("first seed", results.get("seed"))]
    found += [("parameters", network.get("parameters")), ("updates", spent.get("updates"))]
    shown = [(name, f"{value:,}") for name, value in found if value is not None]
    return shown + [("seconds", f"{spent['total_s']:,.1f}")] * ("total_s" in spent)


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


def numbers(values: float | list[float] | None) -> str:
    """A measure, or several numbers of one, as the page shows them.

    >>> numbers([0.25, 0.5, 1832.0]), numbers(None)
    ('0.2500 · 0.5000 · 1,832', 'none')
    """
    return " · ".join(map(number, values)) if isinstance(values, list) else number(values)


def interval(summary: dict[str, Any]) -> str:
    """The interval of a success rate as the page shows it; empty where a measure has none.

    >>> interval({"interval": [0.4902, 0.9433]})
    '0.490 – 0.943'
    """
    return "{:.3f} – {:.3f}".format(*summary["interval"]) if "interval" in summary else ""


def words(name: str) -> str:
    """The name of a file as a heading.

    >>> words("training.gif")
    'Training'
    >>> words("confusion_matrix")
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
