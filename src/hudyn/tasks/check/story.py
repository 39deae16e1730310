"""What the page tells of two-layer perceptrons over the plane: who succeeds, and how the units divide the points."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from hudyn.dynamics.dividing_lines import DividingLine, dividing_lines
from hudyn.metrics.labels import right_choices
from hudyn.networks import GridMLP
from hudyn.networks.grid import step
from hudyn.tasks.artifacts import Story
from hudyn.tasks.check.module import CheckStudy
from hudyn.tasks.wording import share_of_networks

PARALLEL = 10.0  # degrees within which lines count as parallel
TOLD_UNITS = 5  # whose lines are written out: those with the largest weights to the output
TOLD_GROUPS = 5  # of points that turn the same units on: the largest
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

FIGURES = {
    "dividing_lines": "Where each hidden unit's net input is 0, with the equation; a unit is on where its arrow "
    "points, and colours show what the output says.",
    "units": "The activation of every hidden unit and of the output over the plane, with the points and their labels.",
    "network": "The network with its weights and biases: the thicker a line, the larger the weight.",
    "training": "The dividing lines of the best network during training, about equally far apart in weights.",
    "learning_curves": "Loss and accuracy during training; thin lines are networks, thick ones the best.",
    "success": "The share of networks that have had every point right by an epoch, for the first time and for good.",
}
TABLES = {
    "dividing_lines": "Each hidden unit of the best network: weights, bias, the equation of its line, and its weight "
    "to the output.",
    "activations": "The truth table of the best network: each point with its label, the activations, and whether the "
    "output is right.",
    "parameters": "The parameters of each layer, with the arithmetic.",
    "members": "Every network with its seed and measures.",
}


def check_story(study: CheckStudy) -> Story:
    """How many members get every point right, and how the best one does it."""
    solved = study.results["train/solved"].values == 1
    kinds = ["solved" if good else "not solved" for good in solved] if study.members > 1 else []
    return Story(answer=_answer(study, solved), how=_how(study), kinds=kinds, figures=FIGURES, tables=TABLES)


def _answer(study: CheckStudy, solved: Tensor) -> str:
    number = len(study.data.labels)
    points = f"all {_word(number)} points right"
    lasting = study.results["train/sustained"].values == 1 if "train/sustained" in study.results else None
    if study.members == 1:
        kind = "network" if lasting is not None else "network with the given weights"
        if not solved[0]:
            right = round(study.results["train/accuracy"].values[0].item() * number)
            return f"The {kind} gets {right} of {number} points right."
        if lasting is None or not lasting[0]:
            return f"The {kind} gets {points}."
        since = int(study.results["train/sustained_success"].values[0])
        return f"The {kind} gets {points} for good, from epoch {since:,} on."
    text = f"{share_of_networks(study.results['train/solved'])} get {points}"
    if lasting is None or not solved.any():
        return f"{text}."
    if not torch.equal(lasting, solved):
        return f"{text}, {int((lasting & solved).sum())} of them for good."
    median = study.results["train/sustained_success"].median
    return f"{text} for good, half of these from epoch {median:,.0f} on."


@torch.no_grad()
def _how(study: CheckStudy) -> list[str]:
    network = cast(GridMLP, study.network())
    points, labels = (part.cpu().to(network.output.weight) for part in (study.data.points, study.data.labels))
    return [_lines(network, points), _combination(network, points, labels), _without(network, points, labels)]


def _lines(network: GridMLP, points: Tensor) -> str:
    """Which lines the hidden units draw."""
    lines = dividing_lines(network)
    told = _told_units(network)
    first = f"The network shown has {_word(len(lines))} {network.activation} hidden units. "
    first += "The dividing lines are " if len(told) == len(lines) else "Those that weigh most divide the plane along "
    text = first + ", ".join(f"h{unit + 1}: {lines[unit].solved}" for unit in told) + "."
    family = parallel_units(lines)
    if len(family) > 1:
        which = "All lines" if len(family) == len(lines) else _names(family)
        text += f" {which} are parallel to within {_spread(lines, family):.0f}°."
    elif len(lines) > 1:
        text += f" No two lines are parallel to within {PARALLEL:.0f}°."
    on = network.hidden(points) >= 0  # [items, units]
    constant = (on.all(dim=0) | ~on.any(dim=0)).nonzero()[:, 0].tolist()
    if constant:
        verb = "separates" if len(constant) == 1 else "separate"
        text += f" {_names(constant)} {verb} no points: the line lies outside them."
    return text


def _combination(network: GridMLP, points: Tensor, labels: Tensor) -> str:
    """How the output combines the hidden units."""
    weights, bias = network.output.weight[0].tolist(), network.output.bias.item()
    told = _told_units(network)
    summed = ", ".join(f"{_signed(weights[unit])} (h{unit + 1})" for unit in told)
    activations, _ = network.activations(points)
    net = network.output(activations)[:, 0]
    patterns, group = torch.unique(network.hidden(points) >= 0, dim=0, return_inverse=True)
    sizes = group.bincount(minlength=len(patterns))
    order = sizes.argsort(descending=True, stable=True)[:TOLD_GROUPS]
    order = order[patterns[order].sum(dim=1).argsort(stable=True)].tolist()
    groups = "; ".join(f"{_on(patterns[number])} on: {_range(net[group == number])}" for number in order)
    mixed = sum(len(labels[group == number].unique()) > 1 for number in range(len(patterns)))
    text = (
        f"The output weights are {summed}, its bias is {_signed(bias)}; it says 1 where the sum is 0 or more. "
        f"The lines sort the points into {_word(len(patterns))} groups"
        f"{f' ({TOLD_GROUPS} largest shown)' if len(patterns) > TOLD_GROUPS else ''}, with these sums: {groups}."
    )
    if mixed:
        text += f" {_word(mixed).capitalize()} of the groups {'hold' if mixed > 1 else 'holds'} both labels."
    return text


def _without(network: GridMLP, points: Tensor, labels: Tensor) -> str:
    """What the network needs: each unit, and activations between 0 and 1."""
    activations, _ = network.activations(points)
    right = []
    for unit in range(activations.shape[1]):
        others = activations.clone()
        others[:, unit] = 0
        right.append(int(right_choices(network.output(others)[:, 0], labels).sum()))
    whole = int(right_choices(network(points), labels).sum())
    needed = [unit for unit, number in enumerate(right) if number < whole]
    text = f"The network gets {whole} of {len(labels)} points right. "
    if not needed:
        text += "It does so without any one of its units too."
    elif len(needed) == len(right):
        low, high = min(right), max(right)
        text += (
            f"Without any one of its units, it gets {low if low == high else f'{low} to {high}'} right. "
            "It needs all units."
        )
    else:
        spare = [unit for unit in range(len(right)) if unit not in needed]
        text += f"It needs {_names(needed)}; without {_names(spare, 'or')} it gets as many right."
    if network.activation != "sigmoid":
        return text
    stepped = int(right_choices(network.output(step(network.hidden(points)))[:, 0], labels).sum())
    if stepped == whole:
        return f"{text} With steps instead of sigmoids it gets as many right: the sides of the lines are enough."
    return (
        f"{text} With steps instead of sigmoids it gets {stepped} right: how far a point lies from a line matters too."
    )


def parallel_units(lines: Sequence[DividingLine]) -> list[int]:
    """The largest set of hidden units whose lines are parallel to within `PARALLEL` degrees.

    >>> lines = [DividingLine("", *weights, 0.0) for weights in ((1.0, 1.0), (1.0, 0.0), (-2.0, -2.1))]
    >>> parallel_units(lines)
    [0, 2]
    """
    families = [
        [unit for unit, other in enumerate(lines) if 0 <= _angle(first, other) <= PARALLEL and _has_line(other)]
        for first in lines
        if _has_line(first)
    ]
    return max(families, key=len, default=[])


def _has_line(line: DividingLine) -> bool:
    return not line.solved.startswith("no line")


def _angle(first: DividingLine, other: DividingLine) -> float:
    """Angle from one line to another, from -90° to 90°, in degrees."""
    one, two = (torch.atan2(torch.tensor(line.weight_y), torch.tensor(line.weight_x)) for line in (first, other))
    return (float(torch.rad2deg(two - one)) + 90 + 1e-4) % 180 - 90


def _spread(lines: Sequence[DividingLine], units: Sequence[int]) -> float:
    """The largest angle between two of some lines, in degrees."""
    return max(abs(_angle(lines[one], lines[other])) for one in units for other in units)


def _told_units(network: GridMLP) -> list[int]:
    """The units with the largest weights to the output, in order."""
    return sorted(network.output.weight[0].abs().argsort(descending=True, stable=True)[:TOLD_UNITS].tolist())


def _on(pattern: Tensor) -> str:
    units = pattern.nonzero()[:, 0].tolist()
    return _names(units) if units else "no unit"


def _range(values: Tensor) -> str:
    low, high = (_signed(value) for value in (values.min().item(), values.max().item()))
    return low if low == high else f"{low} to {high}"


def _names(units: Sequence[int], word: str = "and") -> str:
    names = [f"h{unit + 1}" for unit in units]
    return f" {word} ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _signed(value: float) -> str:
    """A number with two or three digits and a true minus sign."""
    return f"{value:.3g}".replace("-", "−")


def _word(number: int) -> str:
    """A small number as a word."""
    return NUMBERS[number] if number < len(NUMBERS) else f"{number:,}"
