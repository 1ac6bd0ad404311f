"""Masks to polygons: the lines between pixels in the mask and pixels outside, so that no pixel is lost or won."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.labels.shapes import Polygon, Ring

Ints = NDArray[np.int64]


def mask_to_polygons(mask: NDArray[Any]) -> tuple[Polygon, ...]:
    """The outlines of a mask's parts, with their holes; corners are at integer coordinates.

    Pixels that touch at a corner only belong to different parts. `edgerig.datasets.labels.polygons` makes the same
    mask of the outlines.

    Args:
        mask: Shape (H, W); what is not 0 is in it.

    >>> mask_to_polygons(np.array([[0, 1], [0, 1]]))
    (Polygon(outer=(1.0, 0.0, 2.0, 0.0, 2.0, 2.0, 1.0, 2.0), holes=()),)
    """
    inside = np.pad(np.asarray(mask, bool), 1)
    rings = _rings(inside)
    outers = [ring for ring in rings if inside[ring[0][1] + 1, ring[0][0] + 1]]
    holes = [ring for ring in rings if not inside[ring[0][1] + 1, ring[0][0] + 1]]
    owners = _owners(rings, {id(ring) for ring in outers})
    polygons = []
    for outer in outers:
        own = [hole for hole in holes if owners[id(hole)] == id(outer)]
        polygons.append(Polygon(_flat(outer), tuple(_flat(hole) for hole in own)))
    return tuple(polygons)


def _rings(inside: NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """Closed lines along a mask with a border of one pixel: corners (x, y) of the mask without it.

    The first corner is the leftmost of the highest ones, the second lies to its right. Lines come in the order of their
    first corners, from the top, then from the left.
    """
    x, y, left, up = _corners(inside)
    # Along a row corners are the ends of edges in pairs, and along a column likewise.
    rows = np.lexsort((~left, x, y))
    columns = np.lexsort((~up, y, x))
    across, down = np.empty(len(x), np.int64), np.empty(len(x), np.int64)
    across[rows[0::2]], across[rows[1::2]] = rows[1::2], rows[0::2]
    down[columns[0::2]], down[columns[1::2]] = columns[1::2], columns[0::2]
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    next_across, next_down = across.tolist(), down.tolist()
    seen = [False] * len(points)
    rings = []
    for start in rows.tolist():
        if seen[start]:
            continue
        ring, corner = [], start
        while not seen[corner]:
            for following in (next_across, next_down):
                seen[corner] = True
                ring.append(points[corner])
                corner = following[corner]
        rings.append(ring)
    return rings


def _corners(inside: NDArray[np.bool_]) -> tuple[Ints, Ints, NDArray[np.bool_], NDArray[np.bool_]]:
    """Where outlines turn: x, y, and whether the line goes from there to the left (else right), and up (else down).

    Where two pixels touch at a corner, it is there twice, once for each of them.
    """
    a, b, c, d = inside[:-1, :-1], inside[:-1, 1:], inside[1:, :-1], inside[1:, 1:]
    falling, rising = a & d & ~b & ~c, b & c & ~a & ~d
    single = (a ^ b) ^ (c ^ d)
    # Of a single corner, the line to the left runs between the pixels a and c, the line up between a and b.
    parts: list[tuple[NDArray[np.bool_], Any, Any]] = [
        (single, a ^ c, a ^ b),
        (falling, np.True_, np.True_),
        (falling, np.False_, np.False_),
        (rising, np.True_, np.False_),
        (rising, np.False_, np.True_),
    ]
    ys, xs, lefts, ups = [], [], [], []
    for chosen, left, up in parts:
        rows, columns = np.nonzero(chosen)
        ys.append(rows)
        xs.append(columns)
        lefts.append(np.broadcast_to(left, chosen.shape)[rows, columns])
        ups.append(np.broadcast_to(up, chosen.shape)[rows, columns])
    return np.concatenate(xs), np.concatenate(ys), np.concatenate(lefts), np.concatenate(ups)


def _owners(rings: list[list[tuple[int, int]]], outers: set[int]) -> dict[int, int]:
    """The outer line around each hole, by their identities.

    The nearest line to the left of a hole is that outer line, or another hole in it.
    """
    edges: dict[int, list[tuple[int, int]]] = {}
    for ring in rings:
        for (x, y), (_, end) in zip(ring[1::2], ring[2::2] + ring[:1], strict=True):
            for row in range(min(y, end), max(y, end)):
                edges.setdefault(row, []).append((x, id(ring)))
    owners = {ring: ring for ring in outers}
    # The other line begins higher up, or as high and further left, so that it comes earlier in `rings`.
    for ring in rings:
        if id(ring) not in outers:
            x, y = ring[0]
            _, nearest = max(edge for edge in edges[y] if edge[0] < x)
            owners[id(ring)] = owners[nearest]
    return owners


def _flat(ring: list[tuple[int, int]]) -> Ring:
    return tuple(float(value) for corner in ring for value in corner)
