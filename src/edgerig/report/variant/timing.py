"""Raw latency samples reduced for drawing: histogram, cumulative distribution, time series."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgerig.report.charts.scales import ordered_bounds, ordered_quantile
from edgerig.report.model import Histogram, Series, Times

#: Seconds.
NANOSECOND = 1e-9
_BINS = 40
_SHARES = 120


def times_of(times_ns: NDArray[np.int64], points: int) -> Times | None:
    """The chart data of ``times_ns``, shape (n,), in measurement order; None if it is empty.

    Args:
        times_ns: Nanoseconds of each inference.
        points: Largest number of points of the time series.
    """
    if times_ns.size == 0:
        return None
    # The only copy: there may be tens of millions of times.
    ordered = times_ns.astype(np.float64)
    ordered *= NANOSECOND
    ordered.sort()
    return Times(histogram=_histogram(ordered), ecdf=_ecdf(ordered), series=_series(times_ns, points))


def _histogram(ordered: NDArray[np.float64]) -> Histogram:
    """Equal bins of times in ascending order, from the minimum to a little above p99.

    They do not extend to outliers, which would flatten the rest.
    """
    low, high = ordered_bounds(ordered)
    tail = min(high, ordered_quantile(ordered, 0.99))
    end = min(high, tail + 0.25 * (tail - low)) if tail > low else high
    if end <= low:
        width = max(low * 0.01, 1e-9)
        return Histogram(edges=(low - width / 2, low + width / 2), counts=(int(ordered.size),), above=0)
    count = int(min(_BINS, max(8, np.sqrt(ordered.size))))
    counts, edges = np.histogram(ordered, bins=count, range=(low, end))
    above = int(ordered.size - np.searchsorted(ordered, edges[-1], side="right"))
    return Histogram(
        edges=tuple(float(edge) for edge in edges),
        counts=tuple(int(value) for value in counts),
        above=above,
        below=int(ordered.size) - int(counts.sum()) - above,
    )


def _ecdf(ordered: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(ordered_quantile(ordered, share) for share in np.linspace(0.0, 1.0, _SHARES + 1).tolist())


def _series(times_ns: NDArray[np.int64], points: int) -> Series:
    """All samples, or the smallest and the largest of each of ``points / 2`` equal intervals, so that peaks stay."""
    n = int(times_ns.size)
    if n <= points:
        chosen = np.arange(n)
        note = f"all {n:,} samples"
    else:
        bounds = np.linspace(0, n, max(1, points // 2) + 1).astype(np.int64)
        chosen = np.unique(
            [
                start + index
                for start, end in pairwise(bounds)
                for index in (int(times_ns[start:end].argmin()), int(times_ns[start:end].argmax()))
            ]
        )
        stretch = f"each stretch of about {n / (len(bounds) - 1):.0f}"
        note = f"{chosen.size:,} of {n:,} samples are drawn: the smallest and the largest of {stretch}"
    return Series(
        n=n,
        positions=tuple(int(index) for index in chosen),
        seconds=tuple(float(value) for value in times_ns[chosen] * NANOSECOND),
        note=note,
    )
