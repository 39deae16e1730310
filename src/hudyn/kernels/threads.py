"""The threads that members are spread over; torch's operations have their own setting."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

_threads = 1


def use_threads(number: int) -> None:
    """Spread members over `number` threads from now on."""
    global _threads
    _threads = number


def share_out(work: Callable[[np.ndarray], None], indices: np.ndarray) -> None:
    """Call `work` with blocks of `indices`, one block a thread."""
    blocks = [block for block in np.array_split(indices, _threads) if len(block)]
    if len(blocks) == 1:
        work(blocks[0])
    elif blocks:
        list(_pool(len(blocks)).map(work, blocks))


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers)
