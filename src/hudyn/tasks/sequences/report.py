"""The report on sequence predictors: a trace of a text, states, and how far the networks count."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import cast

import numpy as np
import torch

from hudyn.dynamics.trajectories import WordTrajectory, example_words, word_trajectory
from hudyn.figures import generalisation
from hudyn.figures.state_scatters import named_states, state_scatter, state_scatter_3d
from hudyn.figures.success import success_curves
from hudyn.figures.trajectories import time_course
from hudyn.languages import Countable
from hudyn.networks import RecurrentNetwork, Trajectory, layer_parameters
from hudyn.tasks.artifacts import Artifacts, Drawn, Row, Story, Table
from hudyn.tasks.sequences.data import SequenceDataModule
from hudyn.tasks.sequences.module import SequenceStudy
from hudyn.tasks.sequences.story import FIGURES, TABLES, answer, captions
from hudyn.tasks.sequences.view import sequence_view
from hudyn.tasks.view_files import VIEW, as_file

DRAWN_UNITS = 5  # of a large network, those that vary most: more lines or panels cannot be told apart
DRAWN_POSITIONS = 3000  # points of a scatter: more only hide each other
TRACED = 60  # symbols, which fit in the width of the figure over time
LARGEST_N = 200  # of the curve of accuracy against n: its words have thousands of symbols


def report_sequences(study: SequenceStudy) -> Artifacts:
    """Describe what the best member does as it reads, how far it counts, and how the population was trained."""
    language, results = study.data.language, study.results
    network = cast(RecurrentNetwork, study.network())
    heading = _heading(study, network)
    read = word_trajectory(network, language, _example(study.data))
    trace = _trace(read, language.alphabet)
    layers = [asdict(layer) for layer in layer_parameters(network)]
    tables = {
        "members": Table(study.table_of_members()),
        "trace": Table(_trace_rows(read, language.alphabet)),
        "parameters": Table(layers),
    }
    with torch.no_grad():
        scored = network.run(study.data.evaluation.symbols)
    spread = scored.hidden[study.data.evaluation.read].std(dim=0).numpy()
    shown = np.sort(np.argsort(-spread, kind="stable")[:DRAWN_UNITS])
    units_heading = heading
    if network.hidden_size > DRAWN_UNITS:
        units_heading += f"; the {DRAWN_UNITS} units that vary most"
    figures: dict[str, Drawn] = {  # what takes longest to draw comes first
        "time_course": partial(time_course, read, language.alphabet, shown, units_heading),
        **_state_figures(study.data, network, scored, shown, units_heading),
    }
    if isinstance(language, Countable):
        longest, trained = results["test/longest"].values.long(), language.max_n
        furthest = int(longest[study.best])
        ns, accuracies = _accuracy_by_n(network, language, furthest)
        tables["accuracy_by_n"] = Table(_rows({"n": ns.tolist(), "accuracy": accuracies.tolist()}))
        figures["accuracy_by_n"] = partial(generalisation.accuracy_by_n, ns, accuracies, trained, furthest, heading)
        if study.members > 1:
            figures["longest"] = partial(
                generalisation.spread_of_longest,
                longest.numpy(),
                trained,
                study.module.max_n,
                f"How far {study.members} networks count",
            )
    if study.members > 1 and "test/first_success" in results:
        solved = int(results["test/solved"].values.sum())
        figures["success"] = partial(
            success_curves,
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
        files={"tables/trace.txt": trace, VIEW: as_file(sequence_view(study, _example(study.data)))},
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
        story=Story(
            answer=answer(language, results, study.module.max_n, study.data.evaluation_max_n),
            figures=captions(figures, FIGURES),
            tables=captions(tables, TABLES),
        ),
    )


@torch.no_grad()
def _accuracy_by_n(network: RecurrentNetwork, language: Countable, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers n up to twice N*, and the accuracy on each word from its second block on, which is determined, [ns]."""
    largest = min(max(2 * language.max_n, 2 * longest), max(LARGEST_N, language.max_n))
    ns = np.arange(1, largest + 1)
    shares = []
    for n in ns.tolist():
        symbols = language.annotate([n]).symbols
        choices = network.run(torch.from_numpy(symbols)[None]).logits[0].argmax(-1).numpy()
        following = np.append(symbols[1:], 0)
        shares.append((choices == following)[n * language.ratios[0] :].mean())
    return ns, np.array(shares)


def _heading(study: SequenceStudy, network: RecurrentNetwork) -> str:
    units = f"{type(network).__name__}, {network.hidden_size} hidden units"
    if "test/longest" in study.results:
        return f"{units}: N* = {int(study.results['test/longest'].values[study.best])} ({study.best_name})"
    excess = study.results["test/excess"].values[study.best]
    return f"{units}: {excess:.4f} nats above the entropy ({study.best_name})"


def _example(data: SequenceDataModule) -> str:
    """The text to trace: the one given, else the beginning of the first one that networks are scored on."""
    texts = data.evaluation
    first = texts.symbols[0, : int(texts.read[0].sum())][:TRACED]
    return data.example or "".join(data.language.alphabet[symbol] for symbol in first)


def _trace(read: WordTrajectory, alphabet: Sequence[str]) -> str:
    """The text symbol by symbol: state label, hidden and context state, predicted and true distribution."""
    width = 8 * read.hidden.shape[1]
    heading = "symbol  state  " + "".join(f"{name:<{width}}" for name in read.parts)
    heading += f"{'predicted ' + ' '.join(alphabet):<{6 * len(alphabet) + 2}}true"
    lines = ["".join(read.symbols), "", heading]
    rows = zip(
        read.symbols, read.text.states, read.states[1:], read.probabilities, read.text.probabilities, strict=True
    )
    for symbol, label, units, predicted, true in rows:
        state = "".join(f"{value:8.3f}" for value in units)
        distributions = ("".join(f"{value:6.2f}" for value in values) for values in (predicted, true))
        lines.append(f"{symbol:<6}{label:7.2f}{state}  {'  '.join(distributions)}")
    return "\n".join(lines) + "\n"


def _trace_rows(read: WordTrajectory, alphabet: Sequence[str]) -> list[Row]:
    columns: dict[str, Sequence[object]] = {"symbol": read.symbols, "state": read.text.states.tolist()}
    for name, states in read.parts.items():
        columns |= {f"{name}_{unit}": values for unit, values in enumerate(states[1:].T.tolist(), start=1)}
    for name, distributions in (("predicted", read.probabilities), ("true", read.text.probabilities)):
        columns |= {f"{name}_{x}": values for x, values in zip(alphabet, distributions.T.tolist(), strict=True)}
    return _rows(columns)


def _rows(columns: Mapping[str, Sequence[object]]) -> list[Row]:
    """The rows of a table of columns."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _state_figures(
    data: SequenceDataModule, network: RecurrentNetwork, scored: Trajectory, shown: np.ndarray, heading: str
) -> dict[str, Drawn]:
    """Scatters of the hidden and the context states, for three units in three dimensions too."""
    if network.hidden_size < 2:
        return {}
    texts, language = data.evaluation, data.language
    labels, names = texts.states[texts.read].numpy()[:DRAWN_POSITIONS], named_states(language)
    words = {word: word_trajectory(network, language, word).parts for word in example_words(language, texts)}
    figures: dict[str, Drawn] = {}
    for kind, states in (("hidden", scored.hidden), ("context", scored.context)):
        if states is None:
            continue
        points = states[texts.read].numpy()[:DRAWN_POSITIONS, shown]
        paths = {word: parts[kind][:, shown] for word, parts in words.items()}
        units = [f"{kind} unit {unit + 1}" for unit in shown]
        figures[f"{kind}_states"] = partial(state_scatter, points, labels, paths, units, names, heading)
        if network.hidden_size == 3:
            figures[f"{kind}_states_3d"] = partial(state_scatter_3d, points, labels, paths, units, names, heading)
    return figures
