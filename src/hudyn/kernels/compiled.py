"""How kernels are compiled by numba and shared out over threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit

from hudyn.kernels.threads import threads

inlined = njit(error_model="numpy")  # for what compiled functions call


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """`function` compiled at its first call, and kept for later processes where there is a place to keep it.

    What is kept is compiled anew when the function's own file changes, but not when only a file changes whose functions
    it calls: after work on those, remove ``__pycache__``.
    """
    settings: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(function, cache=True, **settings)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return njit(function, **settings)


def share_out(work: Callable[[np.ndarray], None], places: np.ndarray) -> None:
    """Do `work` for blocks of `places`, one block a thread."""
    blocks = [block for block in np.array_split(places, threads()) if len(block)]
    if len(blocks) == 1:
        work(blocks[0])
    elif blocks:
        list(_pool(len(blocks)).map(work, blocks))


def _pool(workers: int) -> ThreadPoolExecutor:
    if workers not in _pools:
        _pools[workers] = ThreadPoolExecutor(workers)
    return _pools[workers]


_pools: dict[int, ThreadPoolExecutor] = {}
