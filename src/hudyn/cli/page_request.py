"""What report.py is asked for, checked before anything is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hudyn.arguments import nearest
from hudyn.errors import HudynError
from hudyn.run.run import Run

USAGE = """usage: report.py run=<folder of a run>                write the run's report.html again
       report.py run=<folder> run=<folder> ...       compare runs in outputs/comparison.html, or output=<file>
       report.py assignment=<folder of runs>         answer the assignment's questions in <folder>/assignment.html
                 run_missing=true                    train what is missing for it first
       pdf=true                                      with any of these: print the page into a PDF beside it, too"""
KEYS = ("run", "assignment", "output", "run_missing", "pdf")
SWITCHES = ("run_missing", "pdf")
COMPARISON = "outputs/comparison.html"


@dataclass(frozen=True)
class PageRequest:
    """What report.py is asked for.

    Attributes:
        runs: the runs to show; none for the assignment.
        assignment: folder of the runs that answer the assignment's questions.
        output: where a comparison is written.
        run_missing: whether to train what is missing for the assignment.
        pdf: whether to print the page into a PDF.
    """

    runs: Sequence[Run] = ()
    assignment: Path | None = None
    output: Path = Path(COMPARISON)
    run_missing: bool = False
    pdf: bool = False


def page_request(arguments: Sequence[str]) -> tuple[PageRequest, list[str]]:
    """What a command line asks for, and a sentence for each mistake in it."""
    given: dict[str, list[str]] = {}
    mistakes = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            mistakes.append(f"{argument}: expected key=value.")
        elif key not in KEYS:
            mistakes.append(f"{key}: there is no such key{nearest(key, KEYS)}.".replace("?.", "?"))
        else:
            given.setdefault(key, []).append(value.strip("'\""))
    mistakes += [f"{key} is given twice." for key, values in given.items() if len(values) > 1 and key != "run"]
    mistakes += [
        f"{key}: expected true or false, got {given[key][-1]}."
        for key in SWITCHES
        if key in given and given[key][-1] not in ("true", "false")
    ]
    runs, problems = _runs(given.get("run", []))
    request = PageRequest(
        runs,
        Path(given["assignment"][-1]) if "assignment" in given else None,
        Path(given.get("output", [COMPARISON])[-1]),
        *(given.get(key, ["false"])[-1] == "true" for key in SWITCHES),
    )
    return request, [*mistakes, *problems, *_contradictions(request, given)]


def _runs(folders: Sequence[str]) -> tuple[list[Run], list[str]]:
    """The runs in folders, and what is wrong with the others."""
    runs, problems = [], []
    for folder in folders:
        try:
            runs.append(Run.open(Path(folder)))
        except HudynError as error:
            problems.append(str(error))
    places = [run.folder.resolve() for run in runs]
    problems += [f"run={place} is given twice." for place in dict.fromkeys(places) if places.count(place) > 1]
    return runs, problems


def _contradictions(request: PageRequest, given: dict[str, list[str]]) -> list[str]:
    """Mistakes in how the parts of a request fit together."""
    mistakes, folder = [], request.assignment
    if folder and "run" in given:
        mistakes.append("Give run=<folder> or assignment=<folder>, not both.")
    if not folder and "run" not in given:
        mistakes.append(f"Nothing to report on.\n{USAGE}")
    if folder and not folder.is_dir() and not request.run_missing:
        mistakes.append(f"There is no folder {folder}; name the one that holds your runs: assignment=<folder>.")
    if "output" in given and len(given.get("run", [])) < 2:
        mistakes.append("output=<file> is where a comparison goes; it takes two or more run=<folder>.")
    if request.output.suffix != ".html":
        mistakes.append(f"output: expected a file that ends in .html, got {request.output}.")
    if request.run_missing and not folder:
        mistakes.append("run_missing=true belongs to assignment=<folder>.")
    return mistakes
