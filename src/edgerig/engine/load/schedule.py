"""When requests arrive, and percentiles of what they take."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.measure.stats import TAIL_SAMPLES

SECOND_NS = 1e9


def poisson_arrivals(rate: float, count: int, seed: tuple[int, ...]) -> NDArray[np.int64]:
    """Times in ns at which ``count`` requests arrive, ascending, from an idle start: a Poisson process of ``rate`` a
    second.

    The gaps are independent and exponential with mean 1 / rate (Kingman, 1993, Poisson Processes, section 4.1), as in
    the scenario Server of MLPerf. Equal seeds give the same gaps at another rate but for their scale, so that two rates
    are compared on the same arrivals.

    >>> poisson_arrivals(1000.0, 3, (0,)).tolist()
    [679932, 1699529, 1719336]
    """
    gaps = np.random.default_rng(seed).exponential(1.0, count)
    arrivals: NDArray[np.int64] = np.round(np.cumsum(gaps) / rate * SECOND_NS).astype(np.int64)
    return arrivals


def percentile_of(values: NDArray[Any], percent: float) -> float:
    """The first of ``values``, shape (n,), in ascending order that has at least ``percent`` % of them before it.

    No two values are interpolated, as in MLPerf's load generator: a bound holds at this percentile exactly if no more
    values exceed it than stand behind this one.

    >>> percentile_of(np.array([4.0, 1.0, 3.0, 2.0]), 50.0)
    3.0
    """
    return float(np.sort(values)[rank_of(percent, len(values)) - 1])


def rank_of(percent: float, count: int) -> int:
    """The rank, from 1, of the ``percent`` th percentile of ``count`` values in ascending order."""
    # A product such as 0.29 * 100 must not be rounded down because of its last bit.
    return min(math.floor(percent / 100 * count + 1e-9) + 1, count)


def fewest_for(percent: float) -> int:
    """Values that a percentile needs, so that `TAIL_SAMPLES` are expected beyond it.

    >>> fewest_for(99.0), fewest_for(50.0)
    (500, 10)
    """
    return math.ceil(TAIL_SAMPLES / (1 - percent / 100) - 1e-9)
