"""LightningDataModules."""

from hudyn.data.grid import CheckGridDataModule
from hudyn.data.image import KMNISTDataModule

__all__ = ["CheckGridDataModule", "KMNISTDataModule"]
