"""Scales from numbers to coordinates, with ticks at round values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgerig.report.units import scale_of

#: Values farther from the middle half than this many times its width are outliers that must not set an axis.
_FENCE = 12.0


def robust_bounds(values: Sequence[float]) -> tuple[float, float]:
    """The smallest and the largest of ``values`` without outliers, so that an axis can tell the others apart.

    An outlier lies farther than `_FENCE` interquartile ranges beyond the quartiles (J. W. Tukey's fences, set wide).
    Where the middle half is all one value, the range from the 5th to the 95th percentile is used instead; where that
    is empty as well, all values count.
    """
    return ordered_bounds(np.sort(np.asarray(values, np.float64)))


def ordered_bounds(ordered: NDArray[np.float64]) -> tuple[float, float]:
    """`robust_bounds` of values in ascending order, shape (n,); they are not copied, since there may be millions."""
    low, high = float(ordered[0]), float(ordered[-1])
    for share in (0.25, 0.05):
        left, right = ordered_quantile(ordered, share), ordered_quantile(ordered, 1 - share)
        if right > left:
            reach = _FENCE * (right - left)
            first = int(np.searchsorted(ordered, left - reach, side="left"))
            end = int(np.searchsorted(ordered, right + reach, side="right"))
            return float(ordered[first]), float(ordered[end - 1])
    return low, high


def ordered_quantile(ordered: NDArray[np.float64], share: float) -> float:
    """A quantile of values in ascending order by linear interpolation between neighbours, as numpy does by default."""
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    low, high = float(ordered[below]), float(ordered[above])
    return low + (position - below) * (high - low)


class Linear:
    """Maps ``low`` to ``high`` linearly onto ``start`` to ``end``."""

    def __init__(
        self, low: float, high: float, start: float, end: float, count: int = 5, *, whole: bool = False
    ) -> None:
        if high <= low:
            room = abs(low) * 0.05 or 1.0
            low, high = low - room, high + room
        self.low, self.high, self.start, self.end, self.count = low, high, start, end, count
        self.whole = whole

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Multiples of 1, 2 or 5 times a power of ten within the domain; of things that are counted, of whole ones."""
        step = nice_step((self.high - self.low) / self.count)
        # 2.5 runs are none.
        step = float(max(math.ceil(step), 1)) if self.whole else step
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


class Log:
    """Maps ``low`` to ``high``, both positive, logarithmically onto ``start`` to ``end``."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        if high <= low:
            low, high = low / 1.5, high * 1.5
        self.low, self.high = low, high
        self._linear = Linear(math.log10(low), math.log10(high), start, end)

    def __call__(self, value: float) -> float:
        return self._linear(math.log10(max(value, self.low * 1e-3)))

    def ticks(self) -> list[float]:
        """1, 2 and 5 of each decade; only 1 where that is too many, every digit where too few."""
        decades = range(math.floor(math.log10(self.low)) - 1, math.ceil(math.log10(self.high)) + 1)
        ticks: list[float] = []
        for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
            inside = [d * 10.0**e for e in decades for d in digits if self.low <= d * 10.0**e <= self.high]
            if len(inside) > 8:
                break
            ticks = inside
        return ticks


def nice_step(rough: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is at least ``rough``."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))


def tick_text(value: float, scale: Linear | Log, unit: str) -> str:
    """A tick's label: on a linear axis in the unit of the largest tick, on a logarithmic one each in its own."""
    ticks = scale.ticks()
    if isinstance(scale, Log):
        factor, symbol = scale_of(value, unit)
        return f"{value * factor:.6g} {symbol}".strip()
    factor, symbol = scale_of(max((abs(tick) for tick in ticks), default=1.0), unit)
    step = min((abs(b - a) * factor for a, b in pairwise(ticks)), default=abs(value * factor) or 1.0)
    places = next((n for n in range(7) if abs(step - round(step, n)) < step * 1e-6), 6)
    return f"{value * factor:,.{places}f} {symbol}".strip()
