"""Analyse what the networks of a finished run do: python analyze.py run=<folder>; see README.md."""

from hudyn.cli import analyze

if __name__ == "__main__":
    analyze()
