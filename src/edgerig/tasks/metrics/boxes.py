"""Boxes of objects in images: how far they overlap, and which of many that overlap are left out.

A box is ``(x, y, width, height)``, as in COCO's files: its left, its top, and its sides, all in one unit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Boxes that are held against all later ones in one call.
_AT_ONCE = 32

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def overlaps(boxes: NDArray[Any], others: NDArray[Any], crowd: Flags | None = None) -> Floats:
    """Intersection over union of each box with each other one.

    In double precision and in the order of operations of COCO's own tools, so that a value at a threshold falls on the
    same side of it as theirs.

    Args:
        boxes: Shape (n, 4).
        others: Shape (m, 4).
        crowd: Shape (m,): which of ``others`` stand for a group of objects, whose overlap with a box is the
            intersection over the area of that box alone.

    Returns:
        Shape (n, m), from 0 to 1; 0 where both boxes are empty.

    >>> overlaps(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 2, 2], [0, 0, 4, 4]]), np.array([False, True])).tolist()
    [[0.3333333333333333, 1.0]]
    """
    ours, theirs = boxes.astype(np.float64)[:, None], others.astype(np.float64)[None]
    far = np.minimum(ours[..., :2] + ours[..., 2:], theirs[..., :2] + theirs[..., 2:])
    sides = np.maximum(far - np.maximum(ours[..., :2], theirs[..., :2]), 0.0)
    shared = sides[..., 0] * sides[..., 1]
    area, other_area = (each[..., 2] * each[..., 3] for each in (ours, theirs))
    union = area + other_area - shared
    if crowd is not None:
        union = np.where(crowd[None], np.broadcast_to(area, shared.shape), union)
    return np.asarray(np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0))


def suppress(
    boxes: NDArray[Any], scores: NDArray[Any], classes: NDArray[Any], limit: float, most: int | None = None
) -> NDArray[np.int64]:
    """Greedy non-maximum suppression within each class.

    Of two boxes of one class whose intersection over union is above ``limit``, the one of the lower score is left out,
    of equal scores the later one.

    Args:
        boxes: Shape (n, 4). scores: Shape (n,). classes: Shape (n,), class indices.
        limit: The largest overlap of two boxes that both stay.
        most: Boxes that stay at most; all if not given.

    Returns:
        Indices of the boxes that stay, by falling score.

    >>> boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 3], [0, 0, 4, 4], [9, 9, 4, 4]])
    >>> suppress(boxes, np.array([0.6, 0.9, 0.8, 0.7]), np.array([0, 0, 1, 0]), 0.5).tolist()
    [1, 2, 3]
    """
    order = np.argsort(-scores, kind="stable")
    sides = boxes[order].astype(np.float64)
    kinds = classes[order]
    alive = np.ones(len(order), bool)
    chosen: list[int] = []
    # Some rows at a time: one call for each box that stays takes longer than comparing some that do not stay.
    for start in range(0, len(order), _AT_ONCE):
        if most is not None and len(chosen) == most:
            break
        rows = slice(start, start + _AT_ONCE)
        compatible = (kinds[rows, None] != kinds[None, start:]) | _apart(sides[rows], sides[start:], limit)
        for rank in range(start, min(start + _AT_ONCE, len(order))):
            if most is not None and len(chosen) == most:
                break
            if alive[rank]:
                chosen.append(rank)
                alive[rank + 1 :] &= compatible[rank - start, rank - start + 1 :]
    return np.asarray(order[chosen], np.int64)


def _apart(boxes: Floats, others: Floats, limit: float) -> Flags:
    """Whether the overlap of each box with each other one is ``limit`` at most, (n, m)."""
    (left, top, width, height), (x, y, wide, high) = boxes.T[:, :, None], others.T[:, None]
    across = np.minimum(left + width, x + wide) - np.maximum(left, x)
    down = np.minimum(top + height, y + high) - np.maximum(top, y)
    shared = np.maximum(across, 0.0) * np.maximum(down, 0.0)
    # Not by division: empty boxes have a union of 0, and an overlap of 0.
    return np.asarray(shared <= limit * (width * height + wide * high - shared))
