"""The check of a command line: all problems together, each with its path and the nearest valid name."""

import sys

import pytest

from .conftest import ROOT


def problems(outcome):
    """Path and message of each problem reported."""
    heading, *lines = outcome.err.splitlines()
    assert "in the configuration; nothing was run." in heading
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines}


def test_everything_is_reported_together(command, tmp_path):
    outcome = command(
        "experiment=kmnist_full",
        "memebrs=3",
        "members=0",
        "seed=-1",
        "model.network.hidden_size=-3",
        "data.batch_size=0",
        "data.evaluation_batch_size=none",
        "optimizer.lr=-1",
        "+optimizer.momentun=0.5",
        "trainer.accelerator=qpu",
        "callbacks.checkpoint.interval=0",
        "logger.tensorbord.x=1",
    )
    assert outcome.status == 2
    found = problems(outcome)
    assert set(found) == {
        "memebrs",
        "members",
        "seed",
        "model.network.hidden_size",
        "data.batch_size",
        "data.evaluation_batch_size",
        "optimizer.lr",
        "optimizer.momentun",
        "trainer.accelerator",
        "callbacks.checkpoint.interval",
        "logger.tensorbord",
    }
    assert found["memebrs"].endswith("did you mean members?")
    assert found["members"] == "expected an integer of at least 1, got 0"
    assert found["model.network.hidden_size"] == "expected at least 1, got -3"
    assert found["optimizer.momentun"].endswith("did you mean momentum?")
    assert found["logger.tensorbord"].endswith("did you mean tensorboard?")
    assert "qpu" in found["trainer.accelerator"]
    assert "Traceback" not in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "path", "message"),
    [
        (["experiment=kmnist_ful"], "experiment", "there is no option kmnist_ful; did you mean kmnist_full?"),
        (["trainer=gpuu"], "trainer", "there is no option gpuu; did you mean gpu?"),
        (["model/netwrk=net_lin"], "model/netwrk", "there is no such group; did you mean model/network?"),
        (["modle=x"], "modle", "there is no such key; did you mean model?"),
        (["lr=0.1"], "lr", "did you mean optimizer.lr?"),
        (["model.network.width=3"], "model.network.width", "there is no such key of hudyn.networks.NetLin"),
        (["threads=-1"], "threads", "expected an integer of at least 0, got -1"),
        (["data.batchsize=3"], "data.batchsize", "did you mean batch_size?"),
        (["data.dataset=KMIST"], "data.dataset", "expected one of KMNIST, MNIST, FashionMNIST, got 'KMIST'"),
        (["data.root=???"], "data.root", "needs a value: data.root=..."),
        (["~data.root"], "data.root", "hudyn.tasks.characters.KMNISTDataModule needs this argument"),
        (["members=true"], "members", "expected an integer, got True"),
        (["trainer.max_epochs=ten"], "trainer.max_epochs", "expected an integer, got 'ten'"),
        (["tags=quick"], "tags", "expected a list of words, got 'quick'"),
        (["name=${nothing}"], "name", "Interpolation key 'nothing' not found"),
        (["model.network._target_=hudyn.networks.NetLyn"], "model.network._target_", "did you mean NetLin?"),
        (["model.network._target_=hudyn.network.NetLin"], "model.network._target_", "there is no network in hudyn"),
        (["model.network._target_=torch.nn.Tanh"], "model.network", "Tanh does not fit the data: given images"),
        (["model.network._target_=subprocess.run"], "model.network._target_", "not in an allowed package"),
        (
            ["allowed_targets=[nowhere]", "model.network._target_=nowhere.Net"],
            "model.network._target_",
            "there is no module nowhere",
        ),
        (["optimizer._target_=torch.optim.Adafactor", "~optimizer.momentum", "members=2"], "optimizer._target_", "mix"),
        (["optimizer._target_=torch.optim.LBFGS", "~optimizer.momentum", "~optimizer.weight_decay"],
         "optimizer._target_", "several times an update"),
        (["objective=test/acuracy"], "objective", "did you mean test/accuracy?"),
        (["objective=val/loss"], "objective", "there is no measure val/loss"),
        (["seed=18446744073709551616"], "seed", "expected an integer below 2^62"),
        (["+trainer.gradient_clip_val=1.0"], "trainer.gradient_clip_val", "is not possible here"),
        (["+trainer.accumulate_grad_batches=2"], "trainer.accumulate_grad_batches", "is not possible here"),
        (["~callbacks.checkpoint"], "callbacks.checkpoint", "a run cannot do without it"),
        (["model.network.hidden_size=3,4", "experiment=kmnist_full"], "command", "add --multirun"),
    ],
)  # fmt: skip
def test_one_mistake(command, tmp_path, arguments, path, message):
    outcome = command(*arguments)
    assert outcome.status == 2
    assert message in problems(outcome)[path]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("hudyn.run.folder.os.makedirs", "is not a class of hudyn's own"),
        ("hudyn.run.folder.claim_folder", "is not a class of hudyn's own"),
        ("hudyn.tasks.characters.files.np.save", "is not a class of hudyn's own"),
        ("torch.nn.init.zeros_", "is not a class of torch's own"),
        ("hudyn.run.progress.Progress", "expected a Module, got hudyn.run.progress.Progress"),
    ],
)
def test_only_classes_of_the_expected_kind_are_made(command, tmp_path, target, message):
    place = tmp_path / "made_by_a_config"
    outcome = command(f"model.network._target_={target}", f"+model.network.name={place}")
    assert outcome.status == 2
    assert message in problems(outcome)["model.network._target_"]
    assert not place.exists()


@pytest.mark.parametrize("arguments", [["-cp", "mine"], ["-cn", "mine"], ["--experimental-rerun", "mine"]])
def test_the_root_config_cannot_be_replaced(command, arguments):
    outcome = command(*arguments)
    assert outcome.status == 2
    assert "add configs of your own with --config-dir" in outcome.err


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a GPU here")
def test_a_gpu_that_is_not_there(command):
    outcome = command("trainer.accelerator=gpu")
    assert outcome.status == 2
    assert problems(outcome)["trainer.accelerator"] == "No supported gpu backend found! (got gpu)"


def test_all_jobs_of_a_sweep_are_checked_before_the_first_runs(command, tmp_path):
    outcome = command("-m", "experiment=kmnist_full", "model.network.hidden_size=10,-5,x", "trainer.max_epochs=z")
    assert outcome.status == 2
    told = outcome.err
    assert "expected at least 1, got -5 (job model.network.hidden_size=-5)" in told
    assert "expected an integer, got 'x' (job model.network.hidden_size=x)" in told
    assert told.count("trainer.max_epochs") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_over_several_devices_is_refused(command):
    outcome = command("-m", "trainer=ddp", "trainer.accelerator=cpu", "seed=1,2")
    assert outcome.status == 2
    assert problems(outcome)["trainer.strategy"].startswith("a sweep's jobs run on one device each")


def test_help_shows_how_to_use_it(command):
    outcome = command("--help")
    assert outcome.status == 0
    assert "python train.py resume=" in outcome.out
    assert "model/network: grid_mlp, gru, lstm, lstm_counter_handset, net_conv, net_full, net_lin, srn" in outcome.out


def test_a_mistake_in_an_experiment_of_ones_own(command, tmp_path):
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    path = tmp_path / "mine" / "experiment" / "try.yaml"
    path.write_text("# @package _global_\nmemebrs: 3\noptimizer:\n  lrr: 0.1\n")
    found = problems(command("--config-dir", "mine", "experiment=try"))
    assert found["memebrs"].endswith("did you mean members?")
    assert found["optimizer.lrr"].endswith("did you mean lr?")
    path.write_text("# @package _global_\nmembers: [3\n")
    outcome = command("--config-dir", "mine", "experiment=try")
    assert outcome.status == 2
    assert str(path) in outcome.err


def test_hydras_own_errors_do_not_wait_for_torch():
    """A wrong experiment, group or key, and --help, are answered without importing torch."""
    import subprocess

    script = """
import sys
from hudyn.cli import train

try:
    train()
finally:
    assert "torch" not in sys.modules
"""
    for arguments, status in ((["experiment=kmnist_lyn"], 2), (["trainr=cpu"], 2), (["memebrs=3"], 2), (["--help"], 0)):
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == status, done.stderr
        assert "AssertionError" not in done.stderr
