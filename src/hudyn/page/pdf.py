"""A page printed into a PDF, by a Chromium that is installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from hudyn.errors import HudynError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 120  # at most


def write_pdf(page: Path) -> Path:
    """Print a page into a PDF beside it.

    Raises:
        HudynError: no Chromium is installed, or it cannot print.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise HudynError(
            f"{page} could not be printed: pdf=true needs Chromium or Google Chrome, and neither is on the PATH.\n"
            "Install one, or open the page in any browser and print it from there."
        )
    target = page.with_suffix(".pdf")
    target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless", "--disable-gpu", f"--user-data-dir={profile}", "--virtual-time-budget=10000"]
        if getattr(os, "geteuid", lambda: 1)() == 0:
            options.append("--no-sandbox")  # which Chromium demands of root
        printing = ["--no-pdf-header-footer", f"--print-to-pdf={target.absolute()}", page.absolute().as_uri()]
        try:
            done = subprocess.run([browser, *options, *printing], capture_output=True, text=True, timeout=SECONDS)
            said = done.stderr.strip()
        except subprocess.TimeoutExpired:
            said = f"no answer for {SECONDS} seconds"
    if not target.is_file():
        raise HudynError(f"{page} could not be printed: {browser}: {said.splitlines()[-1] if said else 'no reason'}.")
    return target
