"""Precision and recall of the detections of one class over all scores, as COCO interpolates them.

At a recall r, precision is the highest one at any recall >= r; it is taken at 101 recalls, 0.00, 0.01, .. 1.00, and is
0 at those that are never reached. A class without an object that has to be found has neither: NaN.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.metrics.box_matching import Matches
from edgerig.tasks.metrics.boxes import Flags, Floats

#: Recalls at which precision is taken.
RECALLS: Floats = np.linspace(0.0, 1.0, 101)
#: Keeps a ratio of nothing to nothing at 0, as in COCO's tools.
_TINY = np.spacing(1)


class ClassMatches(NamedTuple):
    """The detections of one class by falling score, and its objects that have to be found.

    Attributes:
        image: Of each detection, (d,).
        right, wrong: Whether it counts as such, (thresholds, d) each; neither where it is ignored.
        object_image: Of each object, (g,).
    """

    image: NDArray[np.int64]
    right: Flags
    wrong: Flags
    object_image: NDArray[np.int64]


def class_matches(matches: Matches, area: int, most: int, label: int) -> ClassMatches:
    """The part of ``matches`` that is of class ``label`` and a range of areas; ``most`` detections an image of it."""
    chosen = np.flatnonzero((matches.label == label) & (matches.rank < most))
    chosen = chosen[np.argsort(-matches.score[chosen], kind="stable")]
    # What is ignored at every threshold is left out: of a narrow range of areas that is most of it.
    chosen = chosen[~matches.ignored[area][:, chosen].all(axis=0)]
    matched, judged = matches.matched[area][:, chosen], ~matches.ignored[area][:, chosen]
    wanted = (matches.object_label == label) & ~matches.object_ignored[area]
    return ClassMatches(
        matches.image[chosen], matched & judged, ~matched & judged, np.asarray(matches.object_image[wanted], np.int64)
    )


def interpolated_precision(part: ClassMatches) -> Floats:
    """Precision at each of `RECALLS`, (thresholds, 101)."""
    interpolated = np.zeros((len(part.right), len(RECALLS)))
    if not len(part.object_image):
        return np.full_like(interpolated, np.nan)
    right, wrong = (np.cumsum(flags, axis=1, dtype=np.float64) for flags in (part.right, part.wrong))
    precision = right / (right + wrong + _TINY)
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    for row, reached in enumerate(right / len(part.object_image)):
        at = np.searchsorted(reached, RECALLS, side="left")
        known = at < reached.size
        interpolated[row, known] = highest[row, at[known]]
    return interpolated


def final_recall(part: ClassMatches) -> Floats:
    """Share of the objects that are found by any detection, (thresholds,)."""
    return np.asarray(weighted_recall(part, np.ones((1, 1 + _last(part))))[0])


def weighted_recall(part: ClassMatches, weights: NDArray[Any]) -> Floats:
    """`final_recall` where each image counts as often as ``weights``, (resamples, images), says.

    Returns:
        Shape (resamples, thresholds).
    """
    total = weights[:, part.object_image].sum(axis=1, dtype=np.float64)[:, None]
    at = np.flatnonzero(part.right.any(axis=0))
    hits = weights[:, part.image[at]].astype(np.float64) @ part.right[:, at].T.astype(np.float64)
    return np.asarray(np.divide(hits, total, out=np.full(hits.shape, np.nan), where=total > 0))


def weighted_precision(part: ClassMatches, weights: NDArray[Any]) -> Floats:
    """The mean over `RECALLS` of `interpolated_precision`, where each image counts as often as ``weights`` says.

    The same sum in another order: recall rises at right detections alone, and each of these is given the recalls that
    it is the first to reach.

    Args:
        part: The detections and objects.
        weights: Shape (resamples, images).

    Returns:
        Shape (resamples, thresholds).
    """
    total = weights[:, part.object_image].sum(axis=1, dtype=np.float64)[:, None]
    means = np.zeros((len(weights), len(part.right)))
    if not part.right.any():
        # As for ranges of areas that no object has: the sums below take nearly all of the time of an interval.
        return np.where(total > 0, means, np.nan)
    share = weights[:, part.image].astype(np.float64)
    running = np.cumsum(share, axis=1)
    for row, (right, wrong) in enumerate(zip(part.right, part.wrong, strict=True)):
        at = np.flatnonzero(right)
        if not at.size:
            continue
        hits = np.cumsum(share[:, at], axis=1)
        judged = running[:, at] - _before(share, np.flatnonzero(~(right | wrong)), at)
        precision = hits / (judged + _TINY)
        highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        recall = np.divide(hits, total, out=np.zeros(hits.shape), where=total > 0)
        gained = np.diff(np.searchsorted(RECALLS, recall, side="right"), axis=1, prepend=0)
        means[:, row] = (highest * gained).sum(axis=1) / len(RECALLS)
    return np.where(total > 0, means, np.nan)


def _before(share: Floats, chosen: NDArray[np.int64], at: NDArray[np.int64]) -> Floats:
    """The sum over the columns ``chosen`` before each of the columns ``at``, both rising; (resamples, at)."""
    sums = np.cumsum(share[:, chosen], axis=1)
    sums = np.concatenate([np.zeros((len(share), 1)), sums], axis=1)
    return np.asarray(sums[:, np.searchsorted(chosen, at)])


def _last(part: ClassMatches) -> int:
    return int(max(part.image.max(initial=0), part.object_image.max(initial=0)))
