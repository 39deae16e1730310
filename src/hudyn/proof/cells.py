"""How far the cells of an LSTM count, in real arithmetic: an inductive invariant for the words of all n up to a limit.

While a block's symbol is read, gates and hidden units stay within intervals. The context of a cell that keeps its
content changes with each symbol by a slope within an interval. After j symbols it is therefore linear in n and j, with
an error that grows with j. The context of a cell that forgets stays within an interval. These sets are guessed by
iteration, and proved when a step from them leads into them.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hudyn.languages import Countable
from hudyn.networks.recurrent import LSTM
from hudyn.proof.intervals import UNIT, Interval
from hudyn.proof.jets import parameters

Block = dict[str, Any]  # the sets of a block, as plain numbers
KEEPS = 0.5  # a cell whose forget gate is above this may count
LARGEST = 2**40  # n up to which a proof is sought
ROUNDS = 30  # until sets are closed
GROWTH = 1e-3  # of a set in each round, by its radius
LEAST = 1e-12  # and by this number


@dataclass(frozen=True)
class _Units:
    """The units after a block, for all n: context = slopes · n + rest, [units] each."""

    slopes: np.ndarray
    rest: Interval
    hidden: Interval

    def context(self, most: int) -> Interval:
        """The context units for n = 2..most."""
        return _hull(*(Interval.exact(n * self.slopes) for n in (2, most))) + self.rest


@dataclass(frozen=True)
class _Gates:
    """The gates when a symbol is read, [units]: context becomes forget · context + change."""

    forget: Interval
    change: Interval
    to_output: Interval
    peephole: np.ndarray

    @classmethod
    def of(cls, network: LSTM, symbol: int, hidden: Interval, context: Interval) -> "_Gates":
        weights, size = parameters(network), network.hidden_size
        peepholes = weights.get("peepholes", np.zeros((3, size)))
        net = (weights["hidden_weight"] @ hidden[:, None])[:, 0] + Interval.exact(weights["input_weight"][:, symbol])
        net = net + Interval.exact(weights["bias"])
        parts = [net[place * size : (place + 1) * size] for place in range(4)]
        to_input, to_forget = (parts[place] + Interval.exact(peepholes[place]) * context for place in range(2))
        return cls(_logistic(to_forget), _logistic(to_input) * parts[2].tanh(), parts[3], peepholes[2])

    def drift(self, context: Interval) -> Interval:
        """By how much the context units change."""
        return (self.forget - Interval.exact(1.0)) * context + self.change

    def hidden(self, context: Interval) -> Interval:
        """The hidden units, with the context units that they have then."""
        return _logistic(self.to_output + Interval.exact(self.peephole) * context) * context.tanh()


def counts_up_to(network: LSTM, language: Countable) -> tuple[int, list[Block]]:
    """The largest N that is found such that the network is right on the words of all n = 2..N, and why.

    Args:
        network: an LSTM.
        language: whose words it reads.

    Returns:
        N, or 1 if there is none; and for each block of the words the sets as plain numbers, for the checker.
    """
    proved, blocks = 1, list[Block]()
    while proved < LARGEST and (found := _right(network, language, 2 * proved)):
        proved, blocks = 2 * proved, found
    step = proved // 2 if proved < LARGEST else 0
    while step:
        if found := _right(network, language, proved + step):
            proved, blocks = proved + step, found
        step //= 2
    return proved, blocks


def _right(network: LSTM, language: Countable, most: int) -> list[Block]:
    """The sets that prove the words of n = 2..most right; none if they are not proved."""
    zero = Interval.exact(np.zeros(network.hidden_size))
    units, blocks = _Units(zero.mid, zero, zero), list[Block]()
    for block, ratio in enumerate(language.ratios):
        if (found := _after_block(network, block, ratio, units, most)) is None:
            return []
        within, units, closed = found
        blocks.append(closed)
        following = (block + 1) % len(language.ratios)
        if block and not (_predicted(network, within, block) and _predicted(network, units.hidden, following)):
            return []
    return blocks


def _after_block(
    network: LSTM, symbol: int, ratio: int, before: _Units, most: int
) -> tuple[Interval, _Units, Block] | None:
    """The hidden units after all but the last of ratio · n symbols, the units after the last one, and the closed sets.

    None if no sets are closed.
    """
    reached = before.context(most)
    gates = _Gates.of(network, symbol, before.hidden, reached)
    slopes = np.where(gates.forget.low > KEEPS, before.slopes, 0)
    begun = _where(slopes != 0, before.rest + gates.drift(reached), gates.forget * reached + gates.change)
    start = _Units(slopes, begun, before.hidden).context(most)
    start_hidden = gates.hidden(start)
    context, hidden = start, start_hidden
    further = Interval.between(0, ratio * most)  # symbols after the first
    for _ in range(ROUNDS):
        gates = _Gates.of(network, symbol, hidden, context)
        keeps = gates.forget.low > KEEPS
        rises = np.where(keeps, gates.drift(context).mid, 0)
        error = (gates.drift(context) - Interval.exact(rises)) * further
        line = _hull(*(Interval.exact(n * slopes + j * rises) for n in (2, most) for j in (0, ratio * n - 2)))
        rounding = 4 * UNIT * ratio * most * (np.abs(slopes) + np.abs(rises))
        kept = (line + begun + error).widened(rounding)
        now = _where(keeps, kept, _hull(start, gates.forget * context + gates.change))
        shown = _hull(start_hidden, gates.hidden(now))
        if now.inside(context).all() and shown.inside(hidden).all():
            rest = _where(keeps, (begun - Interval.exact(rises) + error).widened(rounding), now)
            after = _Units(np.where(keeps, slopes + ratio * rises, 0), rest, shown)
            closed: Block = {"carried": (slopes != 0).tolist(), "keeps": keeps.tolist(), "rises": rises.tolist()}
            closed |= {"context": context.bounds, "hidden": hidden.bounds}
            return shown, replace(after, hidden=gates.hidden(after.context(most))), closed
        context, hidden = (part.widened(GROWTH * part.rad + LEAST) for part in (now, shown))
    return None


def _predicted(network: LSTM, hidden: Interval, symbol: int) -> bool:
    """Whether a symbol is certainly the likeliest."""
    weights = parameters(network)
    rows, others = weights["output.weight"], np.arange(network.alphabet_size) != symbol
    logits = (rows @ hidden[:, None])[:, 0] + Interval.exact(weights["output.bias"])
    return bool((logits.low[symbol] > logits.high[others]).all())


def _logistic(values: Interval) -> Interval:
    half = Interval.exact(0.5)
    return (half * values).tanh() * half + half


def _hull(*parts: Interval) -> Interval:
    return Interval.between(np.min([part.low for part in parts], axis=0), np.max([part.high for part in parts], axis=0))


def _where(chosen: np.ndarray, one: Interval, other: Interval) -> Interval:
    return Interval(np.where(chosen, one.mid, other.mid), np.where(chosen, one.rad, other.rad))
