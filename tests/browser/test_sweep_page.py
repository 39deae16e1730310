"""The page of a sweep in a real browser, over one, two and three settings, over seeds, and of a search."""

import itertools
import json

import pytest

from hudyn.metrics.kinds import wilson_interval
from hudyn.sweep.record import Sweep
from hudyn.sweep.results import write_results

from .test_pages import TOO_FAINT, UNNAMED

pytestmark = pytest.mark.browser

GRIDS = {
    "line": {"model.network.hidden_size": ["2", "3", "10"]},
    "heat map": {"model.network.hidden_size": ["2", "3"], "optimizer.lr": ["0.001", "0.01", "0.1"]},
    "parallel": {"model.network.hidden_size": ["2", "3"], "optimizer.lr": ["0.01", "0.1"], "optimizer": ["a", "b"]},
    "seeds": {"optimizer.lr": ["0.01", "0.1"], "seed": ["0", "8"]},
    "search": {"optimizer.lr": ["0.01234", "0.1"], "model.network.hidden_size": ["2", "3"]},
}  # fmt: skip
MARKS = {
    "line": "circle.mean",
    "heat map": "rect.heatcell",
    "parallel": "path.way",
    "seeds": "circle.mean",
    "search": "path.way",
}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Makes a sweep over a grid, whose second job failed; the folder."""

    def make(grid, **of_search):
        jobs = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        folder = tmp_path_factory.mktemp("sweep")
        made = Sweep(folder, "srn_anb2n", "test/solved", ["a=1"], None, list(grid), jobs, **of_search)
        for number, job in enumerate(jobs):
            values = [float(member <= number) for member in range(8)]
            solved = {"kind": "rate", "mean": sum(values) / 8, "interval": wilson_interval(int(sum(values)), 8)}
            excess = {"kind": "value", "mean": 0.1 * number, "min": 0.0, "max": 1.0, "quartiles": [0.0, 0.5, 1.0]}
            record = {"status": "done", "seed": int(job.get("seed", 0)), "members": 8}
            metrics = {"test/solved": {**solved, "values": values}, "test/excess": {**excess, "values": values}}
            failed = {"status": "failed", "error": "The loss of member 0 is inf.", "metrics": {}}
            folder = made.job_folder(number)
            folder.mkdir()
            record |= failed if number == 1 and "seed" not in grid else {"metrics": metrics}
            (folder / "results.json").write_text(json.dumps(record))
            (folder / "report.html").write_text(f"<title>job {number}</title>")
        write_results(made)
        return made.folder

    return make


@pytest.mark.parametrize("kind", GRIDS)
def test_a_sweep_is_whole_and_readable(page, sweep, kind):
    """At two widths, dark and light: every finished job or population has a mark; no error, no request, all named."""
    found = {"best": 3, "importances": {"optimizer.lr": 0.75, "model.network.hidden_size": 0.25}}
    folder = sweep(GRIDS[kind], **({"trials": 6, "found": found} if kind == "search" else {}))
    jobs = len(json.loads((folder / "sweep.json").read_text())["jobs"])
    marks = {"line": jobs - 1, "heat map": jobs, "parallel": jobs - 1, "seeds": 2, "search": jobs - 1}[kind]
    for width in (360, 1280):
        for dark in (False, True):
            page.open(folder / "sweep.html", width, dark)
            where = f"{kind}, {width} px, {'dark' if dark else 'light'}"
            assert page.errors == [], where
            assert page.requests == [], where
            assert page.script("return document.documentElement.scrollWidth") <= width, where
            assert page.script(TOO_FAINT) == [], where
            assert page.script(UNNAMED) == [], where
            assert len(page.all(f"#drawing {MARKS[kind]}")) == marks, where
            assert page.label("#drawing svg").startswith("test/solved against"), where
            assert len(page.all("#table-sweep tbody tr")) == jobs


def test_a_search_tells_what_it_has_found(page, sweep):
    found = {"best": 3, "importances": {"optimizer.lr": 0.75, "model.network.hidden_size": 0.25}}
    page.open(sweep(GRIDS["search"], trials=6, found=found) / "sweep.html")
    facts = page.one("dl.facts").text
    assert "jobs\n6" in facts
    assert "job 3, optimizer.lr=0.1, model.network.hidden_size=3" in facts
    assert "importance of optimizer.lr\n0.75" in facts


def test_marks_tell_their_job_and_lead_to_its_page(page, sweep):
    page.open(sweep(GRIDS["heat map"]) / "sweep.html")
    assert "Job 1: The loss of member 0 is inf." in page.one("#failed").text
    before = page.one("#drawing svg").text
    page.put(page.named("Measure"), "test/excess")
    assert page.one("#drawing svg").text != before
    page.script("document.querySelectorAll('#drawing a')[5].focus()")
    assert "hidden_size 3, lr 0.1: test/excess 0.5 (0 to 1), 8 members; job 5" in page.one("#drawing .note").text
    page.one("#table-sweep tbody a").click()
    assert page.driver.title == "job 0"


def test_seeds_are_gathered_into_populations(page, sweep):
    page.open(sweep(GRIDS["seeds"]) / "sweep.html")
    page.script("document.querySelector('#drawing a').focus()")
    assert "lr 0.01: test/solved 0.188" in page.one("#drawing .note").text
    assert "16 members; jobs 0, 1" in page.one("#drawing .note").text
    assert [link.text for link in page.all("#table-populations tbody tr:first-child a")] == ["0", "1"]
