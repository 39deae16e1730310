import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hudyn.metrics.classification import member_losses
from hudyn.networks import NetConv, NetFull, NetLin
from hudyn.population import Population


class WithBatchNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.norm, self.output = nn.Linear(784, 8), nn.BatchNorm1d(8), nn.Linear(8, 10)

    def forward(self, images):
        return self.output(self.norm(self.hidden(images.flatten(1))).relu())


class WithDropout(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.output = nn.Linear(784, 16), nn.Linear(16, 10)

    def forward(self, images):
        return self.output(F.dropout(self.hidden(images.flatten(1)).relu(), 0.5, self.training))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.hidden, self.again = nn.Linear(784, 10), nn.Linear(10, 10), nn.Linear(10, 10)
        self.again.weight = self.hidden.weight

    def forward(self, images):
        return self.again(self.hidden(self.down(images.flatten(1))).tanh())


NETWORKS = {
    "NetLin": NetLin,
    "NetFull": lambda: NetFull(hidden_size=12),
    "NetConv": lambda: NetConv(channels=(2, 3), kernel_size=3),
    "batch norm": WithBatchNorm,
    "dropout": WithDropout,
    "tied weights": Tied,
}


@pytest.fixture(params=NETWORKS, name="build")
def _build(request):
    return NETWORKS[request.param]


def train(population, images, targets, per_member=False, updates=6):
    optimizer = torch.optim.SGD(population.parameters(), lr=0.1, momentum=0.9)
    for update in range(updates):
        outputs = population(images, per_member, update)
        loss = (member_losses(outputs, targets) / images.shape[int(per_member)]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return population


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(20, 1, 28, 28, generator=generator), torch.arange(20) % 10


@pytest.mark.filterwarnings("ignore:WithDropout cannot be mapped")
def test_member_k_trains_as_the_solo_run_of_seed_plus_k(build, batch):
    together = train(Population(build, members=3, seed=5), *batch)
    for member in range(3):
        solo = train(Population(build, members=1, seed=5 + member), *batch)
        own = together.member(member).state_dict()
        for name, expected in solo.member(0).state_dict().items():
            torch.testing.assert_close(own[name], expected, rtol=1e-4, atol=1e-6, msg=f"{name} of member {member}")


def test_under_autocast_a_member_has_the_bits_of_its_solo_run(build, batch):
    """torch.func would leave out some operations: convolutions on the CPU would be computed in float32."""
    images, _ = batch
    together = Population(build, members=2, seed=5)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = together(images)
        for member in range(2):
            assert torch.equal(outputs[member], Population(build, members=1, seed=5 + member)(images)[0])


@pytest.mark.filterwarnings("ignore:WithDropout cannot be mapped")
def test_each_member_may_have_inputs_of_its_own(build, batch):
    images = torch.stack([batch[0], batch[0].flip(0), batch[0].roll(3, 0)])
    targets = torch.stack([batch[1], batch[1].flip(0), batch[1].roll(3, 0)])
    together = train(Population(build, members=3, seed=1), images, targets, per_member=True)
    for member in range(3):
        solo = train(Population(build, members=1, seed=1 + member), images[member], targets[member])
        for own, expected in zip(together.member(member).parameters(), solo.parameters(), strict=True):
            torch.testing.assert_close(own, expected, rtol=1e-4, atol=1e-6)


def test_first_weights_are_those_of_the_seed():
    population = Population(NetLin, members=2, seed=3)
    torch.manual_seed(4)
    expected = NetLin()
    assert torch.equal(population.member(1).output.weight, expected.output.weight)


def test_building_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    Population(NetLin, members=2, seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_members_do_not_mix(batch):
    images, targets = batch
    population = Population(NetLin, members=2)
    member_losses(population(images), targets)[1].backward()
    gradient = population.network.output.weight.grad
    assert gradient[0].abs().max() == 0
    assert gradient[1].abs().max() > 0


def test_dropout_differs_between_updates_and_repeats_for_the_same_update(batch):
    population = Population(WithDropout, members=1)
    first, again, other = (population(batch[0], update=update) for update in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_network_that_cannot_be_mapped_is_told_of_once(batch):
    population = Population(WithDropout, members=2)
    with pytest.warns(UserWarning, match="WithDropout cannot be mapped over members"):
        population(batch[0])
    population(batch[0])


def test_a_mistake_in_a_network_is_raised_as_it_is():
    class Wrong(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, images):
            return self.linear(images.flatten(1))

    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        Population(Wrong, members=2)(torch.zeros(4, 1, 28, 28))


def test_frozen_parameters_stay_frozen():
    def build():
        network = NetFull(hidden_size=3)
        network.hidden.requires_grad_(False)
        return network

    frozen = [parameter.requires_grad for parameter in Population(build, members=2).parameters()]
    assert frozen == [False, False, True, True]


def test_shared_weights_stay_shared():
    for member in (Population(Tied, members=2).member(1), Population(Tied, members=1).member(0)):
        assert member.hidden.weight is member.again.weight
