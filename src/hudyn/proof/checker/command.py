"""hudyn-verify: check the proofs of a run, from the numbers in its file alone."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hudyn.proof.checker.counting import check_counting
from hudyn.proof.checker.words import check_words


def main() -> None:
    """Check every proof of a file."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: hudyn-verify <run>/tables/certificate.json")
    members = json.loads(Path(sys.argv[1]).read_text())["members"]
    verdicts = [_told(number, record) for number, record in enumerate(members)]
    sys.exit(int(not verdicts or not all(verdicts)))


def _told(number: int, record: dict[str, Any]) -> bool:
    """Print what is proved of a member; whether all that is claimed is."""
    checks: list[Callable[[], str]] = []
    if record["status"] == "proved":
        checks.append(lambda: _every_word(record))
    if "counting" in record:
        checks.append(lambda: _single_words(record["counting"]))
    told = [] if record["status"] == "proved" else ["not proved right on every word"]
    for check in checks:
        try:
            told.append(check())
        except (ArithmeticError, AttributeError, LookupError, ValueError, TypeError, RecursionError) as error:
            told.append(f"REFUSED: {error}")
    print(f"member {number}: {'; '.join(told)}", flush=True)
    return not any(one.startswith("REFUSED") for one in told)


def _every_word(record: dict[str, Any]) -> str:
    check_words(record)
    single = ", also in single precision" * (record["arithmetic"] == "single")
    return f"proved right on every word of the automaton of {len(record['states'])} states{single}"


def _single_words(record: dict[str, Any]) -> str:
    check_counting(record)
    claims = ["right", "wrong", "always_wrong"], ["right up to n = {:,}", "wrong at n = {:,}", "wrong from n = {:,} on"]
    told = [text.format(record[name]) for name, text in zip(*claims, strict=True) if record[name]]
    return f"on single words, with blocks in the ratios {':'.join(map(str, record['ratios']))}, {', '.join(told)}"
