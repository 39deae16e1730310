"""The report on sequence predictors: a trace of a text, states, and how far the networks count."""

from dataclasses import asdict
from typing import cast

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from hudyn.dynamics.trajectories import example_words
from hudyn.figures import trajectories
from hudyn.figures.success import success_curves
from hudyn.languages import Countable, HasStateNames, Language, Text
from hudyn.networks import RecurrentNetwork, Trajectory, layer_parameters
from hudyn.tasks.artifacts import Artifacts, Row, Table
from hudyn.tasks.base import Study
from hudyn.tasks.sequences.data import SequenceDataModule
from hudyn.tasks.sequences.module import SequencePredictor

SequenceStudy = Study[SequencePredictor, SequenceDataModule]

DRAWN_UNITS = 5  # of a large network, those that vary most: more lines or panels cannot be told apart
DRAWN_POSITIONS = 3000  # points of a scatter: more only hide each other
TRACED = 60  # symbols, which fit in the width of the figure over time
LARGEST_N = 200  # of the curve of accuracy against n: its words have thousands of symbols


def report_sequences(study: SequenceStudy) -> Artifacts:
    """Describe what the best member does as it reads, how far it counts, and how the population was trained.

    Args:
        study: an evaluated population.
    """
    language, results = study.data.language, study.results
    network = cast(RecurrentNetwork, study.network())
    heading = _heading(study, network)
    text = _example(study.data)
    trajectory = _run(network, torch.from_numpy(text.symbols))
    trace = _trace(language, text, trajectory)
    layers = [asdict(layer) for layer in layer_parameters(network)]
    tables = {
        "members": Table(study.table_of_members()),
        "trace": Table(_trace_rows(language, text, trajectory)),
        "parameters": Table(layers),
    }
    scored = _run_all(network, study.data.evaluation.symbols)
    shown = _drawn_units(scored, study.data.evaluation.read)
    units_heading = heading
    if network.hidden_size > DRAWN_UNITS:
        units_heading += f"; the {DRAWN_UNITS} units that vary most"
    figures = _state_figures(study.data, network, scored, shown, units_heading)
    figures["time_course"] = _time_course(language, text, trajectory, shown, units_heading)
    if isinstance(language, Countable):
        longest = results["test/longest"].values
        ns, accuracies = accuracy_by_n(network, language, int(longest[study.best]))
        tables["accuracy_by_n"] = Table(
            [{"n": n, "accuracy": float(value)} for n, value in zip(ns.tolist(), accuracies, strict=True)]
        )
        figures["accuracy_by_n"] = trajectories.accuracy_by_n(
            ns, accuracies, language.max_n, int(longest[study.best]), heading
        )
        if study.members > 1:
            figures["longest"] = trajectories.spread_of_longest(
                longest.long().numpy(), language.max_n, study.module.max_n, f"How far {study.members} networks count"
            )
    if study.members > 1 and "test/first_success" in results:
        solved = int(results["test/solved"].values.sum())
        figures["success"] = success_curves(
            results["test/first_success"].values,
            results["test/sustained_success"].values,
            max(study.module.success.updates),
            "update",
            "solved",
            f"{solved} of {study.members} networks solve the task at the end",
        )
    return Artifacts(
        tables=tables,
        figures=figures,
        files={"tables/trace.txt": trace},
        words={"trace": trace},
        summary={
            "evaluation": {
                "best_member": study.best,
                "best_by": study.best_by,
                "entropy": language.entropy,
                "alphabet": list(language.alphabet),
                "parameters": layers,
            }
        },
    )


def accuracy_by_n(network: RecurrentNetwork, language: Countable, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy at the determined positions of each word, against its number n.

    Args:
        network: recurrent.
        language: of counting.
        longest: N* of the network; words up to twice as long are read.

    Returns:
        numbers n, [ns], and the share of the determined positions after the first block that are predicted right, [ns].
    """
    largest = min(max(2 * language.max_n, 2 * longest), max(LARGEST_N, language.max_n))
    ns = np.arange(1, largest + 1)
    shares = []
    for n in ns:
        text = language.annotate([int(n)])
        after_turn = np.arange(len(text.symbols)) >= int(n) * language.ratios[0]  # determined for any n
        choices = _run(network, torch.from_numpy(text.symbols)).logits[0].argmax(-1).numpy()
        following = np.append(text.symbols[1:], 0)
        shares.append((choices == following)[after_turn].mean())
    return ns, np.array(shares)


def _heading(study: SequenceStudy, network: RecurrentNetwork) -> str:
    units = f"{type(network).__name__}, {network.hidden_size} hidden units"
    if "test/longest" in study.results:
        return f"{units}: N* = {int(study.results['test/longest'].values[study.best])} ({study.best_name})"
    excess = study.results["test/excess"].values[study.best]
    return f"{units}: {excess:.4f} nats above the entropy ({study.best_name})"


def _example(data: SequenceDataModule) -> Text:
    """The text to trace: the one given, else the beginning of the first one that networks are scored on."""
    texts, language = data.evaluation, data.language
    first = texts.symbols[0, : int(texts.read[0].sum())][:TRACED]
    return language.read(data.example or "".join(language.alphabet[symbol] for symbol in first))


@torch.no_grad()
def _run_all(network: RecurrentNetwork, symbols: Tensor) -> Trajectory:
    return network.run(symbols)


def _run(network: RecurrentNetwork, symbols: Tensor) -> Trajectory:
    """The trajectory of one text, symbols [time]."""
    return _run_all(network, symbols[None])


def _trace(language: Language, text: Text, trajectory: Trajectory) -> str:
    """The text symbol by symbol: state label, hidden and context state, predicted and true distribution."""
    alphabet, predicted = language.alphabet, trajectory.logits[0].softmax(-1)
    states = [trajectory.hidden[0]] + ([] if trajectory.context is None else [trajectory.context[0]])
    width = 8 * states[0].shape[1]
    heading = "symbol  state  " + "".join(f"{name:<{width}}" for name in ("hidden", "context")[: len(states)])
    heading += f"{'predicted ' + ' '.join(alphabet):<{6 * len(alphabet) + 2}}true"
    lines = ["".join(alphabet[symbol] for symbol in text.symbols), "", heading]
    for place, symbol in enumerate(text.symbols):
        units = "".join(f"{value:8.3f}" for part in states for value in part[place].tolist())
        given = "".join(f"{value:6.2f}" for value in predicted[place].tolist())
        true = "".join(f"{value:6.2f}" for value in text.probabilities[place])
        lines.append(f"{alphabet[symbol]:<6}{text.states[place]:7.2f}{units}  {given}  {true}")
    return "\n".join(lines) + "\n"


def _trace_rows(language: Language, text: Text, trajectory: Trajectory) -> list[Row]:
    alphabet, predicted = language.alphabet, trajectory.logits[0].softmax(-1)
    rows: list[Row] = []
    for place, symbol in enumerate(text.symbols):
        row: dict[str, object] = {"symbol": alphabet[symbol], "state": float(text.states[place])}
        for name, part in (("hidden", trajectory.hidden), ("context", trajectory.context)):
            if part is not None:
                row |= {f"{name}_{unit}": value for unit, value in enumerate(part[0, place].tolist(), start=1)}
        row |= {f"predicted_{letter}": float(predicted[place, number]) for number, letter in enumerate(alphabet)}
        row |= {f"true_{letter}": float(text.probabilities[place, number]) for number, letter in enumerate(alphabet)}
        rows.append(row)
    return rows


def _drawn_units(trajectory: Trajectory, read: Tensor) -> np.ndarray:
    """Indices of the units to draw: all, or of more than `DRAWN_UNITS` those whose hidden state varies most."""
    spread = trajectory.hidden[read].std(dim=0).numpy()
    return np.sort(np.argsort(-spread, kind="stable")[:DRAWN_UNITS])


def _state_figures(
    data: SequenceDataModule, network: RecurrentNetwork, scored: Trajectory, shown: np.ndarray, heading: str
) -> dict[str, Figure]:
    """Scatters of the hidden and the context states, for three units in three dimensions too."""
    if network.hidden_size < 2:
        return {}
    texts, language = data.evaluation, data.language
    read = texts.read.numpy()
    labels = texts.states.numpy()[read][:DRAWN_POSITIONS]
    names = None
    if isinstance(language, HasStateNames):
        names = {float(label): name for label, name in enumerate(language.state_names)}
    initial = [part[0].detach().numpy() for part in network.initial_state(1)]
    words = {
        word: _run(network, torch.from_numpy(language.read(word).symbols)) for word in example_words(language, texts)
    }
    figures = {}
    for kind, states in (("hidden", scored.hidden), ("context", scored.context)):
        if states is None:
            continue
        start = initial[0 if kind == "hidden" else 1][shown]
        paths = {}
        for word, trajectory in words.items():
            after = trajectory.hidden if kind == "hidden" else trajectory.context
            assert after is not None
            paths[word] = np.concatenate([start[None], after[0].numpy()[:, shown]])
        units = [f"{kind} {unit + 1}" for unit in shown]
        points = states.numpy()[read][:DRAWN_POSITIONS, shown]
        figures[f"{kind}_states"] = trajectories.state_scatter(points, labels, paths, start, units, names, heading)
        if network.hidden_size == 3:
            figures[f"{kind}_states_3d"] = trajectories.state_scatter_3d(
                points, labels, paths, start, units, names, heading
            )
    return figures


def _time_course(language: Language, text: Text, trajectory: Trajectory, shown: np.ndarray, heading: str) -> Figure:
    parts = {"hidden": trajectory.hidden}
    if trajectory.context is not None:
        parts["context"] = trajectory.context
    parts |= {name if name == "candidate" else f"{name} gate": values for name, values in trajectory.gates.items()}
    series = {name: values[0].numpy()[:, shown] for name, values in parts.items()}
    units, symbols = [f"unit {unit + 1}" for unit in shown], [language.alphabet[symbol] for symbol in text.symbols]
    predicted = trajectory.logits[0].softmax(-1).numpy()
    predictions = trajectories.Predictions(predicted, text.probabilities, language.alphabet)
    return trajectories.time_course(symbols, series, text.starts.tolist(), units, heading, predictions)
