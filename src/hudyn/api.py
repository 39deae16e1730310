"""The front door from Python: train an experiment, open finished runs."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hudyn.errors import HudynError, Interrupted
from hudyn.run.run import UNDER_A_RUN, Run

if TYPE_CHECKING:
    import pandas as pd


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
    run.begin(config)
    return _trained(run)


def resume(path: str | Path, *overrides: str, **settings: object) -> Run:
    """Continue a run that was stopped, or train a finished one longer, in its own folder.

    Args:
        path: folder of the run.
        overrides: settings that change, as on the command line: of the trainer, ``"trainer.max_steps=200000"``.
        settings: the same by name.

    Returns:
        the finished run.

    Raises:
        HudynError: there is no run, its checkpoint is damaged, or a setting cannot change.
        KeyboardInterrupt: the run was stopped again.
    """
    from hudyn.config.saved import RESUME_MAY_CHANGE, changed
    from hudyn.run.training import check_resumable

    run = Run.open(Path(path).expanduser())
    config = changed(run.config, [*overrides, *map(_override, settings, settings.values())], RESUME_MAY_CHANGE)
    check_resumable(run, config)
    run.begin(config, resume=True)
    return _trained(run, resume=True)


def _trained(run: Run, resume: bool = False) -> Run:
    """Train a run that has begun."""
    from hudyn.run.training import train as train_run

    try:
        train_run(run, resume)
    except Interrupted as error:
        raise KeyboardInterrupt(f"{error}; continue with hudyn.resume({str(run.folder)!r})") from None
    return run


def load(path: str | Path | Iterable[str | Path], allowed_targets: Sequence[str] = ()) -> Run | Runs:
    """Open a run, or several.

    Args:
        path: folder of a run; folder that holds runs, such as a sweep's; or a list of these.
        allowed_targets: packages whose classes a run's config may make, as on the command line.

    Returns:
        the run of a run's folder; otherwise all runs found, in the order of their folders.

    Raises:
        HudynError: there is no run.

    >>> import hudyn
    >>> run = hudyn.load("outputs/srn_anb2n/2026-01-31_12-00-00")  # doctest: +SKIP
    """
    if not isinstance(path, str | Path):
        parts = [load(part, allowed_targets) for part in path]
        return Runs(run for part in parts for run in (part if isinstance(part, Runs) else [part]))
    folder = Path(path).expanduser()
    if (folder / "config.yaml").is_file():
        return Run.open(folder, allowed_targets)
    found = {results.parent for results in folder.glob("**/results.json")}
    folders = sorted((place for place in found if place.parent.name not in UNDER_A_RUN), key=_order)
    runs = Runs(Run.open(place, allowed_targets) for place in folders)
    if not runs:
        raise HudynError(f"{folder} holds no run. Name a folder that train.py wrote, or one that holds such folders.")
    return runs


def _order(folder: Path) -> list[tuple[int, str]]:
    """Sort key: by path, and jobs of a sweep by number."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in folder.parts]


def _override(key: str, value: object) -> str:
    """A setting as on the command line; JSON is what Hydra reads too.

    >>> _override("members", 8), _override("data.example", "aabb"), _override("tags", ["a", "b"])
    ('members=8', 'data.example=aabb', 'tags=["a", "b"]')
    """
    plain = isinstance(value, str) and value.replace("_", "").isalnum()  # a group's option takes no quotes
    return f"{key}={value if plain else json.dumps(value)}"
