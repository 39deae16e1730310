"""The arguments that a ``_target_`` takes, from its source: nothing is imported unless the source does not say."""

import ast
import importlib
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hudyn.arguments import nearest
from hudyn.config import annotations, source


@dataclass(frozen=True)
class Argument:
    """One argument of a target."""

    annotation: Callable[[], Any]  # gives the type, as far as it is known; called only for arguments that are given
    required: bool


@dataclass(frozen=True)
class Target:
    """What a ``_target_`` names: a class or a function."""

    name: str  # the dotted name it is defined under
    is_class: bool
    arguments: dict[str, Argument]  # those that may be given by name
    takes_any: bool  # whether it takes arguments of any name (``**kwargs``)
    ancestors: list[str] = field(default_factory=list)  # dotted names of the class and of all that it derives from
    packages: list[str] = field(default_factory=list)  # those that the ancestors, or the function, live in

    def takes(self, argument: str) -> bool:
        """Whether it takes an argument of this name."""
        return self.takes_any or argument in self.arguments


def locate(name: str) -> Target:
    """What the dotted `name` stands for.

    Raises:
        LookupError: there is no such class or function; the message says what is missing.
    """
    try:
        target = _from_source(source.find(name))
    except source.MissingError as error:
        if not error.inside:
            raise LookupError(f"{error}; it must be installed or in the folder you run from") from error
        raise LookupError(f"{error}{nearest(error.part, error.names)}") from error
    except source.UnknownError:
        return _from_import(name)
    if target is None:
        raise LookupError(f"{name} is not a class or a function")
    return target


def class_attribute(name: str, attribute: str) -> Any:
    """What a class, or the nearest class it derives from, assigns to an attribute; None if unknown.

    Returns:
        a constant, or the dotted name of anything else.
    """
    try:
        classes, _ = source.ancestry(source.find(name))
        for item in classes:
            for statement in getattr(item.node, "body", ()):
                match statement:
                    case (
                        ast.Assign(targets=[ast.Name(id=name)], value=value)
                        | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                    ) if name == attribute:
                        if isinstance(value, ast.Constant):
                            return value.value
                        return source.find(source.resolve(item.module, ast.unparse(value))).name
    except (source.UnknownError, source.MissingError):
        pass
    return None


def _from_source(definition: source.Definition) -> Target | None:
    name, node = definition.name, definition.node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return Target(name, False, *_arguments(node, definition.module, bound=False), [], [definition.module.package])
    if node is None or isinstance(node, ast.Constant):
        return None
    if not isinstance(node, ast.ClassDef):
        raise source.UnknownError(f"{name} is made when its module is imported")
    classes, unknown = source.ancestry(definition)
    if unknown:
        raise source.UnknownError(f"{name} derives from {', '.join(unknown)}")
    ancestors = [item.name for item in classes]
    packages = list(dict.fromkeys(item.module.package for item in classes))
    for item in classes:
        assert isinstance(item.node, ast.ClassDef)
        methods = {part.name: part for part in item.node.body if isinstance(part, ast.FunctionDef)}
        if maker := methods.get("__init__") or methods.get("__new__"):
            return Target(name, True, *_arguments(maker, item.module, bound=True), ancestors, packages)
        if item.node.decorator_list or item.node.keywords:  # such as a dataclass
            raise source.UnknownError(f"the source of {item.name} does not show its arguments")
    return Target(name, True, {}, False, ancestors, packages)


def _arguments(
    function: ast.FunctionDef | ast.AsyncFunctionDef, module: source.Module, bound: bool
) -> tuple[dict[str, Argument], bool]:
    """The arguments of a function that may be given by name, and whether it takes any others."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    optional = {argument.arg for argument in positional[len(positional) - len(given.defaults) :]}
    optional |= {a.arg for a, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is not None}
    named = [*positional[len(given.posonlyargs) :], *given.kwonlyargs]
    skipped = positional[0].arg if bound and positional else None
    arguments = {
        argument.arg: Argument(partial(annotations.evaluate, argument.annotation, module), argument.arg not in optional)
        for argument in named
        if argument.arg != skipped
    }
    return arguments, given.kwarg is not None


def _from_import(name: str) -> Target:
    target = _import(name)
    is_class = inspect.isclass(target)
    function = target.__init__ if is_class else target
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception:  # names that exist only for type checkers
        hints = {n: hint for n, hint in getattr(function, "__annotations__", {}).items() if not isinstance(hint, str)}
    try:
        parameters = inspect.signature(target).parameters.values()
    except ValueError:  # compiled, without a signature
        return Target(_defined_name(target), is_class, {}, True)
    named = [item for item in parameters if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)]
    classes = inspect.getmro(target) if inspect.isclass(target) else (target,)
    modules = [importlib.import_module(item.__module__) for item in classes if item is not object]
    return Target(
        name=_defined_name(target),
        is_class=is_class,
        arguments={p.name: Argument(partial(hints.get, p.name, Any), p.default is p.empty) for p in named},
        takes_any=any(item.kind is item.VAR_KEYWORD for item in parameters),
        ancestors=[_defined_name(item) for item in classes],
        packages=[module.__package__ or module.__name__ for module in modules],
    )


def _defined_name(target: Callable[..., Any]) -> str:
    return f"{target.__module__}.{target.__qualname__}"


def _import(name: str) -> Callable[..., Any]:
    """What the dotted `name` names; LookupError with the nearest name where there is no such thing."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:length])
        try:
            target: Any = importlib.import_module(module_name)
            break
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
                raise LookupError(f"{name} cannot be imported: {error}") from error
        except Exception as error:
            raise LookupError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
    else:
        raise LookupError(f"there is no module {parts[0]}; it must be installed or in the folder you run from")
    for place, part in enumerate(parts[length:], length):
        if not hasattr(target, part):
            public = [public for public in dir(target) if not public.startswith("_")]
            raise LookupError(f"there is no {part} in {'.'.join(parts[:place])}{nearest(part, public)}")
        target = getattr(target, part)
    if not callable(target):
        raise LookupError(f"{name} is not a class or a function")
    return target
