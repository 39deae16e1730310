"""LightningModules: what is predicted, on what loss, measured how."""

from hudyn.modules.grid_classifier import GridClassifier
from hudyn.modules.image_classifier import ImageClassifier
from hudyn.modules.sequence_predictor import SequencePredictor

__all__ = ["GridClassifier", "ImageClassifier", "SequencePredictor"]
