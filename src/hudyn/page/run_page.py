"""The run's page: report.html, one file made of what lies in the run's folder."""

import base64
import csv
import io
import shlex
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hudyn.config.variants import variants
from hudyn.cores import cores
from hudyn.page.assets import environment, script, style
from hudyn.population import member_seeds
from hudyn.run.folder import atomic_write
from hudyn.run.readable import heading
from hudyn.run.record import Record
from hudyn.run.run import Run
from hudyn.tasks.view_files import VIEW, as_file

QUALITY = 82  # of pictures in the page, WebP's: a fifth of the PNG's size, and text stays sharp
WIDEST = 1400  # pixels of a picture in the page
WIDE = 1200  # pixels of a picture's file, beyond which its text is legible only across the page
# settings that leave the experiment the same
KEPT = {"experiment", "members", "seed", "threads", "name", "tags", "logger", "sweep"}
# what an experiment's expectation is about: it says nothing of another language or network
EXPECTED_OF = ("data.language", "model.network")


def write_page(run: Run) -> None:
    """Write ``report.html`` into the run's folder from its record, tables, figures, view and config.

    Raises:
        HudynError: it cannot be written.
    """
    page = (
        environment()
        .get_template("run.html.jinja")
        .render(
            record=run.record,
            command=command(run),
            facts=facts(run.record),
            expected=expected(run),
            pending="" if run.is_reported else shlex.join(["python", "report.py", f"run={run.folder}"]),
            is_changed=bool(set(run.overrides) - KEPT),
            figures=figures(run),
            files=sorted(path.name for path in run.figures.glob("*") if path.suffix != ".png"),
            config=run.config_text,
            style=style(),
            script=script("run_page"),
            data=base64.b64encode(as_file(data(run))).decode(),
            view=view(run),
        )
    )
    with atomic_write(run.folder / "report.html") as file:
        file.write(page)


def expected(run: Run) -> str:
    """The result to expect; empty if the run has another language or network than its experiment."""
    is_another = any(key.replace("/", ".").startswith(EXPECTED_OF) for key in run.overrides)
    return "" if is_another else run.config.get("expected") or ""


def command(run: Run) -> str:
    """The command that starts such a run."""
    folder = ["--config-dir", run.record.config_folder] if run.record.config_folder else []
    experiment = [] if "experiment" in run.overrides else [f"experiment={run.record.experiment}"]
    return shlex.join(["python", "train.py", *folder, *experiment, *run.arguments])


def view(run: Run) -> str:
    """What the page needs to run the networks, in base64; empty if the run has none."""
    path = run.folder / VIEW
    return base64.b64encode(path.read_bytes()).decode() if path.is_file() else ""


def data(run: Run) -> dict[str, Any]:
    """What the page's tables and drawings show of the record, the history and the tables."""
    record, page = run.record, run.record.parts.get("page", {})
    captions = page.get("tables", {})
    names = sorted((path.stem for path in run.tables.glob("*.csv")), key=place_in(captions))
    evaluation = record.parts.get("evaluation", {})
    return {
        "experiment": record.experiment,
        "objective": run.config.get("objective", ""),
        "best": evaluation.get("best_member", 0),
        "seeds": seeds(run),
        "kinds": page.get("kinds", []),
        "measures": {
            name: {"kind": measure.kind, "values": measure.values.numpy()} for name, measure in record.metrics.items()
        },
        "history": history(run),
        "tables": [
            {
                "name": name,
                "title": heading(name),
                "caption": captions.get(name, ""),
                "csv": (run.tables / f"{name}.csv").read_text(encoding="utf-8"),
            }
            for name in names
            if name != "history"
        ],
    }


def seeds(run: Run) -> list[int]:
    """Seed of each member."""
    number = len(variants(run.config))
    return member_seeds(run.record.members, run.record.seed, number)


def history(run: Run) -> dict[str, Any]:
    """The evaluations: ``updates`` [evaluations], and every measure, [evaluations, members]."""
    path = run.tables / "history.csv"
    if not path.is_file():
        return {"updates": [], "measures": {}}
    with open(path, newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    table = np.array([[float(cell) if cell else np.nan for cell in row] for row in rows]).reshape(len(rows), len(names))
    updates = list(dict.fromkeys(table[:, names.index("update")].tolist()))
    first = names.index("member") + 1
    return {
        "updates": updates,
        "measures": {
            name: table[:, first + place].reshape(len(updates), -1).astype(np.float32)
            for place, name in enumerate(names[first:])
        },
    }


def figures(run: Run) -> list[dict[str, Any]]:
    """The run's pictures in the order of the story, each with its name, title, caption and content."""
    captions = run.record.parts.get("page", {}).get("figures", {})
    paths = sorted(run.figures.glob("*.png"), key=lambda path: place_in(captions)(path.stem))
    with ThreadPoolExecutor(cores()) as pool:  # Pillow works outside Python's lock
        sources = list(pool.map(picture, paths))
    return [
        {
            "name": path.stem,
            "title": heading(path.stem),
            "caption": captions.get(path.stem, ""),
            "source": source,
            "wide": is_wide(path),
        }
        for path, source in zip(paths, sources, strict=True)
    ]


def picture(path: Path) -> str:
    """A picture for the page, as a data URL."""
    file = io.BytesIO()
    with Image.open(path) as image:
        image.thumbnail((WIDEST, 10 * WIDEST))
        image.convert("RGB").save(file, format="webp", quality=QUALITY, method=2)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def is_wide(path: Path) -> bool:
    """Whether a picture fills the page's width."""
    with Image.open(path) as image:
        return image.width > WIDE


def place_in(names: Iterable[str]) -> Callable[[str], tuple[int, str]]:
    """A sort key: the place in `names`, others after them by name."""
    places = {name: place for place, name in enumerate(names)}
    return lambda name: (places.get(name, len(places)), name)


def facts(record: Record) -> list[tuple[str, str]]:
    """The few numbers at the top of the page."""
    values = {
        "members": record.members,
        "first seed": record.seed,
        "parameters": record.network.get("parameters"),
        "updates": record.time.get("updates"),
    }
    shown = [(name, f"{value:,}") for name, value in values.items() if value is not None]
    return shown + [("seconds", f"{record.time['total_s']:,.1f}")] * ("total_s" in record.time)
