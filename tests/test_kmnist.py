"""The assignment's results on real KMNIST."""

import pytest

BRIEF = ["trainer.max_epochs=1", "~report.evaluation"]


@pytest.fixture
def on_kmnist(command, real_kmnist, monkeypatch):
    def run(*arguments):
        outcome = command(f"data.root={real_kmnist}", *arguments)
        assert outcome.status == 0, outcome.err
        return outcome

    return run


def test_netlin_reaches_70_percent(on_kmnist):
    outcome = on_kmnist("experiment=kmnist_lin")
    assert outcome.values("test/accuracy")[0] == pytest.approx(0.695, abs=0.01)
    worst = outcome.results["evaluation"]["members"][0]["confusions"][:2]
    assert {(confusion["target"], confusion["choice"]) for confusion in worst} == {("ma", "su"), ("ha", "su")}
    assert outcome.results["time"]["updates"] == 9380


def test_netfull_reaches_85_percent(on_kmnist):
    outcome = on_kmnist("experiment=kmnist_full", "~report.evaluation")
    assert outcome.values("test/accuracy")[0] == pytest.approx(0.849, abs=0.01)
    assert outcome.results["network"]["parameters"] == 238_510


def test_members_give_the_accuracies_of_their_solo_runs(on_kmnist):
    together = on_kmnist("experiment=kmnist_lin", "members=3", *BRIEF).values("test/accuracy")
    alone = [on_kmnist("experiment=kmnist_lin", f"seed={seed}", *BRIEF).values("test/accuracy")[0] for seed in range(3)]
    assert together == alone
