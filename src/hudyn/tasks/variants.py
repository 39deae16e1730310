"""The report on a population whose parts were trained with different settings."""

from collections.abc import Sequence
from functools import partial

from hudyn.figures.sweep import objective_against_settings
from hudyn.metrics.kinds import MeasureKind
from hudyn.metrics.measure import Measure
from hudyn.tasks.artifacts import Artifacts, Row, Table
from hudyn.tasks.base import AnyStudy


def report_variants(study: AnyStudy, objective: str) -> Artifacts:
    """Describe how the measures depend on the settings in which the members differ.

    Args:
        study: an evaluated population with several variants.
        objective: the measure that the figure shows.
    """
    variants = study.module.training_settings.variants
    size = study.members // len(variants)
    parts = [
        {
            name: Measure(measure.values[number * size : (number + 1) * size], measure.kind)
            for name, measure in study.results.items()
        }
        for number in range(len(variants))
    ]
    figures = {}
    if objective in study.results:
        settings: dict[str, Sequence[str]] = {
            path: [f"{variant[path]:g}" for variant in variants] for path in variants[0]
        }
        values = [part[objective].known.tolist() for part in parts]
        is_rate = study.results[objective].kind is MeasureKind.RATE
        figures["variants"] = partial(objective_against_settings, settings, values, objective, is_rate)
    rows: list[Row] = [
        {**variant, "members": size, **_summary(part)} for variant, part in zip(variants, parts, strict=True)
    ]
    return Artifacts(tables={"variants": Table(rows)}, figures=figures, summary={"variants": list(variants)})


def _summary(measures: dict[str, Measure]) -> Row:
    """The mean of each measure; the interval of a rate, else the range over several members."""
    row: dict[str, object] = {}
    for name, measure in measures.items():
        row[name] = measure.mean if len(measure.known) else ""
        if measure.kind is MeasureKind.RATE:
            row[f"{name}_low"], row[f"{name}_high"] = measure.interval or ("", "")
        elif len(measure) > 1:
            row |= {f"{name}_{end}": getattr(measure, end) if len(measure.known) else "" for end in ("min", "max")}
    return row
