"""Errors that carry the argument they are about, and bounds on arguments that are declared in annotations."""

import difflib
import functools
import importlib.util
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V")


class ArgumentError(ValueError):
    """An argument of a function or class has a value that it cannot have.

    Args:
        argument: its name; a part of it is named as in a config, ``weights.hidden``.
        message: what was expected and what was given.
    """

    def __init__(self, argument: str, message: str) -> None:
        super().__init__(f"{argument}: {message}")
        self.argument = argument
        self.message = message

    def __reduce__(self) -> tuple[type["ArgumentError"], tuple[str, str]]:
        return ArgumentError, (self.argument, self.message)


@dataclass(frozen=True)
class Bound:
    """The range of a number: `expected` names it, as in "expected `expected`, got -3"."""

    expected: str
    least: float = -math.inf  # the smallest value allowed
    above: float = -math.inf  # must be exceeded
    below: float = math.inf  # must not be reached

    def holds(self, value: float) -> bool:
        """Whether `value` is in the range."""
        return value >= self.least and self.above < value < self.below


@dataclass(frozen=True)
class Needs(Bound):
    """A switch that needs a package to be turned on."""

    package: str = ""  # the name under which it is imported

    def holds(self, value: float) -> bool:
        """Whether the switch is off, or the package installed."""
        return not value or importlib.util.find_spec(self.package) is not None


Positive = Annotated[int, Bound("at least 1", least=1)]
NonNegative = Annotated[int, Bound("at least 0", least=0)]
PositiveFloat = Annotated[float, Bound("a number above 0", above=0)]
NonNegativeFloat = Annotated[float, Bound("a number of at least 0", least=0)]
NeedsAALpy = Annotated[bool, Needs('false, or AALpy installed (pip install "hudyn[analysis]")', package="aalpy")]
Probability = Annotated[float, Bound("a probability above 0 and below 1", above=0, below=1)]
Share = Annotated[float, Bound("a share of at least 0, below 1", least=0, below=1)]


def bounds(hint: object) -> list[Bound]:
    """The bounds that an annotation declares, also as one of several alternatives.

    >>> bounds(Positive | None)
    [Bound(expected='at least 1', least=1, above=-inf, below=inf)]
    """
    if typing.get_origin(hint) not in (Annotated, typing.Union, types.UnionType):
        return []
    return [bound for part in typing.get_args(hint) for bound in ([part] if isinstance(part, Bound) else bounds(part))]


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Let `function` raise `ArgumentError` where a number is out of the `Bound` that its annotation declares.

    >>> @checked
    ... def repeat(times: Positive) -> str:
    ...     return "a" * times
    >>> repeat(0)
    Traceback (most recent call last):
    hudyn.arguments.ArgumentError: times: expected at least 1, got 0
    """
    signature = inspect.signature(function)
    hints = typing.get_type_hints(function, include_extras=True)
    bounded = [(name, bound) for name, hint in hints.items() for bound in bounds(hint)]

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind_partial(*args, **kwargs).arguments
        for name, bound in bounded:
            value = given.get(name)
            if isinstance(value, int | float) and not bound.holds(value):
                raise ArgumentError(name, f"expected {bound.expected}, got {value}")
        return function(*args, **kwargs)

    return call


class Named(dict[str, V]):
    """Values by name; the KeyError of an unknown name says which there are.

    >>> Named(members=8, seed=0)["memebrs"]
    Traceback (most recent call last):
    KeyError: "there is no 'memebrs'; did you mean members?"
    """

    def __missing__(self, name: object) -> V:
        raise KeyError(f"there is no {name!r}{nearest(str(name), self)}")


def nearest(name: str, valid: Iterable[str]) -> str:
    """The end of a message about an unknown name: the most similar valid name, or all valid names if none is similar.

    >>> nearest("memebrs", ["members", "seed"])
    '; did you mean members?'
    >>> nearest("xyz", ["members", "seed"])
    '; valid: members, seed'
    """
    known = sorted(valid)
    if close := difflib.get_close_matches(name, known, n=1):
        return f"; did you mean {close[0]}?"
    return f"; valid: {', '.join(known)}" if known else ""
