"""The report on two-layer perceptrons over the plane: dividing lines, activations and training."""

from dataclasses import asdict
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn.utils import parameters_to_vector

from hudyn.dynamics.dividing_lines import dividing_lines
from hudyn.figures import classification, diagram, line_equations, lines_in_training, success
from hudyn.figures.style import as_gif
from hudyn.figures.units_over_plane import unit_functions
from hudyn.metrics.labels import label_losses, right_choices
from hudyn.networks import GridMLP, layer_parameters
from hudyn.tasks.artifacts import Artifacts, Content, Drawn, Row, Table
from hudyn.tasks.base import cell
from hudyn.tasks.check.module import CheckStudy
from hudyn.tasks.check.story import check_story
from hudyn.tasks.check.view import check_view
from hudyn.tasks.snapshots import with_parameters
from hudyn.tasks.view_files import VIEW, as_file

FRAMES = 8  # panels of the figure of training: two rows of four
ANIMATION_FRAMES = 72  # about six seconds


def report_check(study: CheckStudy, animation: bool = False) -> Artifacts:
    """Describe what the best member's units do over the plane, and how the population was trained.

    Args:
        study: an evaluated population.
        animation: whether to draw the best member's dividing lines during training as ``figures/training.gif`` too.
    """
    network = cast(GridMLP, study.network())
    points, labels = (part.to(network.output.weight) for part in (study.data.points, study.data.labels))
    is_trained = "train/updates" in study.results
    correct = int(right_choices(network(points), labels).sum())
    heading = f"{correct} of {len(labels)} points right"
    if is_trained:
        units = f"{network.hidden.out_features} hidden units, {network.activation}"
        heading = f"{units}: {heading} ({study.best_name})"
    else:
        heading = f"Given weights, {network.activation}: {heading}"
    lines, activations = _dividing_lines(network), _activations(network, points, labels)
    layers = [asdict(layer) for layer in layer_parameters(network)]
    figures: dict[str, Drawn] = {
        "units": partial(unit_functions, network, points, labels, heading),
        "dividing_lines": partial(line_equations.dividing_lines, network, points, labels, heading),
        "network": partial(diagram.network_diagram, network, heading),
    }
    files: dict[str, Content] = {VIEW: as_file(check_view(study))}
    if is_trained:
        figures |= _training_figures(study, network, points, labels, heading)
        if animation:
            networks, updates = _snapshots(study, network, ANIMATION_FRAMES)
            files["figures/training.gif"] = partial(_animation, networks, updates, points, labels, heading)
    return Artifacts(
        tables={
            "members": Table(study.table_of_members()),
            "dividing_lines": Table(lines, markdown=True),
            "activations": Table(activations, markdown=True),
            "parameters": Table(layers),
        },
        figures=figures,
        files=files,
        summary={
            "evaluation": {
                "best_member": study.best,
                "best_by": study.best_by,
                "dividing_lines": lines,
                "activations": activations,
                "parameters": layers,
            }
        },
        story=check_story(study),
    )


def _animation(*shown: Any) -> bytes:
    return as_gif(lines_in_training.animation(*shown))


def _training_figures(
    study: CheckStudy, network: GridMLP, points: Tensor, labels: Tensor, heading: str
) -> dict[str, Drawn]:
    networks, updates = _snapshots(study, network, FRAMES)
    curves = _curves(study, network, points, labels)
    figures: dict[str, Drawn] = {
        "training": partial(lines_in_training.moving_lines, networks, updates, points, labels, heading),
        "learning_curves": partial(
            classification.learning_curves, curves, study.best, study.best_name, heading, logarithmic=True
        ),
    }
    if study.members > 1:
        results = study.results
        solved, units = int(results["train/solved"].values.sum()), network.hidden.out_features
        figures["success"] = partial(
            success.success_curves,
            results["train/first_success"].values,
            results["train/sustained_success"].values,
            int(results["train/updates"].max),
            "epoch",
            "every point right",
            f"{solved} of {study.members} networks with {units} hidden units get every point right",
        )
    return figures


def _snapshots(study: CheckStudy, network: GridMLP, frames: int) -> tuple[list[GridMLP], list[int]]:
    """The best member at up to `frames` times of its training, about equally far apart in parameter space."""
    snapshots, end = study.module.snapshots, int(study.results["train/updates"].values[study.best])
    updates = [update for update in snapshots.updates if update < end]
    now = parameters_to_vector(network.parameters()).detach()
    vectors = torch.stack([*(part[study.best].to(now) for part in snapshots.vectors[: len(updates)]), now])
    distance = torch.cat([now.new_zeros(1), vectors.diff(dim=0).norm(dim=1).cumsum(0)])  # along the path, [times]
    wanted = torch.linspace(0, distance[-1].item(), frames, dtype=now.dtype)
    chosen = torch.searchsorted(distance, wanted).clamp(max=len(updates))
    places = chosen.unique().tolist()
    return [with_parameters(network, vectors[place]) for place in places], [[*updates, end][place] for place in places]


def _curves(study: CheckStudy, network: GridMLP, points: Tensor, labels: Tensor) -> dict[str, np.ndarray]:
    """Loss and accuracy of all members at the snapshots after the first update, [snapshots, members]."""
    shapes = {name: parameter.shape for name, parameter in network.named_parameters()}
    sizes = [shape.numel() for shape in shapes.values()]
    log_odds = vmap(lambda parameters: functional_call(network, parameters, (points,)))
    snapshots = study.module.snapshots
    first = 1 if snapshots.updates[0] == 0 else 0
    losses, accuracies = [], []
    with torch.no_grad():
        for vectors in snapshots.vectors[first:]:
            parts = zip(shapes.items(), vectors.to(points).split(sizes, dim=1), strict=True)
            outputs = log_odds({name: part.unflatten(1, shape) for (name, shape), part in parts})  # [members, items]
            losses.append(label_losses(outputs, labels))
            accuracies.append(right_choices(outputs, labels).double().mean(dim=1))
    return {
        "epoch": np.array(snapshots.updates[first:]),
        "train/loss": torch.stack(losses).numpy(),
        "train/accuracy": torch.stack(accuracies).numpy(),
    }


def _dividing_lines(network: GridMLP) -> list[Row]:
    """A row for each hidden unit, and one for the output, which has no line."""
    rows: list[Row] = [
        asdict(line) | {"equation": line.equation, "line": line.solved, "weight_to_output": weight}
        for line, weight in zip(dividing_lines(network), network.output.weight[0].tolist(), strict=True)
    ]
    return [*rows, dict.fromkeys(rows[0], "") | {"unit": "output", "bias": network.output.bias.item()}]


def _activations(network: GridMLP, points: Tensor, labels: Tensor) -> list[Row]:
    """A row for each point."""
    number = int if network.activation == "step" else float
    with torch.no_grad():
        hidden, outputs = network.activations(points)
    return [
        {"x": cell(x), "y": cell(y), "label": int(label)}
        | {f"hidden_{unit}": number(value) for unit, value in enumerate(row.tolist(), start=1)}
        | {"output": number(output), "right": int((output >= 0.5) == bool(label))}
        for (x, y), label, row, output in zip(points.tolist(), labels.tolist(), hidden, outputs.tolist(), strict=True)
    ]
