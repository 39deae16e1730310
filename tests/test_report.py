"""The command report.py: the page of a run again, runs compared, the assignment answered."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from PIL import Image

from hudyn.page.assignment import PARTS, PUBLISHED, WANTED
from hudyn.run.folder import atomic_write

from .conftest import ROOT

CLASSES = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
NETWORKS = {"kmnist_lin": "NetLin", "kmnist_full": "NetFull", "kmnist_conv": "NetConv"}


def write(path, content):
    with atomic_write(path) as file:
        file.write(content if isinstance(content, str) else json.dumps(content))


def write_table(folder, name, rows):
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    write(folder / f"tables/{name}.csv", "\n".join(lines) + "\n")


def write_run(folder, experiment, metrics=None, parts=None, config=None, figures=(), status="done", members=1):
    """A folder that looks like a run's, with what the pages need."""
    settings = {
        "name": experiment, "objective": "test/accuracy", "expected": "", "report": {}, "allowed_targets": [],
        "data": {"dataset": "KMNIST"}, "model": {"network": {"_target_": "hudyn.networks.NetLin"}},
        "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.01}, "trainer": {"max_epochs": 10},
    }  # fmt: skip
    write(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.merge(settings, config or {})))
    write(
        folder / "results.json",
        {
            "experiment": experiment, "seed": 0, "members": members, "status": status,
            "network": {"class": f"hudyn.networks.{NETWORKS.get(experiment, 'Net')}", "parameters": 7850},
            "metrics": metrics or {}, "time": {"updates": 9380}, **(parts or {}),
        },
    )  # fmt: skip
    for name in figures:
        (folder / "figures").mkdir(exist_ok=True)
        Image.new("RGB", (60, 40), "white").save(folder / f"figures/{name}.png")
    return folder


def value(*values):
    return {"kind": "value", "values": values}


def rate(*values):
    return {"kind": "rate", "values": values, "interval": [0, 1]}


def write_classifier(folder, experiment, accuracy, confused, **settings):
    matrix = [[1000 if row == column else 0 for column in range(10)] for row in range(10)]
    for target, choice, number in confused:
        matrix[CLASSES.index(target)][CLASSES.index(choice)] = number
    evaluation = {
        "classes": CLASSES,
        "best_member": 0,
        "members": [
            {
                "confusion_matrix": matrix,
                "confusions": [{"target": t, "choice": c, "count": number} for t, c, number in confused],
                "precision": [0.9, 0.9, 0.58] + [0.9] * 7,
            }
        ],
        "parameters": [{"layer": "output", "kind": "Linear", "arithmetic": "10·784 + 10", "parameters": 7850}],
    }
    metrics = {"test/accuracy": value(accuracy), "train/accuracy": value(accuracy + 0.1)}
    return write_run(folder, experiment, metrics, {"evaluation": evaluation}, figures=["confusion_matrix"], **settings)


def write_recurrent(folder, experiment, alphabet, ratios, word, hidden_size):
    """A run whose traced text is `word`; each symbol of it and the first after it has a probability of 0.9."""
    follows = [*word[1:], "a"]
    trace = [
        {"symbol": symbol, "state": place + 1, "hidden_1": 0.5}
        | {f"predicted_{other}": 0.9 if other == after else 0.05 for other in alphabet}
        | {f"true_{other}": int(other == after) for other in alphabet}
        for place, (symbol, after) in enumerate(zip(word, follows, strict=True))
    ]
    write_table(folder, "trace", trace)
    member = {"states": 12, "equivalent": False, "differs": "after aabb: a instead of b"}
    parts = {
        "evaluation": {"best_member": 1},
        "page": {
            "answer": "Half of them do.",
            "how": ["The first hidden unit counts."],
            "figures": {"hidden_states": "A caption of the run's own."},
            "tables": {},
        },
        "dynamics": {"best_member": 1, "automata": {"language_states": 12}, "members": [{}, member]},
    }
    metrics = {"test/solved": rate(0, 1), "test/longest": value(2, 6)}
    config = {
        "data": {"language": {"ratios": ratios, "max_n": 4}},
        "model": {"network": {"hidden_size": hidden_size}},
    }
    return write_run(folder, experiment, metrics, parts, config, ["hidden_states"], members=2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a real run of check_sigmoid with three members."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    arguments = [
        "experiment=check_sigmoid", "members=3", "trainer.max_steps=300", "data.evaluation_interval=100",
        f"hydra.run.dir={folder}",
    ]  # fmt: skip
    subprocess.run([sys.executable, str(ROOT / "train.py"), *arguments], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def all_runs(trained, tmp_path_factory):
    """A folder with a run of each of the assignment's experiments."""
    folder = tmp_path_factory.mktemp("all") / "outputs"
    write_classifier(folder / "kmnist_lin/1", "kmnist_lin", 0.6953, [("ma", "su", 141), ("ha", "su", 120)])
    full = {"config": {"model": {"network": {"hidden_size": 300}}}}
    write_classifier(folder / "kmnist_full/1", "kmnist_full", 0.8492, [("ha", "su", 85)], **full)
    write_classifier(folder / "kmnist_conv/1", "kmnist_conv", 0.9388, [("ha", "su", 39)])
    shutil.copytree(trained, folder / "check_sigmoid/1")
    for experiment, network in (("check_step", {"hidden_size": 4}), ("check_scaled", {"scale": 10})):
        points = [{"x": x, "y": y, "label": (x + y) % 2, "right": 1} for x in range(3) for y in range(3)]
        run = write_run(
            folder / experiment / "1", experiment, {"train/solved": rate(1)},
            {"evaluation": {"activations": points}}, {"model": {"network": network}}, ["units"],
        )  # fmt: skip
        write_table(run, "activations", points)
        write_table(run, "dividing_lines", [{"unit": "hidden 1", "weight_x": 1.0, "equation": "x + y − 0.5 = 0"}])
    write_recurrent(folder / "srn_anb2n/1", "srn_anb2n", "ab", [1, 2], "aabbbb", 2)
    write_recurrent(folder / "lstm_anb2nc3n/1", "lstm_anb2nc3n", "abc", [1, 2, 3], "abbccc", 3)
    return folder


@pytest.fixture
def outputs(all_runs, tmp_path):
    """A copy of all runs, to be changed, in the current folder's ``outputs``."""
    return Path(shutil.copytree(all_runs, tmp_path / "outputs"))


@pytest.fixture
def report(command):
    """Runs report.py in this process."""
    return lambda *arguments: command(*arguments, program="report")


def text_of(page):
    """What a reader sees of a page."""
    content = re.sub(r"<(style|script).*?</\1>", " ", page.read_text(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", content)).split())


def files_in(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# A run ---------------------------------------------------------------------------------------


def test_a_runs_page_is_written_again_and_nothing_else(report, trained, tmp_path):
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    before = files_in(run)
    (run / "report.html").unlink()
    outcome = report(f"run={run}")
    assert outcome.status == 0, outcome.err
    assert str(run / "report.html") in outcome.out
    assert "networks at work" not in outcome.out
    assert files_in(run) == before


def test_a_run_without_weights_for_the_page_is_shown_without_networks(report, trained, tmp_path):
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    (run / "view.json.gz").unlink()
    outcome = report(f"run={run}")
    assert outcome.status == 0, outcome.err
    assert "no networks at work" in outcome.out
    assert f"python eval.py run={run}" in outcome.out
    assert '<script type="text/plain" id="view"></script>' in (run / "report.html").read_text()


# A comparison ---------------------------------------------------------------------------------------


@pytest.fixture
def two_runs(tmp_path):
    """Two runs that differ in the learning rate, each with two members and two evaluations."""
    for name, rate_of_learning, solved in (("one", 0.01, [0, 1]), ("two", 0.02, [1, 1])):
        metrics = {"test/solved": rate(*solved), "test/excess": value(0.1, 0.3)}
        config = {"optimizer": {"lr": rate_of_learning}, "objective": "test/solved"}
        run = write_run(tmp_path / "runs" / name, "srn_anb2n", metrics, config=config, members=2)
        history = [
            {"update": update, "member": member, "test/excess": 0.5 / update, "test/solved": member}
            for update in (1, 2)
            for member in range(2)
        ]
        write_table(run, "history", history)
        write(run / "report.html", "a page")
    return [f"run={tmp_path / 'runs' / name}" for name in ("one", "two")]


def test_a_comparison_shows_what_differs_and_every_measure(report, two_runs, tmp_path):
    outcome = report(*two_runs)
    assert outcome.status == 0, outcome.err
    page = tmp_path / "outputs/comparison.html"
    text = text_of(page)
    assert "optimizer.lr 0.01 0.02" in text
    assert "trainer.max_epochs" not in text  # the same in both
    assert "test/solved 50.0 % (9.5 % to 90.5 %) 100.0 % (34.2 % to 100.0 %)" in text
    assert "test/excess 0.2000 (0.1500 to 0.2500)" in text
    assert text.index("test/solved") < text.index("test/excess")  # the objective stands first
    links = re.findall(r'<a href="([^"]*report.html)"', page.read_text())
    assert links == ["../runs/one/report.html", "../runs/two/report.html"]
    assert all((page.parent / link).is_file() for link in links)


def test_a_comparison_holds_the_curves_of_every_run(report, two_runs, tmp_path):
    from hudyn.page.comparison import _curves
    from hudyn.run.run import Run

    assert report(*two_runs, f"output={tmp_path / 'mine.html'}").status == 0
    assert '<section id="curves"' in (tmp_path / "mine.html").read_text()
    curves = _curves([Run(Path(text.removeprefix("run="))) for text in two_runs], ["one", "two"])["curves"]
    assert [(curve["run"], curve["updates"], curve["middle"]) for curve in curves["test/excess"]] == [
        (0, [1, 2], [0.5, 0.25]),
        (1, [1, 2], [0.5, 0.25]),
    ]
    share = curves["test/solved"][0]
    assert [share[part][0] for part in ("low", "middle", "high")] == pytest.approx([0.0945, 0.5, 0.9055], abs=1e-3)


def test_runs_of_different_tasks_and_failed_ones_can_be_compared(report, two_runs, tmp_path):
    write_run(tmp_path / "other", "kmnist_lin", {"test/accuracy": value(0.7)}, status="failed")
    outcome = report(*two_runs, f"run={tmp_path / 'other'}")
    assert outcome.status == 0, outcome.err
    text = text_of(tmp_path / "outputs/comparison.html")
    assert "failed" in text
    assert "test/accuracy 0.7000" in text


def test_names_are_shown_as_text(report, two_runs, tmp_path):
    name = "<script>alert(1)<script>"
    write_run(tmp_path / "x", name, config={"tags": ["<b>bold"]})
    shutil.copytree(tmp_path / "x", tmp_path / "<i>")
    assert report(*two_runs, f"run={tmp_path / '<i>'}").status == 0
    page = (tmp_path / "outputs/comparison.html").read_text()
    assert "<i>" not in page
    assert "<b>bold" not in page
    assert name not in page


# The assignment ---------------------------------------------------------------------------------------


def test_the_assignment_is_answered_in_its_order(report, outputs):
    outcome = report("assignment=outputs")
    assert outcome.status == 0, outcome.err
    assert "missing" not in outcome.out
    page = outputs / "assignment.html"
    text = text_of(page)
    places = []
    for part in PARTS:
        places.append(text.index(part.title, (places or [0])[-1]))
        for question in part.questions:
            places.append(text.index(f"Question {question.number}. {question.text}", places[-1]))
    assert places == sorted(places)
    assert "This needs a run" not in text
    assert page.stat().st_size < 12e6


def test_every_published_number_stands_beside_the_measured_one(report, outputs):
    report("assignment=outputs")
    text = text_of(outputs / "assignment.html")
    for row in PUBLISHED:
        assert f"{row.quantity} {row.value}" in text
    assert "test accuracy of NetLin about 70 % (69.65 %) 69.53 %" in text
    assert "ma taken for su by NetLin 144 141" in text
    assert "points right with step units 9 of 9 9 of 9" in text
    assert "test accuracy of NetFull, 100 hidden units 83 % no run yet" in text
    assert "SRNs that solve aⁿb²ⁿ one shown 1 of 2 networks" in text


def test_answers_are_made_of_measurements(report, outputs):
    report("assignment=outputs")
    text = text_of(outputs / "assignment.html")
    assert "NetConv classifies 93.88 % of the test images correctly after 10 epochs" in text
    assert "NetLin takes ma for su most often, 141 times, and su for ma 0 times." in text
    assert "10·784 + 10" in text
    assert "x + y − 0.5 = 0" in text
    assert "predicts all words up to n = 6 (its N* in the figures); the training words go up to n = 4" in text
    assert "It is not the machine of the language, which has 12 states: after aabb: a instead of b." in text
    assert "the last b a probability of 0.90 or more before it is read, and the a that follows" in text
    assert "the last c a probability of 0.90 or more before it is read, and the a that follows" in text
    assert "The first hidden unit counts." in text
    assert "A caption of the run's own." in text


def test_the_initial_and_final_weights_are_those_of_the_network(report, outputs):
    from hudyn.run.run import Run

    report("assignment=outputs")
    row = re.search(r"hidden 1 ((?:[−-]?[\d.]+ ){8})", text_of(outputs / "assignment.html"))
    run = Run(outputs / "check_sigmoid/1")
    network, start = run.network(), run.study.module.snapshots.vectors[0][run.study.best]
    final = [*network.hidden.weight[0].tolist(), network.hidden.bias[0].item(), network.output.weight[0, 0].item()]
    initial = [start[0].item(), start[1].item(), start[10].item(), start[15].item()]
    assert row is not None
    shown = list(map(float, row[1].split()))
    assert shown[::2] == pytest.approx(initial, abs=6e-4)
    assert shown[1::2] == pytest.approx(final, abs=6e-4)


def test_the_page_needs_no_other_file(report, outputs):
    report("assignment=outputs")
    page = (outputs / "assignment.html").read_text()
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]*)"', page))
    assert "http" not in page
    assert all('alt=""' not in image for image in re.findall(r"<img[^>]*>", page))
    links = set(re.findall(r'href="([^#"][^"]*)"', page))
    assert "kmnist_lin/1" in links  # which has no page, so its folder
    assert "check_sigmoid/1/report.html" in links
    assert all((outputs / link).exists() for link in links)


def test_what_is_missing_is_said_with_its_command(report, outputs):
    shutil.rmtree(outputs / "srn_anb2n")
    outcome = report("assignment=outputs")
    assert outcome.status == 0, outcome.err
    assert "python train.py experiment=srn_anb2n\n" in outcome.out
    assert "experiment=lstm_anb2nc3n" not in outcome.out
    assert "hidden_size=100" not in outcome.out  # optional
    text = text_of(outputs / "assignment.html")
    assert text.count("This needs a run of the SRN: python train.py experiment=srn_anb2n") == 3
    assert "experiment=kmnist_full model.network.hidden_size=100" in text


def test_another_folders_commands_train_into_it(report, outputs, tmp_path):
    shutil.rmtree(outputs / "check_step")
    outputs.rename(tmp_path / "mine")
    outcome = report("assignment=mine")
    assert "python train.py experiment=check_step hydra.run.dir=mine/check_step\n" in outcome.out


def test_the_newest_finished_run_of_each_kind_counts(report, outputs):
    old = outputs / "kmnist_lin/1/results.json"
    os.utime(old, (1e9, 1e9))
    write_classifier(outputs / "kmnist_lin/2", "kmnist_lin", 0.71, [("ma", "su", 9)])
    write_classifier(outputs / "kmnist_lin/3", "kmnist_lin", 0.72, [("ma", "su", 9)], status="failed")
    fashion = {"data": {"dataset": "FashionMNIST"}}
    write_classifier(outputs / "kmnist_lin/4", "kmnist_lin", 0.73, [("ma", "su", 9)], config=fashion)
    write_classifier(outputs / "kmnist_lin/2/evaluations/1", "kmnist_lin", 0.74, [("ma", "su", 9)])
    write(outputs / "kmnist_lin/5/results.json", "{")
    write(outputs / "kmnist_lin/5/config.yaml", "name: damaged")
    small = {"config": {"model": {"network": {"hidden_size": 100}}}}
    write_classifier(outputs / "kmnist_full/2", "kmnist_full", 0.83, [("ha", "su", 9)], **small)
    report("assignment=outputs")
    text = text_of(outputs / "assignment.html")
    assert "test accuracy of NetLin about 70 % (69.65 %) 71.00 %" in text
    assert "test accuracy of NetFull, 100 hidden units 83 % 83.00 %" in text
    assert "test accuracy of NetFull, 300 hidden units about 85 % (84.94 %) 84.92 %" in text
    assert text.index("NetFull with 100 hidden units classifies") < text.index(
        "NetFull with 300 hidden units classifies"
    )


# Training what is missing ---------------------------------------------------------------------------------------

STAND_IN = """
import pathlib, shutil, sys
print("training with", sys.argv[1:], flush=True)
if "experiment=kmnist_conv" in sys.argv:
    sys.exit(3)
folder = sys.argv[-1].removeprefix("hydra.run.dir=").strip("'")
shutil.copytree(pathlib.Path({all_runs!r}) / pathlib.Path(folder).parent.name / "1", folder, dirs_exist_ok=True)
"""


def test_what_is_missing_is_trained_first_and_failures_are_named(report, all_runs, outputs, monkeypatch):
    script = STAND_IN.format(all_runs=str(all_runs))
    monkeypatch.setattr("hudyn.cli.pages.TRAIN", [sys.executable, "-c", script])
    for name in ("kmnist_conv", "check_sigmoid", "srn_anb2n"):
        shutil.rmtree(outputs / name)
    outcome = report("assignment=outputs", "run_missing=true")
    assert outcome.status == 1
    assert "kmnist_conv failed with exit status 3" in outcome.out
    assert "lacks kmnist_conv, which failed" in outcome.err
    assert "python train.py experiment=check_sigmoid members=16" in outcome.out
    text = text_of(outputs / "assignment.html")
    assert text.count("This needs a run of ") == text.count("This needs a run of NetConv") > 0
    assert "experiment=srn_anb2n" not in text.partition("The runs")[0]


def test_training_is_train_py_in_a_process_of_its_own(report, outputs):
    shutil.rmtree(outputs / "check_step")
    outcome = report("assignment=outputs", "run_missing=true")
    assert outcome.status == 0, outcome.err
    (run,) = (outputs / "check_step").iterdir()
    assert json.loads((run / "results.json").read_text())["status"] == "done"
    assert OmegaConf.load(run / ".hydra/overrides.yaml") == ["experiment=check_step"]
    with open(run / "tables/dividing_lines.csv", newline="") as file:
        equations = [row["equation"] for row in csv.DictReader(file)]
    assert equations[0] in text_of(outputs / "assignment.html")


# PDF ---------------------------------------------------------------------------------------


def test_without_a_browser_the_page_stays_and_the_reason_is_said(report, outputs, monkeypatch):
    monkeypatch.setenv("PATH", "")
    outcome = report("assignment=outputs", "pdf=true")
    assert outcome.status == 1
    assert "needs Chromium or Google Chrome, and neither is on the PATH" in outcome.err
    assert "Traceback" not in outcome.err
    assert (outputs / "assignment.html").is_file()


def test_a_browser_that_fails_is_quoted(report, outputs, tmp_path, monkeypatch):
    browser = tmp_path / "bin/chromium"
    write(browser, "#!/bin/sh\necho no display >&2\nexit 1\n")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{browser.parent}:/bin:/usr/bin")
    outcome = report("assignment=outputs", "pdf=true")
    assert outcome.status == 1
    assert f"{browser}: no display" in outcome.err


@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_a_page_is_printed(report, outputs):
    outcome = report("assignment=outputs", "pdf=true")
    assert outcome.status == 0, outcome.err
    assert (outputs / "assignment.pdf").read_bytes().startswith(b"%PDF")


# Mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "usage: report.py run=<folder of a run>"),
        (["run=nowhere"], "There is no folder nowhere."),
        (["run=empty"], "empty holds no run: it has no config.yaml."),
        (["assignment=nowhere"], "There is no folder nowhere; name the one that holds your runs"),
        (["assignment=empty"], "empty holds no finished run of the assignment's experiments."),
        (["rum=empty"], "rum: there is no such key; did you mean run?"),
        (["empty"], "empty: expected key=value."),
        (["run=one", "run=./one"], "is given twice"),
        (["run=one", "assignment=empty"], "Give run=<folder> or assignment=<folder>, not both."),
        (["run=one", "output=x.html"], "output=<file> is where a comparison goes"),
        (["run=one", "run=two", "output=x.pdf"], "output: expected a file that ends in .html, got x.pdf."),
        (["run=one", "run_missing=true"], "run_missing=true belongs to assignment=<folder>."),
        (["run=one", "pdf=yes"], "pdf: expected true or false, got yes."),
        (["assignment=empty", "trainer.max_steps=3"], "trainer.max_steps: there is no such key"),
        (["run=nowhere", "run=empty"], "There is no folder nowhere."),
    ],
)
def test_a_mistake_is_explained_and_nothing_is_written(report, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    for name in ("one", "two"):
        write_run(tmp_path / name, "kmnist_lin")
    before = files_in(tmp_path)
    outcome = report(*arguments)
    assert outcome.status == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert {path: content for path, content in files_in(tmp_path).items() if "data" not in path.parts} == before


def test_several_mistakes_are_told_together(report, tmp_path):
    outcome = report("run=nowhere", "pdf=maybe", "colour=red")
    assert all(name in outcome.err for name in ("nowhere", "pdf", "colour"))


def test_mistakes_are_found_before_torch_is_imported(tmp_path):
    script = "import sys; sys.modules['torch'] = None; from hudyn.cli import report; report()"
    command = [sys.executable, "-c", script, f"run={tmp_path / 'nowhere'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "There is no folder" in done.stderr


def test_every_question_is_answered_by_wanted_runs():
    needed = {name for part in PARTS for question in part.questions for e in question.evidence for name in e.needs}
    assert needed == set(WANTED)
    assert {row.run for row in PUBLISHED} == set(WANTED)
