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

from edgerig.micro.arithmetic.memo import by_numbers
from edgerig.micro.arithmetic.requantize import Requantization
from edgerig.micro.ir import DepthwiseConv2D, Weighted
from edgerig.micro.kernels.refusals import Refusal

Ints = NDArray[np.int64]
#: Beyond it the zero point, moved left by the shift, leaves too little of 32 bits.
MAX_SHIFT = 22
#: With which `_Channels` can prove exactness in 64 bits.
_MOST_START, _MOST_ADDEND = 1 << 40, 1 << 30
#: Channels that are looked at together.
_PART = 64
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


@by_numbers
def sums(node: Weighted) -> tuple[Ints, Ints]:
    """Lowest and highest ``sum(w * x)`` of each output channel for int8 inputs, without the bias."""
    weights = node.weights.array
    axes = (0, 1, 2) if isinstance(node, DepthwiseConv2D) else tuple(range(1, weights.ndim))
    positive, negative = (side(weights, 0).sum(axes, np.int64) for side in (np.maximum, np.minimum))
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
    channels = _Channels(requantization, lowest, highest, k, one_addend)
    shifts = np.minimum(channels.shifts, MAX_SHIFT)
    if one_shift:
        shifts[:] = channels.common if shift is None else shift
    fit, numbers = channels.fit(shifts)
    if not fit.all():
        channel = int(np.argmin(fit))
        scaling = f"one scaling with a shift of {shifts[channel]}" if one_shift else "one scaling"
        return Refusal(f"channel {channel} of {len(lowest)}: {scaling} is not exact")
    start, multiplier, addend = numbers.astype(np.int32).T.copy()
    return Prescaled(start, multiplier, addend, shifts.astype(np.int32), channels.constant)


def hindering(requantization: Requantization, lowest: Ints, highest: Ints, k: int) -> NDArray[np.bool_]:
    """Channels without which one shift and one addend are nearer to being exact for all others.

    Those that are not, where they are fewer than those with the least shift, which leaves the others the fewest bits.
    """
    channels = _Channels(requantization, lowest, highest, k, True)
    shifts = np.where(channels.constant, MAX_SHIFT, channels.shifts)
    fit, _ = channels.fit(np.full_like(shifts, min(MAX_SHIFT, int(shifts.min()))))
    least = shifts == shifts.min()
    return ~fit if (~fit).sum() <= least.sum() else least


def _parts(channels: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Channels in parts whose tables of levels take little memory."""
    return [channels[begin : begin + _PART] for begin in range(0, len(channels), _PART)]


class _Channels:
    """The channels' step functions: ``steps[c, i]`` is the smallest sum whose output is at least ``levels[i]``.

    Attributes:
        shifts: Of each channel, at which no bit of its multiplier is lost.
        constant: Channels whose output never changes.
    """

    def __init__(self, requantization: Requantization, lowest: Ints, highest: Ints, k: int, one_addend: bool) -> None:
        self._requantization, self._k, self._one_addend = requantization, k, one_addend
        self._lowest, self._highest = (ends.astype(np.int64)[:, None] for ends in (lowest, highest))
        right = -requantization.exponents.astype(np.int64)
        self._bits = 31 + right
        half = np.int64(1) << (self._bits - 1)
        self._rounding = half if requantization.once else (1 << 30) + half * (right > 0)
        self.shifts = right + k - 1
        self._levels = np.arange(requantization.low + 1, requantization.high + 1, dtype=np.int64)
        self._steps = np.concatenate([self._smallest_sums(part) for part in _parts(np.arange(len(lowest)))])
        missed = self._steps > self._lowest
        self.constant = np.asarray(~((self._steps <= self._highest) & missed).any(1), np.bool_)
        self._least = requantization.low + (~missed).sum(1)

    @property
    def common(self) -> int:
        """The largest shift that is possible in all channels."""
        return min(MAX_SHIFT, int(self.shifts[~self.constant].min(initial=MAX_SHIFT)))

    def fit(self, shifts: Ints) -> tuple[NDArray[np.bool_], Ints]:
        """Whether there are numbers for a shift of each channel, proved exact: start value, multiplier and addend."""
        lost = np.maximum(self.shifts - shifts, 0)
        ideal = self._multipliers + ((np.int64(1) << lost) >> 1) >> lost
        numbers = np.zeros((len(shifts), 3), np.int64)
        fit = np.zeros(len(shifts), np.bool_)
        for channel in np.flatnonzero(self.constant):
            if row := self._of_constant(int(self._least[channel]), int(shifts[channel])):
                fit[channel], numbers[channel] = True, row
        for part in _parts(np.flatnonzero(~self.constant & (self.shifts >= shifts) & (ideal > 0))):
            self._fit_part(part, ideal, shifts, fit, numbers)
        return fit, numbers

    def _fit_part(
        self, open_: NDArray[np.intp], ideal: Ints, shifts: Ints, fit: NDArray[np.bool_], numbers: Ints
    ) -> None:
        splits = [self._split(int(channel), int(ideal[channel]), int(shifts[channel])) for channel in open_]
        # Beyond it the proof itself would leave 64 bits.
        small = np.array(
            [abs(start) < _MOST_START and abs(addend) <= _MOST_ADDEND for start, addend in splits], np.bool_
        )
        starts, addends = np.array(splits, object).reshape(-1, 2)[small].astype(np.int64).T
        open_ = open_[small]
        for extra in _EXTRAS:
            if not open_.size:
                break
            multipliers, exact = self._exact(open_, starts + extra, ideal[open_], addends, shifts[open_])
            done = open_[exact]
            fit[done] = True
            numbers[done] = np.stack([starts[exact] + extra, multipliers[exact], addends[exact]], 1)
            open_, starts, addends = open_[~exact], starts[~exact], addends[~exact]

    @property
    def _multipliers(self) -> Ints:
        return self._requantization.multipliers.astype(np.int64)

    def _of_constant(self, least: int, shift: int) -> tuple[int, int, int] | None:
        if not self._one_addend:
            return 0, 0, least << shift
        addend = (2 * self._requantization.zero_point + 1 << shift) >> 1
        start, multiplier = 2 * ((least << shift) - addend) + 2, (1 << 31) - 1
        fits = abs(start) < 1 << 31 and (start * multiplier >> 32) + addend >> shift == least
        return (start, multiplier, addend) if fits else None

    def _smallest_sums(self, channels: NDArray[np.intp]) -> Ints:
        """The step of each level, clamped to just outside of what can be reached."""
        multipliers, levels = self._multipliers[channels, None], self._levels - self._requantization.zero_point
        bits, rounding = self._bits[channels, None], self._rounding[channels, None]
        lowest, highest = self._lowest[channels], self._highest[channels]
        # (rounding - (level << bits)) // multiplier in 64 bits: quotient and rest of 1 << bits apart.
        quotient, rest = np.divmod(np.int64(1) << bits, np.maximum(multipliers, 1))
        exact = levels * quotient - (rounding - levels * rest) // np.maximum(multipliers, 1)
        exact -= self._requantization.bias.astype(np.int64)[channels, None]
        if (none := multipliers == 0).any():
            exact = np.where(none & (rounding >> bits >= levels), lowest, np.where(none, 1 << 40, exact))
        return np.asarray(np.clip(exact, lowest, highest + 1), np.int64)

    def _split(self, channel: int, multiplier: int, shift: int) -> tuple[int, int]:
        """Start value and addend: the bias goes into the addend where 32 bits of accumulator would overflow.

        With one addend for all channels, that of half an output; what is more goes into the start value.
        """
        bits, zero_point = int(self._bits[channel]), self._requantization.zero_point
        rounding, bias = int(self._rounding[channel]), int(self._requantization.bias[channel])
        if self._one_addend:
            rest = rounding - (1 << (bits - 1))
            addend = (2 * zero_point + 1 << shift) >> 1
            return (bias << self._k) + round(rest * 2.0 ** (shift + 32 - bits) / multiplier), addend
        whole = (zero_point << bits) + rounding
        start = bias << self._k
        ends = int(self._lowest[channel, 0]), int(self._highest[channel, 0])
        if max(abs(start + (end << self._k)) for end in ends) >= (1 << 31) - 64:
            whole, start = whole + bias * int(self._requantization.multipliers[channel]), 0
        addend = (whole << shift) >> bits
        rest = (whole << shift) & ((1 << bits) - 1)
        return start + round(rest * 2.0 ** (32 - bits) / multiplier), addend

    def _exact(
        self, channels: NDArray[np.intp], starts: Ints, ideal: Ints, addends: Ints, shifts: Ints
    ) -> tuple[Ints, NDArray[np.bool_]]:
        """Of some channels the multipliers next to ``ideal`` that are exact with these start values, if there are."""
        # high32(p) + addend >= level << shift  <=>  p >= wanted; all numbers stay below 2**62.
        wanted = ((self._levels << shifts[:, None]) - addends[:, None]) << 32
        steps = self._steps[channels]
        least, most = np.ones_like(ideal), np.full_like(ideal, (1 << 31) - 1)
        exact = np.ones(len(channels), np.bool_)
        for asked, wants, sums, sign in (
            (steps <= self._highest[channels], wanted, steps, 1),
            (steps > self._lowest[channels], 1 - wanted, 1 - steps, -1),
        ):
            # The sum that meets a level, and the one below it that must not.
            factor = sign * starts[:, None] + (sums << self._k)
            exact &= ~(asked & (factor == 0) & (wants > 0)).any(1)
            divisor = np.where(factor == 0, 1, factor)
            least = np.maximum(least, np.where(asked & (factor > 0), -(-wants // divisor), 1).max(1))
            most = np.minimum(most, np.where(asked & (factor < 0), wants // divisor, (1 << 31) - 1).min(1))
        multipliers = np.clip(ideal, least, np.maximum(least, most))
        exact &= least <= most
        for ends in (self._lowest[channels, 0], self._highest[channels, 0]):
            end = starts + (ends << self._k)
            exact &= np.abs(end) < 1 << 31
            exact &= np.abs((np.where(exact, end, 0) * multipliers >> 32) + addends) < 1 << 31
        return multipliers, exact
