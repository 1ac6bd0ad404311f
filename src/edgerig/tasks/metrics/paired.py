"""How far a metric of two networks is apart over the same samples, with an interval for it.

Nothing is assumed of the metric but that it is a function of how often each sample counts. Its difference is bounded in
two ways, and the wider bound is taken at each end, since either alone is too narrow somewhere:

- Student's interval with the jackknife's standard error, ``sqrt((g - 1) / g sum (d_i - mean d)^2)`` of the differences
  d_i with each of g groups of samples left out (Tukey, 1958, Ann. Math. Stat. 29, 614; Efron and Stein, 1981). Of a
  mean it is the paired t interval.
- Percentiles of the paired bootstrap (Efron, 1979), both networks on the same resamples, at the level at which they
  would be as wide as Student's interval for a normal distribution (Hesterberg, 2015, Am. Statistician 69, 371).

`benchmarks/quality_coverage.py` shows how often they hold the true difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.measure.student import t_quantile
from edgerig.tasks.metrics.resampling import DRAWN, SEED, resamples_of

Floats = NDArray[np.float64]
#: Metric values, shape (m,), from how often each of n samples counts, shape (m, n); NaN where it is not defined.
Weighing = Callable[[Floats], Floats]

#: Fewest samples for an interval: of fewer, resamples hold too few different ones.
FEWEST_SAMPLES = 20
#: Fewest groups of the jackknife, where there are more samples than can be left out one by one.
FEWEST_GROUPS = 200
#: Samples by which two networks must differ for their own differences to say how others would differ.
FEWEST_DIFFERING = 10
#: Share of the resamples that must define the metric.
DEFINED = 0.95
LEVEL = 0.05
#: Difference of what two samples contribute, as a share of the largest contribution, that is rounding.
ROUNDING = 1e-9
#: Weights that are computed at once: a bound on memory.
AT_ONCE = 5_000_000


class Change(NamedTuple):
    """The difference of a metric, B's value less A's, in its unit.

    Attributes:
        a, b: The two values. low, high: bounds of ``b - a``; None where there are none, for the reason ``why``.
        samples: How many are behind it. differing: Of how many of these, or of their groups, the networks differ.
    """

    a: float
    b: float
    low: float | None
    high: float | None
    samples: int
    differing: int
    why: str = ""

    @property
    def value(self) -> float:
        """``b - a``."""
        return self.b - self.a


def paired_change(
    first: Weighing, second: Weighing, samples: int, *, least: float = 0.0, cost: int = 1, seed: int = SEED
) -> Change:
    """The difference of ``second``'s metric from ``first``'s, with its 95 % interval.

    Where the networks differ in fewer than `FEWEST_DIFFERING` samples, these do not say how others would differ: then
    the interval holds whatever the largest share of differing samples that is likely (Clopper and Pearson, 1934) could
    make of it, each of them by as much as the samples are apart in either network.

    Args:
        first, second: The metric of A and of B, of the same samples. samples: How many these are.
        least: What one sample may change at least; 1 for a share.
        cost: How often as long a sample takes as one of a mean; of costly metrics there are fewer resamples.
        seed: Of the resamples: equal samples have equal intervals.

    Returns:
        The change; without bounds where there are fewer than `FEWEST_SAMPLES`, or where the metric is not defined, for
        all samples or in more than a twentieth of the resamples.

    >>> errors = np.abs(np.sin(np.arange(200.0)))
    >>> change = paired_change(mean_weighing(errors), mean_weighing(errors + 0.1), 200)
    >>> round(change.value, 6), round(change.low, 6), round(change.high, 6)
    (0.1, 0.1, 0.1)
    """
    whole = np.ones((1, samples))
    a, b = (float(metric(whole)[0]) if samples else math.nan for metric in (first, second))
    for name, value in (("A", a), ("B", b)):
        if not math.isfinite(value):
            return Change(a, b, None, None, samples, 0, f"of {name} it is not defined")
    if samples < FEWEST_SAMPLES:
        return Change(a, b, None, None, samples, 0, f"{samples} samples are too few for an interval")
    pairs = np.concatenate([np.stack([first(part), second(part)]) for part in _left_out(samples, cost)], axis=1)
    resampled = np.concatenate([second(part) - first(part) for part in resamples_of(samples, seed, cost)])
    known = resampled[np.isfinite(resampled)]
    if len(known) < DEFINED * len(resampled):
        why = f"it is not defined in {1 - len(known) / len(resampled):.0%} of the resamples: a class is too rare"
        return Change(a, b, None, None, samples, 0, why)
    value, groups = b - a, pairs.shape[1]
    pseudo = groups * np.array([[a], [b]]) - (groups - 1) * pairs
    pseudo = pseudo[:, np.isfinite(pseudo).all(axis=0)]
    apart = pseudo[1] - pseudo[0]
    half = t_quantile(1 - LEVEL, groups - 1) * float(
        np.sqrt(((apart - apart.mean()) ** 2).sum() / (groups - 1) / groups)
    )
    low, high = _percentiles(known, groups)
    low, high = min(low, value - half), max(high, value + half)
    # Pseudo-values are sums of large numbers, whose rounding is no difference.
    differing = int((np.abs(apart) > ROUNDING * np.abs(pseudo).max(initial=0.0)).sum())
    if differing < FEWEST_DIFFERING:
        reach = _most_likely_share(differing, groups) * max(float(np.ptp(pseudo)), least)
        low, high = min(low, -reach), max(high, reach)
    return Change(a, b, low, high, samples, differing)


def mean_weighing(values: NDArray[np.float64]) -> Weighing:
    """The mean of ``values``, shape (n,), as a function of how often each counts.

    >>> mean_weighing(np.array([1.0, 4.0]))(np.array([[1.0, 1.0], [2.0, 0.0]])).tolist()
    [2.5, 1.0]
    """

    def weigh(weights: Floats) -> Floats:
        total = weights.sum(axis=1)
        return np.asarray(np.divide(weights @ values, total, out=np.full(len(weights), np.nan), where=total > 0))

    return weigh


def _left_out(samples: int, cost: int) -> Iterator[Floats]:
    """Weights that leave out one group of samples each, in parts; a group is one sample where time allows."""
    groups = min(samples, max(FEWEST_GROUPS, DRAWN // (samples * cost)))
    member = np.random.Generator(np.random.PCG64(SEED)).permutation(samples) % groups
    parts = np.array_split(np.arange(groups), 1 + groups * samples // AT_ONCE)
    return ((member != part[:, None]).astype(np.float64) for part in parts)


def _percentiles(resampled: Floats, groups: int) -> tuple[float, float]:
    reach = math.sqrt(groups / (groups - 1)) * t_quantile(1 - LEVEL, groups - 1)
    tail = NormalDist().cdf(-reach)
    low, high = np.quantile(resampled, (tail, 1 - tail))
    return float(low), float(high)


def _most_likely_share(count: int, n: int) -> float:
    """The largest share of which ``count`` of n is not unlikely: ``P(Binomial(n, p) <= count) = 2.5 %``, by bisection.

    >>> round(_most_likely_share(0, 100), 4)
    0.0362
    """
    low, high = 0.0, 1.0
    for _ in range(60):
        share = (low + high) / 2
        below = sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(count + 1))
        low, high = (share, high) if below > LEVEL / 2 else (low, share)
    return high
