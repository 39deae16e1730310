"""The map of the state that each symbol defines, in an arithmetic of its own."""

from collections.abc import Sequence
from typing import Any

from hudyn.proof.checker.arithmetic import WithSlopes
from hudyn.proof.checker.decimals import InDecimals

State = list[Any]  # hidden, then context units, as the arithmetic's values


class Network:
    """A network from a record: its cell, and its parameters.

    Args:
        record: that of a proof, with `cell` and `parameters`.
        arithmetic: that it is computed in.
    """

    def __init__(self, record: dict[str, Any], arithmetic: WithSlopes | InDecimals) -> None:
        self.its: Any = arithmetic
        self.weights = {name: self._numbers(value) for name, value in record["parameters"].items()}
        self.units = len(self.weights["hidden_weight"][0])
        self.readout = list(zip(self.weights["output.weight"], self.weights["output.bias"], strict=True))
        cells: dict[str, tuple[Any, Any]] = {
            "tanh_srn": (self._srn, self.its.tanh),
            "relu_srn": (self._srn, self.its.relu),
            "lstm": (self._lstm, lambda value: value),
            "gru": (self._gru, lambda value: value),
        }
        self.read, self.activation = cells[record["cell"]]

    def _numbers(self, values: Any) -> Any:
        return [self._numbers(one) for one in values] if isinstance(values, list) else self.its.number(values)

    def begun(self, units: int) -> State:
        """The state before the first symbol."""
        initial = self.weights.get("initial_hidden", [self.its.number(0)] * units)
        return [self.activation(self.its.known(one)) for one in initial]

    def logits(self, state: State) -> list[Any]:
        """Of each symbol."""
        return [self.its.linear(row, state[: self.units], bias) for row, bias in self.readout]

    def _net(self, row: int, symbol: int, hidden: Sequence[Any]) -> Any:
        w = self.weights
        return self.its.linear(w["hidden_weight"][row], hidden, w["input_weight"][row][symbol], w["bias"][row])

    def _sum(self, *values: Any, plus: Sequence[Any] = ()) -> Any:
        return self.its.linear([self.its.number(1)] * len(values), values, *plus)

    def _srn(self, symbol: int, state: State) -> State:
        return [self.activation(self._net(row, symbol, state)) for row in range(self.units)]

    def _lstm(self, symbol: int, state: State) -> State:
        cells, hidden, its, one = [], [], self.its, self.its.number(1)
        for unit, old in enumerate(state[self.units :]):
            to = [self._net(block * self.units + unit, symbol, state[: self.units]) for block in range(4)]
            see = [row[unit] for row in self.weights.get("peepholes", [[its.number(0)] * self.units] * 3)]
            gates = [its.logistic(its.linear([one, see[gate]], [to[gate], old])) for gate in (0, 1)]
            new = self._sum(its.product(gates[1], old), its.product(gates[0], its.tanh(to[2])))
            output = its.logistic(its.linear([one, see[2]], [to[3], new]))
            cells.append(new)
            hidden.append(its.product(output, its.tanh(new)))
        return hidden + cells

    def _gru(self, symbol: int, state: State) -> State:
        w, after, its = self.weights, [], self.its
        for unit, old in enumerate(state):
            row = 2 * self.units + unit
            reset, update = (its.logistic(self._net(r, symbol, state)) for r in (unit, self.units + unit))
            seen = its.product(reset, its.linear(w["hidden_weight"][row], state, w["candidate_bias"][unit]))
            candidate = its.tanh(self._sum(seen, plus=(w["input_weight"][row][symbol], w["bias"][row])))
            fresh = its.product(its.linear([its.number(-1)], [update], its.number(1)), candidate)
            after.append(self._sum(fresh, its.product(update, old)))
        return after
