"""Which runs of a folder are asked for, and in which order: ``experiment=srn_*``, ``test/solved>0.5``."""

import difflib
import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from hudyn.errors import UsageError
from hudyn.run.index import IndexedRun

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
SHAPE = re.compile(r"([^<>=!\s]+)(<=|>=|!=|<|>|=)([^=].*)", re.DOTALL)
MOST_SUGGESTED = 4


class QueryError(UsageError):
    """A filter, a column or an order is mistaken."""


@dataclass(frozen=True)
class Filter:
    """A condition on a run: `key`, one of ``= != < <= > >=``, and a value."""

    key: str
    comparison: str
    value: str

    def holds(self, values: dict[str, Any]) -> bool:
        """Whether a run with these values is one that is asked for; of a list, any part may be equal."""
        if self.key not in values:
            return self.comparison == "!="
        value = values[self.key]
        if self.comparison in COMPARISONS:
            found, wanted = as_number(value), as_number(self.value)
            return found is not None and wanted is not None and COMPARISONS[self.comparison](found, wanted)
        parts = [value, *value] if isinstance(value, list) else [value]
        return any(_equal(part, self.value) for part in parts) == (self.comparison == "=")


def parse_filters(texts: Iterable[str]) -> list[Filter]:
    """The filters that texts state.

    Raises:
        QueryError: with every text that states none.

    >>> parse_filters(["test/solved>0.5"])
    [Filter(key='test/solved', comparison='>', value='0.5')]
    """
    filters, mistakes = [], []
    for text in texts:
        match = SHAPE.fullmatch(text)
        value = match[3].strip("'\"") if match else ""
        if match is None:
            mistakes.append(f"{text}: expected a key, one of = != < <= > >=, and a value, as in status=failed.")
        elif match[2] in COMPARISONS and as_number(value) is None:
            mistakes.append(f"{text}: expected a number after {match[2]}, got {value}.")
        else:
            filters.append(Filter(match[1], match[2], value))
    if mistakes:
        raise QueryError("\n".join(mistakes))
    return filters


def matching(runs: Iterable[IndexedRun], filters: Sequence[Filter]) -> list[IndexedRun]:
    """The runs for which every filter holds."""
    return [run for run in runs if all(condition.holds(run.values) for condition in filters)]


def ordered(runs: Sequence[IndexedRun], keys: Sequence[str]) -> list[IndexedRun]:
    """The runs by the values of `keys`, ascending, or descending for ``-key``; those that lack a value come last."""
    runs = list(runs)
    for key in reversed(keys):
        name = key.removeprefix("-")
        known = [(_rank(values[name]), run) for run in runs if name in (values := run.values)]
        known.sort(key=lambda pair: pair[0], reverse=key.startswith("-"))
        runs = [run for _, run in known] + [run for run in runs if name not in run.values]
    return runs


def check_keys(keys: Iterable[str], runs: Iterable[IndexedRun]) -> None:
    """Check that every key is one of the runs'.

    Raises:
        QueryError: with every key that none of the runs has, and the keys that may be meant.
    """
    runs = list(runs)
    known = {key for run in runs for key in run.values}
    suggestions = {key: _nearest(key, known) for key in dict.fromkeys(keys) if key not in known}
    lines = [
        f"No run has {key}; did you mean {' or '.join(meant)}?" if meant else f"No run has {key}."
        for key, meant in suggestions.items()
    ]
    if not all(suggestions.values()):
        stated = sorted({key for run in runs for key in run.record if not key.endswith(("_low", "_high"))})
        lines.append(f"Keys are run, {', '.join(stated)}, and every setting of config.yaml, as in optimizer.lr.")
    if lines:
        raise QueryError("\n".join(lines))


def _nearest(key: str, known: Iterable[str]) -> list[str]:
    """The known keys that are like `key`, or have a part that is; none if there are too many."""
    owners: dict[str, set[str]] = {}
    for name in known:
        for part in (name, *re.split(r"[./]", name)):
            owners.setdefault(part, set()).add(name)
    close = [key] if key in owners else difflib.get_close_matches(key, owners, n=1)
    meant = sorted(owners[close[0]]) if close else []
    return meant if len(meant) <= MOST_SUGGESTED else []


def as_number(value: object) -> float | None:
    """A finite number, also one that stands in a text; None for anything else.

    >>> as_number("1e-3"), as_number(64), as_number("tanh"), as_number("inf")
    (0.001, 64.0, None, None)
    """
    if not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def as_text(value: object) -> str:
    """A value as YAML and the command line write it.

    >>> as_text(True), as_text(None), as_text([1, "a"]), as_text(0.1)
    ('true', 'null', '[1,a]', '0.1')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{','.join(map(as_text, value))}]" if isinstance(value, list) else str(value)


def _equal(value: object, wanted: str) -> bool:
    """Whether a value is `wanted`: as a number, or as a text, in which * and ? stand for any characters."""
    number = as_number(value)
    if number is not None and number == as_number(wanted):
        return True
    text = as_text(value)
    return text == wanted or fnmatchcase(text, wanted)


def _rank(value: object) -> tuple[bool, float, str]:
    """Sort key: numbers by size, before texts."""
    number = as_number(value)
    return (True, 0.0, as_text(value)) if number is None else (False, number, "")
