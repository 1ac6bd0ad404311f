"""The table of qualities that are no accuracy, on the samples that variants share: what was lost, or by chance alone.

Accuracy has a table of errors: `edgerig.report.quality.accuracies`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import StorageError
from edgerig.report.figures import metric_figure
from edgerig.report.load import Loaded
from edgerig.report.model import QualityRow, QualityView, Variant
from edgerig.report.recommend.candidates import Candidate
from edgerig.report.values import Figure
from edgerig.results.bundle import Bundle
from edgerig.results.compare.judges import Judged, shared_evidence, task_of
from edgerig.results.compare.quality import QualityOptions, quality_verdicts
from edgerig.results.compare.texts import change_text, interval_text, margin_text
from edgerig.results.compare.types import WORSE, MetricVerdict
from edgerig.results.reading import MAX_SAMPLES
from edgerig.results.types import CellResult
from edgerig.tasks.evidence import ComparedMetric, Evidence
from edgerig.tasks.judgement import MetricValue
from edgerig.tasks.metrics.resampling import bounds_of, resamples_of

#: Samples, each as often as its cost, that are compared for a report: more take seconds, and `edgerig compare` tells.
MOST = 50_000
QUALITY_LEGEND = (
    "The change is on the samples that both ran, with its 95 % interval over samples. Worse and better are told from "
    "chance, and the interval does not lie within the margin; same does."
)
Arrays = Mapping[str, NDArray[Any]]
Member = tuple[Loaded, CellResult, Variant, MetricValue]


def quality_tables(
    cells: Sequence[tuple[int, CellResult]], bundles: Sequence[Loaded], variants: Sequence[Variant]
) -> tuple[QualityView, ...]:
    """A table for each dataset and metric by which at least two variants were judged, where that is no accuracy."""
    groups: dict[tuple[str, ...], list[Member]] = {}
    for (index, cell), variant in zip(cells, variants, strict=True):
        main, dataset = cell.quality.main, bundles[index].result.dataset
        # A bundle may be shared without its raw samples.
        whole = (Bundle(bundles[index].path).cell(cell.id) / "samples.npz").exists()
        if main is not None and main.name != "accuracy" and whole:
            key = (dataset.name, dataset.fingerprint, main.name, main.unit)
            groups.setdefault(key, []).append((bundles[index], cell, variant, main))
    return tuple(_view(name, members) for (name, *_), members in groups.items() if len(members) > 1)


def _view(dataset: str, members: Sequence[Member]) -> QualityView:
    """The float variant is the baseline of the others, or else the first."""
    floats = [index for index, (_, cell, _, _) in enumerate(members) if cell.artifact.scheme == "float32"]
    baseline = members[floats[0] if floats else 0]
    read = cache(_reader)
    rows = tuple(_row(baseline, member, read) for member in members)
    return QualityView(dataset=dataset, metric=baseline[3].name, baseline=baseline[2].label, rows=rows)


def _row(baseline: Member, member: Member, read: Callable[[str, str], Arrays]) -> QualityRow:
    (before, base, _, _), (loaded, cell, variant, main) = baseline, member
    row = QualityRow(
        anchor=variant.anchor,
        label=variant.label,
        quality=metric_figure(main, cell),
        verdict="compared with",
        samples=cell.quality.samples,
    )
    if member is baseline:
        return row
    arrays = partial(read, str(before.path), base.id), partial(read, str(loaded.path), cell.id)
    runs = before.result, loaded.result
    verdicts, notes = quality_verdicts(runs, (base, cell), arrays, QualityOptions(most=MOST))
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


def on_shared_qualities(
    candidates: Sequence[Candidate], cells: Sequence[tuple[int, CellResult]], bundles: Sequence[Loaded]
) -> list[Candidate]:
    """The candidates with comparable qualities, of metrics that are no accuracy: where some of a group ran fewer
    samples, on those that all of the group ran; unchanged where that cannot be had."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, candidate in enumerate(candidates):
        if candidate.usable and candidate.metric != "accuracy":
            groups.setdefault(candidate.group, []).append(index)
    result = list(candidates)
    for members in groups.values():
        if len({candidates[index].samples for index in members}) < 2:
            continue
        evidence = _evidence([(bundles[cells[index][0]], cells[index][1]) for index in members])
        for index, each in zip(members, evidence, strict=False):
            metric = each.metric(candidates[index].metric)
            if metric is not None and metric.count * metric.cost <= MOST:
                result[index] = _on(candidates[index], metric)
    return result


def _on(candidate: Candidate, metric: ComparedMetric) -> Candidate:
    """A candidate with the quality that ``metric`` is, and its bounds over resamples."""
    value = float(metric.values(np.ones((1, metric.count)))[0]) if metric.count else math.nan
    if not math.isfinite(value):
        return candidate
    parts = [metric.values(weights) for weights in resamples_of(metric.count, cost=metric.cost)]
    low, high = bounds_of(np.concatenate(parts), value) or (None, None)
    return msgspec.structs.replace(
        candidate, quality=value, quality_low=low, quality_high=high, samples=metric.count, shared=True
    )


def _evidence(members: Sequence[tuple[Loaded, CellResult]]) -> tuple[Evidence, ...]:
    """The evidence of each, of the samples that all ran; empty where there is none."""
    sides = []
    for loaded, cell in members:
        task = task_of(loaded.result.dataset)
        if isinstance(task, str):
            return ()
        try:
            sides.append(Judged(cell.id, task, _reader(str(loaded.path), cell.id)))
        except StorageError:
            return ()
    evidence = shared_evidence(sides)
    return () if isinstance(evidence, str) else evidence


def difference_words(
    candidate: Candidate, other: Candidate, cells: Mapping[str, tuple[Loaded, CellResult]]
) -> str | None:
    """How a candidate's quality differs from another's on the samples that both ran; None where that is not known.

    Args:
        cells: By the candidates' keys.
    """
    pair = [cells.get(each.key) for each in (other, candidate)]
    if candidate.metric != other.metric or pair[0] is None or pair[1] is None:
        return None
    (before, base), (loaded, cell) = pair[0], pair[1]
    arrays = partial(_reader, str(before.path), base.id), partial(_reader, str(loaded.path), cell.id)
    verdicts, _ = quality_verdicts((before.result, loaded.result), (base, cell), arrays, QualityOptions(most=MOST))
    metric = verdicts.get(candidate.metric)
    if metric is None or metric.value is None:
        return None
    words = {"inconclusive": "which may be chance", "same": "which is the same within the margin"}
    judgement = words.get(metric.verdict, "which is not by chance")
    return f"{change_text(metric, metric.value)} ({interval_text(metric)}) over {metric.count:,} samples, {judgement}"


def _change(metric: MetricVerdict) -> Figure | None:
    if metric.value is None:
        return None
    return Figure(
        text=change_text(metric, metric.value), interval=interval_text(metric), unit=metric.unit, detail=metric.method
    )


def _reader(folder: str, cell: str) -> Arrays:
    """What a bundle stores of a cell's samples: large, and so read when it is compared."""
    return Bundle(folder).samples(cell, limit=MAX_SAMPLES)
