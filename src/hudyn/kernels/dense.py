"""Gradients of a population of image networks on one batch: the reference, and a fused one for dense networks."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from hudyn.metrics.classification import member_losses
from hudyn.networks.image import NetFull, NetLin
from hudyn.population import Population
from hudyn.tasks.characters.data import ImageBatch

Gradients = Callable[[Population, ImageBatch, int], Tensor]


def reference(population: Population, batch: ImageBatch, update: int) -> Tensor:
    """Give the parameters their gradients of the loss: the mean negative log-likelihood of the true class.

    Args:
        population: networks from images to log-probabilities or logits.
        batch: images and targets.
        update: number of the update, which random layers draw by.

    Returns:
        log-probabilities of the classes, [members, batch, classes].
    """
    for parameter in population.parameters():
        parameter.grad = None
    outputs = population(batch.images, batch.per_member, update)  # [members, batch, classes]
    (member_losses(outputs, batch.targets).sum() / batch.divisor).backward()
    return outputs.detach().log_softmax(-1)


@torch.no_grad()
def fused(population: Population, batch: ImageBatch, update: int) -> Tensor:
    """The same of linear layers with tanh between them, by the chain rule in as few kernels as torch allows.

    Images that all members see are multiplied by the first weights of all members at once.
    """
    layers: list[Any] = list(population.network.children())
    members = population.members
    inputs = [batch.images.flatten(-3)]  # of each layer, [members, batch, inputs]; images of all are [batch, inputs]
    for layer in layers:
        if inputs[-1].dim() == 2:
            weight = layer.weight.view(-1, layer.in_features)
            outputs = torch.addmm(layer.bias.view(-1, 1), weight, inputs[-1].mT).unflatten(0, (members, -1))
        else:
            weight, bias = layer.weight.view(members, -1, layer.in_features), layer.bias.view(members, -1, 1)
            outputs = torch.baddbmm(bias, weight, inputs[-1].mT)
        if layer is not layers[-1]:
            inputs.append(outputs.tanh_().mT)
    log_probabilities = outputs.log_softmax(1)  # [members, classes, batch]
    targets = batch.targets.unsqueeze(-2).expand(members, 1, -1)
    delta = log_probabilities.exp()  # gradient of the loss by a layer's outputs, [members, outputs, batch]
    delta.scatter_add_(1, targets, delta.new_tensor(-1.0).expand_as(targets)).div_(batch.divisor)
    for layer, shown in zip(reversed(layers), reversed(inputs), strict=True):
        for parameter in (layer.weight, layer.bias):
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
        torch.sum(delta, -1, out=layer.bias.grad.view(members, -1))
        if shown.dim() == 2:
            torch.mm(delta.flatten(0, 1), shown, out=layer.weight.grad.view(-1, layer.in_features))
        else:
            torch.bmm(delta, shown, out=layer.weight.grad.view(members, -1, layer.in_features))
        if layer is not layers[0]:
            back = torch.bmm(layer.weight.view(members, -1, layer.in_features).mT, delta)
            delta = back.addcmul_(back * shown.mT, shown.mT, value=-1)  # tanh' is 1 - tanh²
    return log_probabilities.mT


def gradients_by(kernel: Literal["auto", "reference"], population: Population) -> Gradients:
    """The function that gives the gradients, with the arguments of `reference`.

    Args:
        kernel: ``auto`` takes the fused one where the network is a NetLin or a NetFull, all trained, at its precision.
        population: the networks.
    """
    parameters = list(population.parameters())
    dense = type(population.network) in (NetLin, NetFull) and all(parameter.requires_grad for parameter in parameters)
    autocast = torch.is_autocast_enabled(parameters[0].device.type)
    return fused if kernel == "auto" and dense and not autocast else reference
