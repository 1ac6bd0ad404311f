"""Errors of predicted real values, and intervals for them by bootstrap over samples.

Everywhere ``values`` and ``targets`` have the shape (n, targets), in one and the same unit for each target.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.metrics.resampling import SEED, resamples_of

Array = NDArray[Any]
Floats = NDArray[np.float64]


class Errors(NamedTuple):
    """One number for each target, each of shape (targets,) or, of resamples, (resamples, targets)."""

    mae: Floats
    rmse: Floats
    r2: Floats


def errors_of(values: Array, targets: Array) -> Errors:
    """``MAE = mean(|v - t|)``, ``RMSE = sqrt(mean((v - t)^2))``, ``R2 = 1 - sum((v - t)^2) / sum((t - mean(t))^2)``.

    Args:
        values: Predictions, shape (n, targets), n >= 1. targets: What is right, of the same shape; finite.

    Returns:
        One number for each target. R2 is NaN for a target that is the same for all samples: it is not defined.

    >>> errors = errors_of(np.array([[1.0], [2.0], [5.0]]), np.array([[1.0], [3.0], [5.0]]))
    >>> [round(float(number[0]), 4) for number in errors]
    [0.3333, 0.5774, 0.875]
    """
    weights = np.ones((1, len(values)))
    return Errors(*(number[0] for number in weighted_errors(values, targets, weights)))


def bootstrap(values: Array, targets: Array, seed: int = SEED) -> Errors:
    """The errors of resamples of the n samples, drawn with replacement (Efron, 1979), each of shape (resamples, t)."""
    parts = [weighted_errors(values, targets, weights) for weights in resamples_of(len(values), seed)]
    return Errors(*(np.concatenate(series) for series in zip(*parts, strict=True)))


def weighted_errors(values: Array, targets: Array, weights: Floats) -> Errors:
    """The errors with each sample counted as often as ``weights``, shape (resamples, n), says."""
    wanted = targets.astype(np.float64)
    error = values.astype(np.float64) - wanted
    total = weights.sum(axis=1, keepdims=True)
    squares = weights @ error**2
    # About the mean over all samples: the difference of two large squares would lose the digits.
    centred = wanted - wanted.mean(axis=0)
    spread = weights @ centred**2 - (weights @ centred) ** 2 / total
    # A constant target leaves rounding alone.
    constant = (np.ptp(wanted, axis=0) == 0) | (spread <= 1e-12 * np.maximum((centred**2).sum(axis=0), 1e-300))
    r2 = np.where(constant, np.nan, 1 - squares / np.where(constant, 1.0, spread))
    return Errors(weights @ np.abs(error) / total, np.sqrt(squares / total), r2)
