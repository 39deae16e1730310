"""What the run's page needs to run a population's networks: their kind, and the weights of every member."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from hudyn.networks import GRU, LSTM, SRN, GridMLP, NetConv, NetFull, NetLin
from hudyn.population import member_vectors
from hudyn.tasks.base import Study
from hudyn.tasks.snapshots import Snapshots

# The classes that networks.js knows, with the settings that it needs, and the methods that a subclass may not change.
KNOWN: Mapping[type[nn.Module], tuple[tuple[str, ...], tuple[str, ...]]] = {
    SRN: (("activation",), ("step", "initial_state", "from_input")),
    LSTM: ((), ("step", "initial_state", "from_input")),
    GRU: ((), ("step", "initial_state", "from_input")),
    GridMLP: (("activation",), ("forward", "activations")),
    NetLin: ((), ("forward",)),
    NetFull: ((), ("forward",)),
    NetConv: ((), ("forward",)),
}
LARGEST = 4_000_000  # bytes of all members' weights: more, compressed and as text, would make a slow page
LARGEST_SNAPSHOTS = 1_200_000  # bytes of all snapshots: a page of a few megabytes opens at once
MOST_SNAPSHOTS = 50


def networks(study: Study[Any, Any], snapshots: Snapshots | None = None) -> dict[str, Any] | None:
    """The networks of all members, or of those that a page has room for: the best one and the first ones.

    Args:
        study: the trained population.
        snapshots: of its training, if there are any.

    Returns:
        ``specification``, the kept ``members``, their ``vectors`` [kept, parameters], ``updates`` [snapshots] and
        ``snapshots`` [snapshots, kept, parameters]; None for a network that the page cannot run.
    """
    network = study.network()
    known = specification(network)
    if known is None:
        return None
    vectors = member_vectors(study.module.population.parameters(), study.members).cpu()
    room = LARGEST // (vectors.shape[1] * vectors.element_size())
    members = list(range(study.members))
    if room < study.members:
        members = [study.best, *(member for member in members if member != study.best)][: max(1, room)]
    vectors = vectors[members]
    view = {"specification": known, "members": members, "vectors": vectors.numpy(), "updates": [], "snapshots": None}
    if snapshots and snapshots.updates:
        size = vectors.numel() * vectors.element_size()
        number = min(MOST_SNAPSHOTS, len(snapshots.updates), max(1, LARGEST_SNAPSHOTS // size))
        places = np.unique(np.linspace(0, len(snapshots.updates) - 1, number).round().astype(int))
        view["updates"] = [snapshots.updates[place] for place in places]
        view["snapshots"] = torch.stack([snapshots.vectors[place][members] for place in places]).numpy()
    return view


def specification(network: nn.Module) -> dict[str, Any] | None:
    """How ``networks.js`` computes a network: its class, settings and the shapes of its parameters; None if unknown."""
    for known, (settings, methods) in KNOWN.items():
        given = type(network)
        if isinstance(network, known) and all(getattr(given, name) is getattr(known, name) for name in methods):
            return {
                "class": known.__name__,
                "settings": {name: getattr(network, name) for name in settings},
                "layout": [{"name": name, "shape": list(value.shape)} for name, value in network.named_parameters()],
            }
    return None
