"""Predict the next symbol of a formal language."""

from hudyn.tasks.sequences.data import SequenceDataModule
from hudyn.tasks.sequences.dynamics_reporter import DynamicsReporter
from hudyn.tasks.sequences.module import SequencePredictor
from hudyn.tasks.sequences.reporter import SequenceReporter

__all__ = ["DynamicsReporter", "SequenceDataModule", "SequencePredictor", "SequenceReporter"]
