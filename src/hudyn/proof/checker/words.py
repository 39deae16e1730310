"""Check that a network is right on every word; `hudyn.proof.certificate` says what a certificate proves."""

from collections.abc import Sequence
from typing import Any

from hudyn.proof.checker.arithmetic import Value, WithSlopes, times
from hudyn.proof.checker.network import Network
from hudyn.proof.checker.sets import defect, holds, points, reach


def _gathered(its: WithSlopes, state: Sequence[Value], frame: dict[str, Any], kept: int) -> list[Value]:
    """The state with its errors in variables along the frame's axes, which replace all but the `kept` first ones."""
    about = [[sum(bounds) / 2 for bounds in (v.centre, *v.slopes[:kept])] for v in state]
    reached, off = reach(state, about, frame["inverse"]), defect(frame, len(state))
    if off >= 0.5:
        raise ValueError("the inverse of some axes is wrong")
    sizes = [(part + 2 * off * max(reached)) * (1 + 1e-9) for part in reached]  # off / (1 - off) <= 2 off
    slopes = [[times((a, a), (h, h)) for a, h in zip(row, sizes, strict=True)] for row in frame["axes"]]
    after = []
    for (middle, *first), new, (_, _, (low, high)) in zip(about, slopes, state, strict=True):
        range_ = min(low, middle), max(high, middle)
        after.append(its.value((middle, middle), [*((s, s) for s in first), *new], range_, 0))
    return after


def check_words(record: dict[str, Any]) -> None:
    """Raise ValueError unless the network is proved right on every word of the automaton."""
    sets, alphabet = record["sets"], range(len(record["alphabet"]))
    its = WithSlopes(record["arithmetic"])
    network = Network(record, its)
    units, defects = network.size, [defect(one, network.size) for one in sets]
    if network.symbols != len(alphabet):
        raise ValueError("the network has other symbols than the automaton")
    reached = {0}

    def follow(before: int, state: list[Value], path: tuple[int, ...], kept: int) -> None:
        here = record["states"][before]
        if here["targets"] and len(here["targets"]) != len(here["legal"]):
            raise ValueError(f"state {before} lacks a transition of a legal symbol")
        for symbol, target in zip(here["legal"], here["targets"], strict=False):
            reached.add(target)
            where = f"after {record['alphabet'][symbol]} into state {target}"
            after, there = network.read(symbol, state), record["states"][target]
            logits = network.logits(after) if there["asked"] else []
            for one in there["legal"] if there["asked"] else ():
                for other in set(alphabet) - set(there["legal"]):
                    if not its.linear([1.0, -1.0], [logits[one], logits[other]]).range[0] > 0:
                        raise ValueError(f"{where}: it is not proved that {record['alphabet'][one]} is likelier")
            own = [place for place, held in enumerate(sets) if held["state"] == target]
            if own and not any(holds(sets[place], defects[place], after) for place in own):
                raise ValueError(f"{where}: no set is proved to hold the network's states")
            if not own:
                if target in path:
                    raise ValueError(f"{where}: a cycle of the automaton goes through no set")
                follow(target, _gathered(its, after, there, kept), (*path, target), kept)

    def divide(one: dict[str, Any], cells: Any, middle: list[float], half: list[float]) -> None:
        if cells is not None:
            axis, *parts = cells
            half = [h / 2 if place == axis else h for place, h in enumerate(half)]
            for side, part in zip((-1, 1), parts, strict=True):
                divide(one, part, [m + side * half[axis] * (k == axis) for k, m in enumerate(middle)], half)
            return
        follow(one["state"], points(its, one, middle, half), (), units)

    follow(0, network.begun(), (), 0)
    for one in sets:
        divide(one, one["cells"], [0.0] * units, [1.0] * units)
    if len(reached) != len(record["states"]):
        raise ValueError("some state of the automaton is never reached")
