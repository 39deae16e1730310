"""The record of a run: what results.json holds, in memory."""

import json
import math
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hudyn.errors import HudynError

if TYPE_CHECKING:
    from hudyn.metrics.measure import Measure

Status = Literal["running", "done", "pruned", "interrupted", "failed"]
_NUMBERS = re.compile(r"\[[-+.\deE,\snul]*\]")  # a list of numbers, to stand on one line


@dataclass
class Record:
    """What is known of a run; results.json holds it in the order of the attributes.

    Attributes:
        experiment: the experiment.
        name: what the run is called: the experiment, unless ``name`` is given.
        config_folder: the further folder of configs that it was started with.
        seed: seed of member 0.
        members: size of the population.
        tags: words to find the run by.
        status: running, done, interrupted, failed, or pruned: ended early by a search.
        run: folder of the run that an evaluation or analysis belongs to.
        network: ``class`` and ``parameters`` of one member.
        metrics: the latest value of each measure, by ``split/name``.
        time: ``fit_s`` and ``total_s`` in seconds, and the number of ``updates``.
        environment: versions, device and commit.
        parts: what reports add, such as ``evaluation`` and ``dynamics``.
        error: why it failed or was interrupted.
    """

    experiment: str = ""
    name: str = ""
    config_folder: str | None = None
    seed: int = 0
    members: int = 1
    tags: list[str] = field(default_factory=list)
    status: Status = "running"
    run: str | None = None
    network: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, "Measure"] = field(default_factory=dict)
    time: dict[str, float] = field(default_factory=dict)
    environment: dict[str, str | None] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    def to_json(self) -> str:
        """The text of results.json."""
        metrics = {name: measure.record() for name, measure in self.metrics.items()}
        fields = {name: value for name, value in vars(self).items() if name not in ("parts", "error")}
        content = fields | {"metrics": metrics} | self.parts | {"error": self.error}
        known = {name: value for name, value in content.items() if value is not None}
        text = json.dumps(_finite(known), indent=1, ensure_ascii=False)
        return _NUMBERS.sub(lambda numbers: " ".join(numbers[0].split()), text) + "\n"

    @classmethod
    def read(cls, path: Path) -> "Record":
        """The record in a results.json; an empty one if there is no file.

        Raises:
            HudynError: the file cannot be read, or is no record.
        """
        from hudyn.metrics.measure import Measure  # imports torch

        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            metrics = {name: Measure.from_record(values) for name, values in content.pop("metrics", {}).items()}
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise HudynError(f"{path} cannot be read: {error}") from error
        content.setdefault("name", content.get("experiment", ""))  # in records of earlier versions
        names = set(cls.__dataclass_fields__) - {"metrics", "parts"}
        parts = {name: value for name, value in content.items() if name not in names}
        return cls(metrics=metrics, parts=parts, **{name: content[name] for name in names & set(content)})


def environment(device: str) -> dict[str, str | None]:
    """Where a run ran: versions of python, torch and lightning, the device, the commit of the checkout."""
    import lightning
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "device": device,
        "git": _commit(),
    }


def _commit() -> str | None:
    checkout = Path(__file__).parents[3]
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _finite(value: object) -> object:
    """`value` with numbers that JSON lacks (NaN, infinities) as null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
