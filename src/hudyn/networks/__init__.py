"""Plain networks: nothing of Lightning, nothing of populations."""

from hudyn.networks.image import NetConv, NetFull, NetLin
from hudyn.networks.parameters import LayerParameters, layer_parameters

__all__ = ["LayerParameters", "NetConv", "NetFull", "NetLin", "layer_parameters"]
