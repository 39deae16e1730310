"""Evaluate a finished run: python eval.py run=<folder>; see README.md."""

from hudyn.cli import evaluate

if __name__ == "__main__":
    evaluate()
