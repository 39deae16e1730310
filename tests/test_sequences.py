"""Sequences, their scores, and runs of the sequence experiments from the command line to their results."""

import itertools
import json
import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from hudyn.languages import Counting, Dyck, Palindrome
from hudyn.metrics import sequences as scores
from hudyn.metrics.longest import longest
from hudyn.metrics.sequences import ScoredTexts
from hudyn.metrics.success import SuccessHistory
from hudyn.networks.recurrent import SRN, RecurrentNetwork
from hudyn.population import Population
from hudyn.tasks.sequences.data import SequenceDataModule
from hudyn.tasks.sequences.module import SequencePredictor

from .test_train import assert_same_weights, rows, weights

ANB2N = Counting([1, 2])


def chunk(data, epoch, first, last):
    return data.chunk(epoch, first, last)


def updates_of(chunk):
    """Symbols [members, batch, time + 1] and lengths [members, batch] of each update, padded to its own longest."""
    padded, numbers = chunk.padded
    for symbols, lengths in zip(padded[:, :, 0].unbind(1), numbers[:, :, 0].unbind(1), strict=True):
        yield symbols[..., : int(lengths.max()) + 1], lengths


# Data -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", [ANB2N, Palindrome(), Dyck()])
def test_a_sequence_is_words_and_the_first_symbol_of_the_next(language):
    data = SequenceDataModule(language, words=3, members=2, seed=5)
    for symbols, lengths in updates_of(chunk(data, 0, 0, 40)):
        for member in range(2):
            length = int(lengths[member, 0])
            text = "".join(language.alphabet[symbol] for symbol in symbols[member, 0, : length + 1])
            read = language.read(text)
            assert len(read.starts) == 4
            assert read.starts[-1] == length
            assert not symbols[member, 0, length + 1 :].any()


def test_each_member_has_the_sequences_of_its_own_seed_however_many_there_are():
    together = chunk(SequenceDataModule(ANB2N, members=3, seed=7), 0, 0, 30)
    for member in range(3):
        alone = chunk(SequenceDataModule(ANB2N, members=1, seed=7 + member), 0, 0, 30)
        for (symbols, lengths), (own, length) in zip(updates_of(together), updates_of(alone), strict=True):
            assert torch.equal(lengths[member], length[0])
            assert torch.equal(symbols[member, :, : own.shape[2]], own[0])
    assert not torch.equal(together.texts[0], together.texts[1])


@pytest.mark.parametrize("batch_size", [1, 7])
def test_sequences_do_not_depend_on_how_updates_are_chunked(batch_size):
    def updates(parts):
        data = SequenceDataModule(ANB2N, batch_size=batch_size, evaluation_interval=300)
        return [update for first, last in parts for update in updates_of(chunk(data, 1, first, last))]

    whole, pieces = updates([(0, 90)]), updates([(0, 13), (13, 14), (14, 90)])
    for (symbols, lengths), (other, its) in zip(whole, pieces, strict=True):
        assert torch.equal(symbols, other)
        assert torch.equal(lengths, its)


def test_a_stream_goes_on_where_the_last_sequence_ended():
    data = SequenceDataModule(Palindrome(), words=2, stream=True)
    parts = [*updates_of(chunk(data, 0, 0, 600))]
    for (symbols, lengths), (following, _) in itertools.pairwise(parts):
        assert symbols[0, 0, lengths[0, 0]] == following[0, 0, 0]


def test_batches_cannot_be_streamed():
    with pytest.raises(ValueError, match=r"batch_size: expected 1 where data.stream is true, got 2"):
        SequenceDataModule(ANB2N, batch_size=2, stream=True)


# Scores ---------------------------------------------------------------------------------------------------------


def perfect(texts):
    """Logits of the true distributions, of one member, and their logarithms and choices."""
    logits = texts.probabilities.log().clamp(min=-60)[None]
    return logits, scores.log_probabilities(logits), scores.most_probable(logits)


@pytest.mark.parametrize("language", [ANB2N, Palindrome()])
def test_a_perfect_predictor_scores_perfectly(language):
    texts = ScoredTexts.of([language.text(5, np.random.default_rng(seed)) for seed in range(20)])
    logits, logs, choices = perfect(texts)
    assert scores.excess(logs, texts.probabilities, texts.read).item() == pytest.approx(0, abs=1e-6)
    assert scores.determined_right(choices, texts.probabilities, texts.determined).item() == 1
    assert scores.margin(logs, texts.probabilities, texts.determined).item() == pytest.approx(0.5)
    assert scores.legal_right(choices, texts.probabilities, texts.read).item() == 1
    assert scores.legal_above_others(logits, texts.probabilities, texts.read).item()


def test_the_excess_is_cross_entropy_above_entropy():
    """Of a uniform predictor it is ln 2 less the entropy; over many words that is the language's."""
    texts = ScoredTexts.of([ANB2N.text(20_000, np.random.default_rng(0))])
    logs = scores.log_probabilities(torch.zeros(1, *texts.probabilities.shape))
    found = scores.excess(logs, texts.probabilities, texts.read).item()
    assert found == pytest.approx(math.log(2) - ANB2N.entropy, abs=0.003)
    assert ANB2N.entropy == pytest.approx(math.log(4) / 7.5)


def test_one_wrong_symbol_is_counted_once():
    texts = ScoredTexts.of([ANB2N.annotate([2, 1])])  # aabbbbabb: 7 determined positions, after each b
    logits, *_ = perfect(texts)
    assert int(texts.determined.sum()) == 6
    logits[0, 0, 5] = torch.tensor([-1.0, 1.0])  # after the word, b in place of a
    choices, logs = scores.most_probable(logits), scores.log_probabilities(logits)
    assert scores.determined_right(choices, texts.probabilities, texts.determined).item() == pytest.approx(5 / 6)
    least = 1 / (1 + math.exp(2)) - 0.5
    assert scores.margin(logs, texts.probabilities, texts.determined).item() == pytest.approx(least)
    assert not scores.legal_above_others(logits, texts.probabilities, texts.read).item()


def test_the_assignments_squared_error_has_a_floor():
    texts = ScoredTexts.of([ANB2N.text(5, np.random.default_rng(seed)) for seed in range(50)])
    assumed = scores.assumed_distributions(texts.symbols, texts.probabilities)
    floor = scores.squared_error_floor(texts.probabilities, assumed, texts.read)
    assert floor > 0.01
    assert scores.squared_error(perfect(texts)[1], assumed, texts.read).item() == pytest.approx(floor, rel=1e-5)
    best = scores.squared_error(
        scores.log_probabilities(assumed.log().clamp(min=-60)[None]), assumed, texts.read
    ).item()
    assert best == pytest.approx(0, abs=1e-9)


class Counter(RecurrentNetwork):
    """Counts a^n b^2n exactly, but only up to `limit`: its hidden state is what is left of the word."""

    def __init__(self, limit: int = 1 << 30) -> None:
        super().__init__(2, 1, 1)
        self.limit = nn.Parameter(torch.tensor(float(limit)), requires_grad=False)
        with torch.no_grad():
            self.input_weight.copy_(torch.tensor([[2.0, -1.0]]))
            self.bias.zero_()

    def step(self, from_input, state):
        return (torch.minimum(state[0] + from_input, 2 * self.limit),), ()

    def run(self, symbols, state=None):
        found = super().run(symbols, state)
        logits = torch.cat([0.5 - found.hidden, found.hidden - 0.5], dim=-1)
        return type(found)(logits, found.hidden, None, {})


def test_how_far_a_network_counts():
    limits = iter([1, 3, 4, 9, 60, 1000])
    population = Population(lambda: Counter(next(limits)), members=6)
    assert longest(population, ANB2N, most=200).tolist() == [1, 3, 4, 9, 60, 200]
    assert longest(Population(lambda: Counter(5)), ANB2N, most=200).tolist() == [5]
    assert longest(Population(lambda: Counter(5)), ANB2N, most=3).tolist() == [3]


def test_a_history_of_success():
    history = SuccessHistory()
    solved = torch.tensor([[0, 0, 1, 0], [0, 1, 1, 0], [0, 0, 1, 1], [0, 1, 1, 0], [0, 1, 1, 1]], dtype=torch.bool)
    for number, row in enumerate(solved, start=1):
        history.add(1000 * number, row)
    assert history.first_success.nan_to_num(-1).tolist() == [-1, 2000, 1000, 3000]
    assert history.sustained.tolist() == [False, True, True, True]
    assert history.sustained_success.nan_to_num(-1).tolist() == [-1, 4000, 1000, 5000]
    again = SuccessHistory()
    again.load_state_dict(history.state_dict())
    assert torch.equal(again.first_success, history.first_success) or again.first_success.isnan().any()
    assert again.updates == history.updates


# Runs -----------------------------------------------------------------------------------------------------------

QUICK = ["trainer.max_steps=90", "data.evaluation_interval=30", "data.updates_per_step=8", "model.max_n=20",
         "data.evaluation_sequences=20", "trainer.log_every_n_steps=10", "threads=1",
         "~report.dynamics"]  # fmt: skip
UNREPORTED = [*QUICK, "~report.evaluation"]  # for tests of numbers, which need no figures


@pytest.mark.parametrize("experiment", ["srn_anb2n", "lstm_anb2nc3n", "lstm_reber_embedded"])
def test_members_reproduce_their_solo_runs_to_the_last_bit(command, experiment):
    together = command(f"experiment={experiment}", *UNREPORTED, "members=3", "seed=4")
    assert together.status == 0, together.err
    for member in (0, 2):
        solo = command(f"experiment={experiment}", *UNREPORTED, "members=1", f"seed={4 + member}")
        for name, values in weights(solo.folder).items():
            assert torch.equal(values, weights(together.folder)[name][member])
        for name in together.results["metrics"]:
            one, other = solo.values(name)[0], together.values(name)[member]
            assert one == (other if other is None else pytest.approx(other, rel=1e-5))


def test_a_stopped_stream_resumes_to_the_same_bits(command):
    settings = ["experiment=srn_anb2n", *UNREPORTED, "members=2", "data.stream=true"]
    whole = command(*settings)
    part = command(*settings, "trainer.max_steps=37")
    assert command(f"resume={part.folder}", "trainer.max_steps=90").status == 0
    assert_same_weights(weights(whole.folder), weights(part.folder))


def test_longer_words_are_evaluated_than_were_trained(command):
    outcome = command("experiment=srn_anb2n", *UNREPORTED, "members=2")
    again = command(f"run={outcome.folder}", "data.language.max_n=9", program="eval")
    assert again.status == 0, again.err
    (folder,) = (outcome.folder / "evaluations").iterdir()
    found = json.loads((folder / "results.json").read_text())["metrics"]
    assert found["test/excess"]["values"] != outcome.values("test/excess")
    assert found["test/first_success"]["values"] == outcome.values("test/first_success")


def test_an_example_of_ones_own_is_traced(command):
    outcome = command("experiment=srn_anb2n", *QUICK, "members=1", "data.example=aaaaaabbbbbbbbbbbbab")
    assert outcome.status == 0, outcome.err
    assert "".join(row["symbol"] for row in rows(outcome.folder / "tables/trace.csv")) == "aaaaaabbbbbbbbbbbbab"


def test_updates_per_step_and_the_reference_do_not_change_the_result(command):
    first = command("experiment=lstm_anb2nc3n", *UNREPORTED, "data.batch_size=3", "members=2")
    other = command("experiment=lstm_anb2nc3n", *UNREPORTED, "data.batch_size=3", "members=2",
                    "data.updates_per_step=30", "model.kernel=reference")  # fmt: skip
    assert other.status == 0, other.err
    for name, values in weights(first.folder).items():
        torch.testing.assert_close(weights(other.folder)[name], values, rtol=1e-4, atol=1e-5)
    history = rows(first.folder / "tables/history.csv")
    assert [row["update"] for row in history] == ["30", "30", "60", "60", "90", "90"]


@pytest.mark.parametrize(
    ("experiment", "figures", "parameters"),
    [
        ("srn_anb2n", {"hidden_states", "time_course", "accuracy_by_n", "longest", "success"}, 18),
        (
            "lstm_anb2nc3n",
            {"hidden_states", "hidden_states_3d", "context_states", "context_states_3d", "time_course", "accuracy_by_n",
             "longest", "success"},
            96,
        ),
        ("srn_reber", {"hidden_states", "time_course", "success"}, 43),
    ],
)  # fmt: skip
def test_what_a_run_leaves_behind(command, experiment, figures, parameters):
    outcome = command(f"experiment={experiment}", *QUICK, "members=2", draws=True)
    assert outcome.status == 0, outcome.err
    assert outcome.results["network"]["parameters"] == parameters
    assert {path.stem for path in (outcome.folder / "figures").glob("*.png")} == figures
    trace = rows(outcome.folder / "tables/trace.csv")
    for row in trace:
        for kind in ("predicted", "true"):
            assert sum(float(value) for name, value in row.items() if name.startswith(kind)) == pytest.approx(
                1, abs=1e-5
            )
    text = (outcome.folder / "tables/trace.txt").read_text().splitlines()
    assert text[0] == "".join(row["symbol"] for row in trace)
    assert len(text) == len(trace) + 3
    assert rows(outcome.folder / "tables/members.csv")[1]["seed"] == "1"
    assert set(outcome.results["metrics"]) == {"train/loss", *TAKEN[experiment == "srn_reber"]}


COMMON = {f"test/{name}" for name in (
    "excess", "accuracy", "legal_accuracy", "margin", "solved", "strict", "sustained", "first_success",
    "sustained_success",
)}  # fmt: skip
TAKEN = {False: COMMON | {"test/squared_error", "test/squared_error_floor", "test/longest"}, True: COMMON}


@pytest.mark.parametrize(
    ("arguments", "path", "message"),
    [
        (["data.language.max_n=0"], "data", "max_n: expected"),
        (["data.language.ratios=[1,0]"], "data", "ratios: expected"),
        (["data.example=aabx"], "data.example", "symbol 4, after 'aab': expected a or b, got 'x'"),
        (["data.example=aabab"], "data.example", "symbol 4, after 'aab': expected b, got 'a'"),
        (["data.evaluation_max_n=3"], "data", "evaluation_max_n: expected at least 4, the language's max_n, got 3"),
        (["data.language.max_n=100000"], "data.language.max_n", "GB for 64 members; this machine has"),
        (["model.network.alphabet_size=3"], "model.network", "expected alphabet_size 2, got 3"),
        (["model/network=net_lin"], "model.network", "NetLin reads images, but this task has symbols"),
        (["data/language=anbmcm"], "data/language", "did you mean anbmcnm?"),
        (["model.max_n=0"], "model", "max_n: expected at least 1, got 0"),
    ],
)
def test_mistakes_are_named_before_anything_runs(command, tmp_path, arguments, path, message):
    from .test_config import problems

    outcome = command("experiment=srn_anb2n", *arguments)
    assert outcome.status == 2
    found = problems(outcome)
    assert any(place.startswith(path) and message in f"{place}: {told}" for place, told in found.items()), found
    assert len(found) == 1
    assert list(tmp_path.iterdir()) == []


class BadCell(SRN):
    """A cell whose step returns what the test says."""

    returned = ((torch.zeros(2, 2),), ())

    def step(self, from_input, state):
        return self.returned(state) if callable(self.returned) else self.returned


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (((torch.zeros(2, 1),), ()), "of shapes [(2, 2)] and [], got [(2, 1)] and []"),
        (torch.zeros(2, 2), "expected its step to return (state, gates)"),
        ((torch.zeros(2, 2),), "got something else"),
        (lambda cell, state: state[0] @ torch.zeros(3, 3), "its step fails: RuntimeError: mat1 and mat2"),
    ],
)
def test_a_cell_whose_step_does_not_fit_is_refused(returned, message, monkeypatch):
    monkeypatch.setattr(BadCell, "returned", returned)
    with pytest.raises(ValueError, match=re.escape(message)):
        SequencePredictor.check_network(BadCell(2, 2), SequenceDataModule(ANB2N))
