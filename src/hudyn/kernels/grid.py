"""Updates of a population of two-layer perceptrons, each on all points: the reference, and the choice of the kernel."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from hudyn.kernels.dispatch import Kernel, choose
from hudyn.kernels.steps import StepSettings, TorchSteps
from hudyn.metrics.labels import label_losses, right_choices
from hudyn.metrics.success import SuccessRecord
from hudyn.population import Population

Updates = Callable[[Population, Optimizer, StepSettings, Tensor, Tensor, SuccessRecord], None]


def updates_by(kernel: Kernel, population: Population, optimizer: Optimizer) -> Updates:
    """The function that makes the updates, with the arguments of `reference`.

    Args:
        kernel: ``numba`` trains each member in one loop; ``auto`` takes it where it is available.
        population: the networks.
        optimizer: optimizer of their parameters.

    Raises:
        HudynError: the kernel requested is not available.
    """
    if choose(kernel, population, optimizer) == "reference":
        return reference
    from hudyn.kernels.numba.grid import updates

    return updates


def reference(
    population: Population,
    optimizer: Optimizer,
    settings: StepSettings,
    points: Tensor,
    labels: Tensor,
    success: SuccessRecord,
) -> None:
    """Update the members that are not frozen once a step; freeze members whose success is sustained.

    Args:
        population: networks from points [items, 2] to log-odds [items].
        optimizer: optimizer of their parameters; it acts element by element.
        settings: the learning rates of the steps, and how gradients are clipped.
        points: coordinates, [items, 2].
        labels: 0. or 1., [items].
        success: the members' record, which is updated.
    """
    parameters = [*population.parameters(), *(settings.average.parameters if settings.average else ())]
    frozen = [parameter.detach().clone() for parameter in parameters]  # as they were when their member was frozen
    with TorchSteps(optimizer, population, settings) as steps:
        for update in range(len(settings.rates)):
            if success.frozen.all():
                break
            log_odds = population(points)  # [members, items]
            population.zero_grad()
            label_losses(log_odds, labels).sum().backward()
            steps.step(update)
            newly_frozen = success.update(right_choices(log_odds.detach(), labels).all(dim=1))
            if newly_frozen.any():
                _copy_members(newly_frozen, parameters, frozen)
    _copy_members(success.frozen, frozen, parameters)


@torch.no_grad()
def _copy_members(members: Tensor, sources: Sequence[Tensor], targets: Sequence[Tensor]) -> None:
    """Copy the values of some members, bool [members], from each source to its target."""
    for source, target in zip(sources, targets, strict=True):
        target.view(len(members), -1)[members] = source.view(len(members), -1)[members]
