"""The Triton kernel, run by Triton's interpreter on the CPU where there is no GPU."""

import pytest
import torch

from hudyn.kernels.recurrent import cell_name, fused, recurrent_losses, reference
from hudyn.population import Population
from tests.test_recurrent import NETWORKS, begun_in, losses_and_gradients, sequences

pytest.importorskip("triton", reason="Triton is not made for this system")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="module", autouse=True)
def triton_kernel():
    """`recurrent_losses` by Triton on any device."""
    with pytest.MonkeyPatch.context() as patch:
        from hudyn.kernels.numba import recurrent as on_cpu
        from hudyn.kernels.triton import recurrent as on_cuda

        patch.setattr(on_cpu, "losses_and_gradients", on_cuda.losses_and_gradients)
        yield


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("members", "batch", "carried"), [(1, 1, False), (2, 3, True)])
def test_triton_gradients_are_those_of_the_reference(name, dtype, members, batch, carried):
    found = []
    symbols, lengths = (part.to(DEVICE) for part in sequences(members, batch, longest=6))
    for kernel in (fused, reference):
        population = Population(NETWORKS[name], members, seed=3).to(DEVICE, dtype)
        state = tuple(part.to(DEVICE) for part in begun_in(population.network, members, batch)) if carried else ()
        found.append(losses_and_gradients(kernel, population, symbols, lengths, state))
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-10, "atol": 1e-12}
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, **tolerance)


@pytest.mark.parametrize("name", NETWORKS)
def test_triton_gradients_are_those_of_finite_differences(name):
    symbols, lengths = (part.to(DEVICE) for part in sequences(2, 2, longest=4))
    network = Population(NETWORKS[name], 2, seed=1).to(DEVICE, torch.float64).network
    parts = [p.detach().reshape(2, -1) for n, p in network.named_parameters() if n != "initial_hidden"]
    parameters = torch.cat(parts, dim=1).requires_grad_()
    start = torch.stack(begun_in(network, 2, 2)).to(DEVICE).requires_grad_()

    def losses(start, parameters):
        return recurrent_losses(cell_name(network), 3, symbols, lengths, start, parameters)[0]

    assert torch.autograd.gradcheck(losses, (start, parameters), fast_mode=True)
