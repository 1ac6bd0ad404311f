"""Raw latency samples made small enough to draw: histogram, cumulative distribution, time series."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgerig.report.charts.scales import robust_bounds
from edgerig.report.model import Histogram, Series, Times

_BINS = 40
_SHARES = 120


def times_of(times_ns: NDArray[np.int64], points: int) -> Times | None:
    """What the charts need of ``times_ns``, shape (n,), in measurement order; None if it is empty.

    Args:
        times_ns: Nanoseconds of each inference.
        points: At most so many points in the time series.
    """
    if times_ns.size == 0:
        return None
    seconds = times_ns.astype(np.float64) * 1e-9
    return Times(histogram=_histogram(seconds), ecdf=_ecdf(seconds), series=_series(seconds, points))


def _histogram(seconds: NDArray[np.float64]) -> Histogram:
    """Equal bins from the minimum to a little above p99, and never to outliers: one must not flatten the rest."""
    low, high = robust_bounds(seconds.tolist())
    tail = min(high, float(np.quantile(seconds, 0.99)))
    end = min(high, tail + 0.25 * (tail - low)) if tail > low else high
    if end <= low:
        width = max(low * 0.01, 1e-9)
        return Histogram(edges=(low - width / 2, low + width / 2), counts=(int(seconds.size),), above=0)
    count = int(min(_BINS, max(8, np.sqrt(seconds.size))))
    counts, edges = np.histogram(seconds, bins=count, range=(low, end))
    inside = int(counts.sum())
    return Histogram(
        edges=tuple(float(edge) for edge in edges),
        counts=tuple(int(value) for value in counts),
        above=int(np.count_nonzero(seconds > edges[-1])),
        below=int(seconds.size) - inside - int(np.count_nonzero(seconds > edges[-1])),
    )


def _ecdf(seconds: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in np.quantile(seconds, np.linspace(0.0, 1.0, _SHARES + 1)))


def _series(seconds: NDArray[np.float64], points: int) -> Series:
    """All samples, or the smallest and the largest of each of ``points / 2`` equal stretches: no peak is lost."""
    n = int(seconds.size)
    if n <= points:
        chosen = np.arange(n)
        note = f"all {n:,} samples"
    else:
        bounds = np.linspace(0, n, max(1, points // 2) + 1).astype(np.int64)
        chosen = np.unique(
            [
                start + index
                for start, end in pairwise(bounds)
                for index in (int(seconds[start:end].argmin()), int(seconds[start:end].argmax()))
            ]
        )
        stretch = f"each stretch of about {n / (len(bounds) - 1):.0f}"
        note = f"{chosen.size:,} of {n:,} samples are drawn: the smallest and the largest of {stretch}"
    return Series(
        n=n,
        positions=tuple(int(index) for index in chosen),
        seconds=tuple(float(value) for value in seconds[chosen]),
        note=note,
    )
