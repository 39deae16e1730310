"""What the page says of sequences: its facts hold for networks set by hand, its figures for trained ones."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import hudyn
from hudyn.dynamics import analyse
from hudyn.dynamics.verdict import Kind, Verdict
from hudyn.languages import Counting, Dyck, FiniteState
from hudyn.metrics.kinds import MeasureKind
from hudyn.metrics.measure import Measure
from hudyn.networks import GRU, LSTM, SRN, AutomatonSRN, CountingLSTM, CountingSRN
from hudyn.proof.certificate import Certificate
from hudyn.tasks.sequences.story import FIGURES, TABLES, answer, captions, how, kinds, proved
from hudyn.tasks.sequences.story.explanation import MOST_WORDS
from hudyn.tasks.sequences.story.wording import number_of_words

ANBN = Counting([1, 1])
LEARNING = [
    "trainer.max_steps=60000", "data.evaluation_interval=20000", "logger=none",
    "~report.evaluation", "~report.dynamics",
]  # fmt: skip
NUMBER = r"(−?\d+\.\d\d)"
GRAMMAR = {
    "start": [{"symbol": "a", "to": "one"}, {"symbol": "b", "to": "other"}],
    "one": [{"symbol": "c", "to": "after_a"}],
    "other": [{"symbol": "c", "to": "after_b"}],
    "after_a": [{"symbol": "a", "to": "end"}],
    "after_b": [{"symbol": "b", "to": "end"}],
}


def found(pattern, text):
    """The groups of the only place where a pattern is found, as numbers where they are."""
    (match,) = re.finditer(pattern, text)
    return [as_number(group) for group in match.groups()]


def as_number(text):
    return float(text.replace("−", "-").replace(",", ""))


def predicted(network, language, text):
    """Probabilities after each symbol of a text, [length, alphabet], and the states before it and after each symbol."""
    symbols = torch.tensor([[language.alphabet.index(symbol) for symbol in text]])
    with torch.no_grad():
        run = network.run(symbols)
        start = torch.cat(network.initial_state(1), dim=1)
    return run.logits[0].softmax(-1).numpy(), torch.cat([start, run.states[0]]).numpy()


# How it does it --------------------------------------------------------------------------------------------------


def test_a_counter_in_a_cell():
    text = "\n".join(how(analyse(CountingLSTM(4), ANBN, most=20), "The best network, seed 3,"))
    assert text.startswith("The best network, seed 3, counts up to n = 20 in its context units, in nearly equal steps")
    assert "Context unit 1 counts the b's: it rises by 1.00 with each a and falls by 1.00 with each b." in text
    assert (
        "Each b keeps 1.00 of it (forget gate) and adds 1.00 × −1.00 (input gate × candidate); output gate 1.00."
        in text
    )
    assert "the last b takes the state across the border from predicting b (until then at least 99 %) to a" in text
    assert "makes no mistake up to n = 20, where the search ends." in text


def test_steps_that_grow_are_not_called_equal():
    analysis = analyse(CountingLSTM(4), ANBN, most=20)
    found = analysis.counters
    measured = {"linear": 0.95 * found.linear, "geometric": found.linear, "ratio": np.full_like(found.ratio, 1.27)}
    vars(analysis)["counters"] = replace(found, **measured)
    text = "\n".join(how(analysis))
    assert text.startswith("The network counts up to n = 20 in its context units.")
    assert "falls by 1.00 with each b on average, in steps that grow by a factor of 1.27." in text


def test_a_cell_that_drifts_says_where_and_why_it_ends():
    network = CountingLSTM(4)
    network.input_weight.data[2 * network.hidden_size, 1] = -np.arctanh(0.97)
    analysis = analyse(network, ANBN, most=60)
    text = "\n".join(how(analysis))
    assert analysis.verdict.kind is Kind.LINEAR
    assert "falls by 0.97 with each b" in text
    assert "What limits it is drift: context unit 1 ends the b's 0.03 higher with each n." in text
    assert found(r"It first errs at n = (\d+)", text) == [analysis.longest + 1]


def test_a_counter_by_distances():
    network = CountingSRN(4)
    analysis = analyse(network, ANBN, most=60)
    text = "\n".join(how(analysis))
    assert f"counts up to n = {analysis.longest} by distances" in text
    assert "each a multiplies the distance from one fixed point by 0.50" in text
    assert "each b multiplies the distance from another by 2.00" in text
    assert "the b's undo what the a's did: 0.50 × 2.00 = 1.00." in text
    assert "hidden unit 1 falls from 1.00 to" in text
    assert f"the {analysis.longest + 1}th by less than 0.01." in text


def test_two_b_undo_each_a():
    verdict_of = pytest.importorskip("tests.test_verdict").by_fixed_points
    analysis = analyse(verdict_of(0.25, 2, threshold=0.18), Counting([1, 2]), most=30)
    assert "0.25 × 2.00² = 1.00." in how(analysis)[0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The analysis of an SRN with two hidden units that has learnt a^n b^2n."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("story"))
        run = hudyn.train("srn_anb2n", *LEARNING, members=8)
        analysis = analyse(run.network(), run.language)
    assert analysis.verdict.kind is not Kind.UNSOLVED
    return analysis


def test_every_figure_of_a_trained_network(trained):
    """Each is measured again here, as the network reads the words."""
    network, language = trained.network, trained.language
    text = "\n".join(how(trained))
    probabilities, states = predicted(network, language, 2 * ("a" * 4 + "b" * 8))
    second, chances = states[12:], probabilities[12:]
    phases = re.findall(r"While [ab]'s are read.*?(?=\. [A-Z]|\.\n|\.$)", text)
    assert len(phases) == 2
    for values, phase in zip((second[1:5], second[5:]), phases, strict=True):
        courses = re.findall(r"unit (\d) (.*?)(?= and unit|$)", phase)
        assert [unit for unit, _ in courses] == ["1", "2"]
        for unit, told in courses:
            numbers = [as_number(number) for number in re.findall(NUMBER, told)]
            course = values[:, int(unit) - 1]
            assert numbers
            assert all(np.abs(course - number).min() < 0.0051 for number in numbers), told
    first, exact, last, certain, read = found(
        r"probability of b goes from (\d+) % \(exact: (\d+) %\) after one a to (\d+) % \(exact: (\d+) %\) after (\d)",
        text,
    )
    assert [first, last] == pytest.approx([100 * chances[0, 1], 100 * chances[3, 1]], abs=0.51)
    assert [exact, certain, read] == [25, 100, 4]

    before, then = found(r"until then at least (\d+) %\) to a \(then at least (\d+) %\)", text)
    (back,) = found(rf"back within {NUMBER} of where it was", text)
    inside, ends, off = [], [], []
    for m, n in itertools.product(range(1, 5), repeat=2):
        probabilities, states = predicted(network, language, "a" * m + "b" * 2 * m + "a" * n + "b" * 2 * n)
        inside.append(probabilities[3 * m + n : -1, 1].min())
        ends.append(probabilities[-1, 0])
        off.append(np.linalg.norm(states[-1] - states[3 * m]))
    assert 0 <= 100 * min(inside) - before < 1
    assert 0 <= 100 * min(ends) - then < 1
    assert 0 <= back - max(off) < 0.01
    assert found(r"first errs at n = (\d+)", text) == [trained.longest + 1]


def test_the_automaton_of_a_grammar():
    language = FiniteState(GRAMMAR, "start", "end", long_range=["after_a", "after_b"])
    analysis = analyse(AutomatonSRN(GRAMMAR, "start", "end"), language)
    text = "\n".join(how(analysis))
    assert text.startswith("The network has learnt the language: every legal symbol is likelier than every illegal one")
    states = len(language.automaton())
    assert f"act as an automaton of {states} states: after every word it expects the same symbols" in text
    assert "recalls the symbol from the beginning of the word in 100 % of cases" in text
    _, states = predicted(analysis.network, language, "acabcb")
    apart = np.linalg.norm(states[2] - states[5])
    assert found(rf"the states after_a and after_b, .* are {NUMBER} apart", text) == [pytest.approx(apart, abs=0.006)]


def test_a_grammar_that_is_not_remembered():
    """A network that sees the last symbol alone cannot recall the first."""
    language = FiniteState(GRAMMAR, "start", "end", long_range=["after_a", "after_b"])
    network = SRN(3, 3, init_std=0)
    network.input_weight.data[:] = 2 * torch.eye(3)
    network.output.weight.data[:] = torch.tensor([[1.0, 1, 3], [1, 1, 2], [3, 3, -3]])
    text = "\n".join(how(analyse(network, language)))
    assert text.startswith("The network has not learnt the whole language.")
    probabilities, _ = predicted(network, language, "bc")
    a, b = probabilities[1, :2]
    assert f"errs is bc: b, which can follow, gets {100 * b:.0f} %, and a, which cannot, gets {100 * a:.0f} %." in text
    assert "recalls the symbol from the beginning of the word in" in text
    assert "are less than 0.01 apart" in text


def test_an_untrained_network_has_learnt_nothing():
    torch.manual_seed(0)
    text = "\n".join(how(analyse(SRN(2, 2), Counting([1, 2]))))
    assert text.startswith("The network has not learnt to count aⁿb²ⁿ. Whatever it has read, it predicts nearly the")
    a, b = found(r"nearly the same: a (\d+) %, b (\d+) %", text)
    assert a + b == pytest.approx(100, abs=1)
    assert "It first errs at n = 1: after" in text


def test_what_a_network_has_learnt_that_does_not_count():
    """It always expects b after b."""
    network = SRN(2, 2, init_std=0)
    network.input_weight.data[:] = 2 * torch.eye(2)
    network.output.weight.data[:] = torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    text = "\n".join(how(analyse(network, Counting([1, 2]))))
    assert "While b's are to come, it predicts b in 100 % of cases; after the last b, it predicts a in 0 %." in text
    probabilities, _ = predicted(network, ANBN, "abb")
    assert f"after ab² it predicts b ({100 * probabilities[2, 1]:.0f} %) instead of a" in text
    assert "At the end of a⁴b⁸, the last b hardly moves the state: by less than 0.01." in text


@pytest.mark.parametrize(
    ("build", "language"),
    [
        (lambda: SRN(5, 6, init_std=1.0), Counting([1, 1, 1, 1, 1])),
        (lambda: LSTM(5, 6), Counting([1, 1, 1, 1, 1])),
        (lambda: GRU(2, 1), ANBN),
        (lambda: SRN(2, 1), Counting([1, 1], 1)),
        (lambda: SRN(2, 2, init_std=1.0), Dyck()),
        (lambda: LSTM(2, 2, peepholes=True), Counting([2, 1], 12)),
    ],
)
def test_every_network_is_explained_in_at_most_200_words(build, language):
    torch.manual_seed(0)
    paragraphs = how(analyse(build(), language))
    assert 0 < number_of_words(" ".join(paragraphs)) <= MOST_WORDS
    assert "nan" not in " ".join(paragraphs)
    assert all(re.match(r"[A-Z].*\.$", paragraph) for paragraph in paragraphs)


# The outcome -----------------------------------------------------------------------------------------------------


def results(solved, **values):
    measures = {f"test/{name}": Measure(torch.tensor(value, dtype=torch.float64)) for name, value in values.items()}
    return measures | {"test/solved": Measure(torch.tensor(solved), MeasureKind.RATE)}


@pytest.mark.parametrize(
    ("solved", "longest", "sentence"),
    [
        ([True] * 42 + [False] * 22, [4] * 40 + [5, 5] + [0] * 22,
         "42 of 64 networks (66 %, 95 % interval 53–76 %) predict every determined symbol of aⁿb²ⁿ up to n = 4; the "
         "median network is right up to n = 4, the best up to n = 5."),
        ([True, True], [1000, 1000],
         "All 2 networks (95 % interval 34–100 %) predict every determined symbol of aⁿb²ⁿ up to n = 4; the median "
         "network and the best are right up to n = 1,000, where the search ends."),
        ([False, False], [0, 0],
         "None of 2 networks (95 % interval 0–66 %) predicts every determined symbol of aⁿb²ⁿ up to n = 4; no "
         "network predicts even the word of n = 1."),
        ([True, False, False], [6, 0, 0],
         "1 of 3 networks (33 %, 95 % interval 6–79 %) predicts every determined symbol of aⁿb²ⁿ up to n = 4; the "
         "median network does not predict even the word of n = 1, the best is right up to n = 6."),
        ([True], [8], "The network predicts every determined symbol of aⁿb²ⁿ up to n = 4; it is right up to n = 8."),
        ([False], [0], "The network does not predict every determined symbol of aⁿb²ⁿ up to n = 4; it does not "
         "predict even the word of n = 1."),
    ],
)  # fmt: skip
def test_the_outcome_of_counting(solved, longest, sentence):
    assert answer(Counting([1, 2]), results(solved, longest=longest), 1000) == sentence


def test_the_outcome_of_another_language():
    language = Dyck()
    told = answer(language, results([True, False, False], excess=[0.1, 0.2, 0.3]), 1000)
    assert told.startswith("1 of 3 networks (33 %, 95 % interval 6–79 %) gives every legal symbol a higher probability")
    assert told.endswith(
        "the median network's cross-entropy is 0.200 nats per symbol above the language's entropy of "
        f"{language.entropy:.3f}."
    )
    told = answer(language, results([False], excess=[0.1], long_range_accuracy=[0.5]), 1000)
    assert told.startswith("The network does not give every legal symbol")
    assert told.endswith("recalls the symbol from the beginning of a word in 50 % of cases.")


@pytest.mark.parametrize(
    ("language", "statuses", "sentence"),
    [
        (Dyck(), ["proved", "open", "proved"], "2 of 3 are proved right in every text."),
        (Dyck(), ["refuted", "open"], "None of 2 are proved right in every text."),
        (Dyck(), ["proved"], "It is proved right in every text."),
        (Counting([1, 2]), ["proved", "refuted"], "1 of 2 is proved right in every text of words up to n = 4."),
        (Counting([1, 2]), ["open"], "It is not proved right in every text of words up to n = 4."),
    ],
)
def test_what_is_proved(language, statuses, sentence):
    assert proved(language, [Certificate(status) for status in statuses]) == sentence


def test_kinds():
    verdicts = [Verdict(Kind.MEMORISER), Verdict(None, "no counting"), None]
    assert kinds(verdicts, [1.0, 1.0, 0.0]) == ["memoriser", "solved", "not solved"]


# In a run --------------------------------------------------------------------------------------------------------


def test_a_run_tells_its_story(command):
    outcome = command(
        "experiment=lstm_anb2nc3n", "trainer.max_steps=60", "data.evaluation_interval=30", "model.max_n=20",
        "members=3", "data.evaluation_sequences=30", "report.dynamics.draw_unsolved=true", draws=True,
    )  # fmt: skip
    page = outcome.results["page"]
    assert page["answer"].startswith("None of 3 networks")
    assert page["kinds"] == ["not solved"] * 3
    assert page["how"][0].startswith("The best network, seed ")
    drawn = {path.stem for path in (outcome.folder / "figures").glob("*.png")}
    assert set(page["figures"]) == drawn
    tables = {path.stem for path in (outcome.folder / "tables").glob("*.csv")}
    assert set(page["tables"]) == tables - {"history"}
    assert page["answer"] in (outcome.folder / "report.html").read_text()


def test_captions_are_in_the_order_of_the_story():
    names = ["counters", "exemplar_not_solved_phase_portrait", "phase_portrait", "of_ones_own"]
    found = captions(names, FIGURES)
    assert list(found) == ["phase_portrait", "counters", "exemplar_not_solved_phase_portrait"]
    assert (
        found["exemplar_not_solved_phase_portrait"] == f"The best of the kind “not solved”. {FIGURES['phase_portrait']}"
    )
    assert all(caption.endswith(".") for caption in (*FIGURES.values(), *TABLES.values()))
