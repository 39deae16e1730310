"""Which kernel is taken."""

import importlib.util
from typing import Literal

import torch

from hudyn.errors import HudynError
from hudyn.population import Population

Kernel = Literal["auto", "reference", "numba"]


def takes_numba(kernel: Kernel, population: Population, networks: tuple[type, ...], other: str | None = None) -> bool:
    """Whether the numba kernel is taken: where it is asked for, or where ``auto`` leaves it open and it can be.

    Args:
        kernel: what is asked for.
        population: the networks.
        networks: the networks that the kernel is made for.
        other: a further reason why it cannot be taken, if there is one.

    Raises:
        HudynError: ``numba`` is asked for and cannot be taken.
    """
    hindrance = _hindrance(population, networks) or other
    if kernel == "numba" and hindrance:
        raise HudynError(f"model.kernel=numba cannot be taken here: {hindrance}. Use model.kernel=auto.")
    return kernel != "reference" and not hindrance


def _hindrance(population: Population, networks: tuple[type, ...]) -> str | None:
    """Why a numba kernel for `networks` cannot be taken; None where it can."""
    first = next(population.parameters())
    if importlib.util.find_spec("numba") is None:
        return 'numba is not installed (pip install "hudyn[speed]")'
    if type(population.network) not in networks:
        names = " and ".join(network.__name__ for network in networks)
        return f"it is made for {names}, the network is a {type(population.network).__name__}"
    if first.device.type != "cpu" or first.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return "it is made for the CPU and float32"
    return None
