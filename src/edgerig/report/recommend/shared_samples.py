"""Qualities to choose by: where some of a group of candidates ran fewer samples, on those that all of them ran."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from edgerig.errors import StorageError
from edgerig.report.quality.comparisons import MOST, Comparisons
from edgerig.report.recommend.candidates import Candidate
from edgerig.results.compare.judges import Judged, shared_evidence, task_of
from edgerig.results.compare.shared_samples import right_answers, shared_samples
from edgerig.tasks.evidence import ComparedMetric, Evidence
from edgerig.tasks.metrics.functions import wilson_interval
from edgerig.tasks.metrics.resampling import bounds_of, resamples_of


def on_shared_samples(candidates: Sequence[Candidate], comparisons: Comparisons) -> list[Candidate]:
    """The candidates with comparable qualities: where some of a group ran fewer samples, on those that all of the
    group ran. Without raw samples they are returned unchanged."""
    groups: dict[tuple[str, ...], list[Candidate]] = {}
    for candidate in candidates:
        if candidate.usable:
            groups.setdefault(candidate.group, []).append(candidate)
    changed: dict[str, Candidate] = {}
    for members in groups.values():
        replaced: Callable[[Sequence[Candidate], Comparisons], list[Candidate]]
        replaced = _accuracies if members[0].metric == "accuracy" else _metrics
        changed |= {candidate.key: candidate for candidate in replaced(members, comparisons)}
    return [changed.get(candidate.key, candidate) for candidate in candidates]


def _accuracies(members: Sequence[Candidate], comparisons: Comparisons) -> list[Candidate]:
    """Those of a group that are judged by accuracy."""
    known = [comparisons.answers[each.key] for each in members if each.key in comparisons.answers]
    if len(known) < len(members) or len(members) < 2:
        return []
    shared = shared_samples(known)
    if not len(shared) or all(len(answers.indices) == len(shared) for answers in known):
        return []
    result = []
    for candidate, answers in zip(members, known, strict=True):
        right = int(right_answers(answers, shared).sum())
        low, high = wilson_interval(right, len(shared))
        result.append(_with_quality(candidate, right / len(shared), low, high, len(shared)))
    return result


def _metrics(members: Sequence[Candidate], comparisons: Comparisons) -> list[Candidate]:
    """Those of a group that are judged by another metric."""
    if len({candidate.samples for candidate in members}) < 2:
        return []
    result = []
    for candidate, each in zip(members, _evidence(members, comparisons), strict=False):
        metric = each.metric(candidate.metric)
        if metric is not None and metric.count * metric.cost <= MOST:
            result.append(_by_resamples(candidate, metric))
    return result


def _evidence(members: Sequence[Candidate], comparisons: Comparisons) -> tuple[Evidence, ...]:
    """The evidence of each, of the samples that all ran; empty where there is none."""
    sides = []
    for candidate in members:
        loaded, cell = comparisons.cells[candidate.key]
        task = task_of(loaded.result.dataset)
        if isinstance(task, str):
            return ()
        try:
            sides.append(Judged(cell.id, task, comparisons.samples(candidate.key)))
        except StorageError:
            return ()
    evidence = shared_evidence(sides)
    return () if isinstance(evidence, str) else evidence


def _by_resamples(candidate: Candidate, metric: ComparedMetric) -> Candidate:
    """A candidate with the quality that ``metric`` is, and its bounds over resamples."""
    value = float(metric.values(np.ones((1, metric.count)))[0]) if metric.count else math.nan
    if not math.isfinite(value):
        return candidate
    parts = [metric.values(weights) for weights in resamples_of(metric.count, cost=metric.cost)]
    low, high = bounds_of(np.concatenate(parts), value) or (None, None)
    return _with_quality(candidate, value, low, high, metric.count)


def _with_quality(candidate: Candidate, value: float, low: float | None, high: float | None, count: int) -> Candidate:
    return msgspec.structs.replace(
        candidate, quality=value, quality_low=low, quality_high=high, samples=count, shared=True
    )
