"""Drawing: pure functions from results to matplotlib figures.

Figures of an `Analysis`: `phase_portrait`, `mechanism`, `counters`, `automaton`, `principal_components`, `trajectory`.
 They are imported when they are asked for, since the analysis takes a second to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hudyn.figures.analysis import (
        automaton,
        counters,
        mechanism,
        phase_portrait,
        principal_components,
        trajectory,
    )

__all__ = [
    "automaton",
    "counters",
    "mechanism",
    "phase_portrait",
    "principal_components",
    "trajectory",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        import_module("hudyn.figures.style").show_in_notebooks()
        return getattr(import_module("hudyn.figures.analysis"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
