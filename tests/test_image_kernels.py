"""What makes image networks fast equals what it replaces."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hudyn.kernels.convolution import FourierConvolution, convolve
from hudyn.kernels.dense import fused, gradients_by, reference
from hudyn.networks import NetConv, NetFull, NetLin
from hudyn.population import Population
from hudyn.tasks.characters.data import ImageBatch

DENSE = {"NetLin": NetLin, "NetFull": lambda: NetFull(hidden_size=20)}


def images(members, generator, size=64):
    """Images of all members, or of each where `members` is a shape."""
    pixels = torch.rand(*members, size, 1, 28, 28, generator=generator) * 2 - 1
    return ImageBatch(pixels, torch.randint(10, (*members, size), generator=generator), float(size), bool(members))


def trained(gradients, build, members, per_member, updates=30):
    generator = torch.Generator().manual_seed(0)
    population = Population(build, members, seed=3)
    optimizer = torch.optim.SGD(population.parameters(), lr=0.1, momentum=0.9)
    outputs = []
    for update in range(updates):
        batch = images((members,) if per_member else (), generator, size=64 if update % 3 else 17)
        outputs.append(gradients(population, batch, update))
        optimizer.step()
    return population, torch.cat(outputs, dim=1)


@pytest.mark.parametrize(("members", "per_member"), [(1, False), (3, False), (3, True)])
@pytest.mark.parametrize("network", DENSE)
def test_fused_updates_equal_autograd(network, members, per_member):
    expected, outputs = trained(reference, DENSE[network], members, per_member)
    found, own = trained(fused, DENSE[network], members, per_member)
    torch.testing.assert_close(own, outputs, rtol=1e-4, atol=1e-5)
    for one, other in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("network", DENSE)
def test_fused_gradients_are_those_of_the_mean_loss(network):
    batch = images((), torch.Generator().manual_seed(1))
    batch = replace(batch, images=batch.images.double())
    population = Population(DENSE[network]).double()
    plain = population.member(0)
    F.nll_loss(plain(batch.images), batch.targets).backward()
    torch.testing.assert_close(fused(population, batch, 0)[0], plain(batch.images).detach())
    for own, expected in zip(population.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(own.grad, expected.grad)


def test_the_fused_kernel_is_taken_for_what_it_is_made_for():
    class Other(NetFull):
        """The same layers; its forward could be any."""

    assert gradients_by("auto", Population(NetFull, members=2)) is fused
    assert gradients_by("reference", Population(NetFull)) is reference
    assert gradients_by("auto", Population(NetConv)) is reference
    assert gradients_by("auto", Population(Other)) is reference
    frozen = Population(NetFull)
    frozen.network.hidden.bias.requires_grad_(False)
    assert gradients_by("auto", frozen) is reference
    with torch.autocast("cpu", torch.bfloat16):
        assert gradients_by("auto", Population(NetLin)) is reference


@pytest.mark.parametrize(("side", "taps"), [(28, 5), (28, 3), (9, 7), (4, 1)])
def test_fourier_convolution_equals_torchs(side, taps):
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 2, taps, padding=taps // 2).double()
    maps = torch.randn(4, 3, side, side, dtype=torch.float64, requires_grad=True)
    wanted = (maps, convolution.weight, convolution.bias)
    weights = torch.randn(4, 2, side, side, dtype=torch.float64)
    expected = convolution(maps)
    found = FourierConvolution.apply(*wanted)[0]
    torch.testing.assert_close(found, expected)
    for own, other in zip(
        torch.autograd.grad(found, wanted, weights), torch.autograd.grad(expected, wanted, weights), strict=True
    ):
        torch.testing.assert_close(own, other)


def test_fourier_convolution_rounds_no_worse_than_torchs():
    """Relative to the largest value, against float64."""
    torch.manual_seed(0)
    convolution = nn.Conv2d(32, 64, 5, padding=2)
    maps = torch.randn(64, 32, 28, 28)
    exact = convolution.double()(maps.double())
    convolution.float()
    found = convolve(convolution, maps)
    assert "FourierConvolution" in found.grad_fn.name()
    assert (found - exact).abs().max() < 1e-6 * exact.abs().max()


def test_few_maps_are_convolved_as_torch_does():
    torch.manual_seed(0)
    for batch, inputs, taps in ((64, 1, 5), (1, 32, 5), (8, 32, 3)):
        convolution = nn.Conv2d(inputs, 64, taps, padding=taps // 2)
        maps = torch.randn(batch, inputs, 28, 28)
        assert torch.equal(convolve(convolution, maps), convolution(maps))


@pytest.mark.parametrize("per_member", [False, True])
def test_members_convolved_by_fourier_transforms_have_the_gradients_of_their_solo_runs(per_member):
    """In float64: where a relu's input rounds to another sign, gradients in float32 differ by more than rounding."""
    batch = images((2,) if per_member else (), torch.Generator().manual_seed(2), size=20)
    batch = replace(batch, images=batch.images.double())
    together = Population(lambda: NetConv(channels=(32, 64)), members=2, seed=1).double()
    outputs = reference(together, batch, 0)
    for member in range(2):
        own = batch.images[member] if per_member else batch.images
        alone = together.member(member)
        found = alone(own)
        F.nll_loss(found, batch.targets[member] if per_member else batch.targets).backward()
        torch.testing.assert_close(outputs[member], found.detach())
        for one, other in zip(together.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(one.grad[member], other.grad)
