import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.later import Later

from edgerig.measure.stats import summarize

signal = Later("scipy.signal")

times = st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=200)


@given(times)
def test_order_statistics_are_numpys_and_in_order(samples: list[float]) -> None:
    found = summarize(samples, resamples=200)
    assert found.n == len(samples)
    assert found.median == pytest.approx(np.median(samples))
    assert found.mean == pytest.approx(np.mean(samples))
    assert found.minimum <= found.low <= found.high <= found.maximum
    assert found.minimum <= found.median <= found.maximum
    assert found.spread >= 0


@given(times, st.floats(1e-6, 1e6))
def test_a_change_of_unit_changes_times_and_leaves_ratios(samples: list[float], factor: float) -> None:
    one, other = summarize(samples, resamples=100), summarize(np.array(samples) * factor, resamples=100)
    assert other.median == pytest.approx(one.median * factor)
    assert other.low == pytest.approx(one.low * factor)
    assert other.spread == pytest.approx(one.spread, rel=1e-6, abs=1e-9)
    assert other.drift == pytest.approx(one.drift, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("n", "p90", "p99"), [(49, False, False), (50, True, False), (499, True, False), (500, True, True)]
)
def test_tails_are_told_only_where_the_count_allows(n: int, p90: bool, p99: bool) -> None:
    found = summarize(np.arange(1, n + 1))
    assert (found.p90 is not None, found.p99 is not None) == (p90, p99)


def test_the_interval_covers_the_true_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    runs = 400
    hits = 0
    for seed in range(runs):
        found = summarize(rng.exponential(size=101), resamples=400, seed=seed)
        hits += found.low <= np.log(2) <= found.high
    # 95 %, give or take four standard deviations of 400 draws.
    assert 0.906 < hits / runs < 0.994


def test_the_interval_is_that_of_a_plain_bootstrap() -> None:
    rng = np.random.default_rng(2)
    samples = rng.lognormal(size=301)
    plain = np.median(rng.choice(samples, (4000, samples.size)), axis=1)
    found = summarize(samples, resamples=4000)
    width = np.subtract(*np.quantile(plain, [0.975, 0.025]))
    assert found.low == pytest.approx(np.quantile(plain, 0.025), abs=0.2 * width)
    assert found.high == pytest.approx(np.quantile(plain, 0.975), abs=0.2 * width)


def test_drift_is_the_change_from_the_first_to_the_last_quarter() -> None:
    assert summarize([1.0] * 50 + [1.5] * 50).drift == pytest.approx(0.5)
    assert summarize([1.0] * 100).drift == 0


@pytest.mark.parametrize("samples", [[], [1.0, np.nan], [np.inf]])
def test_samples_that_are_none_are_refused(samples: list[float]) -> None:
    with pytest.raises(ValueError, match="samples"):
        summarize(samples)


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.95])
def test_the_interval_of_a_long_series_covers_the_true_median_even_if_neighbours_are_alike(correlation: float) -> None:
    """An AR(1) series around 10; a plain bootstrap covers the true median in fewer than half of the correlated ones."""
    rng = np.random.default_rng(5)
    covered, series = 0, 200
    for _ in range(series):
        found = summarize(10 + signal.lfilter([1], [1, -correlation], rng.normal(0, 1, 5000))[1000:])
        covered += found.low <= 10 <= found.high
    assert 0.88 <= covered / series <= 1.0


def test_the_interval_of_a_long_series_holds_its_median() -> None:
    found = summarize(np.random.default_rng(1).exponential(1, 5000))
    assert found.low < found.median < found.high
