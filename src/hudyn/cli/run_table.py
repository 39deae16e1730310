"""Runs side by side: what they have in columns, as a table, CSV or JSON."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from hudyn.run.index import IndexedRun
from hudyn.run.query import as_number, as_text
from hudyn.run.readable import interval, number

GAP = "  "


def differing_settings(runs: Sequence[IndexedRun]) -> list[str]:
    """The settings of which two runs of the same experiment have different values."""
    experiments: dict[str, list[IndexedRun]] = {}
    for run in runs:
        if run.settings:  # else its config cannot be read
            experiments.setdefault(run.record["experiment"], []).append(run)
    return list(
        dict.fromkeys(
            key
            for first, *others in experiments.values()
            for key in dict.fromkeys(key for run in (first, *others) for key in run.settings)
            if any(run.settings.get(key) != first.settings.get(key) for run in others)
        )
    )


def as_table(runs: Sequence[IndexedRun], columns: Sequence[str], spare: Sequence[str] = (), width: int = 0) -> str:
    """A table to read; rates with their 95 % interval.

    Args:
        runs: a row each.
        columns: keys of the runs' values.
        spare: columns to leave out, the last first, where the table is wider than it may be; named below it.
        width: how wide it may be, in characters; 0 for any width.
    """
    rows = [run.values for run in runs]
    shown = {column: _aligned(column, rows) for column in columns}
    left_out: list[str] = []
    while width and len(left_out) < len(spare) and sum(len(cells[0]) + len(GAP) for cells in shown.values()) > width:
        left_out.insert(0, spare[-1 - len(left_out)])
        del shown[left_out[0]]
    lines = [GAP.join(cells).rstrip() for cells in zip(*shown.values(), strict=True)]
    lines.insert(1, GAP.join("─" * len(cells[0]) for cells in shown.values()))
    if left_out:
        lines.append(f"Not shown, for want of room: {', '.join(left_out)}. columns=... chooses.")
    return "\n".join(lines)


def as_csv(runs: Sequence[IndexedRun], columns: Sequence[str]) -> str:
    """A heading and a row for each run; the ends of a measure's interval in columns of their own."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    columns = _with_ends(columns, runs)
    writer.writerow(columns)
    for run in runs:
        values = run.values
        writer.writerow([as_text(values.get(column, "")) for column in columns])
    return file.getvalue().rstrip("\n")


def as_json(runs: Sequence[IndexedRun], columns: Sequence[str]) -> str:
    """A list with an object for each run, by the same names as in CSV; null for what a run lacks."""
    columns = _with_ends(columns, runs)
    objects = [{column: _plain(values.get(column)) for column in columns} for values in (run.values for run in runs)]
    return json.dumps(objects, indent=1, ensure_ascii=False)


def _with_ends(columns: Sequence[str], runs: Sequence[IndexedRun]) -> list[str]:
    known = {key for run in runs for key in run.record}
    ends = {column: [f"{column}_low", f"{column}_high"] for column in columns}
    return list(dict.fromkeys(key for name in columns for key in (name, *(end for end in ends[name] if end in known))))


def _aligned(column: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """A column's heading and cells, equally wide; numbers to the right."""
    values = [row.get(column) for row in rows]
    cells = [column, *(_cell(value, row, column) for value, row in zip(values, rows, strict=True))]
    width = max(map(len, cells))
    is_number = all(value is None or as_number(value) is not None for value in values)
    return [cell.rjust(width) if is_number else cell.ljust(width) for cell in cells]


def _cell(value: object, row: dict[str, Any], column: str) -> str:
    if value is None:
        return ""
    if f"{column}_low" in row:
        return f"{number(row[column])} ({interval((row[f'{column}_low'], row[f'{column}_high']))})"
    if isinstance(value, float):
        return number(value)
    lines = as_text(value).splitlines() or [""]
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


def _plain(value: object) -> object:
    """A value as JSON has it; a config's texts as the numbers, true, false and null that they state.

    >>> [_plain(text) for text in ("0.1", "true", "null", "tanh", ["1", "a"])]
    [0.1, True, None, 'tanh', [1, 'a']]
    """
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if not isinstance(value, str) or (as_number(value) is None and value not in ("true", "false", "null")):
        return value
    try:
        return json.loads(value)
    except ValueError:  # such as 007
        return value
