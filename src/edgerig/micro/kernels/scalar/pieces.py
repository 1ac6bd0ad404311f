"""From sums to int8 on a processor without the high word of a product, Cortex-M0+: one rounding, of products in pieces.

With the sum split into its lower 11 bits and the rest,
``floor(((sum + start) * multiplier + addend) / 2**(11 + shift))`` takes two products of 32 bits, as long as the
multiplier has at most 21 bits and, with large sums, fewer. Whether so few are exact is proved: the output is a step
function of the sum, so that it is enough to compare the up to 255 sums at which it changes. Channels for which they are
not keep LiteRT's roundings, whose high words are put together of four products.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.memo import by_numbers
from edgerig.micro.arithmetic.requantize import Requantization, requantization, scale_once, scale_twice
from edgerig.micro.ir import Weighted
from edgerig.micro.kernels.cortex_m.prescaled import sums
from edgerig.micro.kernels.refusals import Refusal
from edgerig.micro.kernels.scalar.scaling import Scaling, by_reference

Ints = NDArray[np.int64]
#: Bits of the lower piece; marks of channels that are scaled as by LiteRT (er_sc_scale.h).
LOW, TWICE, ONCE = 11, 32, 64
_MOST_BITS, _MOST_SHIFT = 32 - LOW, 30
#: Around the ideal multiplier.
_EXTRAS = np.array(sorted(range(-6, 7), key=abs), np.int64)[:, None]
#: Numbers of bits of the multiplier, from the most that are in range on.
_TRIES = 2
#: Channels that are looked at together.
_PART = 64
#: Sums around where a step is expected.
_NEAR = 8


@by_numbers
def pieces(node: Weighted) -> Scaling | Refusal:
    """Start, multiplier, addend and shift of each channel, or why there are none for some."""
    scales = requantization(node)
    lowest, highest = sums(node)
    numbers = tuple(
        column.astype(np.int64).tobytes()
        for column in (scales.multipliers, scales.exponents, scales.bias, lowest, highest)
    )
    rows = _rows(numbers, (scales.zero_point, scales.low, scales.high, scales.once)).copy()
    inexact = rows[:, 3] < 0
    left = 0 if scales.once else 1
    if inexact.any():
        reference = by_reference(node, scales, inexact)
        if isinstance(reference, Refusal):
            return reference
        rows[inexact] = reference.channels[inexact]
        rows[inexact, 3] += ONCE if scales.once else TWICE
    return Scaling("pieces", rows, np.where(inexact, left, 0), scales)


# A layer is asked about when a kernel is chosen, and lowered more than once.
@lru_cache(256)
def _rows(numbers: tuple[bytes, ...], limits: tuple[int, int, int, bool]) -> NDArray[np.int32]:
    """Of each channel an er_sc_channel; -1 as shift where there is none."""
    multipliers, exponents, bias, lowest, highest = (np.frombuffer(column, np.int64) for column in numbers)
    zero_point, low, high, once = limits
    levels = np.arange(low + 1, high + 1, dtype=np.int64)
    scales = Requantization(multipliers, exponents, bias, zero_point, low, high, once)  # type: ignore[arg-type]
    steps = np.concatenate([_steps(_some(scales, part), levels, lowest[part], highest[part]) for part in _parts(bias)])
    rows = np.zeros((len(bias), 4), np.int32)
    for channel, (least, most) in enumerate(zip(lowest.tolist(), highest.tolist(), strict=True)):
        scale = float(multipliers[channel]) * 2.0 ** (float(exponents[channel]) - 31)
        rows[channel] = fit(low, levels, steps[channel], least, most, scale) or (0, 0, 0, -1)
    return rows


def _parts(bias: Ints) -> list[slice]:
    """Of channels, whose tables of levels take little memory."""
    return [slice(begin, begin + _PART) for begin in range(0, len(bias), _PART)]


def _some(scales: Requantization, channels: slice) -> Requantization:
    numbers = {name: getattr(scales, name)[channels] for name in ("multipliers", "exponents", "bias")}
    return replace(scales, **numbers)


def _steps(scales: Requantization, levels: Ints, lowest: Ints, highest: Ints) -> Ints:
    """(channels, levels): the smallest sum whose output is at least the level; one above the highest if none is."""
    by_channel = (scales.multipliers[:, None], scales.exponents[:, None], scales.bias[:, None])

    def met(sums: Ints) -> NDArray[np.bool_]:
        multiplier, exponent, bias = by_channel
        scale = scale_once if scales.once else scale_twice
        return np.asarray(scale(sums + bias, multiplier, exponent) + scales.zero_point >= levels)

    least, behind = (np.broadcast_to(end[:, None], (len(end), len(levels))) for end in (lowest, highest + 1))
    real = by_channel[0] * 2.0 ** (by_channel[1].astype(np.float64) - 31)
    with np.errstate(divide="ignore", invalid="ignore"):
        guess = np.nan_to_num((levels - scales.zero_point - 0.5) / real, posinf=2.0**40, neginf=-(2.0**40))
    guess = np.clip(np.rint(np.clip(guess, -(2.0**40), 2.0**40)).astype(np.int64) - by_channel[2], least, behind)
    steps = _bisect(met, np.maximum(guess - _NEAR, least), np.minimum(guess + _NEAR, behind))
    right = ((steps == behind) | met(steps)) & ((steps == least) | ~met(steps - 1))
    return steps if right.all() else _bisect(met, least, behind)


def _bisect(met: object, least: Ints, behind: Ints) -> Ints:
    assert callable(met)
    while (least < behind).any():
        middle = (least + behind) >> 1
        yes = met(middle)
        least, behind = np.where(yes | (least >= behind), least, middle + 1), np.where(yes, middle, behind)
    return np.asarray(least)


def fit(
    low: int, levels: Ints, steps: Ints, lowest: int, highest: int, scale: float
) -> tuple[int, int, int, int] | None:
    """Start, multiplier, addend and shift that make the steps out of all sums from ``lowest`` to ``highest``."""
    met, missed = steps <= highest, steps > lowest
    if not (met & missed).any():
        return _constant(low + int((~missed).sum()), lowest, highest)
    up, down = levels[met], levels[missed]
    tried = 0
    for bits in range(_MOST_BITS, 7, -1):
        shift = bits - 1 - int(np.floor(np.log2(scale)))
        if not LOW <= shift <= LOW + _MOST_SHIFT:
            continue
        multipliers = round(scale * 2.0**shift) + _EXTRAS
        least = ((up << shift) - multipliers * steps[met]).max(1)
        most = ((down << shift) - 1 - multipliers * (steps[missed] - 1)).min(1)
        middles = (least + most) >> 1
        in_range = [
            _in_range(*divmod(int(middle), int(multiplier)), int(multiplier), lowest, highest)
            for middle, multiplier in zip(middles, multipliers[:, 0], strict=True)
        ]
        for index in np.flatnonzero((least <= most) & in_range):
            multiplier = int(multipliers[index, 0])
            start, addend = divmod(int(middles[index]), multiplier)
            return start, multiplier, addend, shift - LOW
        # Fewer bits are less exact still.
        tried += any(in_range)
        if tried == _TRIES:
            break
    return None


def _constant(value: int, lowest: int, highest: int) -> tuple[int, int, int, int] | None:
    """All sums make ``value``."""
    shift = max(LOW, (highest - lowest).bit_length())
    start = (value << shift) - lowest
    return (start, 1, 0, shift - LOW) if _in_range(start, 0, 1, lowest, highest) else None


def _in_range(start: int, addend: int, multiplier: int, lowest: int, highest: int) -> bool:
    """No piece leaves 32 bits, the lower one without a sign."""
    if not 0 < multiplier < 1 << _MOST_BITS:
        return False
    ends = [start, *(end + start for end in (lowest, highest))]
    upper = [(end >> LOW) * multiplier for end in ends[1:]]
    most = ((1 << LOW) - 1) * multiplier + addend
    fits = all(-(1 << 31) <= number < (1 << 31) - (1 << _MOST_BITS) - 1 for number in (*ends, *upper))
    return fits and most < 1 << 32
