"""An epoch of KMNIST, here and in a plain loop over torchvision's dataset and a DataLoader.

python benchmarks/epoch.py [--networks lin full] [--repeats 3] [--members 8]

Both are run in turns in one process, on the same files and with the same recipe; what counts are the ratios. The
plain loop is what one writes first: dataset, DataLoader, one network, one optimizer, cross-entropy. hudyn's epoch is
Lightning's, with progress, metrics, logs and checkpoints. Neither includes evaluation or figures. Results go to
benchmarks/epoch.json.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, LightningModule, Trainer
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from hudyn.callbacks import Checkpoint, Results
from hudyn.data import KMNISTDataModule, files
from hudyn.loggers import TensorBoard
from hudyn.modules import ImageClassifier
from hudyn.networks import NetConv, NetFull, NetLin
from hudyn.runs import Run
from hudyn.training import quieten

CORES = os.cpu_count() or 1
# Network, momentum, and threads of hudyn's epoch, as in conf/experiment/; the plain loop has all cores.
NETWORKS: dict[str, tuple[Any, float, int]] = {
    "lin": (NetLin, 0.5, 1),
    "full": (NetFull, 0.5, CORES),
    "conv": (NetConv, 0.9, CORES),
}
TARGETS = {"lin": 8, "full": 5}


def plain_epoch(root: Path, build: Any, momentum: float) -> float:
    """Seconds of one epoch of the plain loop."""
    torch.set_num_threads(CORES)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    loader = DataLoader(datasets.KMNIST(root, transform=transform), batch_size=64)
    network: nn.Module = build()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=momentum)
    started = time.perf_counter()
    for images, targets in loader:
        loss = F.nll_loss(network(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - started


class EpochClock(Callback):
    """Takes the time of each training epoch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start."""
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop."""
        self.seconds.append(time.perf_counter() - self._started)


def hudyn_epoch(root: Path, build: Any, momentum: float, threads: int, members: int) -> float:
    """Seconds of one epoch of hudyn's."""
    torch.set_num_threads(threads)
    clock = EpochClock()
    with tempfile.TemporaryDirectory() as folder:
        Run(Path(folder)).config = OmegaConf.create()
        module = ImageClassifier(build, partial(torch.optim.SGD, lr=0.01, momentum=momentum, fused=True), members)
        trainer = Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=1,
            limit_val_batches=0,
            default_root_dir=folder,
            logger=TensorBoard(folder),
            callbacks=[clock, Results(), Checkpoint()],
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, datamodule=KMNISTDataModule(root=str(root), members=members))
    return clock.seconds[0]


def unpacked(root: Path, place: Path) -> Path:
    """The files of `root` as torchvision wants them, unpacked."""
    import gzip

    folder = files.raw_folder(place, "KMNIST")
    folder.mkdir(parents=True)
    for name in files.FILE_NAMES:
        source = files.raw_folder(root, "KMNIST") / name
        content = source.read_bytes() if source.exists() else gzip.decompress(source.with_suffix(".gz").read_bytes())
        (folder / name).write_bytes(content)
    return place


def main() -> None:
    """Measure, print a table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["lin", "full"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--members", type=int, default=8)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    quieten()
    root = Path(os.environ.get("HUDYN_DATA", "data"))
    files.fetch(root, "KMNIST")
    table = Table(title=f"seconds an epoch, medians of {options.repeats}; {CORES} cores")
    for column in ("network", "plain loop", "hudyn", "ratio", f"{options.members} members", "ratio to as many loops"):
        table.add_column(column, justify="left" if column == "network" else "right")
    rows = {}
    with tempfile.TemporaryDirectory() as place:
        plain_root = unpacked(root, Path(place))
        for name in options.networks:
            build, momentum, threads = NETWORKS[name]
            plain, ours, together = [], [], []
            for _ in range(options.repeats):
                plain.append(plain_epoch(plain_root, build, momentum))
                ours.append(hudyn_epoch(root, build, momentum, threads, members=1))
                together.append(hudyn_epoch(root, build, momentum, threads, options.members))
            medians = [statistics.median(seconds) for seconds in (plain, ours, together)]
            ratios = [p / o for p, o in zip(plain, ours, strict=True)]
            rows[name] = {
                "plain_s": plain,
                "hudyn_s": ours,
                "members": options.members,
                "members_s": together,
                "ratio": medians[0] / medians[1],
                "ratio_spread": [min(ratios), max(ratios)],
                "ratio_members": options.members * medians[0] / medians[2],
                "at_least": TARGETS.get(name),
            }
            table.add_row(
                build.__name__,
                f"{medians[0]:.2f}",
                f"{medians[1]:.2f}",
                f"{rows[name]['ratio']:.1f}",
                f"{medians[2]:.2f}",
                f"{rows[name]['ratio_members']:.1f}",
            )
    Console().print(table)
    Path(__file__).with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
