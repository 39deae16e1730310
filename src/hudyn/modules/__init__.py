"""LightningModules: what is predicted, on what loss, measured how."""

from hudyn.modules.image_classifier import ImageClassifier

__all__ = ["ImageClassifier"]
