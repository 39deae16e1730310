"""Classify the characters of KMNIST and its kin."""

from hudyn.tasks.characters.data import KMNISTDataModule
from hudyn.tasks.characters.module import ImageClassifier
from hudyn.tasks.characters.reporter import ImageReporter

__all__ = ["ImageClassifier", "ImageReporter", "KMNISTDataModule"]
