"""The thin glue that calls the rest at the right moment."""

from hudyn.callbacks.checkpoint import Checkpoint
from hudyn.callbacks.dynamics_report import DynamicsReporter
from hudyn.callbacks.grid_report import GridReporter
from hudyn.callbacks.image_report import ImageReporter
from hudyn.callbacks.progress import Progress
from hudyn.callbacks.results import Results
from hudyn.callbacks.sequence_report import SequenceReporter

__all__ = ["Checkpoint", "DynamicsReporter", "GridReporter", "ImageReporter", "Progress", "Results", "SequenceReporter"]
