"""How much the quality of one candidate differs from another's, in words for the reasons of a recommendation."""

from __future__ import annotations

from edgerig.report.quality.accuracies import verdict
from edgerig.report.quality.comparisons import Comparisons
from edgerig.report.recommend.candidates import Candidate
from edgerig.results.compare.texts import change_text, interval_text


def difference_words(candidate: Candidate, other: Candidate, comparisons: Comparisons) -> str | None:
    """How a candidate's quality differs from another's on the samples that both ran; None where that is not known."""
    if candidate.metric != other.metric:
        return None
    if candidate.metric == "accuracy":
        return _errors(candidate, other, comparisons)
    verdicts, _ = comparisons.verdicts(candidate.key, other.key)
    metric = verdicts.get(candidate.metric)
    if metric is None or metric.value is None:
        return None
    words = {"inconclusive": "which may be chance", "same": "which is the same within the margin"}
    judgement = words.get(metric.verdict, "which is not by chance")
    return f"{change_text(metric, metric.value)} ({interval_text(metric)}) over {metric.count:,} samples, {judgement}"


def _errors(candidate: Candidate, other: Candidate, comparisons: Comparisons) -> str | None:
    row = comparisons.accuracy(candidate.key, other.key)
    if row is None:
        return None
    few = f" of {row.samples:,} samples"
    return f"{row.errors:,} errors{few} where that makes {row.baseline_errors:,}, {verdict(row, False)}"
