"""How a page of several runs names and links them."""

import os
from pathlib import Path
from urllib.parse import quote

from hudyn.run.run import Run


def run_name(run: Run) -> str:
    """The end of its folder: ``srn_anb2n/2026-01-31_12-00-00``."""
    return "/".join(run.folder.resolve().parts[-2:])


def link(run: Run, page: Path) -> str:
    """From a page to the run's page, or to its folder if it has none; relative, so that both can be moved."""
    target = run.folder / "report.html"
    path = os.path.relpath(target if target.is_file() else run.folder, page.parent)
    return quote(Path(path).as_posix())
