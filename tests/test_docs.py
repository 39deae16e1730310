"""The notebooks in docs/ run from the first cell to the last."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

from .conftest import ROOT

SEQUENCES = {"trainer.max_steps": 60, "data.evaluation_interval": 30, "data.evaluation_sequences": 20, "model.max_n": 9}
SETTINGS = {
    "assignment": {
        "characters": {"trainer.max_epochs": 1},
        "check": {"members": 2, "trainer.max_steps": 100},
        "sequences": {"members": 2, **SEQUENCES},
    },
    "counter": {"members": 2, **SEQUENCES},
}


def figures(notebook):
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.filterwarnings("default")  # those of the notebook client
@pytest.mark.parametrize("name", SETTINGS)
def test_the_notebook_runs(name, small_data, tmp_path, monkeypatch):
    monkeypatch.setenv("HUDYN_DATA", str(small_data))
    notebook = nbformat.read(ROOT / "docs" / f"{name}.ipynb", as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source, replaced = re.subn(
        r"^settings = .*$", f"settings = {SETTINGS[name]}", first.source, flags=re.MULTILINE
    )
    assert replaced == 1
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    asked = sum(cell.source.count("Image(") + cell.source.count("hudyn.figures.") for cell in notebook.cells)
    assert figures(notebook) == asked > 5
    printed = str([cell.get("outputs") for cell in notebook.cells])
    assert "train/loss" in printed  # a run's progress
    assert "ipywidgets" not in printed


@pytest.mark.parametrize("name", SETTINGS)
def test_the_notebook_is_kept_without_outputs(name):
    notebook = nbformat.read(ROOT / "docs" / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or (cell.outputs == [] and cell.execution_count is None)
