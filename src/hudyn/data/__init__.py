"""LightningDataModules."""

from hudyn.data.image import KMNISTDataModule

__all__ = ["KMNISTDataModule"]
