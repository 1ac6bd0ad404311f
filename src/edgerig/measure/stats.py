"""Statistics of raw timing samples: median with a bootstrap interval, tail percentiles where the count allows."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

#: A percentile is reported only if at least this many samples are expected beyond it.
TAIL_SAMPLES = 5
#: (p90 - p10) / median above which a spread is called wide.
WIDE_SPREAD = 0.25
#: Blocks of neighbouring samples that a long series is bootstrapped by.
BLOCKS = 50


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Summary of ``n`` samples, in the samples' unit.

    ``p90`` and ``p99`` are None where fewer than five samples would lie beyond them (50 and 500 samples).
    """

    n: int
    median: float
    low: float
    high: float
    mean: float
    std: float
    minimum: float
    maximum: float
    p90: float | None
    p99: float | None
    spread: float
    drift: float


def summarize(samples: ArrayLike, *, resamples: int = 1000, seed: int = 0) -> Distribution:
    """Summarize raw samples, shape (n,), any real dtype.

    ``low`` and ``high`` bound the median by the percentile bootstrap at 95 % (Efron and Tibshirani, 1993, ch. 13), of
    single samples where there are fewer than 500, else of 50 blocks of neighbours (Carlstein, 1986): times one after
    another are alike, and drawing them one by one would claim more certainty than there is.
    ``spread`` is (p90 - p10) / median. ``drift`` is the relative change of the median from the first to the last
    quarter of the samples: a device that heats up or throttles shows here.

    Args:
        samples: Raw samples, in any unit.
        resamples: Of the bootstrap.
        seed: Of the bootstrap: equal samples give equal bounds.

    Returns:
        All figures in the unit of the samples, but ``spread`` and ``drift``, which are shares of the median.

    Raises:
        ValueError: There are no samples, or one is not finite.

    >>> figures = summarize([10.0, 11.0, 10.5, 10.2, 30.0])
    >>> figures.median, figures.low, figures.high, round(figures.mean, 2)
    (10.5, 10.0, 30.0, 14.34)
    >>> figures.p90 is None, round(summarize(range(1, 101)).p90, 3)  # from 50 samples on
    (True, 90.1)
    """
    x = np.asarray(samples, dtype=np.float64).ravel()
    if x.size == 0:
        raise ValueError("no samples to summarize")
    if not np.isfinite(x).all():
        raise ValueError("samples must be finite")
    bounds = _block_bootstrap_median if x.size >= BLOCKS * 10 else _bootstrap_median
    low, high = bounds(x, resamples, seed)
    p10, median, p90, p99 = (float(v) for v in np.quantile(x, [0.1, 0.5, 0.9, 0.99]))
    quarter = max(1, x.size // 4)
    first, last = float(np.median(x[:quarter])), float(np.median(x[-quarter:]))
    return Distribution(
        n=x.size,
        median=median,
        low=low,
        high=high,
        mean=float(x.mean()),
        std=float(x.std(ddof=1)) if x.size > 1 else 0.0,
        minimum=float(x.min()),
        maximum=float(x.max()),
        p90=p90 if x.size * 0.1 >= TAIL_SAMPLES else None,
        p99=p99 if x.size * 0.01 >= TAIL_SAMPLES else None,
        spread=(p90 - p10) / median if median else 0.0,
        drift=(last - first) / first if first else 0.0,
    )


def _bootstrap_median(x: NDArray[np.float64], resamples: int, seed: int) -> tuple[float, float]:
    """Percentile-bootstrap bounds of the median.

    The median of a resample is an order statistic of the original, so only its rank has to be drawn. The rank of
    the middle of n uniform draws from n places follows a Beta distribution; this makes 1000 resamples of a
    million samples as cheap as of ten.
    """
    n = x.size
    if n == 1:
        return float(x[0]), float(x[0])
    middle = (n + 1) / 2
    rng = np.random.default_rng(seed)
    ranks = np.floor(rng.beta(middle, n + 1 - middle, size=resamples) * n).astype(np.int64)
    medians = np.sort(x)[np.clip(ranks, 0, n - 1)]
    return float(np.quantile(medians, 0.025)), float(np.quantile(medians, 0.975))


def _block_bootstrap_median(x: NDArray[np.float64], resamples: int, seed: int) -> tuple[float, float]:
    """Percentile-bootstrap bounds of the median over non-overlapping blocks of neighbours.

    A resample's median is found on a grid of the series' own values: how many samples of each block lie at or below
    each of them is counted once, and a resample only adds up the counts of the blocks that it drew. They grow along the
    grid, so that the place of the median is found by halving.
    """
    blocks = np.array_split(x, BLOCKS)
    grid = np.quantile(x, np.linspace(0, 1, 2001), method="inverted_cdf")
    # As floats: counts are exact in them, and numpy has no fast product of integer matrices.
    below = np.array([np.searchsorted(np.sort(block), grid, side="right") for block in blocks], np.float64).T
    drawn = np.random.default_rng(seed).multinomial(BLOCKS, np.full(BLOCKS, 1 / BLOCKS), size=resamples).astype(float)
    half = drawn @ np.array([block.size for block in blocks]) / 2
    first, last = np.zeros(resamples, np.int64), np.full(resamples, grid.size - 1)
    for _ in range(int(grid.size).bit_length()):
        middle = (first + last) // 2
        enough = (drawn * below[middle]).sum(axis=1) >= half
        first, last = np.where(enough, first, np.minimum(middle + 1, last)), np.where(enough, middle, last)
    medians = grid[last]
    return float(np.quantile(medians, 0.025)), float(np.quantile(medians, 0.975))
