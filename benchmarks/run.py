"""Compare hudyn's training with plain PyTorch loops: python benchmarks/run.py (make bench).

Each measurement runs in a separate process: python train.py for hudyn, plain.py for the loops. They alternate, so that
other load on the machine affects both alike. Two times are measured: updates alone, without imports, evaluation,
figures and what a run of one update spends in training (loading the compiled kernel); and whole runs, from the start of
the process to its end. hudyn's whole runs include evaluation, figures and a report; the plain loops have none. The
plain loops make fewer updates, and their time is scaled to hudyn's number.

Results are written to benchmarks/results.json and to the table in docs/speed.md; with --only, other rows are kept.
"""

import argparse
import gzip
import json
import os
import statistics
import sys
import tempfile
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from measure import ROOT, Cost, child, digits, machine, paired_ratios, seconds

RESULTS = Path(__file__).with_name("results.json")
PAGE = ROOT / "docs" / "speed.md"
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
EPOCH = 938  # updates
RATES = 16  # learning rates of the grid


Goal = tuple[float, float | None]


@dataclass(frozen=True)
class Workload:
    """An experiment of hudyn and the plain loops that it is compared with.

    Attributes:
        name: name in the tables.
        loops: loops of plain.py, or jobs of hudyn.
        end: setting of the trainer that ends hudyn's run.
        goals: ratio required of updates alone, and ratio aimed at, for each of the first loops; None for no goal.
        whole_goals: the same of whole runs.
        members: networks trained together; the loops train as many in sequence.
        unit: number of updates that the tables give the time of.
        whole: whether whole runs are measured.
    """

    name: str
    loops: tuple[str, ...]
    end: str
    goals: tuple[Goal | None, ...]
    whole_goals: tuple[Goal | None, ...] = ()
    members: int = 1
    unit: int = 1
    whole: bool = True


@dataclass(frozen=True)
class Start:
    """A command of hudyn and the imports that its time is compared with.

    Attributes:
        name: name in the tables.
        arguments: arguments of Python.
        imported: modules imported in comparison.
        goal: largest ratio allowed, and ratio aimed at.
        status: expected exit status.
        run: whether the command is a run, which is given a folder.
    """

    name: str
    arguments: tuple[str, ...]
    imported: str
    goal: tuple[float, float | None]
    status: int = 0
    run: bool = False


EXPERIMENTS = {
    "srn": "experiment=srn_anb2n",
    "lstm": "experiment=lstm_anb2nc3n",
    "check": "experiment=check_sigmoid",
    "lin": "experiment=kmnist_lin",
    "full": "experiment=kmnist_full",
    "conv": "experiment=kmnist_conv",
    "grid": "experiment=srn_anb2n",
}
ONE_UPDATE = ("trainer.max_steps=1", "members=1")
LOOPS = {  # of plain.py: name in the tables, number of updates
    "srn": ("loop", 1500),
    "srn_torch": ("loop, torch.nn.RNN", 3000),
    "lstm": ("loop", 500),
    "lstm_torch": ("loop, torch.nn.LSTM", 2000),
    "check": ("loop, DataLoader", 5000),
    "lin": ("loop, DataLoader", EPOCH),
    "full": ("loop, DataLoader", EPOCH),
    "full_products": ("its matrix products alone", EPOCH),
    "conv": ("loop, DataLoader", 100),
    "srn_job": ("jobs of 64 members", 20_000),  # python train.py, whole
}
SRN_LOOPS, LSTM_LOOPS = ("srn", "srn_torch"), ("lstm", "lstm_torch")
STARTS = [
    Start("train.py --help", ("train.py", "--help"), "torch", (1 / 2, None)),
    Start("an unknown experiment", ("train.py", "experiment=unknown"), "torch", (1 / 2, None), status=2),
    Start(
        "a run of 1 update",
        ("train.py", EXPERIMENTS["srn"], *ONE_UPDATE),
        "lightning.pytorch, torchvision",
        (1.5, 1.2),
        run=True,
    ),
]
WORKLOADS = {
    "srn": [
        Workload("SRN", SRN_LOOPS, "max_steps=100000", ((300, 400),), whole_goals=((18, 25),)),
        Workload("SRN, 64 members", SRN_LOOPS, "max_steps=100000", ((2000, 5000),), members=64),
        Workload("SRN, 1,024 members", SRN_LOOPS, "max_steps=10000", ((3000, 8000),), members=1024, whole=False),
    ],
    "lstm": [
        Workload("LSTM", LSTM_LOOPS, "max_steps=50000", ((40, 200),), whole_goals=(None, (4, 6))),
        Workload(
            "LSTM, 64 members", LSTM_LOOPS, "max_steps=30000", ((1500, 4000), (150, 400)), members=64, whole=False
        ),
    ],
    "check": [Workload("check, 256 members", ("check",), "max_steps=20000", ((150, 250),), members=256)],
    "lin": [
        Workload("NetLin", ("lin",), "max_epochs=2", ((12, 25),), unit=EPOCH),
        Workload("NetLin, 8 members", ("lin",), "max_epochs=2", ((30, None),), members=8, unit=EPOCH, whole=False),
    ],
    "full": [
        Workload("NetFull", ("full", "full_products"), "max_epochs=2", ((6, 15), (0.6, 0.8)), unit=EPOCH),
        Workload("NetFull, 8 members", ("full",), "max_epochs=2", ((8, None),), members=8, unit=EPOCH, whole=False),
    ],
    "conv": [Workload("NetConv", ("conv",), "max_steps=150", ((1.8, 3),), unit=EPOCH, whole=False)],
    "grid": [
        Workload(
            "SRN, 16 learning rates of 64 members",
            ("srn_job",),
            "max_steps=20000",
            ((6, 12),),
            members=RATES,
            whole=False,
        )
    ],
}
GROUPS = ["start", *WORKLOADS]
ON_KMNIST = ("lin", "full", "conv")
ALONE = ("++trainer.limit_val_batches=0", "~report.evaluation")  # no evaluation, no figures
NEVER_FROZEN = "model.stop_after=1000000"  # check: every member makes all updates


class Sample(NamedTuple):
    """The cost of one process, and of an update alone."""

    cost: Cost
    updates: int = 0
    update_s: float = 0.0  # seconds an update
    update_cpu_s: float = 0.0
    is_bf16: bool = False


Samples = dict[tuple[str, str], list[Sample]]  # by name and kind of measurement


class Bench:
    """Takes the measurements.

    Args:
        data: folder of KMNIST as train.py reads it.
        unpacked: folder of KMNIST as torchvision reads it.
        place: an empty folder for runs and numba's cache.

    Attributes:
        samples: the measurements so far.
        compile_s: seconds that numba compiles for each group, once on a machine.
        start_s: seconds that a run of one update spends in training, for each group.
    """

    def __init__(self, data: Path, unpacked: Path, place: Path) -> None:
        self.samples: Samples = defaultdict(list)
        self.compile_s: dict[str, float] = {}
        self.start_s: dict[str, float] = {}
        self._unpacked = unpacked
        self._place = place
        self._environment = {"HUDYN_DATA": str(data), "NUMBA_CACHE_DIR": str(place / "numba")}
        self._runs = 0

    def prepare(self, groups: Iterable[str]) -> None:
        """Let numba compile the kernels of the workloads, so that no measurement includes it."""
        for group in groups:
            if group in ("srn", "lstm", "check", "grid"):
                self.hudyn((EXPERIMENTS[group], "trainer.max_steps=1", "members=2", *ALONE))  # a kernel of its own
                first, again = (self.hudyn((EXPERIMENTS[group], *ONE_UPDATE, *ALONE)) for _ in range(2))
                self.compile_s[group] = first.cost.wall_s - again.cost.wall_s
                self.start_s[group] = again.update_s
                print(f"numba compiled for {group}: {self.compile_s[group]:.1f} s", flush=True)

    def take_starts(self, turn: str) -> None:
        """Measure the start of each command once."""
        for imported in dict.fromkeys(start.imported for start in STARTS):
            self._keep(turn, (imported, "import"), Sample(child(["-c", f"import {imported}"])[0]))
        for start in STARTS:
            arguments = [*start.arguments, *([f"hydra.run.dir={self._new_folder()}"] if start.run else [])]
            self._keep(turn, (start.name, "start"), Sample(child(arguments, self._environment, start.status)[0]))

    def take(self, group: str, turn: str) -> None:
        """Measure the workloads of a group and their loops once."""
        if group == "grid":
            self._take_grid(turn)
            return
        for loop in dict.fromkeys(loop for workload in WORKLOADS[group] for loop in workload.loops):
            self._keep(turn, (loop, "plain"), self.plain(loop, LOOPS[loop][1]))
        for workload in WORKLOADS[group]:
            overrides = [EXPERIMENTS[group], f"members={workload.members}", f"++trainer.{workload.end}"]
            overrides += [NEVER_FROZEN] if group == "check" else []
            overrides += ["trainer.precision=auto"] if group == "conv" else []
            without = ["~report.dynamics"] if group in ("srn", "lstm") else []
            alone = self.hudyn([*overrides, *ALONE, *without])
            training = alone.update_s * alone.updates - self.start_s.get(group, 0.0)
            self._keep(turn, (workload.name, "updates"), alone._replace(update_s=training / alone.updates))
            if workload.whole:
                self._keep(turn, (workload.name, "whole"), self.hudyn(overrides))

    def _take_grid(self, turn: str) -> None:
        """Measure one of the jobs, and all of them as one population; whole processes both."""
        (workload,), (loop,) = WORKLOADS["grid"], WORKLOADS["grid"][0].loops
        rates = ",".join(f"{0.001 * (1 + number):g}" for number in range(RATES))
        settings = [EXPERIMENTS["grid"], f"++trainer.{workload.end}", "~report.dynamics"]
        for key, overrides in (
            ((loop, "plain"), ["members=64"]),
            ((workload.name, "updates"), [f"members={64 * RATES}", f"optimizer.lr=[{rates}]"]),
        ):
            sample = self.hudyn([*settings, *overrides])
            self._keep(turn, key, sample._replace(update_s=sample.cost.wall_s / sample.updates))

    def plain(self, loop: str, updates: int) -> Sample:
        """Run a loop of plain.py."""
        arguments = ["benchmarks/plain.py", loop, "--updates", str(updates), "--data", str(self._unpacked)]
        cost, printed = child(arguments)
        times = json.loads(printed)
        return Sample(cost, updates, times["seconds"] / updates, times["cpu_seconds"] / updates)

    def hudyn(self, overrides: Sequence[str]) -> Sample:
        """Run train.py."""
        folder = self._new_folder()
        cost, _ = child(["train.py", *overrides, f"hydra.run.dir={folder}"], self._environment)
        spent = json.loads((folder / "results.json").read_text())["time"]
        is_bf16 = "precision: bf16-mixed" in (folder / "config.yaml").read_text()  # what `auto` chose
        return Sample(cost, spent["updates"], spent["fit_s"] / spent["updates"], is_bf16=is_bf16)

    def _new_folder(self) -> Path:
        self._runs += 1
        return self._place / str(self._runs)

    def _keep(self, turn: str, key: tuple[str, str], sample: Sample) -> None:
        self.samples[key].append(sample)
        print(f"{turn} {key[0]} ({key[1]}): {sample.cost.wall_s:.1f} s", flush=True)


def rows(samples: Samples) -> list[dict[str, Any]]:
    """The rows of the tables, as far as measured."""
    found: list[dict[str, Any]] = []
    for workload in (workload for group in WORKLOADS.values() for workload in group):
        for loop in workload.loops:
            if pairs := _pairs(samples, (loop, "plain"), (workload.name, "updates")):
                whole = _pairs(samples, (loop, "plain"), (workload.name, "whole"))
                found.append(_row(workload, loop, pairs) | {"whole": _whole(workload, loop, whole) if whole else None})
    starts = ((start, _pairs(samples, (start.imported, "import"), (start.name, "start"))) for start in STARTS)
    return found + [_start_row(start, pairs) for start, pairs in starts if pairs]


def _pairs(samples: Samples, one: tuple[str, str], other: tuple[str, str]) -> list[tuple[Sample, Sample]]:
    return list(zip(samples.get(one, []), samples.get(other, []), strict=False))


def _start_row(start: Start, pairs: Sequence[tuple[Sample, Sample]]) -> dict[str, Any]:
    imports, starts = ([sample.cost.wall_s for sample in side] for side in zip(*pairs, strict=True))
    ratio, spread = paired_ratios(starts, imports)
    return {
        "workload": start.name,
        "against": f"import {start.imported}",
        "against_s": imports,
        "hudyn_s": starts,
        "ratio": ratio,
        "spread": spread,
        "at_most": start.goal[0],
        "aim": start.goal[1],
        "reached": ratio <= start.goal[0],
        "peak_mib": [_median(sample.cost.peak_mib for sample in side) for side in zip(*pairs, strict=True)],
    }


def _row(workload: Workload, loop: str, pairs: Sequence[tuple[Sample, Sample]]) -> dict[str, Any]:
    plain = [workload.members * workload.unit * sample.update_s for sample, _ in pairs]
    ours = [workload.unit * sample.update_s for _, sample in pairs]
    ratio, spread = paired_ratios(plain, ours)
    is_bf16 = all(sample.is_bf16 for _, sample in pairs)
    least, aim = _goal_of(workload, loop, workload.goals if is_bf16 or loop != "conv" else ())
    name = LOOPS[loop][0]
    return {
        "workload": workload.name,
        "against": f"{workload.members} × {name}" if workload.members > 1 else name,
        "of": ("an epoch" if workload.unit == EPOCH else "an update") + " in bf16" * is_bf16,
        "against_s": plain,
        "hudyn_s": ours,
        "ratio": ratio,
        "spread": spread,
        "at_least": least,
        "aim": aim,
        "reached": None if least is None else ratio >= least,
    }


def _goal_of(workload: Workload, loop: str, goals: Sequence[Goal | None]) -> tuple[float | None, float | None]:
    """The goal of a workload against one of its loops."""
    goal = dict(zip(workload.loops, goals, strict=False)).get(loop)
    return goal or (None, None)


def _whole(workload: Workload, loop: str, pairs: Sequence[tuple[Sample, Sample]]) -> dict[str, Any]:
    """Whole runs; the time of plain ones is scaled to the number of updates of hudyn's."""
    updates = pairs[0][1].updates
    walls, cpus = [], []
    for plain, _ in pairs:
        more = updates - plain.updates
        walls.append(workload.members * (plain.cost.wall_s + more * plain.update_s))
        cpus.append(workload.members * (plain.cost.cpu_s + more * plain.update_cpu_s))
    ours = [sample.cost.wall_s for _, sample in pairs]
    ratio, spread = paired_ratios(walls, ours)
    least, aim = _goal_of(workload, loop, workload.whole_goals)
    return {
        "updates": updates,
        "against_s": walls,
        "hudyn_s": ours,
        "ratio": ratio,
        "spread": spread,
        "at_least": least,
        "aim": aim,
        "cpu_s": [_median(cpus), _median(sample.cost.cpu_s for _, sample in pairs)],
        "peak_mib": [_median(sample.cost.peak_mib for sample in side) for side in zip(*pairs, strict=True)],
    }


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def cells(row: dict[str, Any]) -> list[str]:
    """One row of the table of updates alone: workload, against, plain → hudyn, ratio (spread), goal."""
    times = f"{seconds(_median(row['against_s']))} → {seconds(_median(row['hudyn_s']))}"
    return [row["workload"], row["against"], times, _with_spread(row), _goal(row)]


def _with_spread(row: dict[str, Any]) -> str:
    low, high = map(digits, row["spread"])
    return f"{digits(row['ratio'])}×" + (f" ({low}–{high})" if low != high else "")


def _goal(row: dict[str, Any]) -> str:
    most, least, aim = row.get("at_most"), row.get("at_least"), row["aim"]
    if most is None and least is None:
        return ""
    bound = f"≤ {most:g}×" if most is not None else f"≥ {least:,g}×"
    return bound + (f", aim {aim:,g}×" if aim is not None else "")


def show(found: Sequence[dict[str, Any]], compile_s: dict[str, float], title: str, console: Console) -> None:
    """Print the tables of updates alone and of whole runs."""
    table = Table(title=f"updates alone, all members together; {title}", title_justify="left")
    for column in ("workload", "against", "its time → hudyn's", "ratio (spread)", "goal", "reached"):
        table.add_column(column, justify="right" if column.startswith(("its", "ratio")) else "left")
    for row in found:
        table.add_row(*cells(row), {None: "", True: "yes", False: "[bold]no[/]"}[row["reached"]])
    console.print(table)
    table = Table(title="whole runs, from the start of the process to its end", title_justify="left")
    for column in ("workload", "against", "updates", "time", "ratio (spread)", "CPU seconds", "peak memory, MiB"):
        table.add_column(column, justify="left" if column in ("workload", "against") else "right")
    for row in (row for row in found if row.get("whole")):
        whole = row["whole"]
        times = f"{seconds(_median(whole['against_s']))} → {seconds(_median(whole['hudyn_s']))}"
        cpu, memory = (" → ".join(f"{value:,.0f}" for value in whole[name]) for name in ("cpu_s", "peak_mib"))
        table.add_row(row["workload"], row["against"], f"{whole['updates']:,}", times, _with_spread(whole), cpu, memory)
    if table.rows:
        console.print(table)
        console.print(
            "The time of plain runs is scaled up from fewer updates; they do not evaluate, draw or write anything. "
            "Their memory is that of one process."
        )
    for group, took in compile_s.items():
        console.print(f"once on a machine, numba compiles for {group}: {took:.1f} s")


def merged(earlier: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of an earlier run, each replaced by its new measurement if there is one."""
    again = {(row["workload"], row["against"]): row for row in found}
    kept = [again.pop((row["workload"], row["against"]), row) for row in earlier]
    return [*kept, *again.values()]


def markdown(found: Sequence[dict[str, Any]], title: str) -> str:
    """The table of docs/speed.md."""
    lines = [
        f"Updates alone, all members together; {title}:",
        "",
        "| workload | against | its time → hudyn's | ratio (spread) | goal |",
        "|---|---|---|---|---|",
    ]
    for row in found:
        name, *others = cells(row)
        of = f", {row['of']}" if "of" in row else ""
        lines.append("| " + " | ".join([name + of, *others]) + " |")
    for row in found:
        if whole := row.get("whole"):
            name = f"{row['workload']}, the whole process, {whole['updates']:,} updates"
            lines.append("| " + " | ".join([name, *cells(row | whole)[1:]]) + " |")
    peaks: dict[str, str] = {}  # one for each workload
    for row in found:
        if of_both := (row.get("whole") or row).get("peak_mib"):
            peaks.setdefault(
                row["workload"],
                f"{row['workload']} {of_both[1]:,.0f} MiB ({row['against']}: {of_both[0]:,.0f} MiB)",
            )
    if peaks:
        lines += ["", *textwrap.wrap(f"Peak memory of whole processes: {'; '.join(peaks.values())}.", 120)]
    return "\n".join(lines)


def replace_table(readme: Path, text: str) -> bool:
    """Put `text` between the markers of `readme`; False if there are none."""
    before, begin, rest = readme.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        return False
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
    return True


def unpack(data: Path, place: Path) -> str | None:
    """Unpack KMNIST's files for torchvision; the reason if they are missing."""
    found = {path.name.removesuffix(".gz"): path for path in data.glob("KMNIST/raw/*-ubyte*")}
    if len(found) < 4:
        return f"KMNIST is not in {data}. Set HUDYN_DATA to its folder, or run python train.py experiment=kmnist_lin"
    folder = place / "KMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, path in found.items():
        content = path.read_bytes()
        (folder / name).write_bytes(gzip.decompress(content) if path.suffix == ".gz" else content)
    return None


def chosen_groups(names: Sequence[str]) -> Iterator[str]:
    """The groups with these names; all if no name is given.

    Raises:
        ValueError: an unknown name.
    """
    for name in names or GROUPS:
        if name not in GROUPS:
            raise ValueError(f"--only {name}: unknown workload; expected {', '.join(GROUPS)}")
        yield name


def main() -> None:
    """Measure, print the tables, and write them after a complete run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help=f"workloads to measure: {', '.join(GROUPS)}"
    )
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    try:
        groups = list(chosen_groups(options.only))
    except ValueError as error:
        parser.error(str(error))
    data = Path(os.environ.get("HUDYN_DATA", "data")).absolute()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        bench = Bench(data, place / "data", place)
        if set(groups) & set(ON_KMNIST) and (reason := unpack(data, place / "data")):
            print(f"skipped: {', '.join(ON_KMNIST)}. {reason}", flush=True)
            groups = [group for group in groups if group not in ON_KMNIST]
        stopped: BaseException | None = None
        try:
            bench.prepare(groups)
            for turn in (f"[{turn}/{options.repeats}]" for turn in range(1, options.repeats + 1)):
                for group in groups:
                    if group == "start":
                        bench.take_starts(turn)
                    else:
                        bench.take(group, turn)
        except (KeyboardInterrupt, RuntimeError) as error:
            stopped = error
    about = machine("torch", "numba")
    found = rows(bench.samples)
    turns = f"medians of {options.repeats} turns (minimum–maximum)" if options.repeats > 1 else "one turn"
    title = f"{turns}; {about['cpu']}, {about['cores']} cores, torch {about['torch']}"
    show(found, bench.compile_s, title, Console(width=None if sys.stdout.isatty() else 150))
    if stopped is not None:
        print(
            f"{str(stopped) or 'stopped'}\nThe tables show what was measured until then; nothing is written.",
            file=sys.stderr,
        )
        sys.exit(130 if isinstance(stopped, KeyboardInterrupt) else 1)
    compile_s = bench.compile_s
    if options.only and RESULTS.exists():
        earlier = json.loads(RESULTS.read_text())
        found, compile_s = merged(earlier["rows"], found), earlier["compile_s"] | compile_s
    everything = {"machine": about, "repeats": options.repeats, "compile_s": compile_s, "rows": found}
    RESULTS.write_text(json.dumps(everything, indent=1) + "\n")
    if not replace_table(PAGE, markdown(found, title)):
        print(f"{PAGE} is unchanged: it has no lines {BEGIN} and {END} for the table")


if __name__ == "__main__":
    main()
