"""Requantization in three instructions an output: SMMLA, SSAT with a shift, store.

The two roundings of a convolution and the one of a dense layer are both ``floor((a * m + c) / 2**n) + zero point`` for
outputs above the zero point (floors of floors merge), and the single rounding is so everywhere. If the accumulator
comes multiplied by ``2**k``, and kernels get that for nothing by packing weights in the high byte of a half-word, then

    out = ssat8((high32((start + 2**k * sum(w * x)) * multiplier) + addend) >> shift)

has room for all of ``c``. One ``shift`` for all channels costs up to a few low bits of some multipliers; whether the
result is still exact is not estimated but proved here: both sides are monotone step functions of the sum, so it is
enough to compare the at most 255 sums at which the output changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import Requantization
from edgerig.micro.ir import DepthwiseConv2D, Weighted
from edgerig.micro.kernels.refusals import Refusal

Ints = NDArray[np.int64]
#: Beyond it the zero point, moved left by the shift, leaves too little of 32 bits.
MAX_SHIFT = 22
#: By which levels can be moved left in 64 bits.
_BITS = 53
_EXTRAS = sorted(range(-12, 13), key=abs)


@dataclass(frozen=True)
class Prescaled:
    """Parameters of the formula above, one per channel; ``shift`` and ``addend`` likewise, all equal if asked for.

    Attributes:
        constant: Channels whose output never changes. With one addend their weights must be packed as 0.
    """

    start: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    addend: NDArray[np.int32]
    shift: NDArray[np.int32]
    constant: NDArray[np.bool_]


def floors(requantization: Requantization) -> bool:
    """Whether rounding of results below the zero point cannot be seen, so that the formula holds."""
    return requantization.once or requantization.low >= requantization.zero_point


def left_shift(requantization: Requantization) -> Refusal:
    """The refusal of scales of 1 and more."""
    exponents = requantization.exponents
    return Refusal(f"channel {int(np.argmax(exponents > 0))} of {len(exponents)}: scale asks for a left shift")


def sums(node: Weighted) -> tuple[Ints, Ints]:
    """Lowest and highest ``sum(w * x)`` of each output channel for int8 inputs, without the bias."""
    weights = node.weights.array.astype(np.int64)
    axes = (0, 1, 2) if isinstance(node, DepthwiseConv2D) else tuple(range(1, weights.ndim))
    positive, negative = np.maximum(weights, 0).sum(axes), np.minimum(weights, 0).sum(axes)
    return negative * 127 - positive * 128, positive * 127 - negative * 128


def prescaled(
    requantization: Requantization,
    lowest: Ints,
    highest: Ints,
    k: int,
    one_shift: bool = False,
    one_addend: bool = False,
    shift: int | None = None,
) -> Prescaled | Refusal:
    """Parameters for sums that come multiplied by ``2**k``, or why none are exact.

    Args:
        requantization: Of the layer.
        lowest: Of each channel's sums (`sums`).
        highest: Likewise.
        k: 2 to 8.
        one_shift: The same shift in all channels.
        one_addend: The same addend in all channels; needs one_shift.
        shift: With one_shift, this one; else the largest that is possible.
    """
    numbers = (requantization.bias, requantization.multipliers, requantization.exponents, lowest, highest)
    limits = (requantization.zero_point, requantization.low, requantization.high, requantization.once)
    content = (*(column.tobytes() for column in numbers), *limits, k, one_shift, one_addend, shift)
    return _answer(_Question(content, (requantization, lowest, highest, k, one_shift, one_addend, shift)))


@dataclass(frozen=True)
class _Question:
    """Arguments of `prescaled`, equal where their content is."""

    content: tuple[object, ...]
    arguments: tuple[Requantization, Ints, Ints, int, bool, bool, int | None] = field(compare=False)


# A layer is asked about by several kernels, and lowered more than once.
@lru_cache(512)
def _answer(question: _Question) -> Prescaled | Refusal:
    return _prescaled(*question.arguments)


def _prescaled(
    requantization: Requantization,
    lowest: Ints,
    highest: Ints,
    k: int,
    one_shift: bool,
    one_addend: bool,
    shift: int | None,
) -> Prescaled | Refusal:
    if not floors(requantization):
        return Refusal(
            f"no fused ReLU: outputs go below the zero point, from {requantization.low} to {requantization.zero_point}"
        )
    if requantization.shifts_left:
        return left_shift(requantization)
    channels = [_Channel(requantization, i, int(lowest[i]), int(highest[i]), k, one_addend) for i in range(len(lowest))]
    alive = [channel.shift for channel in channels if not channel.constant] or [MAX_SHIFT]
    common = min(MAX_SHIFT, *alive) if shift is None else shift
    parameters = []
    for index, channel in enumerate(channels):
        chosen = common if one_shift else min(channel.shift, MAX_SHIFT)
        fit = channel.fit(chosen)
        if fit is None:
            scaling = f"one scaling with a shift of {chosen}" if one_shift else "one scaling"
            return Refusal(f"channel {index} of {len(channels)}: {scaling} is not exact")
        parameters.append((*fit, chosen))
    constant = np.array([channel.constant for channel in channels], np.bool_)
    start, multiplier, addend, shifts = (np.array(column, np.int32) for column in zip(*parameters, strict=True))
    return Prescaled(start, multiplier, addend, shifts, constant)


def hindering(requantization: Requantization, lowest: Ints, highest: Ints, k: int) -> NDArray[np.bool_]:
    """Channels without which one shift and one addend are nearer to being exact for all others.

    Those that are not, where they are fewer than those with the least shift, which leaves the others the fewest bits.
    """
    numbers = range(len(lowest))
    channels = [_Channel(requantization, i, int(lowest[i]), int(highest[i]), k, True) for i in numbers]
    shifts = np.array([MAX_SHIFT if channel.constant else channel.shift for channel in channels])
    common = min(MAX_SHIFT, int(shifts.min()))
    unfit = np.array([channel.fit(common) is None for channel in channels])
    least = shifts == shifts.min()
    return unfit if unfit.sum() <= least.sum() else least


class _Channel:
    """One channel's step function: ``steps[i]`` is the smallest sum whose output is at least ``levels[i]``."""

    def __init__(
        self, requantization: Requantization, channel: int, lowest: int, highest: int, k: int, one_addend: bool
    ) -> None:
        self.lowest, self.highest, self.k, self.one_addend = lowest, highest, k, one_addend
        self.multiplier, right = int(requantization.multipliers[channel]), -int(requantization.exponents[channel])
        self.bias, self.zero_point = int(requantization.bias[channel]), requantization.zero_point
        self.bits = 31 + right
        self.rounding = 1 << (self.bits - 1)
        if not requantization.once:
            self.rounding = (1 << 30) + (1 << (30 + right) if right else 0)
        #: The shift at which no bit of the multiplier is lost.
        self.shift = right + k - 1
        self.levels = range(requantization.low + 1, requantization.high + 1)
        self.steps = self._steps()
        reachable = (self.steps > lowest) & (self.steps <= highest)
        self.constant = not bool(reachable.any())
        self.least = requantization.low + int((self.steps <= lowest).sum())

    def fit(self, shift: int) -> tuple[int, int, int] | None:
        """Start value, multiplier and addend for a shift, proved exact; None if there are none."""
        if self.constant:
            return self._constant(shift)
        lost = self.shift - shift
        if lost < 0:
            return None
        ideal = self.multiplier + (1 << lost >> 1) >> lost
        start, addend = self._split(ideal, shift)
        for extra in _EXTRAS:
            multiplier = self._multiplier(start + extra, ideal, addend, shift)
            if multiplier is not None:
                return start + extra, multiplier, addend
        return None

    def _constant(self, shift: int) -> tuple[int, int, int] | None:
        if not self.one_addend:
            return 0, 0, self.least << shift
        addend = (2 * self.zero_point + 1 << shift) >> 1
        start, multiplier = 2 * ((self.least << shift) - addend) + 2, (1 << 31) - 1
        fits = abs(start) < 1 << 31 and (start * multiplier >> 32) + addend >> shift == self.least
        return (start, multiplier, addend) if fits else None

    def _steps(self) -> Ints:
        """The step of each level."""
        if not self.multiplier or self.bits > _BITS:
            return np.array([self._step(level) for level in self.levels], np.int64)
        levels = np.array(self.levels, np.int64) - self.zero_point
        exact = -((self.rounding - (levels << self.bits)) // self.multiplier) - self.bias
        return np.asarray(np.clip(exact, self.lowest, self.highest + 1), np.int64)

    def _step(self, level: int) -> int:
        """Smallest sum whose output is at least ``level``, clamped to just outside of what can be reached."""
        if not self.multiplier:
            met = self.rounding >> self.bits >= level - self.zero_point
            return self.lowest if met else self.highest + 1
        exact = -((self.rounding - (level - self.zero_point << self.bits)) // self.multiplier) - self.bias
        return min(max(exact, self.lowest), self.highest + 1)

    def _split(self, multiplier: int, shift: int) -> tuple[int, int]:
        """Start value and addend: the bias goes into the addend where 32 bits of accumulator would overflow.

        With one addend for all channels, that of half an output; what is more goes into the start value.
        """
        if self.one_addend:
            rest = self.rounding - (1 << (self.bits - 1))
            addend = (2 * self.zero_point + 1 << shift) >> 1
            return (self.bias << self.k) + round(rest * 2.0 ** (shift + 32 - self.bits) / multiplier), addend
        whole = (self.zero_point << self.bits) + self.rounding
        start = self.bias << self.k
        if max(abs(start + (self.lowest << self.k)), abs(start + (self.highest << self.k))) >= (1 << 31) - 64:
            whole, start = whole + self.bias * self.multiplier, 0
        addend = (whole << shift) >> self.bits
        rest = (whole << shift) & ((1 << self.bits) - 1)
        return start + round(rest * 2.0 ** (32 - self.bits) / multiplier), addend

    def _multiplier(self, start: int, ideal: int, addend: int, shift: int) -> int | None:
        """The multiplier next to ``ideal`` of those that are exact with this start value."""
        levels = np.array(self.levels, np.int64)
        # high32(p) + addend >= level << shift  <=>  p >= wanted; all numbers stay below 2**62.
        wanted = ((levels << shift) - addend) << 32
        met, missed = self.steps <= self.highest, self.steps > self.lowest
        least, most = 1, (1 << 31) - 1
        for wants, sums, sign in ((wanted[met], self.steps[met], 1), (1 - wanted[missed], 1 - self.steps[missed], -1)):
            # The sum that meets a level, and the one below it that must not.
            factor = sign * start + (sums << self.k)
            if (wants[factor == 0] > 0).any():
                return None
            up, down = factor > 0, factor < 0
            least = max(least, int((-(-wants[up] // factor[up])).max(initial=1)))
            most = min(most, int((wants[down] // factor[down]).min(initial=most)))
        if least > most:
            return None
        multiplier = min(max(ideal, least), most)
        ends = [start + (end << self.k) for end in (self.lowest, self.highest)]
        if any(abs(end) >= 1 << 31 or abs((end * multiplier >> 32) + addend) >= 1 << 31 for end in ends):
            return None
        return multiplier if abs(addend) < 1 << 31 else None
