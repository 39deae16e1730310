"""Sets of network states, and the axes along which they and errors extend."""

from typing import NamedTuple

import numpy as np


class Sets(NamedTuple):
    """Sets of network states, for cut states."""

    cuts: np.ndarray  # cut state of each, [sets]
    centres: np.ndarray  # [sets, units]
    frames: np.ndarray  # axes of length 1, [sets, units, axes]
    radii: np.ndarray  # [sets, axes]

    @property
    def axes(self) -> np.ndarray:
        """The axes as long as the sets, [sets, units, axes]."""
        return self.frames * self.radii[:, None]


def balanced(spread: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """Axes along which both the covariance of states and their effect are diagonal, of length 1.

    In these coordinates a chain of linear maps is diagonal, so that parallelotopes stay parallelotopes (Moore 1981,
    Principal component analysis in linear systems).

    Args:
        spread: covariance of states, [..., units, units].
        effect: of a change of them, as a quadratic form, [..., units, units].

    Returns:
        [..., units, axes].
    """
    root = np.linalg.cholesky(spread)
    axes = root @ np.linalg.eigh(root.mT @ effect @ root)[1][..., ::-1]
    return np.asarray(axes / np.linalg.norm(axes, axis=-2, keepdims=True))


def halves(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of [states, units] on either side of the widest gap along the longest axis."""
    along = states[:, np.ptp(states, axis=0).argmax()]
    order = along.argsort()
    gap = int(np.diff(along[order]).argmax()) + 1
    return order[:gap], order[gap:]
