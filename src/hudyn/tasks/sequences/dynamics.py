"""The report on how the members of a population work: verdicts, fixed points, automata and counters."""

import copy
import importlib.util
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch.nn.utils import vector_to_parameters

from hudyn.arguments import NeedsAALpy
from hudyn.dynamics.analysis import Analysis, analyse, compare
from hudyn.dynamics.branches import follow
from hudyn.dynamics.counters import counter_rows
from hudyn.dynamics.extraction import states_against_n
from hudyn.dynamics.fixed_points import symbol_maps
from hudyn.dynamics.learner import learn
from hudyn.dynamics.survey import Share, survey
from hudyn.dynamics.verdict import Kind, Verdict, why_not_judged
from hudyn.errors import HudynError
from hudyn.figures import analysis as figures_of
from hudyn.figures.automaton_text import dot, mermaid
from hudyn.figures.clusters import cluster_scatter
from hudyn.figures.eigenvalues import eigenvalue_course
from hudyn.figures.gif import write_gif
from hudyn.figures.portraits_in_training import portrait_animation
from hudyn.figures.state_spaces import plotly_script
from hudyn.figures.style import write_svg
from hudyn.languages import Countable, HasAutomaton, HasStateNames
from hudyn.languages.moore import difference
from hudyn.networks import RecurrentNetwork
from hudyn.tasks.artifacts import Artifacts, Row, Table
from hudyn.tasks.base import Study
from hudyn.tasks.sequences.data import SequenceDataModule
from hudyn.tasks.sequences.module import SequencePredictor

SNAPSHOTS = 40  # at which eigenvalues are followed; frames of the animation, a few seconds of it
BEYOND_TRAINING = 2  # states are counted up to this many times the largest n in the texts,
MAX_COUNTED_N = 24  # but no farther than this: an extraction takes a second there

SequenceStudy = Study[SequencePredictor, SequenceDataModule]


class Course(NamedTuple):
    """The best member's network during training, and the number of updates made at each time."""

    networks: list[RecurrentNetwork]
    updates: list[int]


def report_dynamics(
    study: SequenceStudy, animation: bool = False, draw_unsolved: bool = False, learner: NeedsAALpy = False
) -> Artifacts:
    """Describe how every member works: verdicts, fixed points, automata, counters.

    Args:
        study: an evaluated population.
        animation: whether to draw the best member's phase portrait during training as ``figures/phase_portrait.gif``
            too, if it has two hidden units.
        draw_unsolved: whether to draw networks that do not solve the task too.
        learner: whether to learn the best member's automaton by L* too (Angluin 1987), if the language has one.

    Raises:
        HudynError: a member that cannot be analysed; `learner` is true, and AALpy is not installed.
    """
    analyses = _analyses(study)
    best = analyses[study.best]
    shares = survey([analysis.verdict for analysis in analyses], study.results["test/excess"].values.tolist())
    sentences = [*_sentences_on_all(study, analyses, shares), *best.explanation]
    if learner:
        sentences += _learned(best)
    course = _course(study, best)
    is_drawn = draw_unsolved or bool(study.results["test/solved"].values[study.best])
    figures = _figures(study, analyses, shares, course, draw_unsolved) if is_drawn else {}
    return Artifacts(
        tables=_tables(study, analyses),
        figures=figures,
        files=_files(study, best, course, figures, animation) if is_drawn else _automaton_texts(best),
        words={"dynamics": "\n\n".join(sentences)},
        summary={"dynamics": _summary(study, analyses, shares, sentences)},
    )


def _analyses(study: SequenceStudy) -> list[Analysis]:
    """The analysis of each member.

    Raises:
        HudynError: a member that cannot be analysed: it has parameters or states that are not finite.
    """
    longest = study.results.get("test/longest")
    analyses = []
    for member in range(study.members):
        try:
            analysis = analyse(
                study.network(member),
                study.data.language,
                study.data.evaluation,
                study.data.joined,
                None if longest is None else int(longest.values[member]),
                study.module.max_n,
            )
            _ = analysis.maps, analysis.automaton, analysis.counters, analysis.verdict  # an error names the member
        except ValueError as error:
            raise HudynError(f"Member {member} (seed {study.seed + member}) cannot be analysed: {error}.") from error
        analyses.append(analysis)
    return analyses


def _sentences_on_all(study: SequenceStudy, analyses: Sequence[Analysis], shares: Sequence[Share]) -> list[str]:
    """How many members work in which way, in a sentence; nothing for a single member."""
    if study.members == 1:
        return []
    parts = [f"{share.kind} {share.members}" for share in shares]
    if analyses[0].language_automaton:
        equivalent = sum(bool(analysis.equivalent) for analysis in analyses)
        parts.append(f"automaton equivalent to the language's own {equivalent}")
    return [f"{study.members} networks: {', '.join(parts)}. The best, seed {study.seed + study.best}:"]


def _learned(analysis: Analysis) -> list[str]:
    """What L* learns of a finite-state language, in sentences; nothing of other languages."""
    language = analysis.language
    if not (isinstance(language, HasStateNames) and isinstance(language, HasAutomaton)):
        return []
    learned = learn(analysis.network, language, analysis.texts)
    if learned.machine is None:
        return [learned.note]
    comparison = compare(difference(learned.machine, language.automaton(analysis.joined)))
    return [learned.note, f"By L*, {len(learned.machine)} states: {comparison}."]


def _summary(
    study: SequenceStudy, analyses: Sequence[Analysis], shares: Sequence[Share], sentences: Sequence[str]
) -> dict[str, object]:
    """The part of results.json."""
    machine = analyses[0].language_automaton
    return {
        "best_member": study.best,
        "words": sentences,
        "kinds": [
            {
                "kind": str(share.kind),
                "members": share.members,
                "interval": share.interval,
                "exemplar": share.exemplar,
            }
            for share in shares
        ],
        "automata": {
            "language_states": None if machine is None else len(machine),
            "equivalent": sum(bool(analysis.equivalent) for analysis in analyses),
            "consistent": sum(analysis.automaton.consistent for analysis in analyses),
        },
        "members": [
            _verdict(analysis).record()
            | {
                "states": len(analysis.automaton.machine),
                "equivalent": analysis.equivalent,
                "differs": None if analysis.difference is None else str(analysis.difference),
                "purity": analysis.automaton.purity,
            }
            for analysis in analyses
        ],
    }


def _verdict(analysis: Analysis) -> Verdict:
    """The verdict; one without a kind where there is none."""
    return analysis.verdict or Verdict(None, why_not_judged(analysis.language) or "")


def _tables(study: SequenceStudy, analyses: Sequence[Analysis]) -> dict[str, Table]:
    unit_names = [name.replace(" ", "_") for name in analyses[0].network.unit_names]
    values = [f"{part}_{place}" for place in range(1, len(unit_names) + 1) for part in ("eigenvalue", "imaginary")]
    tables = {
        "mechanisms": Table([_mechanism_row(study, member, analysis) for member, analysis in enumerate(analyses)]),
        "fixed_points": Table(
            [
                row
                for member, analysis in enumerate(analyses)
                for row in _fixed_point_rows(study, member, analysis, [*unit_names, *values])
            ],
            ["member", "seed", "symbol", "period", "kind", "residual", *unit_names, *values],
        ),
    }
    language, best = study.data.language, analyses[study.best]
    if isinstance(language, Countable):
        tables["counters"] = Table(
            [
                {"member": member, "seed": study.seed + member, **row}
                for member, analysis in enumerate(analyses)
                if analysis.counters
                for row in counter_rows(analysis.counters)
            ]
        )
        largest = min(BEYOND_TRAINING * language.max_n, MAX_COUNTED_N)
        if counts := states_against_n(best.network, language, range(1, largest + 1)):
            tables["states_by_n"] = Table(
                [
                    {"n": count.n, "language": count.language, "network": count.network or ""}
                    | {"equivalent": int(count.equivalent)}
                    for count in counts
                ]
            )
    return tables


def _mechanism_row(study: SequenceStudy, member: int, analysis: Analysis) -> Row:
    verdict = _verdict(analysis)
    row: dict[str, object] = {"member": member, "seed": study.seed + member}
    if verdict.kind:
        row |= {"kind": str(verdict.kind), "product": "" if verdict.product is None else verdict.product}
        row |= {"predicted": "" if verdict.predicted is None else verdict.predicted, "longest": verdict.longest}
    row["states"] = len(analysis.automaton.machine)
    row["equivalent"] = "" if analysis.equivalent is None else int(analysis.equivalent)
    row["differs"] = "" if analysis.difference is None else str(analysis.difference)
    return row | {"purity": analysis.automaton.purity, "words": " ".join(analysis.explanation)}


def _fixed_point_rows(study: SequenceStudy, member: int, analysis: Analysis, columns: Sequence[str]) -> list[Row]:
    """A row for each fixed point and 2-cycle; `columns` name the units and eigenvalues."""
    rows: list[Row] = []
    for symbol, symbol_map in analysis.maps.items():
        for point in (*symbol_map.fixed_points, *symbol_map.cycles):
            row: dict[str, object] = {"member": member, "seed": study.seed + member, "symbol": symbol}
            row |= {"period": point.period, "kind": point.name, "residual": point.residual}
            values = [float(part) for value in point.eigenvalues for part in (value.real, value.imag)]
            rows.append(row | dict(zip(columns, [*point.state.tolist(), *values], strict=True)))
    return rows


def _figures(
    study: SequenceStudy,
    analyses: Sequence[Analysis],
    shares: Sequence[Share],
    course: Course,
    draw_unsolved: bool,
) -> dict[str, Figure]:
    """Every figure of the best member, and the mechanism of an exemplar of each other kind."""
    best = analyses[study.best]
    figures = {
        "automaton": figures_of.automaton(best, _title(study, best, study.best, "automaton")),
        "automaton_states": cluster_scatter(best.automaton, _title(study, best, study.best, "clusters")),
    } | _mechanism_figures(study, best, study.best)
    if best.network.hidden_size > 3:
        title = _title(study, best, study.best, "principal components")
        figures["principal_components"] = figures_of.principal_components(best, title)
    if len(study.module.snapshots.updates) > 1:
        branches = follow(course.networks, best.texts.symbols, best.texts.read)
        if branches:
            title = _title(study, best, study.best, "eigenvalues of the fixed points in training")
            alphabet = best.language.alphabet
            figures["eigenvalues"] = eigenvalue_course(branches, course.updates, alphabet, title)
    for share in shares:
        is_other = share.kind != _verdict(best).kind
        if is_other and (draw_unsolved or share.kind != Kind.UNSOLVED):
            prefix = f"exemplar_{str(share.kind).replace(' ', '_')}_"
            figures |= _mechanism_figures(study, analyses[share.exemplar], share.exemplar, prefix)
    return figures


def _mechanism_figures(study: SequenceStudy, analysis: Analysis, member: int, prefix: str = "") -> dict[str, Figure]:
    """How one member works, in the figures that its number of units allows."""
    figures = {}
    if _is_planar(analysis.network):
        title = _title(study, analysis, member, "phase portrait")
        figures[f"{prefix}phase_portrait"] = figures_of.phase_portrait(analysis, title)
        title = _title(study, analysis, member, "how it does it")
        figures[f"{prefix}mechanism"] = figures_of.mechanism(analysis, title)
    if analysis.counters:
        title = _title(study, analysis, member, analysis.counters.describe())
        figures[f"{prefix}counters"] = figures_of.counters(analysis, title)
    return figures


def _files(
    study: SequenceStudy, best: Analysis, course: Course, figures: dict[str, Figure], animation: bool
) -> dict[str, str | bytes]:
    """The automaton in other formats, three units in space as a page, and the animation."""
    svg = io.BytesIO()
    write_svg(figures["automaton"], svg)
    files = _automaton_texts(best) | {"figures/automaton.svg": svg.getvalue()}
    if best.network.hidden_size == 3 and importlib.util.find_spec("plotly"):
        page = figures_of.state_space(best, _title(study, best, study.best, "in space"))
        files |= {"figures/state_space.html": page, "figures/plotly.min.js": plotly_script()}
    if animation and _is_planar(best.network) and len(study.module.snapshots.updates) > 1:
        maps = [symbol_maps(network, best.texts.symbols, best.texts.read) for network in course.networks]
        words = {word: torch.from_numpy(read.text.symbols) for word, read in best.trajectories.items()}
        title = _title(study, best, study.best, "phase portrait")
        frames = portrait_animation(course.networks, maps, course.updates, words, best.language.alphabet, title)
        gif = io.BytesIO()
        write_gif(frames, gif)
        files["figures/phase_portrait.gif"] = gif.getvalue()
    return files


def _automaton_texts(analysis: Analysis) -> dict[str, str | bytes]:
    """The automaton as text for Graphviz and Mermaid."""
    machine = analysis.automaton.machine
    return {"tables/automaton.dot": dot(machine), "tables/automaton.mmd": mermaid(machine)}


def _course(study: SequenceStudy, best: Analysis) -> Course:
    """The best member at up to `SNAPSHOTS` times of its training, the end among them."""
    times, snapshots = study.module.snapshots.updates, study.module.snapshots.vectors
    updates = max(study.module.success.updates, default=0)
    course = Course([], [])
    for place in np.unique(np.linspace(0, len(times) - 1, SNAPSHOTS).round().astype(int)) if times else ():
        network = copy.deepcopy(best.network)
        vector_to_parameters(snapshots[place][study.best], network.parameters())
        course.networks.append(network)
        course.updates.append(times[place])
    if times and times[-1] < updates:
        course.networks.append(best.network)
        course.updates.append(updates)
    return course


def _title(study: SequenceStudy, analysis: Analysis, member: int, what: str) -> str:
    return f"{analysis.heading} (seed {study.seed + member}): {what}"


def _is_planar(network: RecurrentNetwork) -> bool:
    """Whether the whole state is two hidden units."""
    return network.hidden_size == 2 and not network.has_context
