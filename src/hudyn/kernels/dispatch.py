"""Which kernel trains a population: one table of the fused kernels, and one function that chooses."""

import importlib.util
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from hudyn.errors import HudynError
from hudyn.kernels.cells import GRUParameters, LSTMParameters, SRNParameters
from hudyn.networks.grid import GridMLP
from hudyn.networks.image import NetFull, NetLin
from hudyn.networks.recurrent import GRU, LSTM, SRN, RecurrentNetwork
from hudyn.population import Population

Kernel = Literal["auto", "reference", "numba", "triton"]
FUSED = ("numba", "triton")
FUSED_OPTIMIZERS = (SGD, Adam, AdamW, RMSprop)
DEVICES = {"numba": "cpu", "triton": "cuda"}
MAX_TRITON_UNITS = 128  # beyond, Triton's blocks no longer fit into registers


class Row(NamedTuple):
    """The fused kernels of one class of networks."""

    kernels: tuple[str, ...] = ()  # in the order in which ``auto`` tries them; ``dense`` is the chain rule in torch
    parameters: tuple[str, ...] = ()  # of a recurrent cell: their names in the kernels' order
    cell: Callable[[Any], str] = str  # name of a recurrent network's cell


# Every other network, subclasses included, has only the reference: its own forward and torch's autograd.
TABLE: dict[type[nn.Module], Row] = {
    NetLin: Row(("dense",)),
    NetFull: Row(("dense",)),
    GridMLP: Row(("numba",)),
    SRN: Row(FUSED, SRNParameters._fields, lambda srn: "srn_relu" if srn.activation == "relu" else "srn"),
    LSTM: Row(FUSED, LSTMParameters._fields, lambda lstm: "lstm" if lstm.peepholes is None else "lstm_peepholes"),
    GRU: Row(FUSED, GRUParameters._fields, lambda gru: "gru"),
}


def choose(kernel: Kernel, population: Population, optimizer: Optimizer | None = None) -> str:
    """Choose the kernel of a population: ``reference``, or one of its row in `TABLE`.

    Args:
        kernel: the kernel requested; ``auto`` takes the first of the row that is available, else the reference.
        population: the networks.
        optimizer: the optimizer, where a fused kernel has to make its steps.

    Raises:
        HudynError: the kernel requested is not available.
    """
    if kernel == "reference":
        return kernel
    if kernel == "auto":
        names = TABLE.get(type(population.network), Row()).kernels
        return next((name for name in names if obstacle(name, population, optimizer) is None), "reference")
    if reason := obstacle(kernel, population, optimizer):
        raise HudynError(f"model.kernel={kernel} is not available here: {reason}. Use model.kernel=auto.")
    return kernel


def obstacle(kernel: str, population: Population, optimizer: Optimizer | None = None) -> str | None:
    """Why a fused kernel is not available; None where it is. For the arguments see `choose`."""
    network, first = population.network, next(population.parameters())
    if kernel in DEVICES and importlib.util.find_spec(kernel) is None:
        return f"{kernel} is not installed" + (' (pip install "hudyn[speed]")' if kernel == "numba" else "")
    if kernel not in TABLE.get(type(network), Row()).kernels:
        supported = [known.__name__ for known, row in TABLE.items() if kernel in row.kernels]
        return f"it supports {', '.join(supported)}, the network is a {type(network).__name__}"
    if kernel == "dense":
        if not all(parameter.requires_grad for parameter in population.parameters()):
            return "it trains all parameters"
        return "it does not support autocast" if torch.is_autocast_enabled(first.device.type) else None
    if kernel == "triton" and isinstance(network, RecurrentNetwork) and network.hidden_size > MAX_TRITON_UNITS:
        return f"it supports at most {MAX_TRITON_UNITS} hidden units, the network has {network.hidden_size}"
    device = DEVICES[kernel]
    supported_dtype = first.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled(device)
    if first.device.type != device or not supported_dtype:
        return f"it runs on {device}, in float32 or float64"
    return None if optimizer is None else optimizer_obstacle(optimizer)


def optimizer_obstacle(optimizer: Optimizer) -> str | None:
    """Why a kernel cannot make the steps of `optimizer`; None where it can."""
    variants = ("amsgrad", "maximize", "dampening", "centered", "capturable", "differentiable")
    if type(optimizer) not in FUSED_OPTIMIZERS or any(optimizer.defaults.get(name) for name in variants):
        names = ", ".join(known.__name__ for known in FUSED_OPTIMIZERS)
        return f"it supports plain {names}, the optimizer is {type(optimizer).__name__} or has other settings"
    if not all(parameter.requires_grad for group in optimizer.param_groups for parameter in group["params"]):
        return "it trains all parameters"
    return None
