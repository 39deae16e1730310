"""How far networks count, proved, against what they do when they are run."""

import copy
import json
import math

import pytest
import torch

from hudyn.dynamics.analysis import analyse
from hudyn.languages import Counting, Dyck
from hudyn.networks import GRU, LSTM, SRN, CountingLSTM, CountingSRN
from hudyn.proof.cells import counts_up_to
from hudyn.proof.checker.counting import check_counting
from hudyn.proof.counting import prove_counting

ANBN, ANB2N = Counting([1, 1]), Counting([1, 2])


def is_right(network, language, n):
    """Whether a network in double precision names every symbol after the second block's first, and the next a."""
    word = torch.from_numpy(language.word(n))
    exact = copy.deepcopy(network).double()
    choices = exact.output(exact.run(word[None]).hidden)[0].argmax(-1)
    tested = slice(n * language.ratios[0], None)
    return torch.equal(choices[tested], torch.cat([word[1:], word[:1]])[tested])


def leaking(keeps):
    """A counting LSTM whose first cell keeps only this share of its content."""
    network = CountingLSTM(1)
    with torch.no_grad():
        network.bias[2] = math.log(keeps / (1 - keeps))
    return network


def test_the_hand_set_srn_counts_to_a_number_that_is_known_exactly():
    network = CountingSRN(4)
    proof = prove_counting(network, ANBN, most=100)
    assert (proof.right, proof.wrong) == (20, 21)
    check_counting(proof.record)
    assert all(is_right(network, ANBN, n) for n in range(1, 21))
    assert not any(is_right(network, ANBN, n) for n in (21, proof.always_wrong, 2 * proof.always_wrong))


def test_states_repeat_in_single_precision():
    network = CountingSRN(4)
    proof = prove_counting(network, ANBN, most=1)
    hidden = network.run(torch.zeros(1, 100, dtype=torch.int64)).hidden[0]
    assert torch.equal(hidden[proof.repeats], hidden[proof.repeats + proof.period])
    assert len({tuple(state) for state in hidden[: proof.repeats].tolist()}) == proof.repeats


def test_the_hand_set_lstm_counts_to_two_millions_and_sticks_where_single_precision_does():
    network = CountingLSTM(4)
    proof = prove_counting(network, ANBN, most=20)
    assert proof.right > 2_000_000
    assert (proof.wrong, proof.always_wrong) == (None, None)
    check_counting(proof.record)
    assert (proof.repeats, proof.period) == (2**24, 1)
    state = network.initial_state(1)
    state[1][0, 0] = 2.0**24 - 1
    read = network.from_input(torch.zeros(1, dtype=torch.int64))
    before, after = (network.step(read, (state[0], state[1] + more))[0][1][0, 0] for more in (0, 1))
    assert before == after == 2.0**24


@pytest.mark.parametrize("keeps", [0.9, 0.99])
def test_a_cell_that_leaks_counts_as_far_as_it_does(keeps):
    network = leaking(keeps)
    proof = prove_counting(network, ANBN, most=200)
    wrong = next(n for n in range(1, 200) if not is_right(network, ANBN, n))
    assert (proof.right, proof.wrong) == (wrong - 1, wrong)
    assert 1 <= counts_up_to(network, ANBN)[0] < wrong


def test_the_invariant_reaches_where_words_are_too_many():
    network = leaking(1 - 1e-6)
    proof = prove_counting(network, ANBN, most=20)
    assert proof.right > 100
    check_counting(proof.record)
    assert is_right(network, ANBN, proof.right)
    assert not is_right(network, ANBN, 20 * proof.right)


@pytest.mark.parametrize("cell", [SRN, LSTM, GRU, lambda *sizes: LSTM(*sizes, peepholes=True)])
def test_what_is_proved_of_random_networks_is_so(cell):
    settled = 0
    for seed in range(4):
        torch.manual_seed(seed)
        network = cell(2, 3)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(2)
        proof = prove_counting(network, ANB2N, most=8)
        check_counting(proof.record)
        assert all(is_right(network, ANB2N, n) for n in range(1, proof.right + 1))
        assert proof.wrong is None or not is_right(network, ANB2N, proof.wrong)
        if proof.always_wrong is not None:
            settled += 1
            assert not any(is_right(network, ANB2N, proof.always_wrong + more) for more in (*range(5), 100))
    assert settled >= 2


def test_a_network_that_grows_without_bounds_is_not_proved_wrong():
    network = SRN(2, 1, activation="relu")  # counts by ones, and names b as long as one is left
    with torch.no_grad():
        network.initial_hidden.zero_()
        network.hidden_weight.fill_(1.0)
        network.input_weight.copy_(torch.tensor([[1.0, -1.0]]))
        network.bias.zero_()
        network.output.weight.copy_(torch.tensor([[0.0], [1.0]]))
        network.output.bias.copy_(torch.tensor([0.5, 0.0]))
    proof = prove_counting(network, ANBN, most=50)
    assert (proof.right, proof.wrong, proof.always_wrong, proof.repeats) == (50, None, None, None)
    check_counting(proof.record)


def test_an_analysis_proves_how_far_a_counter_counts():
    proof = analyse(CountingSRN(2), Counting([1, 1], max_n=2), most=30).counting_proof
    assert "right on every word up to n = 20, wrong at n = 21" in str(proof)
    assert analyse(SRN(2, 3), Dyck()).counting_proof is None


def settling(record):
    return record["settling"]


def block(record):
    return record["cells"][1]


FALSE = {
    "counted": {
        "right further": lambda r: r.update(words_read=21, right=21, wrong=22),
        "wrong where it is right": lambda r: r.update(wrong=5, words_read=4, right=4),
        "right and wrong": lambda r: r.update(wrong=20),
        "wrong from its first error on": lambda r: r.update(always_wrong=21),
        "never right, by nothing read": lambda r: r.update(always_wrong=0),
        "a later start": lambda r: settling(r).update(start=0),
        "a basin moved": lambda r: settling(r)["basin"]["centre"].__setitem__(0, 0.5),
        "a basin that is not a number": lambda r: settling(r)["basin"]["centre"].__setitem__(0, math.nan),
        "an inverse shortened": lambda r: settling(r)["basin"]["inverse"].pop(),
        "no turns": lambda r: settling(r)["basin"].update(turns=0),
        "failing left out": lambda r: settling(r).update(failing=[]),
        "failing before it is asked": lambda r: settling(r)["failing"][0].update(after=0, basin=None),
        "failing too early": lambda r: settling(r)["failing"][0].update(after=1, basin=None),
        "a start before the first symbol": lambda r: settling(r).update(start=-5),
        "half a word": lambda r: r.update(words_read=2.5, right=2.5),
        "n that is not a number": lambda r: r.update(always_wrong=math.nan),
        "n without end": lambda r: r.update(always_wrong=math.inf),
        "a word less than none": lambda r: r.update(words_read=-7, right=-7, wrong=-5, always_wrong=None),
        "a block of nothing": lambda r: r.update(ratios=[1, 0]),
        "one block": lambda r: r.update(ratios=[1]),
        "three blocks of two symbols": lambda r: r.update(ratios=[1, 1, 1]),
        "a parameter in words": lambda r: r["parameters"]["bias"].__setitem__(0, "0.1"),
        "a parameter without end": lambda r: r["parameters"]["bias"].__setitem__(0, math.inf),
        "a row of weights too many": lambda r: r["parameters"]["hidden_weight"].append([0.0]),
        "no initial state": lambda r: r["parameters"].pop("initial_hidden"),
        "a unit less": lambda r: r.update(units=[]),
        "no size": lambda r: settling(r).update(size=-1.0),
        "a size that is not a number": lambda r: settling(r).update(size=math.nan),
        "a weight changed": lambda r: r["parameters"]["hidden_weight"][0].__setitem__(0, -0.5),
        "another language": lambda r: r.update(ratios=[1, 2]),
        "an unknown cell": lambda r: r.update(cell="linear"),
    },
    "by cells": {
        "right further": lambda r: r.update(right=3 * r["right"]),
        "nothing read": lambda r: r.update(words_read=0),
        "another slope": lambda r: block(r)["rises"].__setitem__(0, -0.5),
        "sets shrunk": lambda r: block(r).update(context=[[low / 2, high / 2] for low, high in block(r)["context"]]),
        "sets without bounds": lambda r: block(r)["context"].__setitem__(0, [-math.inf, math.inf]),
        "sets that are not numbers": lambda r: block(r)["hidden"].__setitem__(0, [math.nan, math.nan]),
        "a cell that forgets": lambda r: block(r)["keeps"].__setitem__(0, False),
        "a cell that starts anew": lambda r: block(r)["carried"].__setitem__(0, False),
        "a block left out": lambda r: r["cells"].pop(),
        "another cell": lambda r: r.update(cell="tanh_srn"),
        "an initial state": lambda r: r["parameters"].update(initial_hidden=[0.0] * 5),
        "a leak": lambda r: r["parameters"]["bias"].__setitem__(5, 3.0),
        "a readout turned": lambda r: r["parameters"]["output.weight"].reverse(),
    },
}


@pytest.fixture(scope="module")
def true():
    counted = prove_counting(CountingSRN(4), ANBN, most=30).record
    return {"counted": counted, "by cells": prove_counting(CountingLSTM(4), ANBN, most=2).record}


@pytest.mark.parametrize(("which", "name"), [(which, name) for which, names in FALSE.items() for name in names])
def test_what_is_not_proved_is_refused(which, name, true):
    record = json.loads(json.dumps(true[which]))
    check_counting(record)
    FALSE[which][name](record)
    with pytest.raises((ValueError, ArithmeticError, LookupError, TypeError)):
        check_counting(record)
