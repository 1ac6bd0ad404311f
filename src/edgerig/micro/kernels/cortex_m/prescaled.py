"""Requantization in three instructions an output: SMMLA, SSAT with a shift, store.

The two roundings of a convolution and the one of a dense layer are both ``floor((a * m + c) / 2**n) + zero point`` for
outputs above the zero point (floors of floors merge), and the single rounding is so everywhere. If the accumulator
comes multiplied by ``2**k``, and kernels get that for nothing by packing weights in the high byte of a half-word, then

    out = ssat8((high32((2**k * a + extra) * multiplier) + addend) >> shift)

has room for all of ``c``. One ``shift`` for all channels costs up to a few low bits of some multipliers; whether the
result is still exact is not estimated but proved here: both sides are monotone step functions of ``a``, so it is enough
to compare the at most 255 accumulators at which the output changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.quantized import Requantization

Ints = NDArray[np.int64]
#: Beyond it the zero point, moved left by the shift, leaves too little of 32 bits.
MAX_SHIFT = 22
_EXTRAS = sorted(range(-12, 13), key=abs)
_STEPS = (0, 1, -1, 2, -2)


@dataclass(frozen=True)
class Prescaled:
    """Parameters of the formula above, one per channel; ``shift`` likewise, all equal if asked for.

    Attributes:
        extra: In units of the prescaled accumulator; belongs into its start value.
    """

    multiplier: NDArray[np.int32]
    addend: NDArray[np.int32]
    extra: NDArray[np.int32]
    shift: NDArray[np.int32]


def floors(requantization: Requantization) -> bool:
    """Whether rounding of results below the zero point cannot be seen, so that the formula holds."""
    return requantization.once or requantization.low >= requantization.zero_point


def prescaled(requantization: Requantization, reach: Ints, k: int, one_shift: bool = False) -> Prescaled | None:
    """Parameters for accumulators that come multiplied by ``2**k``, or None where none are exact.

    Args:
        requantization: Of the layer.
        reach: Largest absolute value of each channel's accumulator, bias included.
        k: 2 to 8.
        one_shift: The same shift in all channels.
    """
    if not floors(requantization) or requantization.shifts_left or (reach << k >= 1 << 31).any():
        return None
    natural = [k - 1 - int(exponent) for exponent in requantization.exponents]
    alive = [shift for shift, one in zip(natural, requantization.multipliers, strict=True) if one] or [MAX_SHIFT]
    common = min(MAX_SHIFT, *alive)
    found = []
    for channel, shift in enumerate(natural):
        chosen = common if one_shift else min(shift, MAX_SHIFT)
        fit = _fit(requantization, channel, int(reach[channel]), k, chosen)
        if fit is None:
            return None
        found.append((*fit, chosen))
    return Prescaled(*(np.array(column, np.int32) for column in zip(*found, strict=True)))


def _fit(requantization: Requantization, channel: int, reach: int, k: int, shift: int) -> tuple[int, int, int] | None:
    """Multiplier, addend and extra of one channel, proved exact for accumulators of -reach to reach."""
    multiplier, right = int(requantization.multipliers[channel]), -int(requantization.exponents[channel])
    bits = 31 + right
    constant = 1 << (bits - 1)
    if not requantization.once:
        constant = (1 << 30) + (1 << (30 + right) if right else 0)
    lost = bits + k - 32 - shift
    if multiplier and lost < 0:
        return None
    base = multiplier + (1 << lost >> 1) >> lost if multiplier else 0
    levels = np.arange(requantization.low + 1, requantization.high + 1, dtype=np.int64)
    if not multiplier:
        return 0, (requantization.zero_point << shift) + ((constant << shift) >> bits), 0
    exact = _steps(levels - requantization.zero_point, multiplier, constant, bits)
    exact = np.clip(exact, -reach, reach + 1)
    addend = (requantization.zero_point << shift) + ((constant << shift) >> bits)
    rest = ((constant << shift) & ((1 << bits) - 1)) / 2.0**bits
    for step in _STEPS:
        reduced = base + step
        if not 0 < reduced < 1 << 31:
            continue
        if ((reach << k) * reduced >> 32) + abs(addend) >= (1 << 31) - 1:
            return None
        prescaled_steps = -((((levels << shift) - addend) << 32) // -reduced)
        start = round(rest * 2.0**32 / reduced)
        for extra in _EXTRAS:
            steps = -((prescaled_steps - start - extra) // -(1 << k))
            if np.array_equal(np.clip(steps, -reach, reach + 1), exact):
                return reduced, addend, start + extra
        if not lost:
            return None
    return None


def _steps(levels: Ints, multiplier: int, constant: int, bits: int) -> Ints:
    """Smallest accumulators with ``(a * multiplier + constant) >> bits >= level``; big integers, for 62-bit shifts."""
    limit = 1 << 40
    return np.array(
        [min(max(-((constant - (int(level) << bits)) // multiplier), -limit), limit) for level in levels], np.int64
    )
