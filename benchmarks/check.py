"""An epoch of the check grid, here and in the loop that one writes first.

python benchmarks/check.py [--repeats 5] [--hidden 5] [--device cpu]

Both are run in turns in one process, with the same network and recipe; what counts are the ratios. The plain loop is
one network, a DataLoader that yields the nine points, binary cross-entropy, Adam and the accuracy. hudyn's is a whole
fit by Lightning, with evaluations, logs, snapshots and checkpoints, by the fused kernel and by the reference; no member
is frozen yet. Results go to benchmarks/check.json.
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

import torch
import torch.nn.functional as F
from lightning.pytorch import Trainer
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, TensorDataset

from hudyn.callbacks import Checkpoint, Results
from hudyn.data import CheckGridDataModule
from hudyn.kernels.grid_mlp import Kernel
from hudyn.loggers import TensorBoard
from hudyn.modules import GridClassifier
from hudyn.networks import GridMLP
from hudyn.runs import Run
from hudyn.training import quieten

CORES = os.cpu_count() or 1
# Kernel, members and epochs of each way to train.
WAYS: dict[str, tuple[Kernel, int, int]] = {
    "reference, 1 member": ("reference", 1, 500),
    "reference, 256 members": ("reference", 256, 500),
    "numba, 1 member": ("numba", 1, 4000),
    "numba, 256 members": ("numba", 256, 4000),
}
AT_LEAST = 100  # of the last way, in members trained for the time of one plain loop


def plain_loop(hidden_size: int, device: str, epochs: int = 300) -> float:
    """Seconds an epoch of the plain loop."""
    torch.set_num_threads(CORES)
    data = CheckGridDataModule()
    loader = DataLoader(TensorDataset(data.points, data.labels), batch_size=9, shuffle=True)
    network = GridMLP(hidden_size).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001, weight_decay=1e-5)
    started = time.perf_counter()
    for _ in range(epochs):
        for batch, own in loader:
            points, labels = batch.to(device), own.to(device)
            outputs = torch.sigmoid(network(points))
            loss = F.binary_cross_entropy(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            _ = ((outputs >= 0.5) == (labels > 0.5)).float().mean().item()
    return (time.perf_counter() - started) / epochs


def hudyn_fit(hidden_size: int, device: str, kernel: Kernel, members: int, epochs: int) -> float:
    """Seconds an epoch of all members."""
    torch.set_num_threads(CORES if kernel == "numba" else 1)
    with tempfile.TemporaryDirectory() as folder:
        Run(Path(folder)).config = OmegaConf.create()
        optimizer = partial(torch.optim.Adam, lr=0.001, weight_decay=1e-5, fused=True)
        module = GridClassifier(partial(GridMLP, hidden_size), optimizer, members, kernel=kernel)
        trainer = Trainer(
            accelerator="gpu" if device == "cuda" else device,
            devices=1,
            max_epochs=-1,
            max_steps=epochs,
            log_every_n_steps=500,
            default_root_dir=folder,
            logger=TensorBoard(folder),
            callbacks=[Results(), Checkpoint()],
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        started = time.perf_counter()
        trainer.fit(module, datamodule=CheckGridDataModule())
        assert module.success.updates.tolist() == [epochs] * members
        return (time.perf_counter() - started) / epochs


def main() -> None:
    """Measure, print a table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--hidden", type=int, default=5)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    quieten()
    ways = {name: way for name, way in WAYS.items() if options.device == "cpu" or way[0] == "reference"}
    hudyn_fit(options.hidden, options.device, *list(ways.values())[-1])  # compiles
    plain: list[float] = []
    ours: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        plain.append(plain_loop(options.hidden, options.device))
        for name, way in ways.items():
            ours[name].append(hudyn_fit(options.hidden, options.device, *way))
    median = statistics.median(plain)
    where = f"{options.device}, {CORES} cores"
    title = f"{options.hidden} hidden units; microseconds, medians of {options.repeats}; {where}"
    table = Table(title=title)
    for column in ("", "an epoch", "an epoch of a member", "of the plain loop's"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row("plain loop, 1 network", f"{median * 1e6:.1f}", f"{median * 1e6:.2f}", "1")
    rows = {}
    for name, (_, members, _) in ways.items():
        own = statistics.median(ours[name])
        ratios = [members * p / o for p, o in zip(plain, ours[name], strict=True)]
        rows[name] = {
            "plain_s": plain,
            "hudyn_s": ours[name],
            "members": members,
            "ratio": members * median / own,
            "ratio_spread": [min(ratios), max(ratios)],
            "at_least": AT_LEAST if members > 1 and "numba" in name else None,
        }
        table.add_row(name, f"{own * 1e6:.1f}", f"{own / members * 1e6:.2f}", f"1/{members * median / own:,.0f}")
    Console().print(table)
    Path(__file__).with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
