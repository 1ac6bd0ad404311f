"""What the records are worth: the quality by the benchmark's own metric, through the metrics of edgerig's tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.suites.mlperf_tiny.runner.records import FileRecord
from edgerig.suites.mlperf_tiny.runner.samples import Sample
from edgerig.suites.mlperf_tiny.runner.stream import (
    FALSE_NEGATIVES,
    FALSE_POSITIVES,
    StreamPart,
    is_whole,
    stream_quality,
)
from edgerig.tasks.classification import judge_quality
from edgerig.tasks.judgement import MetricValue, Quality
from edgerig.tasks.metrics import Accuracy, Auc
from edgerig.tasks.metrics.detection_curves import area_interval, area_under_roc, roc
from edgerig.tasks.windows import mean_over_windows
from edgerig.views import Axis, Curve, Line

#: Names of the metrics that the benchmarks ask for.
TOP1, AUC = "accuracy", "auc"
#: Most points of a curve.
_POINTS = 400


def quality_of(benchmark: Benchmark, samples: Sequence[Sample], records: Sequence[FileRecord]) -> Quality:
    """The quality of a device's answers.

    Results were normalised to a sum of 1 window by window; here those of a file are averaged over its windows. Classes
    give top-1 and the area under the ROC curve, one class versus the rest; a reconstruction's error gives the area.

    Args:
        samples, records: In one order, at least one.
    """
    if benchmark.quality.metric == "events":
        parts = [sample for sample in samples if isinstance(sample, StreamPart)]
        return stream_quality(parts, records, benchmark.input_shape[0])
    windows = np.array([len(record.outputs) for record in records], np.int64)
    values = np.array([output for record in records for output in record.outputs], np.float64)
    scores = mean_over_windows(values, windows)
    labels = np.array([record.label for record in records], np.int64)
    if benchmark.quality.metric == "auc":
        return _anomalies(scores[:, 0], labels == 1)
    names = benchmark.classes
    return judge_quality([Accuracy(len(names)), Auc(len(names))], names, scores.astype(np.float32), labels)


def target_met(benchmark: Benchmark, quality: Quality) -> bool | None:
    """Whether the quality that the benchmark asks for is reached; None where it is not known."""
    if benchmark.quality.metric == "events":
        counts = [metric(quality, name) for name in (FALSE_POSITIVES, FALSE_NEGATIVES)]
        within = all(count is not None and count.value <= benchmark.quality.target for count in counts)
        return None if within and not is_whole(quality.samples) else within
    wanted = {"top1": TOP1, "auc": AUC}.get(benchmark.quality.metric)
    value = metric(quality, wanted) if wanted else None
    return None if value is None else value.value >= benchmark.quality.target


def metric(quality: Quality, name: str) -> MetricValue | None:
    """The metric ``name`` of a quality, where it has one."""
    return next((value for value in quality.metrics if value.name == name), None)


def _anomalies(scores: np.ndarray, anomalous: np.ndarray) -> Quality:
    """The quality of scores that are high for anomalous samples, both of shape (n,)."""
    if anomalous.all() or not anomalous.any():
        kind = "anomalous" if anomalous.any() else "normal"
        return Quality(samples=len(scores), warnings=(f"All {len(scores):,} samples are {kind}: there is no AUC.",))
    area = area_under_roc(scores, anomalous)
    low, high = area_interval(scores, anomalous) or (None, None)
    warnings: tuple[str, ...] = ()
    if area <= 0.5:
        warnings = (f"The scores do not tell anomalous samples from normal ones (AUC {area:.3f}).",)
    false, true = roc(scores, anomalous)
    points = np.unique(np.linspace(0, len(false) - 1, min(len(false), _POINTS)).astype(np.int64))
    line = Line("ROC", tuple(map(float, false[points])), tuple(map(float, true[points])))
    curve = Curve("ROC", Axis("false positive rate", "1"), Axis("true positive rate", "1"), (line,))
    value = MetricValue(name=AUC, value=area, higher_is_better=True, low=low, high=high)
    return Quality(samples=len(scores), metrics=(value,), warnings=warnings, views=(curve,))
