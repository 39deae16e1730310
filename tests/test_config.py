"""The check of a command line: all problems together, each with its path and the nearest valid name."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from .conftest import ROOT, SHORT


def problems(outcome):
    """Path and message of each problem reported."""
    heading, *lines = outcome.err.splitlines()
    assert "in the configuration; nothing was run." in heading
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines}


def test_everything_is_reported_together(command, tmp_path):
    """In two rounds: what shows without making the objects, and, once that is right, what the objects refuse."""
    refused = [
        "experiment=kmnist_full",
        "optimizer.lr=-1",
        "trainer.accelerator=qpu",
        "trainer.gradient_clip_algorithm=bogus",
        "data.validation_size=70000",
        "objective=test/acuracy",
    ]
    outcome = command(
        *refused,
        "memebrs=3",
        "members=0",
        "seed=-1",
        "data.batch_size=0",
        "data.evaluation_batch_size=none",
        "+optimizer.momentun=0.5",
        "callbacks.checkpoint.interval=0",
        "logger.tensorbord.x=1",
    )
    assert outcome.status == 2
    found = problems(outcome)
    assert set(found) == {
        "memebrs",
        "members",
        "seed",
        "data.batch_size",
        "data.evaluation_batch_size",
        "optimizer.momentun",
        "callbacks.checkpoint.interval",
        "logger.tensorbord",
    }
    assert found["memebrs"].endswith("did you mean members?")
    assert found["members"] == "expected an integer of at least 1, got 0"
    assert found["optimizer.momentun"].endswith("did you mean momentum?")
    assert found["logger.tensorbord"].endswith("did you mean tensorboard?")
    assert "Traceback" not in outcome.err
    outcome = command(*refused)
    assert outcome.status == 2
    found = problems(outcome)
    assert set(found) == {
        "optimizer.lr",
        "trainer.accelerator",
        "trainer.gradient_clip_algorithm",
        "data.validation_size",
        "objective",
    }
    assert "qpu" in found["trainer.accelerator"]
    assert "Traceback" not in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "path", "message"),
    [
        (["experiment=kmnist_ful"], "experiment", "there is no option kmnist_ful; did you mean kmnist_full? "
         "(docs/experiments.md describes all; configs of your own need --config-dir)"),
        (["model/network=lightgru"], "model/network", "srn_counter_handset (configs of your own need --config-dir)"),
        (["--config-dir", "mien"], "--config-dir", "there is no folder mien"),
        (["trainer=gpuu"], "trainer", "there is no option gpuu; did you mean gpu?"),
        (["model/netwrk=net_lin"], "model/netwrk", "there is no such group; did you mean model/network?"),
        (["modle=x"], "modle", "there is no such key; did you mean model?"),
        (["lr=0.1"], "lr", "did you mean optimizer.lr?"),
        (["model.network.width=3"], "model.network.width", "hudyn.networks.NetLin takes no such argument"),
        (["threads=-1"], "threads", "expected an integer of at least 0, got -1"),
        (["data.batchsize=3"], "data.batchsize", "did you mean batch_size?"),
        (["data.dataset=KMIST"], "data.dataset", "expected one of KMNIST, MNIST, FashionMNIST, got 'KMIST'"),
        (["data.root=???"], "data.root", "needs a value: data.root=..."),
        (["~data.root"], "data.root", "hudyn.tasks.characters.KMNISTDataModule needs this argument"),
        (["experiment=kmnist_full", "model.network.hidden_size=-3"], "model.network.hidden_size",
         "expected at least 1, got -3"),
        (["members=true"], "members", "expected an integer, got True"),
        (["trainer.max_epochs=ten"], "trainer.max_epochs", "expected an integer, got 'ten'"),
        (["tags=quick"], "tags", "expected a list of words, got 'quick'"),
        (["name=${nothing}"], "name", "Interpolation key 'nothing' not found"),
        (["model.network._target_=hudyn.networks.NetLyn"], "model.network._target_", "did you mean NetLin?"),
        (["model.network._target_=hudyn.network.NetLin"], "model.network._target_", "there is no network in hudyn"),
        (["data=null"], "command", "Config group override must be a string or a list"),
        (["srn_anb2n"], "srn_anb2n", "did you mean experiment=srn_anb2n?"),
        (["model.network._target_=torch.nn.Tanh"], "model.network", "Tanh does not fit the data: for images"),
        (["model.network._target_=subprocess.run"], "model.network._target_", "not in an allowed package"),
        (
            ["allowed_targets=[nowhere]", "model.network._target_=nowhere.Net"],
            "model.network._target_",
            "there is no module nowhere",
        ),
        (["optimizer._target_=torch.optim.Adafactor", "~optimizer.momentum", "~optimizer.fused", "members=2"],
         "optimizer._target_", "mix"),
        (["optimizer._target_=torch.optim.LBFGS", "~optimizer.momentum", "~optimizer.weight_decay", "~optimizer.fused"],
         "optimizer._target_", "several times an update"),
        (["objective=test/acuracy"], "objective", "did you mean test/accuracy?"),
        (["objective=val/loss"], "objective", "there is no measure val/loss"),
        (["seed=18446744073709551616"], "seed", "expected an integer below 2^62"),
        (["trainer.gradient_clip_vall=1"], "trainer.gradient_clip_vall", "did you mean gradient_clip_val?"),
        (["trainer.precision=bogus"], "trainer.precision", "64-true, bf16, auto, got 'bogus'"),
        (["optimizer.betas=[0.9,0.99]"], "optimizer.betas", "torch.optim.SGD takes no such argument"),
        (["optimizer=adam", "optimizer.betas=[0.9]"], "optimizer.betas", "expected a list"),
        (["trainer.logger=false"], "trainer.logger", "hudyn sets this argument itself"),
        (["experiment=srn_anbn_handset", "data.language.max_n=0"], "data.language.max_n", "expected at least 1, got 0"),
        (["experiment=srn_anb2n", "model.network.alphabet_size=3"], "model.network", "expected alphabet_size 2, got 3"),
        (["experiment=srn_anb2n", "~model.network.hidden_size", "model.network.alphabet=3"], "model.network.alphabet",
         "did you mean alphabet_size?"),
        (["~callbacks.checkpoint"], "callbacks.checkpoint", "every run needs this callback"),
        (["data.validation_size=300"], "data.validation_size", "expected fewer than the 300 training images, got 300"),
        (["data.root=/dev/null/here"], "data.root", "/dev/null/here"),
        (["trainer.devices=99"], "trainer.devices", "the number of processors of this machine, got 99"),
        (["name=../../evil"], "name", "expected the name of a folder in outputs/, got '../../evil'"),
        (["name=/abs"], "name", "expected the name of a folder"),
        (["name=.hidden"], "name", "expected the name of a folder"),
        (["name=''"], "name", "expected the name of a folder"),
        (["~report.evaluation._partial_"], "report.evaluation._partial_", "expected true"),
        (["+report.mine.animation=true"], "report.mine", 'expected settings with a _target_; "~report.mine" takes'),
        (["callbacks.progress=null"], "callbacks.progress", "expected settings with a _target_"),
        (["report.evaluation._target_=hudyn.run.folder.claim_folder"], "report.evaluation._target_",
         "expected a report, a function of a study"),
        (["callbacks=sequences"], "callbacks", "did you mean data=sequences or report=sequences?"),
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
        ("hudyn.run.folder.os.makedirs", "is not a class that hudyn defines"),
        ("hudyn.run.folder.claim_folder", "is not a class that hudyn defines"),
        ("hudyn.tasks.characters.files.np.save", "is not a class that hudyn defines"),
        ("torch.nn.init.zeros_", "is not a class that torch defines"),
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
    assert problems(outcome)["trainer.strategy"].startswith("the jobs of a sweep run on one device each")


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
    assert "in line 2, column 10 expected ',' or ']'" in problems(outcome)[str(path)]


@pytest.mark.parametrize(
    ("arguments", "path", "fitting"),
    [
        (["experiment=check_sigmoid", "data=kmnist"], "data", "choose data=check_grid"),
        (["experiment=kmnist_lin", "report=check"], "report", "choose report=characters"),
        (["experiment=srn_anb2n", "report=characters"], "report", "choose report=sequences"),
        (["experiment=srn_anb2n", "model=image_classifier"], "model", "choose model=sequence_predictor"),
        (["experiment=parity", "report=check", "--config-dir", "mine"], "report", "choose report=parity"),
        (["experiment=parity", "data=kmnist", "--config-dir", "mine"], "data", "choose data=parity"),
        (["experiment=check_sigmoid", "model=parity", "--config-dir", "mine"], "model", "choose model=grid_classifier"),
    ],
)
def test_what_belongs_to_another_task_is_refused(command, tmp_path, arguments, path, fitting):
    write_parity_task(tmp_path)
    outcome = command(*arguments, "allowed_targets=[parity]")
    assert outcome.status == 2
    found = problems(outcome)
    assert set(found) == {path}
    assert "does not belong to the task of" in found[path]
    assert found[path].endswith(fitting)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["experiment=kmnist_lin", "model/network=gru"],
         "GRU reads symbols, but this task has images; choose model/network=net_conv, net_full or net_lin"),
        (["experiment=kmnist_lin", "model/network=srn_counter_handset"], "CountingSRN reads symbols, but this"),
        (["experiment=srn_anb2n", "model/network=net_conv"], "NetConv reads images, but this task has symbols; choose"),
        (["experiment=check_sigmoid", "model/network=net_lin"],
         "NetLin reads images, but this task has points; choose model/network=grid_mlp"),
    ],
)  # fmt: skip
def test_a_network_of_another_task_is_refused(command, arguments, message):
    outcome = command(*arguments)
    assert outcome.status == 2
    assert message in problems(outcome)["model.network"]


def write_parity_task(folder):
    """The outline of a task of one's own: `parity.py` and its configs."""
    (folder / "parity.py").write_text(
        "from hudyn.tasks.base import TaskData, TaskModule\n\n\n"
        "class ParityData(TaskData): ...\n\n\n"
        "class ParityModule(TaskModule):\n    data_class = ParityData\n\n\n"
        "def report(study): ...\n"
    )
    configs = {
        "data": "_target_: parity.ParityData\n",
        "model": "defaults:\n  - network: srn\n\n_target_: parity.ParityModule\n",
        "report": "parity:\n  _target_: parity.report\n  _partial_: true\n",
        "experiment": "# @package _global_\ndefaults:\n"
        "  - override /data: parity\n  - override /model: parity\n  - override /report: parity\n",
    }
    for group, text in configs.items():
        (folder / "mine" / group).mkdir(parents=True)
        (folder / "mine" / group / "parity.yaml").write_text(text)


def test_a_class_that_extends_a_task_belongs_to_it(command, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from hudyn.tasks.check import CheckGridDataModule\n\n\nclass MyPoints(CheckGridDataModule): ...\n"
    )
    mine = ["data._target_=mine.MyPoints", "allowed_targets=[mine]", "debug=fast"]
    outcome = command("experiment=check_step", *mine)
    assert outcome.status == 0, outcome.err
    outcome = command("experiment=kmnist_lin", "data=check_grid", *mine)
    assert outcome.status == 2
    assert problems(outcome)["data"].startswith("mine.MyPoints does not belong to the task of")


OWN = """
from hudyn.languages import ProbabilisticAutomaton


class NoMoves:
    alphabet = "ab"


class RaisesInit(ProbabilisticAutomaton):
    def __init__(self):
        super().__init__("ab", 0, lambda state: [("a", 0, 1 / state)])
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NoMoves", "NoMoves lacks entropy, text, symbols, accepts, read; derive from "
         "hudyn.languages.ProbabilisticAutomaton"),
        ("RaisesInit", "RaisesInit.__init__.<locals>.<lambda> (own.py, line 11): ZeroDivisionError: division by zero"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_language_of_ones_own(command, tmp_path, monkeypatch, name, message):
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    language = [f"data.language._target_=own.{name}", "~data.language.ratios", "~data.language.max_n"]
    outcome = command("experiment=srn_anb2n", *language, "~data.language.distribution", "allowed_targets=[own]")
    assert outcome.status == 2
    assert problems(outcome)["data.language"] == message
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] in ([], ["__pycache__"])


def test_data_of_no_known_task_are_judged_by_what_the_model_is_trained_on(command, tmp_path):
    (tmp_path / "own_data.py").write_text(
        "from hudyn.tasks.base import TaskData\n\n\n"
        "class Foreign(TaskData):\n    updates_per_epoch = 1\n\n    def chunk(self, epoch, first, last): ...\n"
    )
    (tmp_path / "mine" / "data").mkdir(parents=True)
    (tmp_path / "mine" / "data" / "own_data.yaml").write_text("_target_: own_data.Foreign\n")
    outcome = command("--config-dir", "mine", "experiment=kmnist_lin", "data=own_data", "allowed_targets=[own_data]")
    assert outcome.status == 2
    expected = "hudyn.tasks.characters.ImageClassifier is trained on a KMNISTDataModule, got another class"
    assert problems(outcome) == {"data": expected}


def test_arguments_need_no_plus(command):
    """Any argument of a target may be given, also in a sweep, and of a target that the command line chooses."""
    outcome = command(
        *SHORT,
        "trainer.precision=64-true",
        "optimizer._target_=torch.optim.Adam",
        "~optimizer.momentum",
        "optimizer.betas=[0.5,0.9]",
    )
    assert outcome.status == 0, outcome.err
    config = OmegaConf.load(outcome.folder / "config.yaml")
    assert config.trainer.precision == "64-true"
    assert config.optimizer.betas == [0.5, 0.9]


def test_arguments_need_no_plus_in_a_sweep(command, tmp_path):
    outcome = command("-m", *SHORT, "optimizer.nesterov=true,false", "trainer.max_steps=3")
    assert outcome.status == 0, outcome.err
    configs = [OmegaConf.load(path) for path in sorted(tmp_path.rglob("config.yaml")) if ".hydra" not in str(path)]
    assert [config.optimizer.nesterov for config in configs] == [True, False]
    (table,) = tmp_path.rglob("sweep.csv")
    assert "optimizer.nesterov" in table.read_text().splitlines()[0].split(",")


def test_composing_from_python(tmp_path, monkeypatch, small_data):
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    from hudyn.config.compose import compose
    from hudyn.config.problems import ConfigurationError

    monkeypatch.setenv("HUDYN_DATA", str(small_data))
    before = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    assert compose(["experiment=kmnist_full", "members=3"]).model.members == 3
    with pytest.raises(ConfigurationError) as refused:
        compose(["experiment=kmnist_full", "memebrs=3", "seed=-1"])
    assert [problem.path for problem in refused.value.problems] == ["memebrs", "seed"]
    assert (GlobalHydra.instance().hydra, HydraConfig.instance().cfg) == before
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 7\n")
    assert compose(["experiment=mine"], [tmp_path]).seed == 7
    with pytest.raises(ConfigurationError, match=r"config_folder  there is no folder mien"):
        compose(["experiment=mine"], [Path("mien")])
    with pytest.raises(ConfigurationError, match=r"configs of your own need config_folder"):
        compose(["experiment=mine"])


def test_a_mistake_is_reported_without_torch():
    """A wrong experiment, group, key, argument, type, value or task, and --help, are answered without torch."""
    script = """
import sys
from hudyn.cli import process, train

process.end = lambda: None
for line in sys.stdin.read().splitlines():
    sys.argv = ["train.py", *line.split()]
    status = 0
    try:
        train()
    except SystemExit as stopped:
        status = stopped.code
    print("status", status, "of", line)
    assert not {"torch", "lightning", "lightning.pytorch"} & set(sys.modules), line
"""
    statuses = {
        "experiment=kmnist_lyn": 2,
        "trainr=cpu": 2,
        "memebrs=3": 2,
        "--help": 0,
        "members=0 data.batch_size=0 data.dataset=KMIST trainer.precision=bogus optimizer.lrr=1": 2,
        "experiment=srn_anb2n model.kernel=cuda model.network.width=3": 2,
        "experiment=check_sigmoid data=kmnist": 2,
        "experiment=kmnist_lin report=check": 2,
        "experiment=srn_anb2n report=characters": 2,
        "experiment=srn_anb2n model=image_classifier": 2,
        "experiment=check_sigmoid model/network=gru trainer.precision=auto": 2,
    }
    done = subprocess.run(
        [sys.executable, "-c", script], input="\n".join(statuses), capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    told = re.findall(r"^status (\d) of (.*)$", done.stdout, flags=re.MULTILINE)
    assert {line: int(status) for status, line in told} == statuses
