"""Three published tables beside what populations of hudyn reach: python benchmarks/published.py [--only gers].

Runs are kept in outputs/published/ and their results in benchmarks/published.json, so a call that was stopped goes on
when it is repeated. Each table of docs/published.md is written anew, row by row.
"""

import argparse
import hashlib
import json
import math
import os
import signal
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binom
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hudyn.cores import cores
from hudyn.kernels.recurrent import predictions
from hudyn.kernels.threads import use_threads
from hudyn.metrics.kinds import CONFIDENCE, wilson_interval
from hudyn.metrics.sequences import Prediction
from hudyn.population import Population
from hudyn.run.folder import atomic_write
from hudyn.run.run import Run
from measure import ROOT, child
from penalised import GRID, PARAMETERS, population_of, trained_by
from sampled import MOST, Words, drawn, gers_words, lan_2022_words

PAGE = ROOT / "docs" / "published.md"
RESULTS = Path(__file__).with_name("published.json")
WORK = ROOT / "outputs" / "published"
QUICK = ("~report.dynamics", "~report.evaluation", "logger=none")
AT_ONCE = 1 << 22  # positions predicted together, over all members: bounds the memory
# Scores ------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def scored(population: Population, alphabet: Sequence[str], words: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Bits of each word after its first symbol, and whether all after its a's is right, [members, words] each."""
    open_ended = torch.tensor([alphabet.index(symbol) for symbol in "#a" if symbol in alphabet])
    bits, right = [], []
    size = max(1, AT_ONCE // (population.members * max(map(len, words))))
    for first in range(0, len(words), size):
        encoded = [torch.tensor([*map(alphabet.index, text)]) for text in words[first : first + size]]
        symbols = pad_sequence(encoded, batch_first=True, padding_value=-1)
        inputs, within = symbols[:, :-1].clamp(min=0), symbols[:, 1:] >= 0
        logits = predictions("auto", population, inputs, within)  # [members, positions, alphabet]
        predicted = Prediction.of(logits.unsqueeze(1))
        targets, owners = symbols[:, 1:][within], within.nonzero()[:, 0]  # [positions]: the symbol, its word's number
        nats = -predicted.logs[:, 0].gather(-1, targets.expand(population.members, -1).unsqueeze(-1)).squeeze(-1)
        wrong = (predicted.choices[:, 0] != targets) & ~torch.isin(inputs[within], open_ended)
        none = torch.zeros(population.members, len(symbols), dtype=torch.float64)
        bits.append(none.index_add(1, owners, nats) / math.log(2))
        right.append(none.index_add(1, owners, wrong.double()) == 0)
    return torch.cat(bits, dim=1), torch.cat(right, dim=1)


def longest(population: Population, alphabet: Sequence[str], words: Sequence[str]) -> Tensor:
    """How many of the words, from the first on, a network gets right, [members]; more words are tried step by step."""
    found, done = torch.zeros(population.members, dtype=torch.int64), 0
    while done < len(words) and (found == done).any():
        right = scored(population, alphabet, words[done : max(2 * done, 32)])[1]
        found += torch.where(found == done, right.long().cumprod(dim=1).sum(dim=1), 0)
        done += right.shape[1]
    return found


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """The interval of a median by order statistics, 95 % or more; all values where there are fewer than 6.

    >>> median_interval(range(1, 11))
    (2, 9)
    """
    ordered = sorted(values)
    first = max(int(binom.ppf((1 - CONFIDENCE) / 2, len(ordered), 0.5)), 1)
    return ordered[first - 1], ordered[-first]


# Rows --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        table: one of `HEADINGS`.
        about: its first cells.
        runs: settings of each run.
        words: where networks learn single words, which; each begins in the initial state.
        penalised: size of the training data and part of the grid of `penalised.py`, whose networks need no run.
    """

    table: str
    about: tuple[str, ...]
    runs: Sequence[Sequence[str]] = ()
    words: Callable[[], Words] | None = None
    penalised: tuple[int, str] | None = None


HEADINGS = {
    "gers": ("language", "trained as", "networks", "least", "median (95 %)", "largest", "1,000 or more (95 %)"),
    "lan_2024": ("trained as", "words", "networks", "perfect (95 %)", "first failure: median (95 %)", "latest"),
    "lan_2022": (
        *("language", "optimum", "MDL network", "best by gradients"),
        *("networks", "best", "median (95 %)", "better than theirs by gradients (95 %)"),
    ),
}
THEIRS: dict[str, list[tuple[str, ...]]] = {  # published rows; those of lan_2022 are columns
    "gers": [
        ("a^n b^n", "npow/schmidhuber-problems", "5", "65", "100", "100 (its end)", ""),
        ("a^n b^n c^n", "npow/schmidhuber-problems", "5", "18", "24", "29", ""),
        ("a^n b^n c^n", "Gers & Schmidhuber 2001; Pérez-Ortiz et al. 2003", "", "", "", "1,000 or more", ""),
    ],
    "lan_2024": [("Lan et al. 2024", "500–10,000", "3,360", "0 of 3,360 (0.0–0.1 %)", "", "80")],
    "lan_2022": [],
}
ALONE = ("experiment=srn_anb2n", "data.words=1", "optimizer=adam")
NPOW = (
    "model/network=lstm",
    "model.network.peepholes=true",
    "optimizer.lr=0.01",
    "trainer.gradient_clip_val=1.0",
    "members=256",
)
BATCHES = ("data.batch_size=100", "optimizer.lr=0.001")
LONG = ("experiment=lstm_anbn_long", "members=16")
FALLING = (
    *("experiment=lstm_anbn_long", "members=32", "trainer.max_steps=20000", "trainer.gradient_clip_val=1"),
    *("optimizer=adam", "optimizer.lr=0.01", "~optimizer.momentum", "~optimizer.nesterov", "optimizer.weight_decay=0"),
    *("scheduler=cosine", "scheduler.T_max=20000"),
)


def sample(size: int) -> tuple[str, str]:
    """Settings by which a counting language draws the n's of Lan et al. (2024), without 0."""
    counts = np.bincount(drawn(size))[1:]
    shares = ",".join(f"{share:.9f}" for share in counts / counts.sum())
    return f"data.language.max_n={len(counts)}", f"data.language.distribution=[{shares}]"


def gers(name: str, ratios: Sequence[int], *settings: str) -> Row:
    return Row("gers", (name, "as npow"), [[*NPOW, *settings]], partial(gers_words, ratios))


def lan_2024(size: int, about: str) -> Row:
    return Row("lan_2024", (f"as Lan et al. 2024, {about}", f"{size:,}"), penalised=(size, about))


def lan_2022(name: str, published: str, ratios: Sequence[int] | None = None, pairs: int = 0, size: int = 500) -> Row:
    cells = (["model/network=srn", "model.network.init_std=0.1"], ["model/network=lstm"], ["model/network=gru"])
    shared = (*BATCHES, "members=10", "trainer.max_steps=1000")
    runs = [[*shared, *cell, f"model.network.hidden_size={units}"] for cell in cells for units in (2, 4, 32)]
    return Row("lan_2022", (name, *published.split()), runs, partial(lan_2022_words, ratios, pairs, size))


ROWS = [
    gers("a^n b^n", (1, 1), "model.network.hidden_size=2", "trainer.max_steps=4000"),
    Row("gers", ("a^n b^n", "`lstm_anbn_long`"), [LONG]),
    gers("a^n b^n c^n", (1, 1, 1), "trainer.max_steps=8000"),
    Row("gers", ("a^n b^n c^n", "`lstm_anbn_long`"), [[*LONG, "data/language=anbncn"]]),
    *(
        lan_2024(size, about)
        for about in dict.fromkeys(one.about for one in GRID)
        for size in (500, 1000, 5000, 10_000)
    ),
    *(
        Row("lan_2024", (f"`lstm_anbn_long`{about}", f"{size:,}"), [[*LONG, *sample(size), *more]])
        for about, more in (("", []), (", 3 units", ["model.network.hidden_size=3"]))
        for size in (500, 10_000)
    ),
    *(Row("lan_2024", ("Adam, falling rate", f"{size:,}"), [[*FALLING, *sample(size)]]) for size in (500, 10_000)),
    lan_2022("a^n b^n", "25.8 25.8 51.0", (1, 1)),
    lan_2022("a^n b^n c^n", "17.2 17.2 55.4", (1, 1, 1)),
    lan_2022("a^n b^n c^n d^n", "12.9 13.5 63.6", (1, 1, 1, 1)),
    lan_2022("a^n b^2n", "17.2 17.2 34.7", (1, 2)),
    lan_2022("a^n b^m c^(n+m)", "26.9 26.8 45.1"),
    lan_2022("Dyck-1", "88.2 88.7 93.0", pairs=1),
    lan_2022("Dyck-2", "118 119 119", pairs=2, size=20_000),
]


def cells_of(row: Row, values: Sequence[float]) -> list[str]:
    """What a row tells of all its networks."""
    perfect = _share(sum(value >= MOST for value in values), len(values))
    if row.table == "gers":
        return [f"{len(values)}", f"{min(values):,.0f}", _median(values, ",.0f"), f"{max(values):,.0f}", perfect]
    if row.table == "lan_2024":
        failed = [value + 1 for value in values]
        latest = "none" if max(values) >= MOST else f"{max(failed):.0f}"
        return [f"{len(values)}", perfect, _median(failed, ",.0f"), latest]
    better = _share(sum(value < float(row.about[-1]) for value in values), len(values))
    return [f"{len(values)}", f"{min(values):.1f}", _median(values, ".1f"), better]


def _share(hits: int, of: int) -> str:
    low, high = (100 * bound for bound in wilson_interval(hits, of))
    return f"{hits} of {of} ({low:.1f}–{high:.1f} %)"


def _median(values: Sequence[float], form: str) -> str:
    low, high = median_interval(values)
    return f"{statistics.median(values):{form}} ({low:{form}}–{high:{form}})"


# Runs and tables ---------------------------------------------------------------------------------------------------


def trained(key: str, settings: Sequence[str], threads: int) -> Run:
    """The run of these settings: trained now if it is not, from its last checkpoint if there is one."""
    folder, configs = WORK / key, WORK / "conf"
    configs.mkdir(parents=True, exist_ok=True)
    known = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])}
    if not (folder / "config.yaml").is_file():
        places = ("--config-dir", str(configs), f"hydra.run.dir={folder}")
        child(["train.py", *places, *settings, *QUICK, f"threads={threads}"], known)
    elif Run.open(folder).status != "done":
        child(["train.py", f"resume={folder}", "allowed_targets=[sampled]"], known)
    return Run.open(folder, ["sampled"])


def settings_of(row: Row) -> list[Sequence[str]]:
    """All settings of a row's runs; the language that draws its words is written for them."""
    if row.words is None:
        return [*row.runs]
    text = json.dumps({"_target_": "sampled.Sampled", "counts": Counter(row.words()[0])})
    name = f"words_{_hashed(text)}"
    with atomic_write(WORK / "conf" / "data" / "language" / f"{name}.yaml") as file:
        file.write(text)
    return [[*ALONE, f"data/language={name}", "allowed_targets=[sampled]", *settings] for settings in row.runs]


def values_of(row: Row, run: Run) -> list[float]:
    """Of each network: the largest n up to which it is right, or in `lan_2022`, hundredths of a bit a symbol."""
    if row.words is None:
        return run.metrics["test/longest"].values.tolist()
    population, alphabet, words = run.study.module.population, run.language.alphabet, row.words()[1]
    if row.table != "lan_2022":
        return longest(population, alphabet, words).tolist()
    bits = scored(population, alphabet, words)[0].sum(dim=1)
    return (100 * bits / sum(len(text) - 1 for text in words)).tolist()


def measured(row: Row, results: dict[str, list[float]], threads: int) -> list[float]:
    """The values of all networks of a row; those of each run are kept in `results` and in its file."""
    if row.penalised:
        size, about = row.penalised
        found = _kept(f"{row.table}_{size}", partial(_of_grid, size), results)
        return [value for value, setting in zip(found, cycle(GRID), strict=False) if setting.about == about]
    values: list[float] = []
    for settings in settings_of(row):
        key = f"{row.table}_{_hashed(json.dumps(settings))}"
        values += _kept(key, partial(_of_run, row, key, settings, threads), results)
    return values


def _kept(key: str, measure: Callable[[], list[float]], results: dict[str, list[float]]) -> list[float]:
    """What is measured, or was in an earlier call."""
    if key not in results:
        results[key] = measure()
        with atomic_write(RESULTS) as file:
            json.dump(results, file)
    return results[key]


def _of_run(row: Row, key: str, settings: Sequence[str], threads: int) -> list[float]:
    return values_of(row, trained(key, settings, threads))


def _of_grid(size: int) -> list[float]:
    """Up to which n each network of the grid is right: all of one patience, then of the next."""
    vectors = trained_by(GRID, size).reshape(-1, PARAMETERS)
    return longest(population_of(vectors), "#ab", gers_words((1, 1))[1]).tolist()


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def with_table(page: str, table: str, rows: Sequence[Sequence[str]]) -> str:
    """`page` with these rows between a table's markers.

    Raises:
        ValueError: the page has no markers.
    """
    begin, end = f"<!-- {table} -->", f"<!-- /{table} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"no {begin} … {end}")
    heading = HEADINGS[table]
    lines = [f"| {' | '.join(cells)} |" for cells in (heading, *rows)]
    return "\n".join([before + begin, lines[0], "|" + "---|" * len(heading), *lines[1:], end + after])


def main() -> None:
    """Measure what is missing, print, and write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=HEADINGS, action="append", help="this table; may be given several times")
    parser.add_argument("--threads", type=int, default=0, help="threads of a run; 0 for all cores")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it stops the run that is going on, too
    use_threads(options.threads or cores())
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for table in options.only or HEADINGS:
        rows: list[Sequence[str]] = [*THEIRS[table]]
        for row in (row for row in ROWS if row.table == table):
            rows.append([*row.about, *cells_of(row, measured(row, results, options.threads))])
            print(*rows[-1], sep=" | ", flush=True)
            PAGE.write_text(with_table(PAGE.read_text(), table, rows))


if __name__ == "__main__":
    main()
