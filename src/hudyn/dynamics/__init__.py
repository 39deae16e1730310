"""Analysis of trained recurrent networks: `analyse(network, language)` is the door to all of it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hudyn.dynamics.analysis import Analysis, analyse

__all__ = ["Analysis", "analyse"]


def __getattr__(name: str) -> Any:
    """Import the analysis only when it is asked for: scipy takes a second."""
    if name in __all__:
        from hudyn.dynamics import analysis

        return getattr(analysis, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
