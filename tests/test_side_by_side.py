"""Figures and files that a report leaves to functions: drawn in processes of their own, with the same outcome."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from hudyn.figures.success import success_curves
from hudyn.run.run import Run
from hudyn.run.writer import write
from hudyn.side_by_side import run_side_by_side
from hudyn.tasks.artifacts import Artifacts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


@pytest.fixture(autouse=True)
def _cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2})


def write_process(path):
    path.write_text(str(os.getpid()))
    time.sleep(0.2)  # long enough for other processes to take their share


def test_tasks_run_side_by_side_and_leave_no_process(tmp_path):
    run_side_by_side([partial(write_process, tmp_path / str(number)) for number in range(9)])
    processes = {(tmp_path / str(number)).read_text() for number in range(9)}
    assert 1 < len(processes) <= 3
    assert not multiprocessing.active_children()


def test_results_are_in_the_order_of_the_tasks():
    def fill(number):
        time.sleep(0.05)
        return torch.full((2,), number)

    results = run_side_by_side([partial(fill, number) for number in range(9)])
    assert torch.equal(torch.stack(results), torch.arange(9)[:, None].expand(9, 2))


def test_one_task_needs_no_process(tmp_path):
    run_side_by_side([partial(write_process, tmp_path / "only")])
    assert (tmp_path / "only").read_text() == str(os.getpid())


@pytest.mark.parametrize("is_here", [True, False], ids=["here", "elsewhere"])
def test_an_error_is_that_of_the_task(is_here, capfd):
    def fail():
        calls.append(True)
        if (os.getpid() == first) is is_here or len(calls) > 3:  # if elsewhere, this process first succeeds
            raise ValueError("no such state")
        time.sleep(60 if is_here else 0.5)

    calls, first = [], os.getpid()
    with pytest.raises(ValueError, match="no such state"):
        run_side_by_side([fail] * 4)
    assert not multiprocessing.active_children()
    assert capfd.readouterr() == ("", "")


def test_tasks_of_a_process_that_is_killed_are_run_again(tmp_path):
    def die_elsewhere():
        time.sleep(0.5)
        if os.getpid() != first:
            os.kill(os.getpid(), signal.SIGKILL)
        written.append(True)

    first, written = os.getpid(), []
    run_side_by_side([die_elsewhere] * 3)
    assert len(written) >= 3


def test_a_daemon_draws_by_itself(tmp_path):
    tasks = [partial(write_process, tmp_path / name) for name in "ab"]
    daemon = multiprocessing.get_context("fork").Process(target=run_side_by_side, args=(tasks,), daemon=True)
    daemon.start()
    daemon.join(60)
    assert {(tmp_path / name).read_text() for name in "ab"} == {str(daemon.pid)}


def test_ctrl_c_ends_all_processes_at_once_and_silently(tmp_path):
    script = """
    import os, signal, sys, time
    from functools import partial
    from hudyn.side_by_side import run_side_by_side

    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background

    os.sched_getaffinity = lambda process: {0, 1}

    def task(name):
        open(name, "w").write(str(os.getpid()))
        time.sleep(60)

    try:
        run_side_by_side([partial(task, name) for name in ("a", "b")])
    except KeyboardInterrupt:
        sys.exit(130)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    places = [tmp_path / "a", tmp_path / "b"]
    while not all(place.exists() and place.read_text() for place in places):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    for place in places:
        with pytest.raises(ProcessLookupError):
            os.kill(int(place.read_text()), 0)


def test_functions_give_the_same_files_as_figures_and_texts(tmp_path):
    def draw(title):
        return success_curves(*curves, 100, "update", "solved", title)

    def written(name, figures, files):
        run = Run(tmp_path / name)
        run.folder.mkdir()
        run.config = OmegaConf.create({})
        write(Artifacts(figures=figures, files=files), run)
        return {path.name: path.read_bytes() for path in run.folder.rglob("*.*") if path.suffix in (".png", ".txt")}

    curves = (torch.tensor([10.0, 50.0]),) * 2
    titles = ["one", "two", "three"]
    drawn = written("drawn", {title: draw(title) for title in titles}, {"a.txt": "text"})
    functions = {title: partial(draw, title) for title in titles} | {"nothing": lambda: None}
    assert set(drawn) == {"one.png", "two.png", "three.png", "a.txt"}
    assert written("functions", functions, {"a.txt": lambda: "text", "b.txt": lambda: None}) == drawn


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; figures are drawn side by side on Linux only")
def test_processes_share_no_open_fonts():
    def fonts(process):
        return [file for file in Path(f"/proc/{process}/fd").iterdir() if file.resolve().suffix == ".ttf"]

    success_curves(*(torch.tensor([10.0, 50.0]),) * 2, 100, "update", "solved", "$a^nb^{2n}$ and words")
    gc.collect()
    assert fonts("self")
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    try:
        assert not fonts(child.pid)
    finally:
        child.kill()
        child.join()
