"""How the cost of an update grows with members, hidden units and length: python benchmarks/growth.py [--quick].

The numba kernel is compared with the reference, and with torch.nn.RNN or torch.nn.LSTM, which train one network; with
--device cuda, the Triton kernel replaces numba. Each point is measured in a separate process, with its peak memory: on
CUDA the GPU's; on the CPU that of the whole process, and that of networks, sequences and updates without the libraries
(Linux only). A batch is one sequence, the optimizer is plain SGD. Points at which an update takes seconds are skipped,
except the kernel's. Results are written to growth.json and growth.png, on CUDA to growth_cuda.json and growth_cuda.png.
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
# Defaults where another size varies, as in a^n b^2n and a^n b^2n c^3n; sweeps of hidden units and length use MEMBERS.
NETWORKS = {
    "SRN": {"members": 1, "hidden": 2, "length": 37, "alphabet": 2},
    "LSTM": {"members": 1, "hidden": 3, "length": 75, "alphabet": 3},
}
MEMBERS = 16
FUSED = {"cpu": "numba", "cuda": "triton"}
SLOW = 1.0  # seconds an update; further points of a sweep are skipped
MIN_SECONDS = 0.5  # of each measurement
MIN_MIB = 0.1  # smallest memory drawn, on a logarithmic axis
MAX_POSITIONS = 1 << 21  # members · updates · symbols of one call


@dataclass(frozen=True)
class Point:
    """The setting of one measurement; `kernel` is ``numba``, ``triton``, ``reference`` or ``torch.nn``."""

    network: str
    kernel: str
    device: str
    members: int
    hidden: int
    length: int
    alphabet: int


def measured(point: Point) -> dict[str, float]:
    """Measure one point in this process.

    Returns:
        seconds an update, updates in one call, and the peak memory for them in MiB.
    """
    import torch

    torch.set_num_threads(1 if point.kernel == "torch.nn" else CORES)
    updates = max(4, min(250, MAX_POSITIONS // (point.members * point.length))) if point.kernel == "numba" else 1
    calls = {"torch.nn": torch_call}.get(point.kernel, population_call)
    calls(replace(point, members=1, length=2), 1)()  # loads libraries
    before = begin_memory(point.device)
    call = calls(point, updates)
    call()
    times: list[float] = []
    while not times or (sum(times) < MIN_SECONDS and len(times) < 1000):
        started = time.perf_counter()
        call()
        if point.device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    held = torch.cuda.max_memory_allocated() / (1 << 20) if point.device == "cuda" else resident("VmHWM") - before
    return {"update_s": statistics.median(times) / updates, "updates_a_call": updates, "update_mib": held}


def begin_memory(device: str) -> float:
    """Reset the peak memory; the present memory of the process in MiB."""
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def resident(what: str) -> float:
    """Memory of this process in MiB as Linux reports it: present (VmRSS) or peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def population_call(point: Point, updates: int) -> Callable[[], Any]:
    """A call that makes updates of a population by one of hudyn's kernels."""
    import torch

    from hudyn import networks
    from hudyn.kernels.recurrent import fused, one_by_one, reference, together
    from hudyn.population import Population

    build = partial(getattr(networks, point.network), point.alphabet, point.hidden)
    population = Population(build, point.members).to(point.device)
    optimizer = torch.optim.SGD(population.parameters(), lr=0.005, weight_decay=1e-4, fused=True)
    symbols = torch.randint(point.alphabet, (point.members, updates, 1, point.length + 1)).to(point.device)
    lengths = torch.full((point.members, updates, 1), point.length).to(point.device)
    kernels: dict[str, Callable[..., Any]] = {
        "numba": together,
        "triton": partial(one_by_one, fused),
        "reference": partial(one_by_one, reference),
    }
    return partial(kernels[point.kernel], population, optimizer, symbols, lengths, (), False)


def torch_call(point: Point, updates: int) -> Callable[[], Any]:
    """A call that makes updates of one torch.nn network."""
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


def sweep(network: str, along: str, values: Sequence[int], kernel: str, device: str) -> list[dict[str, Any]]:
    """The points of one line, each measured in a separate process, up to the first slow one."""
    points: list[dict[str, Any]] = []
    for value in values:
        place = NETWORKS[network] | ({} if along == "members" else {"members": MEMBERS}) | {along: value}
        if kernel == "torch.nn":
            if along == "members" and value > 1:
                break
            place["members"] = 1
        point = asdict(Point(network, kernel, device, **place)) | {"along": along}
        point |= in_a_child(Point(network, kernel, device, **place))
        points.append(point)
        cost = f"{seconds(point['update_s'])}, {point['update_mib']:,.1f} MiB"
        print(f"{network}, {kernel}, {along} {value}: {cost}", flush=True)
        if kernel != FUSED[device] and point["update_s"] > SLOW:
            break
    return points


def in_a_child(point: Point) -> dict[str, float]:
    """The result of `measured` in a separate process, with the time of a member and the peak memory."""
    cost, printed = child(["benchmarks/growth.py", "--point", json.dumps(asdict(point))])
    costs = {"peak_mib": cost.peak_mib} | json.loads(printed)
    return costs | {"member_update_s": costs["update_s"] / point.members}


def show(points: Sequence[dict[str, Any]]) -> None:
    """Print all points."""
    table = Table(title="one sequence an update")
    for column in ("network", "kernel", "members", "hidden", "length", "an update", "a member", "MiB", "process, MiB"):
        table.add_column(column, justify="left" if column in ("network", "kernel") else "right")
    for point in points:
        names = (f"{point[name]}" for name in ("network", "kernel", "members", "hidden", "length"))
        times = (seconds(point[name]) for name in ("update_s", "member_update_s"))
        table.add_row(*names, *times, f"{point['update_mib']:,.1f}", f"{point['peak_mib']:,.0f}")
    Console(width=110).print(table)


def draw(points: Sequence[dict[str, Any]], about: str, device: str) -> "Figure":
    """Draw the time of an update and the peak memory against members, hidden units and length."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, NullLocator, StrMethodFormatter

    from hudyn.figures.style import COLOURS, in_style

    kernels = {
        FUSED[device]: f"hudyn, {FUSED[device]}",
        "reference": "hudyn, reference",
        "torch.nn": "torch.nn, 1 network",
    }
    colours = dict(zip(kernels, COLOURS, strict=False))
    looks: dict[str, Any] = {"SRN": ("--", "white"), "LSTM": ("-", None)}  # of lines, and inside markers
    titles = {
        "members": "members",
        "hidden": f"hidden units, {MEMBERS} members",
        "length": f"symbols of a sequence, {MEMBERS} members",
    }

    def line(axes: "Axes", measure: str, along: str, network: str, kernel: str) -> None:
        drawn = [p for p in points if (p["along"], p["network"], p["kernel"]) == (along, network, kernel)]
        dashes, face = looks[network]
        axes.plot(
            [p[along] for p in drawn],
            [max(p[measure], MIN_MIB) if measure == "update_mib" else p[measure] for p in drawn],
            color=colours[kernel],
            linestyle=dashes,
            linewidth=1.4,
            marker="o",
            markersize=4.5,
            markerfacecolor=face or colours[kernel],
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
                    for kernel in kernels:
                        line(axes, measure, along, network, kernel)
                scales(axes, along, measure)
            column[1].set_xlabel(titles[along])
        grid[0, 0].set_ylabel("time of an update, all members")
        grid[1, 0].set_ylabel("memory" + (" of the GPU" if device == "cuda" else " in addition to torch") + ", MiB")
        handles = [Line2D([], [], color=colours[kernel], linewidth=3, label=name) for kernel, name in kernels.items()]
        for network, sizes in NETWORKS.items():
            dashes, face = looks[network]
            name = f"{network}, {sizes['hidden']} hidden units, {sizes['length']} symbols"
            grey = Line2D([], [], color="0.3", linestyle=dashes, marker="o", markersize=4.5, label=name)
            grey.set_markerfacecolor(face or "0.3")
            handles.append(grey)
        figure.legend(
            handles=handles,
            title=f"Cost of an update on one sequence; {about}",
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
    for network, sizes in NETWORKS.items():  # numba caches what it compiles
        in_a_child(Point(network, FUSED[options.device], options.device, **sizes))
    try:
        for along, values in (QUICK if options.quick else SWEEPS).items():
            for network in NETWORKS:
                for kernel in (FUSED[options.device], "reference", "torch.nn"):
                    points += sweep(network, along, values, kernel, options.device)
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
