"""What the page of a character run gets, and what it tells."""

import re

import numpy as np
import pytest
import torch
from torch import nn

import hudyn
from hudyn.networks import NetLin
from hudyn.tasks.characters import files
from hudyn.tasks.characters.data import scaled
from hudyn.tasks.characters.story import FIGURES, TABLES, Likeness, mean_images, nearer_to
from hudyn.tasks.characters.view import BEHIND_A_CELL
from hudyn.tasks.snapshots import with_parameters

from .conftest import SHORT
from .test_grid_view import WORDS, assert_all_is_captioned, view_of, words


@pytest.fixture
def brief(command):
    outcome = command(*SHORT, "members=3", draws=True)
    assert outcome.status == 0, outcome.err
    return outcome


def test_the_matrices_count_every_test_image(brief, small_data):
    view = view_of(brief.folder)
    _, targets = files.read(small_data, "KMNIST", "test")
    assert view["matrices"].shape == (3, 10, 10)
    np.testing.assert_array_equal(view["matrices"].sum(axis=2), np.tile(targets.bincount(minlength=10), (3, 1)))
    right = view["matrices"].trace(axis1=1, axis2=2) / len(targets)
    assert right.tolist() == pytest.approx(brief.values("test/accuracy"))


def test_the_images_belong_to_their_cells(brief, small_data):
    view = view_of(brief.folder)
    images, targets = files.read(small_data, "KMNIST", "test")
    assert sorted(own["member"] for own in view["kept"]) == [0, 1, 2]
    np.testing.assert_array_equal(view["images"], images[torch.tensor(view["places"]).long()])
    for own in view["kept"]:
        network = with_parameters(NetLin(), torch.tensor(view["networks"]["vectors"][own["member"]]))
        with torch.no_grad():
            probabilities = network(scaled(torch.tensor(view["images"][own["images"]]))).exp()
        confidences, choices = probabilities.max(dim=1)
        places = torch.tensor(view["places"][own["images"]]).long()
        np.testing.assert_array_equal(own["cells"], targets[places] * 10 + choices)
        np.testing.assert_allclose(own["confidences"], confidences, atol=1e-5)
        kept, counts = np.bincount(own["cells"], minlength=100), view["matrices"][own["member"]].ravel()
        np.testing.assert_array_equal(kept, np.minimum(counts, BEHIND_A_CELL))
        for cell in np.unique(own["cells"]):
            assert (np.diff(own["confidences"][own["cells"] == cell]) <= 0).all()


def test_of_many_members_only_some_weights_and_the_best_ones_images_are_kept(command, monkeypatch):
    monkeypatch.setattr("hudyn.tasks.characters.view.MOST_IMAGES", 50)
    monkeypatch.setattr("hudyn.tasks.views.LARGEST", 2 * 7850 * 4)
    outcome = command(*SHORT, "members=3")
    view, best = view_of(outcome.folder), outcome.results["evaluation"]["best_member"]
    assert [own["member"] for own in view["kept"]] == [best]
    assert len(view["matrices"]) == 3
    kept = view["networks"]["members"]
    assert kept[0] == best
    assert len(kept) == 2
    networks = hudyn.load(outcome.folder)
    for member, vector in zip(kept, view["networks"]["vectors"], strict=True):
        np.testing.assert_array_equal(
            vector, nn.utils.parameters_to_vector(networks.network(member).parameters()).detach()
        )
    assert len(view["images"]) == len(view["kept"][0]["images"])


def test_the_story_of_several_networks_tells_mean_and_range(brief):
    accuracies, page = brief.values("test/accuracy"), brief.results["page"]
    mean, low, high = (f"{100 * value:.2f} %" for value in (np.mean(accuracies), min(accuracies), max(accuracies)))
    expected = f"3 NetLin networks name {mean} of the 100 test images correctly on average, from {low} to {high}."
    assert page["answer"] == expected
    assert_all_is_captioned(brief, FIGURES, TABLES)


def test_the_story_tells_the_measured_confusions_and_the_parameters(command):
    outcome = command(*SHORT)
    page, evaluation = outcome.results["page"], outcome.results["evaluation"]
    accuracy = outcome.values("test/accuracy")[0]
    assert page["answer"] == f"NetLin names {100 * accuracy:.2f} % of the 100 test images correctly."
    told = page["how"][0]
    for confusion in evaluation["members"][0]["confusions"][:3]:
        assert re.search(
            rf"\S+ {confusion['target']} for \S+ {confusion['choice']} \({confusion['count']} of 10 images", told
        )
    assert "10·784 + 10 = 7,850 independent parameters" in page["how"][-1]
    assert words(page) <= WORDS


def test_classes_that_look_alike_are_found_and_images_are_closest_to_their_own():
    bar, other, cross = (torch.zeros(6, 6) for _ in range(3))
    bar[2], other[2], cross[:, 3] = 255, 200, 255
    other[5] = 90
    images = torch.stack([bar, other, cross]).to(torch.uint8)
    means = mean_images(images, torch.arange(3), 3)
    matrix = torch.tensor([[5, 5, 0], [4, 6, 0], [0, 1, 9]])
    likeness = Likeness.of(means, matrix)
    assert likeness.rank(0, 1) == 1
    assert likeness.number == 3
    assert likeness.rho > 0
    assert nearer_to(images, means, 0, 1).tolist() == [False, True, True]
