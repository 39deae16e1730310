"""The commands train.py, eval.py, analyze.py and report.py: checking what they are given, then handing it on."""

from hudyn.cli.commands import analyze, evaluate, report, train

__all__ = ["analyze", "evaluate", "report", "train"]
