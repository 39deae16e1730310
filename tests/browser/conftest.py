"""A headless Chromium, and pages of brief runs to open in it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.conftest import ROOT, write_small_set

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
DRIVER = shutil.which("chromedriver")
BRIEF = {
    "srn_anb2n": ["members=8", "trainer.max_steps=20000"],
    "lstm_anb2nc3n": ["members=4", "trainer.max_steps=5000"],
    "srn_reber": ["members=4", "trainer.max_steps=5000"],
    "check_sigmoid": ["members=8", "trainer.max_steps=8000"],
    "kmnist_conv": ["trainer.max_epochs=4", "optimizer.lr=0.05"],
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser there is nothing to test."""
    missing = [name for name, path in (("Chromium", BROWSER), ("chromedriver", DRIVER)) if path is None]
    if missing:
        skip = pytest.mark.skip(reason=f"{' and '.join(missing)} not installed: make browser")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory):
    """Trains an experiment briefly, once for all processes of the tests; the folder of the run."""
    place = tmp_path_factory.getbasetemp()
    place = place.parent if "PYTEST_XDIST_WORKER" in os.environ else place

    def train(experiment: str) -> Path:
        folder = place / experiment / "run"
        with FileLock(place / f"{experiment}.lock"):
            if not folder.exists():
                data = write_small_set(place / "data", test=200) if experiment == "kmnist_conv" else place
                settings = [f"experiment={experiment}", *BRIEF[experiment], "logger=none", f"hydra.run.dir={folder}"]
                environment = os.environ | {"HUDYN_DATA": str(data)}
                done = subprocess.run(
                    [sys.executable, ROOT / "train.py", *settings], env=environment, capture_output=True, text=True
                )
                assert done.returncode == 0, done.stderr
        return folder

    return train


class Page:
    """A page that is open in the browser.

    Attributes:
        driver: selenium's.
        width: of the window, in CSS pixels.
        dark: whether the system's colours are dark.
    """

    def __init__(self, driver) -> None:
        self.driver, self.width, self.dark = driver, 1280, False

    def open(self, path: Path, width: int | None = None, dark: bool | None = None, scripts: bool = True) -> None:
        """Open a file, in a window of other looks if they are given, and wait until its scripts have run, if any."""
        from selenium.webdriver.support.ui import WebDriverWait

        width, dark = width or self.width, self.dark if dark is None else dark
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(path.as_uri())
        if scripts:
            WebDriverWait(self.driver, 30).until(
                lambda driver: self.script("return document.documentElement.dataset.ready")
            )
            # what is drawn once more when its width is known, in the first frame, would be gone under a test's hands
            self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    def script(self, text: str, *arguments: object):
        """What a script returns."""
        return self.driver.execute_script(text, *arguments)

    def all(self, selector: str) -> list:
        """The elements that a CSS selector finds."""
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str):
        """The first of them."""
        return self.driver.find_element("css selector", selector)

    def label(self, selector: str) -> str:
        """The label of the first of them, at once: what is drawn in between is another node."""
        return self.script("return document.querySelector(arguments[0]).getAttribute('aria-label')", selector)

    def named(self, name: str, inside: str = "body"):
        """The control with this accessible name."""
        found = [
            node
            for node in self.all(f"{inside} :is(button, input, select, canvas, [tabindex], [role])")
            if node.accessible_name == name
        ]
        assert found, f"no control is called {name!r}"
        return found[0]

    def put(self, node, value: object) -> None:
        """Set a slider or a list, as a person does."""
        self.script(
            "arguments[0].value = arguments[1]; for (const kind of ['input', 'change']) "
            "arguments[0].dispatchEvent(new Event(kind, {bubbles: true}))", node, str(value),
        )  # fmt: skip

    @property
    def errors(self) -> list[str]:
        """What the console has shown as an error."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    @property
    def requests(self) -> list[str]:
        """Addresses that the page has asked for, but for itself and what is in it."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        sent = (
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        )
        return [url for url in sent if not url.startswith(("file:", "data:", "blob:"))]


@pytest.fixture(scope="session")
def page() -> Iterator[Page]:
    """The browser."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield Page(driver)
    driver.quit()


@pytest.fixture(params=[(360, True), (768, False), (1280, True)], ids=["360 dark", "768 light", "1280 dark"])
def window(request: pytest.FixtureRequest, page: Page) -> Iterator[None]:
    """Windows of three widths, dark and light, in which every control is used."""
    page.width, page.dark = request.param
    yield
    page.width, page.dark = 1280, False
