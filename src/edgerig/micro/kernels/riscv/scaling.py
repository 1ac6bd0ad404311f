"""From sums to int8 on a processor that has the high word of a product, and no saturation.

One rounding takes five instructions an output, both roundings of LiteRT's convolutions twelve. Which is exact is proved
when compiling, as for Cortex-M (`..cortex_m.prescaled`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import Requantization, requantization
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Weighted
from edgerig.micro.kernels.base import Context
from edgerig.micro.kernels.cortex_m.prescaled import MAX_SHIFT, Prescaled, prescaled, sums
from edgerig.micro.kernels.refusals import Refusal

NEEDS = frozenset({"rv32m"})
#: Bits by which sums are moved left before one rounding, the first that is exact.
_LEFTS = (8, 6, 4, 2)
#: Sums with their bias that can be doubled.
_MOST = 1 << 30


@dataclass(frozen=True)
class Scaling:
    """What ``er_rv_scale.h`` says.

    Attributes:
        rounding: ``once`` or ``twice``, as the functions are called.
        channels: Rows of an er_rv_channel, int32.
        left: Bits by which sums are moved left.
        requantization: Of the layer, for its range.
    """

    rounding: str
    channels: NDArray[np.int32]
    left: int
    requantization: Requantization

    def range(self) -> str:
        """The er_rv_range."""
        limits = self.requantization
        return initializer([self.left, limits.zero_point, limits.low, limits.high])

    def table(self, context: Context, node: Weighted) -> str:
        """Puts the channels into weights.c; an expression of their type."""
        name = context.constant("scales", self.channels, stands_for=[node.bias] if node.bias else [])
        return f"(const er_rv_channel *){name}"


def scaling_of(node: Weighted) -> Scaling | Refusal:
    """The shortest way that is exact, or why none is."""
    scales = requantization(node)
    # A multiplier of 0 goes with any exponent.
    exponents = np.where(scales.multipliers == 0, -2, scales.exponents)
    if scales.once and (exponents <= -2).all() and (exponents >= -MAX_SHIFT).all():
        return _dense(scales, exponents)
    lowest, highest = sums(node)
    reason = Refusal("")
    for left in _LEFTS:
        once = prescaled(scales, lowest, highest, left)
        if isinstance(once, Prescaled):
            rows = [once.start, once.multiplier, once.addend, once.shift, np.zeros_like(once.start)]
            return Scaling("once", np.stack(rows, 1).astype(np.int32), left, scales)
        reason = once
    if scales.once:
        return reason
    reach = np.maximum(np.abs(scales.bias + lowest), np.abs(scales.bias + highest))
    if (exponents > 0).any():
        return Refusal(f"channel {int(np.argmax(exponents > 0))} of {len(exponents)}: scale asks for a left shift")
    if (reach >= _MOST).any():
        return Refusal(f"channel {int(reach.argmax())} of {len(reach)}: sums up to {int(reach.max()):,}")
    return _twice(scales, exponents)


def _dense(scales: Requantization, exponents: NDArray[np.int32]) -> Scaling:
    """The single rounding of a dense layer: its constant is a whole number of high words."""
    shifts = -1 - exponents.astype(np.int64)
    addends = (np.int64(1) << (shifts - 1)) + (np.int64(scales.zero_point) << shifts)
    rows = [scales.bias, scales.multipliers, addends, shifts, np.zeros_like(shifts)]
    return Scaling("once", np.stack(rows, 1).astype(np.int32), 0, scales)


def _twice(scales: Requantization, exponents: NDArray[np.int32]) -> Scaling:
    shifts = -exponents.astype(np.int64)
    halves, masks = (np.int64(1) << shifts) >> 1, -(shifts > 0).astype(np.int64)
    doubled = np.asarray(2 * scales.bias.astype(np.int64))
    rows = [doubled, scales.multipliers.astype(np.int64), halves, shifts, masks]
    return Scaling("twice", np.stack(rows, 1).astype(np.int32), 1, scales)
