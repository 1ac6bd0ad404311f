"""Predictions for the windows of samples, put together to predictions for the samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def mean_over_windows(predictions: Array, windows: NDArray[np.int64]) -> Array:
    """The mean over the windows of each sample, ``y_i = sum_j p_ij / k_i``.

    Args:
        predictions: For the windows of n samples, one sample after another, shape (sum of ``windows``, ...).
        windows: How many windows each sample has, k, at least 1, shape (n,).

    Returns:
        Shape (n, ...), float64; float32 for float32.

    >>> mean_over_windows(np.array([[1.0], [2.0], [6.0]]), np.array([1, 2])).tolist()
    [[1.0], [4.0]]
    """
    starts = np.cumsum(windows) - windows
    sums = np.add.reduceat(predictions.astype(np.float64), starts, axis=0)
    means = sums / windows.reshape(-1, *[1] * (predictions.ndim - 1))
    return np.asarray(means.astype(np.float32) if predictions.dtype == np.float32 else means)
