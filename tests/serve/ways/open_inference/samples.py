"""Inputs of the networks that the tests serve."""

from typing import Any

import numpy as np


def samples(count: int, seed: int = 0) -> Any:
    """Samples of 8 values, float32."""
    return np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
