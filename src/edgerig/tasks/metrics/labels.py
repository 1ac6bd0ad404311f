"""How well several labels a sample are predicted, each present or not, independently of the others.

Everywhere ``scores`` has the shape (n, labels), higher meaning more certain, and ``truth`` the shape (n, labels):
1 where a label is present, 0 where it is not, negative where that is not known, which is left out. A label is predicted
where its score is at or above the threshold.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.metrics.detection_curves import counts_at_thresholds

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
    f1 = f1_by_label(counts)
    defined = np.isfinite(f1)
    number = defined.sum(axis=-1)
    total = np.where(defined, f1, 0.0).sum(axis=-1)
    return np.divide(total, number, out=np.full(np.shape(total), np.nan), where=number > 0)


def average_precision(scores: Array, present: Array) -> float:
    """``sum of (R_k - R_(k-1)) P_k`` over the thresholds k, the highest first, with precision P and recall R.

    Scores that tie are one threshold. Not interpolated, as by scikit-learn's ``average_precision_score``.

    Args:
        scores: Shape (n,). present: Shape (n,), bool, at least one of them True.

    >>> round(average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True])), 4)
    0.8333
    """
    rates = counts_at_thresholds(scores, present)
    recall = rates.true / rates.true[-1]
    precision = rates.true / (rates.true + rates.false)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def average_precisions(scores: Array, truth: Array) -> Floats:
    """`average_precision` by label, shape (labels,); NaN for a label that is nowhere present."""
    values = np.full(scores.shape[1], np.nan)
    for label in range(scores.shape[1]):
        known = truth[:, label] >= 0
        present = truth[known, label] == 1
        if present.any():
            values[label] = average_precision(scores[known, label], present)
    return values
