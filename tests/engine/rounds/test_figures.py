"""Figures of rounds whose numbers are known: values, bounds, and methods that claim no more than there is."""

from __future__ import annotations

import itertools

import pytest
from tests.results.conftest import make_rounds

from edgerig.engine.rounds.figures import times_of
from edgerig.measure.kinds import Measurement, Quantity
from edgerig.measure.stats import summarize

CLOCK, METHOD = "ticks, 1 ns", "each inference"


def times(medians: list[float], batch: int = 2) -> dict[str, Quantity]:
    return times_of(make_rounds(medians), summarize([1e-3, 2e-3], resamples=10), CLOCK, METHOD, batch)


def number(quantity: Quantity) -> Measurement:
    assert isinstance(quantity, Measurement)
    return quantity


def test_a_rate_has_the_bounds_of_its_time_turned_round() -> None:
    figures = times([1e-3, 1.1e-3, 0.9e-3])
    steady, rate, each = (number(figures[name]) for name in ("steady", "throughput", "per_sample"))
    assert steady.low is not None
    assert steady.high is not None
    assert rate.value == pytest.approx(2 / steady.value)
    assert (rate.low, rate.high) == pytest.approx((2 / steady.high, 2 / steady.low))
    assert (each.low, each.high) == pytest.approx((steady.low / 2, steady.high / 2))
    assert "with the 95 % interval" in rate.method


def test_a_rate_of_a_time_that_may_be_nothing_has_no_bounds_and_claims_none() -> None:
    # The clock of one round was too coarse to tell a time: there is no logarithm, and the interval reaches 0.
    figures = times([0.0, 1e-3, 1e-3])
    steady, rate, each = (number(figures[name]) for name in ("steady", "throughput", "per_sample"))
    assert steady.low == 0
    assert "with the 95 % interval" in steady.method
    assert rate.value == pytest.approx(2 / steady.value)
    assert (rate.low, rate.high) == (None, None)
    assert "with the 95 % interval" not in rate.method
    assert rate.method.endswith("without an interval, since that of the time begins at 0")
    # A share of it has both: half of nothing is nothing.
    assert steady.high is not None
    assert (each.low, each.high) == (0, pytest.approx(steady.high / 2))


@pytest.mark.parametrize("medians", [[1e-3], [1e-3, 1.2e-3], [1e-3, 1e-3, 90e-3]])
def test_a_method_names_an_interval_where_there_is_one_and_nowhere_else(medians: list[float]) -> None:
    figures = times(medians)
    for name in ("load", "first", "steady", "mean", "p90", "p99", "throughput", "per_sample"):
        figure = number(figures[name])
        assert ("with the 95 % interval" in figure.method) == (figure.low is not None), name
        assert (figure.low is None) == (figure.high is None), name


def test_all_ways_of_two_rounds_keep_the_value_within_its_bounds() -> None:
    for first, second in itertools.product([1e-6, 1e-3, 1.0], repeat=2):
        for quantity in times([first, second]).values():
            if isinstance(quantity, Measurement) and quantity.low is not None and quantity.high is not None:
                assert quantity.low <= quantity.value <= quantity.high
