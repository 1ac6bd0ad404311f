"""Whether predictions are better than chance, and whether two networks could agree by chance.

A confusion matrix has the shape (classes, classes): row i and column j count samples of class i predicted as j.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.metrics.functions import Counts, wilson_interval

#: Significance level: a difference with a smaller p is not attributed to chance.
SIGNIFICANCE = 0.05


class Majority(NamedTuple):
    """The most frequent class, and its share of the samples."""

    label: int
    share: float


def majority(confusion: Counts) -> Majority:
    """The most frequent class: always predicting it is correct for that share; (0, 0.0) without samples.

    >>> majority(np.array([[3, 1], [2, 4]]))
    Majority(label=1, share=0.6)
    """
    support = confusion.sum(axis=1)
    total = int(support.sum())
    index = int(support.argmax()) if support.size else 0
    return Majority(index, int(support[index]) / total if total else 0.0)


def beats_majority(confusion: Counts) -> bool:
    """Whether the predictions are better than always predicting the most frequent class.

    Either the lower bound of Wilson's 95 % interval of the accuracy lies above that class's share, or the paired
    comparison over the same samples shows it (McNemar, 1947; see `sign_test`). This covers all ways of guessing:
    predictions drawn at random, with whatever frequencies, are correct at most as often, on average.

    >>> beats_majority(np.array([[45, 5], [5, 45]])), beats_majority(np.array([[28, 22], [22, 28]]))
    (True, False)
    """
    best = majority(confusion)
    right, total = int(np.trace(confusion)), int(confusion.sum())
    if wilson_interval(right, total)[0] > best.share:
        return True
    own = int(confusion[best.label, best.label])
    gained, lost = right - own, int(confusion[best.label].sum()) - own
    return gained > lost and sign_test(gained, lost) <= SIGNIFICANCE


def sign_test(first: int, second: int) -> float:
    """Two-sided p of McNemar's test, of ``first`` and ``second`` samples that only one of the two predicts correctly.

    Exact (binomial with one half) for up to 1,000 such samples; the normal approximation with continuity correction
    beyond. 1 where there are none.

    >>> sign_test(0, 0), round(sign_test(9, 1), 4)
    (1.0, 0.0215)
    """
    n, less = first + second, min(first, second)
    if n == 0 or first == second:
        return 1.0
    if n > 1000:
        return math.erfc((abs(first - second) - 1) / math.sqrt(2 * n))
    tail = sum(math.comb(n, k) for k in range(less + 1))
    return min(1.0, float(2 * tail / 2**n))


def expected_agreement(first: NDArray[np.integer[Any]], other: NDArray[np.integer[Any]]) -> float:
    """The agreement of two series of predictions, each of shape (n,), expected by chance, as a share.

    ``sum over classes of the share of each class in one times its share in the other`` (Cohen, 1960, Educ. Psychol.
    Meas. 20, 37); 1 where both always predict the same class.

    >>> expected_agreement(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    0.5
    """
    classes = 1 + int(max(first.max(initial=0), other.max(initial=0)))
    shares = [np.bincount(series, minlength=classes) / max(len(series), 1) for series in (first, other)]
    return float(shares[0] @ shares[1])
