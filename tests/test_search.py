"""Searches: trials that Optuna chooses, each run once however often the search is stopped, and ended early if bad."""

import json
from types import SimpleNamespace

import pytest
import torch

from hudyn.config.compose import Composer
from hudyn.errors import Pruned
from hudyn.metrics.kinds import MeasureKind
from hudyn.metrics.measure import Measure
from hudyn.run.run import Run
from hudyn.run.training import recorded
from hudyn.sweep.search import Pruning, Search, Trials

from .test_sweeps import SEQUENCES, in_table, rows

optuna = pytest.importorskip("optuna", reason="needs optuna: pip install hudyn[sweep]")

SPACE = ["optimizer.lr=tag(log,interval(0.001,0.1))", "model.network.hidden_size=int(interval(2,5))",
         "members=range(2,9,2)", "model/network=srn,gru"]  # fmt: skip
BRIEF = [*SEQUENCES, "trainer.max_steps=100", "members=2", "~report.evaluation", "~report.dynamics"]


@pytest.fixture
def composer():
    return Composer(["experiment=srn_anb2n", "search=random", *SPACE], multirun=True)


def ended(solved: float, status: str = "done") -> dict:
    measure = Measure(torch.tensor([solved]), MeasureKind.RATE).record()
    return {"status": status, "metrics": {"test/solved": measure}, "time": {"updates": 100}}


def test_trials_are_within_their_space(composer, tmp_path):
    assert composer.problems == []
    search = Trials(Search(sampler="random"), tmp_path, composer.space)
    trials = [search.ask() for _ in range(40)]
    assert all(0.001 <= float(trial["optimizer.lr"]) <= 0.1 for trial in trials)
    assert sum(float(trial["optimizer.lr"]) < 0.01 for trial in trials) > 10  # equally likely by their logarithm
    assert {trial["model.network.hidden_size"] for trial in trials} == set("2345")
    assert {trial["members"] for trial in trials} == set("2468")
    assert {trial["model/network"] for trial in trials} == {"srn", "gru"}
    overrides = composer.trial(trials[0])
    assert f"members={trials[0]['members']}" in overrides
    assert "search=random" in overrides


def test_the_checked_configs_have_every_choice_and_the_ends_of_every_interval(composer):
    configs = [config for _, config in composer.jobs()]
    assert {config.optimizer.lr for config in configs} == {0.001, 0.1}
    assert {config.model.network.hidden_size for config in configs} == {2, 5}
    assert {config.model.network._target_.rpartition(".")[2] for config in configs} == {"SRN", "GRU"}


def test_a_search_that_was_stopped_forgets_no_trial(composer, tmp_path):
    search = Trials(Search(trials=6), tmp_path, composer.space)
    begun = [search.ask() for _ in range(4)]
    search.tell(0, ended(0.5), "test/solved")
    search.tell(1, ended(0.0, "failed"), "test/solved")
    search.tell(3, ended(1.0), "test/solved")
    resumed = Trials(Search(trials=6), tmp_path, composer.space)
    assert resumed.settings() == begun
    assert resumed.running() == [2]
    resumed.tell(2, ended(0.75), "test/solved")
    assert resumed.ask() not in begun
    assert resumed.found()["best"] == 3


def trained(updates: int, excess: float) -> tuple[SimpleNamespace, SimpleNamespace]:
    """A trainer, and a module as an evaluation leaves it."""
    trainer = SimpleNamespace(
        global_step=updates, sanity_checking=False, should_stop=False, max_steps=300, max_epochs=-1, current_epoch=0
    )
    return trainer, SimpleNamespace(results={"test/excess": Measure(torch.tensor([excess]))})


@pytest.mark.parametrize("method", ["none", "median", "halving"])
def test_a_bad_trial_is_ended_early(composer, tmp_path, method):
    search = Trials(Search(direction="min"), tmp_path, composer.space)

    def train(number: int, excess: float) -> None:
        search.ask()
        callback = Pruning("test/excess", method, direction="min")
        callback.run = Run(tmp_path / str(number))
        callback.on_fit_start(None, None)
        for updates in (100, 200, 300):
            callback.on_validation_end(*trained(updates, excess))
        result = ended(0) | {"metrics": {"test/excess": Measure(torch.tensor([excess])).record()}}
        search.tell(number, result, "test/excess")

    for number in range(6):
        train(number, 0.1)
    if method == "none":
        train(6, 0.5)
        return
    train(6, 0.05)
    with pytest.raises(Pruned, match="after 100 updates"):
        train(7, 0.5)
    search.tell(7, {"status": "pruned"}, "test/excess")
    assert search.running() == []
    assert search.found()["best"] == 6


def test_the_record_of_a_trial_that_is_ended_early_says_so(tmp_path):
    from hudyn.config.compose import compose

    run = Run(tmp_path / "0")
    run.begin(compose(["experiment=check_sigmoid"]))
    with recorded(run):
        raise Pruned("test/solved is worse than that of other trials after 100 updates")
    record = json.loads((tmp_path / "0" / "results.json").read_text())
    assert record["status"] == "pruned"
    assert "after 100 updates" in record["error"]


def test_a_search_is_resumed(command, tmp_path, monkeypatch):
    """Interrupted in its second trial, it continues that trial, and then has the others; none runs twice."""
    from hudyn.run import training

    fit, fits = training.Trainer.fit, []

    def stopped(trainer, *arguments, **settings):
        fits.append(trainer.default_root_dir)
        fit(trainer, *arguments, **settings)
        if len(fits) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training.Trainer, "fit", stopped)
    searched = ["search=tpe", "search.trials=3", "optimizer.lr=tag(log,interval(0.001,0.1))"]
    assert command("-m", *BRIEF, *searched, "hydra.sweep.dir=sweep").status == 130
    assert in_table(tmp_path / "sweep", "status") == ["done", "interrupted"]
    before = [row["optimizer.lr"] for row in rows(tmp_path / "sweep" / "sweep.csv")]
    outcome = command("resume_sweep=sweep")
    assert outcome.status == 0
    assert in_table(tmp_path / "sweep", "status") == ["done"] * 3
    assert [row["optimizer.lr"] for row in rows(tmp_path / "sweep" / "sweep.csv")][:2] == before
    assert [folder[-1] for folder in fits] == ["0", "1", "1", "2"]
    assert "best: job " in outcome.out
    states = Trials(Search(trials=3), tmp_path / "sweep", {})._study.trials
    assert [trial.state for trial in states] == [optuna.trial.TrialState.COMPLETE] * 3
    assert command("resume_sweep=sweep").status == 0
    assert len(fits) == 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["search=tpe", "optimizer.lr=interval(0.1,0.2)"], "has several jobs: add -m"),
        (["-m", "search=tpe"], "has several jobs: add -m, and intervals or several values"),
        (["-m", "optimizer.lr=interval(0.1,0.2)"], "only a search chooses from an interval: -m search=tpe"),
        (["-m", "search=tpe", "optimizer.lr=tag(log,interval(0,1))"], "with 0 < least < greatest, got 0 and 1"),
        (["-m", "search=tpe", "optimizer.lr=interval(0.1,0.2)", "objective=test/excess"], "max or min"),
        (["-m", "search=tpe", "optimizer.lr=interval(0.1,0.2)", "search.trials=0"], "expected at least 1, got 0"),
    ],
)
def test_a_search_that_cannot_be_run_says_why(command, arguments, told):
    outcome = command("experiment=srn_anb2n", *arguments)
    assert outcome.status == 2
    assert told in outcome.err


def test_an_experiment_may_declare_what_is_searched(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - srn_anb2n\n  - override /search: tpe\n"
        "search:\n  space:\n    optimizer.lr: tag(log, interval(0.001, 0.1))\n    seed: 0,64\n"
    )
    composer = Composer(["experiment=mine", "seed=1,2"], multirun=True, config_folders=[tmp_path])
    assert composer.problems == []
    assert composer.space["optimizer.lr"].interval == (0.001, 0.1)
    assert composer.space["seed"].values == ("1", "2")  # the command line's
