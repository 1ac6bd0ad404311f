"""Whether a device changed from round to round: grew hot, was throttled, got other work to do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from edgerig.measure.student import t_p_value

#: Below this p a trend, or a step, is no chance.
SIGNIFICANT_TREND, SIGNIFICANT_STEP = 0.05, 0.01
#: Relative changes smaller than these are nobody's concern.
SMALL_TREND, SMALL_STEP = 0.02, 0.05
#: Rounds from which on a trend can be told at all: of four, no order is rare enough.
FEWEST = 5
#: Rounds up to which the distribution of orders is counted exactly.
EXACT = 50


def trend_p_value(values: ArrayLike) -> float:
    """Two-sided p of the Mann-Kendall test that ``values``, shape (n,), in the order of time, have no trend.

    S counts pairs in rising less pairs in falling order; without a trend all orders are equally likely (Mann, 1945,
    Econometrica 13; Kendall, 1975). Counted exactly up to 50 values, normal above.

    >>> round(trend_p_value([1.0, 2.0, 3.0, 4.0, 5.0]), 4)
    0.0167
    """
    x = np.asarray(values, np.float64)
    n = len(x)
    score = int(np.sign(x[None, :] - x[:, None])[np.triu_indices(n, 1)].sum())
    if score == 0 or n < 2:
        return 1.0
    if n > EXACT:
        z = (abs(score) - 1) / math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
        return math.erfc(z / math.sqrt(2))
    pairs = n * (n - 1) // 2
    # S = pairs - 2 * inversions.
    counts = _inversions(n)
    fewest = math.floor((pairs - abs(score)) / 2)
    return min(1.0, 2 * sum(counts[: fewest + 1]) / math.factorial(n))


def largest_step(values: ArrayLike) -> tuple[int, float, float]:
    """Where ``values``, shape (n,), n >= 4, most likely changed their level at once.

    Of all cuts with at least two values on either side, that with the largest pooled t; its p is multiplied by the
    number of cuts (Bonferroni).

    Returns:
        How many values come before, the relative change, and p.

    >>> cut, change, p = largest_step([1.0, 1.01, 0.99, 1.30, 1.31])
    >>> cut, round(change, 3), p < 0.01
    (3, 0.305, True)
    """
    x = np.asarray(values, np.float64)
    n = len(x)
    best = (2, 0.0, 1.0)
    cuts = range(2, n - 1)
    for cut in cuts:
        before, after = x[:cut], x[cut:]
        difference = float(after.mean() - before.mean())
        squares = float(((before - before.mean()) ** 2).sum() + ((after - after.mean()) ** 2).sum())
        error = math.sqrt(squares / (n - 2) * (1 / cut + 1 / (n - cut)))
        p = t_p_value(difference / error, n - 2) if error > 0 else (0.0 if difference else 1.0)
        if p < best[2]:
            best = (cut, difference / float(before.mean()), p)
    cut, change, p = best
    return cut, change, min(1.0, p * len(cuts))


def drift_between(medians: Sequence[float]) -> str | None:
    """What is to be said where a device became slower or faster from round to round.

    Args:
        medians: Latency of each round, in the order of time.
    """
    if len(medians) < FEWEST or min(medians) <= 0:
        return None
    cut, step, p = largest_step(medians)
    if p < SIGNIFICANT_STEP and abs(step) >= SMALL_STEP:
        return (
            f"The device became {_percent(step)} between rounds {cut} and {cut + 1}: its figures are of two "
            "states. Look for heat, throttling and other work."
        )
    change = medians[-1] / medians[0] - 1
    if trend_p_value(medians) < SIGNIFICANT_TREND and abs(change) >= SMALL_TREND:
        return (
            f"The device became {_percent(change)} from the first round to the last, step by step (Mann-Kendall test "
            "at 5 %): look for heat, throttling and other work."
        )
    return None


@cache
def _inversions(n: int) -> tuple[int, ...]:
    """How many orders of n things have 0, 1, 2 .. inversions (Mahonian numbers)."""
    if n <= 1:
        return (1,)
    before = _inversions(n - 1)
    total = [0] * (len(before) + n - 1)
    for shift in range(n):
        for number, count in enumerate(before):
            total[number + shift] += count
    return tuple(total)


def _percent(change: float) -> str:
    return f"{abs(change):.0%} {'slower' if change > 0 else 'faster'}"
