"""From Python: train, load, look at measures, tables and networks; nothing of Hydra or Lightning in sight."""

import shutil
import subprocess
import sys

import pandas as pd
import pytest
import torch
from torch import nn

import hudyn

TINY = {"trainer.max_steps": 40, "data.evaluation_interval": 20, "members": 3}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of three SRNs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("api"))
        run = hudyn.train("srn_anb2n", "model.network.hidden_size=3", **TINY)
        run.folder = run.folder.absolute()
        return hudyn.load(run.folder)


def test_train_returns_the_finished_run(run):
    assert run.status == "done"
    assert run.record.members == 3
    assert run.folder.parent.name == "srn_anb2n"
    assert (run.folder / "report.html").is_file()
    assert "test/solved" in repr(run)
    given = (
        "experiment=srn_anb2n model.network.hidden_size=3 trainer.max_steps=40 data.evaluation_interval=20 members=3"
    )
    page = (run.folder / "report.html").read_text()
    assert f"python train.py {given}<" in page
    assert "Expected: " not in page


def test_measures_say_what_they_are(run):
    solved, excess = run.metrics["test/solved"], run.metrics["test/excess"]
    assert (solved.kind, excess.kind, run.metrics["test/first_success"].kind) == ("rate", "value", "time")
    assert solved.interval is not None
    assert excess.interval is None
    assert excess.mean == pytest.approx(float(excess.values.mean()))
    assert len(excess.values) == 3
    assert repr(run.metrics["test/first_success"]) == "time none, 3 members"
    with pytest.raises(KeyError, match=r"there is no 'test/solvd'; did you mean test/solved?"):
        run.metrics["test/solvd"]


def test_tables_are_data_frames(run):
    assert list(run.history["update"].unique()) == [20, 40]
    assert list(run.table("members")["seed"]) == [0, 1, 2]
    assert isinstance(run.history, pd.DataFrame)
    with pytest.raises(hudyn.HudynError, match=r"has no table membres; it has .*members"):
        run.table("membres")


def test_a_network_is_a_plain_module_with_the_members_weights(run):
    network = run.network(member=2)
    assert isinstance(network, nn.Module)
    assert network.hidden_size == 3
    state = torch.load(run.checkpoint, weights_only=True)["state_dict"]
    assert torch.equal(network.hidden_weight, state["population.network.hidden_weight"][2])
    logits, *_ = network(torch.tensor([[0, 0, 1]]))
    assert logits.shape == (1, 3, 2)
    with pytest.raises(hudyn.HudynError, match="member: expected 0 to 2, got 3"):
        run.network(member=3)
    with pytest.raises(hudyn.HudynError, match="member: expected 0 to 2, got '1'"):
        run.network(member="1")


def test_the_language_is_that_of_the_run(run):
    assert run.language.accepts("aabbbb")


def test_a_class_from_elsewhere_is_made_only_if_it_is_allowed(run, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("hudyn.networks.SRN", "foreign.Foreign"))
    (tmp_path / "foreign.py").write_text(
        "import pathlib\nimport hudyn\npathlib.Path(__file__).with_name('imported').touch()\n"
        "class Foreign(hudyn.networks.SRN):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    opened = hudyn.load(folder)
    assert opened.metrics["test/solved"].mean == run.metrics["test/solved"].mean
    for ask in (opened.network, lambda: opened.language):
        with pytest.raises(hudyn.HudynError, match=r"network._target_ +foreign.Foreign is not in an allowed package"):
            ask()
    assert not (tmp_path / "imported").exists()
    with pytest.raises(hudyn.HudynError, match=r"allowed_targets +expected a list of words, got 'foreign'"):
        hudyn.load(folder, allowed_targets="foreign").network()
    network = hudyn.load(folder, allowed_targets=["foreign"]).network(member=1)
    assert type(network).__name__ == "Foreign"
    assert torch.equal(network.hidden_weight, run.network(member=1).hidden_weight)


def test_load_opens_lists_folders_and_sweeps(run, tmp_path):
    runs = hudyn.load([run.folder, run.folder])
    assert [each.folder for each in runs] == [run.folder] * 2
    assert [each.folder for each in hudyn.load(run.folder.parent.parent)] == [run.folder]
    with pytest.raises(AttributeError, match=r"choose one of the 2 runs, for example runs\[-1\].network"):
        _ = runs.network
    with pytest.raises(hudyn.HudynError, match=f"holds 1 runs; name one of them. The latest: .*{run.folder.name}"):
        hudyn.resume(run.folder.parent)
    table = runs.table
    assert list(table["experiment"]) == ["srn_anb2n"] * 2
    assert table["test/excess"][0] == pytest.approx(run.metrics["test/excess"].mean)
    with pytest.raises(hudyn.HudynError, match="holds no run"):
        hudyn.load(tmp_path)


def test_mistakes_are_errors_with_all_problems(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(hudyn.HudynError, match="did you mean srn_anb2n") as caught:
        hudyn.train("srn_anb2m", members=0)
    assert "members" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_resumed_and_trained_longer(run, tmp_path):
    copied = shutil.copytree(run.folder, tmp_path / "run")
    longer = hudyn.resume(copied, **{"trainer.max_steps": 60})
    assert list(hudyn.load(copied).history["update"].unique()) == [20, 40, 60]
    assert longer.record.time["updates"] == 60
    with pytest.raises(hudyn.HudynError, match="the run keeps its seed"):
        hudyn.resume(copied, seed=3)


def test_a_stopped_run_says_how_to_go_on(tmp_path, monkeypatch):
    from hudyn.errors import Interrupted
    from hudyn.tasks.sequences import SequencePredictor

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(SequencePredictor, "make_updates", lambda *_: (_ for _ in ()).throw(Interrupted(2)))
    advice = r"continue with hudyn.resume\('outputs/srn_anb2n/[-\w]+', allowed_targets=\['narrow'\]\)"
    with pytest.raises(KeyboardInterrupt, match=advice):
        hudyn.train("srn_anb2n", allowed_targets=["narrow"], **TINY)
    (run,) = hudyn.load("outputs")
    assert run.status == "interrupted"


def test_hydra_stays_as_it_was(run):
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    assert not GlobalHydra.instance().is_initialized()
    assert HydraConfig.instance().cfg is None


def test_importing_hudyn_imports_nothing_else():
    script = "import sys; before = set(sys.modules); import hudyn; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    foreign = {name.split(".")[0] for name in done.stdout.split()} & {"torch", "numpy", "hydra", "lightning", "pandas"}
    assert foreign == set()
    assert set(hudyn.__all__) <= set(dir(hudyn))


def test_everything_public_can_be_had():
    for name in hudyn.__all__:
        assert getattr(hudyn, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = hudyn.trian
