"""A run's folder: what is written into it, how, and a finished run opened again."""

import json
import math
import os
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from hudyn.errors import HudynError

if TYPE_CHECKING:
    from torch import Tensor


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


def claim_folder(wanted: str) -> str:
    """Make a new folder named `wanted`, or `wanted`-2, -3, … where another run has taken the name.

    Raises:
        HudynError: it cannot be made there.
    """
    number = 1
    while True:
        folder = wanted if number == 1 else f"{wanted}-{number}"
        try:
            Path(wanted).parent.mkdir(parents=True, exist_ok=True)
            Path(folder).mkdir()
        except OSError as error:
            if not Path(folder).is_dir():
                raise HudynError(f"{folder} cannot be made: {error.strerror} ({error.filename}).") from error
            number += 1
        else:
            return folder


class Run:
    """One run's folder.

    Args:
        folder: where it is; made where it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoint = folder / "checkpoints" / "last.ckpt"
        self.figures = folder / "figures"
        self.tables = folder / "tables"

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """The run in `folder`.

        Raises:
            HudynError: there is no run in it.
        """
        run = cls(folder)
        if not run._config_path.is_file():
            raise HudynError(
                f"{folder} holds no run: it has no config.yaml.\n"
                "Name a folder that train.py wrote, such as outputs/kmnist_lin/2026-01-31_12-00-00."
            )
        return run

    def begin(self, config: DictConfig, resume: bool = False) -> None:
        """Write the config, resolved, and the first results.json, so that the run can be resumed from here on.

        Raises:
            HudynError: the folder holds a run already, and it is not to be resumed.
        """
        if not resume and rank() == 0 and self.results:
            raise HudynError(
                f"{self.folder} holds a run already. Continue it with resume={self.folder}, or choose another folder."
            )
        self.config = config
        self.update_results(
            experiment=config.name,
            seed=config.seed,
            members=config.members,
            tags=list(config.tags),
            status="running",
            network={"class": config.model.network._target_},
            metrics=self.results.get("metrics", {}),
            time=self.results.get("time", {}),
        )

    @property
    def _config_path(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def _results_path(self) -> Path:
        return self.folder / "results.json"

    @property
    def config(self) -> DictConfig:
        """The resolved config the run was started with."""
        try:
            config = OmegaConf.load(self._config_path)
        except (YAMLError, OmegaConfBaseException, OSError, UnicodeDecodeError) as error:
            raise HudynError(f"{self._config_path} cannot be read: {error}") from error
        if not isinstance(config, DictConfig):
            raise HudynError(f"{self._config_path} is not a config: expected a mapping at its top.")
        return config

    @config.setter
    def config(self, config: DictConfig) -> None:
        if rank() > 0:
            return
        with atomic_write(self._config_path) as file:
            file.write(OmegaConf.to_yaml(config, resolve=True))

    @property
    def results(self) -> dict[str, Any]:
        """The contents of results.json; empty where the run has not written it yet."""
        try:
            return json.loads(self._results_path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise HudynError(f"{self._results_path} cannot be read: {error}") from error

    def update_results(self, **changes: Any) -> None:
        """Replace the named parts of results.json, drop those given as None; on the first process only."""
        if rank() > 0:
            return
        with atomic_write(self._results_path) as file:
            parts = {name: value for name, value in (self.results | changes).items() if value is not None}
            text = json.dumps(_plain(parts), indent=1, ensure_ascii=False)
            file.write(_NUMBERS.sub(lambda found: " ".join(found[0].split()), text) + "\n")


def rank() -> int:
    """This process's number among those of one run on several devices; 0 for the one that writes."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", 0)))


def summary(values: "Tensor") -> dict[str, Any]:
    """Mean, least, largest and all values of a measure, [members], as results.json holds them.

    A measure that is true or false of a member is a success, and has the 95 % interval of its rate; any other has the
    quartiles. Members without a value (NaN) count in neither.
    """
    import torch

    from hudyn.metrics.success import wilson_interval

    found = values[~values.isnan()].double()
    if not len(found):
        return {"mean": math.nan, "min": math.nan, "max": math.nan, "values": values.tolist()}
    result: dict[str, Any] = {"mean": found.mean().item(), "min": found.min().item(), "max": found.max().item()}
    if values.dtype == torch.bool:
        result["interval"] = list(wilson_interval(int(found.sum()), len(found)))
    elif len(found) > 1:
        result["quartiles"] = [found.quantile(part).item() for part in (0.25, 0.5, 0.75)]
    return result | {"values": values.double().tolist()}


def summaries(results: "Mapping[str, Tensor]") -> dict[str, Any]:
    """The `summary` of every measure, as results.json holds them under "metrics"."""
    return {name: summary(values) for name, values in results.items()}


def environment(device: str) -> dict[str, str | None]:
    """What the run ran on: versions of python, torch and lightning, the device, the commit of the checkout."""
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


_NUMBERS = re.compile(r"\[[-+.\deE,\snul]*\]")  # a list of numbers, to stand on one line


def _plain(value: Any) -> Any:
    """`value` with numbers that JSON does not have (NaN, infinities) as null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
