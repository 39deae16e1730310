"""Plain networks: nothing of Lightning, nothing of populations."""

from hudyn.networks.grid import GridMLP
from hudyn.networks.handset import AutomatonSRN, CountingLSTM, CountingSRN, FixedPointSRN
from hudyn.networks.image import NetConv, NetFull, NetLin
from hudyn.networks.parameters import LayerParameters, layer_parameters
from hudyn.networks.recurrent import GRU, LSTM, SRN, RecurrentNetwork, Trajectory

__all__ = [
    "GRU",
    "LSTM",
    "SRN",
    "AutomatonSRN",
    "CountingLSTM",
    "CountingSRN",
    "FixedPointSRN",
    "GridMLP",
    "LayerParameters",
    "NetConv",
    "NetFull",
    "NetLin",
    "RecurrentNetwork",
    "Trajectory",
    "layer_parameters",
]
