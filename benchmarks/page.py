"""Measure the page of a run in Chromium: python benchmarks/page.py (make bench WHAT=page).

The run is srn_anb2n with 64 members, or the folder given. Reported are the page's size, the time from its opening until
every control works, and the time that the scripts spend on a frame while each animation plays; medians of five turns.
`python benchmarks/page.py FOLDER --picture docs/page_srn.png` draws the network at work instead, for the README.
Needs selenium, Chromium and chromedriver (make browser).
"""

import argparse
import base64
import io
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from measure import ROOT, digits

TURNS = 5
READ, WIDTH, HEIGHT = 8, 1280, 970  # symbols; pixels
PLAYED_S = 3.0
PLAYED = "return [...document.querySelectorAll('button')].map((b) => b.textContent).filter((t) => t.startsWith('Play'))"
TIMED = """
window.frames = [];
const timed = (call) => (...given) => {
  const start = performance.now();
  call(...given);
  window.frames.push(performance.now() - start);
};
const { requestAnimationFrame: frame, setInterval: repeat } = window;
window.requestAnimationFrame = (call) => frame.call(window, timed(call));
window.setInterval = (call, ...rest) => repeat.call(window, timed(call), ...rest);
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="folder of a run")
    parser.add_argument("--picture", type=Path, help="file for a picture of the network at work")
    parser.add_argument("--dark", action="store_true", help="draw it as a dark screen shows it")
    arguments = parser.parse_args()
    given = arguments.folder
    with tempfile.TemporaryDirectory() as place:
        folder = given or trained(Path(place) / "run")
        page = (folder / "report.html").resolve()
        driver = chromium()
        try:
            if arguments.picture:
                draw(driver, page, arguments.picture, arguments.dark)
                return
            ready = [opened(driver, page) for _ in range(TURNS)]
            print(f"size: {page.stat().st_size / 1e6:.2f} MB")
            print(f"until every control works: {digits(statistics.median(ready))} ms")
            for name in driver.execute_script(PLAYED):
                print(f"a frame of “{name}”: {digits(statistics.median(frames(driver, name)))} ms")
        finally:
            driver.quit()


def trained(folder: Path) -> Path:
    """Train 64 SRNs on a^n b^2n."""
    settings = ["experiment=srn_anb2n", "members=64", "logger=none", f"hydra.run.dir={folder}"]
    subprocess.run([sys.executable, ROOT / "train.py", *settings], check=True, stdout=subprocess.DEVNULL)
    return folder


def chromium() -> Any:
    """A headless browser that times what scripts do in a frame."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))))
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": TIMED})
    return driver


def opened(driver: Any, page: Path) -> float:
    """Milliseconds from the opening of a page until its scripts have built it."""
    driver.get(page.as_uri())
    while not driver.execute_script("return document.documentElement.dataset.ready"):
        time.sleep(0.02)
    ready: float = driver.execute_script("return performance.getEntriesByName('ready')[0].startTime")
    return ready


def frames(driver: Any, name: str) -> list[float]:
    """Milliseconds that scripts spend on each frame while an animation plays."""
    press = "[...document.querySelectorAll('button')].find((b) => b.textContent === arguments[0])?.click()"
    driver.execute_script(f"window.frames.length = 0; {press}", name)
    time.sleep(PLAYED_S)
    times: list[float] = driver.execute_script("return window.frames")
    return times


def draw(driver: Any, page: Path, file: Path, dark: bool) -> None:
    """Save a picture of the network at work; one that reads has read half of its first word."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    opened(driver, page)
    for _ in range(READ):
        driver.execute_script("[...document.querySelectorAll('button')].find((b) => b.textContent === 'Step')?.click()")
        time.sleep(1)  # the state glides
    top = driver.execute_script("return document.querySelector('#work').getBoundingClientRect().top + scrollY")
    clip = {"x": 0, "y": top, "width": WIDTH, "height": HEIGHT, "scale": 1}
    taken = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB").save(file, optimize=True)


if __name__ == "__main__":
    main()
