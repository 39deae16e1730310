"""Loggers chosen by config: what each writes, and that a resumed run continues it."""

import csv
import importlib.machinery
import importlib.util
import sys

import pytest
from lightning.pytorch import Trainer
from omegaconf import OmegaConf

from hudyn.config.compose import compose

from .conftest import SHORT

UNREPORTED = [*SHORT, "~report.evaluation"]


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def points(folder, name):
    """The steps and values at which `metrics.csv` has a value of `name`."""
    return [(int(row["step"]), float(row[name])) for row in rows(folder / "metrics.csv") if row.get(name)]


@pytest.fixture
def installed(monkeypatch):
    """Lets packages appear to be installed, or not."""

    def appear(**packages):
        find = importlib.util.find_spec

        def find_spec(name, *rest):
            if name not in packages:
                return find(name, *rest)
            return importlib.machinery.ModuleSpec(name, None) if packages[name] else None

        monkeypatch.setattr("importlib.util.find_spec", find_spec)

    return appear


def test_csv_has_what_the_tables_have(command):
    outcome = command(*UNREPORTED, "logger=csv", "members=2")
    assert outcome.status == 0, outcome.err
    assert outcome.err == ""
    assert not list(outcome.folder.glob("events.*"))
    history = rows(outcome.folder / "tables/history.csv")
    for name in ("test/accuracy", "test/loss", "train/accuracy"):
        means = {}
        for row in history:
            means.setdefault(int(row["update"]), []).append(float(row[name]))
        expected = [(update, pytest.approx(sum(values) / 2)) for update, values in means.items()]
        assert points(outcome.folder, name) == expected
        by_epoch = [(epoch, value) for epoch, (_, value) in enumerate(expected, 1)]
        assert points(outcome.folder, f"by_epoch/{name}") == by_epoch
    assert [step for step, _ in points(outcome.folder, "train/loss")] == list(range(1, 11))
    assert points(outcome.folder, "learning_rate") == [(step, 0.01) for step in (2, 4, 5, 7, 9, 10)]
    assert OmegaConf.load(outcome.folder / "hparams.yaml") == {
        "experiment": "kmnist_lin", "network": "hudyn.networks.NetLin", "optimizer": "torch.optim.SGD", "lr": 0.01,
        "momentum": 0.5, "weight_decay": 0.0, "batch_size": 64, "epochs": 2, "members": 2, "seed": 0,
    }  # fmt: skip


def test_a_resumed_run_replaces_the_rows_after_its_checkpoint(command):
    whole, part = (command(*UNREPORTED, "logger=csv", f"trainer.max_epochs={epochs}").folder for epochs in (3, 2))
    hparams, path = (part / "hparams.yaml").read_text(), part / "metrics.csv"
    later = [",".join([step] * len(rows(path)[0])) for step in ("11", "3")]  # an update, and an epoch
    for lines in ("\n".join([*later, ""]), "1,1"):  # "1,1": half a row, by a process that was killed
        with open(path, "a") as file:
            file.write(lines)
        outcome = command(f"resume={part}", "trainer.max_epochs=3")
        assert outcome.status == 0, outcome.err
        assert outcome.err == ""
        resumed, never_stopped = (
            [row | {"samples_per_second": ""} for row in rows(folder / "metrics.csv")] for folder in (part, whole)
        )
        assert resumed == never_stopped
    assert (part / "hparams.yaml").read_text() == hparams


def test_a_checkpoint_is_never_ahead_of_the_rows(command, monkeypatch):
    """A run that is killed has lost no row before its checkpoint."""
    save, seen = Trainer.save_checkpoint, []

    def look_and_save(trainer, path):
        seen.append((trainer.global_step, points(path.parents[1], "train/loss")[-1][0]))
        save(trainer, path)

    monkeypatch.setattr(Trainer, "save_checkpoint", look_and_save)
    assert command(*UNREPORTED, "logger=csv").status == 0
    assert (10, 10) in seen
    assert all(step == logged for step, logged in seen)


def test_several_loggers_at_once_and_none(command):
    both = command(*UNREPORTED, "logger=[tensorboard,csv]")
    assert both.status == 0, both.err
    assert list(both.folder.glob("events.*"))
    assert points(both.folder, "test/accuracy")[-1] == (10, pytest.approx(both.values("test/accuracy")[0]))
    none = command(*SHORT, "logger=none")
    assert none.status == 0, none.err
    assert {path.name for path in none.folder.iterdir()} == {
        ".hydra", ".lock", "checkpoints", "config.yaml", "report.html", "results.json", "tables",
        "view.json.gz",
    }  # fmt: skip
    assert none.values("test/accuracy") == both.values("test/accuracy")
    assert command(f"resume={none.folder}", "trainer.max_epochs=3").status == 0
    assert command(f"run={none.folder}", program="eval").status == 0


def test_a_sweep_without_a_logger(command, tmp_path):
    assert command("-m", *UNREPORTED, "logger=none", "seed=1,2").status == 0
    assert len(list(tmp_path.rglob("sweep.csv"))) == 1


@pytest.mark.parametrize("package", ["mlflow", "wandb"])
def test_a_logger_whose_package_is_missing(command, installed, tmp_path, package):
    installed(**{package: False})
    outcome = command(f"logger=[csv,{package}]")
    assert outcome.status == 2
    assert (
        f'logger.{package}._target_  expected {package} installed (pip install "hudyn[{package}]"), got' in outcome.err
    )
    assert list(tmp_path.iterdir()) == []
    lightning = {"mlflow": "MLFlowLogger", "wandb": "WandbLogger"}[package]
    outcome = command(f"logger.tensorboard._target_=lightning.pytorch.loggers.{lightning}")
    assert f'expected {package} installed (pip install "hudyn[{package}]")' in outcome.err


def test_a_config_is_checked_without_its_services(small_data, installed, monkeypatch, tmp_path):
    monkeypatch.setenv("HUDYN_DATA", str(small_data))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setitem(sys.modules, "mlflow", None)  # an import would fail
    monkeypatch.setitem(sys.modules, "wandb", None)
    installed(mlflow=True, wandb=True)
    config = compose(["experiment=kmnist_lin", "logger=[mlflow,wandb]", "name=mine", "logger.wandb.project=other"])
    assert config.logger.mlflow.experiment_name == "mine"
    assert config.logger.mlflow.tracking_uri == "sqlite:///outputs/mlflow.db"
    assert config.logger.wandb.project == "other"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    config = compose(["experiment=kmnist_lin", "logger=mlflow"])
    assert config.logger.mlflow.tracking_uri == "http://localhost:5000"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_run_continues_its_run_in_mlflow(command):
    mlflow = pytest.importorskip("mlflow")
    outcome = command(*UNREPORTED, "logger=mlflow")
    assert outcome.status == 0, outcome.err
    assert command(f"resume={outcome.folder}", "trainer.max_epochs=3").status == 0
    client = mlflow.MlflowClient("sqlite:///outputs/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("kmnist_lin").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["network"] == "hudyn.networks.NetLin"
    logged = client.get_metric_history(run.info.run_id, "test/accuracy")
    assert [point.step for point in logged] == [5, 10, 15]
    assert logged[-1].value == pytest.approx(outcome.values("test/accuracy")[0])


@pytest.mark.filterwarnings("ignore")
def test_the_runs_of_a_sweep_are_runs_in_wandb(command, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert command("-m", *UNREPORTED, "logger=wandb", "seed=1,2").status == 0
    first, second = sorted(tmp_path.rglob("run-*.wandb"))
    assert first.name != second.name
    folder = first.parents[2]
    assert command(f"resume={folder}", "trainer.max_epochs=3").status == 0
    assert [path.name for path in folder.rglob("run-*.wandb")] == [first.name] * 2
