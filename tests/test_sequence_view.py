"""What the page gets of sequence predictors, and whether its evaluators compute what torch does."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hudyn.languages import Counting, Dyck, FiniteState, Language, Palindrome
from hudyn.networks import GRU, LSTM, SRN, GridMLP, NetConv, NetFull, NetLin
from hudyn.networks.handset import AutomatonSRN, CountingLSTM, CountingSRN
from hudyn.tasks.sequences.view import drawn, longest_read, states
from hudyn.tasks.views import specification

EVALUATE = Path(__file__).parent / "js" / "evaluate.mjs"
ERROR = 1e-6
ONE_WAY = {"s": [{"symbol": "a", "to": "t"}], "t": [{"symbol": "b", "to": "end"}, {"symbol": "a", "to": "t"}]}
HAND_SET = {"end": "end", "start": "s", "transitions": ONE_WAY}
RECURRENT: dict[str, Callable[[], nn.Module]] = {
    "SRN": lambda: SRN(3, 2, init_std=1.0),
    "SRN of one unit": lambda: SRN(3, 1, init_std=1.0),
    "SRN with relu": lambda: SRN(3, 4, activation="relu", init_std=0.5),
    "LSTM": lambda: LSTM(3, 3),
    "LSTM with peepholes": lambda: LSTM(3, 17, peepholes=True),
    "GRU": lambda: GRU(3, 5),
    "hand-set LSTM": lambda: CountingLSTM(4),
    "hand-set SRN": lambda: CountingSRN(4),
    "automaton": lambda: AutomatonSRN(**HAND_SET),
}
WEIGHTS = {"hidden": [[1, 1], [1, -2]], "hidden_bias": [-0.5, 0.2], "output": [1, -1], "output_bias": -0.5}


def evaluated(network: nn.Module, **inputs: Any) -> Any:
    """What networks.js computes of a network in double precision; the test is skipped without node."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed, so the page's evaluators cannot be run")
    vector = torch.cat([value.detach().flatten() for value in network.parameters()]).tolist()
    job = {"specification": specification(network), "vector": vector, **inputs}
    ran = subprocess.run(
        ["node", str(EVALUATE)], input=json.dumps([job]), capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)[0]


def assert_equal(given: Any, expected: torch.Tensor) -> None:
    torch.testing.assert_close(torch.tensor(given, dtype=torch.float64), expected.double(), atol=ERROR, rtol=ERROR)


@pytest.mark.parametrize("name", RECURRENT)
def test_the_page_reads_texts_as_torch_does(name: str) -> None:
    torch.manual_seed(1)
    network = RECURRENT[name]().double().requires_grad_(False)
    symbols = torch.randint(network.alphabet_size, (1, 40))
    expected = network.run(symbols)
    steps = evaluated(network, symbols=symbols[0].tolist())
    assert_equal([step["logits"] for step in steps], expected.logits[0])
    assert_equal([step["hidden"] for step in steps], expected.hidden[0])
    if expected.context is not None:
        assert_equal([step["context"] for step in steps], expected.context[0])
    for place, gate in enumerate(expected.gates.values()):
        assert_equal([step["gates"][place] for step in steps], gate[0])
    assert len(steps[0]["gates"]) == len(network.gate_names)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "step"])
def test_the_page_classifies_points_as_torch_does(activation: str) -> None:
    torch.manual_seed(1)
    network = GridMLP(2, activation, weights=WEIGHTS if activation == "step" else None, init_std=1.0).double()
    points = torch.rand(20, 2, dtype=torch.float64) * 3
    results = evaluated(network, points=points.tolist())
    with torch.no_grad():
        units, output = network.activations(points)
        log_odds = network.output(units)[:, 0]
    assert_equal([result["units"] for result in results], units)
    assert_equal([result["output"] for result in results], output)
    assert_equal([result["logOdds"] for result in results], log_odds)


@pytest.mark.parametrize("network", [NetLin(), NetFull(7), NetConv((3, 4)), NetConv((2,), kernel_size=3)])
def test_the_page_classifies_images_as_torch_does(network: nn.Module) -> None:
    network = network.double().requires_grad_(False)
    images = torch.rand(2, 1, 28, 28, dtype=torch.float64) * 2 - 1
    assert_equal(evaluated(network, images=images.flatten(1).tolist()), network(images).exp())


@pytest.mark.parametrize(
    "language", [Counting([1, 2]), Counting([2, 1, 1], 3, "geometric"), Dyck(2, 3), FiniteState(**HAND_SET)]
)
def test_states_tell_the_true_probabilities(language: Language) -> None:
    known = states(language, longest_read(language) if isinstance(language, Counting) else None)
    assert known is not None
    text = language.text(30, np.random.default_rng(0))
    state = 0
    for symbol, probabilities in zip(text.symbols, text.probabilities, strict=True):
        state = known["targets"][state, symbol]
        np.testing.assert_allclose(known["probabilities"][state], probabilities)


def test_states_know_words_longer_than_those_of_training() -> None:
    language = Counting([1, 2], max_n=4)
    longest = longest_read(language)
    assert longest == 12
    known = states(language, longest)
    assert known is not None
    state = 0
    for place, symbol in enumerate(language.word(12)):
        seen = known["probabilities"][state, symbol] > 0
        assert seen != (4 <= place < 12)  # training never shows more than four a's
        state = known["targets"][state, symbol]
    assert state == 0


def test_large_automata_are_left_out() -> None:
    assert longest_read(Counting([1, 1], max_n=100)) is None
    assert states(Counting([1, 1], max_n=100), None) is None
    assert states(Palindrome(10)) is None
    assert drawn(Palindrome(4), joined=True) is None


def test_the_drawn_automaton_ends_where_words_are_not_joined() -> None:
    joined, single = (drawn(Counting([1, 1], max_n=2), joined) for joined in (True, False))
    assert joined is not None
    assert single is not None
    assert len(single["names"]) == len(joined["names"]) + 1
    assert [(drawing["targets"] == -1).all(axis=1).sum() for drawing in (joined, single)] == [0, 1]
