"""Type annotations: evaluated from source, compared with values as YAML gives them, and described."""

import ast
import builtins
import importlib
import types
import typing
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from typing import Annotated, Any, Literal, Optional, Union

from hudyn.arguments import Bound, bounds
from hudyn.config import source

# Modules whose names are evaluated as they are; all others are only parsed.
LIGHT_MODULES = ("typing", "collections.abc", "pathlib", "datetime", "os", "numbers", "hudyn.arguments")


def evaluate(expression: ast.expr | None, module: source.Module) -> Any:
    """The type that an annotation of `module` means; `Any` where the source does not say.

    A class is a new, empty class of its name: no value that YAML gives is of it.
    """
    match expression:
        case ast.Constant(value=None | types.EllipsisType() as value):
            return value
        case ast.Constant(value=str(text)):
            try:
                return evaluate(ast.parse(text, mode="eval").body, module)
            except SyntaxError:
                return Any
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _union([evaluate(left, module), evaluate(right, module)])
        case ast.Subscript(value=value, slice=inside):
            parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
            return _subscript(evaluate(value, module), parts, module)
        case ast.Name() | ast.Attribute():
            return _named(source.resolve(module, ast.unparse(expression)))
    return Any


def _named(name: str) -> Any:
    """The type with a dotted name."""
    module, _, leaf = name.rpartition(".")
    if not module:
        builtin = getattr(builtins, name, Any)
        return builtin if isinstance(builtin, type) else Any
    if module in LIGHT_MODULES:
        return getattr(importlib.import_module(module), leaf, Any)
    try:
        definition = source.find(name)
        if definition.name.rpartition(".")[0] in LIGHT_MODULES:
            return _named(definition.name)
        if isinstance(definition.node, ast.ClassDef):
            return Any if _may_be_yaml(definition) else type(definition.node.name, (), {})
    except (source.UnknownError, source.MissingError):
        return Any
    return evaluate(definition.node, definition.module) if isinstance(definition.node, ast.expr) else Any


def _may_be_yaml(definition: source.Definition) -> bool:
    """Whether a value that YAML gives may be of a class: a protocol, a TypedDict, an Enum of words."""
    classes, unknown = source.ancestry(definition)
    bases = [ast.unparse(base) for item in classes if isinstance(item.node, ast.ClassDef) for base in item.node.bases]
    return any("." not in name or name.endswith("TypedDict") for name in unknown) or any("Protocol" in b for b in bases)


def _subscript(origin: Any, parts: list[ast.expr], module: source.Module) -> Any:
    if origin is Literal:
        try:
            return Literal[*map(ast.literal_eval, parts)]
        except (ValueError, TypeError):
            return Any
    if origin is Annotated:
        hint = evaluate(parts[0], module)
        return hint if hint is Any else Annotated[hint, *(_bound(part, module) for part in parts[1:])]
    arguments = [evaluate(part, module) for part in parts]
    if origin in (Union, Optional):
        return _union([*arguments, None] if origin is Optional else arguments)
    try:
        return origin[*arguments]
    except TypeError:  # the class made for a name is not generic
        return origin


def _bound(expression: ast.expr, module: source.Module) -> Bound | None:
    """The bound that an argument of `Annotated` declares, None for anything else."""
    kind = evaluate(expression.func, module) if isinstance(expression, ast.Call) else None
    if not (isinstance(expression, ast.Call) and isinstance(kind, type) and issubclass(kind, Bound)):
        return None
    try:
        named = {key.arg: ast.literal_eval(key.value) for key in expression.keywords if key.arg}
        return kind(*map(ast.literal_eval, expression.args), **named)
    except (ValueError, TypeError):
        return None


def _union(hints: list[Any]) -> Any:
    return Any if Any in hints else Union[*hints]


def fits(value: object, hint: Any) -> bool:
    """Whether `value`, as YAML gives it, fits the annotation `hint`; bounds are not looked at.

    >>> fits(1, float), fits(True, int), fits([0.9, 0.99], tuple[float, float]), fits("a", list[str])
    (True, False, True, False)
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return fits(value, arguments[0])
    if origin in (Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is Literal:
        return any(type(value) is type(argument) and value == argument for argument in arguments)
    if hint is Any or hint is object:
        return True
    if hint in (None, types.NoneType):
        return value is None
    if hint in (int, float):
        return isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
    kind = origin or hint
    if not isinstance(kind, type):
        return True
    if isinstance(value, list):
        return _fits_list(value, kind, arguments)
    if isinstance(value, dict):
        keys, values = arguments if len(arguments) == 2 else (Any, Any)
        return issubclass(dict, kind) and all(fits(k, keys) and fits(v, values) for k, v in value.items())
    if isinstance(value, str) and kind in (Sequence, Iterable, Collection):
        return False  # a word where a list is expected
    try:
        return isinstance(value, kind)
    except TypeError:
        return True  # a protocol


def _fits_list(value: list[object], kind: type, arguments: tuple[Any, ...]) -> bool:
    if kind is tuple and arguments and arguments[-1] is not ...:
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    if kind is not tuple and not issubclass(list, kind):
        return False
    return all(fits(item, arguments[0]) for item in value) if arguments else True


def problem_with(value: object, hint: Any) -> str | None:
    """What is wrong with a value as YAML gives it: "expected …, got …"; None if it fits `hint` and its bounds.

    >>> from hudyn.arguments import Positive
    >>> problem_with(0, Positive), problem_with("x", Positive | None)
    ('expected at least 1, got 0', "expected an integer, got 'x'")
    """
    if not fits(value, hint):
        return f"expected {describe(hint)}, got {value!r}"
    if isinstance(value, int | float):
        for bound in bounds(hint):
            if not bound.holds(value):
                return f"expected {bound.expected}, got {value}"
    return None


def describe(hint: Any) -> str:
    """The values that an annotation allows, in words.

    >>> describe(int | None), describe(Literal["a", "b"]), describe(list[int])
    ('an integer', 'one of a, b', 'a list of integers')
    """
    options = list(_options(hint))
    literals = [
        value for option in options if typing.get_origin(option) is Literal for value in typing.get_args(option)
    ]
    names = [_name(option) for option in options if typing.get_origin(option) is not Literal]
    if literals:
        names.insert(0, "one of " + ", ".join(dict.fromkeys(map(str, literals))))
    return " or ".join(dict.fromkeys(names)) or "nothing (null)"


def _options(hint: Any) -> Iterable[Any]:
    """The alternatives of an annotation, without None."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        yield from _options(arguments[0])
    elif origin in (Union, types.UnionType):
        for argument in arguments:
            yield from _options(argument)
    elif hint not in (None, types.NoneType):
        yield hint


NAMES: dict[Any, str] = {int: "an integer", float: "a number", str: "a word", bool: "true or false"} | dict.fromkeys(
    (dict, Mapping, MutableMapping), "a mapping"
)
PLURALS: dict[Any, str] = {int: "integers", float: "numbers", str: "words"}


def _name(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    kind = origin or hint
    if kind in NAMES:
        return NAMES[kind]
    if isinstance(kind, type) and (issubclass(kind, tuple) or issubclass(list, kind)) and kind is not object:
        items = {PLURALS.get(argument) for argument in arguments if argument is not ...}
        plural = items.pop() if len(items) == 1 else None
        return f"a list of {plural}" if plural else "a list"
    return getattr(kind, "__name__", str(kind))
