"""Student's t distribution for whole degrees of freedom, without scipy: devices have none."""

from __future__ import annotations

import math

#: Degrees of freedom from which on the normal distribution stands in: its quantiles differ by less than 0.1 %.
MANY = 2000


def t_probability(t: float, freedom: int) -> float:
    """The probability that a t variable lies within -|t| and |t| (Abramowitz and Stegun, 1964, 26.7.3 and 26.7.4).

    Args:
        t: The bound.
        freedom: Degrees of freedom, at least 1.

    >>> round(t_probability(2.776445, 4), 6)
    0.95
    """
    if freedom < 1:
        raise ValueError("a t distribution has at least one degree of freedom")
    t = abs(t)
    if math.isinf(t):
        return 1.0
    if freedom >= MANY:
        return math.erf(t / math.sqrt(2))
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = total = (cosine if freedom > 1 else 0.0) if odd else 1.0
    for number in range(3 if odd else 2, freedom - 1, 2):
        term *= cosine * cosine * (number - 1) / number
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def t_quantile(confidence: float, freedom: int) -> float:
    """The t with `t_probability` of ``confidence``, in (0, 1).

    >>> round(t_quantile(0.95, 4), 3)
    2.776
    """
    if not 0 < confidence < 1:
        raise ValueError("a confidence lies between 0 and 1")
    low, high = 0.0, 1.0
    while t_probability(high, freedom) < confidence:
        low, high = high, 2 * high
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if t_probability(middle, freedom) < confidence else (low, middle)
    return high


def t_p_value(t: float, freedom: int) -> float:
    """Two-sided p of a t statistic.

    >>> round(t_p_value(2.776445, 4), 6)
    0.05
    """
    return max(0.0, 1 - t_probability(t, freedom))
