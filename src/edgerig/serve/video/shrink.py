"""Frames made smaller by whole factors, exactly: in integers, which are many times as quick as floats to add up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
#: Largest factor whose sums of one axis fit into 16 bits, and those of both into a float32: 2 * 11 ** 2 * 255.
LARGEST = 11


def factor(pixels: int, wanted: int) -> int | None:
    """The whole number of ``pixels`` for each of ``wanted``, if `shrink` takes it."""
    whole, rest = divmod(pixels, wanted)
    return whole if rest == 0 and 1 <= whole <= LARGEST else None


def shrink(planes: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.float32]:
    """Planes made smaller by bilinear interpolation with antialiasing, as `edgerig.datasets.preprocess.resize` does it.

    The weights of the triangle filter of a whole factor f are whole numbers, ``2 f - |2 d|`` for a pixel whose centre
    is d pixels away. Their products with pixels are added up as integers; what is left is one division.

    Args:
        planes: Shape (n, h * rows, w * columns). rows, columns: The factors, from 1 to `LARGEST`.

    Returns:
        Shape (n, h, w), float32.

    >>> shrink(np.array([[[0, 0, 100, 100]]], np.uint8), 1, 2).tolist()
    [[[14.285714149475098, 85.71428680419922]]]
    """
    height, width = planes.shape[1] // rows, planes.shape[2] // columns
    if rows > 1:
        wide = planes.astype(np.uint16)
        bands = [wide[:, phase::rows] for phase in range(rows)]
        down, row_weights = _added(bands, rows, 1, height)
    else:
        down, row_weights = planes, np.ones(height, np.float32)
    if columns > 1:
        # Each a copy in one piece, as they are used twice.
        bands = [down[:, :, phase::columns].astype(np.float32) for phase in range(columns)]
        sums, column_weights = _added(bands, columns, 2, width)
    else:
        sums, column_weights = down.astype(np.float32), np.ones(width, np.float32)
    sums /= row_weights[:, None] * column_weights
    return sums


def _added(bands: list[Array], factor: int, axis: int, count: int) -> tuple[Array, NDArray[np.float32]]:
    """The weighted sums along an axis, and the sum of the weights of each, which is less at the ends.

    Args:
        bands: For each place within the ``factor`` pixels that become one, the pixels there, (.., count, ..).
    """
    whole, last = bands[0].dtype.type, factor - 1
    # Within a pixel's own place: each weight counts for two that mirror one another, or for the one in the middle.
    own = [2 * factor - abs(2 * phase - last) for phase in range(factor)]
    pairs = [bands[phase] + bands[last - phase] for phase in range(factor // 2)]
    middle = [bands[phase] for phase in range(factor // 2, -(-factor // 2))]
    total = np.multiply(own[0], (pairs + middle)[0], dtype=bands[0].dtype)
    for weight, values in zip(own[1:], (pairs + middle)[1:], strict=False):
        total += values * whole(weight)
    weights = np.full(count, sum(own), np.float32)
    before = (slice(None),) * axis
    left, right = (*before, slice(None, -1)), (*before, slice(1, None))
    for phase in range(factor):
        # In the places beside it: there is none beyond the ends.
        weight = 2 * phase - last
        if weight > 0:
            total[right] += _times(bands[phase][left], weight)
            total[left] += _times(bands[last - phase][right], weight)
            weights[1:] += weight
            weights[:-1] += weight
    return total, weights


def _times(values: Array, weight: int) -> Array:
    return values if weight == 1 else values * values.dtype.type(weight)
