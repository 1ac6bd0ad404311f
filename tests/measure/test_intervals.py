"""Intervals between rounds, against scipy's and against what they promise."""

import numpy as np
import pytest
from tests.later import Later

from edgerig.measure.intervals import (
    difference_interval,
    hierarchical_bootstrap,
    order_interval,
    round_interval,
    t_interval,
)

stats = Later("scipy.stats")


def test_the_t_interval_is_that_of_scipy() -> None:
    values = [10.1, 9.7, 10.4, 10.0, 9.9, 10.6]
    result = t_interval(values)
    low, high = stats.t.interval(0.95, 5, loc=np.mean(values), scale=stats.sem(values))
    assert (result.value, result.low, result.high) == pytest.approx((np.mean(values), low, high))
    assert result.n == 6
    assert result.half_width == pytest.approx((high - low) / 2 / np.mean(values))


@pytest.mark.parametrize(
    "interval", [t_interval, order_interval, round_interval, lambda x: hierarchical_bootstrap([x])]
)
def test_one_round_has_no_interval(interval) -> None:
    result = interval([3.0])
    assert (result.value, result.low, result.high, result.half_width) == (3.0, None, None, None)


@pytest.mark.parametrize(
    "interval", [t_interval, order_interval, round_interval, lambda x: hierarchical_bootstrap([x])]
)
@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_nothing_and_what_is_no_number_are_refused(interval, values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"no values|finite"):
        interval(values)


def test_no_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="no rounds"):
        hierarchical_bootstrap([])


@pytest.mark.parametrize("value", [0.1, 1e-6, 123456789.0])
def test_equal_values_have_an_interval_of_no_width_around_themselves(value: float) -> None:
    result = t_interval([value] * 7)
    assert (result.value, result.low, result.high) == (value, value, value)


def test_the_t_interval_covers_as_often_as_it_says() -> None:
    """2,000 times five normal values: 95 % with a standard error of 0.5 points."""
    draws = np.random.default_rng(0).normal(10, 1, (2000, 5))
    inside = sum((result := t_interval(row)).low <= 10 <= result.high for row in draws)
    assert 0.93 < inside / 2000 < 0.97


def test_the_extremes_of_five_cover_the_median_of_a_skewed_distribution() -> None:
    draws = np.random.default_rng(0).exponential(1, (2000, 5))
    inside = sum((result := order_interval(row)).low <= np.log(2) <= result.high for row in draws)
    assert inside / 2000 == pytest.approx(0.9375, abs=0.02)


def test_of_many_values_the_order_interval_is_the_narrowest_that_keeps_its_promise() -> None:
    result = order_interval(np.arange(1.0, 26.0))
    # scipy: P(Binomial(25, 1/2) < 8) = 0.0216, < 9: 0.0539.
    assert (result.low, result.high) == (8.0, 18.0)


def test_the_bootstrap_draws_rounds_and_not_samples() -> None:
    """A thousand samples a round make it no narrower than the rounds differ."""
    rng = np.random.default_rng(1)
    rounds = [rng.normal(center, 0.01, 1000) for center in (10.0, 10.5, 9.5, 10.2, 9.8)]
    result = hierarchical_bootstrap(rounds, resamples=200)
    assert result.value == pytest.approx(10.0, abs=0.01)
    assert 0.2 < result.high - result.low < 0.8


def test_the_interval_of_rounds_covers_the_median_where_rounds_have_heavy_tails() -> None:
    """One process in thirty takes fifty times as long: Student's interval of the mean misses that mean."""
    rng = np.random.default_rng(0)
    draws = rng.normal(1, 0.02, (2000, 5)) * np.where(rng.random((2000, 5)) < 1 / 30, 50, 1)
    inside = sum((result := round_interval(row)).low <= 1.0 <= result.high for row in draws)
    mean = 1 + 49 / 30
    of_the_mean = sum((result := t_interval(row)).low <= mean <= result.high for row in draws)
    assert inside / 2000 > 0.95
    assert of_the_mean / 2000 < 0.3


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 20])
def test_the_interval_of_rounds_covers_at_least_as_often_as_it_says(n: int) -> None:
    draws = np.random.default_rng(n).normal(10, 1, (1000, n))
    inside = sum((result := round_interval(row)).low <= 10 <= result.high for row in draws)
    assert inside / 1000 > 0.93


@pytest.mark.parametrize("spread", [0.2, 1.0])
@pytest.mark.parametrize("n", [2, 3, 5])
def test_rounds_that_differ_widely_are_covered_and_no_bound_is_where_no_time_can_be(n: int, spread: float) -> None:
    """Times and rates are products of many influences; the logarithms of theirs are about normal."""
    draws = np.exp(spread * np.random.default_rng(n).standard_normal((1000, n)))
    results = [round_interval(row) for row in draws]
    assert sum(result.low <= 1 <= result.high for result in results) / 1000 > 0.93
    assert all(0 < result.low <= result.value <= result.high for result in results)


def test_a_rate_has_the_interval_of_the_time_that_it_was_made_of() -> None:
    times = [0.010, 0.013]
    time, rate = round_interval(times), round_interval([1 / each for each in times])
    assert (1 / rate.high, 1 / rate.low) == (pytest.approx(time.low), pytest.approx(time.high))
    # t of one degree of freedom, 12.7062, times half of log(13 / 10), to either side of the geometric mean.
    reach = np.exp(12.7062047 * np.log(1.3) / 2)
    assert (time.low, time.high) == (pytest.approx(0.013**0.5 * 0.1 / reach), pytest.approx(0.013**0.5 * 0.1 * reach))


def test_a_difference_may_be_nothing_although_all_rounds_were_above_it() -> None:
    result = difference_interval([1.0, 3.0])
    assert result.low < 0 < result.high
    assert round_interval([0.0, 2.0]) == difference_interval([0.0, 2.0]), "what can be 0 has no logarithm"


def test_rounds_beyond_all_sense_have_finite_bounds() -> None:
    result = round_interval([1e-300, 1e300])
    assert 0 < result.low < result.high < np.inf


def test_the_interval_of_equal_rounds_has_no_width() -> None:
    result = round_interval([0.1] * 5)
    assert (result.value, result.low, result.high) == (0.1, 0.1, 0.1)
