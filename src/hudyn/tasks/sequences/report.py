"""What a run of sequence predictors leaves behind: tables, the text trace and figures."""

import itertools
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from hudyn.figures import trajectories
from hudyn.figures.success import success_curves
from hudyn.languages import Counting, FiniteState, Language, Text
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks import RecurrentNetwork, Trajectory, layer_parameters
from hudyn.run.folder import atomic_write
from hudyn.run.tables import write_csv, write_members

EXAMPLES = 4  # words whose paths are drawn
UNITS = 5  # that are drawn
POSITIONS = 3000  # states that are drawn
TRACED = 60  # symbols
MOST_N = 200  # up to which accuracy is drawn against n


@dataclass(frozen=True)
class SequenceReport:
    """All there is to tell of a population of sequence predictors and of its best member.

    Attributes:
        language: what they predict.
        texts: what they are scored on.
        example: text to trace; the first of `texts` where None.
        results: every measure taken, ``split/name``: [members].
        network: the best member's network.
        best: index of the best member.
        best_by: what it is best by.
        seed: seed of member 0.
        max_n: where the search for N* ends.
        updates: number of updates made.
    """

    language: Language
    texts: ScoredTexts
    example: str | None
    results: dict[str, Tensor]
    network: RecurrentNetwork
    best: int
    best_by: str
    seed: int
    max_n: int
    updates: int

    @property
    def members(self) -> int:
        """Size of the population."""
        return len(self.results["test/solved"])

    @property
    def heading(self) -> str:
        """Network, score and name of the best member."""
        which = f"seed {self.seed + self.best}" + (f", {self.best_by} of {self.members}" if self.members > 1 else "")
        units = f"{type(self.network).__name__}, {self.network.hidden_size} hidden units"
        if "test/longest" in self.results:
            return f"{units}: N* = {int(self.results['test/longest'][self.best])} ({which})"
        return f"{units}: {self.results['test/excess'][self.best]:.4f} nats above the entropy ({which})"

    def summary(self) -> dict[str, Any]:
        """What results.json holds beside the measures."""
        return {
            "best_member": self.best,
            "best_by": self.best_by,
            "entropy": self.language.entropy,
            "alphabet": list(self.language.alphabet),
            "parameters": [asdict(layer) for layer in layer_parameters(self.network)],
        }

    def write_tables(self, folder: Path) -> None:
        """Write every table as CSV into `folder`, and the trace as text too."""
        write_members(folder, self.results, self.seed, self.best)
        write_csv(folder / "trace.csv", self._trace_rows())
        with atomic_write(folder / "trace.txt") as file:
            file.write(self.trace())
        write_csv(folder / "parameters.csv", [asdict(layer) for layer in layer_parameters(self.network)])
        if isinstance(self.language, Counting):
            ns, accuracies = self._accuracy_by_n
            write_csv(
                folder / "accuracy_by_n.csv",
                ({"n": n, "accuracy": float(value)} for n, value in zip(ns.tolist(), accuracies, strict=True)),
            )

    def trace(self) -> str:
        """A text symbol by symbol: state label, hidden and context state, predicted and true distribution."""
        found, text = self._example
        alphabet = self.language.alphabet
        predicted = found.logits[0].softmax(-1)
        lines = [f"{''.join(alphabet[symbol] for symbol in text.symbols)}", ""]
        heading = f"symbol  state  {'hidden':<{8 * self.network.hidden_size}}"
        if found.context is not None:
            heading += f"{'context':<{8 * self.network.hidden_size}}"
        lines.append(f"{heading}{'predicted ' + ' '.join(alphabet):<{6 * len(alphabet) + 2}}true")
        for place, symbol in enumerate(text.symbols):
            states = [found.hidden[0, place], *([] if found.context is None else [found.context[0, place]])]
            numbers = "".join(f"{value:8.3f}" for part in states for value in part.tolist())
            shares = "".join(f"{value:6.2f}" for value in predicted[place].tolist())
            true = "".join(f"{value:6.2f}" for value in text.probabilities[place])
            lines.append(f"{alphabet[symbol]:<6}{text.states[place]:7.2f}{numbers}  {shares}  {true}")
        return "\n".join(lines) + "\n"

    def draw(self) -> dict[str, Figure]:
        """Every figure, by name."""
        figures = self._states() | {"time_course": self._time_course()}
        if isinstance(self.language, Counting):
            ns, accuracies = self._accuracy_by_n
            longest = self.results["test/longest"]
            trained = self.language.max_n
            figures["accuracy_by_n"] = trajectories.accuracy_by_n(
                ns, accuracies, trained, int(longest[self.best]), self.heading
            )
            if self.members > 1:
                figures["longest"] = trajectories.spread_of_longest(
                    longest.long().numpy(), trained, self.max_n, f"How far {self.members} networks count"
                )
        if self.members > 1 and "test/first_success" in self.results:
            solved = int(self.results["test/solved"].sum())
            figures["success"] = success_curves(
                self.results["test/first_success"],
                self.results["test/sustained_success"],
                self.updates,
                "update",
                "solved",
                f"{solved} of {self.members} networks solve it at the end",
            )
        return figures

    @cached_property
    def _example(self) -> tuple[Trajectory, Text]:
        """The best member's way through the example, or the first words that it is scored on, and these."""
        symbols = self.texts.symbols[0, : int(self.texts.read[0].sum())][:TRACED]
        text = self.language.read(self.example or "".join(self.language.alphabet[symbol] for symbol in symbols))
        return self._run(torch.from_numpy(text.symbols)), text

    @cached_property
    def _accuracy_by_n(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers n, and the share of the determined positions of the n-th word that are right."""
        assert isinstance(self.language, Counting)
        reached = int(self.results["test/longest"][self.best])
        ns = np.arange(1, min(max(2 * self.language.max_n, 2 * reached), max(MOST_N, self.language.max_n)) + 1)
        shares = []
        for n in ns:
            text = self.language.annotate([int(n)])
            after_turn = np.arange(len(text.symbols)) >= int(n) * self.language.ratios[0]  # determined for any n
            choices = self._run(torch.from_numpy(text.symbols)).logits[0].argmax(-1).numpy()
            following = np.append(text.symbols[1:], 0)
            shares.append((choices == following)[after_turn].mean())
        return ns, np.array(shares)

    @torch.no_grad()
    def _run(self, symbols: Tensor) -> Trajectory:
        return self.network.run(symbols[None])

    def _trace_rows(self) -> list[dict[str, Any]]:
        found, text = self._example
        alphabet = self.language.alphabet
        predicted = found.logits[0].softmax(-1)
        rows = []
        for place, symbol in enumerate(text.symbols):
            row: dict[str, Any] = {"symbol": alphabet[symbol], "state": float(text.states[place])}
            for name, part in (("hidden", found.hidden), ("context", found.context)):
                if part is not None:
                    row |= {f"{name}_{unit}": value for unit, value in enumerate(part[0, place].tolist(), start=1)}
            row |= {f"predicted_{own}": float(predicted[place, number]) for number, own in enumerate(alphabet)}
            row |= {f"true_{own}": float(text.probabilities[place, number]) for number, own in enumerate(alphabet)}
            rows.append(row)
        return rows

    @cached_property
    def _scored(self) -> Trajectory:
        """The best member's way through the texts that it is scored on."""
        with torch.no_grad():
            return self.network.run(self.texts.symbols)

    @cached_property
    def _shown(self) -> np.ndarray:
        """The units that are drawn: all, or of more than `UNITS` those whose hidden states vary most, in order."""
        spread = self._scored.hidden[self.texts.read].std(dim=0).numpy()
        return np.sort(np.argsort(-spread, kind="stable")[:UNITS])

    @property
    def _drawn_heading(self) -> str:
        """The heading of a figure that shows units."""
        return self.heading + (f"; the {UNITS} that vary most" if self.network.hidden_size > UNITS else "")

    def _states(self) -> dict[str, Figure]:
        """Scatters of the hidden and the context states, in three dimensions too where there are three units."""
        if self.network.hidden_size < 2:
            return {}
        found, shown = self._scored, self._shown
        read = self.texts.read.numpy()
        labels = self.texts.states.numpy()[read][:POSITIONS]
        names = None
        if isinstance(self.language, FiniteState):
            names = {float(label): name for label, name in enumerate(self.language.state_names)}
        start = [part[0].detach().numpy() for part in self.network.initial_state(1)]
        ways = {word: self._run(symbols) for word, symbols in example_words(self.language, self.texts).items()}
        figures = {}
        for kind, own in (("hidden", found.hidden), ("context", found.context)):
            if own is None:
                continue
            before = start[0 if kind == "hidden" else 1][shown]
            paths = {}
            for word, way in ways.items():
                states = way.hidden if kind == "hidden" else way.context
                assert states is not None
                paths[word] = np.concatenate([before[None], states[0].numpy()[:, shown]])
            units = [f"{kind} {unit + 1}" for unit in shown]
            seen = own.numpy()[read][:POSITIONS, shown], labels, paths, before, units, names, self._drawn_heading
            figures[f"{kind}_states"] = trajectories.state_scatter(*seen)
            if self.network.hidden_size == 3:
                figures[f"{kind}_states_3d"] = trajectories.state_scatter_3d(*seen)
        return figures

    def _time_course(self) -> Figure:
        found, text = self._example
        parts = {"hidden": found.hidden}
        if found.context is not None:
            parts["context"] = found.context
        parts |= {name if name == "candidate" else f"{name} gate": values for name, values in found.gates.items()}
        series = {name: values[0].numpy()[:, self._shown] for name, values in parts.items()}
        units = [f"unit {unit + 1}" for unit in self._shown]
        alphabet = self.language.alphabet
        predictions = trajectories.Predictions(
            found.logits[0].softmax(-1).numpy(), text.probabilities, self.language.alphabet
        )
        symbols = [alphabet[symbol] for symbol in text.symbols]
        return trajectories.time_course(symbols, series, text.starts.tolist(), units, self._drawn_heading, predictions)


def example_words(language: Language, texts: ScoredTexts) -> dict[str, Tensor]:
    """A few different words of `texts`, from short to long, with their symbols, [length] each."""
    found: dict[str, Tensor] = {}
    for symbols, read in zip(texts.symbols, texts.read, strict=True):
        text = "".join(language.alphabet[symbol] for symbol in symbols[read])
        starts = [*language.read(text).starts.tolist(), len(text)]
        found |= {text[first:last]: symbols[first:last] for first, last in itertools.pairwise(starts)}
    ordered = sorted(found, key=lambda word: (len(word), word))
    chosen = np.unique(np.linspace(0, len(ordered) - 1, EXAMPLES).round().astype(int))
    return {ordered[place]: found[ordered[place]] for place in chosen}
