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


LEFT_OUT = ("torch._dynamo", "sympy", "torchvision", "scipy.signal", "triton")
AFTERWARDS = """
import sys
from hudyn.cli import process, train

def check():
    print("left out:", *(name for name in NAMES if name in sys.modules), file=sys.stderr)
    import lightning.pytorch, scipy.signal, torch, torchmetrics, torchvision.ops
    compiled = torch.compile(torch.nn.Linear(2, 1), backend="eager")
    optimizer = torch.optim.SGD(compiled.parameters(), lr=0.1)
    compiled(torch.ones(1, 2)).backward()
    optimizer.step()
    optimizer.zero_grad()
    assert lightning.pytorch.Trainer(logger=False) and torch._dynamo.OptimizedModule
    print("usable", file=sys.stderr)

process.end = check
train()
"""


def test_a_run_imports_only_what_it_uses(tmp_path):
    """Neither torch's compiler nor the other packages that Lightning would import; all can be used afterwards."""
    (tmp_path / "start.py").write_text(AFTERWARDS.replace("NAMES", repr(LEFT_OUT)))
    arguments = ["experiment=srn_anb2n", "members=1", "trainer.max_steps=1", f"hydra.run.dir={tmp_path / 'run'}"]
    done = subprocess.run([sys.executable, tmp_path / "start.py", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "left out:\nusable" in done.stderr


def test_lightning_that_asks_for_more_is_imported_as_usual():
    script = (
        "from hudyn import lean; lean._without_compiler = lambda torch: lean._missing(['torch._dynamo']); "
        "lean.import_lightning([]); from lightning.pytorch import Trainer; import torchmetrics, sys; "
        "assert Trainer(logger=False) and 'torch._dynamo' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
