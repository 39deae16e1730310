"""Gradients of a population of image networks on one batch: by autograd, and by the chain rule for dense networks."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hudyn.kernels.dispatch import Kernel, choose
from hudyn.metrics.classification import log_probabilities_of, member_losses
from hudyn.population import Population

Gradients = Callable[[Population, Tensor, Tensor, float, bool, int], Tensor]
LARGEST_SCALE, SCALE_STEP = 2.0**12, 2.0**4  # of losses in float16: 2^12, 2^8, 2^4, 1


def gradients_by(kernel: Kernel, population: Population) -> Gradients:
    """The function that computes the gradients, with the arguments of `reference`.

    Args:
        kernel: ``auto`` takes `dense` where it supports the network, its device's precision and what is trained.
            Otherwise it is `reference`, or under autocast to float16 `scaled`.
        population: the networks.

    Raises:
        HudynError: the kernel requested is not available.
    """
    if choose(kernel, population) == "dense":
        return dense
    device = next(population.parameters()).device.type
    in_float16 = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.float16
    return scaled if in_float16 else reference


def reference(
    population: Population,
    images: Tensor,
    targets: Tensor,
    divisor: float,
    per_member: bool,
    update: int,
    scales: Tensor | float = 1.0,
) -> Tensor:
    """Compute gradients of the mean negative log-likelihood of the true class by autograd.

    Args:
        population: networks from images to log-probabilities or logits; their gradients are replaced.
        images: [batch, 1, 28, 28], or [members, batch, 1, 28, 28].
        targets: classes, [batch] or [members, batch].
        divisor: number that the sum of the losses is divided by.
        per_member: whether images and targets have a leading member axis.
        update: number of the update, which seeds random layers.
        scales: factor of the loss, or of the loss of each member, [members].

    Returns:
        log-probabilities of the classes, [members, batch, classes].
    """
    population.zero_grad()
    outputs = population(images, per_member, update)  # [members, batch, classes]
    ((member_losses(outputs, targets) * scales).sum() / divisor).backward()
    return log_probabilities_of(outputs.detach())


def scaled(
    population: Population, images: Tensor, targets: Tensor, divisor: float, per_member: bool, update: int
) -> Tensor:
    """Compute the gradients of `reference` under autocast to float16, where small derivatives would become 0.

    The loss of each member is multiplied by the largest scale with which its gradients are finite, and its gradients
    are divided by it. Scales are chosen anew at each update and no step is skipped, as torch's GradScaler would, for
    all members at once: so a member does not depend on the others, or on the updates before.
    """
    buffers = [buffer.clone() for buffer in population.buffers()]
    scales = torch.full((population.members,), LARGEST_SCALE, device=images.device)
    while True:
        log_probabilities = reference(population, images, targets, divisor, per_member, update, scales)
        gradients = [parameter.grad for parameter in population.parameters() if parameter.grad is not None]
        rows = [gradient.view(population.members, -1) for gradient in gradients]
        finite = torch.stack([row.isfinite().all(dim=1) for row in rows]).all(dim=0)  # [members]
        if (finite | (scales == 1)).all():
            break
        scales = torch.where(finite, scales, scales / SCALE_STEP)
        for buffer, before in zip(population.buffers(), buffers, strict=True):
            buffer.copy_(before)
    for row in rows:
        row /= scales[:, None]
    return log_probabilities


@torch.no_grad()
def dense(
    population: Population, images: Tensor, targets: Tensor, divisor: float, per_member: bool, update: int
) -> Tensor:
    """Compute the gradients of `reference` for linear layers with tanh between them, in as few operations as possible.

    Images that all members share are multiplied by the first weights of all members in one product.
    """
    layers = [layer for layer in population.network.children() if isinstance(layer, nn.Linear)]
    members = population.members
    inputs = [images.flatten(-3)]  # of each layer, [members, batch, inputs]; shared images are [batch, inputs]
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
    targets = targets.unsqueeze(-2).expand(members, 1, -1)
    delta = log_probabilities.exp()  # derivatives by the layer's outputs, [members, outputs, batch]
    delta.scatter_(1, targets, -1.0, reduce="add").div_(divisor)
    for layer, activations in zip(reversed(layers), reversed(inputs), strict=True):
        d_weight, d_bias = _gradient(layer.weight), _gradient(layer.bias)
        torch.sum(delta, -1, out=d_bias.view(members, -1))
        if activations.dim() == 2:
            torch.mm(delta.flatten(0, 1), activations, out=d_weight.view(-1, layer.in_features))
        else:
            torch.bmm(delta, activations, out=d_weight.view(members, -1, layer.in_features))
        if layer is not layers[0]:
            d_activations = torch.bmm(layer.weight.view(members, -1, layer.in_features).mT, delta)
            delta = torch.ops.aten.tanh_backward(d_activations, activations.mT)
    return log_probabilities.mT


def _gradient(parameter: Tensor) -> Tensor:
    """The tensor that holds the gradient of `parameter`."""
    if parameter.grad is None:
        parameter.grad = torch.empty_like(parameter)
    return parameter.grad
