"""hudyn-verify: check the proofs of a run, from the numbers in its file alone."""

import json
import sys
from pathlib import Path
from typing import Any

from hudyn.proof.checker.counting import check_counting
from hudyn.proof.checker.words import check_words


def main() -> None:
    """Check every proof of a file."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: hudyn-verify <run>/tables/certificate.json")
    try:
        members = list(json.loads(Path(sys.argv[1]).read_text())["members"])
    except OSError as error:
        sys.exit(
            f"{sys.argv[1]}: {error.strerror}. A run with report.dynamics.proof=true writes tables/certificate.json."
        )
    except (ValueError, LookupError, TypeError):
        sys.exit(f"{sys.argv[1]} is not the tables/certificate.json of a run with report.dynamics.proof=true.")
    verdicts = [_told(number, record) for number, record in enumerate(members)]
    sys.exit(int(not verdicts or not all(verdicts)))


def _told(number: int, record: dict[str, Any]) -> bool:
    """Print what is proved of a member; whether all that is claimed is."""
    told, refused = list[str](), False
    for check in (_every_word, _single_words):
        try:
            told += check(record)
        except (ArithmeticError, AttributeError, LookupError, ValueError, TypeError, RecursionError) as error:
            told, refused = [*told, f"REFUSED: {error}"], True
    print(f"member {number}: {'; '.join(told)}", flush=True)
    return not refused


def _every_word(record: dict[str, Any]) -> list[str]:
    if record["status"] != "proved":
        return ["not proved right on every word"]
    check_words(record)
    single = ", also in single precision" * (record["arithmetic"] == "single")
    return [f"proved right on every word of the automaton of {len(record['states'])} states{single}"]


def _single_words(record: dict[str, Any]) -> list[str]:
    if "counting" not in record:
        return []
    counting = record["counting"]
    check_counting(counting)
    claims = ["right", "wrong", "always_wrong"], ["right up to n = {:,}", "wrong at n = {:,}", "wrong from n = {:,} on"]
    told = [text.format(counting[name]) for name, text in zip(*claims, strict=True) if counting[name]]
    return [f"on single words, with blocks in the ratios {':'.join(map(str, counting['ratios']))}, {', '.join(told)}"]
