"""How the cost of an update grows with members, hidden units and length: python benchmarks/growth.py [--quick].

On the CPU the numba kernel stands against the reference and against torch.nn.RNN or torch.nn.LSTM, which train one
network; with --device cuda the Triton kernel stands in numba's place. Every point is a process of its own, and its
peak memory is told: on CUDA the GPU's; else what networks, sequences and updates take beside the libraries, which
Linux tells, and that of the whole process. A batch is one sequence, the optimizer plain SGD. The reference is left out
where an update would take seconds. Results go to growth.json and growth.png, on CUDA to growth_cuda.json and
growth_cuda.png.
"""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from measure import CORES, child, machine, seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SWEEPS: dict[str, Sequence[int]] = {
    "members": (1, 4, 16, 64, 256, 1024, 4096),
    "hidden": (2, 4, 8, 16, 32, 64, 128),
    "length": (8, 16, 32, 64, 128, 256, 512, 1024),
}
QUICK: dict[str, Sequence[int]] = {"members": (1, 64, 1024), "hidden": (2, 16, 64), "length": (8, 64, 512)}
# Where the sweeps meet: as in a^n b^2n and a^n b^2n c^3n; the sweeps of hidden units and length have MEMBERS.
NETWORKS = {
    "SRN": {"members": 1, "hidden": 2, "length": 37, "alphabet": 2},
    "LSTM": {"members": 1, "hidden": 3, "length": 75, "alphabet": 3},
}
MEMBERS = 16
FUSED = {"cpu": "numba", "cuda": "triton"}
SLOW = 1.0  # seconds an update; further points of a sweep are left out
LEAST = 0.5  # seconds that are measured at least
LEAST_MIB = 0.1  # that is drawn
POSITIONS = 1 << 21  # members · symbols of the updates of one call, at most


@dataclass(frozen=True)
class Point:
    """What an update is made of: a network, by what it is trained, where, and sizes."""

    network: str
    way: str
    device: str
    members: int
    hidden: int
    length: int
    alphabet: int


def measured(point: Point) -> dict[str, float]:
    """Measure one point in this process.

    Returns:
        seconds an update, updates in one call, and the most memory that was held for them, in MiB.
    """
    import torch

    torch.set_num_threads(1 if point.way == "torch.nn" else CORES)
    updates = max(4, min(250, POSITIONS // (point.members * point.length))) if point.way == "numba" else 1
    calls = {"torch.nn": torch_call}.get(point.way, population_call)
    calls(replace(point, members=1, length=2), 1)()  # libraries are loaded
    before = begin_memory(point.device)
    call = calls(point, updates)
    call()
    times: list[float] = []
    while not times or (sum(times) < LEAST and len(times) < 1000):
        started = time.perf_counter()
        call()
        if point.device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    held = torch.cuda.max_memory_allocated() / (1 << 20) if point.device == "cuda" else resident("VmHWM") - before
    return {"update_s": statistics.median(times) / updates, "updates_a_call": updates, "update_mib": held}


def begin_memory(device: str) -> float:
    """Forget the peak of memory so far; the memory that the process holds now, in MiB."""
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def resident(what: str) -> float:
    """Memory of this process as Linux tells it, VmRSS now or VmHWM at most, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def population_call(point: Point, updates: int) -> Callable[[], Any]:
    """A call that makes updates of a population by a kernel of hudyn's."""
    import torch

    from hudyn import networks
    from hudyn.kernels.recurrent import fused, one_by_one, reference, together
    from hudyn.population import Population

    build = partial(getattr(networks, point.network), point.alphabet, point.hidden)
    population = Population(build, point.members).to(point.device)
    optimizer = torch.optim.SGD(population.parameters(), lr=0.005, weight_decay=1e-4, fused=True)
    symbols = torch.randint(point.alphabet, (point.members, updates, 1, point.length + 1)).to(point.device)
    lengths = torch.full((point.members, updates, 1), point.length).to(point.device)
    ways: dict[str, Callable[..., Any]] = {
        "numba": together,
        "triton": partial(one_by_one, fused),
        "reference": partial(one_by_one, reference),
    }
    return partial(ways[point.way], population, optimizer, symbols, lengths, (), False)


def torch_call(point: Point, updates: int) -> Callable[[], Any]:
    """A call that makes updates of one network of torch.nn."""
    import torch

    import plain

    make = {"SRN": plain.TorchRNN, "LSTM": plain.TorchLSTM}[point.network]
    model = make(point.alphabet, point.hidden).to(point.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005, weight_decay=1e-4)
    sequences = torch.randint(point.alphabet, (updates, point.length + 1)).to(point.device)

    def call() -> None:
        for symbols in sequences:
            optimizer.zero_grad()
            plain.sequence_loss(model, symbols).backward()
            optimizer.step()

    return call


# All points -----------------------------------------------------------------------------------------------------


def sweep(network: str, along: str, values: Sequence[int], way: str, device: str) -> list[dict[str, Any]]:
    """The points of one line, each in a process of its own, up to the first that is slow."""
    points: list[dict[str, Any]] = []
    for value in values:
        place = NETWORKS[network] | ({} if along == "members" else {"members": MEMBERS}) | {along: value}
        if way == "torch.nn":
            if along == "members" and value > 1:
                break
            place["members"] = 1
        point = asdict(Point(network, way, device, **place)) | {"along": along}
        point |= in_a_child(Point(network, way, device, **place))
        points.append(point)
        told = f"{seconds(point['update_s'])}, {point['update_mib']:,.1f} MiB"
        print(f"{network}, {way}, {along} {value}: {told}", flush=True)
        if way != FUSED[device] and point["update_s"] > SLOW:
            break
    return points


def in_a_child(point: Point) -> dict[str, float]:
    """What `measured` finds in a process of its own, with the time of a member and the peak of memory."""
    cost, printed = child(["benchmarks/growth.py", "--point", json.dumps(asdict(point))])
    found = {"peak_mib": cost.peak_mib} | json.loads(printed)
    return found | {"member_update_s": found["update_s"] / point.members}


def show(points: Sequence[dict[str, Any]]) -> None:
    """Print all points."""
    table = Table(title="one sequence an update")
    for column in ("network", "by", "members", "hidden", "length", "an update", "a member", "MiB", "process, MiB"):
        table.add_column(column, justify="left" if column in ("network", "by") else "right")
    for point in points:
        names = (f"{point[name]}" for name in ("network", "way", "members", "hidden", "length"))
        times = (seconds(point[name]) for name in ("update_s", "member_update_s"))
        table.add_row(*names, *times, f"{point['update_mib']:,.1f}", f"{point['peak_mib']:,.0f}")
    Console(width=110).print(table)


def draw(points: Sequence[dict[str, Any]], about: str, device: str) -> "Figure":
    """Time of an update and peak memory, against members, hidden units and length."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, NullLocator, StrMethodFormatter

    from hudyn.figures.style import COLOURS, in_style

    ways = {
        FUSED[device]: f"hudyn, {FUSED[device]}",
        "reference": "hudyn, reference",
        "torch.nn": "torch.nn, 1 network",
    }
    colours = dict(zip(ways, COLOURS, strict=False))
    looks: dict[str, Any] = {"SRN": ("--", "white"), "LSTM": ("-", None)}  # of lines, and inside markers
    titles = {
        "members": "members",
        "hidden": f"hidden units, {MEMBERS} members",
        "length": f"symbols of a sequence, {MEMBERS} members",
    }

    def line(axes: "Axes", measure: str, along: str, network: str, way: str) -> None:
        own = [p for p in points if (p["along"], p["network"], p["way"]) == (along, network, way)]
        dashes, face = looks[network]
        axes.plot(
            [p[along] for p in own],
            [max(p[measure], LEAST_MIB) if measure == "update_mib" else p[measure] for p in own],
            color=colours[way],
            linestyle=dashes,
            linewidth=1.4,
            marker="o",
            markersize=4.5,
            markerfacecolor=face or colours[way],
        )

    def scales(axes: "Axes", along: str, measure: str) -> None:
        values = sorted({p[along] for p in points if p["along"] == along})
        axes.set(xscale="log", yscale="log")
        axes.set_xticks(values, [f"{value:,}" for value in values], fontsize=8)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_locator(LogLocator(10, subs=(1,)))
        axes.yaxis.set_major_formatter(EngFormatter("s") if measure == "update_s" else StrMethodFormatter("{x:,g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(axis="y", linewidth=0.6)

    @in_style
    def drawn() -> Figure:
        figure = Figure(figsize=(10.5, 6.6), layout="constrained")
        grid = figure.subplots(2, len(SWEEPS), sharex="col", sharey="row", height_ratios=(3, 2))
        for column, along in zip(grid.T, SWEEPS, strict=True):
            for axes, measure in zip(column, ("update_s", "update_mib"), strict=True):
                for network in NETWORKS:
                    for way in ways:
                        line(axes, measure, along, network, way)
                scales(axes, along, measure)
            column[1].set_xlabel(titles[along])
        grid[0, 0].set_ylabel("time of an update, all members")
        grid[1, 0].set_ylabel("memory" + (" of the GPU" if device == "cuda" else " beside torch") + ", MiB")
        handles = [Line2D([], [], color=colours[way], linewidth=3, label=name) for way, name in ways.items()]
        for network, sizes in NETWORKS.items():
            dashes, face = looks[network]
            name = f"{network}, {sizes['hidden']} hidden units, {sizes['length']} symbols"
            grey = Line2D([], [], color="0.3", linestyle=dashes, marker="o", markersize=4.5, label=name)
            grey.set_markerfacecolor(face or "0.3")
            handles.append(grey)
        figure.legend(
            handles=handles,
            title=f"What an update costs, on one sequence; {about}",
            title_fontproperties={"weight": "bold"},
            loc="outside upper left",
            alignment="left",
            ncols=len(handles),
            fontsize=9,
            columnspacing=1.6,
        )
        return figure

    return drawn()


def main() -> None:
    """Measure, print, write and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=FUSED, default="cpu")
    parser.add_argument("--quick", action="store_true", help="few points")
    parser.add_argument("--point", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        print(json.dumps(measured(Point(**json.loads(options.point)))))
        return
    points: list[dict[str, Any]] = []
    for network, sizes in NETWORKS.items():  # what is compiled is kept
        in_a_child(Point(network, FUSED[options.device], options.device, **sizes))
    try:
        for along, values in (QUICK if options.quick else SWEEPS).items():
            for network in NETWORKS:
                for way in (FUSED[options.device], "reference", "torch.nn"):
                    points += sweep(network, along, values, way, options.device)
    finally:
        show(points)
    about = machine("torch", "numba")
    stem = Path(__file__).with_suffix("") if options.device == "cpu" else Path(__file__).with_name("growth_cuda")
    stem.with_suffix(".json").write_text(json.dumps({"machine": about, "points": points}, indent=1) + "\n")
    figure = draw(points, f"{about['cpu']}, {about['cores']} cores", options.device)
    from hudyn.figures.style import write_png

    with stem.with_suffix(".png").open("wb") as file:
        write_png(figure, file)


if __name__ == "__main__":
    main()
