"""Searches for the settings with the best objective, by Optuna, one job a trial.

Optuna is used directly: Hydra's sweeper for it needs Optuna before version 3, waits for a whole batch of trials before
the next, prunes none, and forgets its trials when it is stopped.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lightning.pytorch import Trainer
from torch import nan

from hudyn.arguments import NonNegative, Positive, checked
from hudyn.errors import Pruned
from hudyn.metrics.kinds import MeasureKind
from hudyn.metrics.measure import Measure
from hudyn.run.callback import RunCallback, training_ends
from hudyn.sweep.space import Space
from hudyn.tasks.base import AnyModule

if TYPE_CHECKING:
    import optuna

JOURNAL = "search.journal"  # Optuna's record of the trials, in the sweep's folder
STUDY = "search"
PARALLEL_SHARE = 0.1  # of the trials may run at once, so that most learn from others

Direction = Literal["max", "min"] | None


class Search:
    """Which settings the jobs of a sweep try next.

    Args:
        sampler: ``tpe``, which learns from the trials that have ended (Bergstra et al. 2011), or ``random``.
        trials: number of jobs.
        direction: ``max`` or ``min``: which values of the objective are better; a rate or a time needs none.
        seed: of the sampler.
        space: settings to search, as on the command line: ``optimizer.lr: tag(log, interval(0.001, 0.1))``.
    """

    @checked
    def __init__(
        self,
        sampler: Literal["tpe", "random"] = "tpe",
        trials: Positive = 40,
        direction: Direction = None,
        seed: NonNegative = 0,
        space: Mapping[str, str] | None = None,
    ) -> None:
        self.sampler, self.trials, self.direction, self.seed = sampler, trials, direction, seed

    @property
    def at_once(self) -> int:
        """How many trials may run at once."""
        return max(1, int(self.trials * PARALLEL_SHARE))


class Trials:
    """The trials of a search that has begun, or begins, in a folder."""

    def __init__(self, search: Search, folder: Path, space: Mapping[str, Space]) -> None:
        import optuna

        self._search = search
        self._space = {key: _distribution(space) for key, space in space.items()}
        self._study = _study(folder / JOURNAL)
        seed = search.seed + len(self.settings())  # not the same settings again once it is resumed
        tpe, random = optuna.samplers.TPESampler, optuna.samplers.RandomSampler
        self._study.sampler = tpe(seed=seed, constant_liar=True) if search.sampler == "tpe" else random(seed=seed)

    def settings(self) -> list[dict[str, str]]:
        """The settings of each trial that has begun."""
        return [_texts(trial.params) for trial in self._study.get_trials(deepcopy=False)]

    def running(self) -> list[int]:
        """The trials that have not been told how they ended."""
        return [trial.number for trial in self._study.get_trials(deepcopy=False) if not trial.state.is_finished()]

    def ask(self) -> dict[str, str]:
        """The settings of a new trial."""
        return _texts(self._study.ask(self._space).params)

    def tell(self, number: int, result: Mapping[str, Any], objective: str) -> None:
        """Tell how the job of a trial ended.

        Args:
            number: of the trial, and of its job.
            result: the job's results.json.
            objective: the measure to make better.
        """
        from optuna.trial import TrialState

        if result["status"] == "pruned":
            self._study.tell(number, state=TrialState.PRUNED)
            return
        value = nan
        if result["status"] == "done" and objective in result["metrics"]:
            measure = Measure.from_record(result["metrics"][objective])
            value = score(measure, self._search.direction, result["time"]["updates"])
        if value == value:
            self._study.tell(number, value)
        else:
            self._study.tell(number, state=TrialState.FAIL)

    def found(self) -> dict[str, Any]:
        """The number of the ``best`` job so far, and the ``importances`` of several settings for being among the best.

        The importances are those of PED-ANOVA (Watanabe et al. 2023); they sum up to 1.
        """
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        try:
            best = {"best": self._study.best_trial.number}
        except ValueError:  # none has ended well
            return {}
        try:
            if len(self._space) == 1:
                return best
            with warnings.catch_warnings(action="ignore"):
                shares = get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator())
        except (ValueError, RuntimeError):  # too few trials, or all alike
            return best
        return best | {"importances": shares}


class Pruning(RunCallback):
    """Ends a trial of a search early whose objective is worse than that of others after as many updates.

    Args:
        objective: the measure, which each evaluation reports.
        method: ``none``; ``median``, worse than half of the others; ``halving``, asynchronous successive halving (Li et
            al. 2020): of the trials that reach each of several numbers of updates, the best quarter goes on.
        warmup: number of updates before which no trial is ended, since trials that learn slowly may end well.
        direction: ``max`` or ``min``: which values are better; a rate or a time needs none.
    """

    @checked
    def __init__(
        self,
        objective: str,
        method: Literal["none", "median", "halving"] = "none",
        warmup: NonNegative = 0,
        direction: Direction = None,
    ) -> None:
        self.objective, self.method, self.warmup, self.direction = objective, method, warmup, direction
        self._trial: optuna.Trial | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Find the trial."""
        journal = self.run.folder.parent / JOURNAL
        if self.method != "none" and journal.exists():
            self._trial = _running_trial(_study(journal), int(self.run.folder.name), self._pruner())

    def _pruner(self) -> "optuna.pruners.BasePruner":
        from optuna.pruners import MedianPruner, SuccessiveHalvingPruner

        if self.method == "median":
            return MedianPruner(n_warmup_steps=self.warmup)
        return SuccessiveHalvingPruner(min_resource=self.warmup or "auto")

    def on_validation_end(self, trainer: Trainer, pl_module: AnyModule) -> None:  # type: ignore[override]
        """Report the objective, and end the trial if it is bad."""
        if self._trial is None or trainer.sanity_checking or self.objective not in pl_module.results:
            return
        updates = trainer.global_step
        value = score(pl_module.results[self.objective], self.direction, updates)
        if value != value:
            return
        with warnings.catch_warnings(action="ignore"):  # one that was reported before the run was interrupted
            self._trial.report(value, updates)
        if not training_ends(trainer) and self._trial.should_prune():
            self.run.record.metrics = dict(pl_module.results)
            raise Pruned(f"{self.objective} is worse than that of other trials after {updates:,} updates")


def score(measure: Measure, direction: Direction, updates: float) -> float:
    """A measure as a number of which more is better: its mean, or minus its mean.

    A member to which something never happened counts as one to which it happened at the end of its training.

    Args:
        measure: its values over the population.
        direction: which values are better, ``max`` or ``min``; by default more of a rate, and less of anything else.
        updates: how long the members have been trained.

    >>> score(Measure([True, False], MeasureKind.RATE), None, 300)
    0.5
    >>> score(Measure([100, nan], MeasureKind.TIME), None, 300)
    -200.0
    """
    is_time = measure.kind is MeasureKind.TIME
    values = measure.values.nan_to_num(updates) if is_time else measure.known
    is_larger_better = direction == "max" if direction else measure.kind is MeasureKind.RATE
    return values.mean().item() * (1 if is_larger_better else -1)


def _study(journal: Path) -> "optuna.Study":
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(journal)))
    return optuna.create_study(storage=storage, study_name=STUDY, direction="maximize", load_if_exists=True)


def _running_trial(study: "optuna.Study", number: int, pruner: "optuna.pruners.BasePruner") -> "optuna.Trial | None":
    import optuna

    trial = study.get_trials(deepcopy=False)[number]
    if trial.state.is_finished():  # its job is tried again, for itself
        return None
    study.sampler, study.pruner = optuna.samplers.RandomSampler(), pruner
    return optuna.Trial(study, trial._trial_id)


def _distribution(space: Space) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if space.interval is None:
        return CategoricalDistribution(space.values)
    low, high = space.interval
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=space.log, step=int(space.step or 1))
    return FloatDistribution(low, high, log=space.log, step=space.step)


def _texts(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings as texts of overrides, numbers with four digits."""
    return {key: f"{value:.4g}" if isinstance(value, float) else str(value) for key, value in settings.items()}
