"""Which detections find which objects, by COCO's rules (Lin et al., 2014, and the tools published with it).

Detections of an image and class are taken by falling score. Each takes the object of its class that it overlaps most,
of those that no earlier one has taken, where the overlap reaches a threshold. Some objects are ignored: they need not
be found, and what finds them counts neither as right nor as wrong. Crowds are, and so are objects whose area lies
outside of the range that is judged. An object that is not ignored is preferred to one that is; a crowd can be taken any
number of times. A detection that finds nothing is ignored where its own area lies outside of the range.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.metrics.boxes import Flags, Floats, overlaps

#: Overlaps that count as found: 0.50, 0.55, .. 0.95.
THRESHOLDS: Floats = np.linspace(0.5, 0.95, 10)
#: Ranges of areas, in square pixels of the image: all, small, medium, large.
AREAS = ("all", "small", "medium", "large")
AREA_RANGES: Floats = np.array([(0, 1e10), (0, 32**2), (32**2, 96**2), (96**2, 1e10)], np.float64)
#: Detections of an image and class that are judged at most: those of the highest scores.
MOST_DETECTIONS = 100
#: A threshold of 1 is lowered by this, as in COCO's tools.
_BELOW_ONE = 1 - 1e-10


class Detections(NamedTuple):
    """Detections in all images together: the position of its image, class, score and box, (d,) each, boxes (d, 4)."""

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    score: Floats
    box: Floats

    def select(self, flags: Flags) -> Detections:
        """Those where ``flags``, (d,), says so."""
        return Detections(self.image[flags], self.label[flags], self.score[flags], self.box[flags])


class Objects(NamedTuple):
    """Objects in all images together: image, class, box, whether it is a crowd, area; (g,) each, boxes (g, 4)."""

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    box: Floats
    crowd: Flags
    area: Floats


class Matches(NamedTuple):
    """What detections found; they are ordered by image, within it by class and falling score.

    Attributes:
        image, label, score: Of each detection, (d,) each.
        rank: Number of detections of its image and class that come before it, (d,).
        source: Its index in the detections that were matched, (d,).
        matched: Whether it found an object, (areas, thresholds, d).
        ignored: Whether it counts neither as right nor as wrong, (areas, thresholds, d).
        object_image, object_label: Of each object, (g,).
        object_ignored: Whether it need not be found, (areas, g).
        object_matched: Whether a detection found it, (areas, thresholds, g).
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    score: Floats
    rank: NDArray[np.int64]
    source: NDArray[np.int64]
    matched: Flags
    ignored: Flags
    object_image: NDArray[np.int64]
    object_label: NDArray[np.int64]
    object_ignored: Flags
    object_matched: Flags


def match(
    detections: Detections,
    objects: Objects,
    thresholds: Floats = THRESHOLDS,
    areas: Floats = AREA_RANGES,
    most: int = MOST_DETECTIONS,
) -> Matches:
    """Match detections with objects.

    Args:
        detections, objects: Of all images; scores and boxes are finite.
        thresholds: Overlaps that count as found, shape (thresholds,).
        areas: Smallest and largest area, both included, shape (areas, 2).
        most: Detections of an image and class that are judged at most.
    """
    order = np.lexsort((-detections.score, detections.label, detections.image))
    order = order[_ranks(detections.image[order], detections.label[order]) < most]
    image, label = detections.image[order], detections.label[order]
    score, box = detections.score[order], detections.box[order]
    size = box[:, 2] * box[:, 3]
    outside = (size < areas[:, :1]) | (size > areas[:, 1:])
    object_ignored = objects.crowd | (objects.area < areas[:, :1]) | (objects.area > areas[:, 1:])
    matched = np.zeros((len(areas), len(thresholds), len(order)), bool)
    ignored = np.broadcast_to(outside[:, None], matched.shape).copy()
    object_matched = np.zeros((len(areas), len(thresholds), len(objects.label)), bool)
    rows_of = _groups(objects.image, objects.label)
    for key, chosen in _groups(image, label).items():
        rows = rows_of.get(key)
        if rows is None:
            continue
        overlap = overlaps(box[chosen], objects.box[rows], objects.crowd[rows])
        hits, forgiven, reached = _take(overlap, objects.crowd[rows], object_ignored[:, rows], thresholds)
        matched[..., chosen], object_matched[..., rows] = hits, reached
        ignored[..., chosen] = np.where(hits, forgiven, ignored[..., chosen])
    return Matches(
        image,
        label,
        score,
        _ranks(image, label),
        order,
        matched,
        ignored,
        objects.image,
        objects.label,
        object_ignored,
        object_matched,
    )


def _take(overlap: Floats, crowd: Flags, ignored: Flags, thresholds: Floats) -> tuple[Flags, Flags, Flags]:
    """Which detections find an object, which of these an ignored one, and which objects are found.

    Each has the shape (areas, thresholds, detections or objects).

    Args:
        overlap: Of one image and class, (detections, objects), the detections by falling score.
        crowd: Which objects are crowds, (objects,).
        ignored: Which are ignored, (areas, objects).
        thresholds: See `match`.
    """
    limits = np.minimum(thresholds, _BELOW_ONE)
    count = overlap.shape[1]
    shape = (len(ignored), len(limits), len(overlap))
    matched, forgiven = np.zeros(shape, bool), np.zeros(shape, bool)
    free = np.ones((*shape[:2], count), bool)
    reached_objects = np.zeros_like(free)
    area, threshold = np.indices(shape[:2])
    # Most detections reach no object at all; those are done.
    for row in np.flatnonzero(overlap.max(axis=1) >= limits.min()):
        reached = free & (overlap[row] >= limits[:, None])
        # An object that counts is preferred to an ignored one; of equal overlaps the last is taken.
        counting = reached & ~ignored[:, None]
        eligible = np.where(counting.any(axis=-1, keepdims=True), counting, reached)
        best = count - 1 - np.where(eligible, overlap[row], -1.0)[..., ::-1].argmax(axis=-1)
        hit = reached.any(axis=-1)
        matched[..., row] = hit
        forgiven[..., row] = hit & ignored[area, best]
        free[area[hit], threshold[hit], best[hit]] = False
        reached_objects |= ~free
        free |= crowd
    return matched, forgiven, reached_objects


def _groups(image: NDArray[np.int64], label: NDArray[np.int64]) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Indices of each image and class that occur, in their order."""
    if not image.size:
        return {}
    order = np.lexsort((label, image))
    starts = np.flatnonzero(np.diff(image[order]) | np.diff(label[order])) + 1
    return {(int(image[part[0]]), int(label[part[0]])): part for part in np.split(order, starts)}


def _ranks(image: NDArray[np.int64], label: NDArray[np.int64]) -> NDArray[np.int64]:
    """The position of each within its run of equal image and class."""
    if not image.size:
        return np.zeros(0, np.int64)
    first = np.append(True, (np.diff(image) != 0) | (np.diff(label) != 0))
    starts = np.flatnonzero(first)
    return np.asarray(np.arange(image.size) - starts[np.cumsum(first) - 1], np.int64)
