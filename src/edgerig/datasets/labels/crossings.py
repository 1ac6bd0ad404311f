"""Whether a closed line crosses itself: whoever drew it may have meant another area than the even-odd rule gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.labels.shapes import Ring, Shape

#: Most pairs of edges that are looked at; a line of which more lie above each other is taken as it is.
MOST_PAIRS = 4_000_000
Floats = NDArray[np.float64]


def crosses_itself(ring: Ring | Sequence[float]) -> bool:
    """Whether two edges of a closed line cross, each at an inner point of both; that they touch is no crossing.

    Two edges cross where the ends of each lie on both sides of the other (de Berg et al., Computational Geometry,
    2008, section 2.1). Only edges whose extents along x overlap are compared.

    Args:
        ring: Corners x, y, x, y .., finite.

    >>> crosses_itself((0, 0, 2, 2, 2, 0, 0, 2)), crosses_itself((0, 0, 2, 0, 2, 2, 0, 2))
    (True, False)
    """
    start = np.asarray(ring, np.float64).reshape(-1, 2)
    end = np.roll(start, -1, axis=0)
    left, right = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    order = np.argsort(left, kind="stable")
    start, end, left, right = start[order], end[order], left[order], right[order]
    index = np.arange(len(start))
    # Of each edge those that begin before it ends, of the ones that begin later.
    counts = np.searchsorted(left, right, side="right") - index - 1
    total = int(counts.sum())
    if not 0 < total <= MOST_PAIRS:
        return False
    first = np.repeat(index, counts)
    second = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts) + first + 1
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    near = (low[first] < high[second]) & (low[second] < high[first])
    first, second = first[near], second[near]
    a, b, c, d = start[first], end[first], start[second], end[second]
    apart = _side(a, b, c) * _side(a, b, d) < 0
    return bool(np.any(apart & (_side(c, d, a) * _side(c, d, b) < 0)))


def has_crossings(shape: Shape) -> bool:
    """Whether some line of a shape's polygons crosses itself."""
    return any(crosses_itself(ring) for polygon in shape.polygons for ring in (polygon.outer, *polygon.holes))


def _side(start: Floats, end: Floats, point: Floats) -> Floats:
    """-1, 0 or 1: on which side of the line from ``start`` to ``end`` a point lies."""
    along, to = end - start, point - start
    return np.asarray(np.sign(along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0]))
