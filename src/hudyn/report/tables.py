"""Tables of a run, as CSV."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hudyn.runs import atomic_write


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> None:
    """Write `rows` with a heading; `columns` default to the first row's keys. Floats keep 7 digits.

    Raises:
        HudynError: the file cannot be written.
    """
    rows = list(rows)
    names = list(columns if columns is not None else rows[0] if rows else [])
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, names, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    return f"{value:.7g}" if isinstance(value, float) else value
