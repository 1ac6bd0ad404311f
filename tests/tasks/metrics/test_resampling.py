"""Bootstrapped intervals: what resamples cannot tell has no bounds."""

import numpy as np
import pytest

from edgerig.tasks.metrics.resampling import bounds_of, resamples_of


def means(values: np.ndarray) -> np.ndarray:
    """The mean of each resample."""
    weights = np.concatenate(list(resamples_of(len(values))))
    return np.asarray((weights @ values) / len(values), np.float64)


@pytest.mark.parametrize("values", [[0.1], [1.0, 1.0], [0.1] * 80])
def test_resamples_that_are_all_alike_have_no_bounds(values: list[float]) -> None:
    """An interval without width would say that the next samples give the very same number."""
    assert bounds_of(means(np.array(values)), float(np.mean(values))) is None


def test_bounds_are_those_of_the_middle_resamples_and_hold_the_value() -> None:
    values = np.random.default_rng(0).normal(5, 1, 400)
    bounds = bounds_of(means(values), float(values.mean()))
    assert bounds is not None
    half = 1.96 * values.std() / np.sqrt(400)
    assert bounds == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)
