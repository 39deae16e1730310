"""Check how far a network counts; `hudyn.proof.counting` says what is proved, and `hudyn.proof.cells` by which sets."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import inf, isfinite, nextafter
from typing import Any

from hudyn.proof.checker.arithmetic import Bounds, WithSlopes, add, combined, tanh, times
from hudyn.proof.checker.decimals import InDecimals
from hudyn.proof.checker.network import Network, State
from hudyn.proof.checker.sets import defect, holds, parts_of, points

DIGITS = (40, 80, 160, 320, 640)  # of the decimal numbers; more are taken where fewer do not decide
MOST_TURNS = 1_000_000
HALF: Bounds = (0.5, 0.5)
NOTHING: Bounds = (0.0, 0.0)


def check_counting(record: dict[str, Any]) -> None:
    """Raise ValueError unless it is proved up to which n a network is right, and from which n on it is wrong."""
    right = max(_whole(record["right"], 0), _whole(record["words_read"], 0))
    for name in ("wrong", "always_wrong"):
        if record[name] is not None:
            _whole(record[name], right + 1)
    _check_words(record)
    if record["right"] != record["words_read"]:
        _whole(record["words_read"], 1)
        check_cells(record)
    if record["always_wrong"] is not None:
        check_settling(record)


def _whole(number: Any, least: int) -> int:
    """A number, if it is a whole number that large or larger."""
    if type(number) is not int or number < least:
        raise ValueError(f"{number} is not a whole number from {least} on")
    return number


def _network(record: dict[str, Any], arithmetic: WithSlopes | InDecimals) -> Network:
    """The network, if it has a symbol for each block of the words."""
    network = Network(record, arithmetic)
    if len([_whole(ratio, 1) for ratio in record["ratios"]]) != network.symbols or network.symbols < 2:
        raise ValueError("there is not a block of each symbol")
    return network


def _check_words(record: dict[str, Any]) -> None:
    """Raise ValueError unless the words of all n up to `words_read` are right, and that of n = `wrong` is wrong."""
    ratios, read, wrong, decided = record["ratios"], record["words_read"], record["wrong"], 0
    for digits in DIGITS:
        network = _network(record, InDecimals(digits))
        state = network.begun()
        for n in range(1, max(read, wrong or 0) + 1):
            for _ in range(ratios[0]):
                state = network.read(0, state)
            if decided < n <= read or n == wrong:
                rest = [symbol for symbol, ratio in enumerate(ratios) for _ in range(ratio * n) if symbol]
                if (found := _is_right(network, state, [*rest, 0])) is None:
                    break
                if found != (n <= read):
                    raise ValueError(f"the word of n = {n} is proved {'right' if found else 'wrong'}")
                decided = n
        else:
            return
    raise ValueError(f"the word of n = {decided + 1} is not decided")


def _is_right(network: Network, state: State, rest: Sequence[int]) -> bool | None:
    """Whether each symbol of the rest of a word but the first is the likeliest; None if so many digits do not tell."""
    is_right: bool | None = True
    for symbol, after in pairwise(rest):
        state = network.read(symbol, state)
        logits = network.logits(state)
        others = [logit for other, logit in enumerate(logits) if other != after]
        if any(low > logits[after][1] for low, _ in others):
            return False
        if not all(logits[after][0] > high for _, high in others):
            is_right = None
    return is_right


def check_settling(record: dict[str, Any]) -> None:
    """Raise ValueError unless the network is wrong on all words from `always_wrong` on.

    After `start` first symbols the state is in a basin, in which the first symbol leads into a part. From there, and
    after each of the first symbols that are read together, it errs on the second.
    """
    its, told, always = WithSlopes("real"), record["settling"], record["always_wrong"]
    network, ratios, basin = _network(record, its), record["ratios"], told["basin"]
    start, size, turns = _whole(told["start"], 0), 1.0, 0
    if not any(_comes_into(record, basin, start, digits) for digits in DIGITS):
        raise ValueError("no state is proved to come into the basin")
    rate, drift = _contraction(network, basin, 0)
    while size > told["size"]:
        size, before, turns = (rate * size + drift) * (1 + 1e-9), size, turns + 1
        if size >= before or turns > MOST_TURNS:
            raise ValueError("the basin does not shrink to the part")
    zeros = [0.0] * network.size
    state = points(its, basin, zeros, [told["size"]] * len(zeros))
    latest = 0
    for failing in told["failing"]:
        latest = max(latest, failing["after"])
        _check_failing(network, state, failing)
        state = network.read(0, state)
    if len(told["failing"]) != basin["turns"]:
        raise ValueError("not every step of the basin is shown to fail")
    read = start + basin["turns"] * turns
    if always * ratios[0] < read or always * ratios[1] <= latest:
        raise ValueError(f"it is not proved wrong from n = {always} on")


def _comes_into(record: dict[str, Any], basin: dict[str, Any], start: int, digits: int) -> bool:
    network = _network(record, InDecimals(digits))
    state = network.begun()
    for _ in range(start):
        state = network.read(0, state)
    its = WithSlopes("real")
    outward = [(nextafter(float(low), -inf), nextafter(float(high), inf)) for low, high in state]
    return holds(basin, defect(basin, network.size), [its.value(bounds, [], bounds, 0) for bounds in outward])


def _contraction(network: Network, basin: dict[str, Any], symbol: int) -> tuple[float, float]:
    """The rate and the drift of a basin: a state of size s in it has at most the size rate · s + drift afterwards."""
    units, off = network.size, defect(basin, network.size)
    state = points(network.its, basin, [0.0] * units, [1.0] * units)
    for _ in range(_whole(basin["turns"], 1)):
        state = network.read(symbol, state)
    parts = parts_of(state, [[at] for at in basin["centre"]], basin["inverse"])
    rate, drift = max(sum(part[1:]) for part in parts), max(part[0] for part in parts)
    if not off < 1 or not (rate + drift) * (1 + 1e-9) <= 1 - off:
        raise ValueError("a basin is not proved to hold its images")
    return rate * (1 + 1e-9) / (1 - off), drift * (1 + 1e-9) / (1 - off)


def _check_failing(network: Network, state: State, told: dict[str, Any]) -> None:
    """Raise ValueError unless words of so many second symbols or more are wrong from a state on."""
    for _ in range(_whole(told["after"], 1)):  # before the second symbol nothing is asked
        state = network.read(1, state)
    basin = told["basin"]
    if basin is None:  # another symbol is likelier than the second, which must come again
        if not any(high < 0 for _, high in _margins(network, state)):
            raise ValueError("the network is not proved to err on the second symbol")
        return
    # The second symbol stays the likeliest, also at the end of its block.
    if not holds(basin, defect(basin, network.size), state):
        raise ValueError("no state is proved to come into the basin of the second symbol")
    _contraction(network, basin, 1)
    state = points(network.its, basin, [0.0] * len(state), [1.0] * len(state))
    for _ in range(basin["turns"]):
        if not all(low > 0 for low, _ in _margins(network, state)):
            raise ValueError("the second symbol is not proved to stay the likeliest")
        state = network.read(1, state)


def _margins(network: Network, state: State) -> list[Bounds]:
    """By how much the second symbol is likelier than each other one, in logits."""
    logits = network.logits(state)
    return [network.its.linear([1.0, -1.0], [logits[1], logit]).range for k, logit in enumerate(logits) if k != 1]


def check_cells(record: dict[str, Any]) -> None:
    """Raise ValueError unless an LSTM is right on the words of all n from 2 to `right`.

    Before each block a context unit is slope · n + rest. While the block's symbol is read, the units stay in the sets
    of the record: one that keeps its content changes by about `rises` each time, the others stay where they are led.
    """
    network, blocks, most = _network(record, WithSlopes("real")), record["cells"], record["right"]
    units = range(network.units)
    if record["cell"] != "lstm":
        raise ValueError("only an LSTM has cells")
    slopes, rest, hidden = [Fraction(0) for _ in units], [NOTHING for _ in units], [NOTHING for _ in units]
    for symbol, (block, ratio) in enumerate(zip(blocks, record["ratios"], strict=True)):
        reached = _contexts(slopes, rest, most)
        forget, change, to_output = _gates(network, symbol, hidden, reached)
        drift = _drift(forget, change, reached)
        carried = block["carried"]
        rest = [add(rest[u], drift[u]) if carried[u] else add(times(forget[u], reached[u]), change[u]) for u in units]
        slopes = [slopes[u] if carried[u] else Fraction(0) for u in units]
        start = _contexts(slopes, rest, most)
        start_hidden = _hidden(network, to_output, start)

        within, seen = ([(low, high) for low, high in block[name]] for name in ("context", "hidden"))
        if not all(isfinite(bound) for bounds in (*within, *seen) for bound in bounds):
            raise ValueError("some set has no bounds")
        forget, change, to_output = _gates(network, symbol, seen, within)
        drift, further = _drift(forget, change, within), (0.0, float(ratio * most))
        now = []
        for u in units:
            rise = Fraction(block["rises"][u])
            error = times(add(drift[u], _outward(-rise)), further)
            corners = [n * slopes[u] + j * rise for n in (2, most) for j in (0, ratio * n - 2)]
            kept = add(add(_hull(*map(_outward, corners)), rest[u]), error)
            now.append(kept if block["keeps"][u] else _hull(start[u], add(times(forget[u], within[u]), change[u])))
            rest[u] = add(add(rest[u], _outward(-rise)), error) if block["keeps"][u] else now[u]
            slopes[u] = slopes[u] + ratio * rise if block["keeps"][u] else Fraction(0)
        shown = [_hull(*pair) for pair in zip(start_hidden, _hidden(network, to_output, now), strict=True)]
        if not all(map(_inside, now, within)) or not all(map(_inside, shown, seen)):
            raise ValueError(f"the sets of block {symbol + 1} are not closed")
        hidden = _hidden(network, to_output, _contexts(slopes, rest, most))
        following = (symbol + 1) % len(blocks)
        if symbol and not (_likeliest(network, shown, symbol) and _likeliest(network, hidden, following)):
            raise ValueError(f"it is not proved right in block {symbol + 1}")


def _contexts(slopes: Sequence[Fraction], rest: Sequence[Bounds], most: int) -> list[Bounds]:
    """The context units for n = 2..most."""
    lines = [_hull(_outward(2 * slope), _outward(most * slope)) for slope in slopes]
    return [add(line, more) for line, more in zip(lines, rest, strict=True)]


def _gates(
    network: Network, symbol: int, hidden: Sequence[Bounds], context: Sequence[Bounds]
) -> tuple[list[Bounds], list[Bounds], list[Bounds]]:
    """Forget gates, what is added to the contexts, and the net inputs of output gates but for their peepholes."""
    w, n = network.weights, network.units
    rows = zip(w["hidden_weight"], w["input_weight"], w["bias"], strict=True)
    net = [add(add(combined(row, hidden), (x[symbol],) * 2), (bias, bias)) for row, x, bias in rows]
    seen = [
        [times((w, w), c) for w, c in zip(row, context, strict=True)] for row in w.get("peepholes", [[0.0] * n] * 3)
    ]
    to_input, to_forget = ([add(net[gate * n + u], seen[gate][u]) for u in range(n)] for gate in (0, 1))
    change = [times(_logistic(to_input[u]), tanh(net[2 * n + u])) for u in range(n)]
    return list(map(_logistic, to_forget)), change, net[3 * n :]


def _hidden(network: Network, to_output: Sequence[Bounds], context: Sequence[Bounds]) -> list[Bounds]:
    """The hidden units that belong to the contexts after a symbol."""
    seen = network.weights.get("peepholes", [[0.0] * network.units] * 3)[2]
    gates = [_logistic(add(to, times((w, w), c))) for to, w, c in zip(to_output, seen, context, strict=True)]
    return [times(gate, tanh(c)) for gate, c in zip(gates, context, strict=True)]


def _drift(forget: Sequence[Bounds], change: Sequence[Bounds], context: Sequence[Bounds]) -> list[Bounds]:
    """By how much the contexts change."""
    return [add(times(add(f, (-1.0, -1.0)), c), more) for f, more, c in zip(forget, change, context, strict=True)]


def _likeliest(network: Network, hidden: Sequence[Bounds], symbol: int) -> bool:
    logits = [add(combined(row, hidden), (bias, bias)) for row, bias in network.readout]
    return all(logits[symbol][0] > high for other, (_, high) in enumerate(logits) if other != symbol)


def _logistic(bounds: Bounds) -> Bounds:
    return add(times(HALF, tanh(times(HALF, bounds))), HALF)


def _outward(number: Fraction) -> Bounds:
    return nextafter(float(number), -inf), nextafter(float(number), inf)


def _hull(*parts: Bounds) -> Bounds:
    return min(low for low, _ in parts), max(high for _, high in parts)


def _inside(one: Bounds, other: Bounds) -> bool:
    return other[0] <= one[0] and one[1] <= other[1]
