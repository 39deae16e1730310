"""Runs functions side by side on all cores, in forked processes, which need no copy of what the functions work on."""

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TypeVar

import numpy as np
import torch

from hudyn.cores import cores

NUMBER = np.dtype(np.uint32)
T = TypeVar("T")


def run_side_by_side(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Run functions, as many at a time as there are cores; one after the other where that is not possible.

    This process takes part. If another one fails, all tasks are run again here, so that the error is raised here.

    Args:
        tasks: functions that change nothing but files.

    Returns:
        What each returns, which another process sends as a copy.

    Raises:
        Exception: what a task raises.
    """
    waiting, filled = os.pipe()  # the numbers of the tasks, of which each process takes the next when it is free
    os.write(filled, np.arange(len(tasks), dtype=NUMBER).tobytes())
    os.close(filled)
    helpers = []
    try:
        for _ in range(min(_processes(), len(tasks)) - 1):
            receiver, sender = multiprocessing.Pipe(duplex=False)
            helper = multiprocessing.get_context("fork").Process(
                target=_help, args=(tasks, waiting, sender), daemon=True
            )
            helper.start()
            sender.close()
            helpers.append((helper, receiver))
        results = _run_waiting(tasks, waiting)
        for _, receiver in helpers:
            with suppress(EOFError):  # it has failed
                results |= pickle.loads(receiver.recv_bytes())
    finally:
        os.close(waiting)
        for helper, receiver in helpers:
            helper.kill()
            helper.join()
            receiver.close()
    return [results[number] if len(results) == len(tasks) else task() for number, task in enumerate(tasks)]


def _processes() -> int:
    """The number of processes that may run at once: 1 where forking is not safe, and in daemons, which may not fork."""
    is_possible = sys.platform == "linux" and not multiprocessing.current_process().daemon
    return cores() if is_possible else 1


def _run_waiting(tasks: Sequence[Callable[[], T]], waiting: int) -> dict[int, T]:
    """Run tasks until none is waiting, and return their results by number."""
    results = {}
    while read := os.read(waiting, NUMBER.itemsize):
        number = int(np.frombuffer(read, NUMBER)[0])
        results[number] = tasks[number]()
    return results


def _help(tasks: Sequence[Callable[[], T]], waiting: int, sender: Connection) -> None:
    """Run tasks in a process of its own, silently: the first process hears of Ctrl-C too, and reports errors."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)  # the threads that torch had are not in this process
    try:
        sender.send_bytes(pickle.dumps(_run_waiting(tasks, waiting)))  # `send` would share tensors, not copy them
    except BaseException:
        os._exit(1)
