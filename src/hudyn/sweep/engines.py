"""What the jobs of a sweep run on: processes of this machine, a queue, a cluster.

Hydra's own plugins for joblib, submitit and Ray are not used. Each of them gives up a sweep when the process of one job
is killed; the one for submitit starts all jobs of a machine at once; the one for Ray needs cloudpickle before version
3, and joblib a later one. An engine here runs what it is given in another process, and says when that process has ended
or was lost; `hudyn.cli.launch` decides what is run, and what is run again.
"""

import logging
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from hudyn.arguments import NonNegative, PositiveFloat, checked
from hudyn.config.problems import ConfigurationError, Problem
from hudyn.cores import cores

GRACE = 10  # seconds in which what is stopped may save its state
POLL = 0.2  # seconds between two looks at a queue of this machine


class Engine(ABC):
    """Runs functions in other processes.

    Attributes:
        at_once: how many it should be given at once.
        threads: CPU threads of each; None where the engine sees to that itself.
        is_local: whether they run on this machine and must end with this process.
    """

    at_once: int
    threads: int | None = None
    is_local = False

    def begin(self, folder: Path) -> None:  # noqa: B027 # most have nothing to do
        """Get ready.

        Args:
            folder: the sweep's.

        Raises:
            ConfigurationError: the engine does not run here, or refuses a setting.
        """

    @abstractmethod
    def submit(self, number: int, function: Callable[[], None]) -> None:
        """Run a function, which is known by its number, as soon as there is a process for it."""

    @abstractmethod
    def wait(self) -> dict[int, str]:
        """Wait until at least one function has ended: its number, and why its process was lost, or an empty text."""

    @abstractmethod
    def close(self) -> None:
        """Stop what still runs."""


class Joblib(Engine):
    """The cores of this machine, by joblib's processes.

    Each function has a pool of one process, so that a process that is killed takes no other with it.

    Args:
        n_jobs: number of processes; -1 for all cores.
    """

    is_local = True

    @checked
    def __init__(self, n_jobs: int = -1) -> None:
        self.at_once = cores() if n_jobs < 1 else n_jobs
        self.threads = max(1, cores() // self.at_once)
        self._pools: list[Any] = []  # those that are free
        self._running: dict[Any, tuple[int, Any]] = {}

    def submit(self, number: int, function: Callable[[], None]) -> None:
        """Run a function in a process that is free, or a new one."""
        from joblib.externals.loky import ProcessPoolExecutor

        pool = self._pools.pop() if self._pools else ProcessPoolExecutor(max_workers=1, timeout=None)
        self._running[pool.submit(function)] = number, pool

    def wait(self) -> dict[int, str]:
        """Wait for the first that ends."""
        from joblib.externals.loky import wait

        ended = {}
        for future in wait(self._running, return_when="FIRST_COMPLETED").done:
            number, pool = self._running.pop(future)
            ended[number] = _first_line(future.exception())
            if ended[number]:
                pool.shutdown(wait=False, kill_workers=True)
            else:
                self._pools.append(pool)
        return ended

    def close(self) -> None:
        """Let what still runs save its state."""
        for _, pool in self._running.values():
            for process in list(pool._processes):
                os.kill(process, signal.SIGTERM)
        for pool in [*self._pools, *(pool for _, pool in self._running.values())]:
            pool.shutdown()


class Submitit(Engine):
    """A queue, by submitit: Slurm's, or processes of this machine that are started as Slurm would start them.

    Args:
        cluster: ``slurm`` or ``local``.
        at_once: number of jobs in the queue at once; 0 for as many as the machine's cores allow.
        poll: seconds between two looks at the queue.
        parameters: those of submitit's executors: ``cpus_per_task``, ``timeout_min``, ``slurm_partition`` and so on;
            null leaves one out.
    """

    @checked
    def __init__(
        self,
        cluster: Literal["slurm", "local"],
        at_once: NonNegative = 0,
        poll: PositiveFloat = POLL,
        **parameters: Any,
    ) -> None:
        self.is_local = cluster == "local"
        self.threads = int(parameters.get("cpus_per_task") or 1)
        self.at_once = at_once or max(1, cores() // self.threads)
        self._cluster, self._poll = cluster, poll
        self._parameters = {name: value for name, value in parameters.items() if value is not None}
        self._executor: Any = None
        self._running: dict[int, Any] = {}

    def begin(self, folder: Path) -> None:
        """Find the queue."""
        import submitit

        try:
            self._executor = submitit.AutoExecutor(folder=folder / ".submitit" / "%j", cluster=self._cluster)
            self._executor.update_parameters(**self._parameters)
        except (RuntimeError, NameError, ValueError) as error:  # no Slurm here; an unknown parameter
            raise ConfigurationError([Problem("hydra.launcher", str(error))]) from error

    def submit(self, number: int, function: Callable[[], None]) -> None:
        """Put a function into the queue."""
        self._running[number] = self._executor.submit(function)

    def wait(self) -> dict[int, str]:
        """Look at the queue until one has ended."""
        while not (ended := [number for number, job in self._running.items() if job.done()]):
            time.sleep(self._poll)
        return {number: _first_line(self._running.pop(number).exception()) for number in ended}

    def close(self) -> None:
        """Take what has not ended out of the queue."""
        for job in self._running.values():
            job.cancel(check=False)


class Ray(Engine):
    """A Ray cluster: one on this machine that ends with the sweep, or one that runs already.

    Args:
        ray: ``init``, arguments of `ray.init`, such as ``address``; ``remote``, what each job needs: ``num_cpus``, …
    """

    at_once = 100_000  # Ray starts as many as the cluster has room for

    def __init__(self, ray: Mapping[str, Any]) -> None:
        self._settings = ray
        self._running: dict[Any, int] = {}

    def begin(self, folder: Path) -> None:
        """Connect to the cluster."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        try:
            ray.init(logging_level=logging.ERROR, log_to_driver=False, **self._settings["init"])
        except (ConnectionError, ValueError, TypeError, RuntimeError) as error:
            raise ConfigurationError([Problem("hydra.launcher.ray.init", _first_line(error))]) from error

    def submit(self, number: int, function: Callable[[], None]) -> None:
        """Give a function to the cluster, which runs it once there is room."""
        import ray

        remote = ray.remote(max_retries=0, **self._settings["remote"])(_call)
        self._running[remote.remote(function)] = number

    def wait(self) -> dict[int, str]:
        """Wait for the first that ends, or whose process or node was lost."""
        import ray

        (done, *_), _ = ray.wait(list(self._running), num_returns=1)
        number = self._running.pop(done)
        try:
            ray.get(done)
        except ray.exceptions.RayError as error:
            return {number: _first_line(error)}
        return {number: ""}

    def close(self) -> None:
        """Let what still runs save its state; a cluster that was not begun here goes on."""
        import ray

        for reference in self._running:
            ray.cancel(reference)
        if self._running:
            ray.wait(list(self._running), num_returns=len(self._running), timeout=GRACE)
        ray.shutdown()


def _call(function: Callable[[], None]) -> None:
    function()


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines() if error else []
    return "" if error is None else f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
