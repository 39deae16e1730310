"""The kernels of image networks against autograd."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hudyn.kernels.image import dense, gradients_by, reference, scaled
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
    with torch.autocast("cpu", torch.float16):
        assert gradients_by("auto", Population(NetLin)) is scaled


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


def gradients_in_float16(gradients, population, batch):
    with torch.autocast("cpu", torch.float16, cache_enabled=False):
        gradients(population, *batch, 0)
    return [parameter.grad.clone() for parameter in population.parameters()]


def distance(found, expected, member):
    """Largest difference of a parameter's gradient, relative to its largest element."""
    return max(
        ((one[member] - other[member]).abs().max() / other[member].abs().max()).item()
        for one, other in zip(found, expected, strict=True)
    )


def test_scaled_losses_keep_what_float16_loses():
    """The derivatives by the outputs are of the order of 1e-9, far below the smallest number of float16, 6e-8."""
    pixels, targets, _, per_member = images((), torch.Generator().manual_seed(4))
    batch = pixels, targets, 2e7, per_member
    population = Population(NetFull, members=2)
    reference(population, *batch, 0)
    expected = [parameter.grad.clone() for parameter in population.parameters()]
    assert distance(gradients_in_float16(reference, population, batch), expected, 0) > 0.5
    for member in range(2):
        assert distance(gradients_in_float16(scaled, population, batch), expected, member) < 0.02


def test_a_member_whose_gradients_overflow_gets_a_scale_of_its_own():
    def build():
        return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784, affine=False), nn.Linear(784, 10))

    pixels, targets, _, per_member = images((), torch.Generator().manual_seed(5))
    batch = pixels, targets, 1.0, per_member
    calm, wild = (Population(build, members=2, seed=1) for _ in range(2))
    with torch.no_grad():
        wild.network[2].bias[1, 0] = 60  # wrong with certainty: the bias has a derivative of about 58, 2^12 of which
    found = gradients_in_float16(scaled, wild, batch)  # are more than float16 holds, 65,504
    undisturbed = gradients_in_float16(scaled, calm, batch)
    assert all(torch.equal(one[0], other[0]) for one, other in zip(found, undisturbed, strict=True))
    assert wild.network[1].num_batches_tracked.tolist() == [1, 1]
    torch.testing.assert_close(wild.network[1].running_mean, calm.network[1].running_mean)
    reference(wild, *batch, 0)
    assert distance(found, [parameter.grad for parameter in wild.parameters()], 1) < 0.02


def test_gradients_that_are_not_finite_are_handed_on():
    pixels, targets, divisor, per_member = images((), torch.Generator().manual_seed(6))
    population = Population(NetLin, members=2)
    with torch.no_grad():
        population.network.output.bias[1, 0] = torch.inf
    _, biases = gradients_in_float16(scaled, population, (pixels, targets, divisor, per_member))
    assert biases[0].isfinite().all()
    assert not biases[1].isfinite().all()
