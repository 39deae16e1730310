"""Precisions other than float32: the one that trainer.precision=auto chooses, and float16."""

import time
from functools import partial

import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from omegaconf import OmegaConf
from torch import nn

from hudyn.run import precision as chosen
from hudyn.tasks.characters import ImageClassifier, KMNISTDataModule

from .test_train import UNREPORTED, assert_same_weights, weights

AUTO = "trainer.precision=auto"
IMAGES = [*UNREPORTED, "data.shuffle=true", "members=2"]


@pytest.fixture
def timed(monkeypatch):
    """Lets updates in one precision, ``fast``, be faster than in the other, on any processor."""

    def pretend(fast):
        first_update = ImageClassifier.first_update

        def slowed(module, data):
            update = first_update(module, data)

            def slow():
                update()
                time.sleep(0.001 if torch.is_autocast_enabled("cpu") == (fast == "bf16-mixed") else 0.05)

            return slow

        monkeypatch.setattr(chosen, "processor_has_bfloat16", lambda: True)
        monkeypatch.setattr(ImageClassifier, "first_update", slowed)

    return pretend


@pytest.mark.parametrize("fast", ["32-true", "bf16-mixed"])
def test_auto_takes_the_faster_precision_and_leaves_the_run_as_it_is(command, timed, fast):
    timed(fast)
    outcome = command(*IMAGES, AUTO)
    assert outcome.status == 0, outcome.err
    found = outcome.results["precision"]
    assert found["chosen"] == fast == min(found["update_s"], key=found["update_s"].get)
    assert min(found["update_s"].values()) > 0.001
    assert f"trainer.precision=auto: {fast} (" in outcome.out
    assert OmegaConf.load(outcome.folder / "config.yaml").trainer.precision == fast
    assert_same_weights(weights(outcome.folder), weights(command(*IMAGES, f"trainer.precision={fast}").folder))


def test_a_resumed_run_keeps_the_precision_that_auto_chose(command, timed):
    timed("bf16-mixed")
    whole = command(*IMAGES, AUTO, "trainer.max_epochs=3")
    begun = command(*IMAGES, AUTO)
    timed("32-true")
    resumed = command(f"resume={begun.folder}", "trainer.max_epochs=3")
    assert resumed.status == 0, resumed.err
    assert begun.results["precision"]["chosen"] == "bf16-mixed"
    assert_same_weights(weights(begun.folder), weights(whole.folder))


def test_nothing_is_timed_on_a_processor_without_bfloat16(command, monkeypatch):
    monkeypatch.setattr(chosen, "processor_has_bfloat16", lambda: False)
    monkeypatch.setattr(ImageClassifier, "first_update", None)
    outcome = command(*UNREPORTED, AUTO)
    assert outcome.status == 0, outcome.err
    assert outcome.results["precision"] == {"chosen": "32-true"}
    assert "trainer.precision=auto: 32-true (this processor has no bfloat16)" in outcome.out


def test_timing_changes_neither_the_networks_nor_the_random_numbers(small_data):
    data = KMNISTDataModule(str(small_data), batch_size=16)
    data.setup("fit")
    module = ImageClassifier(
        lambda: nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(784, 10)), partial(torch.optim.SGD, lr=0.1)
    )
    before = [parameter.clone() for parameter in module.parameters()]
    state = torch.get_rng_state()
    assert min(chosen.update_times(module, data).values()) > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one, other) for one, other in zip(module.parameters(), before, strict=True))
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["experiment=srn_anb2n"], "auto is for images"),
        (["experiment=check_sigmoid"], "auto is for images"),
        (["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"], "auto chooses for one CPU"),
    ],
)
def test_auto_is_refused_where_there_is_nothing_to_choose(command, tmp_path, arguments, message):
    outcome = command(*arguments, AUTO)
    assert outcome.status == 2
    assert f"trainer.precision  {message}" in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program", ["train", "eval"])
def test_a_run_that_has_begun_does_not_choose_again(command, finished, program):
    outcome = command(f"{'resume' if program == 'train' else 'run'}={finished}", AUTO, program=program)
    assert outcome.status == 2
    assert "auto chooses when a run begins; here, give 32-true or bf16-mixed" in outcome.err


@pytest.fixture
def in_float16(monkeypatch):
    """Lets Lightning's mixed precision be float16 on the CPU, where it would be bfloat16."""
    float16 = partial(torch.autocast, "cpu", torch.float16, cache_enabled=False)
    monkeypatch.setattr(MixedPrecision, "autocast_context_manager", lambda plugin: float16())


def test_a_member_trained_in_float16_equals_its_solo_run(command, in_float16):
    settings = [*UNREPORTED, "experiment=kmnist_full", "model.network.hidden_size=20", "trainer.precision=bf16-mixed"]
    together, solo = command(*settings, "members=2"), command(*settings, "seed=1")
    assert together.status == 0, together.err
    exact = command(*settings[:-1], "members=2").values("train/loss")
    for name in ("train/loss", "test/loss", "test/accuracy"):
        assert together.values(name)[1] == pytest.approx(solo.values(name)[0], rel=1e-6)
    assert together.values("train/loss") == pytest.approx(exact, rel=1e-2)


@pytest.mark.parametrize(("experiment", "status"), [("srn_anb2n", 2), ("check_sigmoid", 2), ("kmnist_lin", 0)])
def test_float16_is_for_images(command, monkeypatch, experiment, status):
    monkeypatch.setattr("lightning.pytorch.Trainer.precision", "16-mixed")  # as on a GPU
    outcome = command(f"experiment={experiment}", "debug=fast", "members=1")
    assert outcome.status == status
    assert ("trainer.precision  16-mixed is for images" in outcome.err) is (status == 2)
