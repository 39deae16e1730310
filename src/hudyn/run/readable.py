"""Measures and names as people read them."""

import math
from collections.abc import Sequence


def number(value: float | None) -> str:
    """A measure as the page shows it.

    >>> number(0.69531), number(18121.14), number(None)
    ('0.6953', '18,121', 'none')
    """
    if value is None or math.isnan(value):
        return "none"
    if abs(value) < 100:
        return f"{value:.4f}"
    return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.3e}"


def numbers(values: float | Sequence[float] | None) -> str:
    """A measure, or several numbers of one, as the page shows them.

    >>> numbers([0.25, 0.5, 1832.0]), numbers(None)
    ('0.2500 · 0.5000 · 1,832', 'none')
    """
    return " · ".join(map(number, values)) if isinstance(values, Sequence) else number(values)


def interval(ends: tuple[float, float] | None) -> str:
    """The interval of a success rate as the page shows it; empty for other measures, which have none.

    >>> interval((0.49016, 0.94331))
    '0.490 – 0.943'
    """
    return "" if ends is None else "{:.3f} – {:.3f}".format(*ends)


def heading(name: str) -> str:
    """The name of a figure or a table as a heading.

    >>> heading("confusion_matrix")
    'Confusion matrix'
    >>> heading("hidden_states_3d")
    'Hidden states in 3D'
    """
    return name.replace("_", " ").capitalize().replace(" 3d", " in 3D")
