"""Tables as files."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hudyn.run.folder import atomic_write


def write_csv(path: Path, rows: Iterable[Mapping[str, object]], columns: Sequence[str] | None = None) -> None:
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
