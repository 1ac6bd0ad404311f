"""The highest rate that holds a bound, by bisection."""

from __future__ import annotations

import math
from collections.abc import Callable

from edgerig.results.under_load import Trial

#: The search ends when the lowest rate that failed is within this share of the highest that held.
RESOLUTION = 0.05
#: Factor between two rates until one holds and one fails.
STEP = 1.5
#: Most trials of a search, and the factor under its first guess at which it gives up.
MOST_TRIALS = 24
LOWEST = 1 / 64


def highest_rate(trial: Callable[[float], Trial], guess: float) -> tuple[Trial, ...]:
    """Try rates from ``guess`` on, up or down by `STEP` until one holds and one fails, then halve the ratio between
    them until it is within `RESOLUTION`.

    Returns:
        All trials, in the order of time; `best_of` is the result.

    >>> def trial(rate):
    ...     holds = rate <= 100
    ...     return Trial(rate=rate, requests=1, answered=1, over=0, tail=0.0, kept_up=True, holds=holds, late=0.0)
    >>> best = best_of(highest_rate(trial, 10.0))
    >>> 95 < best.rate <= 100
    True
    """
    trials: list[Trial] = []
    high = math.inf
    low = 0.0
    rate = guess
    while len(trials) < MOST_TRIALS and rate >= guess * LOWEST:
        trials.append(trial(rate))
        if trials[-1].holds:
            low = max(low, rate)
        else:
            high = min(high, rate)
        if low and high <= low * (1 + RESOLUTION):
            break
        if not low:
            rate = high / STEP
        elif high == math.inf:
            rate = low * STEP
        else:
            rate = math.sqrt(low * high)
    return tuple(trials)


def best_of(trials: tuple[Trial, ...]) -> Trial | None:
    """The trial of the highest rate that held the bound below every rate that failed; None where none held it."""
    failed = min((trial.rate for trial in trials if not trial.holds), default=math.inf)
    holding = [trial for trial in trials if trial.holds and trial.rate < failed]
    return max(holding, key=lambda trial: trial.rate, default=None)
