"""The report on image classifiers: confusions, mistakes and parameters, in tables and figures."""

from dataclasses import asdict
from functools import partial

from torch import Tensor

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
from hudyn.tasks.artifacts import Artifacts, Drawn, Row, Table
from hudyn.tasks.base import Study
from hudyn.tasks.characters.data import KMNISTDataModule
from hudyn.tasks.characters.module import SPLIT, ImageClassifier
from hudyn.tasks.characters.story import characters_story
from hudyn.tasks.characters.view import characters_view
from hudyn.tasks.view_files import VIEW, as_file

MISTAKES = 24  # shown of each member: four rows of six images
SMALL_MATRICES = 64  # members whose confusion matrices fit on one page
RANKED = 10  # most frequent confusions in results.json


def report_characters(study: Study[ImageClassifier, KMNISTDataModule]) -> Artifacts:
    """Describe how every member, and in figures the best one, classifies the test images."""
    choices, names = study.module.choices[SPLIT], study.data.class_names
    matrices = confusion_matrices(choices.choices, choices.targets, len(names))  # [members, classes, classes]
    layers = [asdict(layer) for layer in layer_parameters(study.network())]
    return Artifacts(
        tables=_tables(study, choices, matrices, layers),
        figures=_figures(study, choices, matrices),
        files={VIEW: as_file(characters_view(study))},
        summary={
            "evaluation": {
                "split": SPLIT,
                "classes": names,
                "best_member": study.best,
                "best_by": study.best_by,
                "members": _members(study, choices, matrices),
                "confident_mistakes": _mistakes(choices, study.best, names),
                "parameters": layers,
            }
        },
        story=characters_story(study),
    )


def _members(
    study: Study[ImageClassifier, KMNISTDataModule], choices: Choices, matrices: Tensor
) -> list[dict[str, object]]:
    """What results.json holds of each member."""
    names = study.data.class_names
    precision, recall = precisions(matrices), recalls(matrices)
    return [
        {
            "seed": study.seeds[member],
            "loss": choices.losses[member].item(),
            "accuracy": choices.accuracies[member].item(),
            "confusion_matrix": matrices[member].tolist(),
            "confusions": [_named(confusion, names) for confusion in ranked_confusions(matrices[member])[:RANKED]],
            "precision": precision[member].tolist(),
            "recall": recall[member].tolist(),
        }
        for member in range(study.members)
    ]


def _tables(
    study: Study[ImageClassifier, KMNISTDataModule], choices: Choices, matrices: Tensor, layers: list[dict[str, object]]
) -> dict[str, Table]:
    names, members = study.data.class_names, range(study.members)
    precision, recall = precisions(matrices), recalls(matrices)
    total = {
        "layer": "total",
        "kind": type(study.network()).__name__,
        "arithmetic": "",
        "parameters": study.module.parameters_per_member,
    }
    matrix_rows: list[Row] = [
        {"member": member, "target": target} | dict(zip(names, row.tolist(), strict=True))
        for member in members
        for target, row in zip(names, matrices[member], strict=True)
    ]
    confusion_rows: list[Row] = [
        {"member": member, "rank": rank} | _named(confusion, names)
        for member in members
        for rank, confusion in enumerate(ranked_confusions(matrices[member]), start=1)
    ]
    class_rows: list[Row] = [
        {
            "member": member,
            "class": name,
            "precision": precision[member, number].item(),
            "recall": recall[member, number].item(),
            "images": int(matrices[member, number].sum()),
        }
        for member in members
        for number, name in enumerate(names)
    ]
    mistake_rows: list[Row] = [
        {"member": member} | mistake for member in members for mistake in _mistakes(choices, member, names)
    ]
    return {
        "members": Table(study.table_of_members()),
        "confusion_matrix": Table(matrix_rows),
        "confusions": Table(confusion_rows, ["member", "rank", "target", "choice", "count"]),
        "classes": Table(class_rows),
        "mistakes": Table(mistake_rows, ["member", "image", "target", "choice", "confidence"]),
        "parameters": Table([*layers, total]),
    }


def _figures(study: Study[ImageClassifier, KMNISTDataModule], choices: Choices, matrices: Tensor) -> dict[str, Drawn]:
    data, network, best = study.data, study.network(), study.best
    kind, labels, accuracies = type(network).__name__, data.class_labels, choices.accuracies
    heading = f"{kind}, {SPLIT} accuracy {accuracies[best]:.2%} ({study.best_name})"
    images = data.splits[SPLIT][0].cpu()  # uint8 [items, height, width]
    mistakes = confident_mistakes(choices, best, MISTAKES)
    figures: dict[str, Drawn] = {
        "confusion_matrix": partial(classification.confusion_matrix, matrices[best], labels, heading),
        "mistakes": partial(
            classification.mistakes,
            images[[mistake.place for mistake in mistakes]],
            mistakes,
            labels,
            f"Most confident mistakes of {kind}, {study.best_name}",
        ),
    }
    if study.members > 1:
        figures["confusion_matrices"] = partial(
            classification.confusion_matrices, matrices[:SMALL_MATRICES], accuracies[:SMALL_MATRICES], study.seeds
        )
    layer = weights.first_layer(network, (1, *images.shape[1:]))
    if layer:
        name, pictures = layer
        units = labels if len(pictures) == len(labels) and name == "output" else None
        title = f"Weights of {kind}, layer {name} ({study.best_name})"
        figures["weights"] = partial(weights.weight_images, pictures, units, title)
    if study.curves:
        figures["learning_curves"] = partial(
            classification.learning_curves, study.curves, best, study.best_name, heading
        )
    return figures


def _named(confusion: Confusion, names: list[str]) -> dict[str, object]:
    """A confusion with the names of its classes."""
    return {"target": names[confusion.target], "choice": names[confusion.choice], "count": confusion.count}


def _mistakes(choices: Choices, member: int, names: list[str]) -> list[dict[str, object]]:
    return [
        {
            "image": mistake.place,
            "target": names[mistake.target],
            "choice": names[mistake.choice],
            "confidence": mistake.confidence,
        }
        for mistake in confident_mistakes(choices, member, MISTAKES)
    ]
