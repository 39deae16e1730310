"""Files and folders of a run: made once, written whole or not at all."""

import errno
import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hudyn.errors import HudynError


@contextmanager
def atomic_write(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open `path` for writing so that it is replaced whole on success, and left as it was otherwise.

    Raises:
        HudynError: the file cannot be written: a full disk, a folder without permission.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            encoding, newline = (None, None) if "b" in mode else ("utf-8", "")
            with open(temporary, mode, encoding=encoding, newline=newline) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise HudynError(f"{path} could not be written: {error.strerror or error}.") from error


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold a file's lock, which ends with this process at the latest.

    The file names the process that holds it. A file system without locks lets everyone hold them.

    Yields:
        whether it is held: without `wait`, False where another process or context holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
                raise
        with suppress(OSError):  # a full disk
            os.truncate(file.fileno(), 0)
            os.write(file.fileno(), f"process {os.getpid()} on {platform.node()}".encode())
        yield True


def is_locked(path: Path) -> bool:
    """Whether somebody holds a file's lock."""
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # nobody ever held it, or there are no locks here
        return False
    return False


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left of files that it was writing."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)


def claim_folder(wanted: str) -> str:
    """Make a new folder named `wanted`, or `wanted`-2, -3, … if another run has taken the name.

    Raises:
        HudynError: it cannot be made.
    """
    number = 1
    while True:
        folder = wanted if number == 1 else f"{wanted}-{number}"
        try:
            Path(wanted).parent.mkdir(parents=True, exist_ok=True)
            Path(folder).mkdir()
            return folder
        except OSError as error:
            if not Path(folder).is_dir():
                raise HudynError(f"{folder} cannot be made: {error.strerror} ({error.filename}).") from error
            number += 1


def rank() -> int:
    """Number of this process among those of a run on several devices; process 0 writes."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", 0)))
