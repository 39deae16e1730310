"""How numba compiles kernels."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import njit
from numba.extending import overload

F = TypeVar("F", bound=Callable[..., Any])

# For functions that compiled functions call; numba cannot hand vectors to Python.
_options: Any = {"error_model": "numpy", "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
inlined = njit(**_options)
_STAMP = sorted((path.name, path.stat().st_mtime, path.stat().st_size) for path in Path(__file__).parent.glob("*.py"))


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Compile `function` at its first call, and cache it for later processes where a cache can be written."""
    settings: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        kernel: Any = njit(function, cache=True, **settings)
    except RuntimeError:  # neither the package's folder nor the user's cache is writable
        return njit(function, **settings)
    # By default the cache is renewed when the function's file changes; it has to be for every file that it calls.
    file = kernel._cache._cache_file
    file._source_stamp = _STAMP
    try:
        file._load_index()
    except Exception:  # of an earlier version of hudyn, whose classes are gone
        with contextlib.suppress(OSError):
            file.flush()
    return kernel


def operation(function: F) -> F:
    """Let compiled functions call `function`, by the implementation for the class of its first argument.

    As functools.singledispatch does, but at compile time. The first argument is a NamedTuple; where its class has no
    implementation, `function` itself is compiled.
    """

    def choose(first: Any, *_: Any) -> Callable[..., Any]:
        return _implementations.get((function, first.instance_class), function)

    overload(function, jit_options={"error_model": "numpy", "forceinline": True}, strict=False)(choose)
    return function


def implements(function: Callable[..., Any], kind: type) -> Callable[[F], F]:
    """Register the decorated function as the implementation of an `operation` for NamedTuples of class `kind`."""

    def register(implementation: F) -> F:
        _implementations[function, kind] = implementation
        return implementation

    return register


_implementations: dict[tuple[Callable[..., Any], type], Callable[..., Any]] = {}
