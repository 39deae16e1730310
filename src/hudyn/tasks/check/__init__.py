"""Label the points of the plane: the check grid, or points of your own."""

from hudyn.tasks.check.data import CheckGridDataModule
from hudyn.tasks.check.module import GridClassifier
from hudyn.tasks.check.report import report_check

__all__ = ["CheckGridDataModule", "GridClassifier", "report_check"]
