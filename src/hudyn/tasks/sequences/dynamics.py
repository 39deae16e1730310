"""What the networks of a population do and how: fixed points, automata, counters, verdicts, in tables and figures."""

import copy
import importlib.util
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.utils import vector_to_parameters

from hudyn.dynamics.certificate import Kind, Share, Verdict, certify, record, sentence, survey
from hudyn.dynamics.counters import Counters, counter_rows, counters
from hudyn.dynamics.extraction import Extraction, extract, states_against_n
from hudyn.dynamics.fixed_points import FixedPoint, SymbolMap, follow, symbol_maps
from hudyn.dynamics.learner import learn
from hudyn.errors import HudynError
from hudyn.figures.automata import state_diagram
from hudyn.figures.automaton_text import dot, mermaid
from hudyn.figures.clusters import cluster_scatter
from hudyn.figures.components import principal_components
from hudyn.figures.counters import counter_courses
from hudyn.figures.eigenvalues import eigenvalue_course
from hudyn.figures.gif import write_gif
from hudyn.figures.mechanisms import mechanism
from hudyn.figures.phase_portraits import phase_portrait
from hudyn.figures.portraits_in_training import portrait_animation
from hudyn.figures.state_spaces import Reading, plotly_script, state_space
from hudyn.figures.style import write_svg
from hudyn.languages import Counting, FiniteState, HasAutomaton, Language
from hudyn.languages.moore import Difference, MooreMachine, difference, renamed
from hudyn.metrics.sequences import ScoredTexts
from hudyn.networks import RecurrentNetwork
from hudyn.tasks.artifacts import Artifacts, Table
from hudyn.tasks.base import Study
from hudyn.tasks.sequences.data import SequenceDataModule
from hudyn.tasks.sequences.module import SequencePredictor
from hudyn.tasks.sequences.report import example_words

SNAPSHOTS = 40  # that eigenvalues are followed over, and frames of the animation
MOST_BEYOND = 2  # times the longest word that is drawn, up to which states are counted against n,
MOST_COUNTED = 24  # but no farther than this
COURSES = 6  # units whose courses are drawn
WORDS = 8  # whose courses are drawn


@dataclass(frozen=True)
class MemberDynamics:
    """What one network does.

    Attributes:
        network: the network.
        maps: what each symbol does to its state.
        extraction: the automaton that its states are.
        apart: where that differs from the language's own; None where it does not.
        counters: which unit counts what; None of languages that do not count.
        verdict: by what mechanism it counts.
    """

    network: RecurrentNetwork
    maps: tuple[SymbolMap, ...]
    extraction: Extraction
    apart: Difference | None
    counters: Counters | None
    verdict: Verdict

    @property
    def equivalent(self) -> bool:
        """Whether its automaton is one, and the language's own."""
        return self.extraction.consistent and self.apart is None

    @property
    def explanation(self) -> list[str]:
        """What it does in words, a sentence each."""
        told = [sentence(self.verdict)] if self.verdict.kind else []
        if self.counters:
            told.append(f"Units: {self.counters.describe()}.")
        if not self.extraction.consistent:
            return [*told, *self.extraction.notes]
        same = "equivalent to the language's own" if self.apart is None else f"not the language's own: {self.apart}"
        return [*told, f"Automaton of {len(self.extraction.machine)} states, {same}.", self.extraction.notes[0]]


@dataclass(frozen=True)
class DynamicsReport:
    """How the members of a population do what they do.

    Attributes:
        language: what they predict.
        texts: what they are scored on.
        joined: whether words follow one another in what they were trained on.
        draw_unsolved: whether networks that do not solve the task are drawn too.
        networks: of all members.
        results: every measure taken, ``split/name``: [members].
        best: index of the best member, which stands for all.
        seed: seed of member 0.
        max_n: where the search for N* ends.
        updates: number of updates made.
        times: number of updates before each snapshot, [snapshots].
        snapshots: parameters of the best member at each, in the network's order, [parameters] each.
    """

    language: Language
    texts: ScoredTexts
    joined: bool
    draw_unsolved: bool
    networks: Sequence[RecurrentNetwork]
    results: Mapping[str, Tensor]
    best: int
    seed: int
    max_n: int
    updates: int
    times: Sequence[int]
    snapshots: Sequence[Tensor]

    @cached_property
    def members(self) -> list[MemberDynamics]:
        """What each member does.

        Raises:
            HudynError: a member that cannot be analysed: it has parameters that are not finite, or another alphabet.
        """
        longest = self.results.get("test/longest", torch.zeros(len(self.networks)))
        found = []
        for member, network in enumerate(self.networks):
            try:
                maps = symbol_maps(network, self.texts.symbols, self.texts.read)
                extraction = extract(network, self.language, self.texts)
                counted = counters(network, self.language) if isinstance(self.language, Counting) else None
                verdict = certify(network, self.language, maps, int(longest[member]), self.max_n)
            except ValueError as error:
                raise HudynError(f"Member {member} (seed {self.seed + member}) cannot be analysed: {error}.") from error
            apart = difference(extraction.machine, self._machine)
            if apart is None:
                extraction = replace(extraction, machine=renamed(extraction.machine, self._machine))
            found.append(MemberDynamics(network, maps, extraction, apart, counted, verdict))
        return found

    @cached_property
    def _machine(self) -> MooreMachine:
        """The language's own automaton."""
        assert isinstance(self.language, HasAutomaton)
        return self.language.automaton(self.joined)

    @cached_property
    def shares(self) -> tuple[Share, ...]:
        """How many members count by each mechanism; empty of languages that do not count."""
        return survey([member.verdict for member in self.members], self.results["test/excess"].tolist())

    def summary(self) -> dict[str, Any]:
        """What results.json holds of it."""
        best = self.members[self.best]
        return {
            "best_member": self.best,
            "words": [*self._told_of_all, *best.explanation],
            "kinds": [
                {"kind": str(share.kind), "members": share.members, "interval": share.interval}
                | {"exemplar": share.exemplar}
                for share in self.shares
            ],
            "automata": {
                "language_states": len(self._machine),
                "equivalent": sum(member.equivalent for member in self.members),
                "consistent": sum(member.extraction.consistent for member in self.members),
            },
            "members": [
                record(member.verdict)
                | {
                    "states": len(member.extraction.machine),
                    "equivalent": member.equivalent,
                    "differs": None if member.apart is None else str(member.apart),
                    "purity": member.extraction.purity,
                }
                for member in self.members
            ],
        }

    def tables(self) -> dict[str, Table]:
        """Every table."""
        tables = {
            "mechanisms": Table(self._mechanisms()),
            "fixed_points": Table(self._fixed_points(), self._point_columns),
        }
        best = self.members[self.best]
        if isinstance(self.language, Counting):
            rows = [
                {"member": member, "seed": self.seed + member} | row
                for member, own in enumerate(self.members)
                if own.counters
                for row in counter_rows(own.counters)
            ]
            tables["counters"] = Table(rows)
            most = min(MOST_BEYOND * self.language.max_n, MOST_COUNTED)
            counts = states_against_n(best.network, self.language, range(1, most + 1))
            tables["states_by_n"] = Table(
                [
                    {"n": count.n, "language": count.language, "network": count.network or ""}
                    | {"equivalent": int(count.equivalent)}
                    for count in counts
                ]
            )
        return tables

    @property
    def drawn(self) -> bool:
        """Whether the best member is drawn."""
        return self.draw_unsolved or bool(self.results["test/solved"][self.best])

    def draw(self) -> dict[str, Figure]:
        """Every figure of the best member, and of an exemplar of each other kind how it counts."""
        if not self.drawn:
            return {}
        best = self.members[self.best]
        figures = {
            "automaton": state_diagram(best.extraction.machine, self._title("automaton", self.best)),
            "automaton_states": cluster_scatter(best.extraction, self._title("clusters", self.best)),
        } | self._mechanism("", self.best)
        if best.network.hidden_size > 3:
            figures["principal_components"] = self._principal_components(best.network)
        if len(self.times) > 1 and (course := self._eigenvalue_course()):
            figures["eigenvalues"] = course
        for share in self.shares:
            if share.kind != best.verdict.kind and (self.draw_unsolved or share.kind != Kind.UNSOLVED):
                figures |= self._mechanism(f"exemplar_{str(share.kind).replace(' ', '_')}_", share.exemplar)
        return figures

    def page(self) -> str | None:
        """Three hidden and context units in space, as a page that can be turned; None of other numbers of units."""
        network = self.networks[self.best]
        if network.hidden_size != 3 or not self.drawn:
            return None
        return state_space(self._readings(network), self._title("in space", self.best))

    def animate(self) -> list[np.ndarray] | None:
        """The best member's phase portrait in the course of training; None where it has not two units."""
        network = self.networks[self.best]
        if not _planar(network) or len(self.times) < 2 or not self.drawn:
            return None
        networks, updates = self._course
        maps = [symbol_maps(own, self.texts.symbols, self.texts.read) for own in networks]
        title = self._title("phase portrait", self.best)
        return portrait_animation(networks, maps, updates, self._words, self.language.alphabet, title)

    def learn(self) -> list[str]:
        """What L* finds of the best member, in words; nothing of languages that count."""
        if not isinstance(self.language, FiniteState):
            return []
        found = learn(self.networks[self.best], self.language, self.texts)
        told = [found.note]
        if found.machine is not None:
            apart = difference(found.machine, self._machine)
            same = "equivalent to the language's own" if apart is None else f"not the language's own: {apart}"
            told.append(f"By L*, {len(found.machine)} states: {same}.")
        return told

    @property
    def _told_of_all(self) -> list[str]:
        """How many members do what, in a sentence; nothing of one member."""
        if len(self.members) == 1:
            return []
        same = sum(member.equivalent for member in self.members)
        counted = [f"{share.kind} {share.members}" for share in self.shares]
        told = ", ".join([*counted, f"automaton equivalent to the language's own {same}"])
        return [f"{len(self.members)} networks: {told}. The best, seed {self.seed + self.best}:"]

    def _title(self, what: str, member: int) -> str:
        network = self.networks[member]
        units = f"{type(network).__name__}, {network.hidden_size} hidden units (seed {self.seed + member})"
        return f"{units}: {what}"

    def _mechanism(self, prefix: str, member: int) -> dict[str, Figure]:
        """How one member does it, by as many units as it has."""
        own, alphabet = self.members[member], self.language.alphabet
        figures = {}
        if _planar(own.network):
            figures[f"{prefix}phase_portrait"] = phase_portrait(
                own.network, own.maps, self._words, alphabet, self._title("phase portrait", member)
            )
            figures[f"{prefix}mechanism"] = mechanism(
                own.extraction,
                own.network,
                own.maps,
                self._words,
                alphabet,
                "\n".join(own.explanation),
                self._title("how it does it", member),
            )
        if own.counters and isinstance(self.language, Counting):
            figures[f"{prefix}counters"] = self._counter_courses(member, own.counters)
        return figures

    def _counter_courses(self, member: int, found: Counters) -> Figure:
        assert isinstance(self.language, Counting)
        network, most = self.networks[member], self.language.max_n
        ns = np.unique(np.linspace(1, most, min(most, WORDS)).round().astype(int)).tolist()
        words = [self.language.word(n) for n in ns]
        values = [_states(network, torch.from_numpy(word)) for word in words]
        shown = np.sort(np.argsort(-found.read_back.max(axis=1), kind="stable")[:COURSES])
        return counter_courses(
            [own[:, shown] for own in values],
            [[self.language.alphabet[symbol] for symbol in word] for word in words],
            ns,
            found.slope[shown],
            [found.units[unit] for unit in shown],
            self._title(found.describe(), member),
        )

    def _principal_components(self, network: RecurrentNetwork) -> Figure:
        with torch.no_grad():
            way = network.run(self.texts.symbols)
        parts = {"hidden": way.hidden} | ({} if way.context is None else {"context": way.context})
        points = {kind: part[self.texts.read].numpy() for kind, part in parts.items()}
        names = None
        if isinstance(self.language, FiniteState):
            names = {float(label): name for label, name in enumerate(self.language.state_names)}
        labels = self.texts.states[self.texts.read].numpy()
        title = self._title("principal components", self.best)
        return principal_components(points, labels, self._readings(network), names, title)

    def _eigenvalue_course(self) -> Figure | None:
        networks, updates = self._course
        branches = follow(networks, self.texts.symbols, self.texts.read)
        if not branches:
            return None
        title = self._title("eigenvalues of the fixed points in training", self.best)
        return eigenvalue_course(branches, updates, self.language.alphabet, title)

    @cached_property
    def _course(self) -> tuple[list[RecurrentNetwork], list[int]]:
        """The best member at up to `SNAPSHOTS` times of its training, the end among them."""
        chosen = np.unique(np.linspace(0, len(self.times) - 1, SNAPSHOTS).round().astype(int))
        networks = []
        for place in chosen:
            network = copy.deepcopy(self.networks[self.best])
            vector_to_parameters(self.snapshots[place], network.parameters())
            networks.append(network)
        times = [self.times[place] for place in chosen]
        if times[-1] < self.updates:
            networks, times = [*networks, self.networks[self.best]], [*times, self.updates]
        return networks, times

    @cached_property
    def _words(self) -> dict[str, Tensor]:
        return example_words(self.language, self.texts)

    def _readings(self, network: RecurrentNetwork) -> dict[str, Reading]:
        """What `network` goes through as it reads each example word."""
        kinds = ("hidden", "context") if network.has_context else ("hidden",)
        found = {}
        for word, symbols in self._words.items():
            states = np.split(_states(network, symbols), len(kinds), axis=1)
            labels = [f"{label:g}" for label in self.language.read(word).states]
            found[word] = Reading([*word], labels, dict(zip(kinds, states, strict=True)))
        return found

    def _mechanisms(self) -> list[dict[str, Any]]:
        rows = []
        for number, member in enumerate(self.members):
            verdict, extraction = member.verdict, member.extraction
            row: dict[str, Any] = {"member": number, "seed": self.seed + number}
            if verdict.kind:
                row |= {"kind": str(verdict.kind), "product": "" if verdict.product is None else verdict.product}
                row |= {"predicted": "" if verdict.predicted is None else verdict.predicted, "longest": verdict.longest}
            row |= {"states": len(extraction.machine), "equivalent": int(member.equivalent)}
            row |= {"differs": "" if member.apart is None else str(member.apart), "purity": extraction.purity}
            rows.append(row | {"words": " ".join(member.explanation)})
        return rows

    @property
    def _point_columns(self) -> list[str]:
        units = [name.replace(" ", "_") for name in self.networks[0].unit_names]
        values = [f"{part}_{place}" for place in range(1, len(units) + 1) for part in ("eigenvalue", "imaginary")]
        return ["member", "seed", "symbol", "period", "kind", "residual", *units, *values]

    def _fixed_points(self) -> list[dict[str, Any]]:
        rows = []
        for number, member in enumerate(self.members):
            for own in member.maps:
                points: tuple[FixedPoint, ...] = own.fixed_points + own.cycles
                for point in points:
                    row: dict[str, Any] = {"member": number, "seed": self.seed + number}
                    row |= {"symbol": self.language.alphabet[own.symbol], "period": point.period, "kind": point.name}
                    values = [part for value in point.eigenvalues for part in (value.real, value.imag)]
                    rest = [point.residual, *point.state.tolist(), *map(float, values)]
                    rows.append(row | dict(zip(self._point_columns[5:], rest, strict=True)))
        return rows


def report_dynamics(
    study: Study[SequencePredictor, SequenceDataModule],
    animation: bool = False,
    draw_unsolved: bool = False,
    learner: bool = False,
) -> Artifacts:
    """Describe what every member does and how: verdicts, fixed points, automata, counters.

    Args:
        study: an evaluated population.
        animation: whether to draw the best member's phase portrait during training as ``figures/phase_portrait.gif``
            too, if it has two hidden units.
        draw_unsolved: whether to draw networks that do not solve the task too.
        learner: whether to learn the best member's automaton by L* too (Angluin 1987), if the language has one.

    Raises:
        HudynError: a member that cannot be analysed; the learner is asked for, and AALpy is not installed.
    """
    data, snapshots = study.data, study.module.snapshots
    networks = [cast(RecurrentNetwork, study.network(member)) for member in range(study.members)]
    report = DynamicsReport(
        language=data.language,
        texts=data.evaluation,
        joined=data.joined,
        draw_unsolved=draw_unsolved,
        networks=networks,
        results={name: measure.values for name, measure in study.results.items()},
        best=study.best,
        seed=study.seed,
        max_n=study.module.max_n,
        updates=max(study.module.success.updates, default=0),
        times=snapshots.updates,
        snapshots=[vectors[study.best] for vectors in snapshots.vectors],
    )
    summary = report.summary()
    figures, tables = report.draw(), report.tables()
    machine = report.members[study.best].extraction.machine
    files: dict[str, str | bytes] = {
        "tables/automaton.dot": dot(machine),
        "tables/automaton.mmd": mermaid(machine),
    }
    if "automaton" in figures:
        svg = io.BytesIO()
        write_svg(figures["automaton"], svg)
        files["figures/automaton.svg"] = svg.getvalue()
    if importlib.util.find_spec("plotly") and (page := report.page()):
        files |= {"figures/state_space.html": page, "figures/plotly.min.js": plotly_script()}
    if animation and (frames := report.animate()):
        gif = io.BytesIO()
        write_gif(frames, gif)
        files["figures/phase_portrait.gif"] = gif.getvalue()
    if learner:
        summary["words"] += report.learn()
    return Artifacts(tables, figures, files, {"dynamics": "\n\n".join(summary["words"])}, {"dynamics": summary})


def _planar(network: RecurrentNetwork) -> bool:
    """Whether the whole state is two hidden units."""
    return network.hidden_size == 2 and not network.has_context


@torch.no_grad()
def _states(network: RecurrentNetwork, symbols: Tensor) -> np.ndarray:
    """States before the first and after each symbol [length]: [length + 1, units], context units last."""
    way = network.run(symbols[None])
    parts = [way.hidden[0]] if way.context is None else [way.hidden[0], way.context[0]]
    start = torch.cat([part[0] for part in network.initial_state(1)])
    return torch.cat([start[None], torch.cat(parts, dim=1)]).numpy()
