"""How a network with two hidden units solves its task, in one figure."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from torch import Tensor

from hudyn.dynamics.extraction import Extraction
from hudyn.dynamics.fixed_points import SymbolMap
from hudyn.figures.automata import state_diagram
from hudyn.figures.clusters import cluster_scatter
from hudyn.figures.montage import montage
from hudyn.figures.phase_portraits import phase_portrait
from hudyn.figures.style import in_style, pixels
from hudyn.networks.recurrent import RecurrentNetwork


@in_style
def mechanism(
    extraction: Extraction,
    network: RecurrentNetwork,
    maps: Sequence[SymbolMap],
    words: Mapping[str, Tensor],
    alphabet: Sequence[str],
    explanation: str,
    title: str,
) -> Figure:
    """Clusters of hidden states, the automaton they form, the phase portrait, and an explanation.

    Args:
        extraction: the automaton and the hidden states.
        network: recurrent.
        maps: the map of each symbol.
        words: symbols of example words, [length], by name.
        alphabet: the symbols.
        explanation: paragraphs, one a line.
        title: heading.

    Raises:
        ArgumentError: another number of units, context units, or a parameter that is not finite.
    """
    scatter = pixels(cluster_scatter(extraction, "1. Clusters of hidden states"))
    diagram = pixels(state_diagram(extraction.machine, "2. The automaton that the clusters form"))
    portrait = pixels(phase_portrait(network, maps, words, alphabet, "3. The map of the state under each symbol"))
    return montage([[scatter, diagram], [portrait]], title, explanation)
