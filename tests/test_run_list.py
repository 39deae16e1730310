"""The command runs.py and the filters of hudyn.load: which runs are found, compared and read again."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

import hudyn
from hudyn.cli.run_list import listing, run_list
from hudyn.run.index import INDEX, QUIET

from .conftest import ROOT


def write_run(folder, experiment="srn_anb2n", status="done", solved=None, lr=0.005, hidden=2, seed=0, tags=(), **more):
    """The two files of a run that the index reads; `solved` is the share of 10 members."""
    folder.mkdir(parents=True)
    config = {
        "data": {"_target_": experiment, "ratios": [1, 2], "seed": seed, "members": 10},
        "model": {"network": {"hidden_size": hidden}},
        "optimizer": {"lr": lr},
        "scheduler": {},
        "name": experiment,
        "seed": seed,
        "tags": list(tags),
        "objective": "test/solved",
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    metrics = {"test/never": {"kind": "time", "mean": None, "values": [None]}}
    if solved is not None:
        ends = [round(solved - 0.1, 3), round(solved + 0.1, 3)]
        metrics["test/solved"] = {"kind": "rate", "mean": solved, "interval": ends, "values": [0.0]}
    record = {"experiment": experiment, "seed": seed, "members": 10, "tags": list(tags), "status": status}
    record |= {"network": {"parameters": 12}, "metrics": metrics, "time": {"total_s": 60.5}, **more}
    (folder / "results.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """A folder of runs of every kind, in the current folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "outputs"
    write_run(folder / "srn_anb2n/a", solved=0.5, lr=1e-05, tags=["final", "long"])
    write_run(folder / "srn_anb2n/b", solved=0.75, lr=0.1, seed=64)
    write_run(folder / "srn_anb2n/b/evaluations/x", solved=0.25)
    write_run(folder / "lstm_anb2nc3n/c", "lstm_anb2nc3n", status="interrupted", hidden=3, error="stopped by SIGINT")
    write_run(folder / "check/d", "check", status="failed", error="Traceback (most recent call last):\n  x\nOops: 7\n")
    write_run(folder / "check/e", "check", status="running")
    for job in (10, 2):
        write_run(folder / f"multirun/srn/t/{job}", solved=job / 10, lr=job / 100)
    return folder


ALL = ["check/d", "check/e", "lstm_anb2nc3n/c", "multirun/srn/t/2", "multirun/srn/t/10", "srn_anb2n/a", "srn_anb2n/b"]


def listed(*arguments):
    """The runs that are listed, in their order."""
    found = json.loads(listing(run_list([*arguments, "format=json", "columns=run"])))
    return [row["run"].removeprefix("outputs/") for row in found]


# Which runs ---------------------------------------------------------------------------------------


def test_all_runs_are_listed_in_order_and_none_of_their_evaluations(outputs):
    assert listed() == ALL
    assert listed("folder=outputs/multirun") == ["multirun/srn/t/2", "multirun/srn/t/10"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["experiment=srn_*", "test/solved>0.5"], "multirun/srn/t/10 srn_anb2n/b"),
        (["test/solved>=0.5", "test/solved<1"], "srn_anb2n/a srn_anb2n/b"),
        (["test/solved_low>0.5"], "multirun/srn/t/10 srn_anb2n/b"),
        (["optimizer.lr<0.001"], "srn_anb2n/a"),  # 1e-05 in config.yaml
        (["optimizer.lr=1e-1"], "multirun/srn/t/10 srn_anb2n/b"),
        (["model.network.hidden_size=3"], "lstm_anb2nc3n/c"),
        (["seed>=64"], "srn_anb2n/b"),
        (["tags=fin*"], "srn_anb2n/a"),
        (["tags=[final,long]"], "srn_anb2n/a"),
        (["data.ratios=[1,2]", "experiment!=srn_*"], "check/d check/e lstm_anb2nc3n/c"),
        (["test/solved!=0.5", "experiment=srn_anb2n"], "multirun/srn/t/2 multirun/srn/t/10 srn_anb2n/b"),
        (["test/solved=*"], "multirun/srn/t/2 multirun/srn/t/10 srn_anb2n/a srn_anb2n/b"),
        (["status=failed"], "check/d"),
        (["error=*SIGINT"], "lstm_anb2nc3n/c"),
        (["run='*multirun*'"], "multirun/srn/t/2 multirun/srn/t/10"),
        (["time.total_s<60"], ""),
    ],
)
def test_a_filter_finds_the_runs_for_which_it_holds(outputs, filters, expected):
    assert listed(*filters) == expected.split()
    found = hudyn.load("outputs", *filters)
    assert [str(run.folder.relative_to("outputs")) for run in found] == expected.split()


def test_load_takes_filters_with_one_run_and_with_several_folders(outputs):
    assert [run.status for run in hudyn.load("outputs/check/d", "status=failed")] == ["failed"]
    assert not (outputs / "check/d" / INDEX).exists()
    assert len(hudyn.load(["outputs/check", "outputs/srn_anb2n"], "test/solved>0")) == 2  # no run of check has it
    with pytest.raises(hudyn.HudynError, match="No run has test/solvd; did you mean test/solved"):
        hudyn.load("outputs", "test/solvd>0")
    with pytest.raises(hudyn.HudynError, match="nowhere holds no run"):
        hudyn.load("nowhere", "test/solved>0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["status==done"],
            "status==done: expected a key, one of = != < <= > >=, and a value, as in status=failed.",
        ),
        (["failed"], "failed: expected a key"),
        (["members>=many"], "members>=many: expected a number after >=, got many."),
        (["lr<0.1"], "No run has lr; did you mean optimizer.lr?"),
        (["hiden_size=2"], "No run has hiden_size; did you mean model.network.hidden_size?"),
        (["sort=-test/solvd"], "No run has test/solvd; did you mean test/solved?"),
        (["columns=run,time"], "No run has time; did you mean time.total_s?"),
        (
            ["xyz=1"],
            "No run has xyz.\nKeys are run, error, experiment, members, network.parameters, seed, status,",
        ),
        (["format=xml"], "format: expected table, csv or json, got xml."),
        (["sort="], "sort: expected a value after =."),
        (["sort=seed", "sort=run"], "sort is given twice."),
        (["folder=nowhere"], "There is no folder nowhere; name the one that holds your runs: folder=<folder>."),
        (["folder=empty"], "empty holds no run."),
    ],
)
def test_a_mistake_is_explained(outputs, command, arguments, message):
    (outputs.parent / "empty").mkdir()
    outcome = command(*arguments, program="runs")
    assert outcome.status == 2
    assert message in outcome.err
    assert outcome.out == ""


def test_several_mistakes_are_told_together(outputs, command):
    error = command("a", "seed>b", "format=xml", "folder=nowhere", program="runs").err
    assert [text in error for text in ("a: expected", "after >, got b", "got xml", "no folder")] == [True] * 4


def test_runs_are_ordered_by_several_keys_and_those_without_a_value_come_last(outputs):
    assert listed("sort=test/solved")[:4] == ["multirun/srn/t/2", "srn_anb2n/a", "srn_anb2n/b", "multirun/srn/t/10"]
    assert listed("sort=-test/solved")[:4] == ["multirun/srn/t/10", "srn_anb2n/b", "srn_anb2n/a", "multirun/srn/t/2"]
    assert listed("sort=-test/solved")[4:] == listed("sort=test/solved")[4:] == ALL[:3]
    assert listed("sort=-experiment,-test/solved")[:2] == ["multirun/srn/t/10", "srn_anb2n/b"]


# What is shown ---------------------------------------------------------------------------------------


def test_the_table_shows_what_differs_within_an_experiment_and_the_objective(outputs):
    lines = listing(run_list([])).splitlines()
    assert lines[0].split() == ["run", "experiment", "status", "optimizer.lr", "seed", "tags", "test/solved"]
    row = next(line for line in lines if "srn_anb2n/b" in line)
    assert row.split(maxsplit=6)[2:] == ["done", "0.1", "64", "[]", "0.7500 (0.650 – 0.850)"]
    assert lines[-1] == "7 of 7 runs"
    assert listing(run_list(["experiment=check"])).splitlines()[0].split() == ["run", "experiment", "status"]


def test_an_error_is_one_line_of_the_table(outputs):
    shown = listing(run_list(["status=failed", "columns=run,error"])).splitlines()
    assert shown[2].split(maxsplit=1) == ["outputs/check/d", "Oops: 7"]


def test_csv_and_json_hold_the_same_values(outputs):
    chosen = ["columns=run,optimizer.lr,tags,test/solved,error", "sort=-test/solved"]
    rows = list(csv.DictReader(listing(run_list([*chosen, "format=csv"])).splitlines()))
    objects = json.loads(listing(run_list([*chosen, "format=json"])))
    assert list(rows[0]) == list(objects[0])
    assert rows[0]["test/solved_low"] == "0.9"
    assert objects[2] == {
        "run": "outputs/srn_anb2n/a", "optimizer.lr": 1e-05, "tags": ["final", "long"],
        "test/solved": 0.5, "test/solved_low": 0.4, "test/solved_high": 0.6, "error": None,
    }  # fmt: skip
    assert objects[4]["test/solved"] is None


def test_a_terminal_leaves_settings_out_and_a_pipe_nothing(outputs, monkeypatch):
    whole = listing(run_list([]))
    monkeypatch.setenv("COLUMNS", str(max(map(len, whole.splitlines())) - 1))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    narrow = listing(run_list([])).splitlines()
    assert narrow[0].split() == ["run", "experiment", "status", "optimizer.lr", "seed", "test/solved"]
    assert narrow[-2] == "Not shown, for want of room: tags. columns=... chooses."
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert listing(run_list([])) == whole


# The index ---------------------------------------------------------------------------------------


def write_unnoticed(path, old, new):
    """Change a file so that its size and times stay as they were."""
    before = path.stat()
    path.write_text(path.read_text().replace(old, new))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def test_a_run_that_has_not_changed_is_not_read_again(outputs):
    assert listed("status=failed") == ["check/d"]
    for name in ALL:
        write_unnoticed(outputs / name / "results.json", '"experiment"', '"xxxxxxxxxx"')
        write_unnoticed(outputs / name / "config.yaml", "optimizer:", "xxxxxxxxx:")
    assert listed("experiment=srn_anb2n", "optimizer.lr>0") == ALL[3:]
    (outputs / INDEX).unlink()
    assert listed("xxxxxxxxx.lr>0") == ALL  # they are read now


def test_runs_that_changed_came_or_went_are_noticed(outputs):
    assert listed() == ALL
    shutil.rmtree(outputs / "srn_anb2n/a")
    shutil.rmtree(outputs / "check/d")
    write_run(outputs / "check/d", "check", status="done")
    write_run(outputs / "new/f", status="failed")
    config = outputs / "srn_anb2n/b/config.yaml"
    config.write_text(config.read_text().replace("0.1", "0.25"))
    assert listed() == [*ALL[:5], "new/f", "srn_anb2n/b"]
    assert listed("status=failed") == ["new/f"]
    assert listed("optimizer.lr=0.25") == ["srn_anb2n/b"]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("results.json", b'{"status": "do', "results.json cannot be read"),
        ("results.json", b"\xff", "results.json cannot be read"),
        ("results.json", b"[1]", "results.json cannot be read: it has no status"),
        ("results.json", b'{"status": "done", "metrics": {"test/solved": 1}}', "results.json cannot be read"),
        ("config.yaml", b"a: [", "config.yaml cannot be read"),
        ("config.yaml", b"text", "config.yaml cannot be read: expected a mapping at its top"),
        ("config.yaml", None, "There is no config.yaml."),
    ],
)
def test_a_damaged_run_is_listed_as_damaged_until_it_is_mended(outputs, name, content, error):
    assert listed("status=done") == ALL[3:]
    path = outputs / "srn_anb2n/b" / name
    sound = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert listed() == ALL
    assert listed("status=damaged", f"error={error}*") == ["srn_anb2n/b"]
    assert "test/solved" in listing(run_list([])).splitlines()[0]
    path.write_bytes(sound)
    assert listed("status=done") == ALL[3:]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"format": 0, "runs": {}}', b'{"format": 1, "runs": {"check/d": [1]}}'],
)
def test_a_damaged_index_is_made_anew(outputs, content):
    assert listed() == ALL
    sound = json.loads((outputs / INDEX).read_bytes())
    (outputs / INDEX).write_bytes(content)
    assert listed() == ALL
    assert json.loads((outputs / INDEX).read_bytes()) == sound


def test_an_index_that_cannot_be_written_costs_no_answer(outputs):
    (outputs / INDEX).mkdir()
    assert listed() == ALL
    assert sorted(path.name for path in outputs.glob(".*")) == [INDEX]


def test_commands_at_the_same_time_leave_a_sound_index(outputs):
    command = [sys.executable, str(ROOT / "runs.py"), "format=json"]

    def ask(number):
        write_run(outputs / f"more/{number}")
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    with ThreadPoolExecutor() as pool:
        counts = [len(found) for found in pool.map(ask, range(4))]
    assert min(counts) > len(ALL)
    assert len(listed()) == len(json.loads((outputs / INDEX).read_bytes())["runs"]) == len(ALL) + 4


def test_a_run_that_writes_nothing_more_is_stale(outputs):
    assert listed("status=running") == ["check/e"]
    past = time.time() - QUIET - 1
    for path in (outputs / "check/e").iterdir():
        os.utime(path, (past, past))
    assert listed("status=stale") == ["check/e"]
    (outputs / "check/e/checkpoints").mkdir()
    assert listed("status=stale") == []


# The process ---------------------------------------------------------------------------------------


def test_the_command_imports_little_and_survives_a_closed_pipe(outputs):
    script = (
        "import atexit, sys; sys.argv = ['runs.py', 'test/solved>0.5', 'sort=seed']; from hudyn.cli import runs\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); runs()"
    )
    line = ["bash", "-o", "pipefail", "-c", '"$0" -c "$1" | true', sys.executable, script]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "hudyn" in loaded
    assert loaded & {"torch", "lightning", "matplotlib", "pandas", "numpy", "omegaconf", "hydra", "rich"} == set()


def test_help_is_shown(outputs, command):
    outcome = command("--help", program="runs")
    assert outcome.status == 0
    assert "usage: runs.py" in outcome.err
