"""List and compare runs: python runs.py "test/solved>0.5" sort=-test/solved; see README.md."""

from hudyn.cli import runs

if __name__ == "__main__":
    runs()
