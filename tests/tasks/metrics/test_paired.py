"""Intervals of a metric's change over samples that two networks share, held against scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.later import Later

from edgerig.measure.student import t_quantile
from edgerig.tasks.metrics import paired
from edgerig.tasks.metrics.detection_curves import area_under_roc, partial_area, partial_areas, weighted_areas
from edgerig.tasks.metrics.paired import FEWEST_DIFFERING, FEWEST_SAMPLES, mean_weighing, paired_change

stats = Later("scipy.stats")
metrics = Later("sklearn.metrics")


def drawn(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    first = np.abs(rng.normal(size=n))
    return first, np.abs(first + 0.3 * rng.normal(size=n)) + 0.05


@pytest.mark.parametrize("n", [20, 60, 300])
def test_of_a_mean_the_interval_holds_the_paired_t_interval_and_hardly_more(n: int) -> None:
    a, b = drawn(n)
    change = paired_change(mean_weighing(a), mean_weighing(b), n)
    student = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert change.value == pytest.approx((b - a).mean())
    assert change.low is not None
    assert change.high is not None
    assert change.low <= student.low + 1e-9
    assert change.high >= student.high - 1e-9
    assert change.high - change.low < 1.15 * (student.high - student.low)


def test_the_bootstrap_s_end_is_that_of_scipy_at_the_same_level() -> None:
    n, (a, b) = 60, drawn(60, 3)
    tail = stats.norm.cdf(-np.sqrt(n / (n - 1)) * t_quantile(0.95, n - 1))
    resampled = paired._percentiles(np.concatenate([mean_weighing(b - a)(part) for part in paired.resamples_of(n)]), n)
    peer = stats.bootstrap(
        (b - a,), np.mean, method="percentile", confidence_level=1 - 2 * tail, n_resamples=20_000,
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    width = peer.high - peer.low
    assert abs(resampled[0] - peer.low) < 0.1 * width
    assert abs(resampled[1] - peer.high) < 0.1 * width


def test_the_difference_of_two_areas_has_delong_s_error() -> None:
    """DeLong's variance of the difference, out of the same samples, is the jackknife's to a few percent."""
    rng = np.random.default_rng(5)
    labels = np.arange(300) % 3 == 0
    common = rng.normal(size=300)
    scores = [labels * 1.2 + common + 0.5 * rng.normal(size=300) for _ in range(2)]
    change = paired_change(*(_areas(each, labels) for each in scores), 300)
    parts = [_components(each, labels) for each in scores]
    high, low = parts[1][0] - parts[0][0], parts[1][1] - parts[0][1]
    error = np.sqrt(high.var(ddof=1) / len(high) + low.var(ddof=1) / len(low))
    assert change.low is not None
    assert change.high is not None
    assert (change.high - change.low) / 2 == pytest.approx(t_quantile(0.95, 299) * error, rel=0.1)


def _areas(scores: np.ndarray, labels: np.ndarray) -> paired.Weighing:
    return lambda weights: weighted_areas(scores, labels, weights)


def _components(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    above = (scores[labels][:, None] > scores[~labels]) + 0.5 * (scores[labels][:, None] == scores[~labels])
    return above.mean(axis=1), above.mean(axis=0)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=4, max_size=30))
def test_a_weighted_area_is_that_of_samples_that_are_there_so_often(rows: list[tuple[int, bool, int]]) -> None:
    scores, labels, times = (np.array(column) for column in zip(*rows, strict=True))
    value = float(weighted_areas(scores, labels, times[None, :].astype(float))[0])
    some, flags = np.repeat(scores, times), np.repeat(labels, times)
    if flags.all() or not flags.any():
        assert np.isnan(value)
        return
    assert value == pytest.approx(metrics.roc_auc_score(flags, some))
    assert value == pytest.approx(area_under_roc(some, flags))
    partial = float(partial_areas(scores, labels, 0.1, times[None, :].astype(float))[0])
    assert partial == pytest.approx(partial_area(some, flags, 0.1))


def test_few_samples_have_values_and_no_interval() -> None:
    a, b = drawn(FEWEST_SAMPLES - 1)
    change = paired_change(mean_weighing(a), mean_weighing(b), len(a))
    assert change.value == pytest.approx((b - a).mean())
    assert (change.low, change.high) == (None, None)
    assert "too few" in change.why
    assert paired_change(mean_weighing(a[:0]), mean_weighing(b[:0]), 0).low is None


def test_what_is_not_defined_has_no_interval_and_says_of_whom() -> None:
    change = paired_change(lambda weights: np.ones(len(weights)), lambda weights: np.full(len(weights), np.nan), 50)
    assert (change.low, change.why) == (None, "of B it is not defined")


def test_the_fewer_samples_differ_the_less_they_prove() -> None:
    n = 500
    a, _ = drawn(n)
    widths = []
    for differing in (0, 1, FEWEST_DIFFERING - 1):
        b = a.copy()
        b[:differing] += 1e-3
        change = paired_change(mean_weighing(a), mean_weighing(b), n)
        assert change.differing == differing
        assert change.low is not None
        assert change.high is not None
        assert change.low < 0 < change.high
        widths.append(change.high - change.low)
    assert widths == sorted(widths)
    # Of samples without any error nothing says how large one would be; a share is bounded by itself.
    still = paired_change(mean_weighing(np.zeros(n)), mean_weighing(np.zeros(n)), n, least=1.0)
    assert still.high == pytest.approx(1 - 0.025 ** (1 / n), rel=1e-3)


def test_of_many_samples_groups_are_left_out_and_the_interval_is_that_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = drawn(2000)
    each = paired_change(mean_weighing(a), mean_weighing(b), len(a))
    monkeypatch.setattr(paired, "DRAWN", 2000 * 250)
    groups = paired_change(mean_weighing(a), mean_weighing(b), len(a))
    assert each.low is not None
    assert groups.low is not None
    assert groups.low == pytest.approx(each.low, abs=0.15 * (each.value - each.low))


def test_equal_samples_have_equal_intervals() -> None:
    a, b = (mean_weighing(side) for side in drawn(100))
    assert paired_change(a, b, 100) == paired_change(a, b, 100)
    turned = paired_change(b, a, 100)
    assert turned.value == -paired_change(a, b, 100).value
