"""What a run and an analysis tell of how networks do what they do."""

import importlib.util
import json
from types import SimpleNamespace

import pytest
import torch

from hudyn.errors import HudynError
from hudyn.languages import Counting
from hudyn.networks import CountingLSTM
from hudyn.proof.checker.command import main
from hudyn.tasks.sequences import report_dynamics

from .test_train import rows

QUICK = ["trainer.max_steps=60", "data.evaluation_interval=30", "model.max_n=20", "data.evaluation_sequences=30"]


COUNTER = ["experiment=lstm_anbn_handset", "model.max_n=20"]


def told(outcome):
    return outcome.results["dynamics"]


def test_a_counter_set_by_hand_is_certified(command):
    counter = command(*COUNTER, draws=True)
    found = told(counter)
    (member,) = found["members"]
    assert member["kind"] == "linear counter in a cell"
    assert (member["longest"], member["trained"]) == (20, 4)
    assert member["words"] in found["words"]
    assert "context 1 rises 1.00 per a, falls 1.00 per b" in " ".join(found["words"])
    slopes = {(row["unit"], row["symbol"]): row["slope"] for row in rows(counter.folder / "tables/counters.csv")}
    assert float(slopes["context 1", "a"]) == pytest.approx(1)
    assert float(slopes["context 1", "b"]) == pytest.approx(-1)
    kinds = [{key: share[key] for key in ("kind", "members")} for share in found["kinds"]]
    assert kinds == [{"kind": "linear counter in a cell", "members": 1}]
    assert told(counter)["automata"] == {"language_states": 8, "equivalent": 1, "consistent": 1}
    assert (counter.folder / "tables/automaton.dot").read_text().startswith("digraph")
    assert (counter.folder / "tables/automaton.mmd").read_text().startswith("stateDiagram")
    assert "<svg" in (counter.folder / "figures/automaton.svg").read_text()
    table = rows(counter.folder / "tables/states_by_n.csv")
    assert [row["network"] for row in table] == [row["language"] for row in table]
    assert [int(row["language"]) for row in table] == [2 * n for n in range(1, 9)]


def test_an_analysis_of_a_run_has_a_folder_of_its_own(command):
    counter = command(*COUNTER)
    outcome = command(f"run={counter.folder}", program="analyze")
    assert outcome.status == 0
    (folder,) = (counter.folder / "analyses").iterdir()
    again = json.loads((folder / "results.json").read_text())
    assert again["dynamics"]["members"] == told(counter)["members"]
    assert told(counter)["words"][0] in outcome.out
    assert "How it does it" in (folder / "report.html").read_text()

    checkpoint = torch.load(counter.folder / "checkpoints/last.ckpt", weights_only=True)
    checkpoint["state_dict"]["population.network.bias"][0] = torch.nan
    torch.save(checkpoint, counter.folder / "checkpoints/last.ckpt")
    outcome = command(f"run={counter.folder}", program="analyze")
    assert outcome.status == 1
    assert "its training diverged" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_member_that_cannot_be_analysed_is_named():
    networks = [CountingLSTM(4), CountingLSTM(4)]
    networks[1].bias.data[0] = torch.nan
    data = SimpleNamespace(language=Counting([1, 1]), evaluation=None, joined=True)
    study = SimpleNamespace(
        results={}, members=2, seeds=[5, 6], network=networks.__getitem__, data=data, module=SimpleNamespace(max_n=5)
    )
    message = r"Member 1 \(seed 6\) cannot be analysed: network: expected finite parameters, got bias"
    with pytest.raises(HudynError, match=message):
        report_dynamics(study)


def test_the_reber_automaton_set_by_hand_is_found_and_learnt(command):
    outcome = command("experiment=srn_reber_handset", "report.dynamics.learner=true")
    found = told(outcome)
    assert found["automata"]["equivalent"] == 1
    assert found["members"][0]["kind"] is None
    assert found["kinds"] == []
    assert found["words"][-1].startswith("By L*, 7 states: equivalent to the language's own")
    assert "fork" in (outcome.folder / "tables/automaton.mmd").read_text()


def test_what_is_proved_is_told_and_can_be_checked(command, monkeypatch, capsys):
    outcome = command("experiment=srn_reber_handset", "report.dynamics.proof=true")
    assert outcome.status == 0, outcome.err
    found = told(outcome)
    assert found["members"][0]["certificate"] == "proved"
    assert "It is proved right in every text." in (outcome.folder / "report.html").read_text()
    assert any(sentence.startswith("Proved: ") for sentence in found["words"])
    assert rows(outcome.folder / "tables/mechanisms.csv")[0]["certificate"] == "proved"
    census, states = (rows(outcome.folder / f"tables/{name}.csv") for name in ("census", "census_states"))
    assert {(row["symbol"], row["period"]) for row in census} == {(symbol, n) for symbol in "BTPSXVE" for n in "12"}
    assert sum(int(row["proved"]) for row in census) == len(states) > 0
    monkeypatch.setattr("sys.argv", ["hudyn-verify", str(outcome.folder / "tables/certificate.json")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    assert capsys.readouterr().out == (
        "member 0: proved right on every word of the automaton of 7 states, also in single precision\n"
    )


def test_how_far_networks_count_is_proved_and_told(command, monkeypatch, capsys):
    outcome = command("experiment=srn_anbn_handset", "report.dynamics.proof=true")
    assert outcome.status == 0, outcome.err
    (row,) = rows(outcome.folder / "tables/mechanisms.csv")
    (member,) = told(outcome)["members"]
    assert (row["right_up_to"], row["wrong_at"]) == ("20", "21")
    assert (member["right_up_to"], member["wrong_at"]) == (20, 21)
    assert int(row["wrong_from"]) > 21
    (sentence,) = [text for text in told(outcome)["words"] if text.startswith("By proof, on single words")]
    assert "right on every word up to n = 20, wrong at n = 21" in sentence
    monkeypatch.setattr("sys.argv", ["hudyn-verify", str(outcome.folder / "tables/certificate.json")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    checked = f"ratios 1:1, right up to n = 20, wrong at n = 21, wrong from n = {row['wrong_from']} on"
    assert checked in capsys.readouterr().out


def test_untrained_networks_are_told_to_be_none_of_it(command):
    drawn = ["report.dynamics.animation=true", "report.dynamics.draw_unsolved=true"]
    outcome = command("experiment=srn_anb2n", *QUICK, "members=3", *drawn, draws=True)
    found = told(outcome)
    assert [share["kind"] for share in found["kinds"]] == ["not solved"]
    assert found["kinds"][0]["members"] == 3
    assert found["automata"]["equivalent"] == 0
    assert all(member["differs"] for member in found["members"])
    table = rows(outcome.folder / "tables/mechanisms.csv")
    assert [row["kind"] for row in table] == ["not solved"] * 3
    names = {path.name for path in (outcome.folder / "figures").iterdir()}
    assert {"mechanism.png", "phase_portrait.png", "phase_portrait.gif", "eigenvalues.png", "automaton.svg"} <= names
    points = rows(outcome.folder / "tables/fixed_points.csv")
    assert all(abs(float(row["residual"])) < 1e-9 for row in points)
    assert {row["symbol"] for row in points} == {"a", "b"}


def test_without_aalpy_the_learner_is_refused(command, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == "aalpy" else find(name, *rest))
    outcome = command("experiment=srn_reber", *QUICK, "report.dynamics.learner=true")
    assert outcome.status == 2
    message = 'report.dynamics.learner  expected false, or AALpy installed (pip install "hudyn[analysis]"), got True'
    assert message in outcome.err


def test_one_hidden_unit_and_many(command):
    for size, figure in ((1, "automaton_states.png"), (5, "principal_components.png")):
        outcome = command("experiment=srn_anbn", *QUICK, "members=1", f"model.network.hidden_size={size}",
                          "report.dynamics.draw_unsolved=true", draws=True)  # fmt: skip
        assert outcome.status == 0, outcome.err
        assert (outcome.folder / "figures" / figure).exists()


def test_a_report_that_fails_leaves_what_was_measured(command, monkeypatch):
    monkeypatch.setattr(
        "hudyn.tasks.sequences.dynamics._tables", lambda *arguments: (_ for _ in ()).throw(OSError(28, "full"))
    )
    outcome = command("experiment=srn_anbn", *QUICK, "members=1")
    assert outcome.status == 1
    assert outcome.results["status"] == "failed"
    assert len(outcome.values("test/excess")) == 1


def test_a_run_of_images_has_nothing_to_analyse(command):
    run = command("trainer.max_epochs=1")
    outcome = command(f"run={run.folder}", program="analyze")
    assert outcome.status == 2
    assert "nothing to analyse" in outcome.err
