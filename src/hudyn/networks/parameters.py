"""Number of parameters of a network, layer by layer, with the arithmetic written out."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class LayerParameters:
    """Parameters of one layer."""

    layer: str  # its name in the network
    kind: str  # its class
    arithmetic: str  # the sizes of each tensor multiplied, the tensors added, weights first: ``32·1·5·5 + 32``
    parameters: int  # their number


def layer_parameters(network: nn.Module) -> list[LayerParameters]:
    """The layers of `network` that hold parameters themselves, in order; a shared tensor counts once.

    >>> layer_parameters(nn.Sequential(nn.Conv2d(1, 32, 5), nn.ReLU()))
    [LayerParameters(layer='0', kind='Conv2d', arithmetic='32·1·5·5 + 32', parameters=832)]
    """
    layers = []
    counted: set[int] = set()
    for name, module in network.named_modules():
        parameters = [p for p in module.parameters(recurse=False) if id(p) not in counted]
        counted.update(id(p) for p in parameters)
        if parameters:
            arithmetic = " + ".join("·".join(str(size) for size in p.shape) or "1" for p in parameters)
            kind = type(module).__name__
            layers.append(LayerParameters(name or kind, kind, arithmetic, sum(p.numel() for p in parameters)))
    return layers
