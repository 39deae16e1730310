"""What makes SRNs count: python benchmarks/learned.py.

`srn_anbn_counting` is trained as it is, then again with one ingredient changed at a time, always with the same seeds,
with which the recipe was not chosen. The table in docs/dynamics.md tells how many networks count, and how. It takes
five minutes.
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence

import hudyn
from hudyn.dynamics.verdict import Kind, Verdict
from hudyn.languages import Countable
from hudyn.metrics.kinds import wilson_interval
from measure import ROOT, child

PAGE = ROOT / "docs" / "dynamics.md"
BEGIN, END = "<!-- learned -->", "<!-- /learned -->"
HEADING = (
    "change",
    "N\\* is at least the largest n in training",
    "counters (95 % interval)",
    "oscillating: networks, median λ_a and λ_b, largest N\\*",
    "monotone: networks, median λ_a and λ_b, largest N\\*",
)
QUICK = ("~report.dynamics", "~report.evaluation", "logger=none", "model.max_n=200", "seed=2000")
CHANGES = {
    "–": [],
    "3 hidden units": ["model.network.hidden_size=3"],
    "n up to 8": ["data.language.max_n=8"],
    "n up to 4": ["data.language.max_n=4"],
    "geometric n": ["data.language.distribution=geometric"],
    "initial weights 0.001 times as large": ["model.network.init_std=0.001"],
    "learning rate 0.01": ["optimizer.lr=0.01"],
    "constant learning rate": ["scheduler=none"],
    "no gradient clipping": ["trainer.gradient_clip_val=null"],
    "SGD, learning rate 0.1, momentum 0.9": ["optimizer=sgd", "optimizer.lr=0.1", "optimizer.momentum=0.9"],
}


def row(change: str, overrides: Sequence[str]) -> list[str]:
    """Train once, judge all networks that may count, and tell in one row how many do."""
    with tempfile.TemporaryDirectory() as folder:
        place = f"{folder}/run"
        child(["train.py", "experiment=srn_anbn_counting", *QUICK, *overrides, f"hydra.run.dir={place}"])
        run = hudyn.load(place)
        assert isinstance(run, hudyn.Run)
        assert isinstance(run.language, Countable)
        longest = [int(n) for n in run.metrics["test/longest"].values]
        reached = [member for member, n in enumerate(longest) if n >= run.language.max_n]
        analyses = [hudyn.analyse(run.network(member=k), run.language, longest=longest[k]) for k in reached]
        verdicts = [analysis.verdict for analysis in analyses if analysis.verdict]
    kinds = (Kind.OSCILLATING, Kind.MONOTONE)
    counters = [[verdict for verdict in verdicts if verdict.kind is kind] for kind in kinds]
    number = sum(map(len, counters))
    low, high = (100 * bound for bound in wilson_interval(number, len(longest)))
    share = f"{number} of {len(longest)} ({low:.0f}–{high:.0f} %)"
    found = [change, str(len(reached)), share, *map(described, counters)]
    print(*found, sep=" | ", flush=True)
    return found


def described(counters: Sequence[Verdict]) -> str:
    """Their number, the medians of their eigenvalues, and the largest N*: ``18, −0.46 and −2.41, 16``."""
    if not counters:
        return "0"
    eigenvalues = [
        statistics.median(verdict.directions[phase].eigenvalue.real for verdict in counters) for phase in range(2)
    ]
    one, other = (f"{value:.2f}".replace("-", "−") for value in eigenvalues)
    return f"{len(counters)}, {one} and {other}, {max(verdict.longest for verdict in counters)}"


def main() -> None:
    """Train, print, and write the table."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    rows = [HEADING, ("---",) * len(HEADING), *(row(change, overrides) for change, overrides in CHANGES.items())]
    lines = "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{lines}\n{END}{after}")


if __name__ == "__main__":
    main()
