"""What the page of a check run gets, and what it tells."""

import base64
import gzip
import json
import re

import numpy as np
import pytest
import torch

from hudyn.networks import GridMLP
from hudyn.tasks.check.story import FIGURES, TABLES
from hudyn.tasks.snapshots import with_parameters

from .test_check import QUICK, rows

WORDS = 200  # of the explanation at most


def view_of(folder):
    """The view of a run as the page decodes it."""

    def arrays(value):
        if isinstance(value, dict) and "array" in value:
            content = np.frombuffer(base64.b64decode(value["data"]), value["array"])
            return content.reshape(value["shape"])
        if isinstance(value, dict):
            return {name: arrays(part) for name, part in value.items()}
        return [arrays(part) for part in value] if isinstance(value, list) else value

    return arrays(json.loads(gzip.decompress((folder / "view.json.gz").read_bytes())))


def words(page):
    return sum(len(paragraph.split()) for paragraph in page["how"])


def assert_all_is_captioned(outcome, figures, tables):
    """Every figure and table of a run has a caption, which is one sentence."""
    folder, page = outcome.folder, outcome.results["page"]
    assert {path.stem for path in (folder / "figures").glob("*.png")} <= set(page["figures"])
    assert {path.stem for path in (folder / "tables").glob("*.csv")} - {"history"} <= set(page["tables"])
    assert list(page["figures"]) == list(figures)
    assert list(page["tables"]) == list(tables)
    for caption in [*page["figures"].values(), *page["tables"].values()]:
        assert re.fullmatch(r"[A-Z][^.]*\.", caption)


def test_the_view_of_a_population_has_its_networks_and_points(command):
    outcome = command(*QUICK, "members=5", draws=True)
    assert outcome.status == 0, outcome.err
    view = view_of(outcome.folder)
    assert view["kind"] == "check"
    points, labels = torch.tensor(view["points"]), torch.tensor(view["labels"])
    for member, vector in enumerate(view["networks"]["vectors"]):
        network = with_parameters(GridMLP(10), torch.tensor(vector))
        right = (network(points) >= 0) == (labels > 0.5)
        assert right.double().mean() == pytest.approx(outcome.values("train/accuracy")[member])
    assert view["networks"]["snapshots"].shape[:2] == (len(view["networks"]["updates"]), 5)
    page = outcome.results["page"]
    assert page["kinds"] == ["solved" if solved else "not solved" for solved in outcome.values("train/solved")]
    solved = int(sum(outcome.values("train/solved")))
    low, high = outcome.results["metrics"]["train/solved"]["interval"]
    share = f"{solved} of 5 networks ({20 * solved} %, 95 % interval {100 * low:.0f}–{100 * high:.0f} %)"
    assert page["answer"].startswith(f"{share} get all nine points right")
    assert words(page) <= WORDS
    assert_all_is_captioned(outcome, FIGURES, TABLES)


def test_the_story_of_one_network_tells_since_when_it_succeeds(command):
    outcome = command(*QUICK)
    since = int(outcome.values("train/sustained_success")[0])
    assert (
        outcome.results["page"]["answer"]
        == f"The network gets all nine points right for good, from epoch {since:,} on."
    )
    assert "kinds" not in outcome.results["page"]
    assert words(outcome.results["page"]) <= WORDS


def test_a_population_that_fails_is_told_so(command):
    outcome = command(*QUICK, "members=3", "trainer.max_steps=1", "model.network.init_std=0")
    assert outcome.results["page"]["answer"].startswith("0 of 3 networks (0 %, 95 % interval 0–56 %)")
    assert "for good" not in outcome.results["page"]["answer"]


@pytest.mark.parametrize("experiment", ["check_step", "check_scaled"])
def test_the_story_of_given_weights_is_the_assignments_answer(command, experiment):
    outcome = command(f"experiment={experiment}", draws=True)
    page, view = outcome.results["page"], view_of(outcome.folder)
    assert page["answer"] == "The network with the given weights gets all nine points right."
    lines, combination, needs = page["how"]
    for unit, row in enumerate(rows(outcome.folder / "tables/dividing_lines.csv")[:4], start=1):
        assert f"h{unit}: {row['line']}" in lines
    assert "All lines are parallel" in lines
    assert "no unit on" in combination
    sums = (-0.5, 0.5, -0.5, 0.5, -0.5) if experiment == "check_step" else ()
    assert re.findall(r"−?0\.5(?=[;.](?: |$))", combination.split("these sums")[-1]) == [
        f"{value}".replace("-", "−") for value in sums
    ]
    assert "It needs all units" in needs
    assert words(page) <= WORDS
    assert view["networks"]["updates"] == []
    assert view["networks"]["specification"]["settings"]["activation"] == ("step" if sums else "sigmoid")
    assert_all_is_captioned(outcome, FIGURES, TABLES)


def test_wrong_weights_are_told_by_their_number_of_right_points(command):
    outcome = command("experiment=check_step", "model.network.weights.output=[10,-10,-10,-10]")
    page = outcome.results["page"]
    assert page["answer"] == "The network with the given weights gets 7 of 9 points right."
    assert "The network gets 7 of 9 points right." in page["how"][-1]


def test_points_of_ones_own_come_into_the_page(command, tmp_path):
    (tmp_path / "points.csv").write_text("x,y,label\n0,0,0\n5,0,1\n0,5,1\n")
    outcome = command(*QUICK, "data.file=points.csv", "trainer.max_steps=10")
    view = view_of(outcome.folder)
    assert view["points"].tolist() == [[0, 0], [5, 0], [0, 5]]
    assert view["labels"].tolist() == [0, 1, 1]
    assert "three points" in outcome.results["page"]["answer"] or "of 3 points" in outcome.results["page"]["answer"]
