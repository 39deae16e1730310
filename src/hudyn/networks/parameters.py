"""How many parameters a network has, layer by layer, with the arithmetic written out."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class LayerParameters:
    """The parameters of one layer.

    `arithmetic` multiplies each tensor's sizes and adds the tensors, weights first: ``32·1·5·5 + 32``.
    """

    layer: str
    kind: str
    arithmetic: str
    parameters: int


def layer_parameters(network: nn.Module) -> list[LayerParameters]:
    """The layers of `network` that hold parameters of their own, in order; a shared tensor counts once.

    >>> layer_parameters(nn.Sequential(nn.Conv2d(1, 32, 5), nn.ReLU()))
    [LayerParameters(layer='0', kind='Conv2d', arithmetic='32·1·5·5 + 32', parameters=832)]
    """
    layers = []
    counted: set[int] = set()
    for name, module in network.named_modules():
        own = [p for p in module.parameters(recurse=False) if id(p) not in counted]
        counted.update(id(p) for p in own)
        if own:
            arithmetic = " + ".join("·".join(str(size) for size in p.shape) or "1" for p in own)
            kind = type(module).__name__
            layers.append(LayerParameters(name or kind, kind, arithmetic, sum(p.numel() for p in own)))
    return layers
