"""What a run of image classifiers leaves behind: tables and figures of every member and of the best one."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor, nn

from hudyn.figures import classification, weights
from hudyn.metrics.classification import (
    Choices,
    Confusion,
    confident_mistakes,
    confusion_matrices,
    precisions,
    ranked_confusions,
    recalls,
)
from hudyn.networks import layer_parameters
from hudyn.run.tables import write_csv, write_members

MISTAKES = 24
SMALL_MATRICES = 64


@dataclass(frozen=True)
class ImageReport:
    """All there is to tell of an evaluation of image classifiers on one split.

    Attributes:
        split: name of the split.
        choices: choices of all members.
        images: pixels of the split, uint8 [items, height, width].
        class_names: short name of each class, for tables.
        class_labels: full name of each class, for figures.
        results: every measure taken, [members].
        network: the best member's network.
        best: index of the best member.
        best_by: the measure it is best by.
        seed: seed of member 0.
    """

    split: str
    choices: Choices
    images: Tensor
    class_names: list[str]
    class_labels: list[str]
    results: dict[str, Tensor]
    network: nn.Module
    best: int
    best_by: str
    seed: int

    @property
    def which(self) -> str:
        """What to call the best member in a heading."""
        members = len(self.choices.losses)
        return f"seed {self.seed + self.best}" + (f", least {self.best_by} of {members}" if members > 1 else "")

    @property
    def heading(self) -> str:
        """Network, accuracy and name of the best member."""
        accuracy = self.choices.accuracies[self.best]
        return f"{type(self.network).__name__}, {self.split} accuracy {accuracy:.2%} ({self.which})"

    @cached_property
    def matrices(self) -> Tensor:
        """Confusion matrices, [members, classes, classes]; rows are the target, columns the choice."""
        return confusion_matrices(self.choices.choices, self.choices.targets, len(self.class_names))

    def named(self, confusion: Confusion) -> dict[str, Any]:
        """A confusion with the names of its classes."""
        names = self.class_names
        return {"target": names[confusion.target], "choice": names[confusion.choice], "count": confusion.count}

    def summary(self) -> dict[str, Any]:
        """What results.json holds of it: one entry a member, mistakes and parameters of the best."""
        matrices = self.matrices
        precision, recall = precisions(matrices), recalls(matrices)
        return {
            "split": self.split,
            "classes": self.class_names,
            "best_member": self.best,
            "best_by": self.best_by,
            "members": [
                {
                    "seed": self.seed + member,
                    "loss": self.choices.losses[member].item(),
                    "accuracy": self.choices.accuracies[member].item(),
                    "confusion_matrix": matrices[member].tolist(),
                    "confusions": [self.named(found) for found in ranked_confusions(matrices[member])[:10]],
                    "precision": precision[member].tolist(),
                    "recall": recall[member].tolist(),
                }
                for member in range(len(matrices))
            ],
            "confident_mistakes": self._mistakes(self.best),
            "parameters": [asdict(layer) for layer in layer_parameters(self.network)],
        }

    def write_tables(self, folder: Path) -> None:
        """Write every table as CSV into `folder`."""
        names, matrices = self.class_names, self.matrices
        members = range(len(matrices))
        precision, recall = precisions(matrices), recalls(matrices)
        write_members(folder, self.results, self.seed, self.best)
        write_csv(
            folder / "confusion_matrix.csv",
            (
                {"member": member, "target": target} | dict(zip(names, row.tolist(), strict=True))
                for member in members
                for target, row in zip(names, matrices[member], strict=True)
            ),
        )
        write_csv(
            folder / "confusions.csv",
            (
                {"member": member, "rank": rank} | self.named(found)
                for member in members
                for rank, found in enumerate(ranked_confusions(matrices[member]), start=1)
            ),
            columns=["member", "rank", "target", "choice", "count"],
        )
        write_csv(
            folder / "classes.csv",
            (
                {
                    "member": member,
                    "class": name,
                    "precision": precision[member, number].item(),
                    "recall": recall[member, number].item(),
                    "images": int(matrices[member, number].sum()),
                }
                for member in members
                for number, name in enumerate(names)
            ),
        )
        write_csv(
            folder / "mistakes.csv",
            ({"member": member} | row for member in members for row in self._mistakes(member)),
            columns=["member", "image", "target", "choice", "confidence"],
        )
        layers = [asdict(layer) for layer in layer_parameters(self.network)]
        total = sum(layer["parameters"] for layer in layers)
        whole = {"layer": "total", "kind": type(self.network).__name__, "arithmetic": "", "parameters": total}
        write_csv(folder / "parameters.csv", [*layers, whole])

    def draw(self) -> dict[str, Figure]:
        """Every figure, by name."""
        matrices, accuracies = self.matrices, self.choices.accuracies
        found = confident_mistakes(self.choices, self.best, MISTAKES)
        pixels = self.images[[mistake.place for mistake in found]]
        network = type(self.network).__name__
        figures = {
            "confusion_matrix": classification.confusion_matrix(matrices[self.best], self.class_labels, self.heading),
            "mistakes": classification.mistakes(
                pixels, found, self.class_labels, f"Most confident mistakes of {network}, {self.which}"
            ),
        }
        if len(matrices) > 1:
            figures["confusion_matrices"] = classification.confusion_matrices(
                matrices[:SMALL_MATRICES], accuracies[:SMALL_MATRICES], self.seed
            )
        layer = weights.first_layer(self.network, (1, *self.images.shape[1:]))
        if layer:
            name, pictures = layer
            labels = self.class_labels if len(pictures) == len(self.class_labels) and name == "output" else None
            figures["weights"] = weights.weight_images(
                pictures, labels, f"Weights of {network}, layer {name} ({self.which})"
            )
        return figures

    def _mistakes(self, member: int) -> list[dict[str, Any]]:
        return [
            {
                "image": mistake.place,
                "target": self.class_names[mistake.target],
                "choice": self.class_names[mistake.choice],
                "confidence": mistake.confidence,
            }
            for mistake in confident_mistakes(self.choices, member, MISTAKES)
        ]
