"""The front door from Python: train an experiment, open finished runs."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from hudyn.errors import Interrupted, UsageError
from hudyn.run.index import index, run_folders
from hudyn.run.query import check_keys, matching, parse_filters
from hudyn.run.run import Run

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


class Runs(list[Run]):
    """Several runs, such as the jobs of a sweep, in the order of their folders."""

    def __getattr__(self, name: str) -> NoReturn:
        hint = f"; choose one of the {len(self)} runs, for example runs[-1].{name}" if hasattr(Run, name) else ""
        raise AttributeError(f"several runs have no attribute {name}{hint}")

    @property
    def table(self) -> "pd.DataFrame":
        """A row for each run: experiment, status, the mean of every measure, folder; a sweep's overrides too."""
        import pandas as pd

        return pd.DataFrame(
            {"experiment": run.record.experiment, "status": run.status}
            | run.overrides
            | {name: measure.mean for name, measure in run.metrics.items()}
            | {"folder": str(run.folder)}
            for run in self
        )


def train(experiment: str, *overrides: str, config_folder: str | Path | None = None, **settings: object) -> Run:
    """Train an experiment, as ``python train.py experiment=<experiment> …`` does, and show its progress.

    Args:
        experiment: its name, such as ``srn_anb2n``.
        overrides: settings as on the command line, ``"model.network.hidden_size=3"``.
        config_folder: folder of configs of your own, as ``--config-dir``.
        settings: settings by name, ``members=8``; one inside a group as ``**{"trainer.max_steps": 1000}``.

    Returns:
        the finished run; its folder is ``outputs/<experiment>/<time>`` under the current folder.

    Raises:
        HudynError: a mistake in the settings, found before anything is run; or the run failed.
        KeyboardInterrupt: the run was stopped; the message says how to continue it.

    >>> import hudyn
    >>> run = hudyn.train("srn_anb2n", members=8)  # doctest: +SKIP
    """
    from hudyn.config.compose import compose
    from hudyn.run.folder import claim_folder

    given = [f"experiment={experiment}", *overrides, *map(_override, settings, settings.values())]
    config = compose(given, [Path(config_folder)] if config_folder else [])
    run = Run(Path(claim_folder(f"outputs/{config.name}/{datetime.now():%Y-%m-%d_%H-%M-%S}")))
    with run.claimed():
        run.save_arguments(given)
        run.record.config_folder = str(config_folder) if config_folder else None
        run.begin(config)
        return _trained(run)


def resume(path: str | Path, *overrides: str, **settings: object) -> Run:
    """Continue a run that was stopped, or train a finished one longer, in its own folder.

    Args:
        path: folder of the run.
        overrides: settings that change, as on the command line: of the trainer, ``"trainer.max_steps=200000"``. A run
            with classes of your own needs `allowed_targets` again: ``allowed_targets=["narrow"]``.
        settings: the same by name.

    Returns:
        the finished run.

    Raises:
        HudynError: there is no run, it is being trained, its checkpoint is damaged, or a setting cannot change.
        KeyboardInterrupt: the run was stopped again.
    """
    from hudyn.config.saved import RESUME_MAY_CHANGE, changed
    from hudyn.run.training import check_resumable

    run = Run.open(Path(path).expanduser())
    with run.claimed():
        config = changed(run.config, [*overrides, *map(_override, settings, settings.values())], RESUME_MAY_CHANGE)
        check_resumable(run, config)
        run.begin(config, resume=True)
        return _trained(run, resume=True)


def _trained(run: Run, resume: bool = False) -> Run:
    """Train a run that has begun."""
    from hudyn.run.training import train as train_run

    trusted = f", allowed_targets={run.allowed_targets}" if run.allowed_targets else ""
    try:
        train_run(run, resume)
    except Interrupted as error:
        raise KeyboardInterrupt(f"{error}; continue with hudyn.resume({str(run.folder)!r}{trusted})") from None
    return run


def load(path: str | Path | Iterable[str | Path], *filters: str, allowed_targets: Sequence[str] = ()) -> Run | Runs:
    """Open a run, or several.

    Args:
        path: folder of a run; folder that holds runs, such as a sweep's; or a list of these.
        filters: what must hold of each run, as on the command line of runs.py: ``"test/solved>0.5"``.
        allowed_targets: packages whose classes a run's config may make, as on the command line.

    Returns:
        the run of a run's folder; with filters, and of other folders, all runs found, in the order of their folders.
        No run is found if the filters hold of none.

    Raises:
        HudynError: there is no run, or a filter is mistaken.

    >>> import hudyn
    >>> run = hudyn.load("outputs/srn_anb2n/2026-01-31_12-00-00")  # doctest: +SKIP
    >>> runs = hudyn.load("outputs", "experiment=srn_*", "test/solved>0.5")  # doctest: +SKIP
    """
    conditions = parse_filters(filters)
    is_one = isinstance(path, str | Path)
    folders = [Path(part).expanduser() for part in ([path] if isinstance(path, str | Path) else path)]
    if conditions:
        runs = [run for folder in folders for run in _some(index(folder), folder)]
        check_keys([condition.key for condition in conditions], runs)
        places = [run.folder for run in matching(runs, conditions)]
    else:
        places = [place for folder in folders for place in _places(folder)]
        if is_one and places == folders:
            return Run.open(folders[0], allowed_targets)
    return Runs(Run.open(place, allowed_targets) for place in places)


def _places(folder: Path) -> list[Path]:
    """The folder, if it is that of a run; otherwise those of the runs in it."""
    return [folder] if (folder / "config.yaml").is_file() else _some(run_folders(folder), folder)


def _some(found: list[T], folder: Path) -> list[T]:
    """What was found in a folder of runs; an error if that is nothing."""
    if not found:
        raise UsageError(f"{folder} holds no run. Name a folder that train.py wrote, or one that holds such folders.")
    return found


def _override(key: str, value: object) -> str:
    """A setting as on the command line; JSON is what Hydra reads too.

    >>> _override("members", 8), _override("data.example", "aabb"), _override("tags", ["a", "b"])
    ('members=8', 'data.example=aabb', 'tags=["a", "b"]')
    """
    plain = isinstance(value, str) and value.replace("_", "").isalnum()  # a group's option takes no quotes
    return f"{key}={value if plain else json.dumps(value)}"
