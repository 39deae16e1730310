"""Analysis of trained recurrent networks: `analyse(network, language)` is the door to all of it."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hudyn.dynamics.analysis import Analysis, analyse

__all__ = ["Analysis", "analyse"]


def __getattr__(name: str) -> object:
    if name in __all__:  # imported when asked for: scipy takes a second
        return getattr(import_module("hudyn.dynamics.analysis"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
