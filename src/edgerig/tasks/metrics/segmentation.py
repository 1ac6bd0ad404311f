"""Metrics of class maps, as pure functions of confusion counts.

Everywhere ``counts`` has the shape (..., classes, classes), integers: row i and column j count pixels of class i
predicted as j. Pixels whose truth is negative are not counted. A share whose denominator is 0 is NaN: a class that
neither occurs nor is predicted has no IoU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]

#: Resamplings of a bootstrap interval, and how many of them are computed at once.
RESAMPLINGS, AT_ONCE = 1000, 50
#: Percentiles of the 95 % interval.
TAILS = (2.5, 97.5)


def pixel_counts(truth: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]], classes: int) -> Counts:
    """Confusion counts of each of n images.

    Args:
        truth: Class indices, shape (n, H, W); negative where a pixel is ignored.
        predicted: Class indices below ``classes``, shape (n, H, W).
        classes: Number of classes.

    Returns:
        Shape (n, classes, classes), int32.

    >>> pixel_counts(np.array([[[0, 1, -1]]]), np.array([[[0, 0, 1]]]), 2).tolist()
    [[[1, 0], [1, 0]]]
    """
    counts = np.zeros((len(truth), classes, classes), np.int32)
    for index, (labels, answers) in enumerate(zip(truth, predicted, strict=True)):
        known = labels >= 0
        flat = labels[known].astype(np.int64) * classes + answers[known]
        counts[index] = np.bincount(flat, minlength=classes * classes).reshape(classes, classes)
    return counts


def iou_by_class(counts: Counts) -> Floats:
    """Intersection over union of each class, ``tp / (tp + fp + fn)`` (Jaccard, 1912), shape (..., classes).

    >>> iou_by_class(np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]])).round(3).tolist()
    [0.5, 0.571, nan]
    """
    return _ratio(_hits(counts), _unions(counts))


def dice_by_class(counts: Counts) -> Floats:
    """Dice coefficient of each class, ``2 tp / (2 tp + fp + fn)`` (Dice, 1945), shape (..., classes).

    >>> dice_by_class(np.array([[3, 1], [2, 4]])).round(3).tolist()
    [0.667, 0.727]
    """
    return _ratio(2 * _hits(counts), counts.sum(-1) + counts.sum(-2))


def pixel_accuracy(counts: Counts) -> Floats:
    """Share of pixels of the right class, shape (...,).

    >>> float(pixel_accuracy(np.array([[3, 1], [2, 4]])))
    0.7
    """
    return _ratio(_hits(counts).sum(-1), counts.sum((-1, -2)))


def mean_iou(counts: Counts) -> Floats:
    """Mean of `iou_by_class` over the classes that occur or are predicted, shape (...,).

    >>> round(float(mean_iou(np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]]))), 4)
    0.5357
    """
    return _mean_of_defined(iou_by_class(counts))


def mean_dice(counts: Counts) -> Floats:
    """Mean of `dice_by_class` over the classes that occur or are predicted, shape (...,)."""
    return _mean_of_defined(dice_by_class(counts))


def similarity(counts: Counts, background: int | None = None) -> Floats:
    """Sum of the classes' intersections over the sum of their unions, shape (...,).

    Args:
        counts: See the module.
        background: A class that is left out of both sums.

    >>> counts = np.array([[90, 2], [3, 5]])
    >>> float(similarity(counts)), float(similarity(counts, background=0))  # 95 / (95 + 10), 5 / (5 + 5)
    (0.9047619047619048, 0.5)
    """
    chosen = np.array([index for index in range(counts.shape[-1]) if index != background], np.int64)
    return _ratio(_hits(counts)[..., chosen].sum(-1), _unions(counts)[..., chosen].sum(-1))


def bootstrap_interval(counts: Counts, metric: Callable[[Counts], Floats], seed: int = 0) -> tuple[float, float] | None:
    """The 95 % interval of ``metric`` by the percentile bootstrap over images (Efron, 1979).

    Images are drawn with replacement `RESAMPLINGS` times, their counts summed; the pixels of an image are not
    independent, hence images. Resamplings where the metric is not defined are left out.

    Args:
        counts: Of n images, shape (n, classes, classes).
        metric: A function of counts of shape (m, classes, classes) that returns (m,).
        seed: Of the drawing.

    Returns:
        The bounds; None for fewer than 2 images, or where no resampling defines the metric.
    """
    n, classes = len(counts), counts.shape[-1]
    if n < 2:
        return None
    rng = np.random.default_rng(seed)
    flat = counts.reshape(n, -1).astype(np.float64)
    values: list[Floats] = []
    for _ in range(RESAMPLINGS // AT_ONCE):
        times = rng.multinomial(n, np.full(n, 1 / n), AT_ONCE)
        drawn = np.rint(times @ flat).astype(np.int64)
        values.append(np.asarray(metric(drawn.reshape(AT_ONCE, classes, classes))))
    joined = np.concatenate(values)
    defined = joined[np.isfinite(joined)]
    if not defined.size:
        return None
    low, high = np.percentile(defined, TAILS)
    return float(low), float(high)


def _hits(counts: Counts) -> Counts:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _unions(counts: Counts) -> Counts:
    return np.asarray(counts.sum(-1) + counts.sum(-2) - _hits(counts))


def _mean_of_defined(values: Floats) -> Floats:
    defined = np.isfinite(values)
    return _ratio(np.where(defined, values, 0.0).sum(-1), defined.sum(-1))


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> Floats:
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    return np.asarray(np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0))
