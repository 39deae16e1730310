"""The pages of runs in a real browser: no error, no request, everything readable, every control does something."""

from pathlib import Path

import pytest

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


@pytest.mark.parametrize("experiment", ["srn_anb2n", "check_sigmoid"])
def test_a_dot_of_the_population_is_a_member_that_the_page_shows(page, run, experiment):
    page.open(run(experiment) / "report.html")
    page.script("document.querySelector('#population .dot[data-member=\"3\"]').dispatchEvent(new MouseEvent('click'))")
    assert page.named("Member").get_attribute("value") == "3"
    assert "seed 3" in page.one("#population .note").text
    page.put(page.named("Member"), 5)
    assert page.one("#population .dot.chosen").get_attribute("data-member") == "5"
    before = page.one("#population svg").get_attribute("aria-label")
    measures = page.named("Measure along y")
    page.put(measures, measures.find_elements("css selector", "option")[0].text)
    assert page.one("#population svg").get_attribute("aria-label") != before


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
    curve = page.one("#training svg").get_attribute("aria-label")
    page.put(page.named("Measure", "#training"), "test/excess")
    assert page.one("#training svg").get_attribute("aria-label") != curve


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
