"""How many members of a population count by each mechanism."""

from collections.abc import Sequence
from dataclasses import dataclass

from hudyn.dynamics.verdict import Kind, Verdict
from hudyn.metrics.kinds import wilson_interval


@dataclass(frozen=True)
class Share:
    """The members of a population that are of one kind."""

    kind: Kind  # which
    members: int  # their number
    interval: tuple[float, float]  # 95 % interval of their share (Wilson 1927)
    exemplar: int  # index of the member with the largest N*, and among equals the smallest excess


def survey(verdicts: Sequence[Verdict | None], excess: Sequence[float]) -> tuple[Share, ...]:
    """How many members of a population are of each kind, the most frequent first.

    Args:
        verdicts: of each member; members without a verdict or a kind do not count.
        excess: cross-entropy above the language's entropy, of each member.
    """
    by_kind: dict[Kind, list[int]] = {kind: [] for kind in Kind}
    longest = [verdict.longest if verdict else 0 for verdict in verdicts]
    for member, verdict in enumerate(verdicts):
        if verdict and verdict.kind:
            by_kind[verdict.kind].append(member)
    judged = sum(map(len, by_kind.values()))
    shares = [
        Share(
            kind,
            len(members),
            wilson_interval(len(members), judged),
            min(members, key=lambda member: (-longest[member], excess[member])),
        )
        for kind, members in by_kind.items()
        if members
    ]
    return tuple(sorted(shares, key=lambda share: -share.members))
