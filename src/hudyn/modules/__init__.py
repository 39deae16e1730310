"""LightningModules: what is predicted, on what loss, measured how."""

from hudyn.modules.grid_classifier import GridClassifier
from hudyn.modules.image_classifier import ImageClassifier

__all__ = ["GridClassifier", "ImageClassifier"]
