"""Runs functions side by side on all cores, in forked processes, which need no copy of what the functions work on."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence

import numpy as np
import torch

from hudyn.cores import cores

Tasks = Sequence[Callable[[], None]]
NUMBER = np.dtype(np.uint32)


def run_side_by_side(tasks: Tasks) -> None:
    """Run tasks that write files, as many at a time as there are cores; one after the other where that is not possible.

    This process takes part. If another one fails, all tasks are run again here, so that the error is raised here.

    Args:
        tasks: functions that change nothing but files.

    Raises:
        Exception: what a task raises.
    """
    waiting, filled = os.pipe()  # the numbers of the tasks, of which each process takes the next when it is free
    os.write(filled, np.arange(len(tasks), dtype=NUMBER).tobytes())
    os.close(filled)
    processes = []
    try:
        for _ in range(min(_processes(), len(tasks)) - 1):
            process = multiprocessing.get_context("fork").Process(target=_help, args=(tasks, waiting), daemon=True)
            process.start()
            processes.append(process)
        _run_waiting(tasks, waiting)
        for process in processes:
            process.join()
    finally:
        os.close(waiting)
        for process in processes:
            process.kill()
            process.join()
    if any(process.exitcode for process in processes):
        for task in tasks:
            task()


def _processes() -> int:
    """The number of processes that may run at once: 1 where forking is not safe, and in daemons, which may not fork."""
    is_possible = sys.platform == "linux" and not multiprocessing.current_process().daemon
    return cores() if is_possible else 1


def _run_waiting(tasks: Tasks, waiting: int) -> None:
    """Run tasks until none is waiting."""
    while number := os.read(waiting, NUMBER.itemsize):
        tasks[int(np.frombuffer(number, NUMBER)[0])]()


def _help(tasks: Tasks, waiting: int) -> None:
    """Run tasks in a process of its own, silently: the first process hears of Ctrl-C too, and reports errors."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)  # the threads that torch had are not in this process
    try:
        _run_waiting(tasks, waiting)
    except BaseException:
        os._exit(1)
