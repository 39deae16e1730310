"""Runs functions side by side on all cores, in forked processes, which need no copy of what the functions work on."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import cast

import torch


def run_side_by_side(tasks: Sequence[Callable[[], None]]) -> None:
    """Run tasks that write files, as many at a time as there are cores; one after the other where that is not possible.

    A task that fails in a process of its own is run again in this one, so that its error is raised here.

    Args:
        tasks: functions that change nothing but files.

    Raises:
        Exception: what a task raises.
    """
    processes = min(_cores(), len(tasks))
    if processes < 2:
        for task in tasks:
            task()
        return
    fork = multiprocessing.get_context("fork")
    waiting, running = list(tasks), dict[int, tuple[BaseProcess, Callable[[], None]]]()
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                task = waiting.pop(0)
                process: BaseProcess = fork.Process(target=_run, args=(task,), daemon=True)
                process.start()
                running[process.sentinel] = process, task
            for sentinel in wait(list(running)):
                process, task = running.pop(cast(int, sentinel))
                process.join()
                if process.exitcode != 0:
                    task()
    finally:
        for process, _ in running.values():
            process.kill()
            process.join()


def _cores() -> int:
    """The number of processes that may run at once: 1 where forking is not safe, and in daemons, which may not fork."""
    is_possible = sys.platform == "linux" and not multiprocessing.current_process().daemon
    return len(os.sched_getaffinity(0)) if is_possible else 1


def _run(task: Callable[[], None]) -> None:
    """Run a task in a process of its own, silently: the first process hears of Ctrl-C too, and reports errors."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)  # the threads that torch had are not in this process
    try:
        task()
    except BaseException:
        os._exit(1)
