"""What the tests share: small data sets of their own, and the commands run in this process."""

import gzip
import json
import os
import shutil
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if shutil.which("nvidia-smi") is None:
    os.environ["TRITON_INTERPRET"] = "1"  # before anything imports triton

ROOT = Path(__file__).parents[1]
REAL_DATA = Path(os.environ.get("HUDYN_DATA", "data")).expanduser().absolute()
CLASSES, SIDE = 10, 28


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write bytes as an IDX file, packed where the name ends in .gz."""
    content = struct.pack(f">{1 + array.ndim}i", 0x800 + array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_small_set(root: Path, dataset: str = "KMNIST", train: int = 300, test: int = 100) -> Path:
    """A set in KMNIST's format whose classes are blurred blobs in ten places: quickly learnt, not quite perfectly."""
    random = np.random.default_rng(7)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for prefix, items in (("train", train), ("t10k", test)):
        labels = np.arange(items) % CLASSES
        centre = 5 + 4 * (labels // 2), 8 + 12 * (labels % 2)
        shift = random.normal(0, 2.0, (2, items))
        distance = (rows - (centre[0] + shift[0])[:, None, None]) ** 2 + (
            columns - (centre[1] + shift[1])[:, None, None]
        ) ** 2
        images = 255 * np.exp(-distance / 12) + random.normal(0, 12, (items, SIDE, SIDE))
        folder = root / dataset / "raw"
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images.clip(0, 255))
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)
    return root


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_set(tmp_path_factory.mktemp("data"))


@dataclass
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str
    folder: Path

    @property
    def results(self) -> dict[str, Any]:
        return json.loads((self.folder / "results.json").read_text())

    def values(self, name: str) -> list[float]:
        return self.results["metrics"][name]["values"]


def run_commands_here(monkeypatch: pytest.MonkeyPatch, folder: Path, data: Path) -> None:
    """Let commands run in this process, which goes on, in a folder."""
    monkeypatch.setenv("HUDYN_DATA", str(data))
    monkeypatch.chdir(folder)
    monkeypatch.setattr("gc.disable", lambda: None)
    monkeypatch.setattr("gc.freeze", lambda: None)
    monkeypatch.setattr("hudyn.cli.process.end", lambda: None)


def train_here(folder: Path, data: Path, *arguments: str) -> Path:
    """Run train.py in this process, with pictures, for fixtures that many tests read; the run's folder."""
    from hudyn import cli

    with pytest.MonkeyPatch.context() as patched:
        run_commands_here(patched, folder.parent, data)
        patched.setattr(sys, "argv", ["train.py", *arguments, f"hydra.run.dir={folder}"])
        patched.setattr(sys, "path", list(sys.path))
        cli.train()
    return folder


@pytest.fixture
def command(
    small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Runs train.py (by default kmnist_lin) or another command in this process, on small data, under tmp_path.

    Drawing takes most of a brief run's time, so a run makes no pictures unless it is called with ``draws=True``.
    """
    run_commands_here(monkeypatch, tmp_path, small_data)
    from hudyn.run import writer

    write_figure, write_file = writer._write_figure, writer._write_file

    def write_unless_picture(path: Path, content: object) -> None:
        if path.suffix != ".gif":
            write_file(path, content)

    def run(*arguments: str, program: str = "train", draws: bool = False) -> Outcome:
        from hudyn import cli

        monkeypatch.setattr(writer, "_write_figure", write_figure if draws else lambda *_: None)
        monkeypatch.setattr(writer, "_write_file", write_file if draws else write_unless_picture)
        if program == "train" and not any(
            text.startswith(("experiment=", "resume=", "resume_sweep=")) for text in arguments
        ):
            arguments = (*arguments, "experiment=kmnist_lin")
        before = set(run_folders(tmp_path))
        monkeypatch.setattr(sys, "argv", [f"{program}.py", *arguments])
        monkeypatch.setattr(sys, "path", list(sys.path))
        capsys.readouterr()
        try:
            {
                "train": cli.train,
                "eval": cli.evaluate,
                "analyze": cli.analyze,
                "report": cli.report,
                "runs": cli.runs,
            }[program]()
            status = 0
        except SystemExit as stopped:
            status = stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
        captured = capsys.readouterr()
        new = [folder for folder in run_folders(tmp_path) if folder not in before]
        return Outcome(status, captured.out, captured.err, new[0] if new else tmp_path / "none")

    return run


def run_folders(root: Path) -> list[Path]:
    return sorted(path.parent for path in root.rglob("results.json"))


@pytest.fixture(scope="session")
def finished(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of three members, for tests that only read it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return train_here(folder, small_data, *SHORT, "experiment=kmnist_lin", "members=3")


# A short run on the small set: 2 epochs of 5 updates.
SHORT = ["trainer.max_epochs=2", "data.updates_per_step=2", "trainer.log_every_n_steps=1"]


@pytest.fixture
def real_kmnist() -> Path:
    """The folder of real KMNIST; the test is skipped where it is not there, and fails where it must be."""
    if not list(REAL_DATA.glob("KMNIST/raw/train-images-idx3-ubyte*")):
        reason = f"real KMNIST is not in {REAL_DATA}; set HUDYN_DATA to the folder that holds it"
        if os.environ.get("HUDYN_REQUIRE_KMNIST"):
            pytest.fail(reason)
        pytest.skip(reason)
    return REAL_DATA
