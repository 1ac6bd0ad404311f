"""How well scores tell anomalous samples from normal ones, over all thresholds.

Everywhere ``scores`` has the shape (n,), higher meaning more anomalous, and ``anomalous`` the shape (n,), bool, with
samples of both kinds. A sample is reported where its score is at or above the threshold.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.metrics.functions import mean_ranks, wilson_interval
from edgerig.tasks.metrics.resampling import bounds_of, resamples_of

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
#: Of a normal distribution 2.5 % lie above so many standard deviations.
Z = 1.959963984540054


class Rates(NamedTuple):
    """Reported samples at each threshold, the highest first: each of shape (thresholds,); ``true`` and ``false`` of
    resamples (m, thresholds)."""

    thresholds: Floats
    true: Floats
    false: Floats


def counts_at_thresholds(scores: NDArray[Any], anomalous: Flags) -> Rates:
    """Numbers of anomalous (``true``) and normal (``false``) samples that are reported, at each score that occurs.

    Scores that tie are one threshold: no threshold tells them apart.

    >>> counts_at_thresholds(np.array([0.1, 0.9, 0.9]), np.array([False, True, False])).true.tolist()
    [1.0, 1.0]
    """
    rates = weighted_counts(scores, anomalous, np.ones((1, len(scores))))
    return Rates(rates.thresholds, rates.true[0], rates.false[0])


def weighted_counts(scores: NDArray[Any], anomalous: Flags, weights: Floats) -> Rates:
    """`counts_at_thresholds` with each sample counted as often as ``weights``, shape (m, n), says."""
    order = np.argsort(-scores, kind="stable")
    ordered, flags, weighed = scores[order].astype(np.float64), anomalous[order], weights[:, order]
    last = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
    true, both = (np.cumsum(part, axis=1)[:, last] for part in (weighed * flags, weighed))
    return Rates(ordered[last], true, both - true)


def roc(scores: NDArray[Any], anomalous: Flags) -> tuple[Floats, Floats]:
    """The receiver operating characteristic: false and true positive rate, from (0, 0) to (1, 1)."""
    rates = counts_at_thresholds(scores, anomalous)
    false, true = (np.concatenate([[0.0], counts]) for counts in (rates.false, rates.true))
    return false / false[-1], true / true[-1]


def area_under_roc(scores: NDArray[Any], anomalous: Flags) -> float:
    """The area under `roc`: the probability that an anomalous sample scores above a normal one, ties counting half.

    >>> area_under_roc(np.array([0.1, 0.5, 0.5, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    false, true = roc(scores, anomalous)
    return _trapezoid(true, false)


def weighted_areas(scores: NDArray[Any], anomalous: Flags, weights: Floats) -> Floats:
    """`area_under_roc` with each sample counted as often as ``weights``, shape (m, n), says, shape (m,); NaN where all
    that count are of one kind.

    >>> weighted_areas(np.array([0.1, 0.5, 0.5]), np.array([False, False, True]), np.array([[1, 1, 1], [1, 1, 0.0]]))
    array([0.75,  nan])
    """
    rates = weighted_counts(scores, anomalous, weights)
    before = np.concatenate([np.zeros((len(weights), 1)), rates.true[:, :-1]], axis=1)
    steps = np.diff(rates.false, axis=1, prepend=0.0)
    above = ((rates.true + before) / 2 * steps).sum(axis=1)
    pairs = rates.true[:, -1] * rates.false[:, -1]
    return np.asarray(np.divide(above, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))


def area_interval(scores: NDArray[Any], anomalous: Flags) -> tuple[float, float] | None:
    """The 95 % interval of `area_under_roc`, on the scale of log(A / (1 - A)), so that it stays within 0 and 1.

    ``var A = var(p) / m + var(q) / n``, where p is the share of the n normal samples below each of the m anomalous
    ones, and q the share of the anomalous ones above each of the normal ones, ties counting half (DeLong, DeLong and
    Clarke-Pearson, 1988). None where the variance is not known: for an area of 0 or 1, or a single sample of a kind.

    >>> bounds = area_interval(np.array([0.1, 0.3, 0.5, 0.4, 0.8, 0.9]), np.array([False] * 3 + [True] * 3))
    >>> [round(bound, 3) for bound in bounds]
    [0.261, 0.995]
    """
    high, low = scores[anomalous], scores[~anomalous]
    area, m, n = area_under_roc(scores, anomalous), len(high), len(low)
    if min(m, n) < 2 or not 0 < area < 1:
        return None
    ranks = mean_ranks(np.concatenate([high, low]))
    below = (ranks[:m] - mean_ranks(high)) / n
    above = 1 - (ranks[m:] - mean_ranks(low)) / m
    deviation = math.sqrt(below.var(ddof=1) / m + above.var(ddof=1) / n)
    middle, reach = math.log(area / (1 - area)), Z * deviation / (area * (1 - area))
    return tuple(1 / (1 + math.exp(-x)) for x in (middle - reach, middle + reach))  # type: ignore[return-value]


def weighted_at_threshold(
    metric: Literal["precision", "recall", "f1"], reported: Flags, anomalous: Flags, weights: Floats
) -> Floats:
    """Precision, recall or F1 with each sample counted as often as ``weights``, shape (m, n), says: shape (m,), NaN
    where it is not defined.

    >>> flags = np.array([True, True, False]), np.array([True, False, True])
    >>> weighted_at_threshold("precision", *flags, np.array([[1.0, 1.0, 1.0], [3.0, 1.0, 0.0]])).tolist()
    [0.5, 0.75]
    """
    true = weights @ (reported & anomalous).astype(np.float64)
    count, right = weights @ reported.astype(np.float64), weights @ anomalous.astype(np.float64)
    above, below = {"precision": (true, count), "recall": (true, right), "f1": (2 * true, count + right)}[metric]
    return np.asarray(np.divide(above, below, out=np.full(len(weights), np.nan), where=below > 0))


def f1_interval(true: int, false: int, missed: int) -> tuple[float, float]:
    """The 95 % interval of ``F1 = 2 J / (1 + J)``, from Wilson's of the share J = TP / (TP + FP + FN)."""
    low, high = wilson_interval(true, true + false + missed)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def partial_area(scores: NDArray[Any], anomalous: Flags, max_fpr: float) -> float:
    """The area under `roc` up to the false positive rate ``max_fpr``, scaled so that 0.5 is chance and 1 is perfect.

    ``(1 + (A - m) / (M - m)) / 2`` with the area A, that of chance m = max_fpr^2 / 2, and the largest, M = max_fpr
    (McClish, 1989, Analyzing a portion of the ROC curve).
    """
    return float(partial_areas(scores, anomalous, max_fpr, np.ones((1, len(scores))))[0])


def partial_area_interval(scores: NDArray[Any], anomalous: Flags, max_fpr: float) -> tuple[float, float] | None:
    """The 95 % interval of `partial_area`: percentiles of resamples of the samples. None where too few of these have
    samples of both kinds."""
    parts = [partial_areas(scores, anomalous, max_fpr, weights) for weights in resamples_of(len(scores))]
    return bounds_of(np.concatenate(parts), partial_area(scores, anomalous, max_fpr))


def partial_areas(scores: NDArray[Any], anomalous: Flags, max_fpr: float, weights: Floats) -> Floats:
    """`partial_area` with each sample counted as often as ``weights``, shape (m, n), says, shape (m,); NaN where all
    that count are of one kind."""
    rates, chance = weighted_counts(scores, anomalous, weights), max_fpr**2 / 2
    areas = np.full(len(weights), np.nan)
    for row, (false, true) in enumerate(zip(rates.false, rates.true, strict=True)):
        if not (false[-1] and true[-1]):
            continue
        x, y = (np.concatenate([[0.0], counts / counts[-1]]) for counts in (false, true))
        stop = int(np.searchsorted(x, max_fpr, side="right"))
        end = float(np.interp(max_fpr, x[stop - 1 : stop + 1], y[stop - 1 : stop + 1]))
        area = _trapezoid(np.append(y[:stop], end), np.append(x[:stop], max_fpr))
        areas[row] = 0.5 * (1 + (area - chance) / (max_fpr - chance))
    return areas


def precision_recall(scores: NDArray[Any], anomalous: Flags) -> tuple[Floats, Floats]:
    """Precision and recall at each threshold, the highest first."""
    rates = counts_at_thresholds(scores, anomalous)
    return rates.true / (rates.true + rates.false), rates.true / rates.true[-1]


def best_f1_threshold(scores: NDArray[Any], anomalous: Flags) -> float:
    """The score at which ``F1 = 2 TP / (TP + FP + anomalous samples)`` is highest; of several the highest score.

    >>> best_f1_threshold(np.array([0.1, 0.5, 0.7, 0.9]), np.array([False, True, False, True]))
    0.5
    """
    rates = counts_at_thresholds(scores, anomalous)
    f1 = 2 * rates.true / (rates.true + rates.false + rates.true[-1])
    return float(rates.thresholds[int(f1.argmax())])


def _trapezoid(y: Floats, x: Floats) -> float:
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum())
