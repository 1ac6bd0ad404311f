"""The table of qualities that are no accuracy, on the samples that variants share: what was lost, or by chance alone.

Accuracy has a table of errors: `accuracies`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgerig.report.figures import metric_figure
from edgerig.report.model import QualityRow, QualityView, Variant
from edgerig.report.quality.comparisons import Comparisons, baseline_of
from edgerig.report.values import Figure
from edgerig.results.bundle import Bundle
from edgerig.results.compare.texts import change_text, interval_text, margin_text
from edgerig.results.compare.types import WORSE, MetricVerdict
from edgerig.tasks.judgement import MetricValue

QUALITY_LEGEND = (
    "The change is on the samples that both ran, with its 95 % interval over samples. Worse and better are told from "
    "chance, and the interval does not lie within the margin; same does."
)
Member = tuple[Variant, MetricValue]


def quality_tables(variants: Sequence[Variant], comparisons: Comparisons) -> tuple[QualityView, ...]:
    """A table for each dataset and metric by which at least two variants were judged, where that is no accuracy."""
    groups: dict[tuple[str, ...], list[Member]] = {}
    for variant in variants:
        loaded, cell = comparisons.cells[variant.anchor]
        main, dataset = cell.quality.main, loaded.result.dataset
        # A bundle may be shared without its raw samples.
        whole = (Bundle(loaded.path).cell(cell.id) / "samples.npz").exists()
        if main is not None and main.name != "accuracy" and whole:
            key = (dataset.name, dataset.fingerprint, main.name, main.unit)
            groups.setdefault(key, []).append((variant, main))
    return tuple(
        _view(dataset, name, members, comparisons)
        for (dataset, _, name, _), members in groups.items()
        if len(members) > 1
    )


def _view(dataset: str, metric: str, members: Sequence[Member], comparisons: Comparisons) -> QualityView:
    baseline = baseline_of([variant for variant, _ in members])
    rows = tuple(_row(baseline, variant, main, comparisons) for variant, main in members)
    return QualityView(dataset=dataset, metric=metric, baseline=baseline.label, rows=rows)


def _row(baseline: Variant, variant: Variant, main: MetricValue, comparisons: Comparisons) -> QualityRow:
    _, cell = comparisons.cells[variant.anchor]
    row = QualityRow(
        anchor=variant.anchor,
        label=variant.label,
        quality=metric_figure(main, cell),
        verdict="compared with",
        samples=cell.quality.samples,
    )
    if variant is baseline:
        return row
    verdicts, notes = comparisons.verdicts(variant.anchor, baseline.anchor)
    metric = verdicts.get(main.name)
    if metric is None:
        return msgspec.structs.replace(row, verdict=" ".join(notes) or "not compared")
    return msgspec.structs.replace(
        row,
        samples=metric.count,
        change=_change(metric),
        margin=margin_text(metric),
        verdict=metric.verdict if metric.verdict != "inconclusive" else f"inconclusive: {metric.sentence}",
        worse=metric.verdict in WORSE,
    )


def _change(metric: MetricVerdict) -> Figure | None:
    if metric.value is None:
        return None
    return Figure(
        text=change_text(metric, metric.value), interval=interval_text(metric), unit=metric.unit, detail=metric.method
    )
