"""Student's t against scipy's."""

import pytest
from tests.later import Later

from edgerig.measure.student import t_p_value, t_probability, t_quantile

stats = Later("scipy.stats")

FREEDOMS = (1, 2, 3, 4, 5, 8, 9, 30, 101)


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_quantiles_and_p_values_are_those_of_scipy(freedom: int) -> None:
    for confidence in (0.5, 0.9, 0.95, 0.999):
        assert t_quantile(confidence, freedom) == pytest.approx(stats.t.ppf((1 + confidence) / 2, freedom), rel=1e-9)
    for t in (0.0, 0.3, -1.7, 4.0):
        assert t_p_value(t, freedom) == pytest.approx(2 * stats.t.sf(abs(t), freedom), abs=1e-12)


def test_many_degrees_of_freedom_are_about_normal() -> None:
    assert t_quantile(0.95, 100_000) == pytest.approx(stats.t.ppf(0.975, 100_000), rel=1e-4)


def test_an_infinite_t_has_all_probability_within() -> None:
    assert t_probability(float("inf"), 3) == 1.0
    assert t_p_value(float("-inf"), 3) == 0.0


def test_no_degree_of_freedom_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one degree"):
        t_quantile(0.95, 0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        t_quantile(1.0, 3)
