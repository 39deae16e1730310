"""The second check of a config: its objects are made, which fetches nothing and writes nothing, and put together."""

import copy
import inspect
import logging
import os
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from lightning.pytorch import Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from omegaconf import DictConfig, OmegaConf
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from hudyn.arguments import ArgumentError, nearest
from hudyn.config.build import TOTAL_UPDATES, network_maker
from hudyn.config.check import ALLOWED_PACKAGES, AUTO_PRECISION, plain, repair
from hudyn.config.problems import Problem
from hudyn.config.signatures import locate
from hudyn.config.variants import variant_of, variants
from hudyn.metrics.kinds import MeasureKind
from hudyn.run.stopping import MemberEarlyStopping
from hudyn.schedules import Plateau
from hudyn.tasks.base import AnyData, AnyModule, TaskData

ELEMENTWISE_OPTIMIZERS = (
    "SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD",
)  # fmt: skip


def check_objects(config: DictConfig) -> list[Problem]:
    """Find every problem that shows when the objects of a config are made.

    What an object refuses is taken out of the config and the object made again, so no mistake hides another.

    Args:
        config: a composed config without problems by `hudyn.config.check`; it is not changed.
    """
    first, *others = variants(config)
    maker = _Maker(variant_of(config, first))
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(action="ignore"), _silent_lightning():
        maker.make_all()
        for settings in others:
            variant = _Maker(variant_of(config, settings))
            variant.make_all()
            maker.problems += [problem for problem in variant.problems if problem not in maker.problems]
        return maker.problems + list(_check_together(maker.made, maker.module_class, maker.config))


class _Maker:
    """Makes the objects of a config one by one, those first that others are made of."""

    def __init__(self, config: DictConfig) -> None:
        self.config = copy.deepcopy(config)
        OmegaConf.set_struct(self.config, False)
        OmegaConf.resolve(self.config)  # an argument that is taken out may be referred to
        self.module_class = cast(type[AnyModule], get_class(config.model._target_))
        self.made: dict[str, Any] = {}
        self.problems: list[Problem] = []

    def make_all(self) -> None:
        config = self.config
        if "language" in config.data:
            self._make("data.language", lambda: instantiate(config.data.language))
        self._make("data", self._data, needs=["data.language"] if "language" in config.data else [])
        self._make("model.network", self._network, needs=["data"])
        parameter = torch.nn.Parameter(torch.zeros(1))
        self._make("optimizer", lambda: instantiate(config.optimizer)([parameter]))
        if config.get("scheduler"):
            self._make("scheduler", self._scheduler, needs=["optimizer"])
        self._make("trainer", self._trainer)
        for name in config.get("callbacks") or {}:
            self._make(f"callbacks.{name}", partial(instantiate, config.callbacks[name]))
        self._make("model", self._model, needs=["model.network"])

    def _make(self, path: str, make: Callable[[], Any], needs: Sequence[str] = ()) -> None:
        while path not in self.made and set(needs) <= set(self.made):
            try:
                self.made[path] = make()
            except Exception as error:
                node = OmegaConf.select(self.config, path)
                problem = _refusal(path, node, error)
                self.problems.append(problem)
                parent, _, argument = problem.path.rpartition(".")
                known = locate(str(node._target_)).arguments.get(argument)
                if parent != path or known is None or known.required:
                    return
                repair(self.config, [problem])

    def _scheduler(self) -> LRScheduler:
        settings = self.config.scheduler
        known = locate(str(settings._target_)).arguments
        derived = {name: 1 for name in TOTAL_UPDATES if name in known and name not in settings}
        return cast(LRScheduler, instantiate(settings, **derived)(self.made["optimizer"]))

    def _trainer(self) -> Trainer:
        settings = self.config.trainer
        open_settings = {"precision": None} if settings.get("precision") == AUTO_PRECISION else {}
        return cast(Trainer, instantiate(settings, logger=False, enable_checkpointing=False, **open_settings))

    def _data(self) -> AnyData:
        data = instantiate(self.config.data)
        expected = self.module_class.data_class
        if not isinstance(data, expected):
            raise ValueError(f"{self.config.model._target_} is trained on a {expected.__name__}, got another class")
        return data

    def _network(self) -> torch.nn.Module:
        settings, data = self.config.model.network, self.made["data"]
        derived = self.module_class.network_arguments(data)
        for argument, expected in locate(str(settings._target_)).arguments.items():
            if expected.required and argument not in settings and argument not in derived:
                raise ArgumentError(argument, f"{settings._target_} needs this argument")
        return network_maker(self.config, self.module_class, data)()

    def _model(self) -> AnyModule:
        settings = self.config.model
        return self.module_class(
            network=lambda: self.made["model.network"],
            optimizer=torch.optim.SGD,  # not the config's, whose problems are reported already
            **{str(key): plain(settings[key]) for key in settings if key not in ("_target_", "network", "members")},
        )


def _check_together(made: dict[str, Any], model: type[AnyModule], config: DictConfig) -> Iterator[Problem]:
    """Problems of objects that do not fit together."""
    watching = {path: made[path] for path in made if isinstance(made[path], MemberEarlyStopping | Plateau)}
    data, network, trainer, optimizer = (made.get(path) for path in ("data", "model.network", "trainer", "optimizer"))
    if isinstance(data, TaskData):
        yield from _check_model_and_data(model, network, data, config)
        measures = model.measures(data)
        for path, its in watching.items():
            if its.monitor not in measures:
                yield Problem(f"{path}.monitor", f"there is no measure {its.monitor}{nearest(its.monitor, measures)}")
    if isinstance(made.get("scheduler"), ReduceLROnPlateau):
        message = "ReduceLROnPlateau would lower the rates of all members at once; use scheduler=plateau"
        yield Problem("scheduler._target_", message)
    if isinstance(trainer, Trainer):
        yield from _check_trainer(trainer, model, data, config)
    if isinstance(optimizer, torch.optim.Optimizer):
        name = type(optimizer).__name__
        closure = inspect.signature(optimizer.step).parameters.get("closure")
        if closure is not None and closure.default is closure.empty:
            yield Problem("optimizer._target_", f"{name} evaluates the loss several times an update; use another")
        elif config.members != 1 and name not in ELEMENTWISE_OPTIMIZERS:
            known = ", ".join(ELEMENTWISE_OPTIMIZERS)
            yield Problem("optimizer._target_", f"{name} would mix the members of a population; use one of {known}")


def _check_model_and_data(
    model: type[AnyModule], network: torch.nn.Module | None, data: TaskData, config: DictConfig
) -> Iterator[Problem]:
    try:
        data.check_available()
    except Exception as error:
        yield _refusal("data", config.data, error)
    known = model.measures(data)
    if config.objective and config.objective not in known:
        yield Problem("objective", f"there is no measure {config.objective}{nearest(config.objective, known)}")
    elif config.get("search") and not config.search.direction and known.get(config.objective) is MeasureKind.VALUE:
        yield Problem("search.direction", f"say whether more or less of {config.objective} is better: max or min")
    if network is None:
        return
    try:
        model.check_network(network, data)
    except Exception as error:
        yield Problem("model.network", f"{type(network).__name__} does not fit the data: {error}")
    if config.members > 1 and not any(parameter.requires_grad for parameter in network.parameters()):
        yield Problem("members", "the network is not trained, so all members would be the same; use members=1")


def _check_trainer(trainer: Trainer, model: type[AnyModule], data: object, config: DictConfig) -> Iterator[Problem]:
    on_cpu = isinstance(trainer.accelerator, CPUAccelerator)
    available = (os.cpu_count() or 1) if on_cpu else trainer.accelerator.auto_device_count()
    if trainer.num_devices > available:
        what = "processors" if on_cpu else "devices"
        expected = f"at most {available}, the number of {what} of this machine"
        yield Problem("trainer.devices", f"expected {expected}, got {trainer.num_devices}")
    if isinstance(data, TaskData) and data.endless:
        for argument in ("min_steps", "min_epochs"):
            if config.trainer.get(argument) is not None:
                message = "is not possible here: members that have succeeded may stop before"
                yield Problem(f"trainer.{argument}", message)
    if config.trainer.get("precision") == AUTO_PRECISION and (not on_cpu or trainer.num_devices > 1):
        yield Problem("trainer.precision", "auto chooses for one CPU; here, give 32-true or bf16-mixed")
    if trainer.precision == "16-mixed" and not model.half_precision:
        yield Problem("trainer.precision", "16-mixed is for images, whose losses are scaled; use bf16-mixed")
    clip = trainer.gradient_clip_val
    if clip is not None and clip < 0:
        yield Problem("trainer.gradient_clip_val", f"expected a number above 0, got {clip}")
    if isinstance(data, TaskData) and not data.accumulates and trainer.accumulate_grad_batches > 1:
        message = "is not possible on these data"
        yield Problem("trainer.accumulate_grad_batches", message)


def _refusal(path: str, node: DictConfig, error: BaseException) -> Problem:
    """The problem of an object that cannot be made, at the argument that is to blame, if that is known."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, ArgumentError):
        return Problem(f"{path}.{error.argument}", error.message)
    message = "\n".join(" ".join(line.split()) for line in str(error).splitlines()) or type(error).__name__
    if path == "trainer" and "backend" in message:
        return Problem("trainer.accelerator", f"{message} (got {node.accelerator})")
    argument = _blamed(node, message)
    return Problem(f"{path}.{argument}" if argument else path, _place(str(node._target_), error) + message)


def _place(target: str, error: BaseException) -> str:
    """Where in the module of a class of one's own an error was raised, and its type, to stand before its message."""
    package = target.partition(".")[0]
    codes = [
        (frame.f_code, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package
    ]
    if not codes or any(f"{allowed}.".startswith(f"{package}.") for allowed in ALLOWED_PACKAGES):
        return ""
    code, line = codes[-1]
    return f"{code.co_qualname} ({Path(code.co_filename).name}, line {line}): {type(error).__name__}: "


def _blamed(node: DictConfig, message: str) -> str | None:
    """The argument that an error of torch or Lightning is about, which only its text shows.

    >>> settings = OmegaConf.create({"lr": -1, "max_epochs": -2})
    >>> _blamed(settings, "Invalid learning rate: -1"), _blamed(settings, "`max_epochs` must be an integer")
    ('lr', 'max_epochs')
    """
    keys, value = list(map(str, node)), message.partition(": ")[2]
    named = [key for key in keys if f"`{key}" in message or f"({key}" in message]
    named = named or [key for key in keys if value and str(plain(node[key])) == value]
    return named[0] if len(named) == 1 else None


@contextmanager
def _silent_lightning() -> Iterator[None]:
    """Keep Lightning from printing what hardware there is while a trainer is made only to be checked."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
