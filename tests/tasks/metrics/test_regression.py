"""Errors of real values, held against scikit-learn; their intervals against a plain loop and the normal one."""

import numpy as np
import pytest
from tests.later import Later

from edgerig.tasks.metrics.regression import bootstrap, errors_of, weighted_errors
from edgerig.tasks.metrics.resampling import bounds_of

metrics = Later("sklearn.metrics")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_errors_are_those_of_scikit_learn(seed: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    # Rounded, so that values tie; about an offset, which must not cost digits.
    targets = np.round(rng.normal(offset, [1.0, 20.0, 0.1], (200, 3)), 1)
    values = np.round(targets + rng.normal(0, 0.3, targets.shape), 1)
    errors = errors_of(values, targets)
    each = {"multioutput": "raw_values"}
    np.testing.assert_allclose(errors.mae, metrics.mean_absolute_error(targets, values, **each), rtol=1e-9)
    np.testing.assert_allclose(errors.rmse, metrics.root_mean_squared_error(targets, values, **each), rtol=1e-9)
    np.testing.assert_allclose(errors.r2, metrics.r2_score(targets, values, **each), rtol=1e-9, atol=1e-9)


def test_r2_of_a_constant_target_is_not_defined() -> None:
    targets = np.stack([np.full(5, 0.1), np.arange(5.0)], axis=1)
    errors = errors_of(targets + 1, targets)
    assert np.isnan(errors.r2[0])
    assert errors.r2[1] == pytest.approx(0.5)
    np.testing.assert_allclose(errors.mae, 1)


def test_a_sample_that_is_drawn_twice_counts_twice() -> None:
    rng = np.random.default_rng(0)
    targets, values = rng.normal(size=(40, 2)), rng.normal(size=(40, 2))
    drawn = rng.integers(0, 40, 40)
    weighted = weighted_errors(values, targets, np.bincount(drawn, minlength=40)[None].astype(float))
    for got, wanted in zip(weighted, errors_of(values[drawn], targets[drawn]), strict=True):
        np.testing.assert_allclose(got[0], wanted, rtol=1e-9)


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    """Of many samples the interval is mean -+ 1.96 s / sqrt(n); ends that are drawn vary by some percent."""
    rng = np.random.default_rng(1)
    error = rng.gamma(2.0, size=(4000, 1))
    targets = np.zeros_like(error)
    low, high = bounds_of(bootstrap(error, targets).mae[:, 0], float(error.mean())) or (0, 0)
    wanted = 1.96 * error.std() / np.sqrt(len(error))
    assert (high - low) / 2 == pytest.approx(wanted, rel=0.1)
    assert low < error.mean() < high
    np.testing.assert_array_equal(bootstrap(error, targets).mae, bootstrap(error, targets).mae)


def test_there_is_no_interval_where_resamples_have_no_number() -> None:
    assert bounds_of(np.array([np.nan] * 10 + [1.0] * 90), 1.0) is None
    assert bounds_of(np.full(100, np.nan), 1.0) is None
