"""Tables of a run, as CSV and Markdown."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from hudyn.run.folder import atomic_write


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


def write_members(folder: Path, results: Mapping[str, Tensor], seed: int, best: int) -> None:
    """Write ``members.csv``: a row a member with its seed, whether it is the best, and every measure it has.

    Args:
        folder: where to.
        results: every measure taken, [members].
        seed: seed of member 0.
        best: index of the best member.

    Raises:
        HudynError: the file cannot be written.
    """
    members = max(map(len, results.values()))
    write_csv(
        folder / "members.csv",
        (
            {"member": member, "seed": seed + member, "best": int(member == best)}
            | {name: _number(values[member]) for name, values in results.items()}
            for member in range(members)
        ),
    )


def write_markdown(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
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


def tidy(value: float) -> float | int:
    """A whole number without its point.

    >>> tidy(2.0), tidy(2.5)
    (2, 2.5)
    """
    return int(value) if value.is_integer() else value


def _number(value: Tensor) -> float | int | str:
    """A member's measure for a table: empty where there is none."""
    return "" if value.isnan() else tidy(value.double().item())


def _cell(value: Any) -> Any:
    return f"{value:.7g}" if isinstance(value, float) else value
