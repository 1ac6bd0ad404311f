"""95 % intervals of a figure that was measured in several rounds, each a fresh process.

Two processes that run the same file differ by far more than the samples within one of them (layout of memory, place
of buffers, state of caches), so that the number of samples says nothing of how well a figure is known; the number of
rounds does. `benchmarks/rounds_coverage.py` shows how often each interval here holds the true value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgerig.measure.student import t_quantile

CONFIDENCE = 0.95
#: Logarithm of a number beyond all that is measured, and within what a float can hold.
_LARGEST_LOG = 700.0
Statistic = Callable[[NDArray[np.float64]], float]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A figure between rounds, in the unit of what went in.

    Attributes:
        value: The estimate. low, high: its 95 % interval; None where there are too few rounds for one.
        n: Rounds.

    >>> round(Interval(value=2.0, low=1.9, high=2.2, n=5).half_width, 3)
    0.075
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def half_width(self) -> float | None:
        """Half of the interval's width as a share of the value; None where there is no interval, or the value is 0."""
        if self.low is None or self.high is None or self.value == 0:
            return None
        return (self.high - self.low) / 2 / abs(self.value)


def t_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """Mean of ``values``, shape (n,), one a round, with Student's interval.

    ``mean -+ t(confidence, n - 1) * s / sqrt(n)`` with the sample's standard deviation s (Student, 1908, Biometrika 6).
    It holds where rounds are independent and their values about normal. One value has no interval.

    Raises:
        ValueError: There are no values, or one is not finite.

    >>> result = t_interval([10.0, 10.2, 9.8, 10.1, 9.9])
    >>> round(result.value, 3), round(result.low, 3), round(result.high, 3)
    (10.0, 9.804, 10.196)
    """
    x = _finite(values)
    mean = float(x.mean())
    if x.size == 1:
        return Interval(value=mean, low=None, high=None, n=1)
    # The mean of equal numbers may differ from them by a rounding error, which would put them outside.
    if x.min() == x.max():
        value = float(x[0])
        return Interval(value=value, low=value, high=value, n=int(x.size))
    half = t_quantile(confidence, x.size - 1) * float(x.std(ddof=1)) / math.sqrt(x.size)
    return Interval(value=mean, low=mean - half, high=mean + half, n=int(x.size))


def order_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """Median of ``values``, shape (n,), one a round, with the interval between two of the values themselves.

    The k-th smallest and the k-th largest hold the median with ``1 - 2 * P(Binomial(n, 1/2) < k)``, whatever the
    distribution (Thompson, 1936, Ann. Math. Stat. 7). The largest k that keeps ``confidence`` is taken; five rounds
    cannot keep 95 %, their extremes hold it with 93.75 %.

    Raises:
        ValueError: There are no values, or one is not finite.

    >>> order_interval([3.0, 1.0, 2.0, 5.0, 4.0])
    Interval(value=3.0, low=1.0, high=5.0, n=5)
    """
    x = np.sort(_finite(values))
    n = int(x.size)
    if n == 1:
        return Interval(value=float(x[0]), low=None, high=None, n=1)
    k, below = 1, 2 / 2**n
    while k < n // 2 and (more := below + 2 * math.comb(n, k) / 2**n) <= 1 - confidence:
        k, below = k + 1, more
    return Interval(value=float(np.median(x)), low=float(x[k - 1]), high=float(x[n - k]), n=n)


def round_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """Median of ``values``, shape (n,), one a round, with the interval that edgerig gives its figures.

    The wider, to either side, of `order_interval` and of Student's half-width around the median. Rounds have heavy
    tails on a machine with other work: one first inference in thirty takes fifty times the usual, which moves a mean
    out of every interval of five rounds that missed it. The median stays, and the order of the rounds holds it whatever
    their distribution; of few rounds Student's half-width makes up for what their order cannot promise.

    Student's half-width is that of the logarithms where all values are above 0, as times, rates, bytes and joules are:
    two rounds that differ by a fifth put the lower bound of the values themselves below 0, where none of these can be,
    and a rate has the same interval as the time that it was made of. Differences, which can be 0 in truth while all
    rounds are above it, have `difference_interval`.

    Raises:
        ValueError: There are no values, or one is not finite.

    >>> result = round_interval([10.0, 10.2, 9.8, 10.1, 90.0])
    >>> result.value, result.low < 9.8, result.high > 10.2
    (10.1, True, True)
    >>> result = round_interval([10.0, 12.0])
    >>> result.value, round(result.low, 1), round(result.high, 1)
    (11.0, 3.4, 34.9)
    """
    x = _finite(values)
    if x.min() <= 0 or x.min() == x.max():
        return difference_interval(x, confidence)
    order, logs = order_interval(x, confidence), difference_interval(np.log(x), confidence)
    if order.low is None or order.high is None or logs.low is None or logs.high is None:
        return order
    low, high = (math.exp(min(max(bound, -_LARGEST_LOG), _LARGEST_LOG)) for bound in (logs.low, logs.high))
    return Interval(value=order.value, low=min(order.low, low), high=max(order.high, high), n=order.n)


def difference_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """`round_interval` of numbers that may have either sign, such as differences of times.

    Raises:
        ValueError: There are no values, or one is not finite.

    >>> result = difference_interval([1.0, 3.0])
    >>> result.value, round(result.low, 1), round(result.high, 1)
    (2.0, -10.7, 14.7)
    """
    x = _finite(values)
    order, student = order_interval(x, confidence), t_interval(x, confidence)
    if order.low is None or order.high is None or student.low is None or student.high is None:
        return order
    half = (student.high - student.low) / 2
    return Interval(
        value=order.value, low=min(order.low, order.value - half), high=max(order.high, order.value + half), n=order.n
    )


def hierarchical_bootstrap(
    rounds: Sequence[ArrayLike],
    statistic: Statistic = lambda x: float(np.median(x)),
    *,
    confidence: float = CONFIDENCE,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Mean over rounds of a statistic of each round's samples, with a percentile interval of resampled rounds.

    Each resample draws as many rounds as there are, with replacement, and within each of them as many samples as it
    has, then takes the mean of the statistics (Davison and Hinkley, 1997, section 3.8; Kalibera and Jones, 2013,
    ISMM, for run times). Few rounds make it too narrow: of n rounds it covers about as n / (n - 1) smaller a variance.

    Args:
        rounds: The samples of each round, shape (m_i,), any real dtype.
        statistic: What is taken of a round's samples.
        confidence, resamples, seed: Of the interval.

    Raises:
        ValueError: There are no rounds, one is empty, or a sample is not finite.

    >>> result = hierarchical_bootstrap([[1.0, 1.1, 1.2], [1.3, 1.4, 1.5], [0.9, 1.0, 1.1]])
    >>> round(result.value, 3), result.low < result.value < result.high
    (1.167, True)
    """
    samples = [_finite(samples) for samples in rounds]
    if not samples:
        raise ValueError("there are no rounds")
    value = float(np.mean([statistic(x) for x in samples]))
    if len(samples) == 1:
        return Interval(value=value, low=None, high=None, n=1)
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    for number in range(resamples):
        drawn = rng.integers(len(samples), size=len(samples))
        means[number] = np.mean([statistic(rng.choice(samples[i], samples[i].size)) for i in drawn])
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value=value, low=float(low), high=float(high), n=len(samples))


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(values, np.float64).ravel()
    if x.size == 0:
        raise ValueError("there are no values")
    if not np.isfinite(x).all():
        raise ValueError("values must be finite")
    return x
