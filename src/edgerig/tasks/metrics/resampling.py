"""Intervals by bootstrap: resamples of the samples, drawn with replacement (Efron, 1979), and their percentiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Resamples of a bootstrap, and samples drawn in all of them together, which bounds its time.
RESAMPLES, DRAWN = 1000, 20_000_000
#: Fewest resamples: the interval's ends are the 2.5 % and the 97.5 % quantile.
FEWEST_RESAMPLES = 200
#: What sums in floating point leave of the difference of equal numbers.
SAME = 1e-12
#: Seed of the resamples: equal predictions have equal intervals.
SEED = 0


def resamples_of(n: int, seed: int = SEED, cost: int = 1) -> Iterator[Floats]:
    """How often each of n samples is drawn in resamples with replacement, each part of shape (m, n).

    In parts: counts of all resamples at once would take 8 n bytes for each of them.

    Args:
        n: Samples. seed: Of the drawing. cost: How often as long a sample takes; of costly ones fewer are drawn.
    """
    resamples = int(np.clip(DRAWN // max(n * cost, 1), FEWEST_RESAMPLES, RESAMPLES))
    rng = np.random.Generator(np.random.PCG64(seed))
    for start in range(0, resamples, 50):
        count = min(50, resamples - start)
        draws = [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(count)]
        yield np.stack(draws).astype(np.float64)


def bounds_of(resampled: Floats, value: float) -> tuple[float, float] | None:
    """The 95 % percentile interval out of resampled numbers, shape (resamples,); reaches as far as ``value`` itself.

    None where a twentieth or more of the resamples have no number; and where all have the same one, as of a single
    sample or where nothing is wrong: then the samples do not tell how far another set of them would be off.

    >>> bounds_of(np.array([1.0, 1.0, 1.0]), 1.0) is None
    True
    """
    known = resampled[np.isfinite(resampled)]
    if len(known) <= 0.95 * len(resampled) or np.ptp(known) <= SAME * max(1.0, abs(value)):
        return None
    low, high = np.quantile(known, (0.025, 0.975))
    return min(float(low), value), max(float(high), value)
