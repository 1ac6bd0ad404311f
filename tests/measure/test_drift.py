"""Whether a device changed from round to round; against scipy, and against what chance does."""

import numpy as np
import pytest
from tests.later import Later

from edgerig.measure.drift import drift_between, largest_step, trend_p_value

stats = Later("scipy.stats")

STEADY = [1.0, 1.01, 0.99, 1.005, 0.995]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [4, 5, 8, 20])
def test_the_trend_is_kendalls_by_exact_count(n: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(0, 1, n)
    expected = stats.kendalltau(np.arange(n), values, method="exact").pvalue
    assert trend_p_value(values) == pytest.approx(expected)


def test_a_long_series_is_about_kendalls_too() -> None:
    values = np.random.default_rng(0).normal(0, 1, 80) + np.arange(80) * 0.01
    expected = stats.kendalltau(np.arange(80), values, method="asymptotic").pvalue
    assert trend_p_value(values) == pytest.approx(expected, abs=0.02)


def test_equal_values_have_no_trend_and_no_step() -> None:
    assert trend_p_value([3.0] * 6) == 1.0
    assert largest_step([3.0] * 6)[1:] == (0.0, 1.0)


def test_a_step_is_found_where_it_is() -> None:
    before, change, p = largest_step([1.0, 1.01, 1.3, 1.31, 1.29, 1.3])
    assert before == 2
    assert change == pytest.approx(1.3 / 1.005 - 1)
    assert p < 0.001


@pytest.mark.parametrize(
    ("medians", "said"),
    [
        ([1.0, 1.001, 0.999, 1.3, 1.301], "30% slower between rounds 3 and 4"),
        ([1.3, 1.3, 1.31, 1.0, 1.001], "23% faster between rounds 3 and 4"),
        ([1.0, 1.02, 1.04, 1.06, 1.08], "8% slower from the first round to the last"),
    ],
)
def test_a_device_that_changes_is_told(medians: list[float], said: str) -> None:
    assert said in (drift_between(medians) or "")


@pytest.mark.parametrize(
    "medians",
    [STEADY, [1.0, 1.5], [], [0.0] * 5, [1.0, 1.001, 1.002, 1.003, 1.004], [1.0, 1.3, 1.0, 1.3, 1.0]],
    ids=["steady", "two", "none", "coarse clock", "too little", "to and fro"],
)
def test_what_is_no_change_is_not(medians: list[float]) -> None:
    assert drift_between(medians) is None


def test_chance_is_rarely_taken_for_a_change() -> None:
    draws = np.random.default_rng(0).normal(1, 0.05, (2000, 5))
    assert sum(drift_between(list(row)) is not None for row in draws) / 2000 < 0.04
