"""The pages of runs in a real browser: no error, no request, everything readable, every control does something."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from hudyn.page.run_page import write_page
from hudyn.run.run import Run
from hudyn.tasks.view_files import VIEW, as_file

from .conftest import BRIEF

pytestmark = pytest.mark.browser

WIDTHS = (360, 768, 1280)
EXPERIMENTS = list(BRIEF)
HERE = Path(__file__).parent
TOO_FAINT, UNNAMED = ((HERE / name).read_text(encoding="utf-8") for name in ("contrast.js", "unnamed.js"))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_page_is_whole_and_readable(page, run, experiment):
    """At three widths, dark and light: no error, no request, nothing wider than the page, contrast AA, all named."""
    folder = run(experiment)
    for width in WIDTHS:
        for dark in (False, True):
            page.open(folder / "report.html", width, dark)
            where = f"{experiment}, {width} px, {'dark' if dark else 'light'}"
            page.script("document.querySelectorAll('details').forEach((node) => (node.open = true))")
            assert page.errors == [], where
            assert page.requests == [], where
            assert page.script("return document.documentElement.scrollWidth") <= width, where
            assert page.script(TOO_FAINT) == [], where
            assert page.script(UNNAMED) == [], where
            assert page.script("return [...document.images].filter((i) => !i.naturalWidth).map((i) => i.alt)") == []
            assert page.script("return [...document.images].filter((i) => !i.alt).length") == 0


@pytest.mark.usefixtures("window")
@pytest.mark.parametrize("experiment", ["srn_anb2n", "check_sigmoid"])
def test_a_dot_of_the_population_is_a_member_that_the_page_shows(page, run, experiment):
    page.open(run(experiment) / "report.html")
    page.script("document.querySelector('#population .dot[data-member=\"3\"]').dispatchEvent(new MouseEvent('click'))")
    assert page.named("Member").get_attribute("value") == "3"
    assert "seed 3" in page.one("#population .note").text
    page.put(page.named("Member"), 5)
    assert page.one("#population .dot.chosen").get_attribute("data-member") == "5"
    before = page.label("#population svg")
    measures = page.named("Measure along y")
    page.put(measures, measures.find_elements("css selector", "option")[0].text)
    assert page.label("#population svg") != before


@pytest.mark.usefixtures("window")
def test_the_course_of_training_is_played(page, run):
    from selenium.webdriver.support.ui import WebDriverWait

    page.open(run("srn_anb2n") / "report.html")
    handle = page.named("Snapshot")
    assert page.one("#snapshots output").text == "trained"
    page.put(handle, 0)
    assert page.one("#snapshots output").text == "update 0"
    play = page.named("Play training")
    play.click()
    WebDriverWait(page.driver, 5).until(lambda driver: int(handle.get_attribute("value")) > 2)
    play.click()
    curve = page.label("#training svg")
    page.put(page.named("Measure", "#training"), "test/excess")
    assert page.label("#training svg") != curve


@pytest.mark.usefixtures("window")
def test_tables_are_whole_sorted_filtered_and_saved(page, run):
    page.open(run("srn_anb2n") / "report.html")
    page.script("document.querySelector('#table-members').open = true")
    rows = page.all("#table-members tbody tr")
    assert len(rows) == 8
    page.named("Sort by seed", "#table-members").click()
    page.named("Sort by seed", "#table-members").click()
    heads = [head.text for head in page.all("#table-members thead th")]
    seeds = page.all(f"#table-members tbody td:nth-child({heads.index('seed') + 1})")
    assert [cell.text for cell in seeds] == [str(seed) for seed in range(7, -1, -1)]
    assert page.all("#table-members thead th")[heads.index("seed")].get_attribute("aria-sort") == "descending"
    search = page.named("Filter Members")
    search.send_keys("no such cell")
    assert page.all("#table-members tbody tr") == []
    link = page.one("#table-members a[download]")
    assert link.get_attribute("download") == "members.csv"
    assert link.get_attribute("href").startswith("data:text/csv")


def replaced(content, old, new):
    """JSON with each text `old` replaced."""
    if isinstance(content, dict):
        return {key: replaced(value, old, new) for key, value in content.items()}
    if isinstance(content, list):
        return [replaced(value, old, new) for value in content]
    return new if content == old else content


@pytest.mark.parametrize("experiment", ["check_sigmoid", "kmnist_conv"])
def test_names_labels_and_data_are_shown_as_text(page, run, tmp_path, experiment):
    """A tag, a table's heading and cell, a class, and a folder that would be elements, and run, if they were HTML."""
    hostile = "<img src=x onerror=hacked=1>"
    folder = Path(shutil.copytree(run(experiment), tmp_path / "<b>run"))
    results = json.loads((folder / "results.json").read_text())
    (folder / "results.json").write_text(json.dumps(replaced(results | {"tags": [hostile]}, "お o", hostile)))
    table = folder / "tables" / "parameters.csv"
    table.write_text(f"{hostile},layer\n{hostile},1\n")
    with gzip.open(folder / VIEW, "rt", encoding="utf-8") as file:
        view = replaced(json.load(file), "お o", hostile)
    (folder / VIEW).write_bytes(as_file(view))
    write_page(Run.open(folder))
    page.open(folder / "report.html")
    page.script("document.querySelectorAll('details').forEach((node) => (node.open = true))")
    assert page.script("return window.hacked") is None
    assert page.errors == []
    assert page.requests == []
    assert page.one("body").text.count(hostile) >= 2


def test_all_that_is_folded_is_printed(page, run):
    page.open(run("check_sigmoid") / "report.html")
    folded = len(page.all("details:not([open])"))
    assert folded > 3
    page.script("dispatchEvent(new Event('beforeprint'))")
    assert page.all("details:not([open])") == []
    page.script("dispatchEvent(new Event('afterprint'))")
    assert len(page.all("details:not([open])")) == folded


def test_a_page_without_scripts_tells_what_it_can(page, run):
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.driver.get((run("srn_anb2n") / "report.html").as_uri())
        page.one("#measures summary").click()
        text = page.one("body").text
    finally:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "srn_anb2n" in text
    assert "need JavaScript" in text
    assert "test/solved" in text


def test_the_assignment_s_page(page, run, tmp_path_factory):
    """Made of what is there; it says what is missing."""
    import shutil
    import subprocess
    import sys

    from .conftest import ROOT

    outputs = tmp_path_factory.mktemp("outputs")
    for experiment in ("srn_anb2n", "lstm_anb2nc3n", "check_sigmoid", "kmnist_conv"):
        shutil.copytree(run(experiment), outputs / experiment / "run")
    done = subprocess.run([sys.executable, ROOT / "report.py", f"assignment={outputs}"], capture_output=True, text=True)
    assert (outputs / "assignment.html").is_file(), done.stderr
    for width in (360, 1280):
        page.open(outputs / "assignment.html", width, dark=width == 360, scripts=False)
        assert page.errors == []
        assert page.requests == []
        assert page.script("return document.documentElement.scrollWidth") <= width
    text = page.one("body").text
    assert all(f"Part {part}" in text for part in (1, 2, 3))
    assert "python train.py experiment=kmnist_lin" in text


def test_runs_are_compared(page, run, tmp_path):
    import subprocess
    import sys

    from .conftest import ROOT

    runs = [f"run={run(experiment)}" for experiment in ("srn_anb2n", "lstm_anb2nc3n")]
    done = subprocess.run([sys.executable, ROOT / "report.py", *runs], cwd=tmp_path, capture_output=True, text=True)
    (written,) = tmp_path.glob("**/comparison.html")
    assert done.returncode == 0, done.stderr
    for width in (360, 1280):
        page.open(written, width, dark=width == 360)
        assert page.errors == []
        assert page.requests == []
        assert page.script("return document.documentElement.scrollWidth") <= width
    curves = page.label("#curves svg.chart")
    page.put(page.named("Measure"), "train/loss")
    assert page.label("#curves svg.chart") != curves
    assert len(page.all("#curves .curve")) == 2
