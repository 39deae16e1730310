"""Numbers of one value a member, summed up."""

from torch import Tensor


def spread(name: str, values: Tensor) -> dict[str, float]:
    """The curves to log of a measure: its mean as `name`, and for several members the least and the largest.

    >>> from torch import tensor
    >>> spread("test/accuracy", tensor([0.5, 1.0]))
    {'test/accuracy': 0.75, 'test/accuracy_min': 0.5, 'test/accuracy_max': 1.0}
    """
    if len(values) == 1:
        return {name: values.item()}
    return {name: values.mean().item(), f"{name}_min": values.min().item(), f"{name}_max": values.max().item()}
