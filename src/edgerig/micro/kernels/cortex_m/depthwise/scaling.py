"""How a depthwise convolution comes from sums to int8: one rounding with one shift, or both roundings of LiteRT.

One rounding takes two instructions an output and is exact only behind a fused ReLU, and for scales that are alike
(`prescaled`). Both roundings take four and are exact for every scale below a half::

    out = ssat8((high32(2 * sum * multiplier + 2**31) + constant - (sum < 0)) >> shift)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.memo import by_numbers
from edgerig.micro.arithmetic.requantize import requantization
from edgerig.micro.ir import DepthwiseConv2D, Weighted
from edgerig.micro.kernels.cortex_m.conv.pairs import exponents_fit, settle
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_code import USUAL_SHIFT
from edgerig.micro.kernels.cortex_m.patch.patches import channels_of, few, without
from edgerig.micro.kernels.cortex_m.prescaled import MAX_SHIFT, Prescaled, prescaled, sums
from edgerig.micro.kernels.refusals import Refusal

#: Of sums with their bias: twice as many fit into 31 bits.
_MOST = 1 << 29


@dataclass(frozen=True)
class Scaling:
    """Numbers by channel, int32: start value and multiplier; of two roundings constant and shift less one, too.

    Attributes:
        shift: Of the one rounding; None for both.
        addend: Of the one rounding.
        constant: Channels whose output never changes, or is left out; their weights must be packed as 0.
        left_out: Channels whose outputs are computed after the kernel (`..patch.patches`).
    """

    numbers: NDArray[np.int32]
    shift: int | None
    addend: int
    constant: NDArray[np.bool_]
    left_out: tuple[int, ...] = ()

    def weights(self, node: DepthwiseConv2D) -> NDArray[np.int8]:
        """Rows of the window, columns, channels."""
        return np.where(self.constant, 0, node.weights.array[0]).astype(np.int8)


@by_numbers
def scaling_of(node: Weighted, patches: bool = False) -> Scaling | Refusal:
    """The shorter way that is exact, or why neither is. ``patches``: leave out channels, where they are few."""
    scales, (lowest, highest) = requantization(node), sums(node)
    if (scales.low, scales.high) != (-128, 127):
        # The columns are clamped afterwards.
        return twice(node, patches)
    for shift in (USUAL_SHIFT, None):
        once = prescaled(scales, lowest, highest, 8, True, True, shift)
        if isinstance(once, Prescaled):
            return Scaling(
                np.stack([once.start, once.multiplier], 1), int(once.shift[0]), int(once.addend[0]), once.constant
            )
    return twice(node, patches)


def twice(node: Weighted, patches: bool = False) -> Scaling | Refusal:
    """Both roundings, whose numbers follow from the scales at once."""
    lowest, highest = sums(node)
    constant, scales = settle(replace(requantization(node), low=-128, high=127), lowest, highest)
    lowest, highest = np.where(constant, 0, lowest), np.where(constant, 0, highest)
    reach = np.maximum(np.abs(scales.bias + lowest), np.abs(scales.bias + highest))
    left_out = (reach >= _MOST) | (scales.exponents > -1) | (scales.exponents < -MAX_SHIFT)
    if left_out.any() and not (patches and few(left_out)):
        unfit = exponents_fit(scales.exponents)
        large = f"channel {int(reach.argmax())} of {len(reach)}: sums up to {int(reach.max()):,}"
        return unfit if isinstance(unfit, Refusal) else Refusal(large)
    scales = without(scales, left_out)
    shifts = -scales.exponents.astype(np.int64) - 1
    constants = (2 * scales.zero_point + 1) << shifts
    numbers = np.stack([2 * scales.bias.astype(np.int64), scales.multipliers, constants, shifts], 1)
    return Scaling(numbers.astype(np.int32), None, 0, constant | left_out, channels_of(left_out))
