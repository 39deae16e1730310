"""What the page of a run tells of sequence predictors in words; every figure in a sentence is measured."""

from hudyn.tasks.sequences.story.captions import FIGURES, TABLES, captions
from hudyn.tasks.sequences.story.explanation import how
from hudyn.tasks.sequences.story.outcome import answer, kinds, proved

__all__ = ["FIGURES", "TABLES", "answer", "captions", "how", "kinds", "proved"]
