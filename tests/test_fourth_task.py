"""A fourth task, written outside hudyn: one folder with its data, module, report and YAML; see tests/parity."""

import csv

import pytest

from .conftest import ROOT

PARITY = ["--config-dir", str(ROOT / "tests" / "parity" / "conf"), "experiment=parity", "trainer.max_steps=150"]


@pytest.fixture
def parity(command, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda *overrides, **settings: command(*PARITY, *overrides, **settings)


def test_it_trains_reports_and_shows_in_the_page(parity):
    outcome = parity("members=3", "trainer.max_steps=600", draws=True)
    assert outcome.status == 0, outcome.err
    assert outcome.results["metrics"]["test/solved"]["kind"] == "rate"
    assert max(outcome.values("test/accuracy")) > 0.9
    assert outcome.results["evaluation"]["best_by"] == "highest accuracy"
    assert (outcome.folder / "figures" / "hidden_states.png").is_file()
    with open(outcome.folder / "tables" / "history.csv", newline="") as file:
        history = list(csv.DictReader(file))
    assert [row["update"] for row in history[::3]] == ["100", "200", "300", "400", "500", "600"]
    assert 'alt="Hidden states"' in (outcome.folder / "report.html").read_text()


def test_a_member_equals_its_solo_run(parity):
    together, solo = parity("members=3"), parity("members=1", "seed=2")
    assert together.values("test/accuracy")[2] == pytest.approx(solo.values("test/accuracy")[0])
    assert together.values("train/loss")[2] == pytest.approx(solo.values("train/loss")[0], rel=1e-4)


def test_its_mistakes_are_found_before_it_runs(parity):
    for override, path in (
        ("data.length=0", "data.length"),
        ("data.lenght=3", "data.lenght"),
        ("objective=test/solvd", "objective"),
        ("model/network=net_lin", "model.network"),
        ("trainer.accumulate_grad_batches=2", "trainer.accumulate_grad_batches"),
        ("report=sequences", "report"),
    ):
        outcome = parity(override)
        assert outcome.status == 2, override
        assert path in outcome.err
