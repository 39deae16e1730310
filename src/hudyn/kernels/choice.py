"""Which kernel is taken."""

import importlib.util
from typing import Any, Literal

import torch
from torch.optim import SGD, Adam

from hudyn.errors import HudynError
from hudyn.population import Population

Kernel = Literal["auto", "reference", "numba", "triton"]
MOST_UNITS = 128  # beyond, Triton's blocks no longer fit into registers
FUSED: tuple[Kernel, ...] = ("numba", "triton")


def choose(
    kernel: Kernel, population: Population, made: dict[str, tuple[type, ...]], other: str | None = None
) -> Kernel:
    """The kernel to take: the one that is asked for, or where ``auto`` leaves it open, the first that can be taken.

    Args:
        kernel: what is asked for.
        population: the networks.
        made: the fused kernels that there are, with the networks that they are made for.
        other: a further reason why no fused one can be taken, if there is one.

    Raises:
        HudynError: a fused kernel is asked for and cannot be taken.
    """
    if kernel == "reference":
        return kernel
    hindrances = {name: _hindrance(name, population, made.get(name, ())) or other for name in FUSED}
    if kernel == "auto":
        return next((name for name in FUSED if hindrances[name] is None), "reference")
    if hindrances[kernel]:
        raise HudynError(f"model.kernel={kernel} cannot be taken here: {hindrances[kernel]}. Use model.kernel=auto.")
    return kernel


def other_optimizer(optimizer: Any) -> str | None:
    """Why a kernel cannot make the steps of `optimizer`; None where it can."""
    variants = ("amsgrad", "maximize", "decoupled_weight_decay", "dampening")
    plain = type(optimizer) in (SGD, Adam) and not any(optimizer.defaults.get(name) for name in variants)
    if not plain or len(optimizer.param_groups) > 1:
        return f"it is made for plain SGD and Adam, the optimizer is {type(optimizer).__name__} or a variant of it"
    if not all(parameter.requires_grad for parameter in optimizer.param_groups[0]["params"]):
        return "it is made for networks all of whose parameters are trained"
    return None


def _hindrance(kernel: str, population: Population, networks: tuple[type, ...]) -> str | None:
    """Why a kernel that is made for `networks` cannot be taken; None where it can."""
    device = "cpu" if kernel == "numba" else "cuda"
    first = next(population.parameters())
    if importlib.util.find_spec(kernel) is None:
        return f"{kernel} is not installed" + (' (pip install "hudyn[speed]")' if kernel == "numba" else "")
    if type(population.network) not in networks:
        names = " and ".join(network.__name__ for network in networks) or "no network of this kind"
        return f"it is made for {names}, the network is a {type(population.network).__name__}"
    if kernel == "triton" and (size := getattr(population.network, "hidden_size", 0)) > MOST_UNITS:
        return f"it is made for up to {MOST_UNITS} hidden units, there are {size}"
    floats = first.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled(device)
    if first.device.type != device or not floats:
        return f"it is made for {device}, and float32 or float64"
    return None
