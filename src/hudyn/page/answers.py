"""Answers to the assignment's questions: texts, pictures and tables made of what a run measured.

Each function takes runs and returns a block of the page, or None if the runs do not have what it needs.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from hudyn.metrics.measure import Measure
from hudyn.page import run_page
from hudyn.run.run import Run
from hudyn.tasks.view_files import VIEW, from_file
from hudyn.tasks.wording import share_of_networks

RANKED = 5  # most frequent confusions of a network that are listed
TRACED = 24  # symbols of a text that are listed


@dataclass(frozen=True)
class Text:
    """Paragraphs."""

    paragraphs: Sequence[str]
    heading: str = ""
    kind: str = "text"


@dataclass(frozen=True)
class Picture:
    """A figure of a run; `source` is its content as a URL, `wide` says that it fills the page's width."""

    title: str
    caption: str
    source: str
    wide: bool
    kind: str = "picture"


@dataclass(frozen=True)
class Grid:
    """A table."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    kind: str = "table"


Block = Text | Picture | Grid


# Of any run -----------------------------------------------------------------------------------------------------------


def picture(run: Run, name: str, caption: str) -> Block:
    """A figure of the run with its caption from the run's story, else with `caption`."""
    path = run.figures / f"{name}.png"
    if not path.is_file():
        return Text([f"The run has no figure {run_page.heading(name).lower()}.{_no_figure(run)}"])
    told = _story(run).get("figures", {}).get(name, "")
    return Picture(run_page.heading(name), told or caption, run_page.picture(path), run_page.is_wide(path))


def _no_figure(run: Run) -> str:
    """Why a run has no figure of its dynamics."""
    solved = run.metrics.get("test/solved")
    if solved is None or solved.values[best(run)]:
        return ""
    return " Its best network does not solve the task, and such networks are not drawn."


def how(run: Run, heading: str = "") -> Block | None:
    """How the best network does it, in words, as the run's reports tell it."""
    words = _story(run).get("how") or run.record.parts.get("dynamics", {}).get("words")
    return Text(words, heading) if words else None


# Characters -----------------------------------------------------------------------------------------------------------


def test_accuracy(run: Run) -> str | None:
    """The test accuracy, with its range over several networks."""
    return _percent(run.metrics.get("test/accuracy"))


def total_parameters(run: Run) -> str | None:
    """The number of parameters of one network."""
    number = run.record.network.get("parameters")
    return None if number is None else f"{number:,}"


def count(target: str, choice: str, run: Run) -> str | None:
    """How many images of the class `target` the best network takes for `choice`."""
    evaluation = run.record.parts.get("evaluation", {})
    classes = evaluation.get("classes", [])
    if target not in classes or choice not in classes:
        return None
    matrix = evaluation["members"][evaluation["best_member"]]["confusion_matrix"]
    return str(matrix[classes.index(target)][classes.index(choice)])


def accuracy(run: Run, network: str) -> Block | None:
    """How many test images a network classifies correctly."""
    measured = test_accuracy(run)
    if measured is None:
        return None
    epochs = run.config.trainer.get("max_epochs", -1)
    after = f" after {epochs} epoch{'s' * (epochs != 1)}" if epochs and epochs > 0 else ""
    trained = _percent(run.metrics.get("train/accuracy"))
    sentence = f"{network} classifies {measured} of the test images correctly{after}"
    return Text([f"{sentence} ({trained} of the training images, while it trains)." if trained else f"{sentence}."])


def compared(*runs: Run) -> Block | None:
    """The accuracies of several networks side by side."""
    known = [run for run in runs if "test/accuracy" in run.metrics]
    wrong = [1 - run.metrics["test/accuracy"].mean for run in known]
    rows = [
        [
            network(run),
            _percent(run.metrics.get("train/accuracy")) or "",
            test_accuracy(run) or "",
            percent(share, 2),
            f"{share / before:.2f}" if before else "",
        ]
        for run, share, before in zip(known, wrong, [None, *wrong], strict=False)
    ]
    columns = [
        "network",
        "training accuracy",
        "test accuracy",
        "mistakes on the test images",
        "relative to the row above",
    ]
    return Grid(columns, rows, "Accuracies after the last epoch.") if rows else None


def parameters(*runs: Run) -> Block | None:
    """Layer by layer, the number of parameters of several networks with the arithmetic."""
    rows = []
    for run in runs:
        layers = run.record.parts.get("evaluation", {}).get("parameters", [])
        rows += [
            [network(run), _layer(layer["layer"]), layer["arithmetic"], f"{layer['parameters']:,}"] for layer in layers
        ]
        rows.append([network(run), "total", "", total_parameters(run) or ""])
    return Grid(["network", "layer", "weights + biases", "parameters"], rows) if rows else None


def _layer(name: str) -> str:
    """A layer's name for people.

    >>> _layer("convolutions.0")
    'convolution 1'
    """
    kind, _, place = name.partition(".")
    return f"{kind.removesuffix('s')} {int(place) + 1}" if place.isdigit() else name


def confusions(*runs: Run) -> Block | None:
    """The most frequent confusions of several networks side by side."""
    ranked = {network(run): _confusions(run)[:RANKED] for run in runs if _confusions(run)}
    if not ranked:
        return None
    rows = [
        [str(rank + 1), *(_confusion(found[rank]) if rank < len(found) else "" for found in ranked.values())]
        for rank in range(RANKED)
    ]
    return Grid(["rank", *ranked], rows, "The most frequent confusions: true character → choice, number of images.")


def network(run: Run) -> str:
    """The name of the run's network, with its number of hidden units."""
    name = str(run.record.network.get("class", "")).rpartition(".")[2]
    units = run.config.model.network.get("hidden_size")
    return f"{name}, {units} hidden units" if units else name


def _confusions(run: Run) -> list[dict[str, Any]]:
    return _best_member(run).get("confusions", [])


def _confusion(found: dict[str, Any]) -> str:
    return f"{found['target']} → {found['choice']} {found['count']}"


def _best_member(run: Run) -> dict[str, Any]:
    """What results.json holds of the best classifier."""
    members = run.record.parts.get("evaluation", {}).get("members", [])
    return members[best(run)] if members else {}


# Check ----------------------------------------------------------------------------------------------------------------


def best_right(run: Run) -> str | None:
    """How many points the best network gets right."""
    rows = run.record.parts.get("evaluation", {}).get("activations", [])
    return f"{sum(row['right'] for row in rows)} of {len(rows)}" if rows else None


def epochs(run: Run) -> str | None:
    """When training stopped, for the best network and for the median of all that succeeded."""
    stopped = _value(run, "train/updates")
    if stopped is None:
        return None
    succeeded = run.metrics["train/updates"].values[run.metrics["train/sustained"].values > 0]
    others = f"; median of {len(succeeded)} that succeed: {succeeded.median():,.0f}" if len(succeeded) > 1 else ""
    return f"{stopped:,.0f}{' (the best)' * bool(others)}{others}"


def trained(run: Run) -> Block | None:
    """How many networks get every point right, and when the best one did."""
    right, stopped = best_right(run), epochs(run)
    if right is None or stopped is None:
        return None
    first = _value(run, "train/first_success")
    sentences = [f"{share_solved(run)} get every point right."] if run.record.members > 1 else []
    sentences.append(f"The {'best ' * (run.record.members > 1)}network gets {right} points right")
    sentences[-1] += f", for the first time at epoch {first:,.0f}." if first is not None else "."
    sentences.append(f"Epochs until training stopped: {stopped}.")
    return Text([" ".join(sentences)])


def weights(run: Run) -> Block | None:
    """Every weight of the best network before and after training."""
    path = run.folder / VIEW
    networks = from_file(path.read_bytes())["networks"] if path.is_file() else None
    if not networks or networks["snapshots"] is None or networks["updates"][0] != 0:
        return None
    member = best(run)
    initial, final = (
        _named(networks["specification"]["layout"], vectors[networks["members"].index(member)])
        for vectors in (networks["snapshots"][0], networks["vectors"])
    )
    units = len(initial["hidden.bias"])
    rows = [
        [f"hidden {unit + 1}"]
        + [
            f"{values[name][place]:.3f}"
            for name, place in (
                ("hidden.weight", (unit, 0)),
                ("hidden.weight", (unit, 1)),
                ("hidden.bias", unit),
                ("output.weight", (0, unit)),
            )
            for values in (initial, final)
        ]
        for unit in range(units)
    ]
    rows.append(["output", "", "", "", "", *(f"{values['output.bias'][0]:.3f}" for values in (initial, final)), "", ""])
    names = ("from x", "from y", "bias", "to the output")
    columns = ["unit", *(f"{name}, {when}" for name in names for when in ("initial", "final"))]
    return Grid(columns, rows, "Initial and final weights of the best network.")


def points_right(run: Run) -> Block | None:
    """How many points the network gets right."""
    right = best_right(run)
    return Text([f"The network gets {right} points right, without training."]) if right else None


def lines(run: Run) -> Block | None:
    """Weights, and the equations of the dividing lines."""
    names = {
        "unit": "unit",
        "weight_x": "weight from x",
        "weight_y": "weight from y",
        "bias": "bias",
        "equation": "dividing line",
        "weight_to_output": "weight to the output",
    }
    return _table(run, "dividing_lines", names, "Weights, and where each hidden unit's net input is 0.")


def activations(run: Run) -> Block | None:
    """The activations of all units for every point."""
    rows = _rows(run, "activations")
    names = {key: key.replace("_", " ") for key in (rows[0] if rows else ()) if key != "right"}
    return _table(run, "activations", names, "Activations of the hidden units and the output for each point.")


def _named(layout: Sequence[dict[str, Any]], vector: np.ndarray) -> dict[str, np.ndarray]:
    """The parameters in a vector, by name."""
    sizes = [int(np.prod(part["shape"])) for part in layout]
    parts = np.split(vector, np.cumsum(sizes)[:-1])
    return {part["name"]: values.reshape(part["shape"]) for part, values in zip(layout, parts, strict=True)}


# Sequences ------------------------------------------------------------------------------------------------------------


def share_solved(run: Run) -> str | None:
    """How many networks solve the task, with the interval of that share."""
    measure = run.metrics.get("test/solved", run.metrics.get("train/solved"))
    if measure is None or measure.interval is None:
        return None
    return share_of_networks(measure) if len(measure) > 1 else f"{int(measure.known.sum())} of 1 network"


def solved(run: Run) -> Block | None:
    """How many networks solve the task, and how far the best one counts."""
    share = share_solved(run)
    if share is None:
        return None
    one = "The network solves the task." if share.startswith("1 ") else "The network does not solve the task."
    sentences = [f"{share} solve the task." if run.record.members > 1 else one]
    furthest = _value(run, "test/longest")
    if furthest is not None:
        trained_to = run.config.data.language.max_n
        sentences.append(
            f"The best one predicts all words up to n = {furthest:.0f} (its N* in the figures); the training words go "
            f"up to n = {trained_to}."
        )
    return Text([" ".join(sentences)])


def machine(run: Run) -> Block | None:
    """Which finite state machine the hidden states of the best network form."""
    dynamics = run.record.parts.get("dynamics")
    if not dynamics:
        return None
    member, language = dynamics["members"][dynamics["best_member"]], dynamics["automata"]["language_states"]
    words = f"The hidden states form a finite state machine with {member['states']} states."
    if member["equivalent"]:
        words += f" It is equivalent to the machine of the language, which has {language} states."
    elif member["differs"]:
        words += f" It is not the machine of the language, which has {language} states: {member['differs']}."
    return Text([words])


def first_symbols(run: Run) -> Block | None:
    """What the best network predicts after each a, beside the true probability."""
    rows = [row for row in _rows(run, "trace") if row["symbol"] == "a"]
    if not rows:
        return None
    by_place: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        by_place.setdefault(int(float(row["state"])), []).append((float(row["predicted_b"]), float(row["true_b"])))
    found = [
        f"{np.mean([predicted for predicted, _ in pairs]):.2f} after {place} (true: {pairs[0][1]:.2f})"
        for place, pairs in sorted(by_place.items())
    ]
    return Text([f"Number of a's read, and the mean probability that the network then gives to b: {', '.join(found)}."])


def last_symbols(run: Run, symbol: str) -> Block | None:
    """How sure the best network is of the last `symbol` of a word, and of what follows it."""
    rows = _rows(run, "trace")
    alphabet = [name.removeprefix("true_") for name in rows[0] if name.startswith("true_")] if rows else []
    of_last, of_next, following = [], [], set()
    for before, row in pairwise(rows):
        certain = [other for other in alphabet if float(row[f"true_{other}"]) == 1 and other != symbol]
        if row["symbol"] == before["symbol"] == symbol and certain:
            of_last.append(float(before[f"predicted_{symbol}"]))
            of_next.append(float(row[f"predicted_{certain[0]}"]))
            following.add(certain[0])
    if len(following) != 1:
        return None
    (after,) = following
    return Text(
        [
            f"In {len(of_last)} words of the traced text, the network gives the last {symbol} a probability of "
            f"{_below_one(min(of_last))} or more before it is read, and the {after} that follows a probability of "
            f"{_below_one(min(of_next))} or more."
        ]
    )


def read(run: Run) -> Block | None:
    """The activations and predictions as a text is read."""
    rows = _rows(run, "trace")
    if not rows:
        return None
    columns = {name: name.replace("_", " ") for name in rows[0] if name != "state"}
    caption = f"The first {min(TRACED, len(rows))} symbols of the traced text: state after each, and the next symbol's "
    return _table(run, "trace", columns, f"{caption}predicted and true probabilities.", TRACED)


def gates(run: Run) -> Block | None:
    """For each unit and symbol, how much the unit changes, and how open its gates are."""
    columns = {
        "unit": "unit",
        "symbol": "symbol read",
        "slope": "change per symbol",
        "linearity": "linearity",
        "input_mean": "input gate",
        "forget_mean": "forget gate",
        "candidate_mean": "candidate",
        "output_mean": "output gate",
    }
    return _table(
        run,
        "counters",
        columns,
        "Change of each unit per symbol, how straight its course is (linearity: 1 if every step is the same), and the "
        "means of its gates.",
    )


# What these share -----------------------------------------------------------------------------------------------------


def best(run: Run) -> int:
    """The number of the best member."""
    return int(run.record.parts.get("evaluation", {}).get("best_member", 0))


def percent(share: float, digits: int = 0) -> str:
    """A share as people read it.

    >>> percent(0.69531, 2)
    '69.53 %'
    """
    return f"{100 * share:.{digits}f} %"


def _story(run: Run) -> dict[str, Any]:
    return run.record.parts.get("page", {})


def _percent(measure: Measure | None) -> str | None:
    """A share, with its range over several members."""
    if measure is None or not len(measure.known):
        return None
    low, high = percent(measure.min, 2), percent(measure.max, 2)
    return percent(measure.mean, 2) + (f" ({low} to {high}, {len(measure)} networks)" if len(measure) > 1 else "")


def _value(run: Run, name: str) -> float | None:
    """The best member's value of a measure."""
    measure = run.metrics.get(name)
    value = float("nan") if measure is None else measure.values[best(run)].item()
    return None if np.isnan(value) else value


def _rows(run: Run, name: str) -> list[dict[str, str]]:
    """The rows of a table of the run; those of the best member, where it has rows of all."""
    path = run.tables / f"{name}.csv"
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if int(row.get("member", best(run))) == best(run)]


def _table(run: Run, name: str, columns: dict[str, str], caption: str, limit: int | None = None) -> Block | None:
    """A table of the run: the columns that it has, under the headings that `columns` gives them."""
    rows = _rows(run, name)
    if not rows:
        return None
    shown = {key: title for key, title in columns.items() if key in rows[0]}
    cells = [_column([row[key] for row in rows[:limit]]) for key in shown]
    return Grid(list(shown.values()), list(zip(*cells, strict=True)), caption)


def _column(texts: Sequence[str]) -> list[str]:
    """A column of a CSV file for people: three digits after each number's point, unless all are whole.

    >>> _column(["1", "-0.25", "a"])
    ['1.000', '-0.250', 'a']
    """
    numbers = {text: value for text in texts if not np.isnan(value := _number(text))}
    if all(text.lstrip("-").isdigit() for text in numbers):
        return list(texts)
    return [f"{numbers[text]:.3f}" if text in numbers else text for text in texts]


def _below_one(share: float) -> str:
    """A share with two digits after the point; one that falls short of 1 is not rounded up to it."""
    return f"{share if share == 1 else min(share, 0.99):.2f}"


def _number(value: Any) -> float:
    """A number, also from a text; NaN for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
