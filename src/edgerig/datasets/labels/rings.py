"""Outlines as one closed line, for formats that have neither parts nor holes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgerig.datasets.labels import masks, runs
from edgerig.datasets.labels.contours import mask_to_polygons
from edgerig.datasets.labels.polygons import ring_to_runs
from edgerig.datasets.labels.shapes import Polygon, Ring, Shape


def single_ring(shape: Shape, height: int, width: int, stored: Callable[[Ring], Ring]) -> tuple[Ring | None, bool]:
    """One line around exactly the pixels of a shape's mask.

    A single polygon stays as it is; parts and holes are joined by cuts of no width; where that would not enclose the
    same pixels, as of parts that overlap, and of run lengths, the line follows the borders of the pixels.

    Args:
        shape: It has an outline.
        height, width: Of the image, in pixels.
        stored: The coordinates that come back of a line after it has been written and read.

    Returns:
        The line, None where no pixel is in the mask, and whether it is another one than that of the shape's polygon.
    """
    pixels = masks.shape_runs(shape, height, width)
    if not runs.area(pixels):
        return None, False
    if shape.polygons:
        ring = joined(shape.polygons)
        if np.array_equal(ring_to_runs(stored(ring), height, width), pixels):
            return ring, len(shape.polygons) > 1 or bool(shape.polygons[0].holes)
    return joined(mask_to_polygons(runs.decode(pixels, height, width))), True


def joined(polygons: Sequence[Polygon]) -> Ring:
    """The parts and holes of polygons as one line, which goes from its first corner to each of them and back.

    >>> joined([Polygon((0, 0, 9, 0, 9, 9), ((5, 2, 6, 2, 6, 3),))])
    (0, 0, 9, 0, 9, 9, 0, 0, 5, 2, 6, 2, 6, 3, 5, 2, 0, 0)
    """
    first, *others = [ring for polygon in polygons for ring in (polygon.outer, *polygon.holes)]
    if not others:
        return first
    start = first[:2]
    return sum(((*ring, *ring[:2], *start) for ring in others), (*first, *start))
