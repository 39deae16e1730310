"""Certificates for every word: proved, refuted or open, and refused by the checker when they are damaged."""

import copy
import dataclasses
import json

import pytest
import torch

from hudyn.languages import Countable, Counting, FiniteState
from hudyn.networks import GRU, LSTM, SRN, AutomatonSRN, CountingLSTM, CountingSRN
from hudyn.proof.certificate import certify
from hudyn.proof.checker.arithmetic import combined, tanh, times
from hudyn.proof.checker.command import main
from hudyn.proof.checker.words import check_words
from hudyn.proof.task import Task

from .test_handset import table


def task_of(language, joined=True):
    return Task.of(language.automaton(joined), isinstance(language, Countable))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """As runs of small networks have."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


REBER, ANBN = FiniteState(**table("reber")), Counting([1, 1])


@pytest.fixture(scope="module")
def reber():
    return certify(AutomatonSRN(**table("reber")), task_of(REBER)).record


@pytest.fixture(scope="module")
def counter():
    return certify(CountingSRN(4), task_of(ANBN)).record


def test_networks_set_by_hand_are_proved_and_checked(reber, counter):
    check_words(reber)
    check_words(counter)
    once = certify(CountingLSTM(4), task_of(ANBN, joined=False))
    assert once.status == "proved"
    check_words(once.record)


def test_a_counter_whose_rounding_adds_up_is_neither_proved_nor_refuted():
    found = certify(CountingLSTM(1), task_of(Counting([1, 1], 1)))
    assert found.status == "open"
    assert "grow without end" in str(found)


def test_a_network_that_errs_is_refuted_by_the_shortest_word():
    network = AutomatonSRN(**table("reber"))
    network.output.bias.data[REBER.alphabet.index("E")] += 200
    found = certify(network, task_of(REBER))
    assert (found.status, found.word, found.record) == ("refuted", "B", None)
    logits = network.run(torch.tensor([[REBER.alphabet.index("B")]])).logits[0, -1]
    assert REBER.alphabet[int(logits.argmax())] == "E"


@pytest.mark.parametrize(
    "make", [lambda: SRN(2, 3, "relu"), lambda: GRU(2, 2), lambda: LSTM(2, 2), lambda: LSTM(2, 2, peepholes=True)]
)
def test_search_and_checker_agree_on_every_cell(make):
    """A language whose words are all alike, a then b, which a bias alone and the last symbol decide."""
    torch.manual_seed(0)
    network, language = (
        make(),
        FiniteState({"s": [{"symbol": "a", "to": "t"}], "t": [{"symbol": "b", "to": "e"}]}, "s", "e"),
    )
    for parameter in network.parameters():
        parameter.data *= 0.3
    network.input_weight.data[..., 0] += 1
    network.input_weight.data[..., 1] -= 1
    states = network.run(torch.tensor([[0, 1] * 20])).hidden[0, -2:].detach()
    network.output.weight.data[:] = torch.stack([states[1] - states[0], states[0] - states[1]])
    network.output.bias.data[:] = -(network.output.weight.data @ states.mean(dim=0))
    found = certify(network, task_of(language))
    assert found.status == "proved"
    check_words(found.record)


def test_a_network_whose_last_new_states_are_ends_of_texts_is_proved():
    """Its weights are 0, so that it is in the same state after every word, and a is always likelier than b."""
    language = FiniteState(
        {"s": [{"symbol": "a", "to": "t"}], "t": [{"symbol": x, "to": y} for x, y in ("at", "be")]}, "s", "e"
    )
    network = SRN(2, 2)
    for parameter in network.parameters():
        parameter.data.zero_()
    network.output.bias.data[:] = torch.tensor([1.0, 0.0])
    assert certify(network, task_of(language, joined=False)).status == "proved"


def test_states_that_turn_while_they_settle_are_proved():
    """A step turns them by an eighth of a circle: no parallelogram holds where that leads, but where two steps lead."""
    language = FiniteState(
        {"s": [{"symbol": "a", "to": "t"}], "t": [{"symbol": x, "to": y} for x, y in ("at", "be")]}, "s", "e"
    )
    network = SRN(2, 2).double()
    for parameter in network.parameters():
        parameter.data.zero_()
    network.hidden_weight.data[:] = 0.8 * 0.5**0.5 * torch.tensor([[1.0, -1.0], [1.0, 1.0]])
    network.initial_hidden.data[:] = torch.tensor([0.05, 0.0])
    network.output.weight.data[0, 0], network.output.bias.data[0] = -10, 1  # right up to a hidden state of 0.1
    task = task_of(language, joined=False)
    found = certify(network, task)
    assert found.status == "proved"
    assert len(found.record["states"]) > len(task.names)


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("visits", [1, 2, 3])
def test_an_unrolled_automaton_accepts_the_same_words(joined, visits):
    task = task_of(REBER, joined)
    unrolled = task.unrolled(visits)
    same = [(0, 0)]
    for one, other in same:
        assert (task.legal[one], task.asked[one]) == (unrolled.legal[other], unrolled.asked[other])
        for to_one, to_other in zip(task.targets[one], unrolled.targets[other], strict=True):
            assert (to_one is None) == (to_other is None)
            if to_one is not None and (to_one, to_other) not in same:
                same.append((to_one, to_other))
    original = {other: one for one, other in same}
    assert len(original) == len(same) == len(unrolled.targets)
    for cut in unrolled.cuts:
        for word, target in unrolled.walks(cut):
            if target in unrolled.cuts:
                state, passed = original[cut], 0
                for symbol in word:
                    state = task.targets[state][symbol]
                    passed += state in task.cuts
                assert passed == visits


def damaged(record, change):
    other = copy.deepcopy(record)
    change(other)
    return other


def first_set(record):
    return record["sets"][0]


def between(record):
    """A state of the automaton through which errors are carried along axes of their own."""
    return next(state for state in record["states"] if "axes" in state)


DAMAGES = {
    "axes of errors missing": lambda r: between(r).pop("axes"),
    "axes of errors singular": lambda r: between(r).update(axes=[[0.0 for _ in row] for row in between(r)["axes"]]),
    "a wrong inverse of axes of errors": lambda r: between(r).update(
        inverse=[[0.0] * len(r["units"])] * len(r["units"])
    ),
    "a set moved": lambda r: first_set(r)["centre"].__setitem__(0, first_set(r)["centre"][0] + 0.01),
    "a set moved far": lambda r: first_set(r)["centre"].__setitem__(1, 5.0),
    "a set that is not a number": lambda r: first_set(r)["centre"].__setitem__(0, float("nan")),
    "an inverse that is not a number": lambda r: first_set(r).update(
        inverse=[*first_set(r)["inverse"][:-1], [float("nan")] * len(r["units"])]
    ),
    "an initial state that is not a number": lambda r: r["parameters"]["initial_hidden"].__setitem__(0, float("nan")),
    "an infinite set": lambda r: first_set(r)["axes"][0].__setitem__(0, float("inf")),
    "sets removed": lambda r: r["sets"].clear(),
    "a set of another state": lambda r: first_set(r).update(state=1),
    "axes shrunk": lambda r: first_set(r).update(axes=[[x * 1e-9 for x in row] for row in first_set(r)["axes"]]),
    "axes singular": lambda r: first_set(r).update(axes=[[0.0 for _ in row] for row in first_set(r)["axes"]]),
    "a wrong inverse": lambda r: first_set(r).update(inverse=[[0.0 for _ in row] for row in first_set(r)["inverse"]]),
    "axes grown": lambda r: first_set(r).update(axes=[[x * 1e4 for x in row] for row in first_set(r)["axes"]]),
    "an axis missing": lambda r: first_set(r)["axes"].pop(),
    "cells malformed": lambda r: first_set(r).update(cells=[0, None]),
    "a transition dropped": lambda r: r["states"][1]["targets"].pop(),
    "a transition moved": lambda r: r["states"][1]["targets"].__setitem__(0, 0),
    "no transition at all": lambda r: r["states"][0].update(targets=[]),
    "a state that is not there": lambda r: r["states"][1]["targets"].__setitem__(0, 99),
    "another symbol legal": lambda r: r["states"][1].update(legal=[0]),
    "weights of the readout changed": lambda r: r["parameters"]["output.bias"].__setitem__(0, 99.0),
    "a recurrent weight changed": lambda r: r["parameters"]["hidden_weight"][1].__setitem__(0, -99.0),
    "a bias changed": lambda r: r["parameters"]["bias"].__setitem__(1, 99.0),
    "a row of weights missing": lambda r: r["parameters"]["hidden_weight"].pop(),
    "a unit of the initial state missing": lambda r: r["parameters"]["initial_hidden"].pop(),
    "another cell": lambda r: r.update(cell="gru"),
    "a unit less": lambda r: r["units"].pop(),
    "a set along a line": lambda r: first_set(r).update(
        axes=[row[:1] for row in first_set(r)["axes"]], inverse=first_set(r)["inverse"][:1]
    ),
    "axes of errors along a line": lambda r: between(r).update(
        axes=[row[:1] for row in between(r)["axes"]], inverse=between(r)["inverse"][:1]
    ),
    "a set that is too large": lambda r: first_set(r)["axes"][0].__setitem__(0, 1e305),
    "a symbol less": lambda r: r["alphabet"].pop(),
    "a parameter in words": lambda r: r["parameters"]["bias"].__setitem__(0, "0.1"),
    "a parameter of another cell": lambda r: r["parameters"].update(candidate_bias=[0.0]),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("which", ["reber", "counter"])
def test_a_damaged_certificate_is_refused(name, which, request):
    record = json.loads(json.dumps(request.getfixturevalue(which)))
    with pytest.raises((ValueError, ArithmeticError, LookupError, TypeError)):
        check_words(damaged(record, DAMAGES[name]))


def test_the_last_digit_of_a_weight_is_refused_where_it_matters():
    """Two logits in a tie but for a bias: proved where it is above the rounding, refused at a tie."""
    network = AutomatonSRN(**table("reber")).double()
    network.output.weight.data[:], network.output.bias.data[:] = 0, 0
    network.output.bias.data[0] = 1e-11
    task = task_of(REBER)
    first = dataclasses.replace(task, asked=(False, True) + (False,) * 5)
    (legal,) = first.legal[1][:1]
    network.output.bias.data[list(first.legal[1])] = 1e-11
    network.output.bias.data[[k for k in range(7) if k not in first.legal[1]]] = 0
    record = certify(network, first).record
    check_words(record)
    record["parameters"]["output.bias"][legal] = 0.0
    with pytest.raises(ValueError, match="likelier"):
        check_words(record)


def test_what_overflows_proves_nothing():
    most = 1.7e308
    with pytest.raises(ValueError, match="too large"):
        combined([most, most, -most, -most], [(0.76, 0.77)] * 4)
    with pytest.raises(ValueError, match="too large"):
        tanh((float("nan"), 1.0))
    with pytest.raises(ValueError, match="too large"):
        times((0.0, 1.0), (0.0, float("inf")))


def test_the_command(tmp_path, monkeypatch, capsys, reber):
    path = tmp_path / "certificate.json"
    members = [{"member": 0, "status": "proved"} | reber, {"member": 1, "status": "open"}]
    monkeypatch.setattr("sys.argv", ["hudyn-verify", str(path)])

    def run():
        path.write_text(json.dumps({"members": members}))
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code, capsys.readouterr().out

    assert run() == (
        0,
        "member 0: proved right on every word of the automaton of 7 states, also in single precision\n"
        "member 1: not proved right on every word\n",
    )
    members[0] = {"member": 0, "status": "proved"} | damaged(reber, DAMAGES["a set moved far"])
    status, out = run()
    assert status == 1
    assert "REFUSED" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), ("{", "is not the"), ("[]", "is not the"), ('{"members": 1}', "is not the")],
)
def test_a_file_without_proofs_is_no_traceback(content, message, tmp_path, monkeypatch):
    path = tmp_path / "certificate.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setattr("sys.argv", ["hudyn-verify", str(path)])
    with pytest.raises(SystemExit, match=message):
        main()


def test_a_member_without_a_status_is_refused(tmp_path, monkeypatch, capsys):
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps({"members": [{}, 7]}))
    monkeypatch.setattr("sys.argv", ["hudyn-verify", str(path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    assert ["REFUSED" in line for line in capsys.readouterr().out.splitlines()] == [True, True]
