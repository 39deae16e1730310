"""What a run of two-layer perceptrons over the plane leaves behind: tables and figures."""

import copy
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn.utils import vector_to_parameters

from hudyn.dynamics.dividing_lines import dividing_lines
from hudyn.figures import classification, diagram, plane, success
from hudyn.metrics.labels import label_losses, right_choices
from hudyn.networks import GridMLP, layer_parameters
from hudyn.run.tables import tidy, write_csv, write_markdown, write_members

FRAMES = 8
ANIMATION_FRAMES = 72


@dataclass(frozen=True)
class GridReport:
    """All there is to tell of a population of two-layer perceptrons and of its best member.

    Attributes:
        points: coordinates, [items, 2].
        labels: 0. or 1., [items].
        results: every measure taken, ``train/name``: [members].
        network: the best member's network.
        best: index of the best member.
        best_by: what it is best by.
        seed: seed of member 0.
        times: number of updates before each snapshot, [snapshots]; empty where there was no training.
        snapshots: parameters of all members, [snapshots, members, parameters].
    """

    points: Tensor
    labels: Tensor
    results: dict[str, Tensor]
    network: GridMLP
    best: int
    best_by: str
    seed: int
    times: list[int]
    snapshots: Tensor

    @property
    def members(self) -> int:
        """Size of the population."""
        return len(self.results["train/solved"])

    @property
    def heading(self) -> str:
        """Network, score and name of the best member."""
        right = int(right_choices(self.network(self.points), self.labels).sum())
        score = f"{right} of {len(self.labels)} points right"
        if not self.times:
            return f"Given weights, {self.network.activation}: {score}"
        return f"{self.network.hidden.out_features} hidden units, {self.network.activation}: {score} ({self.which})"

    @property
    def which(self) -> str:
        """What to call the best member in a heading."""
        return f"seed {self.seed + self.best}" + (f", {self.best_by} of {self.members}" if self.members > 1 else "")

    def summary(self) -> dict[str, Any]:
        """What results.json holds of the best member."""
        return {
            "best_member": self.best,
            "best_by": self.best_by,
            "dividing_lines": self._dividing_lines(),
            "activations": self._activations(),
            "parameters": [asdict(layer) for layer in layer_parameters(self.network)],
        }

    def write_tables(self, folder: Path) -> None:
        """Write every table as CSV into `folder`, those of the best member as Markdown too."""
        write_members(folder, self.results, self.seed, self.best)
        for name, rows in (("dividing_lines", self._dividing_lines()), ("activations", self._activations())):
            write_csv(folder / f"{name}.csv", rows)
            write_markdown(folder / f"{name}.md", rows)
        write_csv(folder / "parameters.csv", [asdict(layer) for layer in layer_parameters(self.network)])

    def draw(self) -> dict[str, Figure]:
        """Every figure, by name."""
        seen = self.points, self.labels, self.heading
        figures = {
            "units": plane.unit_functions(self.network, *seen),
            "dividing_lines": plane.dividing_lines(self.network, *seen),
            "network": diagram.network_diagram(self.network, self.heading),
        }
        if not self.times:
            return figures
        networks, epochs = self._way(FRAMES)
        figures["training"] = plane.moving_lines(networks, epochs, *seen)
        figures["learning_curves"] = classification.learning_curves(
            self._curves, self.best, self.which, self.heading, logarithmic=True
        )
        if self.members > 1:
            solved = self.results["train/solved"]
            figures["success"] = success.success_curves(
                self.results["train/first_success"],
                self.results["train/sustained_success"],
                int(self.results["train/updates"].max()),
                "epoch",
                "every point right",
                f"{int(solved.sum())} of {self.members} networks with {self.network.hidden.out_features} hidden units "
                "get every point right",
            )
        return figures

    def animate(self) -> list[np.ndarray]:
        """The dividing lines of the best member in motion, images uint8 [height, width, 3]."""
        networks, epochs = self._way(ANIMATION_FRAMES)
        return plane.animation(networks, epochs, self.points, self.labels, self.heading)

    def _way(self, frames: int) -> tuple[list[GridMLP], list[int]]:
        """The best member at up to `frames` times of its training, about equally far apart in its parameters."""
        end = int(self.results["train/updates"][self.best])
        times = [time for time in self.times if time < end]
        now = torch.cat([parameter.detach().flatten() for parameter in self.network.parameters()])
        vectors = torch.cat([self.snapshots[: len(times), self.best], now[None]])  # [times, parameters]
        way = torch.cat([torch.zeros(1), vectors.diff(dim=0).norm(dim=1).cumsum(0)])  # [times]
        chosen = torch.searchsorted(way, torch.linspace(0, way[-1].item(), frames)).clamp(max=len(times)).unique()
        networks = []
        for place in chosen:
            network = copy.deepcopy(self.network)
            vector_to_parameters(vectors[place], network.parameters())
            networks.append(network)
        return networks, [[*times, end][place] for place in chosen]

    @cached_property
    def _curves(self) -> dict[str, np.ndarray]:
        """Loss and accuracy of all members at the snapshots after the first update, [snapshots, members]."""
        names, shapes = zip(*((name, p.shape) for name, p in self.network.named_parameters()), strict=True)
        sizes = [shape.numel() for shape in shapes]

        def log_odds(vector: Tensor) -> Tensor:
            parts = zip(names, shapes, vector.split(sizes), strict=True)
            return functional_call(self.network, {n: part.view(shape) for n, shape, part in parts}, (self.points,))

        first = 1 if self.times[0] == 0 else 0
        losses, accuracies = [], []
        with torch.no_grad():
            for vectors in self.snapshots[first:]:
                outputs = vmap(log_odds)(vectors)  # [members, items]
                losses.append(label_losses(outputs, self.labels))
                accuracies.append(right_choices(outputs, self.labels).double().mean(dim=1))
        return {
            "epoch": np.array(self.times[first:]),
            "train/loss": torch.stack(losses).numpy(),
            "train/accuracy": torch.stack(accuracies).numpy(),
        }

    def _dividing_lines(self) -> list[dict[str, Any]]:
        """A row a hidden unit, and one for the output, which has no line."""
        to_output = self.network.output.weight[0].tolist()
        rows: list[dict[str, Any]] = [
            {
                "unit": line.unit,
                "weight_x": line.weight_x,
                "weight_y": line.weight_y,
                "bias": line.bias,
                "equation": line.equation,
                "line": line.solved,
                "weight_to_output": weight,
            }
            for line, weight in zip(dividing_lines(self.network), to_output, strict=True)
        ]
        empty = dict.fromkeys(rows[0], "")
        return [*rows, empty | {"unit": "output", "bias": self.network.output.bias.item()}]

    def _activations(self) -> list[dict[str, Any]]:
        """A row a point."""
        shown = int if self.network.activation == "step" else float
        with torch.no_grad():
            hidden, outputs = self.network.activations(self.points)
        return [
            {"x": tidy(x), "y": tidy(y), "label": int(label)}
            | {f"hidden_{unit}": shown(value) for unit, value in enumerate(row.tolist(), start=1)}
            | {"output": shown(output), "right": int((output >= 0.5) == bool(label))}
            for (x, y), label, row, output in zip(
                self.points.tolist(), self.labels.tolist(), hidden, outputs.tolist(), strict=True
            )
        ]
