"""The report on how the members of a population work: verdicts, fixed points, automata and counters."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure

from hudyn.arguments import NeedsAALpy
from hudyn.dynamics.analysis import Analysis, analyse, compare
from hudyn.dynamics.branches import follow
from hudyn.dynamics.counters import counter_rows
from hudyn.dynamics.extraction import count_states
from hudyn.dynamics.fixed_points import symbol_maps
from hudyn.dynamics.learner import learn
from hudyn.dynamics.survey import Share, survey
from hudyn.dynamics.verdict import Kind, Verdict, why_not_judged
from hudyn.errors import HudynError
from hudyn.figures import analysis as figures_of
from hudyn.figures.automata import dot, mermaid
from hudyn.figures.clusters import cluster_scatter
from hudyn.figures.eigenvalues import eigenvalue_course
from hudyn.figures.phase_portraits import portrait_animation
from hudyn.figures.style import as_gif
from hudyn.languages import Countable, HasAutomaton, HasStateNames
from hudyn.languages.moore import difference
from hudyn.networks import RecurrentNetwork
from hudyn.side_by_side import run_side_by_side
from hudyn.tasks.artifacts import Artifacts, Content, Drawn, Row, Story, Table
from hudyn.tasks.sequences.module import SequenceStudy
from hudyn.tasks.sequences.story import FIGURES, TABLES, answer, captions, how, kinds, proved
from hudyn.tasks.snapshots import with_parameters

SNAPSHOTS = 24  # at which eigenvalues are followed, and frames of the animation, two seconds of it
BEYOND_TRAINING = 2  # states are counted up to this many times the largest n in the texts,
MAX_COUNTED_N = 24  # but no farther than this: an extraction takes a second there


class Member(NamedTuple):
    """A member of the population and its analysis."""

    number: int
    seed: int
    analysis: Analysis

    @property
    def verdict(self) -> Verdict:
        """The verdict; one without a kind where there is none."""
        return self.analysis.verdict or Verdict(None, why_not_judged(self.analysis.language) or "")

    @property
    def key(self) -> dict[str, object]:
        """The first cells of its rows in tables."""
        return {"member": self.number, "seed": self.seed}

    @property
    def is_planar(self) -> bool:
        """Whether the whole state is two hidden units."""
        return self.analysis.network.hidden_size == 2 and not self.analysis.network.has_context

    def title(self, what: str) -> str:
        """Heading of a figure."""
        return f"{self.analysis.heading} (seed {self.seed}): {what}"


def report_dynamics(
    study: SequenceStudy,
    animation: bool = False,
    draw_unsolved: bool = False,
    learner: NeedsAALpy = False,
    proof: bool = False,
) -> Artifacts:
    """Describe how every member works: verdicts, fixed points, automata, counters.

    Args:
        study: an evaluated population.
        animation: whether to draw the best member's phase portrait during training as ``figures/phase_portrait.gif``
            too, if it has two hidden units.
        draw_unsolved: whether to draw networks that do not solve the task too.
        learner: whether to learn the best member's automaton by L* too (Angluin 1987), if the language has one.
        proof: whether to prove or refute that each member is right in every text, of whatever length, and to prove how
            far it counts and how many fixed points each symbol's map has; seconds a member.

    Raises:
        HudynError: a member that cannot be analysed; `learner` is true, and AALpy is not installed.
    """
    members = _members(study, proof)
    best = members[study.best]
    excess, solved = (study.results[f"test/{name}"].values.tolist() for name in ("excess", "solved"))
    shares = survey([member.analysis.verdict for member in members], excess)
    sentences = [*_sentences_on_all(members, best, shares), *best.analysis.explanation]
    if learner:
        sentences += _learned(best.analysis)
    if proof:
        sentences += _proved(members, best)
    machine = best.analysis.automaton.machine
    figures: dict[str, Drawn] = {}
    files: dict[str, Content] = {"tables/automaton.dot": dot(machine), "tables/automaton.mmd": mermaid(machine)}
    if draw_unsolved or solved[study.best]:
        networks, updates = _course(study, best.analysis.network)
        figures = _figures(best, networks, updates)
        for share in shares:
            if share.kind != best.verdict.kind and (draw_unsolved or share.kind != Kind.UNSOLVED):
                prefix = f"exemplar_{str(share.kind).replace(' ', '_')}_"
                figures |= _mechanism_figures(members[share.exemplar], prefix)
        if animation and best.is_planar and networks:
            files["figures/phase_portrait.gif"] = partial(_animation, best, networks, updates)
    tables = _tables(members, best, proof)
    if proof:
        files["tables/certificate.json"] = _certificates(members)
    who = "The network" if len(members) == 1 else f"The best network, seed {best.seed},"
    return Artifacts(
        tables=tables,
        figures=figures,
        files=files,
        scalable=["automaton"],
        words={"dynamics": "\n\n".join(sentences)},
        summary={"dynamics": _summary(members, best, shares, sentences, proof)},
        story=Story(
            answer=_answer(study, members) if proof else "",
            how=how(best.analysis, who),
            kinds=kinds([member.analysis.verdict for member in members], solved),
            figures=captions(figures, FIGURES),
            tables=captions(tables, TABLES),
        ),
    )


def _members(study: SequenceStudy, proof: bool) -> list[Member]:
    """Each member with its analysis.

    Raises:
        HudynError: a member that cannot be analysed: it has parameters or states that are not finite.
    """
    longest = study.results.get("test/longest")
    members = []
    for number, seed in enumerate(study.seeds):
        with _naming(number, seed):
            analysis = analyse(
                study.network(number),
                study.data.language,
                study.data.evaluation,
                study.data.joined,
                None if longest is None else int(longest.values[number]),
                study.module.max_n,
            )
        members.append(Member(number, seed, analysis))
    return run_side_by_side([partial(_analysed, member, proof) for member in members])


def _analysed(member: Member, proof: bool) -> Member:
    """The member, after the parts of its analysis that every report needs have been computed."""
    analysis = member.analysis
    with _naming(member.number, member.seed):
        _ = analysis.maps, analysis.automaton, analysis.equivalent, analysis.counters, analysis.verdict
        _ = proof and (analysis.certificate, analysis.census, analysis.counting_proof)
    return member


@contextmanager
def _naming(number: int, seed: int) -> Iterator[None]:
    """Let an error say which member it is about."""
    try:
        yield
    except ValueError as error:
        raise HudynError(f"Member {number} (seed {seed}) cannot be analysed: {error}.") from error


def _sentences_on_all(members: Sequence[Member], best: Member, shares: Sequence[Share]) -> list[str]:
    """How many members work in which way, in a sentence; nothing for a single member."""
    if len(members) == 1:
        return []
    sentences = [f"{len(members)} networks" + ": " * bool(shares) + ", ".join(f"{s.kind} {s.members}" for s in shares)]
    if best.analysis.language_automaton:
        equivalent = sum(bool(member.analysis.equivalent) for member in members)
        sentences.append(f"The automata of {equivalent} are equivalent to the language's own")
    return [". ".join([*sentences, f"The best is seed {best.seed}:"])]


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


def _answer(study: SequenceStudy, members: Sequence[Member]) -> str:
    """The outcome of the run, and how many networks are proved right."""
    language, certificates = study.data.language, [member.analysis.certificate for member in members]
    outcome = answer(language, study.results, study.module.max_n, study.data.evaluation_max_n)
    found = [certificate for certificate in certificates if certificate]
    return f"{outcome} {proved(language, found)}" if found else outcome


def _proved(members: Sequence[Member], best: Member) -> list[str]:
    """What is proved, in sentences."""
    sentences = []
    found = [member.analysis.certificate.status for member in members if member.analysis.certificate]
    if len(found) > 1:
        sentences.append(
            f"Proved right in every text, of whatever length: {found.count('proved')} of {len(found)} networks; "
            f"refuted by a text in which they err: {found.count('refuted')}; neither: {found.count('open')}."
        )
    if best.analysis.certificate:
        sentences.append(str(best.analysis.certificate))
    if found and isinstance(language := best.analysis.language, Countable):
        sentences.append(f"These texts have words up to n = {language.max_n}.")
    counting = [member.analysis.counting_proof for member in members if member.analysis.counting_proof]
    if len(counting) > 1:
        reached = sorted(proof.right for proof in counting)
        failing = sum(proof.always_wrong is not None for proof in counting)
        sentences.append(
            f"Proved right on single words, in real arithmetic, up to n = {reached[0]:,} to {reached[-1]:,}, depending "
            f"on the network; proved wrong on all words from some n on: {failing} of {len(counting)} networks."
        )
    if best.analysis.counting_proof:
        sentences.append(str(best.analysis.counting_proof))
    maps = [census for member in members for census in (member.analysis.census or {}).values()]
    if len(members) > 1 and maps:
        points, cycles = (sum(not census.undecided[period] for census in maps) for period in (1, 2))
        sentences.append(
            f"By proof, all fixed points are known of {points:,} of {len(maps):,} maps, and all 2-cycles of {cycles:,}."
        )
    if best.analysis.census:
        parts = [census.describe(symbol) for symbol, census in best.analysis.census.items()]
        sentences.append(f"By proof, the map of {'; that of '.join(parts)}.")
    return sentences


def _certificates(members: Sequence[Member]) -> str:
    """The proofs as plain numbers, for `hudyn-verify`."""
    return json.dumps({"members": [member.key | _record(member.analysis) for member in members]})


def _record(analysis: Analysis) -> dict[str, Any]:
    """Those of one network."""
    certificate, counting = analysis.certificate, analysis.counting_proof
    record: dict[str, Any] = {"status": "none"}
    if certificate:
        record = {"status": certificate.status, "word": certificate.word, "obstacle": certificate.obstacle}
        record |= certificate.record or {}
    return record | ({"counting": counting.record} if counting else {})


def _summary(
    members: Sequence[Member], best: Member, shares: Sequence[Share], sentences: Sequence[str], proof: bool
) -> dict[str, object]:
    """The part of results.json."""
    analyses, machine = [member.analysis for member in members], best.analysis.language_automaton
    return {
        "best_member": best.number,
        "words": sentences,
        "kinds": [asdict(share) | {"kind": str(share.kind)} for share in shares],
        "automata": {
            "language_states": None if machine is None else len(machine),
            "equivalent": sum(bool(analysis.equivalent) for analysis in analyses),
            "consistent": sum(analysis.automaton.consistent for analysis in analyses),
        },
        "members": [
            member.verdict.record()
            | {
                "states": len(analysis.automaton.machine),
                "equivalent": analysis.equivalent,
                "differs": None if analysis.difference is None else str(analysis.difference),
                "purity": analysis.automaton.purity,
            }
            | (_proofs(analysis) if proof else {})
            for member, analysis in zip(members, analyses, strict=True)
        ],
    }


def _proofs(analysis: Analysis) -> dict[str, Any]:
    """Cells on what is proved."""
    certificate, counting, cells = analysis.certificate, analysis.counting_proof, dict[str, Any]()
    if certificate:
        cells |= {"certificate": certificate.status, "errs_after": certificate.word}
    if counting:
        cells |= {"right_up_to": counting.right, "wrong_at": counting.wrong, "wrong_from": counting.always_wrong}
        cells["repeats_from"] = counting.repeats
    return cells


def _tables(members: Sequence[Member], best: Member, proof: bool) -> dict[str, Table]:
    units = [name.replace(" ", "_") for name in best.analysis.network.unit_names]
    values = [f"{part}_{place}" for place in range(1, len(units) + 1) for part in ("eigenvalue", "imaginary")]
    fixed_points = [row for member in members for row in _fixed_point_rows(member, [*units, *values])]
    columns = ["member", "seed", "symbol", "period", "kind", "residual", *units, *values]
    tables = {
        "mechanisms": Table(
            [{**_mechanism_row(member), **(_proofs(member.analysis) if proof else {})} for member in members]
        ),
        "fixed_points": Table(fixed_points, columns),
    }
    if proof:
        tables["census"] = Table(
            [row for member in members for row in _census_rows(member)],
            ["member", "seed", "symbol", "period", "proved", "undecided_boxes"],
        )
        tables["census_states"] = Table(
            [row for member in members for row in _census_states(member, units)],
            ["member", "seed", "symbol", "period", "eigenvalues", *units],
        )
    language = best.analysis.language
    if isinstance(language, Countable):
        counting = [(member.key, member.analysis.counters) for member in members if member.analysis.counters]
        tables["counters"] = Table([key | dict(row) for key, counters in counting for row in counter_rows(counters)])
        largest = min(BEYOND_TRAINING * language.max_n, MAX_COUNTED_N)
        counted = run_side_by_side(
            [partial(count_states, best.analysis.network, language, n) for n in reversed(range(1, largest + 1))]
        )
        if counts := [count for count in reversed(counted) if count]:
            tables["states_by_n"] = Table(
                [asdict(c) | {"network": c.network or "", "equivalent": int(c.equivalent)} for c in counts]
            )
    return tables


def _mechanism_row(member: Member) -> Row:
    row, analysis, verdict = member.key, member.analysis, member.verdict
    if verdict.kind:
        row |= {"kind": str(verdict.kind), "product": "" if verdict.product is None else verdict.product}
        row |= {"predicted": "" if verdict.predicted is None else verdict.predicted, "longest": verdict.longest}
    row["states"] = len(analysis.automaton.machine)
    row["equivalent"] = "" if analysis.equivalent is None else int(analysis.equivalent)
    row["differs"] = "" if analysis.difference is None else str(analysis.difference)
    return row | {"purity": analysis.automaton.purity, "words": " ".join(analysis.explanation)}


def _fixed_point_rows(member: Member, columns: Sequence[str]) -> list[Row]:
    """A row for each fixed point and 2-cycle; `columns` name the units and eigenvalues."""
    rows: list[Row] = []
    for symbol, symbol_map in member.analysis.maps.items():
        for point in (*symbol_map.fixed_points, *symbol_map.cycles):
            row = member.key | {"symbol": symbol, "period": point.period, "kind": point.name}
            values = [float(part) for value in point.eigenvalues for part in (value.real, value.imag)]
            cells = dict(zip(columns, [*point.state.tolist(), *values], strict=True))
            rows.append(row | {"residual": point.residual} | cells)
    return rows


def _census_rows(member: Member) -> list[Row]:
    """A row for each symbol's fixed points and 2-cycles: how many are proved."""
    return [
        member.key | {"symbol": symbol, "period": period, "proved": len(found), "undecided_boxes": left}
        for symbol, census in (member.analysis.census or {}).items()
        for (period, left), found in zip(census.undecided.items(), (census.points, census.cycles), strict=True)
    ]


def _census_states(member: Member, units: Sequence[str]) -> list[Row]:
    """A row for each fixed point and 2-cycle that is proved."""
    rows: list[Row] = []
    for symbol, census in (member.analysis.census or {}).items():
        for found in (*census.points, *census.cycles):
            discs = zip(found.eigenvalues, found.errors, strict=True)
            row = member.key | {"symbol": symbol, "period": found.period}
            row["eigenvalues"] = " ".join(f"{value:.6g}±{error:.1g}" for value, error in discs)
            rows.append(row | dict(zip(units, found.states.mid[0].tolist(), strict=True)))
    return rows


def _figures(best: Member, networks: Sequence[RecurrentNetwork], updates: Sequence[int]) -> dict[str, Drawn]:
    """Every figure of the best member."""
    analysis = best.analysis
    figures = dict[str, Drawn]()  # what takes longest to draw comes first
    if networks:
        figures["eigenvalues"] = partial(_eigenvalues, best, networks, updates)
    figures |= _mechanism_figures(best)
    figures["automaton"] = partial(figures_of.automaton, analysis, best.title("automaton"))
    figures["automaton_states"] = partial(cluster_scatter, analysis.automaton, best.title("clusters"))
    if analysis.network.hidden_size > 3:
        title = best.title("principal components")
        figures["principal_components"] = partial(figures_of.principal_components, analysis, title)
    return figures


def _eigenvalues(best: Member, networks: Sequence[RecurrentNetwork], updates: Sequence[int]) -> Figure | None:
    """The eigenvalues of the fixed points in training; None if there is none to follow."""
    texts, alphabet = best.analysis.texts, best.analysis.language.alphabet
    branches = follow(networks, texts.symbols, texts.read)
    title = best.title("eigenvalues of the fixed points in training")
    return eigenvalue_course(branches, updates, alphabet, title) if branches else None


def _mechanism_figures(member: Member, prefix: str = "") -> dict[str, Drawn]:
    """How one member works, in the figures that its number of units allows."""
    figures, analysis = dict[str, Drawn](), member.analysis
    if member.is_planar:
        figures[f"{prefix}phase_portrait"] = partial(
            figures_of.phase_portrait, analysis, member.title("phase portrait")
        )
        figures[f"{prefix}mechanism"] = partial(figures_of.mechanism, analysis, member.title("how it does it"))
    if analysis.counters:
        figures[f"{prefix}counters"] = partial(
            figures_of.counters, analysis, member.title(analysis.counters.describe())
        )
    return figures


def _animation(best: Member, networks: Sequence[RecurrentNetwork], updates: Sequence[int]) -> bytes:
    """The phase portrait during training."""
    analysis = best.analysis
    maps = [symbol_maps(network, analysis.texts.symbols, analysis.texts.read) for network in networks]
    words = {word: torch.from_numpy(read.text.symbols) for word, read in analysis.trajectories.items()}
    title = best.title("phase portrait")
    return as_gif(portrait_animation(networks, maps, updates, words, analysis.language.alphabet, title))


def _course(study: SequenceStudy, now: RecurrentNetwork) -> tuple[list[RecurrentNetwork], list[int]]:
    """The best member at up to `SNAPSHOTS` times of its training and `now`, with the updates made before each."""
    times, snapshots = study.module.snapshots.updates, study.module.snapshots.vectors
    updates = max(study.module.success.updates, default=0)
    if len(times) < 2:
        return [], []
    chosen = np.unique(np.linspace(0, len(times) - 1, SNAPSHOTS).round().astype(int)).tolist()
    networks = [with_parameters(now, snapshots[place][study.best]) for place in chosen]
    is_later = times[-1] < updates
    return networks + [now] * is_later, [times[place] for place in chosen] + [updates] * is_later
