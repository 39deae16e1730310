"""The commands train.py, eval.py and analyze.py: composing and checking a config, then handing it to `hudyn.run`."""

from hudyn.cli.commands import analyze, evaluate, train

__all__ = ["analyze", "evaluate", "train"]
