"""Mistakes in a configuration, collected so that all are reported together."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake: where in the config, and what is wrong with it."""

    path: str
    message: str


def nearest(name: str, valid: Iterable[str]) -> str:
    """A hint to end a message with: the nearest valid name, else all of them.

    >>> nearest("memebrs", ["members", "seed"])
    '; did you mean members?'
    >>> nearest("xyz", ["members", "seed"])
    '; valid: members, seed'
    """
    known = sorted(valid)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; valid: {', '.join(known)}" if known else ""


def listing(problems: Iterable[Problem]) -> str:
    """The problems for a person to read, one a line, each once."""
    unique = list(dict.fromkeys(problems))
    width = min(40, max(len(problem.path) for problem in unique))
    lines = [
        f"  {problem.path:<{width}}  " + problem.message.replace("\n", "\n" + " " * (width + 4)) for problem in unique
    ]
    number = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return "\n".join([f"{number} in the configuration; nothing was run.", *lines])
