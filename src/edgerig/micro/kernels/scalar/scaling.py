"""From sums to int8 on processors without SIMD that have the high word of a product.

One rounding takes five instructions an output, both roundings of LiteRT's convolutions twelve. Which is exact is proved
when compiling, as for Cortex-M (`..cortex_m.prescaled`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.memo import by_numbers
from edgerig.micro.arithmetic.requantize import Requantization, requantization
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Weighted
from edgerig.micro.kernels.base import Context
from edgerig.micro.kernels.cortex_m.prescaled import MAX_SHIFT, Prescaled, prescaled, sums
from edgerig.micro.kernels.refusals import Refusal

#: Bits by which sums are moved left before one rounding, the first that is exact.
_LEFTS = (8, 6, 4, 2)
#: Sums with their bias that can be doubled.
_MOST = 1 << 30


@dataclass(frozen=True)
class Scaling:
    """What ``er_sc_scale.h`` says.

    Attributes:
        rounding: ``once``, ``twice`` or ``pieces``, as the functions are called.
        channels: Rows of an er_sc_channel, int32: start, multiplier, addend, shift.
        left: Bits by which sums are moved left, of the layer or of each channel.
        requantization: Of the layer, for its range.
    """

    rounding: str
    channels: NDArray[np.int32]
    left: int | NDArray[np.int64]
    requantization: Requantization

    def without(self, offsets: NDArray[np.int64]) -> Scaling:
        """For sums that come with so much more in each channel."""
        start = self.channels[:, 0].astype(np.int64) - (offsets << self.left)
        # As 32 bits have it: the sum is in range again once both are added.
        channels = np.column_stack([start.astype(np.uint32).view(np.int32), self.channels[:, 1:]])
        return replace(self, channels=channels.astype(np.int32))

    def range(self) -> str:
        """The er_sc_range."""
        limits = self.requantization
        left = int(np.max(self.left))
        return initializer([left, limits.zero_point, limits.low, limits.high])

    def table(self, context: Context, node: Weighted) -> str:
        """Puts the channels into weights.c; an expression of their type."""
        name = context.constant("scales", self.channels, stands_for=[node.bias] if node.bias else [])
        return f"(const er_sc_channel *){name}"


@by_numbers
def scaling_of(node: Weighted) -> Scaling | Refusal:
    """The shortest way that is exact, or why none is."""
    scales = requantization(node)
    every = np.ones(len(scales.bias), np.bool_)
    whole = by_reference(node, scales, every)
    if scales.once and isinstance(whole, Scaling):
        return whole
    lowest, highest = sums(node)
    reason = Refusal("")
    for left in _LEFTS:
        once = prescaled(scales, lowest, highest, left)
        if isinstance(once, Prescaled):
            rows = [once.start, once.multiplier, once.addend, once.shift]
            return Scaling("once", np.stack(rows, 1).astype(np.int32), left, scales)
        reason = once
    return reason if scales.once else whole


def by_reference(node: Weighted, scales: Requantization, channels: NDArray[np.bool_]) -> Scaling | Refusal:
    """All roundings of LiteRT, or why they cannot be had for some of ``channels``; others may be wrong."""
    # A multiplier of 0 goes with any exponent.
    exponents = np.where(scales.multipliers == 0, -2, scales.exponents)
    lefts = channels & (exponents > 0)
    if scales.once:
        far = channels & ((exponents > -2) | (exponents < -MAX_SHIFT))
        return _refused(far, "scale asks for another shift") if far.any() else _dense(scales, exponents)
    lowest, highest = sums(node)
    reach = np.where(channels, np.maximum(np.abs(scales.bias + lowest), np.abs(scales.bias + highest)), 0)
    if lefts.any():
        return _refused(lefts, "scale asks for a left shift")
    if (reach >= _MOST).any():
        return _refused(reach == reach.max(), f"sums up to {int(reach.max()):,}")
    return _twice(scales, exponents)


def _refused(channels: NDArray[np.bool_], why: str) -> Refusal:
    return Refusal(f"channel {int(np.argmax(channels))} of {len(channels)}: {why}")


def _dense(scales: Requantization, exponents: NDArray[np.int32]) -> Scaling:
    """The single rounding of a dense layer: its constant is a whole number of high words."""
    shifts = np.maximum(-1 - exponents.astype(np.int64), 1)
    addends = (np.int64(1) << (shifts - 1)) + (np.int64(scales.zero_point) << shifts)
    rows = [scales.bias, scales.multipliers, addends, shifts]
    return Scaling("once", np.stack(rows, 1).astype(np.int32), 0, scales)


def _twice(scales: Requantization, exponents: NDArray[np.int32]) -> Scaling:
    shifts = np.maximum(-exponents.astype(np.int64), 0)
    halves = (np.int64(1) << shifts) >> 1
    doubled = np.asarray(2 * scales.bias.astype(np.int64))
    rows = [doubled, scales.multipliers.astype(np.int64), halves, shifts]
    return Scaling("twice", np.stack(rows, 1).astype(np.int32), 1, scales)
