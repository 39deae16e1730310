"""Recurrent networks against torch.nn's own, and the kernels that train them."""

import importlib
import math
import pickle
from functools import partial
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from torch import nn

from hudyn.errors import HudynError
from hudyn.kernels.dispatch import TABLE
from hudyn.kernels.numba.compile import compiled
from hudyn.kernels.recurrent import (
    Sequences,
    cell_name,
    fused,
    one_by_one,
    predictions,
    recurrent_losses,
    reference,
    together,
    updates_by,
)
from hudyn.kernels.steps import StepSettings
from hudyn.networks import GRU, LSTM, SRN
from hudyn.population import Population, member_vectors

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
OPTIMIZERS = {
    "sgd": partial(torch.optim.SGD, lr=0.1, weight_decay=0.01),
    "momentum": partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    "nesterov": partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": partial(torch.optim.Adam, lr=0.01, weight_decay=0.01),
    "adamw": partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1),
    "rmsprop": partial(torch.optim.RMSprop, lr=0.01, weight_decay=0.01),
    "rmsprop with momentum": partial(torch.optim.RMSprop, lr=0.01, momentum=0.9),
}
MOMENTS = ("momentum_buffer", "exp_avg", "exp_avg_sq", "square_avg")


def sequences(*shape, seed=0, longest=11):
    """Padded symbols and unequal lengths of random sequences."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, shape, generator=generator)
    lengths.view(-1)[0] = longest
    symbols = torch.randint(3, (*shape, longest + 1), generator=generator)
    return symbols.masked_fill(torch.arange(longest + 1) > lengths[..., None], 0), lengths


def begun_in(network, members, batch):
    """A state to begin in, as if carried on."""
    generator = torch.Generator().manual_seed(9)
    shape = members, batch, network.hidden_size
    parts = range(1 + network.has_context)
    return tuple(torch.rand(shape, generator=generator, dtype=network.bias.dtype) for _ in parts)


def losses_and_gradients(kernel, population, symbols, lengths, state):
    losses, ends = kernel(population, symbols, lengths, state)
    losses.sum().backward()
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in population.parameters()]
    return [losses.detach(), *ends, *gradients]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("members", "batch", "carried"), [(1, 1, False), (1, 40, True), (3, 1, False), (4, 3, True)])
def test_fused_gradients_are_those_of_the_reference(name, dtype, members, batch, carried):
    found = []
    symbols, lengths = sequences(members, batch)
    for kernel in (fused, reference):
        population = Population(NETWORKS[name], members, seed=3).to(dtype)
        state = begun_in(population.network, members, batch) if carried else ()
        found.append(losses_and_gradients(kernel, population, symbols, lengths, state))
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-10, "atol": 1e-12}
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, **tolerance)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("members", "batch"), [(1, 1), (2, 3)])
def test_gradients_are_those_of_finite_differences(name, members, batch):
    symbols, lengths = sequences(members, batch, longest=5)
    population = Population(NETWORKS[name], members, seed=1).double()
    network = population.network
    parts = [p.detach().reshape(members, -1) for n, p in network.named_parameters() if n != "initial_hidden"]
    parameters = torch.cat(parts, dim=1).requires_grad_()
    start = torch.stack(begun_in(network, members, batch)).requires_grad_()

    def losses(start, parameters):
        return recurrent_losses(cell_name(network), 3, symbols, lengths, start, parameters)[0]

    assert torch.autograd.gradcheck(losses, (start, parameters))


def test_gradients_of_gradients_are_refused():
    population = Population(NETWORKS["lstm"], 1).double()
    losses, _ = fused(population, *sequences(1, 1), ())
    (slope,) = torch.autograd.grad(losses.sum(), population.network.bias, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        slope.sum().backward()


def test_the_operator_is_a_good_citizen_of_torch():
    """Its schema, its autograd and its shapes without data are what torch.library asks for."""
    network = Population(NETWORKS["lstm"], 2).network
    symbols, lengths = sequences(2, 3)
    start = torch.stack(begun_in(network, 2, 3)).requires_grad_()
    parameters = torch.cat([p.detach().reshape(2, -1) for p in network.parameters()], dim=1).requires_grad_()
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(recurrent_losses, ("lstm", 3, symbols, lengths, start, parameters), test_utils=checks)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_reference_is_a_plain_mean_over_each_members_own_symbols(name):
    population = Population(NETWORKS[name], 2, seed=3)
    symbols, lengths = sequences(2, 3)
    losses, _ = reference(population, symbols, lengths, ())
    losses.sum().backward()
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


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", ["srn", "lstm with peepholes", "gru"])
def test_many_updates_in_one_call_are_those_of_torch_one_by_one(name, optimizer, stream):
    symbols, lengths = sequences(3, 16, 1 if stream else 2)
    found = []
    for make_updates in (partial(one_by_one, reference), together):
        population = Population(NETWORKS[name], 3, seed=3).double()
        steps, state, results = OPTIMIZERS[optimizer](population.parameters()), (), []
        for part in (slice(0, 9), slice(9, 16)):
            chunk = Sequences.from_padded(symbols[:, part], lengths[:, part])
            settings = StepSettings.constant(steps, 3, len(range(16)[part]))
            losses, state = make_updates(population, steps, settings, chunk, state, stream)
            results.append(losses)
        kept = [steps.state[p].get(key) for p in population.parameters() for key in MOMENTS]
        moments = [moment for moment in kept if moment is not None]
        found.append([*results, *state, *(p.detach() for p in population.parameters()), *moments])
        assert len(state) == (1 + population.network.has_context if stream else 0)
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_members_updates_are_those_of_its_solo_run_to_the_last_bit(name, threads, monkeypatch):
    monkeypatch.setattr("hudyn.kernels.threads._threads", threads)
    symbols, lengths = sequences(5, 8, 2)

    def train(population, rows):
        optimizer = OPTIMIZERS["adam"](population.parameters())
        settings = StepSettings.constant(optimizer, population.members, 8)
        together(population, optimizer, settings, Sequences.from_padded(symbols[rows], lengths[rows]), (), False)

    alone, everyone = [], Population(NETWORKS[name], 5, seed=3)
    train(everyone, slice(None))
    for member in range(5):
        population = Population(NETWORKS[name], 1, seed=3 + member)
        train(population, slice(member, member + 1))
        alone.append(member_vectors(population.parameters(), 1)[0])
    assert torch.equal(torch.stack(alone), member_vectors(everyone.parameters(), 5))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_large_batch_is_shared_out_without_changing_a_bit(threads, monkeypatch):
    symbols, lengths = sequences(2, 70)
    population = Population(NETWORKS["lstm"], 2)
    alone = losses_and_gradients(fused, population, symbols, lengths, ())
    population.zero_grad()
    monkeypatch.setattr("hudyn.kernels.threads._threads", threads)
    shared = losses_and_gradients(fused, population, symbols, lengths, ())
    assert all(torch.equal(one, other) for one, other in zip(alone, shared, strict=True))


@pytest.mark.parametrize("name", NETWORKS)
def test_fused_predictions_are_the_networks_own(name, monkeypatch):
    population = Population(NETWORKS[name], 3, seed=5)
    symbols, lengths = sequences(4)
    read = torch.arange(symbols.shape[1]) < lengths[:, None]
    ours = predictions("numba", population, symbols, read)
    theirs = predictions("reference", population, symbols, read)
    assert ours.shape == theirs.shape == (3, lengths.sum(), 3)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    monkeypatch.setattr("hudyn.kernels.recurrent.POSITIONS_AT_ONCE", 3 * symbols.shape[1])  # text by text
    torch.testing.assert_close(predictions("reference", population, symbols, read), theirs, rtol=1e-6, atol=1e-7)


def test_net_inputs_of_any_size_give_no_nan():
    """Gates that are shut or open to rounding, and tanh at ±1."""
    for name in ("srn", "lstm with peepholes", "gru"):
        found = []
        for kernel in (fused, reference):
            population = Population(NETWORKS[name], 2).double()
            with torch.no_grad():
                for parameter in population.parameters():
                    parameter *= 1000
            found.append(losses_and_gradients(kernel, population, *sequences(2, 2), ()))
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_table_names_every_parameter_of_a_cell(name):
    network = NETWORKS[name]()
    names = {parameter.replace("output.", "output_") for parameter, _ in network.named_parameters()}
    assert set(TABLE[type(network)].parameters) - {"peepholes"} == names - {"peepholes"}


def test_which_kernel_is_taken(monkeypatch):
    def updates(kernel, population, optimizer=OPTIMIZERS["sgd"]):
        return updates_by(kernel, population, optimizer(population.parameters()))

    population = Population(NETWORKS["srn"])
    assert updates("auto", population) is together
    assert updates("reference", population).args == (reference,)
    assert updates("auto", population, torch.optim.Adagrad).args == (fused,)
    assert updates("numba", population, partial(torch.optim.Adam, amsgrad=True)).args == (fused,)
    with pytest.raises(HudynError, match=r"model.kernel=triton is not available here: (triton is|it runs on cuda)"):
        updates("triton", population)
    with pytest.raises(HudynError, match=r"it runs on cpu, in float32 or float64"):
        updates("numba", Population(NETWORKS["srn"]).bfloat16())
    population.network.bias.requires_grad_(False)
    assert updates("auto", population).args == (fused,)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert updates("auto", population).args == (reference,)
    with pytest.raises(HudynError, match=r'numba is not installed \(pip install "hudyn\[speed\]"\)'):
        updates("numba", population)


def test_a_kernel_cached_by_an_earlier_version_is_compiled_again(tmp_path, monkeypatch):
    (tmp_path / "doubling.py").write_text("def doubled(values):\n    values *= 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    function = importlib.import_module("doubling").doubled
    index = Path(compiled(function)._cache._cache_file._index_path)
    index.parent.mkdir(exist_ok=True)
    index.write_bytes(pickle.dumps(numba.__version__) + b"chudyn.kernels.numba.srn\nGone\n.")
    values = np.ones(2)
    compiled(function)(values)
    assert values.tolist() == [2, 2]
