"""What the page needs to let image classifiers run in it."""

from typing import Any

from hudyn.tasks.base import Study
from hudyn.tasks.characters.data import KMNISTDataModule
from hudyn.tasks.characters.module import ImageClassifier
from hudyn.tasks.views import networks


def characters_view(study: Study[ImageClassifier, KMNISTDataModule]) -> dict[str, Any]:
    """The networks and the names of the classes."""
    return {"kind": "characters", "networks": networks(study), "classes": study.data.class_labels}
