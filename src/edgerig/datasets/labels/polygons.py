"""Polygons to runs of pixels, by COCO's rule.

The rule (Lin et al., 2014; ``rleFrPoly`` of the COCO API): corners are rounded to a grid of five times the image's
resolution, edges are drawn there with a step of one cell along their longer side, and where a line passes the middle of
a column of pixels, that column changes between outside and inside at the first pixel whose middle is not above the
line. So parts of a polygon that crosses itself count by the even-odd rule.

Only the points where an edge passes the middle of a column matter; they are computed directly instead of all points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.labels import runs
from edgerig.datasets.labels.shapes import Polygon, Ring
from edgerig.errors import DatasetError

#: Cells of the grid that make a pixel.
SCALE = 5
#: In a column of pixels the line is looked at between this cell and the next.
_MIDDLE = 2
#: Largest coordinate: cells of the grid are exact in 32 bits, as the reference has them.
LARGEST = 1e8
#: Most points where the edges of a polygon may pass the middles of columns.
MOST_CROSSINGS = 50_000_000

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def polygons_to_runs(polygons: Sequence[Polygon], height: int, width: int) -> runs.Lengths:
    """The runs of what lies within any of several polygons and in none of its own holes.

    Raises:
        DatasetError: A polygon's edges are too many and too long.
    """
    parts = []
    for polygon in polygons:
        part = ring_to_runs(polygon.outer, height, width)
        if polygon.holes:
            part = runs.difference(part, runs.union([ring_to_runs(hole, height, width) for hole in polygon.holes]))
        parts.append(part)
    return runs.union(parts)


def ring_to_runs(ring: Ring | Sequence[float], height: int, width: int) -> runs.Lengths:
    """The runs of what lies within a closed line.

    Args:
        ring: Corners x, y, x, y .. in pixels, finite, `LARGEST` at most; they may lie outside of the image.
        height, width: Of the image, in pixels.

    Raises:
        DatasetError: It has too many edges that are too long.
    """
    # Towards zero, as the conversion to integers in C.
    corners = np.trunc(SCALE * np.asarray(ring, np.float64).reshape(-1, 2) + 0.5)
    positions = np.sort(_crossings(corners, height, width))
    # Two lines that pass at the same pixel cancel each other out.
    if len(positions):
        first = np.flatnonzero(np.diff(positions, prepend=-1))
        repetitions = np.diff(first, append=len(positions))
        positions = positions[first[repetitions % 2 == 1]]
    return runs.from_boundaries(positions, height * width)


def _crossings(corners: Floats, height: int, width: int) -> Ints:
    """Positions, column by column, at which the edges between corners on the grid pass the middles of columns."""
    ends = np.roll(corners, -1, axis=0)
    backwards = corners[:, 0] > ends[:, 0]
    near = np.where(backwards[:, None], ends, corners)
    far = np.where(backwards[:, None], corners, ends)
    first = np.maximum(np.ceil((near[:, 0] - _MIDDLE) / SCALE), 0)
    last = np.minimum(np.floor((far[:, 0] - 1 - _MIDDLE) / SCALE), width - 1)
    columns = np.maximum(last - first + 1, 0).astype(np.int64)
    total = int(columns.sum())
    if total > MOST_CROSSINGS:
        raise DatasetError(
            f"A polygon of {len(corners):,} corners passes {total:,} columns of its image.",
            "Its points are not an outline; a mask may be stored as run lengths instead.",
        )
    edge = np.repeat(np.arange(len(corners)), columns)
    column = np.arange(total) - np.repeat(np.cumsum(columns) - columns, columns) + first[edge].astype(np.int64)
    cell = SCALE * column + _MIDDLE
    rise = far - near
    flat = rise[:, 0] >= np.abs(rise[:, 1])
    y = np.empty(total, np.int64)
    chosen = flat[edge]
    y[chosen] = _on_flat_edges(near[edge[chosen]], rise[edge[chosen]], cell[chosen])
    y[~chosen] = _on_steep_edges(near[edge[~chosen]], rise[edge[~chosen]], cell[~chosen])
    # The first pixel whose middle, in the grid, is not above; within the column.
    row = np.clip(-((_MIDDLE - y) // SCALE), 0, height)
    return np.asarray(column * height + row, np.int64)


def _on_flat_edges(near: Floats, rise: Floats, cell: Ints) -> Ints:
    """The upper of an edge's cells at columns ``cell`` and ``cell + 1``; its steps are along x."""
    slope = rise[:, 1] / rise[:, 0]
    step = cell - near[:, 0]
    before, after = (np.trunc(near[:, 1] + slope * (step + n) + 0.5) for n in (0, 1))
    return np.asarray(np.minimum(before, after), np.int64)


def _on_steep_edges(near: Floats, rise: Floats, cell: Ints) -> Ints:
    """The upper of the two cells between which an edge passes from column ``cell`` to the next; steps are along y."""
    downwards = rise[:, 1] > 0
    upper = np.where(downwards[:, None], near, near + rise)
    length = np.abs(rise[:, 1])
    slope = np.where(downwards, rise[:, 0], -rise[:, 0]) / length
    # From the upper end down x grows or falls; the step sought is the first beyond the border between the two cells.
    step = np.clip(np.ceil((cell + 0.5 - upper[:, 0]) / slope), 1, length)
    for _ in range(2):  # the quotient's rounding may be one step off
        step = np.where((step > 1) & _beyond(upper[:, 0], slope, step - 1, cell), step - 1, step)
        step = np.where((step < length) & ~_beyond(upper[:, 0], slope, step, cell), step + 1, step)
    return np.asarray(upper[:, 1] + step - 1, np.int64)


def _beyond(start: Floats, slope: Floats, step: Floats, cell: Ints) -> NDArray[np.bool_]:
    """Whether an edge has passed from one of the columns ``cell`` and ``cell + 1`` to the other after these steps."""
    x = np.trunc(start + slope * step + 0.5)
    return np.asarray(np.where(slope > 0, x > cell, x <= cell))
