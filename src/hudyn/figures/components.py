"""Principal components of states, and the figure of states in their plane."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hudyn.arguments import ArgumentError
from hudyn.dynamics.trajectories import WordTrajectory
from hudyn.figures.montage import montage
from hudyn.figures.state_scatters import state_scatter
from hudyn.figures.style import COLOURS, in_style

SHOWN = 10  # components whose variance is shown: bars of more are too thin


class Components(NamedTuple):
    """Principal components, the largest variance first.

    Attributes:
        mean: mean of the points, [units].
        directions: orthonormal, the largest element of each positive, [components, units].
        shares: each component's share of the variance, [components]; all 0 if nothing varies.
    """

    mean: np.ndarray
    directions: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray) -> "Components":
        """Principal components of points [positions, units]."""
        mean = points.mean(axis=0)
        variances, columns = np.linalg.eigh((points - mean).T @ (points - mean))
        variances, directions = np.maximum(variances[::-1], 0), columns.T[::-1]
        largest = np.abs(directions).argmax(axis=1)
        directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
        return cls(mean, directions, variances / (variances.sum() or 1))

    def project(self, points: np.ndarray) -> np.ndarray:
        """The first two components of points [..., units], [..., 2]."""
        return (points - self.mean) @ self.directions[:2].T

    def label(self, place: int) -> str:
        """Label of the axis of a component."""
        return f"principal component {place + 1} ({self.shares[place]:.0%} of the variance)"


@in_style
def principal_components(
    points: Mapping[str, np.ndarray],
    states: np.ndarray,
    readings: Mapping[str, WordTrajectory],
    state_names: Mapping[float, str] | None,
    title: str,
) -> Figure:
    """The first two principal components of each group of units, example words, and the variance of each component.

    Args:
        points: activations by group, such as ``hidden`` and ``context``, of two units or more, [positions, units].
        states: state label of each point, [positions].
        readings: example words by name.
        state_names: names of the states by label; None if labels are counts.
        title: heading.

    Raises:
        ArgumentError: fewer than two units, no word, or numbers that are not finite.
    """
    _checked_groups(readings)
    parts = []
    for group, activations in points.items():
        if not np.isfinite(activations).all():
            raise ArgumentError("points", f"expected finite numbers, got {group} with NaN or infinity")
        if activations.shape[1] < 2:
            raise ArgumentError("points", f"expected two {group} units or more, got one; time_course shows it")
        components = Components.of(activations)
        words = {name: components.project(reading.parts[group]) for name, reading in readings.items()}
        names = [components.label(0), components.label(1)]
        projected, heading = components.project(activations), f"{group} units"
        scatter = state_scatter(projected, states, words, names, state_names, heading)
        parts += [scatter, _variances(components.shares, heading, scatter.get_figheight())]
    return montage([parts], title)


@in_style
def _variances(shares: np.ndarray, title: str, height: float) -> Figure:
    """Bars of the components' shares of the variance, in a figure of a height in inches."""
    figure = Figure(figsize=(2.6, height), layout="constrained")
    axes = figure.add_subplot(box_aspect=1.2, anchor="N")
    shown = shares[:SHOWN]
    axes.bar(range(1, len(shown) + 1), shown, color=COLOURS[0])
    axes.set(ylim=(0, 1), xlabel="principal component", ylabel="share of the variance", title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def _checked_groups(readings: Mapping[str, WordTrajectory]) -> list[str]:
    """The groups of units that the words have.

    Raises:
        ArgumentError: there is no word, or a state is not finite.
    """
    if not readings:
        raise ArgumentError("readings", "expected a word, got none")
    for name, reading in readings.items():
        for group, states in reading.parts.items():
            if not np.isfinite(states).all():
                raise ArgumentError(
                    "readings", f"expected finite numbers, got {group} states of {name} with NaN or infinity"
                )
    return list(next(iter(readings.values())).parts)
