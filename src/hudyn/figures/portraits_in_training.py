"""Phase portraits over the training of a network."""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from hudyn.dynamics.fixed_points import SymbolMap
from hudyn.figures.phase_portraits import phase_portrait, planar, visited_plane
from hudyn.figures.style import pixels
from hudyn.networks.recurrent import RecurrentNetwork


def portrait_animation(
    networks: Sequence[RecurrentNetwork],
    maps: Sequence[Sequence[SymbolMap]],
    updates: Sequence[int],
    words: Mapping[str, Tensor],
    alphabet: Sequence[str],
    title: str,
) -> list[np.ndarray]:
    """The phase portrait of a network after several numbers of updates, all in the same plane.

    Args:
        networks: snapshots of the network.
        maps: the map of each symbol, of each snapshot.
        updates: number of updates before each snapshot.
        words: symbols of example words, [length], by name.
        alphabet: the symbols.
        title: heading; the number of updates follows it.

    Returns:
        An image for each snapshot, uint8 [height, width, 3].

    Raises:
        ArgumentError: as of `phase_portrait`.
    """
    plane = visited_plane([planar(network) for network in networks], maps, words)
    return [
        pixels(phase_portrait(network, of_symbols, words, alphabet, f"{title}: update {update:,}", plane))
        for network, of_symbols, update in zip(networks, maps, updates, strict=True)
    ]
