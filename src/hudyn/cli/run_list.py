"""What runs.py is asked for: which runs, in which order, in which form."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hudyn.cli.run_table import as_csv, as_json, as_table, differing_settings
from hudyn.run.index import index
from hudyn.run.query import Filter, QueryError, check_keys, matching, ordered, parse_filters

USAGE = """usage: runs.py                                                list the runs in outputs, or in folder=<folder>
       runs.py experiment=srn_* status=failed "test/solved>0.5"  only those for which all of this holds
               sort=-test/solved,seed                            order them; - is descending
               columns=run,optimizer.lr,test/solved              choose the columns; else the settings that differ
               format=csv                                        as CSV or JSON; else as a table
A filter is a key, one of = != < <= > >=, and a value, in which * and ? stand for any characters. Keys are
experiment, status, ... as in results.json (time.total_s), measures (test/solved), and settings (optimizer.lr)."""
OPTIONS = ("folder", "sort", "columns", "format")
FORMATS = ("table", "csv", "json")


@dataclass(frozen=True)
class RunList:
    """What runs.py is asked for.

    Attributes:
        folder: which holds the runs.
        filters: all must hold.
        sort: keys to order by, ``-key`` for descending.
        columns: keys to show; none for the columns that compare the runs.
        format: ``table``, ``csv`` or ``json``.
    """

    folder: Path = Path("outputs")
    filters: Sequence[Filter] = ()
    sort: Sequence[str] = ()
    columns: Sequence[str] = ()
    format: str = "table"


def run_list(arguments: Sequence[str]) -> RunList:
    """What a command line asks for.

    Raises:
        QueryError: with every mistake in it.
    """
    given: dict[str, str] = {}
    conditions, mistakes = [], []
    filters: list[Filter] = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key not in OPTIONS or not equals:
            conditions.append(argument)
        elif key in given:
            mistakes.append(f"{key} is given twice.")
        else:
            given[key] = value.strip("'\"")
    try:
        filters = parse_filters(conditions)
    except QueryError as error:
        mistakes.append(str(error))
    mistakes += [f"{key}: expected a value after =." for key, value in given.items() if not value]
    if given.get("format", "table") not in FORMATS:
        mistakes.append(f"format: expected table, csv or json, got {given['format']}.")
    if not (folder := Path(given.get("folder", RunList.folder)).expanduser()).is_dir():
        mistakes.append(f"There is no folder {folder}; name the one that holds your runs: folder=<folder>.")
    if mistakes:
        raise QueryError("\n".join(mistakes))
    sort, columns = (given[key].split(",") if key in given else [] for key in ("sort", "columns"))
    return RunList(folder, filters, sort, columns, given.get("format", "table"))


def listing(request: RunList) -> str:
    """The text that answers a request.

    Raises:
        QueryError: the folder holds no run, or none of its runs has a key.
    """
    runs = index(request.folder)
    if not runs:
        raise QueryError(f"{request.folder} holds no run. Name a folder in which train.py wrote, as folder=<folder>.")
    order = [key.removeprefix("-") for key in request.sort]
    check_keys([*(condition.key for condition in request.filters), *order, *request.columns], runs)
    shown = ordered(matching(runs, request.filters), request.sort)
    known = {key for run in shown for key in run.record}
    objectives = dict.fromkeys(run.settings.get("objective") for run in shown)
    measures = [name for name in objectives if name in known]
    different = [] if request.columns else differing_settings(shown)
    columns = request.columns or ["run", "experiment", "status", *different, *measures]
    if request.format == "csv":
        return as_csv(shown, columns)
    if request.format == "json":
        return as_json(shown, columns)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    return f"{as_table(shown, columns, different, width)}\n{len(shown):,} of {len(runs):,} runs"
