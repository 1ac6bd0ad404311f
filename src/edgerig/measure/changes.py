"""Where in a series of results, one a run, its level changes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: The fewest results on either side of a change.
FEWEST = 3
#: A change that chance alone would make less often than this is no chance.
SIGNIFICANCE = 0.02
_PERMUTATIONS = 499


def change_points(values: ArrayLike, least: float = 0.0, seed: int = 0) -> list[int]:
    """Indices at which a new level begins, in order.

    Binary segmentation (Scott and Knott, 1974, Biometrics 30, 507): the split of a stretch of n results that makes
    ``|m1 - m2| sqrt(n1 n2 / n)`` largest is a change where fewer than 2 % of 499 permutations of the stretch make it as
    large; then either part is looked at alone.

    Args:
        values: Shape (n,), finite, in the order of time.
        least: The smallest difference of two levels that counts, in the unit of the values.
        seed: Of the permutations.

    Returns:
        Each with at least three results on either side; none where there are fewer than six results.

    >>> change_points([1.0, 1.1, 0.9, 1.0, 1.1, 2.0, 2.1, 1.9, 2.0, 2.1])
    [5]
    """
    x = np.asarray(values, np.float64).ravel()
    if not np.isfinite(x).all():
        raise ValueError("values must be finite")
    rng = np.random.default_rng(seed)
    changes: list[int] = []
    waiting = [(0, x.size)]
    while waiting:
        start, end = waiting.pop()
        split = _split(x[start:end], least, rng)
        if split is not None:
            changes.append(start + split)
            waiting += [(start, start + split), (start + split, end)]
    return sorted(changes)


def _split(x: NDArray[np.float64], least: float, rng: np.random.Generator) -> int | None:
    """Where a stretch divides into two levels; None where it does not."""
    if x.size < 2 * FEWEST:
        return None
    gains = _gains(x[None, :])[0]
    best = int(gains.argmax())
    split = best + FEWEST
    if abs(float(x[:split].mean() - x[split:].mean())) <= max(least, 1e-12 * float(np.abs(x).max())):
        return None
    shuffled = rng.permuted(np.tile(x, (_PERMUTATIONS, 1)), axis=1)
    # Equal values give equal gains but for rounding.
    as_large = int((_gains(shuffled).max(axis=1) >= gains[best] * (1 - 1e-9)).sum())
    return split if (1 + as_large) / (1 + _PERMUTATIONS) < SIGNIFICANCE else None


def _gains(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each split of each row tells its two sides apart; shape (rows, n - 5)."""
    n = rows.shape[1]
    before = np.arange(FEWEST, n - FEWEST + 1)
    sums = np.cumsum(rows, axis=1)
    left = sums[:, before - 1] / before
    right = (sums[:, -1:] - sums[:, before - 1]) / (n - before)
    weights = np.sqrt(before * (n - before) / n)
    return np.asarray(np.abs(left - right) * weights)


def levels(values: ArrayLike, changes: list[int]) -> list[float]:
    """The mean of the stretch that each value lies in, as many as there are values.

    >>> levels([1.0, 1.0, 3.0, 5.0], [2])
    [1.0, 1.0, 4.0, 4.0]
    """
    x = np.asarray(values, np.float64).ravel()
    result: list[float] = []
    for start, end in zip([0, *changes], [*changes, x.size], strict=True):
        result += [math.fsum(x[start:end]) / max(1, end - start)] * (end - start)
    return result
