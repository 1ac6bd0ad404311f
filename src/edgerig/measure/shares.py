"""The difference of two shares over the same samples, such as the accuracies of two networks."""

from __future__ import annotations

import math
from statistics import NormalDist

#: Halvings of the interval that a bound lies in.
_HALVINGS = 60


def paired_difference(lost: int, gained: int, n: int, level: float = 0.05) -> tuple[float, float]:
    """Bounds of ``(gained - lost) / n``, the difference of two shares of the same ``n`` samples.

    Tango's score interval (1998, Statistics in Medicine 17, 891): all differences d that the score test does not
    refuse, ``|gained - lost - n d| <= z sqrt(n (2 q + d (1 - d)))``, with q the probability of a lost sample that is
    most likely where the difference is d. Unlike simpler ones it is not of width 0 where no sample differs.

    Args:
        lost: Samples that only the first is right for. gained: those that only the second is right for.
        n: All samples. level: How often the interval may miss.

    Returns:
        The bounds, between -1 and 1; (-1, 1) without samples.

    >>> tuple(round(bound, 4) for bound in paired_difference(1, 0, 44))
    (-0.1181, 0.0594)
    """
    if n == 0:
        return -1.0, 1.0
    z = NormalDist().inv_cdf(1 - level / 2)
    return _bound(lost, gained, n, -z), _bound(lost, gained, n, z)


def _bound(lost: int, gained: int, n: int, z: float) -> float:
    """The difference at which the score is -``z``; the score falls as the difference grows."""
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _score(lost, gained, n, middle) > -z:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _score(lost: int, gained: int, n: int, difference: float) -> float:
    """How many standard deviations what was seen lies above what the difference would make; 0 where it is just that."""
    excess = gained - lost - n * difference
    b = -gained - lost + (2 * n - gained + lost) * difference
    c = -lost * difference * (1 - difference)
    rare = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
    variance = n * (2 * rare + difference * (1 - difference))
    if variance <= 0:
        return math.copysign(math.inf, excess) if excess else 0.0
    return excess / math.sqrt(variance)
