"""What TensorBoard shows of runs: curves that lie over each other, settings and measures side by side, texts."""

import time

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from .conftest import SHORT

UNREPORTED = [*SHORT, "~report.evaluation"]  # for tests of curves
SEQUENCES = [
    "experiment=srn_anb2n", "trainer.max_steps=60", "data.evaluation_interval=30", "data.evaluation_sequences=20",
    "members=2",
]  # fmt: skip
ONLY_CURVES = ["~report.evaluation", "~report.dynamics"]


def read(folder):
    """What TensorBoard reads of all event files in a folder."""
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0, "images": 0}).Reload()


def points(folder, tag):
    return [(event.step, event.value) for event in read(folder).Scalars(tag)]


def texts(folder):
    events = read(folder)
    tags = [tag for tag in events.Tags()["tensors"] if tag.endswith("/text_summary")]
    found = {tag: events.Tensors(tag)[-1].tensor_proto.string_val[0].decode() for tag in tags}
    return {tag.removesuffix("/text_summary"): text for tag, text in found.items()}


def settings(folder):
    """The columns of the HPARAMS tab: names of settings, names of measures; and the run's settings."""

    def data(tag):
        content = read(folder).summary_metadata[f"_hparams_/{tag}"].plugin_data.content
        return HParamsPluginData.FromString(content)

    experiment, session = data("experiment").experiment, data("session_start_info").session_start_info
    return (
        [info.name for info in experiment.hparam_infos],
        [info.name.tag for info in experiment.metric_infos],
        {name: value.string_value or value.number_value for name, value in session.hparams.items()},
    )


def test_curves_of_an_experiment_lie_over_each_other(command):
    first, second = (command(*SEQUENCES, *ONLY_CURVES, f"seed={seed}") for seed in (0, 7))
    assert first.status == second.status == 0
    tags = [read(outcome.folder).Tags()["scalars"] for outcome in (first, second)]
    assert tags[0] == tags[1]
    for tag in ("test/solved", "test/excess", "test/excess_max"):
        assert [step for step, _ in points(first.folder, tag)] == [30, 60]  # updates


def test_the_last_value_of_a_compared_measure_is_the_result(command):
    outcome = command(*SEQUENCES, *ONLY_CURVES)
    _, measures, _ = settings(outcome.folder)
    shown = [name for name in measures if name in outcome.results["metrics"]]
    assert {"test/solved", "test/excess", "test/longest", "test/accuracy"} <= set(shown)
    for name in shown:
        assert points(outcome.folder, name)[-1][1] == pytest.approx(outcome.results["metrics"][name]["mean"], rel=1e-5)


def test_runs_of_all_tasks_have_the_same_columns(command):
    """TensorBoard takes the columns of whichever run it finds first."""
    sequences, characters = command(*SEQUENCES, *ONLY_CURVES), command(*UNREPORTED)
    handset = command("experiment=check_step", "~report.evaluation")
    columns, measures, _ = settings(sequences.folder)
    for outcome in (characters, handset):
        others = settings(outcome.folder)
        assert set(others[0]) == set(columns)
        assert set(others[1]) == set(measures)
    assert len(measures) < 8
    assert settings(sequences.folder)[1][0] == "test/solved"  # the objective stands first


def test_what_a_sweep_varies_is_compared(command, tmp_path):
    outcome = command("-m", "experiment=check_scaled", "~report.evaluation", "model.network.scale=1,3")
    assert outcome.status == 0, outcome.err
    jobs = sorted(path.parent for path in tmp_path.rglob("multirun/**/results.json"))
    shown = [settings(job) for job in jobs]
    assert [given["model.network.scale"] for _, _, given in shown] == [1, 3]
    assert all("model.network.scale" in columns for columns, _, _ in shown)
    assert [points(job, "train/solved")[-1][1] for job in jobs] == [0, 1]


def test_an_untrained_run_shows_its_settings(command):
    outcome = command("experiment=check_step", draws=True)
    assert "activation: step" in texts(outcome.folder)["config"]
    assert settings(outcome.folder)[2]["hidden_size"] == 4
    assert {"units", "dividing_lines"} <= set(read(outcome.folder).Tags()["images"])
    assert len(list(outcome.folder.glob("events.*"))) == 1


def test_texts_have_the_verdict_in_lines_that_fit(command):
    outcome = command(*SEQUENCES)
    found = texts(outcome.folder)
    assert "Does not solve the training words" in found["dynamics"]
    assert max(map(len, found["dynamics"].splitlines())) < 110
    assert "_target_: hudyn.networks.SRN" in found["config"]


def test_texts_have_the_story(command, monkeypatch):
    from hudyn.tasks import sequences
    from hudyn.tasks.artifacts import Artifacts, Story

    story = Story(answer="Half of them do.", how=["The first unit counts.", "The second one remembers."])
    monkeypatch.setattr(sequences, "report_sequences", lambda study: Artifacts(story=story))
    found = texts(command(*SEQUENCES, "~report.dynamics").folder)
    assert found["answer"].strip() == "Half of them do."
    assert [line.strip() for line in found["how"].split("\n\n")] == [*story.how]


def test_a_resumed_run_has_two_files_without_repetitions(command):
    outcome = command(*UNREPORTED)
    assert len(list(outcome.folder.glob("events.*"))) == 1
    for epochs in (3, 4):
        assert command(f"resume={outcome.folder}", f"trainer.max_epochs={epochs}").status == 0
        assert len(list(outcome.folder.glob("events.*"))) == 2
    assert [step for step, _ in points(outcome.folder, "test/accuracy")] == [5, 10, 15, 20]
    assert [step for step, _ in points(outcome.folder, "by_epoch/test/accuracy")] == [1, 2, 3, 4]
    assert settings(outcome.folder)[2]["experiment"] == "kmnist_lin"


def test_what_was_logged_after_the_checkpoint_is_dropped(tmp_path):
    from hudyn.run.loggers import TensorBoard

    for updates in ([1, 2, 3, 4], [3, 4, 5]):
        logger = TensorBoard(str(tmp_path))
        logger.continue_after(2)
        for update in updates:
            logger.log_metrics({"loss": 10 * len(updates) + update}, step=update)
        logger.close()
        time.sleep(1.1)  # files are read in the order of their names, which begin with the second
    assert points(tmp_path, "loss") == [(1, 41), (2, 42), (3, 33), (4, 34), (5, 35)]


def test_an_evaluation_stands_at_the_update_it_evaluates(command):
    run = command(*UNREPORTED)
    evaluation = command(f"run={run.folder}", program="eval")
    assert [step for step, _ in points(evaluation.folder, "test/accuracy")] == [10]
