"""What the benchmarks share: the cost of a child process, ratios, the description of the machine."""

import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORES = os.cpu_count() or 1


@dataclass(frozen=True)
class Cost:
    """The cost of a process from its start to its end.

    Attributes:
        wall_s: wall-clock seconds.
        cpu_s: CPU seconds of all cores, including its children's.
        peak_mib: peak memory.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float


def child(arguments: Sequence[str], changes: Mapping[str, str] | None = None, status: int = 0) -> tuple[Cost, str]:
    """Run Python with `arguments` from the repository's root.

    The environment sets no number of threads, so the child's own settings hold. On Linux its peak memory is at least
    that of this process, which therefore imports little.

    Args:
        arguments: the command line after ``python``.
        changes: variables added to the environment.
        status: expected exit status.

    Returns:
        its cost and its output.

    Raises:
        RuntimeError: the process ended with another status.
    """
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=environment | dict(changes or {}), stdout=printed, stderr=errors
        )
        try:
            _, ended, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(ended)
        printed.seek(0)
        errors.seek(0)
        if process.returncode != status:
            last = "".join(errors.readlines()[-20:])
            raise RuntimeError(f"{' '.join(arguments)} ended with status {process.returncode}:\n{last}")
        kibibytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
        return Cost(wall, usage.ru_utime + usage.ru_stime, kibibytes / 1024), printed.read()


def paired_ratios(above: Sequence[float], below: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """Median, minimum and maximum of the ratios of values measured in turns.

    >>> paired_ratios([4, 9, 10], [2, 3, 2])
    (3.0, (2.0, 5.0))
    """
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    return statistics.median(ratios), (min(ratios), max(ratios))


def machine(*packages: str) -> dict[str, str | int]:
    """CPU, cores, Python version, versions of `packages` and the date."""
    return {
        "cpu": _cpu(),
        "cores": CORES,
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "date": f"{datetime.date.today()}",
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def seconds(value: float) -> str:
    """A time with its unit, to three digits.

    >>> [seconds(value) for value in (0.0000207, 0.00493, 0.0123, 6.151, 123.4)]
    ['20.7 µs', '4.93 ms', '12.3 ms', '6.15 s', '123 s']
    """
    size, unit = next(((s, u) for s, u in ((1, "s"), (1e-3, "ms")) if value >= s), (1e-6, "µs"))
    return f"{digits(value / size)} {unit}"


def digits(value: float) -> str:
    """A number to three digits, or without decimals.

    >>> [digits(value) for value in (0.42, 1.234, 45.67, 1234.5)]
    ['0.42', '1.23', '45.7', '1,234']
    """
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"
