"""The runs of a folder and what is known of each, without opening them again: the folder's index."""

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from hudyn.errors import HudynError
from hudyn.run.folder import atomic_write

INDEX = ".runs.json"  # in the folder that is asked about
FORMAT = 1  # changes with what the index holds; an index of another format is made anew
FIELDS = ("experiment", "name", "seed", "members", "tags", "status", "network", "time", "environment", "error")
QUIET = 600  # seconds without a file written after which a run that says it is running counts as stale
_TOP_LEVEL = re.compile(r"^(?=\w)", re.MULTILINE)  # where a section of a config.yaml begins
_MEMBERS_VALUES = re.compile(rb'"values": \[[^\]]*\]')  # the bulk of results.json, not needed here
STATED_ELSEWHERE = {"expected"} | {f"{group}.{name}" for group in ("data", "model") for name in ("members", "seed")}

Stamp = list[list[int] | None]  # of results.json and config.yaml: inode, size, time of the last change


@dataclass(frozen=True)
class IndexedRun:
    """What the index holds of one run.

    Attributes:
        folder: where it is.
        stamp: of the files that were read.
        record: fields of results.json by dotted path; each measure's mean as ``test/solved``, the ends of the 95 %
            interval of a rate as ``test/solved_low`` and ``test/solved_high``. What a run lacks is absent.
        settings: its config by dotted path.
    """

    folder: Path
    stamp: Stamp
    record: dict[str, Any]
    settings: dict[str, Any]

    @property
    def values(self) -> dict[str, Any]:
        """Everything about the run by key; ``run`` is its folder."""
        return {"run": str(self.folder)} | self.settings | self.record


def index(folder: Path) -> list[IndexedRun]:
    """The runs in `folder` and below, in the order of their folders.

    Only runs that have changed since the last call are read; what is known of the others is in the folder's index,
    which is brought up to date where it can be written. A run whose files cannot be read has the status ``damaged``;
    one that says it is running, but has written nothing for ten minutes, the status ``stale``.
    """
    known = _read_index(folder)
    found = {}
    for place in run_folders(folder):
        name = os.path.relpath(place, folder)
        with contextlib.suppress(FileNotFoundError):  # removed while it is looked at
            stamp: Stamp = [_stamp(place / "results.json"), _stamp_if_any(place / "config.yaml")]
            run = known.get(name)
            found[name] = run if run and run.stamp == stamp else _read_run(place, stamp)
    if found != known and list(found) != ["."]:
        content = {name: [run.stamp, run.record, run.settings] for name, run in found.items()}
        with contextlib.suppress(HudynError), atomic_write(folder / INDEX) as file:  # a folder of somebody else's
            file.write(json.dumps({"format": FORMAT, "runs": content}))
    return [_with_stale(run) for run in found.values()]


def run_folders(folder: Path) -> list[Path]:
    """The folders of runs in `folder` and below, in order; not those of a run's evaluations and analyses."""
    found = []
    for place, below, files in os.walk(folder):
        if "results.json" in files:
            found.append(Path(place))
            below.clear()
    return sorted(found, key=_order)


def settings_by_path(config: dict[str, Any]) -> dict[str, Any]:
    """The settings in a config by dotted path, each once: members and seed are in data and model, too.

    >>> settings_by_path({"seed": 1, "data": {"seed": 1, "ratios": [1, 2]}, "scheduler": {}})
    {'seed': 1, 'data.ratios': [1, 2]}
    """
    return {path: value for path, value in _flat(config) if path not in STATED_ELSEWHERE}


def _flat(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by dotted path; a list is one."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _flat(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, node


def _order(folder: Path) -> list[tuple[int, str]]:
    """Sort key: by path, and jobs of a sweep by number."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in folder.parts]


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def _stamp_if_any(path: Path) -> list[int] | None:
    try:
        return _stamp(path)
    except FileNotFoundError:
        return None


def _read_index(folder: Path) -> dict[str, IndexedRun]:
    """The runs in the index; none if there is no sound index."""
    try:
        content = json.loads((folder / INDEX).read_bytes())
        if content["format"] != FORMAT:
            return {}
        return {
            name: IndexedRun(folder / name, stamp, dict(record), dict(settings))
            for name, (stamp, record, settings) in content["runs"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _read_run(folder: Path, stamp: Stamp) -> IndexedRun:
    """Read a run whose files had `stamp` before."""
    record: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    path = folder / "config.yaml"
    try:
        settings = _read_settings(path)
        path = folder / "results.json"
        record = _read_record(path)
    except FileNotFoundError:
        if path.name == "results.json":
            raise
        record = {"status": "damaged", "error": "There is no config.yaml."}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        record = {"status": "damaged", "error": f"{path.name} cannot be read: {error}"}
    experiment = settings.pop("experiment", settings.get("name", ""))  # it is in the record
    return IndexedRun(folder, stamp, {"experiment": experiment} | record, settings)


def _read_settings(path: Path) -> dict[str, Any]:
    """The settings in a config.yaml, as they stand there: texts, and lists of texts."""
    sections = _TOP_LEVEL.split(path.read_text(encoding="utf-8"))
    return {key: value for section in sections for key, value in _section_settings(section).items()}


@lru_cache(maxsize=1024)
def _section_settings(section: str) -> dict[str, Any]:
    """The settings of one section of a config.yaml; most are the same in many runs."""
    import yaml

    try:
        config = yaml.load(section, getattr(yaml, "CBaseLoader", yaml.BaseLoader)) if section else {}
    except yaml.YAMLError as error:
        raise ValueError(error) from error
    if not isinstance(config, dict):
        raise ValueError("expected a mapping at its top")
    return settings_by_path(config)


def _read_record(path: Path) -> dict[str, Any]:
    """What results.json holds, as far as `IndexedRun.record` has it."""
    content = json.loads(_MEMBERS_VALUES.sub(b'"values": []', path.read_bytes()))
    if not isinstance(content, dict) or "status" not in content:
        raise ValueError("it has no status")
    record = dict(_flat({name: content[name] for name in FIELDS if name in content}))
    for name, measure in content.get("metrics", {}).items():
        ends = zip((f"{name}_low", f"{name}_high"), measure.get("interval", ()), strict=False)
        record |= {name: measure["mean"], **dict(ends)}
    return {name: value for name, value in record.items() if value is not None}


def _with_stale(run: IndexedRun) -> IndexedRun:
    if run.record["status"] != "running":
        return run
    with contextlib.suppress(OSError):  # removed meanwhile
        written = max(entry.stat().st_mtime for entry in os.scandir(run.folder))
        if time.time() - written > QUIET:
            return replace(run, record=run.record | {"status": "stale"})
    return run
