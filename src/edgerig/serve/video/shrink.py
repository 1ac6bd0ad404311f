"""Frames made smaller by whole factors, exactly: in integers, which are many times as quick as floats to add up."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
#: Largest factor whose sums of one axis fit into 16 bits, and those of both into a float32: 2 * 11 ** 2 * 255.
LARGEST = 11
_BITS_16 = 1 << 16


def factor(pixels: int, wanted: int) -> int | None:
    """The whole number of ``pixels`` for each of ``wanted``, if `shrink` takes it."""
    whole, rest = divmod(pixels, wanted)
    return whole if rest == 0 and 1 <= whole <= LARGEST else None


def shrink(image: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.float32]:
    """An image made smaller by bilinear interpolation with antialiasing, as `edgerig.datasets.preprocess.resize` does.

    The weights of the triangle filter of a whole factor f are whole numbers, ``2 f - |2 d|`` for a pixel whose centre
    is d pixels away. Their products with pixels are added up as integers; what is left is one division.

    Args:
        image: Shape (h * rows, w * columns, channels). rows, columns: The factors, from 1 to `LARGEST`.

    Returns:
        Shape (h, w, channels), float32.

    >>> shrink(np.array([[[0], [0], [100], [100]]], np.uint8), 1, 2).tolist()
    [[[14.285714149475098], [85.71428680419922]]]
    """
    height, width, channels = image.shape[0] // rows, image.shape[1] // columns, image.shape[2]
    lines = image.reshape(image.shape[0], -1)
    if rows > 1:
        lines = _added([lines[phase::rows].astype(np.uint16) for phase in range(rows)], 0, 1)
    if columns > 1:
        dtype = np.uint16 if (2 * rows**2) * (2 * columns**2) * 255 < _BITS_16 else np.float32
        pixels = lines.reshape(height, width, columns, channels)
        bands = np.empty((columns, height, width, channels), dtype)
        for phase in range(columns):
            for channel in range(channels):
                # A channel at a time: numpy copies long rows, and not three numbers, at once.
                bands[phase, :, :, channel] = pixels[:, :, phase, channel]
        lines = _added(list(bands.reshape(columns, height, -1)), 1, channels)
    sums = np.divide(lines, _weights(height, width, rows, columns, channels), dtype=np.float32)
    return sums.reshape(height, width, channels)


def _added(bands: list[Array], axis: int, step: int) -> Array:
    """The weighted sums along an axis.

    Args:
        bands: For each place within the pixels that become one, the values there, two axes.
        step: How far apart neighbours lie on the axis.
    """
    factor, last, whole = len(bands), len(bands) - 1, bands[0].dtype.type
    # Within a pixel's own place: each weight counts for two that mirror one another, or for the one in the middle.
    values = [bands[phase] + bands[last - phase] for phase in range(factor // 2)]
    values += [bands[phase] for phase in range(factor // 2, -(-factor // 2))]
    total: Array = values[0] * whole(_weight(0, factor))
    for phase, both in enumerate(values[1:], 1):
        total += _times(both, _weight(phase, factor))
    before = (slice(None),) * axis
    left, right = (*before, slice(None, -step)), (*before, slice(step, None))
    for phase in range(factor):
        # In the places beside it: there is none beyond the ends.
        weight = _weight(phase - factor, factor)
        if weight > 0:
            total[right] += _times(bands[phase][left], weight)
            total[left] += _times(bands[last - phase][right], weight)
    return total


def _weight(offset: int, factor: int) -> int:
    """Of the pixel so many after the first one of those that become one."""
    return 2 * factor - abs(2 * offset - factor + 1)


@lru_cache(16)
def _weights(height: int, width: int, rows: int, columns: int, channels: int) -> NDArray[np.float32]:
    """What the sums of `shrink` are divided by, (h, w * channels)."""
    vertical, horizontal = (_axis_weights(count, each) for count, each in ((height, rows), (width, columns)))
    weights = np.repeat(vertical[:, None] * horizontal, channels, axis=1)
    weights.flags.writeable = False
    return weights


def _axis_weights(count: int, factor: int) -> NDArray[np.float32]:
    """The sum of the weights of each of ``count`` places, which is less at the ends: there is nothing beyond them."""
    if factor == 1:
        return np.ones(count, np.float32)
    weights = np.full(count, sum(_weight(phase, factor) for phase in range(factor)), np.float32)
    beside = sum(max(0, _weight(phase - factor, factor)) for phase in range(factor))
    weights[1:] += beside
    weights[:-1] += beside
    return weights


def _times(values: Array, weight: int) -> Array:
    return values if weight == 1 else values * values.dtype.type(weight)
