"""LightningDataModules."""

from hudyn.data.grid import CheckGridDataModule
from hudyn.data.image import KMNISTDataModule
from hudyn.data.sequences import SequenceDataModule

__all__ = ["CheckGridDataModule", "KMNISTDataModule", "SequenceDataModule"]
