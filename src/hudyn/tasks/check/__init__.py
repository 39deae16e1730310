"""Label the points of the plane: the check grid, or points of your own."""

from hudyn.tasks.check.data import CheckGridDataModule
from hudyn.tasks.check.module import GridClassifier
from hudyn.tasks.check.reporter import GridReporter

__all__ = ["CheckGridDataModule", "GridClassifier", "GridReporter"]
