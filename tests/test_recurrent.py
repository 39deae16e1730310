"""Recurrent networks against torch.nn's own, and the kernels that train them."""

import math

import pytest
import torch
from torch import nn

from hudyn.errors import HudynError
from hudyn.kernels.recurrent import choose, reference
from hudyn.kernels.recurrent_numba import gradients as fused
from hudyn.networks import GRU, LSTM, SRN
from hudyn.population import Population

SYMBOLS = torch.tensor([[0, 1, 2, 2, 1, 0, 0, 2], [2, 2, 1, 0, 1, 1, 0, 0]])
ONE_HOT = nn.functional.one_hot(SYMBOLS, 3).float()


def given(peer, network, second_bias=True):
    """Give `peer`, one of torch.nn's recurrent layers, the weights of `network`."""
    with torch.no_grad():
        peer.weight_ih_l0.copy_(network.input_weight)
        peer.weight_hh_l0.copy_(network.hidden_weight)
        peer.bias_ih_l0.copy_(network.bias)
        peer.bias_hh_l0.zero_()
    return peer


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_srn_is_torchs_rnn(activation):
    network = SRN(3, 4, activation, init_std=0.7)
    peer = given(nn.RNN(3, 4, nonlinearity=activation, batch_first=True), network)
    start = (torch.tanh if activation == "tanh" else torch.relu)(network.initial_hidden)
    hidden, _ = peer(ONE_HOT, start.expand(1, 2, 4).contiguous())
    found = network.run(SYMBOLS)
    torch.testing.assert_close(found.hidden, hidden)
    torch.testing.assert_close(network(SYMBOLS)[0], network.output(hidden))
    assert found.context is None
    assert found.gates == {}


def test_lstm_is_torchs_lstm():
    network = LSTM(3, 4)
    peer = given(nn.LSTM(3, 4, batch_first=True), network)
    hidden, (_, last_context) = peer(ONE_HOT)
    found = network.run(SYMBOLS)
    torch.testing.assert_close(found.hidden, hidden)
    torch.testing.assert_close(found.context[:, -1], last_context[0])
    assert list(found.gates) == ["input", "forget", "candidate", "output"]
    before = torch.cat([torch.zeros(2, 1, 4), found.context[:, :-1]], dim=1)
    gates = found.gates
    torch.testing.assert_close(found.context, gates["forget"] * before + gates["input"] * gates["candidate"])
    torch.testing.assert_close(found.hidden, gates["output"] * torch.tanh(found.context))


def test_peepholes_let_the_gates_see_the_context_state():
    network, without = LSTM(3, 4, peepholes=True), LSTM(3, 4)
    without.load_state_dict({name: value for name, value in network.state_dict().items() if name != "peepholes"})
    found = network.run(SYMBOLS)
    before = torch.cat([torch.zeros(2, 1, 4), found.context[:, :-1]], dim=1)
    hidden = torch.cat([torch.zeros(2, 1, 4), found.hidden[:, :-1]], dim=1)
    net = ONE_HOT @ network.input_weight.T + hidden @ network.hidden_weight.T + network.bias
    to_input, to_forget, _, to_output = net.chunk(4, dim=-1)
    torch.testing.assert_close(found.gates["input"], torch.sigmoid(to_input + network.peepholes[0] * before))
    torch.testing.assert_close(found.gates["forget"], torch.sigmoid(to_forget + network.peepholes[1] * before))
    torch.testing.assert_close(found.gates["output"], torch.sigmoid(to_output + network.peepholes[2] * found.context))
    with torch.no_grad():
        network.peepholes.zero_()
    torch.testing.assert_close(network(SYMBOLS)[0], without(SYMBOLS)[0])


def test_gru_is_torchs_gru():
    network = GRU(3, 4)
    peer = given(nn.GRU(3, 4, batch_first=True), network)
    with torch.no_grad():
        peer.bias_hh_l0[8:].copy_(network.candidate_bias)
    hidden, _ = peer(ONE_HOT)
    torch.testing.assert_close(network.run(SYMBOLS).hidden, hidden)


@pytest.mark.parametrize("network", [SRN(3, 2, init_std=1.0), LSTM(3, 2), LSTM(3, 2, peepholes=True), GRU(3, 2)])
def test_a_state_is_all_that_the_past_leaves(network):
    whole = network.run(SYMBOLS)
    first = network.run(SYMBOLS[:, :5])
    state = (first.hidden[:, -1],) if first.context is None else (first.hidden[:, -1], first.context[:, -1])
    torch.testing.assert_close(network.run(SYMBOLS[:, 5:], state).logits, whole.logits[:, 5:])


def test_parameters_are_drawn_as_the_assignment_draws_them():
    srn = torch.cat([p.detach().reshape(300, -1) for p in Population(lambda: SRN(2, 2), 300).parameters()], dim=1)
    assert srn.std().item() == pytest.approx(0.001, rel=5 / math.sqrt(2 * srn.numel()))
    lstm = torch.cat([p.detach().flatten() for p in Population(lambda: LSTM(3, 4), 300).parameters()])
    assert -0.5 <= lstm.min() < -0.499
    assert 0.499 < lstm.max() <= 0.5
    assert lstm.std().item() == pytest.approx(1 / math.sqrt(12), rel=0.01)


def test_sizes_that_cannot_be():
    with pytest.raises(ValueError, match="hidden_size: expected at least 1, got 0"):
        SRN(2, 0)
    with pytest.raises(ValueError, match="alphabet_size: expected at least 1, got 0"):
        GRU(0, 2)


# Kernels --------------------------------------------------------------------------------------------------------

NETWORKS = {
    "srn": lambda: SRN(3, 4, init_std=0.6),
    "srn relu": lambda: SRN(3, 4, "relu", init_std=0.6),
    "lstm": lambda: LSTM(3, 4),
    "lstm with peepholes": lambda: LSTM(3, 4, peepholes=True),
    "gru": lambda: GRU(3, 4),
}


def sequences(members, batch, seed=0):
    """Padded symbols and lengths of random sequences."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 12, (members, batch), generator=generator)
    return torch.randint(3, (members, batch, int(lengths.max()) + 1), generator=generator), lengths


def gradients_of(kernel, build, members, batch, carried, seed=0):
    population = Population(build, members, seed=3 + seed)
    symbols, lengths = sequences(seed + members, batch)
    symbols, lengths = symbols[seed : seed + members], lengths[seed : seed + members]
    state = ()
    if carried:
        parts = 2 if population.network.has_context else 1
        state = tuple(torch.rand(members, batch, 4, generator=torch.Generator().manual_seed(9)) for _ in range(parts))
    losses, ends = kernel(population, symbols, lengths, state)
    return [losses, *ends, *(parameter.grad for parameter in population.parameters())]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("members", "batch", "carried"), [(1, 1, False), (1, 3, True), (3, 1, False), (4, 3, True)])
def test_fused_gradients_are_those_of_the_reference(name, members, batch, carried):
    ours, theirs = (gradients_of(kernel, NETWORKS[name], members, batch, carried) for kernel in (fused, reference))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, torch.zeros_like(one) if other is None else other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_reference_is_a_plain_mean_over_each_members_own_symbols(name):
    population = Population(NETWORKS[name], 2, seed=3)
    symbols, lengths = sequences(2, 3)
    losses, _ = reference(population, symbols, lengths, ())
    for member in range(2):
        network = population.member(member)
        total = 0.0
        for row in range(3):
            length = int(lengths[member, row])
            text = symbols[member, row, : length + 1]
            logits = network(text[None, :-1])[0][0]
            total = total + nn.functional.cross_entropy(logits, text[1:], reduction="sum")
        loss = total / lengths[member].sum()
        assert losses[member].item() == pytest.approx(loss.item(), rel=1e-5)
        slopes = torch.autograd.grad(loss, list(network.parameters()))
        for slope, parameter in zip(slopes, population.parameters(), strict=True):
            torch.testing.assert_close(parameter.grad[member], slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_members_gradients_are_those_of_its_solo_run_to_the_last_bit(name):
    def vectors(population):
        return torch.cat([p.grad.reshape(population.members, -1) for p in population.parameters()], dim=1)

    symbols, lengths = sequences(5, 2)
    together = Population(NETWORKS[name], 5, seed=3)
    fused(together, symbols, lengths, ())
    for member in range(5):
        alone = Population(NETWORKS[name], 1, seed=3 + member)
        fused(alone, symbols[member : member + 1], lengths[member : member + 1], ())
        assert torch.equal(vectors(alone)[0], vectors(together)[member])


def test_which_kernel_is_taken(monkeypatch):
    assert choose("auto", Population(SRN_OF_TWO)) is fused
    assert choose("reference", Population(SRN_OF_TWO)) is reference
    with pytest.raises(HudynError, match=r"cannot be taken here: it is made for the CPU and float32"):
        choose("numba", Population(lambda: SRN(2).double()))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert choose("auto", Population(SRN_OF_TWO)) is reference


def SRN_OF_TWO():  # noqa: N802
    return SRN(2)
