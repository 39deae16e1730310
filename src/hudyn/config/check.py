"""The first check of a config, without torch and Lightning: keys, arguments, types, values, and the task."""

import copy
import importlib.util
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hudyn.arguments import Bound, nearest
from hudyn.config.annotations import problem_with
from hudyn.config.hydra_adapter import ConfigFiles
from hudyn.config.problems import Problem
from hudyn.config.signatures import Target, class_attribute, locate
from hudyn.config.variants import variant_of, variants

ALLOWED_PACKAGES = ("hudyn", "torch.nn", "torch.optim", "lightning.pytorch", "torchmetrics")
NOT_NEGATIVE, POSITIVE = Bound("an integer of at least 0", least=0), Bound("an integer of at least 1", least=1)
FITS_64_BITS = Bound("an integer below 2^62", below=1 << 62)  # so do the seeds of all members
# The type of each setting, and a harmless value that replaces one with a problem, so that the rest can be checked.
SETTINGS: dict[str, tuple[Any, Any]] = {
    "name": (str, "run"),
    "seed": (Annotated[int, NOT_NEGATIVE, FITS_64_BITS], 0),
    "members": (Annotated[int, POSITIVE, FITS_64_BITS], 1),
    "threads": (Annotated[int, NOT_NEGATIVE], 1),
    "tags": (list[str], []),
    "objective": (str, ""),
    "sweep": (Literal["auto", "fused", "jobs"], "auto"),
    "expected": (str, ""),
    "allowed_targets": (list[str], []),
}
TARGET_GROUPS = ("data", "model", "optimizer", "scheduler", "search", "trainer")  # one object each; others hold several
GROUPS = (*TARGET_GROUPS, "report", "callbacks", "logger")
OPTIONAL = ("scheduler", "search")  # groups that may be empty
REQUIRED_CALLBACKS = ("history", "checkpoint")
HYDRA_KEYS = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")
# What the object at a path must be; `*` stands for any name.
KINDS = {
    "data": "hudyn.tasks.base.TaskData",
    "model": "hudyn.tasks.base.TaskModule",
    "model.network": "torch.nn.Module",
    "optimizer": "torch.optim.Optimizer",
    "scheduler": "torch.optim.lr_scheduler.LRScheduler",
    "trainer": "lightning.pytorch.Trainer",
    "search": "hudyn.sweep.search.Search",
    "callbacks.*": "lightning.pytorch.Callback",
    "logger.*": "lightning.pytorch.loggers.Logger",
}
# Packages that some classes need, each with the extra of hudyn that has it.
NEEDED = {
    "lightning.pytorch.loggers.mlflow.MLFlowLogger": ("mlflow", "mlflow"),
    "lightning.pytorch.loggers.wandb.WandbLogger": ("wandb", "wandb"),
    "hudyn.sweep.search.Search": ("optuna", "sweep"),
    "hudyn.sweep.engines.Joblib": ("joblib", "sweep"),
    "hudyn.sweep.engines.Submitit": ("submitit", "cluster"),
    "hudyn.sweep.engines.Ray": ("ray", "cluster"),
}
# Arguments that hudyn gives to the object at a path; a report gets the study first.
SET_BY_HUDYN = {
    "model": {"optimizer"},
    "optimizer": {"params"},
    "scheduler": {"optimizer"},
    "trainer": {"callbacks", "logger", "plugins", "default_root_dir"},
    "logger.*": {"save_dir"},
}
DERIVED = {"scheduler": {"T_max", "total_steps"}}  # arguments that may be given, but follow from the run too
AUTO_PRECISION = "auto"
BESIDE = {"trainer.precision": AUTO_PRECISION}  # values that hudyn allows beside those that the target takes
PARTIAL = ("optimizer", "scheduler", "report.*")  # hudyn makes these with the arguments above


def check(config: DictConfig, files: ConfigFiles | None = None) -> list[Problem]:
    """Find every problem of a composed config that shows without making its objects.

    A value that has a problem is replaced by a harmless one for what is checked after it, so no mistake hides another.

    Args:
        config: the config, without Hydra's own part; it is not changed.
        files: the config files, to name the options that fit.
    """
    combinations = variants(config)
    problems = [problem for settings in combinations for problem in _check_variant(variant_of(config, settings), files)]
    if isinstance(config.get("members"), int) and config.members % len(combinations):
        expected = f"a multiple of {len(combinations)}, the number of combinations of {', '.join(combinations[0])}"
        problems.append(Problem("members", f"expected {expected}, got {config.members}"))
    return list(dict.fromkeys(problems))


def check_launcher(launcher: DictConfig) -> list[Problem]:
    """Find every problem of the settings of a launcher; those of Hydra's own are left to Hydra."""
    is_ours = str(launcher._target_).startswith("hudyn.")
    return list(_check_target("hydra.launcher", launcher, ())) if is_ours else []


def _check_variant(config: DictConfig, files: ConfigFiles | None) -> list[Problem]:
    config = copy.deepcopy(config)
    OmegaConf.set_struct(config, False)
    problems = list(_check_references(config))
    repair(config, problems)
    of_settings = [*_check_keys(config), *_check_settings(config)]
    repair(config, of_settings)
    of_targets = _check_targets(config)
    reported = {problem.path for problem in of_settings}
    problems += of_settings + [problem for problem in of_targets if problem.path not in reported]
    of_task = r"\w+|\w+\._target_|report\.\w+(\._target_)?"  # paths on which the task depends
    if not any(re.fullmatch(of_task, problem.path) for problem in of_targets):
        problems += _check_task(config, files)
    return problems


def repair(config: DictConfig, problems: Iterable[Problem]) -> None:
    """Take what `problems` name out of `config`; a setting is replaced by a harmless value."""
    for problem in problems:
        parent, _, key = problem.path.rpartition(".")
        node = OmegaConf.select(config, parent)
        if problem.path in SETTINGS:
            config[key] = SETTINGS[key][1]
        elif isinstance(node, DictConfig) and key in list(node) and key != "_target_":
            del node[key]


def plain(node: Any) -> Any:
    """A part of a config as plain lists, dicts and values."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def takes(node: object, argument: str) -> bool:
    """Whether a part of a config has a target that takes an argument."""
    if not isinstance(node, DictConfig) or "_target_" not in node:
        return False
    try:
        return locate(str(node._target_)).takes(argument)
    except LookupError:
        return False


def no_such_argument(path: str, name: str, target: Target, argument: str) -> str:
    """What to say of an argument that the target at `path` does not take."""
    return f"{name} takes no such argument{nearest(argument, set(target.arguments) - _set_by_hudyn(path, target))}"


def _set_by_hudyn(path: str, target: Target) -> set[str]:
    if path.startswith("report."):
        return set(list(target.arguments)[:1])
    return SET_BY_HUDYN.get(_pattern(path), set())


def _pattern(path: str) -> str:
    """A path as the tables have it: ``callbacks.progress`` is ``callbacks.*``."""
    group, _, rest = path.partition(".")
    return f"{group}.*" if rest and "." not in rest and group not in TARGET_GROUPS else path


def _check_references(config: DictConfig) -> Iterator[Problem]:
    """References such as ``${members}`` to something that does not exist."""
    for path, node, key in walk(config):
        if OmegaConf.is_interpolation(node, key):
            try:
                node[key]
            except OmegaConfBaseException as error:
                yield Problem(path, str(error).splitlines()[0])


def _check_keys(config: DictConfig) -> Iterator[Problem]:
    """Unknown and missing keys at the top, and values that are still to be given (``???``)."""
    known, given = {*SETTINGS, *GROUPS}, set(map(str, config))
    for key in sorted(given - known):
        yield Problem(key, "there is no such key" + nearest(key, known))
    for key in sorted(known - given - set(OPTIONAL)):
        yield Problem(key, "is not set")
    for path in sorted(OmegaConf.missing_keys(config)):
        yield Problem(path, f"needs a value: {path}=...")


def _check_settings(config: DictConfig) -> Iterator[Problem]:
    for key, (hint, _) in SETTINGS.items():
        if key in config and not OmegaConf.is_missing(config, key):
            if message := problem_with(plain(config[key]), hint):
                yield Problem(key, message)
            elif key == "name" and not _is_folder_name(config.name):
                yield Problem(key, f"expected the name of a folder in outputs/, got {config.name!r}")


def _is_folder_name(name: str) -> bool:
    """Whether `name` is a folder below the one it is made in, none of its parts hidden.

    >>> [name for name in ("a", "a/b-2", "", "..", "../a", "/a", "a/../b", ".a") if _is_folder_name(name)]
    ['a', 'a/b-2']
    """
    parts = name.split("/")
    return "\\" not in name and name.isprintable() and all(part and part[0] not in ".~" for part in parts)


def _check_targets(config: DictConfig) -> list[Problem]:
    """Problems of all targets and their arguments."""
    trusted = tuple(plain(config.get("allowed_targets")) or ())
    problems = []
    for group in GROUPS:
        node = config.get(group)
        if group in OPTIONAL and not node:
            continue
        if not isinstance(node, DictConfig):
            if node is not None or group in TARGET_GROUPS:
                problems.append(Problem(group, f"expected settings, got {node!r}"))
        elif group in TARGET_GROUPS and "_target_" not in node:
            problems.append(Problem(group, "expected a _target_, the class to make"))
        else:
            for path, target in _targets(node, group):
                problems += _check_target(path, target, trusted)
            if group not in TARGET_GROUPS:
                problems += [
                    Problem(f"{group}.{name}", f"expected settings with a _target_; ~{group}.{name} takes it out")
                    for name, part in zip(map(str, node), node.values(), strict=True)
                    if not isinstance(part, DictConfig) or "_target_" not in part
                ]
    callbacks = config.get("callbacks") or {}
    problems += [
        Problem(f"callbacks.{name}", "every run needs this callback")
        for name in REQUIRED_CALLBACKS
        if name not in callbacks
    ]
    flawed = {problem.path for problem in problems}
    return [problem for problem in problems if _referred(config, problem.path) not in flawed]


def _check_target(path: str, node: DictConfig, trusted: tuple[str, ...]) -> Iterator[Problem]:
    name = str(node._target_)
    try:
        target = _locate_allowed(path, name, trusted)
    except LookupError as error:
        yield Problem(f"{path}._target_", str(error.args[0]))
        return
    if _pattern(path) in PARTIAL and node.get("_partial_") is not True:
        yield Problem(f"{path}._partial_", "expected true: hudyn gives it its first argument later")
    ours = _set_by_hudyn(path, target)
    arguments = [str(key) for key in node if key not in HYDRA_KEYS]
    for argument in arguments:
        if argument in ours:
            yield Problem(f"{path}.{argument}", "hudyn sets this argument itself")
        elif not target.takes(argument):
            yield Problem(f"{path}.{argument}", no_such_argument(path, name, target, argument))
    if "_args_" not in node and path != "model.network":  # a network's arguments may follow from the data
        for argument, expected in target.arguments.items():
            if expected.required and argument not in {*arguments, *ours, *DERIVED.get(path, ())}:
                yield Problem(f"{path}.{argument}", f"{name} needs this argument")
    for argument in arguments:
        if argument in target.arguments and argument not in ours and not OmegaConf.is_missing(node, argument):
            value, hint = plain(node[argument]), target.arguments[argument].annotation()
            if other := BESIDE.get(f"{path}.{argument}"):
                hint = hint | Literal[other]
            if not makes_objects(value) and (message := problem_with(value, hint)):
                yield Problem(f"{path}.{argument}", message)


def _locate_allowed(path: str, name: str, trusted: tuple[str, ...]) -> Target:
    """What `name` stands for; LookupError if it is nothing, nothing that may be made, or nothing fit for `path`."""
    allowed, package = (*ALLOWED_PACKAGES, *trusted), name.split(".")[0]
    if not _inside(name, allowed):
        advice = f'if you trust it, add allowed_targets=["{package}"]'
        raise LookupError(f"{name} is not in an allowed package ({', '.join(allowed)}); {advice}")
    target = locate(name)
    if path.startswith("report."):
        if not target.arguments or not _inside(target.name, ("hudyn.tasks", *trusted)):
            raise LookupError(f"expected a report, a function of a study, got {name}")
        return target
    if not _inside(name, trusted) and not (target.is_class and _inside(target.name, ALLOWED_PACKAGES)):
        raise LookupError(f"{name} is not a class that {package} defines")
    expected = KINDS.get(_pattern(path))
    if expected and target.is_class and locate(expected).name not in target.ancestors:
        raise LookupError(f"expected a {expected.rpartition('.')[2]}, got {name}")
    for package, extra in filter(None, map(NEEDED.get, target.ancestors)):
        if importlib.util.find_spec(package) is None:
            raise LookupError(f'expected {package} installed (pip install "hudyn[{extra}]"), got {name}')
    return target


def _check_task(config: DictConfig, files: ConfigFiles | None) -> Iterator[Problem]:
    """Model, data and reports must belong to one task: the package they live in, or that a class they derive from does.

    A model also fits the data that its `data_class` names. What belongs to no known task is left to the second check.
    """
    model = str(config.model._target_)
    targets = {"model": model, "data": str(config.data._target_)}
    targets |= {f"report.{name}": str(report._target_) for name, report in (config.get("report") or {}).items()}
    shared = {package for group in ("data", "model") for package in locate(KINDS[group]).packages}
    packages = {path: set(locate(target).packages) - shared for path, target in targets.items()}
    if data_class := class_attribute(model, "data_class"):
        packages["model"] |= set(locate(data_class).packages) - shared
    if all(lived_in & packages["model"] for lived_in in packages.values()):
        return
    tasks = set().union(*_packages_of_options(files, "model").values())
    tasks |= {package for package in set().union(*packages.values()) if package.startswith("hudyn.tasks.")}
    packages = {path: lived_in & tasks for path, lived_in in packages.items() if lived_in & tasks}
    if "model" not in packages:
        return
    others = [lived_in for path, lived_in in packages.items() if path != "model"]
    odd, reference = [path for path, lived_in in packages.items() if not lived_in & packages["model"]], "model"
    if len(others) > 1 and len(odd) == len(others) and set.intersection(*others):  # only the model is of another task
        odd, reference = ["model"], "data"
    for group in dict.fromkeys(path.partition(".")[0] for path in odd):
        first = next(target for path, target in targets.items() if path in odd and path.startswith(group))
        options = _packages_of_options(files, group).items()
        fit = [f"{group}={name}" for name, lived_in in options if lived_in and lived_in <= packages[reference]]
        choose = f"; choose {' or '.join(fit)}" if fit else ""
        yield Problem(group, f"{first} does not belong to the task of {targets[reference]}{choose}")


def _packages_of_options(files: ConfigFiles | None, group: str) -> dict[str, set[str]]:
    """The packages that the targets of each option of a group live in; an empty name for an unknown target."""

    def package(target: str) -> str:
        try:
            return locate(target).packages[0]
        except LookupError:
            return ""

    targets = files.targets(group) if files else {}
    return {option: set(map(package, names)) for option, names in targets.items()}


def _inside(name: str, packages: Iterable[str]) -> bool:
    return any(name.startswith(f"{package}.") for package in packages)


def makes_objects(value: object) -> bool:
    """Whether Hydra makes an object of a value, or of a part of it."""
    if isinstance(value, dict):
        return "_target_" in value or any(map(makes_objects, value.values()))
    return isinstance(value, list) and any(map(makes_objects, value))


def _targets(node: Any, path: str) -> Iterator[tuple[str, DictConfig]]:
    """Every node with a `_target_` at or under `node`, with its path; references are not followed."""
    below = ((where, parent[key]) for where, parent, key in walk(node, path) if not is_open(parent, key))
    for where, part in [(path, node), *below]:
        if isinstance(part, DictConfig) and part.get("_target_") is not None:
            yield where, part


def walk(node: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Path, container and key of every value under `node`; references are not followed."""
    keys = list(node) if isinstance(node, DictConfig) else range(len(node)) if isinstance(node, ListConfig) else []
    for key in keys:
        where = f"{path}.{key}" if path else str(key)
        yield where, node, key
        if not is_open(node, key):
            yield from walk(node[key], where)


def is_open(node: DictConfig | ListConfig, key: Any) -> bool:
    """Whether a value is a reference (``${members}``) or still to be given (``???``)."""
    return OmegaConf.is_interpolation(node, key) or OmegaConf.is_missing(node, key)


def _referred(config: DictConfig, path: str) -> str | None:
    """The path that the value at `path` refers to, if it is nothing but a reference."""
    parent, _, key = path.rpartition(".")
    node = OmegaConf.select(config, parent)
    raw: Any = OmegaConf.to_container(node, resolve=False) if isinstance(node, DictConfig) else {}
    whole = re.fullmatch(r"\$\{([\w.]+)\}", str(raw.get(key)))
    return whole[1] if whole else None
