"""Checks a composed config before anything is loaded or written: every key, argument, type and value."""

import copy
import importlib
import inspect
import logging
import re
import typing
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hudyn.cli.problems import Problem, nearest

ALLOWED_TARGETS = ("hudyn", "torch.nn", "torch.optim", "lightning.pytorch", "torchmetrics")
GROUPS = ("data", "model", "optimizer", "trainer", "report", "callbacks", "logger")
ROOT_TYPES: dict[str, Any] = {
    "name": str,
    "seed": int,
    "members": int,
    "threads": int,
    "tags": list[str],
    "objective": str,
    "allowed_targets": list[str],
}
LEAST = {"seed": 0, "members": 1, "threads": 0}
HARMLESS: dict[str, Any] = {
    "name": "", "seed": 0, "members": 1, "threads": 1, "tags": [], "objective": "", "allowed_targets": [],
}  # fmt: skip
ELEMENTWISE_OPTIMIZERS = (
    "SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD",
)  # fmt: skip
REQUIRED_CALLBACKS = ("history", "checkpoint")
# Arguments that code gives to a target, by the part of the config it stands in.
GIVEN = {
    "model": {"optimizer"},
    "trainer": {"callbacks", "logger", "plugins", "default_root_dir"},
    "logger": {"save_dir"},
}


def check(config: DictConfig, targets: bool = True) -> list[Problem]:
    """Every problem of a composed config.

    What is flawed is put back to its default for the checks that follow, so that one mistake hides no other.

    Args:
        config: the config, without Hydra's own part; it is not changed.
        targets: whether to check what is instantiated too, which imports it, and torch with it.
    """
    config = copy.deepcopy(config)
    OmegaConf.set_struct(config, False)
    problems = _check_references(config)
    _repair(config, problems)
    problems += _check_root(config)
    if targets:
        _repair(config, problems)
        allowed = (*ALLOWED_TARGETS, *(_plain(config.get("allowed_targets")) or ()))
        found = _check_targets(config, allowed)
        told = {problem.path for problem in problems}
        problems += [problem for problem in found if problem.path not in told]
        _repair(config, found)
        problems += _check_values(config, {problem.path.split(".")[0] for problem in _check_targets(config, allowed)})
    return problems


def _repair(config: DictConfig, problems: Iterable[Problem]) -> None:
    """Take what `problems` name out of `config`; at the top, put harmless values in its place."""
    for problem in problems:
        parent, _, key = problem.path.rpartition(".")
        node = OmegaConf.select(config, parent) if parent else config
        if not parent and key in HARMLESS:
            node[key] = HARMLESS[key]
        elif isinstance(node, DictConfig) and key in list(node) and key != "_target_":
            del node[key]


def _check_references(config: DictConfig) -> list[Problem]:
    """Values that refer to something that is not there."""
    problems = []
    for path, node in _interpolations(config):
        try:
            node._dereference_node()
        except OmegaConfBaseException as error:
            problems.append(Problem(path, str(error).splitlines()[0]))
    return problems


def _check_root(config: DictConfig) -> list[Problem]:
    """Problems of the keys at the top, and missing values."""
    known = {*ROOT_TYPES, *GROUPS}
    given = set(map(str, config))
    problems = [Problem(key, "there is no such key" + nearest(key, known)) for key in sorted(given - known)]
    problems += [Problem(key, "is not set") for key in sorted(known - given)]
    problems += [Problem(path, f"needs a value: {path}=...") for path in sorted(OmegaConf.missing_keys(config))]
    flawed = {problem.path for problem in problems}
    for key, expected in ROOT_TYPES.items():
        if key not in config or key in flawed:
            continue
        value = _plain(config[key])
        if key in LEAST and _is(value, int) and value < LEAST[key]:
            problems.append(Problem(key, f"expected an integer of at least {LEAST[key]}, got {value!r}"))
        elif key in LEAST and _is(value, int) and value >= 1 << 62:
            problems.append(Problem(key, f"expected an integer below 2^62, got {value!r}"))
        elif not _is(value, expected):
            problems.append(Problem(key, f"expected {_name(expected)}, got {value!r}"))
    return problems


def _check_targets(config: DictConfig, allowed: tuple[str, ...]) -> list[Problem]:
    """Problems of all targets and their arguments."""
    given = config.get("callbacks") or {}
    missing = [name for name in REQUIRED_CALLBACKS if name not in given]
    problems = [Problem(f"callbacks.{name}", "a run cannot do without it") for name in missing]
    for group in GROUPS:
        node = config.get(group)
        if node is None:
            continue
        if not isinstance(node, DictConfig):
            problems.append(Problem(group, f"expected settings, got {node!r}"))
            continue
        if group not in ("report", "callbacks", "logger") and "_target_" not in node:
            problems.append(Problem(group, "expected a _target_, the class to make"))
            continue
        for path, target in _targets(node, group):
            problems += _check_target(path, target, allowed, GIVEN.get(group, set()))
    return problems


def _check_target(path: str, node: DictConfig, allowed: tuple[str, ...], given: set[str]) -> Iterator[Problem]:
    name = str(node._target_)
    if not any(name.startswith(f"{package}.") for package in allowed):
        yield Problem(
            f"{path}._target_",
            f"{name} is not in an allowed package ({', '.join(allowed)}); "
            f"if you trust it, add allowed_targets=[{name.split('.')[0]}]",
        )
        return
    try:
        target = _locate(name)
    except LookupError as error:
        yield Problem(f"{path}._target_", str(error.args[0]))
        return
    trusted = any(name.startswith(f"{package}.") for package in allowed[len(ALLOWED_TARGETS) :])
    if not trusted and not (
        (inspect.isclass(target) or path.startswith("report.")) and f"{target.__module__}.".startswith(_ROOTS)
    ):
        yield Problem(f"{path}._target_", f"{name} is not a class of {name.split('.')[0]}'s own")
        return
    kind = _kind(path)
    if inspect.isclass(target) and kind and not issubclass(target, kind):
        yield Problem(f"{path}._target_", f"expected a {kind.__name__}, got {name}")
        return
    signature = inspect.signature(target)
    arguments = {str(key): value for key, value in node.items_ex(resolve=False) if key not in HYDRA_KEYS}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    named = {n: p for n, p in signature.parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    for argument in arguments:
        if argument not in named and not takes_any:
            yield Problem(f"{path}.{argument}", f"{name} takes no such argument{nearest(argument, set(named) - given)}")
    if not node.get("_partial_", False) and "_args_" not in node and path != "model.network":
        needed = {n for n, p in named.items() if p.default is p.empty}
        for argument in sorted(needed - set(arguments) - given):
            yield Problem(f"{path}.{argument}", f"{name} needs this argument")
    hints = _hints(target)
    for argument in arguments:
        if OmegaConf.is_missing(node, argument):
            continue
        value = _plain(node.get(argument))
        holds_target = isinstance(value, dict) and "_target_" in value
        if argument in hints and not holds_target and not _is(value, hints[argument]):
            yield Problem(f"{path}.{argument}", f"expected {_name(hints[argument])}, got {value!r}")


_ROOTS = tuple(f"{package}." for package in ALLOWED_TARGETS)


def _kind(path: str) -> type | None:
    """What the object at `path` must be."""
    from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
    from lightning.pytorch.loggers import Logger
    from torch import nn, optim

    kinds: dict[str, type] = {
        "data": LightningDataModule,
        "model": LightningModule,
        "model.network": nn.Module,
        "optimizer": optim.Optimizer,
        "trainer": Trainer,
    }
    group, _, rest = path.partition(".")
    if rest and "." not in rest and group in ("callbacks", "logger"):
        return Callback if group == "callbacks" else Logger
    return kinds.get(path)


HYDRA_KEYS = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")


def _locate(name: str) -> Callable[..., Any]:
    """What the dotted `name` names; LookupError with the nearest name where there is no such thing."""
    parts = name.split(".")
    module, rest = None, parts
    for length in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:length])
        try:
            module, rest = importlib.import_module(module_name), parts[length:]
            break
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
                raise LookupError(f"{name} cannot be imported: {error}") from error
        except Exception as error:
            raise LookupError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
    if module is None:
        raise LookupError(f"there is no module {parts[0]}; it must be installed or in the folder you run from")
    found: Any = module
    for place, part in enumerate(rest):
        if not hasattr(found, part):
            inside = ".".join(parts[: len(parts) - len(rest) + place])
            public = [n for n in dir(found) if not n.startswith("_") and callable(getattr(found, n, None))]
            raise LookupError(f"there is no {part} in {inside}{nearest(part, public)}")
        found = getattr(found, part)
    if not callable(found):
        raise LookupError(f"{name} is not a class or a function")
    return found


def _check_values(config: DictConfig, unsound: set[str]) -> Iterator[Problem]:
    """Problems that show when the objects are made, which fetches nothing and writes no files.

    Args:
        config: the config; arguments that are refused are taken out of it.
        unsound: groups that cannot be made.
    """
    import torch
    from hydra.utils import get_class, instantiate

    from hudyn.run.build import build_network

    def optimizer() -> Any:
        return instantiate(config.optimizer)([torch.nn.Parameter(torch.zeros(1))])

    makers: dict[str, Callable[[], Any]] = {
        "data": lambda: instantiate(config.data),
        "model.network": lambda: build_network(config, get_class(config.model._target_), made["data"]),
        "optimizer": optimizer,
        "trainer": lambda: instantiate(config.trainer, logger=False, enable_checkpointing=False),
    }
    if "language" in config.data:
        makers = {"data.language": lambda: instantiate(config.data.language)} | makers
    for name in config.get("callbacks") or {}:
        makers[f"callbacks.{name}"] = partial(instantiate, config.callbacks[name])
    makers["model"] = lambda: get_class(config.model._target_)(
        network=partial(build_network, config, get_class(config.model._target_), made["data"]),
        optimizer=None,
        **{str(key): _plain(config.model[key]) for key in config.model if key not in ("_target_", "network")}
        | {"members": 1},
    )
    made: dict[str, Any] = {}
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(), _silent_lightning():
        warnings.simplefilter("ignore")
        for path, make in makers.items():
            parts = [other for other in makers if other.startswith(f"{path}.")]
            if path.split(".")[0] in unsound or not set(parts) <= set(made):
                continue
            while path not in made:
                try:
                    made[path] = make()
                except Exception as error:
                    problem = _refusal(path, OmegaConf.select(config, path), error)
                    yield problem
                    whole, _, argument = problem.path.rpartition(".")
                    if whole != path or argument in _required(OmegaConf.select(config, path)._target_):
                        break
                    _repair(config, [problem])
        yield from _check_together(made, get_class(config.model._target_) if "model" not in unsound else None, config)


def _required(target: str) -> set[str]:
    """The arguments that a target cannot do without."""
    return {name for name, p in inspect.signature(_locate(target)).parameters.items() if p.default is p.empty}


def _check_together(made: dict[str, Any], module: Any, config: DictConfig) -> Iterator[Problem]:
    """Problems of objects that do not go together."""
    if module and {"model.network", "data"} <= set(made):
        try:
            module.check_network(made["model.network"], made["data"])
        except Exception as error:
            yield Problem("model.network", f"{type(made['model.network']).__name__} does not fit the data: {error}")
        if config.members > 1 and not any(parameter.requires_grad for parameter in made["model.network"].parameters()):
            yield Problem("members", "the network is not trained, so all members would be the same; use members=1")
        known = module.measures(made["data"])
        if config.objective and config.objective not in known:
            yield Problem("objective", f"there is no measure {config.objective}{nearest(config.objective, known)}")
    if {"trainer", "data"} <= set(made) and made["data"].endless:
        for argument in ("min_steps", "min_epochs"):
            if config.trainer.get(argument) is not None:
                yield Problem(
                    f"trainer.{argument}", "is not possible here: members that have succeeded may stop before"
                )
    if "trainer" in made:
        if made["trainer"].precision == "16-mixed":
            yield Problem(
                "trainer.precision", "16-mixed needs its losses scaled, which is not done here; use bf16-mixed"
            )
        for argument, plain in (("gradient_clip_val", None), ("accumulate_grad_batches", 1)):
            if getattr(made["trainer"], argument) not in (plain, 0):
                yield Problem(f"trainer.{argument}", "is not possible here: a step carries many updates")
    if "optimizer" in made:
        name = type(made["optimizer"]).__name__
        closure = inspect.signature(made["optimizer"].step).parameters.get("closure")
        if closure is not None and closure.default is closure.empty:
            yield Problem("optimizer._target_", f"{name} evaluates the loss several times an update; use another")
        elif config.members != 1 and name not in ELEMENTWISE_OPTIMIZERS:
            known = ", ".join(ELEMENTWISE_OPTIMIZERS)
            yield Problem("optimizer._target_", f"{name} would mix the members of a population; use one of {known}")


def _refusal(path: str, node: DictConfig, error: BaseException) -> Problem:
    """The problem that the refusal of the object at `path` tells of, at the argument it speaks of, if any."""
    while type(error).__name__ == "InstantiationException" and error.__cause__ is not None:
        error = error.__cause__
    message = "\n".join(" ".join(line.split()) for line in str(error).splitlines())
    argument, colon, rest = message.partition(": ")
    if colon and re.fullmatch(r"\w+(\.\w+)*", argument) and OmegaConf.select(node, argument) is not None:
        return Problem(f"{path}.{argument}", rest)
    given = OmegaConf.to_container(node)
    assert isinstance(given, dict)
    keys = [str(key) for key in node]
    named = [key for key in keys if any(f"{before}{key}" in message for before in ("`", "("))]
    named = named or [str(key) for key, value in given.items() if rest and str(value) == rest]
    if path == "trainer" and "backend" in message:
        named = ["accelerator"]
        message += f" (got {node.accelerator})"
    return Problem(f"{path}.{named[0]}" if len(named) == 1 else path, message or type(error).__name__)


def _targets(node: Any, path: str) -> Iterator[tuple[str, DictConfig]]:
    """Every node with a `_target_` at or under `node`, with its path; references are not followed."""
    if isinstance(node, DictConfig):
        if node.get("_target_") is not None:
            yield path, node
        children: list[tuple[Any, Any]] = [(str(key), node._get_node(key)) for key in node]
    elif OmegaConf.is_list(node):
        children = [(index, node._get_node(index)) for index in range(len(node))]
    else:
        return
    for key, child in children:
        if child is not None and not child._is_interpolation() and not child._is_none() and not child._is_missing():
            yield from _targets(child, f"{path}.{key}")


def _interpolations(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    keys = list(node) if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        child = node._get_node(key)
        where = f"{path}.{key}" if path else str(key)
        if child._is_interpolation():
            yield where, child
        elif OmegaConf.is_config(child) and not child._is_none() and not child._is_missing():
            yield from _interpolations(child, where)


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    function = target.__init__ if inspect.isclass(target) else target
    try:
        return typing.get_type_hints(function)
    except Exception:
        hints = getattr(function, "__annotations__", {})
        return {name: hint for name, hint in hints.items() if not isinstance(hint, str)}


def _is(value: Any, expected: Any) -> bool:
    """Whether `value`, as YAML gives it, fits the annotation `expected`; where that cannot be told, it does."""
    from typeguard import CollectionCheckStrategy, ForwardRefPolicy, TypeCheckError, check_type

    if isinstance(value, bool) and expected in (int, float):
        return False
    try:
        check_type(
            value,
            expected,
            forward_ref_policy=ForwardRefPolicy.IGNORE,
            collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS,
        )
    except TypeCheckError:
        return False
    except Exception:
        return True
    return True


def _name(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, arguments))
    names = {int: "an integer", float: "a number", str: "a word", bool: "true or false", list[str]: "a list of words"}
    if hint in names:
        return names[hint]
    if origin is typing.Union or type(hint).__name__ == "UnionType":
        options = [argument for argument in arguments if argument is not type(None)]
        return " or ".join(dict.fromkeys(map(_name, options)))
    return getattr(hint, "__name__", str(hint)) if origin is None else str(hint).replace("collections.abc.", "")


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


@contextmanager
def _silent_lightning() -> Iterator[None]:
    """Keep Lightning from printing what it found while a trainer is made only to be checked."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
