"""hudyn: train small networks, many copies at a time, and look at what their hidden units do.

From Python: `train` runs an experiment, `load` opens finished runs, `analyse` takes a network apart, and
`hudyn.figures` draws it. Nothing is imported until it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hudyn import figures, languages, networks
    from hudyn.api import Runs, load, resume, train
    from hudyn.dynamics import Analysis, analyse
    from hudyn.errors import HudynError
    from hudyn.run.run import Run

__version__ = "0.1.0"
__all__ = [
    "Analysis",
    "HudynError",
    "Run",
    "Runs",
    "analyse",
    "figures",
    "languages",
    "load",
    "networks",
    "resume",
    "train",
]

_HOMES = {
    "Analysis": "hudyn.dynamics",
    "HudynError": "hudyn.errors",
    "Run": "hudyn.run.run",
    "Runs": "hudyn.api",
    "analyse": "hudyn.dynamics",
    "load": "hudyn.api",
    "resume": "hudyn.api",
    "train": "hudyn.api",
}
_MODULES = ("figures", "languages", "networks")


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"hudyn.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'hudyn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
