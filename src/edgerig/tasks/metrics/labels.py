"""How well several labels a sample are predicted, each present or not, independently of the others.

Everywhere ``scores`` has the shape (n, labels), higher meaning more certain, and ``truth`` the shape (n, labels):
1 where a label is present, 0 where it is not, negative where that is not known, which is left out. A label is predicted
where its score is at or above the threshold.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.metrics.detection_curves import weighted_counts

Floats = NDArray[np.float64]
Array = NDArray[Any]


class LabelCounts(NamedTuple):
    """Numbers of true positives, false positives and false negatives, each of shape (labels,) or (m, labels)."""

    true: Floats
    false: Floats
    missed: Floats


def counts_of(scores: Array, truth: Array, threshold: float, weights: Floats | None = None) -> LabelCounts:
    """Counts by label; where ``weights``, shape (m, n), says how often each sample counts, in m rows."""
    predicted, present, known = scores >= threshold, truth == 1, truth >= 0
    parts = [predicted & present, predicted & ~present & known, ~predicted & present]
    if weights is None:
        return LabelCounts(*(part.sum(axis=0).astype(np.float64) for part in parts))
    return LabelCounts(*(weights @ part.astype(np.float64) for part in parts))


def f1_by_label(counts: LabelCounts) -> Floats:
    """``F1 = 2 TP / (2 TP + FP + FN)`` by label; NaN for one that is neither present nor predicted anywhere.

    >>> f1_by_label(LabelCounts(np.array([2.0, 0.0]), np.array([1.0, 0.0]), np.array([1.0, 0.0]))).tolist()
    [0.6666666666666666, nan]
    """
    twice = 2 * counts.true
    whole = twice + counts.false + counts.missed
    f1: Floats = np.divide(twice, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return f1


def micro_f1(counts: LabelCounts) -> Any:
    """F1 of all labels' counts together; NaN where no label is present or predicted anywhere. Scalar, or shape (m,)."""
    return f1_by_label(LabelCounts(*(part.sum(axis=-1) for part in counts)))


def macro_f1(counts: LabelCounts) -> Any:
    """Mean F1 over the labels that have one, each with the same weight; NaN where none has. Scalar, or shape (m,)."""
    return mean_defined(f1_by_label(counts))


def mean_defined(values: Floats) -> Any:
    """Mean over the labels, the last axis, that have a number; NaN where none has. Scalar, or shape (m,)."""
    defined = np.isfinite(values)
    number = defined.sum(axis=-1)
    total = np.where(defined, values, 0.0).sum(axis=-1)
    return np.divide(total, number, out=np.full(np.shape(total), np.nan), where=number > 0)


def average_precision(scores: Array, present: Array) -> float:
    """``sum of (R_k - R_(k-1)) P_k`` over the thresholds k, the highest first, with precision P and recall R.

    Scores that tie are one threshold. Not interpolated, as by scikit-learn's ``average_precision_score``.

    Args:
        scores: Shape (n,). present: Shape (n,), bool, at least one of them True.

    >>> round(average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True])), 4)
    0.8333
    """
    return float(_weighted_precision(scores, present, np.ones((1, len(scores))))[0])


def average_precisions(scores: Array, truth: Array, weights: Floats | None = None) -> Floats:
    """`average_precision` by label, shape (labels,); NaN for a label that is nowhere present.

    Where ``weights``, shape (m, n), says how often each sample counts: shape (m, labels).
    """
    rows = np.ones((1, len(scores))) if weights is None else weights
    values = np.full((len(rows), scores.shape[1]), np.nan)
    for label in range(scores.shape[1]):
        known = truth[:, label] >= 0
        present = truth[known, label] == 1
        if present.any():
            values[:, label] = _weighted_precision(scores[known, label], present, rows[:, known])
    return values if weights is not None else values[0]


def _weighted_precision(scores: Array, present: Array, weights: Floats) -> Floats:
    """`average_precision` with each sample counted as often as ``weights``, shape (m, n), says; NaN where none present
    has a weight."""
    rates = weighted_counts(scores, present, weights)
    total = rates.true[:, -1:]
    recall = np.divide(rates.true, total, out=np.full(rates.true.shape, np.nan), where=total > 0)
    both = rates.true + rates.false
    precision = np.divide(rates.true, both, out=np.zeros_like(both), where=both > 0)
    mean: Floats = (np.diff(recall, prepend=0.0, axis=1) * precision).sum(axis=1)
    return mean
