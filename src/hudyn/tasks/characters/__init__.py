"""Classify the characters of KMNIST and its kin."""

from hudyn.tasks.characters.data import KMNISTDataModule
from hudyn.tasks.characters.module import ImageClassifier
from hudyn.tasks.characters.report import report_characters

__all__ = ["ImageClassifier", "KMNISTDataModule", "report_characters"]
