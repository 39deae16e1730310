"""Schedules, clipping and settings of members' own: each member as its solo run, and as torch does it."""

import json
import math

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hudyn.kernels.steps import Average, StepSettings, TorchSteps
from hudyn.networks import SRN
from hudyn.population import Population, member_vectors
from hudyn.schedules import WarmupCosine

from .test_config import problems
from .test_train import assert_same_weights, rows, weights

SRN_RUN = [
    "experiment=srn_anb2n", "trainer.max_steps=60", "data.evaluation_interval=30", "data.updates_per_step=7",
    "data.evaluation_sequences=20", "model.max_n=20", "model.network.init_std=0.3", "threads=1",
    "~report.dynamics", "~report.evaluation",
]  # fmt: skip
CHECK_RUN = [
    "experiment=check_sigmoid", "trainer.max_steps=60", "data.evaluation_interval=30", "data.updates_per_step=7",
    "~report.evaluation",
]  # fmt: skip
LIN_RUN = ["experiment=kmnist_lin", "trainer.max_epochs=2", "data.updates_per_step=2", "~report.evaluation"]
TRAINED = ["scheduler=warmup_cosine", "trainer.gradient_clip_val=0.05"]


@pytest.mark.parametrize("run", [SRN_RUN, CHECK_RUN, LIN_RUN])
@pytest.mark.parametrize("kernel", ["auto", "reference"])
def test_a_member_with_settings_of_its_own_is_its_solo_run(command, run, kernel):
    settings = [*run, *TRAINED, f"model.kernel={kernel}"]
    together = command(*settings, "members=4", "optimizer.lr=[0.01,0.02]", "seed=5")
    assert together.status == 0, together.err
    for member, (seed, rate) in enumerate([(5, 0.01), (6, 0.01), (5, 0.02), (6, 0.02)]):
        alone = command(*settings, "members=1", f"optimizer.lr={rate}", f"seed={seed}")
        assert alone.status == 0, alone.err
        for name, values in weights(alone.folder).items():
            if kernel == "auto" and run is not LIN_RUN:
                assert torch.equal(values, weights(together.folder)[name][member])
            else:  # torch's batched products round differently from single ones
                torch.testing.assert_close(weights(together.folder)[name][member], values, rtol=1e-4, atol=1e-6)


def test_settings_of_members_are_in_the_tables_and_the_results(command):
    outcome = command(*SRN_RUN, "members=4", "optimizer.lr=[0.01,0.02]", "optimizer.weight_decay=[0.0,0.1]", "seed=5")
    assert outcome.status == 0, outcome.err
    table = rows(outcome.folder / "tables/variants.csv")
    assert [(row["optimizer.lr"], row["optimizer.weight_decay"]) for row in table] == [
        ("0.01", "0"), ("0.01", "0.1"), ("0.02", "0"), ("0.02", "0.1"),
    ]  # fmt: skip
    assert [row["members"] for row in table] == ["1"] * 4
    excess = outcome.values("test/excess")
    assert [float(row["test/excess"]) for row in table] == pytest.approx(excess, rel=1e-6)
    assert {"test/solved_low", "test/solved_high"} <= set(table[0])
    variants = json.loads((outcome.folder / "results.json").read_text())["variants"]
    assert variants[1] == {"optimizer.lr": 0.01, "optimizer.weight_decay": 0.1}


def test_the_initial_scale_may_differ_by_member(command):
    together = command(*SRN_RUN, "members=4", "model.network.init_std=[0.1,0.5]", "trainer.max_steps=30")
    alone = command(*SRN_RUN, "members=1", "model.network.init_std=0.5", "seed=1", "trainer.max_steps=30")
    for name, values in weights(alone.folder).items():
        assert torch.equal(values, weights(together.folder)[name][3])


@pytest.mark.parametrize(
    ("arguments", "path", "message"),
    [
        (["optimizer.lr=[0.01,0.02]", "members=3"], "members", "expected a multiple of 2, the number of combinations"),
        (["optimizer.lr=[0.01,-1]", "members=2"], "optimizer.lr", "Invalid learning rate: -1"),
        (["optimizer.lr=[0.01,fast]", "members=2"], "optimizer.lr", "expected a number"),
        (["scheduler=cosin"], "scheduler", "did you mean cosine?"),
        (["scheduler=step", "scheduler.gama=1"], "scheduler.gama", "did you mean gamma?"),
        (["scheduler=warmup_cosine", "scheduler.warmup=1.5"], "scheduler.warmup", "expected a share of at least 0"),
        (["trainer.gradient_clip_val=-1"], "trainer.gradient_clip_val", "expected a number above 0"),
    ],
)
def test_mistakes_are_named_before_anything_runs(command, tmp_path, arguments, path, message):
    outcome = command("experiment=srn_anb2n", *arguments)
    assert outcome.status == 2
    found = problems(outcome)
    assert set(found) == {path}
    assert message in found[path]
    assert list(tmp_path.iterdir()) == []


# Schedules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ["cosine", "step", "one_cycle", "warmup_cosine"])
def test_a_run_with_a_schedule_resumes_to_the_same_bits(command, scheduler):
    settings = [*SRN_RUN, "members=2", f"scheduler={scheduler}"]
    settings += {"step": ["scheduler.step_size=20"], "cosine": ["scheduler.T_max=60"]}.get(
        scheduler, ["scheduler.total_steps=60"]
    )
    whole = command(*settings)
    assert whole.status == 0, whole.err
    part = command(*settings, "trainer.max_steps=37")
    assert command(f"resume={part.folder}", "trainer.max_steps=60").status == 0
    assert_same_weights(weights(whole.folder), weights(part.folder))
    assert not torch.equal(
        weights(whole.folder)["population.network.bias"],
        weights(command(*SRN_RUN, "members=2").folder)["population.network.bias"],
    )


@pytest.mark.parametrize("updates_per_step", [1, 60])
def test_a_schedule_is_in_updates(command, updates_per_step):
    """SGD's changes add up to the learning rates that torch's schedule gives, one an update."""
    settings = [*SRN_RUN, "members=1", "scheduler=cosine", f"data.updates_per_step={updates_per_step}"]
    outcome = command(*settings)
    checkpoint = torch.load(outcome.folder / "checkpoints" / "last.ckpt", weights_only=True)
    (state,) = checkpoint["lr_schedulers"]
    assert state["last_epoch"] == 60
    assert state["T_max"] == 60
    assert state["_last_lr"] == [pytest.approx(0, abs=1e-12)]


def test_warm_up_and_cosine():
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=2.0)
    schedule = WarmupCosine(optimizer, total_steps=100, warmup=0.1)
    rates = []
    for _ in range(101):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(2 / 11)
    assert np.diff(rates[:11]).min() > 0
    assert rates[10] == pytest.approx(2)
    assert np.diff(rates[10:]).max() < 0
    assert rates[55] == pytest.approx(2 * 0.5 * (1 + math.cos(math.pi / 2)))
    assert rates[100] == pytest.approx(0)


PLATEAU = ["scheduler=plateau", "scheduler.patience=0", "scheduler.factor=0.1", "trainer.max_steps=150"]


def test_the_rate_of_a_member_that_no_longer_improves_is_lowered(command):
    """Each is lowered as torch's ReduceLROnPlateau lowers that of its solo run, whatever the other members do."""
    together = command(*SRN_RUN, *PLATEAU, "members=4", "optimizer.lr=[0.5,1e-6]")
    assert together.status == 0, together.err
    rates = last_rates(together)
    history = rows(together.folder / "tables/history.csv")
    for member in range(4):
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=[0.5, 0.5, 1e-6, 1e-6][member])
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=0)
        for row in history:
            if row["member"] == str(member):
                schedule.step(float(row["train/loss"]))
        assert rates[member] == optimizer.param_groups[0]["lr"]
    assert max(rates[2:]) < 1e-6 < min(rates[:2])  # lowered without improvement, kept with it
    alone = command(*SRN_RUN, *PLATEAU, "members=1", "seed=1", "optimizer.lr=1e-6")
    assert last_rates(alone) == rates[3:]
    for name, values in weights(alone.folder).items():
        assert torch.equal(values, weights(together.folder)[name][3])


def test_a_run_with_rates_of_members_of_their_own_resumes_to_the_same_bits(command):
    settings = [*SRN_RUN, *PLATEAU, "members=3", "optimizer.lr=0.5"]
    whole = command(*settings)
    part = command(*settings, "trainer.max_steps=90")  # between two of the whole run's evaluations it would differ
    assert command(f"resume={part.folder}", "trainer.max_steps=150").status == 0
    assert_same_weights(weights(whole.folder), weights(part.folder))
    assert last_rates(whole) == last_rates(part)


@pytest.mark.parametrize("run", [CHECK_RUN, LIN_RUN])
def test_every_task_may_watch_a_plateau(command, run):
    outcome = command(*run, *PLATEAU[:-1], "members=2", "optimizer.lr=1e-6")
    assert outcome.status == 0, outcome.err
    assert last_rates(outcome) == pytest.approx([1e-7] * 2)


@pytest.mark.parametrize(
    ("arguments", "path", "message"),
    [
        (["scheduler=plateau", "scheduler.monitor=test/los"], "scheduler.monitor", "there is no measure test/los"),
        (["scheduler=plateau", "scheduler.mode=least"], "scheduler.mode", "expected one of min, max"),
        (
            [
                "scheduler=plateau",
                "scheduler._target_=torch.optim.lr_scheduler.ReduceLROnPlateau",
                "~scheduler.monitor",
            ],
            "scheduler._target_",
            "use scheduler=plateau",
        ),
    ],
)
def test_a_plateau_is_checked_before_anything_runs(command, arguments, path, message):
    outcome = command("experiment=srn_anb2n", *arguments)
    assert outcome.status == 2
    assert message in problems(outcome)[path]


def last_rates(outcome):
    """The learning rate of each member at the end of a run."""
    checkpoint = torch.load(outcome.folder / "checkpoints" / "last.ckpt", weights_only=True)
    return [group["lr"] for group in checkpoint["optimizer_states"][0]["param_groups"]]


# Averaging ------------------------------------------------------------------------------------------------------

AVERAGED = ["callbacks=averaging", "callbacks.averaging.decay=0.9"]


def test_averages_are_those_of_torch():
    population = Population(lambda: SRN(2, 3, init_std=1.0), members=3)
    optimizer = torch.optim.SGD(population.parameters(), lr=1.0)
    averaged = AveragedModel(population, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    averaged.update_parameters(population)
    average = Average(0.9, [parameter.detach().clone() for parameter in population.parameters()])
    settings = StepSettings(np.ones((5, 1)), [slice(0, 3)], np.arange(3), average=average)
    generator = torch.Generator().manual_seed(0)
    with TorchSteps(optimizer, population, settings) as steps:
        for step in range(5):
            for parameter in population.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            steps.step(step)
            averaged.update_parameters(population)
    for mine, theirs in zip(average.parameters, averaged.module.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("run", [SRN_RUN, CHECK_RUN])
def test_the_kernel_averages_as_the_reference_does(command, run):
    settings = [*run, *AVERAGED, "members=3", "optimizer.lr=0.05"]
    fused, reference = (command(*settings, f"model.kernel={kernel}") for kernel in ("numba", "reference"))
    assert reference.status == 0, reference.err
    plain = command(*run, "members=3", "optimizer.lr=0.05")
    for name, values in weights(fused.folder).items():
        torch.testing.assert_close(weights(reference.folder)[name], values, rtol=1e-4, atol=1e-5)
        assert not torch.equal(weights(plain.folder)[name], values)


@pytest.mark.parametrize("run", [SRN_RUN, CHECK_RUN, LIN_RUN])
def test_an_average_that_keeps_nothing_is_the_network(command, run):
    averaged = command(*run, *AVERAGED, "members=2", "callbacks.averaging.decay=0")
    assert averaged.status == 0, averaged.err
    plain = command(*run, "members=2")
    for name, values in weights(plain.folder).items():
        torch.testing.assert_close(weights(averaged.folder)[name], values, rtol=1e-6, atol=1e-7)
    assert averaged.values("train/loss") == pytest.approx(plain.values("train/loss"), rel=1e-5)


@pytest.mark.parametrize("run", [SRN_RUN, CHECK_RUN])
def test_a_run_with_averages_resumes_to_the_same_bits(command, run):
    whole = command(*run, *AVERAGED, "members=2")
    part = command(*run, *AVERAGED, "members=2", "trainer.max_steps=37")
    assert command(f"resume={part.folder}", "trainer.max_steps=60").status == 0
    assert_same_weights(weights(whole.folder), weights(part.folder))
    alone = command(*run, *AVERAGED, "members=1", "seed=1")
    for name, values in weights(alone.folder).items():
        assert torch.equal(values, weights(whole.folder)[name][1])


def test_a_network_is_evaluated_as_it_is_kept(command):
    outcome = command(*SRN_RUN, *AVERAGED, "members=2")
    last = [row["test/excess"] for row in rows(outcome.folder / "tables/history.csv")][-2:]
    assert [float(value) for value in last] == pytest.approx(outcome.values("test/excess"), rel=1e-6)


def test_a_stopped_member_keeps_its_average(command):
    settings = [*SRN_RUN, "members=2", "optimizer.lr=[0.0,0.3]", "callbacks=[early_stopping,averaging]"]
    settings += ["callbacks.early_stopping.patience=1", "callbacks.early_stopping.monitor=test/excess"]
    settings += ["callbacks.early_stopping.mode=min", "callbacks.averaging.decay=0.9", "trainer.max_steps=150"]
    fused, reference = (command(*settings, f"model.kernel={kernel}") for kernel in ("numba", "reference"))
    assert fused.status == 0, fused.err
    for name, values in weights(fused.folder).items():
        torch.testing.assert_close(weights(reference.folder)[name], values, rtol=1e-4, atol=1e-5)


# Clipping -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [{"clip_norm": 0.5}, {"clip_value": 0.1}])
def test_gradients_are_clipped_as_torch_clips_those_of_one_network(limits):
    population = Population(lambda: SRN(2, 3, init_std=1.0), members=3)
    optimizer = torch.optim.SGD(population.parameters(), lr=1.0)
    before = member_vectors(population.parameters(), 3)
    generator = torch.Generator().manual_seed(0)
    for parameter in population.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
        parameter.grad[0] *= 0.01  # the first member's gradient stays as it is
    gradients = [parameter.grad.clone() for parameter in population.parameters()]
    settings = StepSettings(np.ones((1, 1)), [slice(0, 3)], np.arange(3), **limits)
    with TorchSteps(optimizer, population, settings) as steps:
        steps.step(0)
    changes = before - member_vectors(population.parameters(), 3)
    for member in range(3):
        parts = [torch.zeros_like(gradient[member]).requires_grad_() for gradient in gradients]
        for part, gradient in zip(parts, gradients, strict=True):
            part.grad = gradient[member].clone()
        if "clip_norm" in limits:
            torch.nn.utils.clip_grad_norm_(parts, limits["clip_norm"])
        else:
            torch.nn.utils.clip_grad_value_(parts, limits["clip_value"])
        torch.testing.assert_close(changes[member], torch.cat([part.grad.flatten() for part in parts]))


def test_members_that_are_not_trained_stay_as_they_are():
    population = Population(lambda: SRN(2, 3, init_std=1.0), members=3)
    optimizer = torch.optim.Adam(population.parameters(), lr=0.1)
    before = member_vectors(population.parameters(), 3)
    for parameter in population.parameters():
        parameter.grad = torch.ones_like(parameter)
    settings = StepSettings(np.full((1, 1), 0.1), [slice(0, 3)], np.array([0, 2]))
    with TorchSteps(optimizer, population, settings) as steps:
        steps.step(0)
    changed = (member_vectors(population.parameters(), 3) != before).any(dim=1)
    assert changed.tolist() == [True, False, True]


# Accumulation and early stopping --------------------------------------------------------------------------------


def test_gradients_of_several_batches_are_accumulated(command):
    """In the kernel as by torch; the mean over batches, each a mean over its symbols."""
    settings = [*SRN_RUN, "members=2", "data.batch_size=2", "trainer.accumulate_grad_batches=3"]
    fused, reference = (command(*settings, f"model.kernel={kernel}") for kernel in ("numba", "reference"))
    assert reference.status == 0, reference.err
    for name, values in weights(fused.folder).items():
        torch.testing.assert_close(weights(reference.folder)[name], values, rtol=1e-4, atol=1e-5)
    assert fused.results["time"]["updates"] == 60
    plain = command(*SRN_RUN, "members=2", "data.batch_size=6")
    assert plain.values("train/loss") == pytest.approx(fused.values("train/loss"), rel=0.05)
    assert plain.values("train/loss") != fused.values("train/loss")


@pytest.mark.parametrize("members", [1, 2])
def test_accumulated_batches_of_images_are_one_larger_batch(command, members):
    settings = [*LIN_RUN, f"members={members}", "data.shuffle=true"]
    accumulated = command(*settings, "data.batch_size=16", "trainer.accumulate_grad_batches=4")
    assert accumulated.status == 0, accumulated.err
    whole = command(*settings, "data.batch_size=64")
    assert accumulated.results["time"]["updates"] == whole.results["time"]["updates"]
    for name, values in weights(whole.folder).items():
        torch.testing.assert_close(weights(accumulated.folder)[name], values, rtol=1e-4, atol=1e-6)


STOP = ["callbacks=early_stopping", "callbacks.early_stopping.patience=1"]


def test_members_that_no_longer_improve_stop_and_the_run_with_them(command):
    never = ["callbacks.early_stopping.monitor=test/excess", "+callbacks.early_stopping.min_delta=1e9"]
    stopped = command(*SRN_RUN, "members=2", "trainer.max_steps=900", *STOP, *never)
    assert stopped.status == 0, stopped.err
    assert stopped.results["time"]["updates"] == 60
    assert_same_weights(weights(stopped.folder), weights(command(*SRN_RUN, "members=2").folder))


@pytest.mark.parametrize("kernel", ["auto", "reference"])
def test_a_member_stops_while_the_others_go_on(command, kernel):
    """Members 1 and 2 improve by less than min_delta, which a larger learning rate exceeds."""
    settings = [*SRN_RUN, "members=2", "optimizer.lr=[0.0,0.3]", f"model.kernel={kernel}", "trainer.max_steps=120"]
    monitored = ["callbacks.early_stopping.monitor=test/excess", "callbacks.early_stopping.mode=min"]
    outcome = command(*settings, *STOP, *monitored)
    assert outcome.status == 0, outcome.err
    history = rows(outcome.folder / "tables/history.csv")
    losses = [[float(row["train/loss"]) for row in history if row["member"] == member] for member in ("0", "1")]
    assert np.isnan(losses).tolist() == [[False, False, True, True], [False] * 4]
    stopped = [row["test/excess"] for row in history if row["member"] == "0"]
    assert len(set(stopped)) == 1


def test_a_run_with_stopped_members_resumes_to_the_same_bits(command):
    settings = [*SRN_RUN, "members=2", "optimizer.lr=[0.0,0.3]", *STOP,
                "callbacks.early_stopping.monitor=test/excess", "callbacks.early_stopping.mode=min"]  # fmt: skip
    whole = command(*settings, "trainer.max_steps=150")
    part = command(*settings, "trainer.max_steps=90")
    assert command(f"resume={part.folder}", "trainer.max_steps=150").status == 0
    assert_same_weights(weights(whole.folder), weights(part.folder))


def test_a_measure_to_stop_by_must_exist(command):
    outcome = command(*SRN_RUN, *STOP, "callbacks.early_stopping.monitor=test/exces")
    assert outcome.status == 2
    assert "did you mean test/excess?" in problems(outcome)["callbacks.early_stopping.monitor"]
