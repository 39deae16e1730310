"""Numbers of one value a member, summed up."""

import torch
from torch import Tensor


def spread(name: str, values: Tensor) -> dict[str, float]:
    """The curves to log of a measure: its mean as `name`, and for several members the least and the largest.

    Members without a value (NaN) do not count; of what is true or false of a member, the mean is the share of members.

    >>> from torch import tensor
    >>> spread("test/accuracy", tensor([0.5, 1.0]))
    {'test/accuracy': 0.75, 'test/accuracy_min': 0.5, 'test/accuracy_max': 1.0}
    >>> spread("train/solved", tensor([True, False]))
    {'train/solved': 0.5}
    """
    found = values.double()[~values.isnan()]
    if not len(found):
        return {}
    mean = {name: found.mean().item()}
    if len(values) == 1 or values.dtype is torch.bool:
        return mean
    return mean | {f"{name}_min": found.min().item(), f"{name}_max": found.max().item()}
