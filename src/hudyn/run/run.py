"""A run: its folder, its config, its record, and its networks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from hudyn.arguments import Named
from hudyn.errors import HudynError, UsageError
from hudyn.run.folder import atomic_write, locked, rank
from hudyn.run.formats import upgraded
from hudyn.run.record import Record

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from hudyn.languages import Language
    from hudyn.metrics.measure import Measure
    from hudyn.tasks.base import AnyStudy


UNDER_A_RUN = ("evaluations", "analyses")  # folders in a run's folder that hold runs of their own


class Run:
    """One run.

    ``run.metrics["test/solved"].mean``, ``run.history``, ``run.table("members")``, ``run.network(member=7)``.

    Args:
        folder: where it is, or is to be.
        allowed_targets: packages whose classes its config may make, beside hudyn, torch, Lightning and torchmetrics.

    Attributes:
        folder: where it is.
        allowed_targets: as given; of a run begun in this process, those of its config.
        checkpoint: its last checkpoint.
        lock: the file that the process that trains it has locked.
        figures: folder of its figures.
        tables: folder of its tables.
    """

    def __init__(self, folder: Path, allowed_targets: Sequence[str] = ()) -> None:
        self.folder = folder
        self.allowed_targets = allowed_targets
        self.checkpoint = folder / "checkpoints" / "last.ckpt"
        self.lock = folder / ".lock"
        self.figures = folder / "figures"
        self.tables = folder / "tables"
        self._config_path = folder / "config.yaml"
        self._overrides_path = folder / ".hydra" / "overrides.yaml"
        self._results_path = folder / "results.json"

    @classmethod
    def open(cls, folder: Path, allowed_targets: Sequence[str] = ()) -> "Run":
        """The run in `folder`.

        Raises:
            UsageError: there is no run in it.
        """
        run = cls(folder, allowed_targets)
        if not run._config_path.is_file():
            raise UsageError(_no_run(folder))
        return run

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Be the only process that trains it, with those that Lightning starts for further devices.

        Raises:
            UsageError: another process trains it.
        """
        if rank() > 0:
            yield
            return
        with locked(self.lock, wait=False) as is_mine:
            if not is_mine:
                holder = self.lock.read_text(encoding="utf-8") or "another process"
                raise UsageError(f"{self.folder} is being trained by {holder}; wait for it or stop it.")
            yield

    def begin(self, config: DictConfig, resume: bool = False) -> None:
        """Write the resolved config and the first results.json, so that the run can be resumed from here on.

        Raises:
            UsageError: the folder holds a run already, and it is not to be resumed.
        """
        if not resume and rank() == 0 and self._results_path.exists():
            raise UsageError(
                f"{self.folder} holds a run already. Continue it with resume={self.folder}, or choose another folder."
            )
        self.config, self.allowed_targets = config, list(config.allowed_targets)
        record = self.record
        record.experiment, record.name = config.experiment, config.name
        record.seed, record.members = config.seed, config.members
        record.tags, record.status = list(config.tags), "running"
        record.network = {"class": config.model.network._target_}
        self.save_config()
        self.save()

    @cached_property
    def config(self) -> DictConfig:
        """The resolved config the run was started with."""
        try:
            config = OmegaConf.load(self._config_path)
        except (YAMLError, OmegaConfBaseException, OSError, UnicodeDecodeError) as error:
            raise HudynError(f"{self._config_path} cannot be read: {error}") from error
        if not isinstance(config, DictConfig):
            raise HudynError(f"{self._config_path} is not a config: expected a mapping at its top.")
        return upgraded(config)

    @cached_property
    def record(self) -> Record:
        """What is known of the run; read from results.json if there is one."""
        return Record.read(self._results_path)

    def save_config(self) -> None:
        """Write config.yaml, unless it says the same already; on the first process only."""
        if rank() > 0:
            return
        config = OmegaConf.to_yaml(self.config, resolve=True)
        if not self._config_path.exists() or self.config_text != config:
            with atomic_write(self._config_path) as file:
                file.write(config)

    @property
    def config_text(self) -> str:
        """What config.yaml says."""
        return self._config_path.read_text(encoding="utf-8")

    def save(self) -> None:
        """Write results.json; on the first process only."""
        if rank() == 0:
            with atomic_write(self._results_path) as file:
                file.write(self.record.to_json())

    @property
    def metrics(self) -> "Named[Measure]":
        """Every measure by ``split/name``, with its values over the members, mean and interval."""
        return Named(self.record.metrics)

    @property
    def status(self) -> str:
        """Running, done, pruned, interrupted or failed."""
        return self.record.status

    @property
    def is_reported(self) -> bool:
        """Whether its figures and tables have been made, or it failed before: not of a job of a fused sweep."""
        return self.status != "done" or "page" in self.record.parts or not self.checkpoint.is_file()

    @cached_property
    def overrides(self) -> dict[str, str]:
        """The settings given on the command line, or by a sweep."""
        given = [text.partition("=") for text in self.arguments]
        return {key.lstrip("+~"): value for key, _, value in given}

    @property
    def arguments(self) -> list[str]:
        """The same as they were given."""
        path = self._overrides_path
        return list(map(str, OmegaConf.load(path))) if path.is_file() else []

    def save_arguments(self, arguments: Sequence[str]) -> None:
        """Write what Hydra writes of a run that it starts."""
        with atomic_write(self._overrides_path) as file:
            file.write(OmegaConf.to_yaml(OmegaConf.create(list(arguments))))

    @cached_property
    def history(self) -> "pd.DataFrame":
        """Every measure after each evaluation: a row for each evaluation and member."""
        return self.table("history")

    def table(self, name: str) -> "pd.DataFrame":
        """A table of the run, such as ``members`` or ``mechanisms``.

        Raises:
            HudynError: there is no such table.
        """
        import pandas as pd

        path = self.tables / f"{name}.csv"
        if not path.is_file():
            known = ", ".join(sorted(path.stem for path in self.tables.glob("*.csv")))
            raise HudynError(f"{self.folder} has no table {name}; it has {known or 'none'}.")
        return pd.read_csv(path)

    @cached_property
    def study(self) -> "AnyStudy":
        """The population as trained, with its data: what reports describe.

        Raises:
            HudynError: no checkpoint, a damaged one, or one that does not fit the config; a class that is not allowed.
        """
        from hudyn.config.saved import trusted
        from hudyn.run.build import load_study

        return load_study(self, trusted(self.config, self.allowed_targets))

    def network(self, member: int | None = None) -> "nn.Module":
        """A copy of a member's network on the CPU; of the best member if None.

        Raises:
            HudynError: there is no such member, or no sound checkpoint.
        """
        if member is not None and member not in range(self.study.members):
            raise HudynError(f"member: expected 0 to {self.study.members - 1}, got {member!r}.")
        return self.study.network(member)

    @property
    def language(self) -> "Language":
        """The formal language of a run of sequences.

        Raises:
            HudynError: a run of another task; a class that is not allowed.
        """
        from hydra.utils import instantiate

        from hudyn.config.saved import trusted

        if "language" not in self.config.data:
            raise HudynError(f"{self.folder} has no language: its data are {self.config.data._target_}.")
        return cast("Language", instantiate(trusted(self.config, self.allowed_targets).data.language))

    def __repr__(self) -> str:
        lines = [f"  {name}: {measure!r}" for name, measure in sorted(self.metrics.items())]
        return "\n".join([f"{self.record.name}, {self.status}, {self.folder}", *lines])


def _no_run(folder: Path) -> str:
    """Why `folder` is not that of a run, and what to name instead."""
    if inside := sorted(path.parent for path in folder.glob("*/config.yaml")):
        return f"{folder} holds {len(inside)} runs; name one of them. The latest: {inside[-1]}"
    problem = f"{folder} holds no run: it has no config.yaml." if folder.is_dir() else f"There is no folder {folder}."
    return f"{problem}\nName a folder that train.py wrote, such as outputs/kmnist_lin/2026-01-31_12-00-00."
