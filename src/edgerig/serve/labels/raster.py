"""Masks of pixels, painted by strokes; ``pages/labels/raster.js`` follows the same rule, pixel by pixel.

The rule: the pen moves from point to point on Bresenham's line (Bresenham, 1965), and at each pixel of it leaves a disc
of all pixels at (dx, dy) with ``dx * dx + dy * dy <= radius * (radius + 1)``. All numbers are integers. What lies
outside of the picture is left out. A radius of 0 is one pixel. An outline is filled by the even-odd rule: a pixel is in
it where a ray from its middle to the left crosses an odd number of edges; one through the middle itself does not count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

#: Pixels a side of a tile: memory is taken only for tiles that a mask has pixels in.
TILE = 256
#: Positions of the pen that are stamped at once: it bounds the memory for a stroke across a large picture.
BATCH = 512

Mask = NDArray[np.bool_]


def half_widths(radius: int) -> NDArray[np.int64]:
    """Half the width of the disc in each of its rows, without the pixel in the middle; shape (2 * radius + 1,).

    >>> half_widths(2).tolist()
    [1, 2, 2, 2, 1]
    """
    limit = radius * (radius + 1)
    return np.array([math.isqrt(limit - row * row) for row in range(-radius, radius + 1)], np.int64)


def line(points: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The pixels of the pen's way through points x, y, x, y, ..; where two lines meet the pixel comes twice.

    >>> list(line([0, 0, 2, 1]))
    [(0, 0), (1, 1), (2, 1)]
    """
    x, y = points[0], points[1]
    yield x, y
    for end_x, end_y in zip(points[2::2], points[3::2], strict=True):
        across, down = abs(end_x - x), -abs(end_y - y)
        right, below = (1 if x < end_x else -1), (1 if y < end_y else -1)
        error = across + down
        while x != end_x or y != end_y:
            twice = 2 * error
            if twice >= down:
                error += down
                x += right
            if twice <= across:
                error += across
                y += below
            yield x, y


class Patch:
    """A rectangle of pixels of a picture: those that something touches.

    Attributes:
        left, top: Of the rectangle. pixels: Which of it, (height, width).
    """

    __slots__ = ("left", "pixels", "top")

    def __init__(self, left: int, top: int, pixels: Mask) -> None:
        self.left, self.top, self.pixels = left, top, pixels


def stroke(points: Sequence[int], radius: int, width: int, height: int) -> Iterator[Patch]:
    """The pixels of a stroke, in patches that may overlap.

    Args:
        points: x, y, x, y, .. of pixels, at least one point. radius: Of the pen. width, height: Of the picture.
    """
    pen = np.array(list(line(points)), np.int64)
    halves, rows = half_widths(radius), np.arange(-radius, radius + 1)
    for start in range(0, len(pen), BATCH):
        centres = pen[start : start + BATCH]
        y = (centres[:, 1, None] + rows).ravel()
        left = np.clip(centres[:, 0, None] - halves, 0, width).ravel()
        right = np.clip(centres[:, 0, None] + halves + 1, 0, width).ravel()
        inside = (y >= 0) & (y < height) & (left < right)
        if inside.any():
            yield _union(y[inside], left[inside], right[inside])


def _union(y: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]) -> Patch:
    """The pixels that any of the spans covers, by sums over where spans begin (+1) and end (-1)."""
    top, first = int(y.min()), int(left.min())
    height, width = int(y.max()) - top + 1, int(right.max()) - first
    row = (y - top) * (width + 1)
    cells = height * (width + 1)
    steps = np.bincount(row + left - first, minlength=cells) - np.bincount(row + right - first, minlength=cells)
    return Patch(first, top, np.cumsum(steps.reshape(height, width + 1), axis=1)[:, :-1] > 0)


def fill(points: Sequence[int], width: int, height: int) -> Iterator[Patch]:
    """The pixels within an outline, in one patch; none where there are none.

    Args:
        points: x, y, x, y, .. of corners of pixels. width, height: Of the picture.
    """
    corners = np.array(points, np.int64).reshape(-1, 2)
    top, bottom = max(0, int(corners[:, 1].min())), min(height, int(corners[:, 1].max()))
    if top >= bottom:
        return
    changes = np.zeros((bottom - top, width + 1), np.int64)
    for (x, y), (end_x, end_y) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y > end_y:
            x, y, end_x, end_y = end_x, end_y, x, y
        rows = np.arange(max(y, top), min(end_y, bottom))
        down = end_y - y
        # The first pixel whose middle is to the right of the edge: all of it in integers.
        crossing = 2 * x * down + (2 * rows + 1 - 2 * y) * (end_x - x)
        column = (crossing - down) // (2 * down) + 1 if down else rows
        np.add.at(changes, (rows - top, np.clip(column, 0, width)), 1)
    inside = np.cumsum(changes, axis=1)[:, :-1] % 2 == 1
    columns = np.flatnonzero(inside.any(axis=0))
    if len(columns):
        yield Patch(int(columns[0]), top, inside[:, columns[0] : columns[-1] + 1])


def runs_of(mask: Mask) -> list[int]:
    """Starts and lengths of the runs of a mask (height, width), row by row: start, length, start, length, ..

    >>> runs_of(np.array([[0, 1, 1], [1, 0, 1]], bool))
    [1, 3, 5, 1]
    """
    edges = np.flatnonzero(np.diff(mask.ravel(), prepend=False, append=False))
    edges[1::2] -= edges[::2]
    return [int(value) for value in edges]


def mask_of(runs: Sequence[int], width: int, height: int) -> Mask:
    """The mask (height, width) of runs that `runs_of` gave; what lies beyond the picture is left out."""
    steps = np.zeros(width * height + 1, np.int32)
    pairs = np.asarray(runs, np.int64).reshape(-1, 2)
    np.add.at(steps, np.clip(pairs[:, 0], 0, width * height), 1)
    np.add.at(steps, np.clip(pairs.sum(axis=1), 0, width * height), -1)
    return np.asarray(np.cumsum(steps[:-1]) > 0).reshape(height, width)


class Canvas:
    """The masks of one picture, each in tiles.

    Args:
        width, height: Of the picture.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._masks: dict[str, dict[tuple[int, int], Mask]] = {}

    def paint(self, name: str, patch: Patch) -> None:
        """Add pixels to a mask, and take them from all others: a painted pixel has one mask."""
        self._masks.setdefault(name, {})
        for other in self._masks:
            if other != name:
                self.erase(other, patch)
        self.add(name, patch)

    def add(self, name: str, patch: Patch) -> None:
        """Add pixels to a mask, whatever others have there."""
        tiles = self._masks.setdefault(name, {})
        for key, inside, part in self._parts(patch):
            if key not in tiles:
                if not part.any():
                    continue
                tiles[key] = np.zeros((TILE, TILE), np.bool_)
            tiles[key][inside] |= part

    def add_free(self, name: str, patch: Patch) -> None:
        """Add those of the pixels that no mask has."""
        free = patch.pixels.copy()
        height, width = free.shape
        for tiles in self._masks.values():
            for (row, column), tile in tiles.items():
                top, left = row * TILE - patch.top, column * TILE - patch.left
                target = free[max(top, 0) : max(top + TILE, 0), max(left, 0) : max(left + TILE, 0)]
                skip_y, skip_x = max(-top, 0), max(-left, 0)
                if target.size:
                    target &= ~tile[skip_y : skip_y + target.shape[0], skip_x : skip_x + target.shape[1]]
        assert free.shape == (height, width)
        self.add(name, Patch(patch.left, patch.top, free))

    def erase(self, name: str, patch: Patch) -> None:
        """Take pixels from a mask."""
        tiles = self._masks.get(name, {})
        for key, inside, part in self._parts(patch):
            if key in tiles:
                tiles[key][inside] &= ~part

    def clear(self, name: str) -> None:
        """Forget a mask."""
        self._masks.pop(name, None)

    def names(self) -> list[str]:
        """Of all masks."""
        return list(self._masks)

    def mask(self, name: str) -> Mask:
        """A mask, (height, width)."""
        whole = np.zeros((self.height, self.width), np.bool_)
        for (row, column), tile in self._masks.get(name, {}).items():
            target = whole[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
            target[:] = tile[: target.shape[0], : target.shape[1]]
        return whole

    def _parts(self, patch: Patch) -> Iterator[tuple[tuple[int, int], tuple[slice, slice], Mask]]:
        """For each tile that a patch touches: its key, the rows and columns in it, and the patch's part there."""
        height, width = patch.pixels.shape
        for row in range(patch.top // TILE, (patch.top + height - 1) // TILE + 1):
            above = max(patch.top, row * TILE)
            below = min(patch.top + height, (row + 1) * TILE)
            rows = slice(above - row * TILE, below - row * TILE)
            for column in range(patch.left // TILE, (patch.left + width - 1) // TILE + 1):
                left = max(patch.left, column * TILE)
                right = min(patch.left + width, (column + 1) * TILE)
                columns = slice(left - column * TILE, right - column * TILE)
                part = patch.pixels[above - patch.top : below - patch.top, left - patch.left : right - patch.left]
                yield (row, column), (rows, columns), part
