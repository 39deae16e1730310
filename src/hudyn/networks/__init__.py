"""Plain networks: nothing of Lightning, nothing of populations."""

from hudyn.networks.grid import GridMLP
from hudyn.networks.image import NetConv, NetFull, NetLin
from hudyn.networks.parameters import LayerParameters, layer_parameters

__all__ = ["GridMLP", "LayerParameters", "NetConv", "NetFull", "NetLin", "layer_parameters"]
