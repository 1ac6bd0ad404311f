"""The scale of dense layers: integers that round as LiteRT's double precision does.

LiteRT's reference kernel of FULLY_CONNECTED multiplies the sum by the real scale in double precision, and rounds halves
away from zero. Kernels multiply integers and round halves up. A multiplier a little above the scale moves halves of
either sign away from zero, and nothing else across a half: the one nearest to the scale of those that do is chosen.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Sums have 32 bits.
_REACH = (1 << 31) - 1


@lru_cache(4096)
def dense_multiplier(real: float, nearest: tuple[int, int], levels: int) -> tuple[int, int]:
    """Multiplier and exponent for sums that are rounded once; ``nearest`` where none of 31 bits is exact.

    Args:
        real: The scale, input scale * weight scale / output scale in double precision.
        nearest: The multiplier and exponent next to it.
        levels: The most by which an output gets away from its zero point.

    >>> dense_multiplier(0.25, (1 << 30, -1), 255)
    (1073741825, -1)
    """
    multiplier, exponent = nearest
    if not multiplier:
        return nearest
    shift = 31 - exponent
    level = np.arange(1, min(levels, ((1 << 63) - 1) >> shift) + 1, dtype=np.int64)
    least = _least(real, level)
    # Halves between the levels, as products: those of the least sums lie above, those of the sums below them below.
    halves = (2 * level - 1) << (shift - 1)
    met, missed = least <= _REACH, np.minimum(least - 1, _REACH)
    low = int((halves[met] // least[met]).max(initial=0)) + 1
    high = int((-(-halves[missed > 0] // missed[missed > 0])).min(initial=1 << 32)) - 1
    if low > high or low > 1 << 31:
        return nearest
    multiplier = min(max(multiplier, low), high)
    if multiplier == 1 << 31:
        return 1 << 30, exponent + 1
    return (multiplier, exponent) if multiplier >> 30 else (2 * multiplier, exponent - 1)


def _least(real: float, level: NDArray[np.int64]) -> NDArray[np.int64]:
    """The least sum that is scaled to each level, at most a little more than `_REACH`."""
    least = np.minimum(np.ceil((level - 0.5) / real), _REACH + 2.0).astype(np.int64)
    for _ in range(2):
        least = np.where(_rounded(real, least - 1) >= level, least - 1, least)
    for _ in range(2):
        least = np.where(_rounded(real, least) < level, least + 1, least)
    return np.asarray(least, np.int64)


def _rounded(real: float, sums: NDArray[np.int64]) -> NDArray[np.float64]:
    """C's round of the scaled sums, which are at least 0."""
    scaled = sums * real
    whole = np.floor(scaled)
    return np.asarray(whole + (scaled - whole >= 0.5), np.float64)
