"""Metrics as pure functions.

Everywhere ``scores`` has the shape (n, classes) and any real dtype, higher meaning more likely, and ``labels`` the
shape (n,) with class indices. Where scores tie, the lower class index wins, as in ``argmax``.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[Any]
Labels = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

#: The 97.5 % quantile of the normal distribution.
Z95 = 1.959963984540054


class PerClass(NamedTuple):
    """One number for each class, each of shape (classes,), float64; ``support``, int64, counts the class's samples."""

    precision: Floats
    recall: Floats
    f1: Floats
    support: Counts


def accuracy(scores: Scores, labels: Labels) -> float | None:
    """Share of samples whose highest score is the label's: ``mean(argmax(scores) == label)``.

    Args:
        scores: Shape (n, classes).
        labels: Shape (n,), class indices.

    Returns:
        A share of 1; None without samples.

    >>> scores = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.4, 0.4, 0.2]])
    >>> accuracy(scores, np.array([0, 2, 1]))  # the third is a tie, which class 0 wins
    0.6666666666666666
    """
    return top_k_accuracy(scores, labels, 1)


def top_k_accuracy(scores: Scores, labels: Labels, k: int) -> float | None:
    """Share of samples whose label is among the ``k`` highest scores: ``mean(rank(label) < k)``, ranks from 0.

    Args:
        scores: Shape (n, classes).
        labels: Shape (n,), class indices.
        k: From 1 to the number of classes; with k = 1 it is the accuracy.

    Returns:
        A share of 1; None without samples.

    >>> scores = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.4, 0.4, 0.2]])
    >>> top_k_accuracy(scores, np.array([0, 2, 1]), 2)
    1.0
    """
    return int(hits(scores, labels, k).sum()) / len(labels) if len(labels) else None


def hits(scores: Scores, labels: Labels, k: int) -> NDArray[np.bool_]:
    """Which samples have their label among the ``k`` highest scores.

    Args:
        scores: Shape (n, classes).
        labels: Shape (n,), class indices.
        k: How many scores count.

    Returns:
        Shape (n,), bool.

    >>> hits(np.array([[0.7, 0.3], [0.6, 0.4]]), np.array([0, 1]), 1).tolist()
    [True, False]
    """
    own = scores[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(scores.shape[1])[None, :] < labels[:, None]
    ahead = (scores > own) | ((scores == own) & earlier)
    return np.asarray(ahead.sum(axis=1) < k)


def confusion_matrix(scores: Scores, labels: Labels, classes: int) -> Counts:
    """How many samples of each class were predicted as which.

    Args:
        scores: Shape (n, classes).
        labels: Shape (n,), class indices.
        classes: Number of classes.

    Returns:
        Shape (classes, classes), int64: row i and column j count samples of class i predicted as j.

    >>> confusion_matrix(np.array([[0.7, 0.3], [0.6, 0.4], [0.1, 0.9]]), np.array([0, 1, 1]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    predicted = scores.argmax(axis=1) if len(scores) else np.zeros(0, np.int64)
    flat = labels.astype(np.int64) * classes + predicted
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def per_class(confusion: Counts) -> PerClass:
    """Precision, recall and F1 of each class from a confusion matrix, shape (classes, classes).

    ``precision = tp / (tp + fp)``, ``recall = tp / (tp + fn)``, ``f1 = 2 tp / (2 tp + fp + fn)`` (van Rijsbergen, 1979,
    Information Retrieval, ch. 7); 0 where the denominator is 0.

    >>> result = per_class(np.array([[3, 1], [2, 4]]))
    >>> [[round(float(value), 3) for value in column] for column in result[:3]], result.support.tolist()
    ([[0.6, 0.8], [0.75, 0.667], [0.667, 0.727]], [4, 6])
    """
    right = np.diag(confusion).astype(np.float64)
    predicted, support = confusion.sum(axis=0), confusion.sum(axis=1)
    return PerClass(
        precision=_ratio(right, predicted),
        recall=_ratio(right, support),
        f1=_ratio(2 * right, predicted + support),
        support=support.astype(np.int64),
    )


def macro_f1(confusion: Counts) -> float | None:
    """Mean F1 over the classes that occur among labels or predictions, each with the same weight.

    Args:
        confusion: Shape (classes, classes), counts; see `confusion_matrix`.

    Returns:
        A share of 1; None without samples.

    >>> macro_f1(np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]]))  # the third class does not occur
    0.696969696969697
    """
    occurs = (confusion.sum(axis=0) + confusion.sum(axis=1)) > 0
    return float(per_class(confusion).f1[occurs].mean()) if occurs.any() else None


def auc(scores: Scores, labels: Labels) -> float | None:
    """Area under the ROC curve, one class versus the rest, mean over classes (macro).

    For a class with P samples among n: ``(R - P (P + 1) / 2) / (P (n - P))`` with R the sum of the ranks of its
    samples' scores, ties getting their mean rank (the Mann-Whitney U statistic; Hanley and McNeil, 1982). Classes
    without samples, or without samples of other classes, have no curve and are left out.

    Args:
        scores: Shape (n, classes); only their order within a class's column counts.
        labels: Shape (n,), class indices.

    Returns:
        The area, or None where no class has a curve.

    >>> auc(np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]]), np.array([0, 0, 1, 1]))
    0.75
    """
    areas = []
    for index in range(scores.shape[1]):
        positive = labels == index
        count = int(positive.sum())
        if 0 < count < len(labels):
            ranks = mean_ranks(scores[:, index])
            excess = float(ranks[positive].sum()) - count * (count + 1) / 2
            areas.append(excess / (count * (len(labels) - count)))
    return float(np.mean(areas)) if areas else None


def mean_ranks(values: NDArray[Any]) -> Floats:
    """Ranks from 1 of ``values``, shape (n,); equal values share the mean of their ranks.

    >>> mean_ranks(np.array([10, 30, 20, 20])).tolist()
    [1.0, 4.0, 2.5, 2.5]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse.reshape(-1)], dtype=np.float64)


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share.

    ``(p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)`` with p = successes / n and z = 1.96
    (Wilson, 1927, J. Am. Stat. Assoc. 22, 209).

    Returns:
        The bounds, from 0 to 1; (0, 1) without samples.

    >>> [round(bound, 4) for bound in wilson_interval(90, 100)]
    [0.8256, 0.9448]
    >>> [round(bound, 4) for bound in wilson_interval(20, 20)]
    [0.8389, 1.0]
    """
    if n == 0:
        return 0.0, 1.0
    share, z2 = successes / n, Z95 * Z95
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # The bounds at the ends are exact; rounding must not push them beyond the share itself.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return low, high


def _ratio(numerator: Floats, denominator: Counts) -> Floats:
    out = np.zeros(len(numerator))
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out
