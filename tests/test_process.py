"""Output that nobody can read, or that ends early: it never costs a run its results."""

import json
import os
import subprocess
import sys

import pytest

from .conftest import ROOT, SHORT

SCRIPT = """
from hudyn.cli.process import run_command

def command():
    for line in range(2000):
        print("größer als ein Puffer: ή", flush=line % 100 == 0)
    open("done", "w").close()

run_command(command)
"""
READERS = {
    "ascii": "PYTHONIOENCODING=ascii {}",
    "closed": "{} >&- 2>&-",
    "full": "{} >/dev/full",
    "gone": "{} | true",
}


@pytest.mark.parametrize("reader", READERS)
def test_a_command_reaches_its_end_whoever_reads_it(tmp_path, reader):
    (tmp_path / "command.py").write_text(SCRIPT)
    line = READERS[reader].format(f"{sys.executable} command.py")
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "done").exists()


def test_output_that_cannot_be_written_costs_no_result(small_data, tmp_path):
    """A run whose table and bars are in characters that its output cannot encode, on a full disk."""
    folder = tmp_path / "run"
    environment = os.environ | {"HUDYN_DATA": str(small_data), "PYTHONIOENCODING": "ascii"}
    arguments = [*SHORT, "experiment=kmnist_lin", "members=2", f"hydra.run.dir={folder}"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, str(ROOT / "train.py"), *arguments], env=environment, stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "results.json").read_text())["status"] == "done"
    assert (folder / "report.html").is_file()


def test_a_message_is_shown_in_any_encoding():
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    arguments = [sys.executable, str(ROOT / "train.py"), "tags=[ok]", "objective=größe", "members=0"]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "expected an integer of at least 1, got 0" in done.stderr
