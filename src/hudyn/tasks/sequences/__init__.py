"""Predict the next symbol of a formal language."""

from hudyn.tasks.sequences.data import SequenceDataModule
from hudyn.tasks.sequences.dynamics import report_dynamics
from hudyn.tasks.sequences.module import SequencePredictor
from hudyn.tasks.sequences.report import report_sequences

__all__ = ["SequenceDataModule", "SequencePredictor", "report_dynamics", "report_sequences"]
