"""The commands train.py, eval.py, analyze.py, report.py, runs.py: checking what they are given, then handing it on."""

from hudyn.cli.commands import analyze, evaluate, report, runs, train

__all__ = ["analyze", "evaluate", "report", "runs", "train"]
