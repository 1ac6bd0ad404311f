"""Statistics of raw timing samples: median with a bootstrap interval, tail percentiles where the count allows."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

#: A percentile is reported only if at least this many samples are expected beyond it.
TAIL_SAMPLES = 5
#: (p90 - p10) / median above which a spread is called wide.
WIDE_SPREAD = 0.25


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

    ``low`` and ``high`` bound the median by the percentile bootstrap at 95 % (Efron and Tibshirani, 1993, ch. 13).
    ``spread`` is (p90 - p10) / median. ``drift`` is the relative change of the median from the first to the last
    quarter of the samples: a device that heats up or throttles shows here.

    Raises:
        ValueError: There are no samples, or one is not finite.
    """
    x = np.asarray(samples, dtype=np.float64).ravel()
    if x.size == 0:
        raise ValueError("no samples to summarize")
    if not np.isfinite(x).all():
        raise ValueError("samples must be finite")
    low, high = _bootstrap_median(x, resamples, seed)
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
