"""What each ingredient of a recipe is worth: python benchmarks/ablation.py [--only srn_reber_fast].

Each recipe is trained as it is, then again with one ingredient left out or replaced at a time, always with the same
seeds. The table in docs/experiments.md tells how many networks solve their task at the end, and for the LSTM how far
they count; with --only, the rows of other recipes are kept. A recipe takes two to twenty minutes.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import ROOT, child

PAGE = ROOT / "docs" / "experiments.md"
BEGIN, END = "<!-- ablation -->", "<!-- /ablation -->"
HEADING = (
    "experiment",
    "change",
    "solved at the end (95 % interval)",
    "N\\*, at most 200: smallest, median, number below 65",
)
NO_STOPPING = ("callbacks=default", "~callbacks.early_stopping", "data.evaluation_interval=30000")
FAR = 65  # the N* that every network of lstm_anbn_long is meant to reach
QUICK = ("~report.dynamics", "~report.evaluation", "logger=none", "threads=0", "seed=100")


@dataclass(frozen=True)
class Recipe:
    """An experiment without some of its ingredients.

    Attributes:
        changes: settings that leave out or replace each ingredient.
        settings: those of all its runs.
        counts: whether N* is told.
    """

    changes: Mapping[str, Sequence[str]]
    settings: Sequence[str]
    counts: bool = False


RECIPES = {
    "srn_anb2nc3n_fast": Recipe(
        changes={
            "constant learning rate": ["scheduler=none"],
            "SGD, learning rate 0.1": ["optimizer=sgd_plain", "optimizer.lr=0.1"],
            "SGD, constant learning rate 0.005 (the assignment's)": [
                "optimizer=sgd_plain",
                "optimizer.lr=0.005",
                "scheduler=none",
            ],
        },
        settings=["members=64"],
    ),
    "srn_reber_fast": Recipe(
        changes={
            "2 hidden units": ["model.network.hidden_size=2"],
            "learning rate 0.005 (the assignment's)": ["optimizer.lr=0.005"],
        },
        settings=["members=64"],
    ),
    "lstm_anbn_long": Recipe(
        changes={
            "evaluated on n up to 10": ["data.evaluation_max_n=null"],
            "no early stopping": NO_STOPPING,
            "no early stopping, falling learning rate": [*NO_STOPPING, "scheduler=cosine"],
            "no gradient clipping": ["trainer.gradient_clip_val=null"],
        },
        settings=["model.max_n=200", "trainer.max_steps=30000"],
        counts=True,
    ),
}


def row(experiment: str, change: str, overrides: Sequence[str]) -> list[str]:
    """Train once, and tell in one row how it went."""
    recipe = RECIPES[experiment]
    with tempfile.TemporaryDirectory() as folder:
        place = f"hydra.run.dir={folder}/run"
        child(["train.py", f"experiment={experiment}", *QUICK, *recipe.settings, *overrides, place])
        metrics = json.loads((Path(folder) / "run" / "results.json").read_text())["metrics"]
    found = [f"`{experiment}`", change, solved(metrics), counted(metrics) if recipe.counts else ""]
    print(*filter(None, found), sep=" | ", flush=True)
    return found


def solved(metrics: Mapping[str, Any]) -> str:
    """The share that solve the task, with its interval: ``95 % of 64 (87–98 %)``."""
    share = metrics["test/solved"]
    low, high = (100 * bound for bound in share["interval"])
    return f"{100 * share['mean']:.0f} % of {len(share['values'])} ({low:.0f}–{high:.0f} %)"


def counted(metrics: Mapping[str, Any]) -> str:
    """The smallest N*, the median, and how many are below `FAR`."""
    values = metrics["test/longest"]["values"]
    return f"{min(values):.0f}, {statistics.median(values):.0f}, {sum(value < FAR for value in values)}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The whole table."""
    lines = [HEADING, ["---"] * len(HEADING), *rows]
    return "\n".join("|" + "|".join(cell if cell == "---" else f" {cell} " for cell in line) + "|" for line in lines)


def with_rows(page: str, rows: Sequence[Sequence[str]]) -> str:
    """`page` with these rows in its table in the order of RECIPES; the rows of other experiments are kept.

    Raises:
        ValueError: the page has no markers.
    """
    before, begin, rest = page.partition(BEGIN)
    table, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"no {BEGIN} … {END}")
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    kept = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    measured = {cells[0] for cells in rows}
    merged = [*(cells for cells in kept if cells[0] not in measured), *rows]
    order = [f"`{experiment}`" for experiment in RECIPES]
    merged = sorted((cells for cells in merged if cells[0] in order), key=lambda cells: order.index(cells[0]))
    return f"{before}{BEGIN}\n{markdown(merged)}\n{END}{after}"


def main() -> None:
    """Train, print, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=RECIPES, action="append", help="this recipe; may be given several times")
    options = parser.parse_args()
    for experiment in options.only or RECIPES:
        changes = {"–": [], **RECIPES[experiment].changes}
        rows = [row(experiment, change, overrides) for change, overrides in changes.items()]
        PAGE.write_text(with_rows(PAGE.read_text(), rows))


if __name__ == "__main__":
    main()
