"""The page of a sweep: sweep.html, its objective against the swept settings and a table of its jobs."""

import base64
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hudyn.page.assets import environment, script, style
from hudyn.run.folder import atomic_write
from hudyn.tasks.view_files import as_file

SHOWN = ("done", "pruned", "running", "interrupted", "waiting", "failed")  # statuses, in the order shown


def write_sweep_page(sweep: Mapping[str, Any], target: Path) -> None:
    """Write the page of a sweep.

    Args:
        sweep: what sweep.json holds.
        target: the page; the tables lie beside it, and the jobs' folders.

    Raises:
        HudynError: it cannot be written.
    """
    jobs = sweep["jobs"]
    number = Counter(job["status"] for job in jobs)
    links = {job["job"]: _link(target.parent, job["folder"]) for job in jobs}
    page = (
        environment()
        .get_template("sweep.html.jinja")
        .render(
            sweep=sweep,
            command=shlex.join(["python", "train.py", "-m", *sweep["overrides"]]) if sweep["overrides"] else "",
            facts=[
                ("jobs", max(sweep["trials"], len(jobs))),
                *((status, number[status]) for status in SHOWN if number[status]),
                *_found(sweep),
            ],
            failed=[(job, links[job["job"]]) for job in jobs if job["status"] == "failed"],
            style=style(),
            script=script("sweep_page"),
            data=base64.b64encode(as_file(_data(sweep, links, target.parent))).decode(),
        )
    )
    with atomic_write(target) as file:
        file.write(page)


def _found(sweep: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a search has found so far."""
    if "best" in sweep["found"]:
        best = sweep["jobs"][sweep["found"]["best"]]
        settings = ", ".join(f"{key}={best['overrides'][key]}" for key in sweep["swept"])
        yield "best", f"job {best['job']}, {settings}"
    for setting, share in sweep["found"].get("importances", {}).items():
        yield f"importance of {setting}", f"{share:.2f}"


def _link(folder: Path, job: str) -> str:
    """From the sweep's page to a job's page, or to its folder if it has none; empty before the job begins."""
    if (folder / job / "report.html").is_file():
        return f"{job}/report.html"
    return f"{job}/" if (folder / job).is_dir() else ""


def _data(sweep: Mapping[str, Any], links: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """What the page's drawings and tables show."""
    tables = [("populations", "Populations gathered over seeds"), ("sweep", "All jobs")]
    return {
        "objective": sweep["objective"],
        "swept": sweep["swept"],
        "jobs": [job | {"metrics": {}} if job["status"] == "pruned" else job for job in sweep["jobs"]],
        "isSearch": sweep["trials"] > 0,
        "populations": sweep["populations"],
        "links": links,
        "tables": [
            {"name": name, "title": title, "csv": (folder / f"{name}.csv").read_text(encoding="utf-8"), "links": links}
            for name, title in tables
            if name == "sweep" or sweep["populations"]
        ],
    }
