"""The kernels of image networks against autograd."""

import pytest
import torch
import torch.nn.functional as F

from hudyn.kernels.image import dense, gradients_by, reference
from hudyn.networks import NetConv, NetFull, NetLin
from hudyn.population import Population

DENSE = {"NetLin": NetLin, "NetFull": lambda: NetFull(hidden_size=20)}


def images(members, generator, size=64):
    """Images and targets for all members, or for each where `members` is not empty; the divisor; `per_member`."""
    pixels = torch.rand(*members, size, 1, 28, 28, generator=generator) * 2 - 1
    return pixels, torch.randint(10, (*members, size), generator=generator), float(size), bool(members)


def trained(gradients, build, members, per_member, updates=30):
    generator = torch.Generator().manual_seed(0)
    population = Population(build, members, seed=3)
    optimizer = torch.optim.SGD(population.parameters(), lr=0.1, momentum=0.9)
    outputs = []
    for update in range(updates):
        batch = images((members,) if per_member else (), generator, size=64 if update % 3 else 17)
        outputs.append(gradients(population, *batch, update))
        optimizer.step()
    return population, torch.cat(outputs, dim=1)


@pytest.mark.parametrize(("members", "per_member"), [(1, False), (3, False), (3, True)])
@pytest.mark.parametrize("network", DENSE)
def test_dense_updates_equal_autograd(network, members, per_member):
    expected, outputs = trained(reference, DENSE[network], members, per_member)
    found, own = trained(dense, DENSE[network], members, per_member)
    torch.testing.assert_close(own, outputs, rtol=1e-4, atol=1e-5)
    for one, other in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("network", DENSE)
def test_dense_gradients_are_those_of_the_mean_loss(network):
    pixels, targets, divisor, per_member = images((), torch.Generator().manual_seed(1))
    pixels = pixels.double()
    population = Population(DENSE[network]).double()
    plain = population.member(0)
    F.nll_loss(plain(pixels), targets).backward()
    log_probabilities = dense(population, pixels, targets, divisor, per_member, 0)
    torch.testing.assert_close(log_probabilities[0], plain(pixels).detach())
    for own, expected in zip(population.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(own.grad, expected.grad)


def test_the_dense_kernel_is_chosen_for_the_networks_it_supports():
    class Other(NetFull):
        """The same layers; its forward could be any."""

    assert gradients_by("auto", Population(NetFull, members=2)) is dense
    assert gradients_by("reference", Population(NetFull)) is reference
    assert gradients_by("auto", Population(NetConv)) is reference
    assert gradients_by("auto", Population(Other)) is reference
    frozen = Population(NetFull)
    frozen.network.hidden.bias.requires_grad_(False)
    assert gradients_by("auto", frozen) is reference
    with torch.autocast("cpu", torch.bfloat16):
        assert gradients_by("auto", Population(NetLin)) is reference


@pytest.mark.parametrize("per_member", [False, True])
def test_convolving_members_have_the_gradients_of_their_solo_runs(per_member):
    """In float64: where a relu's input rounds to another sign, gradients in float32 differ by more than rounding."""
    pixels, targets, divisor, _ = images((2,) if per_member else (), torch.Generator().manual_seed(2), size=20)
    pixels = pixels.double()
    together = Population(lambda: NetConv(channels=(32, 64)), members=2, seed=1).double()
    outputs = reference(together, pixels, targets, divisor, per_member, 0)
    for member in range(2):
        alone = together.member(member)
        found = alone(pixels[member] if per_member else pixels)
        F.nll_loss(found, targets[member] if per_member else targets).backward()
        torch.testing.assert_close(outputs[member], found.detach())
        for one, other in zip(together.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(one.grad[member], other.grad)
