"""What a run prints; a terminal that cannot show it costs no result."""

import contextlib

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from hudyn.run.readable import interval, numbers
from hudyn.run.run import Run


def say(text: str) -> None:
    """Print a line, if there is still somebody to read it."""
    with contextlib.suppress(OSError, UnicodeError, ValueError):  # a closed pipe, a full disk, a closed stream
        print(text, flush=True)


def show(run: Run) -> None:
    """Print a short table of a run's measures, and where its page is."""
    members = run.record.members
    title = f"{run.record.name}, {members} member{'s' * (members > 1)}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    columns = ["value"] if members == 1 else ["mean", "min", "median", "max"]
    has_intervals = members > 1 and any(measure.interval for measure in run.metrics.values())
    table.add_column("measure", min_width=max(map(len, run.metrics), default=0))
    for column in [*columns, *["95 % interval"] * has_intervals]:
        table.add_column(column, justify="right")
    for name, measure in sorted(run.metrics.items()):
        median = "" if measure.quartiles is None else numbers(measure.median)
        cells = [numbers(measure.mean)]
        if members > 1:
            cells += [numbers(measure.min), median, numbers(measure.max)]
        table.add_row(name, *cells, *[interval(measure.interval)] * has_intervals)
    console = Console()
    with contextlib.suppress(OSError, UnicodeError, ValueError):
        console.print(table)
        where = f"[bold]{run.folder}[/]: report.html, results.json, tables, figures"
        console.print(where, soft_wrap=True, highlight=False)
