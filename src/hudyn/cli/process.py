"""What a command does to its process: its output, its exit status, its parent."""

import atexit
import gc
import io
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from hudyn import lean
from hudyn.errors import HudynError, Interrupted, UsageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PARENT_CHECK_INTERVAL = 0.5  # seconds


def run_command(command: Callable[[], None]) -> None:
    """Run a command; turn its outcome into an exit status, and errors meant for people into a message.

    The status is 2 for a mistake in what the command was given, 1 for another error, 128 + n after signal n.
    """
    sys.stdout, sys.stderr = _lenient(sys.stdout, 1), _lenient(sys.stderr, 2)
    if int(os.environ.get("LOCAL_RANK", 0)) > 0:
        end_with_parent()
    sys.path.insert(0, str(Path.cwd()))  # classes of the current folder, as with python -m
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's matrices are small, and its processes share the cores
    lean.wanted = True
    gc.disable()  # until all is imported: a collection among so many new objects takes longer than the imports
    try:
        command()
    except Interrupted as error:
        leave(str(error), 128 + error.signal_number)
    except KeyboardInterrupt:
        leave("stopped", 130)
    except Exception as error:
        message = _message(error)
        if message is None:
            raise
        leave(message, 2 if isinstance(error, UsageError) else 1)
    end()


def end() -> None:
    """End this process without the destructors of torch's libraries, which take half a second and 100 MB."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def leave(message: str, status: int) -> NoReturn:
    """Print a message to stderr and exit with `status`."""
    sys.stdout.flush()
    print(f"hudyn: {message}", file=sys.stderr, flush=True)
    sys.exit(status)


def collect_garbage_again() -> None:
    """Collect garbage again, but not among what has been imported; only the first call of several freezes."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


@contextmanager
def advice_to_resume(
    folder: Path, allowed_targets: Sequence[str], key: str = "resume", further: Sequence[str] = ()
) -> Iterator[None]:
    """Say how to continue the run or sweep in `folder`, whose config trusts `allowed_targets`, if it is interrupted.

    Args:
        folder: its folder.
        allowed_targets: the packages that its config trusts.
        key: the argument that continues it.
        further: further arguments.
    """
    try:
        yield
    except Interrupted as error:
        program = Path(sys.argv[0])
        command = ["python", sys.argv[0]] if program.suffix == ".py" else [program.name]
        trusted = [f"allowed_targets=[{','.join(allowed_targets)}]"] if allowed_targets else []
        reason = str(error).partition("; continue with:")[0]  # a job's own advice is less than the sweep's
        error.args = (f"{reason}; continue with: {shlex.join([*command, f'{key}={folder}', *trusted, *further])}",)
        raise


def end_with_parent() -> None:
    """End this process when its parent has ended, as a process that Lightning started for a further device must."""
    parent = os.getppid()
    # also if the main thread waits for the parent and cannot be interrupted
    _when_over(lambda: os.getppid() == parent, lambda: os._exit(1))


@cache
def end_with(launcher: int) -> None:
    """Stop the job that this process runs, which saves it, when the process that launched it has ended."""
    _when_over(lambda: _is_running(launcher), lambda: os.kill(os.getpid(), signal.SIGTERM))


def _when_over(is_running: Callable[[], bool], end: Callable[[], None]) -> None:
    """Watch another process from a thread, and call `end` once it no longer runs."""

    def watch() -> None:
        while is_running():
            time.sleep(PARENT_CHECK_INTERVAL)
        end()

    threading.Thread(target=watch, daemon=True, name="watch").start()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


class _LenientFile(io.FileIO):
    """Standard output or error that drops what cannot be written: a full disk or a closed pipe must not end a run."""

    def write(self, data: "ReadableBuffer") -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _lenient(stream: TextIO | None, number: int) -> TextIO:
    """A standard stream that replaces characters it cannot encode and drops what it cannot write."""
    if stream is None:  # closed by the caller
        return open(os.devnull, "w")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
        if stream in (sys.__stdout__, sys.__stderr__):
            stream.flush()
            buffer = io.BufferedWriter(_LenientFile(number, "w", closefd=False))
            return io.TextIOWrapper(
                buffer, stream.encoding, "replace", None, stream.line_buffering, stream.write_through
            )
    return stream


def _message(error: BaseException) -> str | None:
    """The message of an error that a person can mend, also where Hydra or OmegaConf wrapped it; None for others."""
    if isinstance(error, HudynError):
        return "\n".join([str(error), *getattr(error, "__notes__", [])])
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}."
    wrapped = type(error).__module__.partition(".")[0] in ("hydra", "omegaconf")
    cause = error.__cause__ or error.__context__
    return _message(cause) if wrapped and cause else None
