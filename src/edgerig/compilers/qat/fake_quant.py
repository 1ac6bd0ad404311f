"""Rounding to the numbers that an integer stands for, with gradients: JAX traces all of it.

An integer q stands for (q - zero point) * scale. Rounding passes gradients through as if it were not there
(straight-through estimator; Bengio et al., 2013), clipping lets none through, so that the scale's own gradient is that
of learned step sizes (Esser et al., "Learned Step Size Quantization", 2020), and with the zero point that of Bhalgat et
al., "LSQ+", 2020. Ranges are learned as logarithms of factors on those they began with, so that a step of Adam changes
each by a share of itself (Jain et al., "Trained Quantization Thresholds", 2020).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

#: Limits of int8.
LEAST, MOST = -128, 127


class Grid(NamedTuple):
    """Scale and zero point, and the least and greatest integer."""

    scale: Any
    zero: Any
    least: int = LEAST
    most: int = MOST


def rounded(values: Any) -> Any:
    """The nearest whole numbers, of two the even one; the gradient is 1."""
    import jax
    import jax.numpy as jnp

    return values + jax.lax.stop_gradient(jnp.round(values) - values)


def snapped(values: Any, grid: Grid) -> Any:
    """``values`` as integers of the grid stand for them."""
    return (integers(values, grid) - grid.zero) * grid.scale


def integers(values: Any, grid: Grid) -> Any:
    """The integers, still as float32, that stand for ``values``."""
    import jax.numpy as jnp

    return rounded(jnp.clip(values / grid.scale + grid.zero, grid.least, grid.most))


def widened(start: Grid, factors: Any) -> Grid:
    """The grid between the least and greatest number of ``start``, which are at most and at least 0, times the
    exponentials of ``factors``, shape (2,); 0 is always on it."""
    import jax.numpy as jnp

    ends = [np.float32((limit - start.zero) * start.scale) for limit in (start.least, start.most)]
    low, high = (end * jnp.exp(factor) for end, factor in zip(ends, factors, strict=True))
    scale = (high - low) / (start.most - start.least)
    zero = jnp.clip(rounded(start.least - low / scale), start.least, start.most)
    return Grid(scale, zero, start.least, start.most)
