"""The states that a network can be in after a symbol, for a whole set of states before it: the mean-value form.

A jet encloses a function of variables e: its value at e = 0, its derivatives where |e| ≤ radius, and its range there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from hudyn.networks.recurrent import GRU, LSTM, SRN, RecurrentNetwork
from hudyn.proof.intervals import TINY, UP, Interval

EXACT = 2.0**-52  # unit of real arithmetic: what encloses the rounding of the proof itself
SINGLE = 1.0001 * 2.0**-24  # unit that also encloses the rounding of the network in single precision, and its products
SUM = 4  # units by which a sum of two numbers may be wrong: more than it can be, for the checker's bounds are wider
ACTIVATION = (
    8  # units, half of them in the last place, by which an activation function of the network's arithmetic may be wrong
)
SMALL = 1e-30  # below this, single precision may lose a number altogether


@dataclass(frozen=True)
class Jet:
    """A function of variables e, |e| ≤ radius, [..., units].

    Attributes:
        centre: its value at e = 0, [..., units].
        slopes: its derivatives, [..., units, variables].
        range: its values, [..., units].
        radius: bound of each variable, [..., variables].
        unit: rounding of the arithmetic in which values are computed.
    """

    centre: Interval
    slopes: Interval
    range: Interval
    radius: np.ndarray
    unit: float

    @classmethod
    def of(
        cls, centre: Interval, slopes: Interval, radius: np.ndarray, unit: float, other: Interval | None = None
    ) -> "Jet":
        """The jet of a value and derivatives; the range is in `other` too, if that is given."""
        spread = (slopes.magnitude @ radius[..., None])[..., 0]
        mean_value = centre.widened(UP * spread)
        return cls(centre, slopes, mean_value if other is None else mean_value & other, radius, unit)

    @classmethod
    def variables(cls, centre: np.ndarray, axes: np.ndarray, radius: np.ndarray, unit: float) -> "Jet":
        """The points centre + axes · e; [..., units], [..., units, variables], [..., variables]."""
        return cls.of(Interval.exact(centre), Interval.exact(axes), radius, unit)

    def _after(self, centre: Interval, slopes: Interval, other: Interval, units: float = 1) -> "Jet":
        """The jet after an operation that the network's arithmetic may get wrong by some units of the value."""
        error = units * self.unit * (other.magnitude + SMALL)
        return Jet.of(centre.widened(error), slopes, self.radius, self.unit, other.widened(error))

    def linear(self, weights: np.ndarray, *terms: np.ndarray) -> "Jet":
        """The weighted sums of the units, plus terms."""
        summed, size = Interval.exact(np.zeros(len(weights))), self.range.magnitude @ np.abs(weights).T + SMALL
        for term in terms:
            summed, size = summed + Interval.exact(term), size + np.abs(term)
        error = (weights.shape[1] + len(terms)) * self.unit * UP * size

        def sums(values: Interval) -> Interval:
            return ((weights @ values[..., None])[..., 0] + summed).widened(error)

        return Jet.of(sums(self.centre), weights @ self.slopes, self.radius, self.unit, sums(self.range))

    def reach(self, centre: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        """Bounds of |inverse (value - centre)|, [..., units]."""
        off = (inverse @ (self.centre - Interval.exact(centre))[..., None])[..., 0]
        return UP * (off.magnitude + ((inverse @ self.slopes).magnitude @ self.radius[..., None])[..., 0])

    def gathered(self, axes: np.ndarray, inverse: np.ndarray, variables: int) -> "Jet":
        """The values with their errors gathered in variables along axes of their own: these replace all but the first.

        Intervals grow with each map that is applied to them; linear functions of variables do not (Lohner 1992,
        Computation of guaranteed enclosures for the solutions of ordinary initial and boundary value problems).
        """
        centre, linear = Interval.exact(self.centre.mid), Interval.exact(self.slopes.mid[..., :variables])
        rest = Interval(self.slopes.mid.copy(), self.slopes.rad)
        rest.mid[..., :variables] = 0
        off = Interval(np.zeros_like(self.centre.mid), self.centre.rad)
        reach = Jet(off, rest, off, self.radius, self.unit).reach(np.zeros(len(axes)), inverse)
        off_axes = defect(axes, inverse)
        radius = UP * (reach + off_axes / (1 - off_axes) * reach.max(axis=-1, keepdims=True)) + TINY
        slopes = np.concatenate([linear.mid, np.broadcast_to(axes, (*radius.shape[:-1], *axes.shape))], axis=-1)
        radius = np.concatenate([self.radius[..., :variables], radius], axis=-1)
        range_ = Interval.between(np.minimum(self.range.low, centre.mid), np.maximum(self.range.high, centre.mid))
        return Jet.of(centre, Interval.exact(slopes), radius, self.unit, range_)

    def __getitem__(self, units: slice) -> "Jet":
        return Jet(self.centre[..., units], self.slopes[..., units, :], self.range[..., units], self.radius, self.unit)

    def __add__(self, other: "Jet") -> "Jet":
        return self._after(self.centre + other.centre, self.slopes + other.slopes, self.range + other.range, SUM)

    def __mul__(self, other: "Jet") -> "Jet":
        slopes = self.range[..., None] * other.slopes + other.range[..., None] * self.slopes
        return self._after(self.centre * other.centre, slopes, self.range * other.range)

    def scaled(self, factor: float, plus: float = 0.0, units: float = SUM) -> "Jet":
        """The values times a factor, plus a number."""
        by, more = Interval.exact(factor), Interval.exact(plus)
        return self._after(by * self.centre + more, by * self.slopes, by * self.range + more, units)

    def tanh(self) -> "Jet":
        """The values of tanh."""
        values = self.range.tanh()
        slopes = Interval.between(*_without_square(values))
        return self._after(self.centre.tanh(), slopes[..., None] * self.slopes, values, ACTIVATION)

    def logistic(self) -> "Jet":
        """The values of the logistic function, (1 + tanh(x / 2)) / 2."""
        return self.scaled(0.5).tanh().scaled(0.5, 0.5, SUM + ACTIVATION)

    def reciprocal(self) -> "Jet":
        """The values of 1 / x, for positive x."""
        values = self.range.reciprocal()
        slopes = -(values * values)[..., None] * self.slopes
        return self._after(self.centre.reciprocal(), slopes, values)

    def relu(self) -> "Jet":
        """The values of max(x, 0)."""
        slopes = self.range.steps()[..., None] * self.slopes
        return self._after(self.centre.relu(), slopes, self.range.relu(), 0)


def defect(axes: np.ndarray, inverse: np.ndarray) -> float:
    """A bound d of the norm of 1 - inverse · axes: e = inverse (axes · e) + at most d times the largest |e|."""
    return float((Interval.exact(np.eye(len(axes))) - inverse @ Interval.exact(axes)).magnitude.sum(axis=1).max())


def parameters(network: RecurrentNetwork) -> dict[str, np.ndarray]:
    """The network's parameters by name, in double precision, which represents them exactly."""
    return {name: value.detach().double().numpy() for name, value in network.named_parameters()}


def described(network: RecurrentNetwork) -> dict[str, Any]:
    """The network as plain numbers, for the checker."""
    cell = f"{network.activation}_srn" if isinstance(network, SRN) else "lstm" if isinstance(network, LSTM) else "gru"
    numbers = {name: value.tolist() for name, value in parameters(network).items()}
    return {"cell": cell, "units": network.unit_names, "parameters": numbers}


def provable(network: RecurrentNetwork) -> bool:
    """Whether its map is known here: that of an SRN, an LSTM or a GRU, not that of a cell of your own."""
    steps = type(network).step
    return steps in (SRN.step, LSTM.step, GRU.step) and type(network).from_input is RecurrentNetwork.from_input


def unit_of(network: RecurrentNetwork) -> float:
    """Unit of the arithmetic that the network is computed in."""
    return EXACT if network.output.weight.dtype == torch.float64 else SINGLE


def initial(network: RecurrentNetwork, unit: float) -> Jet:
    """The state before the first symbol, in an arithmetic with this unit, [1, units]."""
    hidden = parameters(network).get("initial_hidden", np.zeros(len(network.unit_names)))
    jet = Jet.variables(hidden[None], np.zeros((1, len(hidden), 1)), np.zeros((1, 1)), unit)
    if isinstance(network, SRN):
        return jet.tanh() if network.activation == "tanh" else jet.relu()
    return jet


def image(network: RecurrentNetwork, symbol: int, state: Jet) -> Jet:
    """The states after a symbol is read in `state`: hidden, then context units where there are any, [..., units]."""
    weights = parameters(network)
    inputs = weights["input_weight"][:, symbol], weights["bias"]
    recurrent, size = weights["hidden_weight"], network.hidden_size
    hidden = state[:size]
    if isinstance(network, SRN):
        net = hidden.linear(recurrent, *inputs)
        return net.tanh() if network.activation == "tanh" else net.relu()
    if isinstance(network, LSTM):
        return _lstm(weights, hidden.linear(recurrent, *inputs), state[size:], size)
    assert isinstance(network, GRU)
    gates = hidden.linear(recurrent[: 2 * size], *(part[: 2 * size] for part in inputs)).logistic()
    reset, update = gates[:size], gates[size:]
    kept = hidden.linear(recurrent[2 * size :], weights["candidate_bias"])
    from_input = tuple(part[2 * size :] for part in inputs)
    candidate = (reset * kept).linear(np.eye(size), *from_input).tanh()
    return update.scaled(-1, 1) * candidate + update * hidden


def cell(network: LSTM, symbol: int, hidden: Jet) -> tuple[Jet, Jet, Jet, Jet]:
    """What an LSTM without peepholes does to its cells when a symbol is read, [..., units] each.

    Returns:
        The forget gate f and what is added, a: the context c becomes f c + a; 1 - f; and the output gate.
    """
    weights = parameters(network)
    net = hidden.linear(weights["hidden_weight"], weights["input_weight"][:, symbol], weights["bias"])
    size = network.hidden_size
    to_input, to_forget, to_candidate, to_output = (net[place * size : (place + 1) * size] for place in range(4))
    added = to_input.logistic() * to_candidate.tanh()
    return to_forget.logistic(), added, to_forget.scaled(-1).logistic(), to_output.logistic()


def _lstm(weights: dict[str, np.ndarray], net: Jet, context: Jet, size: int) -> Jet:
    parts = [net[place * size : (place + 1) * size] for place in range(4)]
    peepholes = weights.get("peepholes")

    def gate(place: int, row: int, cell: Jet) -> Jet:
        return (parts[place] if peepholes is None else parts[place] + cell.linear(np.diag(peepholes[row]))).logistic()

    after = gate(1, 1, context) * context + gate(0, 0, context) * parts[2].tanh()
    return joined(gate(3, 2, after) * after.tanh(), after)


def joined(one: Jet, other: Jet) -> Jet:
    """The units of both."""

    def both(first: Interval, second: Interval, axis: int) -> Interval:
        return Interval(*(np.concatenate(pair, axis) for pair in ((first.mid, second.mid), (first.rad, second.rad))))

    centre, range_ = both(one.centre, other.centre, -1), both(one.range, other.range, -1)
    return Jet(centre, both(one.slopes, other.slopes, -2), range_, one.radius, one.unit)


def _without_square(values: Interval) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of 1 - y² for y in [-1, 1]."""
    near = np.maximum(np.maximum(values.low, -values.high), 0)
    far = np.minimum(np.maximum(np.abs(values.low), np.abs(values.high)), 1)
    return np.maximum((1 - far) * (1 + far) / UP, 0), np.minimum(UP * (1 - near) * (1 + near), 1)
