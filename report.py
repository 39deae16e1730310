"""Write pages of runs: python report.py run=<folder>, or assignment=outputs; see README.md."""

from hudyn.cli import report

if __name__ == "__main__":
    report()
