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
    refused = False
    for record in json.loads(Path(sys.argv[1]).read_text())["members"]:
        told = [record["status"]]
        if record["status"] == "proved":
            claim = f"proved on every word of the automaton of {len(record['states'])} states"
            told = [_verdict(check_words, record, claim)]
        if counting := record.get("counting"):
            told.append(_verdict(check_counting, counting, _counted(counting)))
        refused |= any(one.startswith("REFUSED") for one in told)
        print(f"member {record['member']}: {'; '.join(told)}", flush=True)
    sys.exit(int(refused))


def _counted(record: dict[str, Any]) -> str:
    """What is claimed of single words."""
    claims = ["right", "wrong", "always_wrong"], ["right up to n = {:,}", "wrong at n = {:,}", "wrong from n = {:,} on"]
    told = [text.format(record[name]) for name, text in zip(*claims, strict=True) if record[name]]
    return f"on single words, with blocks in the ratios {':'.join(map(str, record['ratios']))}, {', '.join(told)}"


def _verdict(check: Callable[[dict[str, Any]], None], record: dict[str, Any], claim: str) -> str:
    """The claim, if it is checked."""
    try:
        check(record)
    except (ArithmeticError, LookupError, ValueError, TypeError, RecursionError) as error:
        return f"REFUSED: {error}"
    return claim
