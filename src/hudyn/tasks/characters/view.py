"""What the page needs to let image classifiers run in it."""

from typing import Any

import torch
from torch import Tensor

from hudyn.metrics.classification import Choices, confusion_matrices
from hudyn.tasks.base import Study
from hudyn.tasks.characters.data import KMNISTDataModule
from hudyn.tasks.characters.module import SPLIT, ImageClassifier
from hudyn.tasks.views import networks

BEHIND_A_CELL = 12  # images at most
MOST_IMAGES = 1600  # of 28 × 28 bytes: less than a megabyte in the page


def characters_view(study: Study[ImageClassifier, KMNISTDataModule]) -> dict[str, Any]:
    """The networks, the names of the classes, every member's confusion matrix, and the images behind its cells.

    ``images`` [images, height, width] are those of the test images ``places`` [images]. ``kept`` names, for each member
    whose images are kept, ``images`` (indices into these), ``cells`` (row · classes + column) and ``confidences``, the
    most confident first. If they are too many, only the best member's are kept.
    """
    choices, classes = study.module.choices[SPLIT], study.data.class_labels
    members = [study.best, *(member for member in range(study.members) if member != study.best)]
    behind = {member: _behind_cells(choices, member, len(classes)) for member in members}
    places = _places(behind)
    if len(places) > MOST_IMAGES:
        behind = {study.best: behind[study.best]}
        places = _places(behind)
    return {
        "kind": "characters",
        "networks": networks(study),
        "classes": classes,
        "matrices": confusion_matrices(choices.choices, choices.targets, len(classes)),
        "images": study.data.splits[SPLIT][0].cpu()[places],
        "places": places,
        "kept": [
            {
                "member": member,
                "images": torch.searchsorted(places, own),
                "cells": cells(choices, member, len(classes))[own],
                "confidences": choices.confidences[member, own].float(),
            }
            for member, own in behind.items()
        ],
    }


def cells(choices: Choices, member: int, classes: int) -> Tensor:
    """The cell of a member's confusion matrix that each item is in, row · classes + column, [items]."""
    return choices.targets * classes + choices.choices[member]


def _behind_cells(choices: Choices, member: int, classes: int) -> Tensor:
    """Places of the most confident items of each cell of a member's confusion matrix, the most confident first."""
    order = choices.confidences[member].argsort(descending=True, stable=True)
    own = cells(choices, member, classes)[order]
    first = [(own == cell).nonzero()[:BEHIND_A_CELL, 0] for cell in range(classes**2)]
    return order[torch.cat(first)]


def _places(behind: dict[int, Tensor]) -> Tensor:
    """The places of all members, each once, ascending."""
    return torch.cat(list(behind.values())).unique()
