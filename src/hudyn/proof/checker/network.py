"""The map of the state that each symbol defines, in an arithmetic of its own."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from hudyn.proof.checker.arithmetic import WithSlopes
from hudyn.proof.checker.decimals import InDecimals

State = list[Any]  # hidden, then context units, as the arithmetic's values
BLOCKS = {"tanh_srn": 1, "relu_srn": 1, "lstm": 4, "gru": 3}  # of hidden units that the input feeds


class Network:
    """A network from a record.

    Args:
        record: that of a proof, with `cell`, `units` and `parameters`.
        arithmetic: that it is computed in.

    Raises:
        ValueError: the parameters are not those of the cell, in names, shapes and numbers.
    """

    def __init__(self, record: dict[str, Any], arithmetic: WithSlopes | InDecimals) -> None:
        self.its: Any = arithmetic
        cell, given = record["cell"], record["parameters"]
        self.units, self.symbols, rows = len(given["hidden_weight"][0]), len(given["output.bias"]), BLOCKS[cell]
        n = self.units
        shapes = {"input_weight": (rows * n, self.symbols), "hidden_weight": (rows * n, n), "bias": (rows * n,)}
        shapes |= {"output.weight": (self.symbols, n), "output.bias": (self.symbols,)}
        shapes |= {"gru": {"candidate_bias": (n,)}, "lstm": {}}.get(cell, {"initial_hidden": (n,)})
        shapes |= {"peepholes": (3, n)} if cell == "lstm" and "peepholes" in given else {}
        self.size = 2 * n if cell == "lstm" else n
        if set(given) != set(shapes) or len(record["units"]) != self.size:
            raise ValueError(f"these are not the parameters and units of the cell {cell}")
        self.weights = {name: self._numbers(given[name], *shape) for name, shape in shapes.items()}
        self.readout = list(zip(self.weights["output.weight"], self.weights["output.bias"], strict=True))
        self.activation = {"tanh_srn": self.its.tanh, "relu_srn": self.its.relu}.get(cell, lambda value: value)
        self.read = {"lstm": self._lstm, "gru": self._gru}.get(cell, self._srn)

    def _numbers(self, values: Any, *shape: int) -> Any:
        if not shape:
            if type(values) is not float or not isfinite(values):
                raise ValueError("some parameter is not a finite number")
            return self.its.number(values)
        if len(values) != shape[0]:
            raise ValueError("some parameters are missing, or too many")
        return [self._numbers(one, *shape[1:]) for one in values]

    def begun(self) -> State:
        """The state before the first symbol."""
        initial = self.weights.get("initial_hidden", [self.its.number(0)] * self.size)
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
