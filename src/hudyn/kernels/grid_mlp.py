"""Updates of a population of two-layer perceptrons, each on all points: the reference, and which kernel to take."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hudyn.kernels.choice import Kernel, choose, other_optimizer
from hudyn.metrics.labels import label_losses, right_choices
from hudyn.metrics.success import SuccessRecord
from hudyn.networks.grid import GridMLP
from hudyn.population import Population

Updates = Callable[[Population, Any, Tensor, Tensor, SuccessRecord, int], None]


def reference(
    population: Population, optimizer: Any, points: Tensor, labels: Tensor, success: SuccessRecord, number: int
) -> None:
    """Make `number` updates of the members that are not frozen, and freeze those that succeed for good.

    Args:
        population: the networks, from points [items, 2] to log-odds [items].
        optimizer: of the population's parameters; it acts element by element.
        points: coordinates, [items, 2].
        labels: 0. or 1., [items].
        success: the members' record, which is brought up to date.
        number: number of updates.
    """
    parameters = list(population.parameters())
    kept = [parameter.detach().clone() for parameter in parameters]  # of frozen members, what they were then
    for _ in range(number):
        if success.frozen.all():
            break
        log_odds = population(points)  # [members, items]
        optimizer.zero_grad()
        label_losses(log_odds, labels).sum().backward()
        optimizer.step()
        new = success.update(right_choices(log_odds.detach(), labels).all(dim=1))
        if new.any():
            _copy_members(new, parameters, kept)
    _copy_members(success.frozen, kept, parameters)


@torch.no_grad()
def _copy_members(chosen: Tensor, sources: list[Any], targets: list[Any]) -> None:
    """Copy what belongs to the `chosen` members, bool [members], of each source tensor to its target."""
    for source, target in zip(sources, targets, strict=True):
        if len(chosen) == 1:
            target.copy_(torch.where(chosen[0], source, target))
        else:
            target[chosen] = source[chosen]


def updates_by(kernel: Kernel, population: Population, optimizer: Any) -> Updates:
    """The function that makes the updates, with the arguments of `reference`.

    Args:
        kernel: ``numba`` is fused, for one thread a block of members; ``auto`` takes it where it can be taken.
        population: the networks.
        optimizer: their optimizer.

    Raises:
        HudynError: a kernel is asked for that cannot be taken.
    """
    if choose(kernel, population, {"numba": (GridMLP,)}, other_optimizer(optimizer)) == "reference":
        return reference
    from hudyn.kernels.grid_mlp_numba import updates

    return updates
