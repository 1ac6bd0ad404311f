"""Whether one series of times is longer than another, decided between pairs of fresh processes.

The unit of repetition is the process: two fresh processes of one file differ by more than the samples within either
tell. A *pair* is one process of A and one of B that run short *chunks* in turns; a pair gives one log ratio, and all
that is decided here is decided on the log ratios of several pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgerig.measure.student import t_quantile

Verdict = Literal["slower", "faster", "same", "inconclusive"]

#: After so many pairs it is looked whether a verdict stands; after the last look nothing more is measured.
LOOKS = (4, 6, 9, 14, 20)
#: The level of each look, so that the intervals of all five looks hold the true ratio together in 95 % of comparisons
#: (Pocock, 1977, Biometrika 64, 191, with Student's t for the unknown spread; by simulation of a million comparisons).
LOOK_LEVEL = 0.0125
#: The share of pairs that is left out at either end: of nine pairs one, of twenty three. Now and then a process is laid
#: out in memory so that it is 10 or 20 % slower all its life.
TRIM = 0.15
#: The level of an interval that is looked at once.
LEVEL = 0.05
#: Relative difference that does not matter, unless somebody says otherwise.
MARGIN = 0.02
#: A chunk's time is this quantile of its samples: on a busy machine the median drowns in preemption.
QUANTILE = 0.1


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """An interval for the ratio B / A.

    Attributes:
        ratio: Times of B for one of A. low, high: bounds of it.
        count: The pairs (or rounds) that stand behind it.
        level: How often such an interval misses.
        spread: Standard deviation of one pair's log ratio, outliers left out.
    """

    ratio: float
    low: float
    high: float
    count: int
    level: float
    spread: float


def chunk_log_ratio(first: ArrayLike, second: ArrayLike, quantile: float = QUANTILE) -> float:
    """``log(q(second) / q(first))``, with q a low quantile of the times, shape (n,) and (m,), of one chunk.

    Raises:
        ValueError: A series is empty, or its quantile is no time above 0: the clock is too coarse.

    >>> round(chunk_log_ratio([10, 10, 30], [11, 11, 11]), 4)
    0.0953
    """
    a, b = (float(np.quantile(np.asarray(times, np.float64), quantile)) for times in (first, second))
    if not (0 < a < math.inf and 0 < b < math.inf):
        raise ValueError("the clock is too coarse: an inference takes no time")
    return math.log(b / a)


def pair_log_ratio(chunks: Sequence[tuple[ArrayLike, ArrayLike]], quantile: float = QUANTILE) -> float:
    """The log ratio of one pair: the median over its chunks, each with A's times and B's.

    Raises:
        ValueError: There are no chunks, or one of them has no ratio.

    >>> quiet, disturbed = ([10, 10], [20, 20]), ([10, 10], [90, 90])
    >>> round(math.exp(pair_log_ratio([quiet, quiet, disturbed])), 4)
    2.0
    """
    if not chunks:
        raise ValueError("a pair needs at least one chunk")
    return float(np.median([chunk_log_ratio(a, b, quantile) for a, b in chunks]))


def estimate(log_ratios: ArrayLike, level: float = LEVEL, resolution: float = 0.0) -> Estimate:
    """The ratio behind the ``log_ratios`` of n >= 2 pairs, shape (n,), with its interval.

    ``exp(m ± t s / ((1 - 2 g / n) sqrt(n)))``, with m the mean without the g = floor(0.15 n) smallest and largest, s
    the standard deviation where these are set to the nearest that is left, t of Student's distribution with
    n - 2 g - 1 degrees of freedom (Tukey and McLaughlin, 1963, Sankhya A 25, 331). Up to six pairs that is Student's
    own interval, which outliers make wider.

    Args:
        level: How often the interval may miss.
        resolution: The clock's tick as a share of the shorter time: no interval is narrower to either side.

    Raises:
        ValueError: There are fewer than two pairs, or one is not finite.

    >>> found = estimate([0.048, 0.05, 0.049, 0.049], LOOK_LEVEL)
    >>> round(found.ratio, 3), round(found.low, 3), round(found.high, 3)
    (1.05, 1.048, 1.053)
    """
    x = np.sort(_finite(log_ratios))
    n, cut = x.size, int(TRIM * x.size)
    mean = float(x[cut : n - cut].mean())
    winsorized = np.clip(x, x[cut], x[n - cut - 1])
    spread = float(winsorized.std(ddof=1)) / (1 - 2 * cut / n)
    half = max(t_quantile(1 - level, n - 2 * cut - 1) * spread / math.sqrt(n), math.log1p(resolution))
    return Estimate(
        ratio=math.exp(mean),
        low=math.exp(mean - half),
        high=math.exp(mean + half),
        count=x.size,
        level=level,
        spread=spread,
    )


def estimate_apart(first: ArrayLike, second: ArrayLike, level: float = LEVEL, resolution: float = 0.0) -> Estimate:
    """The ratio of two groups of times that were not measured in pairs, such as the rounds of two runs.

    ``first`` and ``second``, shapes (n,) and (m,), hold one time for each round. The interval is Welch's (1947,
    Biometrika 34, 28) on their logarithms, its degrees of freedom rounded down; it knows nothing of what changed
    between the two runs.

    Raises:
        ValueError: Either has fewer than two times, or one is not above 0.

    >>> found = estimate_apart([10.0, 10.1, 9.9], [20.0, 20.2, 19.8])
    >>> round(found.ratio, 3), round(found.low, 2), round(found.high, 2)
    (2.0, 1.96, 2.05)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (_finite(np.log(np.asarray(times, np.float64))) for times in (first, second))
    parts = [float(x.var(ddof=1)) / x.size for x in (a, b)]
    error = math.sqrt(sum(parts))
    half = math.log1p(resolution)
    if error > 0:
        df = sum(parts) ** 2 / sum(part**2 / (x.size - 1) for part, x in zip(parts, (a, b), strict=True))
        half = max(half, t_quantile(1 - level, max(1, int(df))) * error)
    mean = float(b.mean() - a.mean())
    return Estimate(
        ratio=math.exp(mean),
        low=math.exp(mean - half),
        high=math.exp(mean + half),
        count=min(a.size, b.size),
        level=level,
        spread=math.sqrt(float(a.var(ddof=1) + b.var(ddof=1))),
    )


def judge_ratio(estimated: Estimate, margin: float = MARGIN) -> Verdict:
    """What an interval of the ratio B / A says, where a difference of ``margin`` (a share of 1) does not matter.

    ``slower``: all of it above ``1 + margin``. ``faster``: all of it below ``1 / (1 + margin)``. ``same``: all of it
    between the two. Else ``inconclusive``, which is never a pass.

    >>> judge_ratio(Estimate(ratio=1.05, low=1.03, high=1.07, count=6, level=0.05, spread=0.01))
    'slower'
    """
    if estimated.low > 1 + margin:
        return "slower"
    if estimated.high < 1 / (1 + margin):
        return "faster"
    if estimated.low >= 1 / (1 + margin) and estimated.high <= 1 + margin:
        return "same"
    return "inconclusive"


def is_look(pairs: int) -> bool:
    """Whether after so many pairs it is looked for a verdict.

    >>> [pairs for pairs in range(1, 21) if is_look(pairs)]
    [4, 6, 9, 14, 20]
    """
    return pairs in LOOKS


def smallest_difference(
    spread: float, pairs: int = LOOKS[-1], margin: float = MARGIN, level: float = LOOK_LEVEL
) -> float:
    """The relative slowdown that so many pairs find in more than 90 % of comparisons, as a share of 1.

    ``(1 + margin) exp((t_level + t_95) s / sqrt(n)) - 1``, with s the standard deviation of a pair's log ratio and t
    of Student's distribution with as many degrees of freedom as in `estimate`.

    >>> round(smallest_difference(0.01), 3), round(smallest_difference(0.01, pairs=6), 3)
    (0.031, 0.045)
    """
    df = pairs - 2 * int(TRIM * pairs) - 1
    # 95 % to one side are 90 % between both.
    reach = (t_quantile(1 - level, df) + t_quantile(0.9, df)) * spread / math.sqrt(pairs)
    return (1 + margin) * math.exp(reach) - 1


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(values, np.float64).ravel()
    if x.size < 2:
        raise ValueError("an interval between processes needs at least two of them")
    if not np.isfinite(x).all():
        raise ValueError("a time is not above 0, or not finite")
    return x
