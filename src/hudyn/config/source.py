"""Modules as source: what a dotted name stands for, found by parsing files, without importing what they import."""

import ast
import importlib.util
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ClassOrFunction = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
# Signs in the source that a module may have names that no statement of it binds.
DYNAMIC = ("__getattr__", "globals(", "setattr(", "exec(")
TRANSPARENT = {"object", "abc.ABC", "typing.Generic", "typing.Protocol"}  # bases that add no argument


@dataclass(frozen=True)
class Names:
    """The names at the top of a module, each with its definition, its value, or the dotted name of what is imported."""

    bound: dict[str, ClassOrFunction | ast.expr | str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)  # modules whose names are imported with ``*``
    dynamic: bool = False  # whether there may be further names, which no statement binds


@dataclass(frozen=True)
class Module:
    """A module that is parsed when its names are first asked for."""

    name: str  # dotted
    path: Path  # of its file; a namespace package has none there
    changed: int  # when the file was changed, in nanoseconds; 0 without a file

    @property
    def is_package(self) -> bool:
        """Whether it is a package, which may have submodules."""
        return self.path.name == "__init__.py"

    @property
    def package(self) -> str:
        """The package it lives in; itself, if it is a package or in none."""
        return self.name if self.is_package else self.name.rpartition(".")[0] or self.name

    @property
    def names(self) -> Names:
        """The names at its top."""
        return _names(self)


@dataclass(frozen=True)
class Definition:
    """Where a dotted name leads."""

    name: str  # the one it is defined under, which differs from the one asked for where it is re-exported
    module: Module
    node: ClassOrFunction | ast.expr | None  # the class, function or assigned value; None for the module itself


class UnknownError(Exception):
    """The source does not say; importing does."""


class MissingError(LookupError):
    """There is no such module or name: `inside`, which has no `part`."""

    def __init__(self, inside: str, part: str, names: list[str]) -> None:
        super().__init__(f"there is no {part} in {inside}" if inside else f"there is no module {part}")
        self.inside, self.part, self.names = inside, part, names


def find(name: str, visited: frozenset[str] = frozenset()) -> Definition:
    """Find what the dotted `name` stands for.

    Raises:
        MissingError: there is no such thing.
        UnknownError: the source does not say, such as for compiled modules.
    """
    if name in visited:
        raise UnknownError(f"{name} refers to itself")
    module, parts = load(name.partition(".")[0]), name.split(".")[1:]
    while len(parts) > 1 and (inside := _submodule(module, parts[0])):
        module, parts = inside, parts[1:]
    if not parts:
        return Definition(module.name, module, None)
    bound = _bound(module, parts[0], visited | {name})
    if bound is None:
        inside = _submodule(module, parts[0])
        if inside is None or len(parts) > 1:
            raise _absent(module, parts[0])
        return Definition(inside.name, inside, None)
    if isinstance(bound, str):
        return find(".".join([bound, *parts[1:]]), visited | {name})
    if len(parts) > 1:
        raise UnknownError(f"{name} is an attribute of an object")
    if isinstance(bound, ast.Name | ast.Attribute):  # another name of the same thing
        return find(resolve(module, ast.unparse(bound)), visited | {name})
    return Definition(f"{module.name}.{parts[0]}", module, bound)


def resolve(module: Module, name: str) -> str:
    """The dotted name that `name`, as written in `module`, stands for.

    >>> from hudyn.config.source import load
    >>> resolve(load("hudyn.networks.image"), "nn.Module")
    'torch.nn.Module'
    """
    first, _, rest = name.partition(".")
    bound = _bound(module, first, frozenset())
    if bound is None and first not in module.names.bound:
        return name  # a builtin
    start = bound if isinstance(bound, str) else f"{module.name}.{first}"
    return f"{start}.{rest}" if rest else start


def ancestry(definition: Definition) -> tuple[list[Definition], list[str]]:
    """A class and the classes it derives from, in the order in which Python looks for a method.

    Returns:
        The classes that source defines, and the dotted names of bases that none does.
    """
    classes, unknown = [definition], []
    for base in definition.node.bases if isinstance(definition.node, ast.ClassDef) else []:
        expression = base.value if isinstance(base, ast.Subscript) else base
        name = resolve(definition.module, ast.unparse(expression))
        if name in TRANSPARENT:
            continue
        try:
            parent = find(name)
        except (UnknownError, MissingError):
            unknown.append(name)
            continue
        if isinstance(parent.node, ast.ClassDef) and parent.name != definition.name:  # as in `class Name(Name)`
            further, bases = ancestry(parent)
            classes += further
            unknown += bases
        else:
            unknown.append(parent.name)
    last = {item.name: place for place, item in enumerate(classes)}  # a common base comes after all that derive from it
    return [item for place, item in enumerate(classes) if last[item.name] == place], unknown


def load(name: str) -> Module:
    """The module with the dotted `name`."""
    top, *parts = name.split(".")
    module = _module(top, _top_file(top, tuple(sys.path)))
    for part in parts:
        inside = _submodule(module, part)
        if inside is None:
            raise _absent(module, part)
        module = inside
    return module


@cache
def _top_file(name: str, folders: tuple[str, ...]) -> Path:
    """The file of a module that is in no package, looked for in `folders`, which are those of ``sys.path``."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        raise UnknownError(f"{name} cannot be found") from error
    if spec is None:
        raise MissingError("", name, [])
    places = list(spec.submodule_search_locations or [])
    if places and (spec.origin is None or not spec.has_location):
        return Path(places[0]) / "__init__.py"  # a namespace package, which has no such file
    if spec.origin and spec.origin.endswith(".py"):
        return Path(spec.origin)
    raise UnknownError(f"{name} has no source")


def _submodule(parent: Module, part: str) -> Module | None:
    """The module `part` of a package, if there is a source file of it."""
    if parent.is_package:
        folder = parent.path.parent
        for path in (folder / part / "__init__.py", folder / f"{part}.py"):
            if path.is_file():
                return _module(f"{parent.name}.{part}", path)
    return None


def _absent(parent: Module, part: str) -> UnknownError | MissingError:
    """The error of a name that the source of `parent` does not show."""
    compiled = parent.is_package and list(parent.path.parent.glob(f"{part}.*"))
    if compiled or parent.names.dynamic or parent.names.stars:
        return UnknownError(f"the source of {parent.name} does not show {part}")
    return MissingError(parent.name, part, [name for name in parent.names.bound if not name.startswith("_")])


def _bound(module: Module, name: str, visited: frozenset[str]) -> ClassOrFunction | ast.expr | str | None:
    """What a name at the top of a module is bound to; None if it can only be a submodule or a builtin."""
    if name in module.names.bound:
        bound = module.names.bound[name]
        return None if bound == f"{module.name}.{name}" else bound  # `from . import name`
    for star in module.names.stars:
        wanted = f"{star}.{name}"
        if wanted in visited or name.startswith("_"):
            continue
        try:
            if _bound(load(star), name, visited | {wanted}) is not None:
                return wanted
        except (UnknownError, MissingError):
            continue
    return None


def _module(name: str, path: Path) -> Module:
    return Module(name, path, path.stat().st_mtime_ns if path.exists() else 0)


@cache
def _names(module: Module) -> Names:
    if not module.changed:
        return Names()
    try:
        text = module.path.read_text(encoding="utf-8")
        names = Names(dynamic=any(sign in text for sign in DYNAMIC))
        _collect(ast.parse(text).body, module, names)
    except (ImportError, OSError, SyntaxError, ValueError) as error:
        raise UnknownError(f"{module.path} cannot be parsed") from error
    return names


def _collect(statements: list[ast.stmt], module: Module, names: Names, fallback: bool = False) -> None:
    """Note the names that statements bind; where `fallback`, only those that are not bound otherwise."""

    def bind(name: str, value: ClassOrFunction | ast.expr | str) -> None:
        if not (fallback and name in names.bound):
            names.bound[name] = value

    for statement in statements:
        match statement:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                bind(statement.name, statement)
            case ast.Import():
                for alias in statement.names:
                    top = alias.name.partition(".")[0]
                    bind(alias.asname or top, alias.name if alias.asname else top)
            case ast.ImportFrom():
                relative = "." * statement.level + (statement.module or "")
                origin = importlib.util.resolve_name(relative, module.package)
                for alias in statement.names:
                    if alias.name == "*":
                        names.stars.append(origin)
                    else:
                        bind(alias.asname or alias.name, f"{origin}.{alias.name}")
            case ast.Assign():
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        bind(target.id, statement.value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                bind(name, value)
            case ast.If():
                _collect(statement.body, module, names, fallback)
                _collect(statement.orelse, module, names, True)
            case ast.Try():
                _collect(statement.body, module, names, fallback)
                for handler in statement.handlers:
                    _collect(handler.body, module, names, True)
                _collect([*statement.orelse, *statement.finalbody], module, names, fallback)
            case ast.With():
                _collect(statement.body, module, names, fallback)
