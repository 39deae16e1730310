"""What the sentences of all tasks are put together from."""

from collections.abc import Sequence

from hudyn.metrics.measure import Measure


def listed(parts: Sequence[str]) -> str:
    """Parts of a sentence, the last after "and".

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def share_of_networks(solved: Measure) -> str:
    """How many members succeed, with the interval of their share.

    >>> import torch
    >>> from hudyn.metrics.kinds import MeasureKind
    >>> share_of_networks(Measure(torch.tensor([1.0] * 8 + [0.0] * 2), MeasureKind.RATE))
    '8 of 10 networks (80 %, 95 % interval 49–94 %)'
    """
    return f"{int(solved.known.sum())} of {len(solved)} networks ({100 * solved.mean:.0f} %, {interval(solved)})"


def interval(solved: Measure) -> str:
    """The interval of a share of members: ``95 % interval 53–76 %``."""
    low, high = (f"{100 * bound:.0f}" for bound in solved.interval or (0, 1))
    return f"95 % interval {low}–{high} %"
