import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.later import Later

from edgerig.measure.comparison import (
    LEVEL,
    LOOK_LEVEL,
    LOOKS,
    TRIM,
    Estimate,
    chunk_log_ratio,
    estimate,
    estimate_apart,
    judge_ratio,
    pair_log_ratio,
    smallest_difference,
)
from edgerig.measure.student import t_quantile

stats = Later("scipy.stats")

ratios = st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=20)


def interval(low: float, high: float) -> Estimate:
    return Estimate(ratio=(low + high) / 2, low=low, high=high, count=4, level=LEVEL, spread=0.0)


@pytest.mark.slow
@settings(deadline=None)
@given(ratios, st.floats(0.001, 0.2))
def test_the_interval_of_pairs_is_students(values: list[float], level: float) -> None:
    found = estimate(values, level)
    count = len(values)
    cut = math.floor(TRIM * count)
    mean = stats.trim_mean(values, TRIM)
    winsorized = np.asarray(stats.mstats.winsorize(np.array(values), limits=(cut / count, cut / count)))
    error = np.std(winsorized, ddof=1) / ((1 - 2 * cut / count) * math.sqrt(count))
    if error > 1e-12:
        low, high = stats.t.interval(1 - level, count - 2 * cut - 1, mean, error)
        assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)), rel=1e-6)
    assert found.ratio == pytest.approx(math.exp(mean))
    assert found.low <= found.ratio * (1 + 1e-12)
    assert found.ratio <= found.high * (1 + 1e-12)


@given(st.lists(st.floats(1, 2), min_size=2, max_size=9), st.lists(st.floats(1, 2), min_size=2, max_size=9))
def test_the_interval_of_groups_is_welchs_and_never_narrower(a: list[float], b: list[float]) -> None:
    found = estimate_apart(a, b)
    first, second = np.log(a), np.log(b)
    parts = first.var(ddof=1) / len(a), second.var(ddof=1) / len(b)
    if sum(parts) > 1e-12:
        exact = stats.ttest_ind(second, first, equal_var=False).confidence_interval(1 - LEVEL)
        assert math.log(found.low) <= exact.low + 1e-6
        assert math.log(found.high) >= exact.high - 1e-6
    # Of B against A it says the opposite of what it says of A against B.
    assert estimate_apart(b, a).high == pytest.approx(1 / found.low)


def test_the_intervals_of_all_looks_together_hold_the_truth_in_95_of_100_comparisons() -> None:
    draws = np.random.default_rng(3).normal(size=(100_000, LOOKS[-1]))
    missed = np.zeros(len(draws), bool)
    for count in LOOKS:
        so_far, cut = np.sort(draws[:, :count], axis=1), math.floor(TRIM * count)
        means = so_far[:, cut : count - cut].mean(axis=1)
        winsorized = np.clip(so_far, so_far[:, [cut]], so_far[:, [count - cut - 1]])
        errors = winsorized.std(axis=1, ddof=1) / ((1 - 2 * cut / count) * math.sqrt(count))
        missed |= np.abs(means) > t_quantile(1 - LOOK_LEVEL, count - 2 * cut - 1) * errors
    # Three standard deviations of such a share are 0.2 %.
    assert missed.mean() == pytest.approx(0.05, abs=0.002)


@pytest.mark.slow
def test_a_process_in_ten_that_is_a_fifth_slower_hides_no_slowdown_of_5_percent() -> None:
    rng = np.random.default_rng(7)
    draws = rng.normal(math.log(1.05), 0.005, (2000, LOOKS[-1]))
    draws += (rng.random(draws.shape) < 0.1) * rng.choice([-0.2, 0.2], draws.shape)
    found = 0
    for row in draws:
        verdicts = [judge_ratio(estimate(row[:count], LOOK_LEVEL), 0.02) for count in LOOKS]
        found += next((verdict for verdict in verdicts if verdict != "inconclusive"), "") == "slower"
    assert found / len(draws) > 0.95


@pytest.mark.slow
def test_a_process_that_is_now_and_then_far_slower_makes_no_more_false_verdicts() -> None:
    rng = np.random.default_rng(5)
    draws = rng.normal(0, 0.005, (4000, LOOKS[-1])) + (rng.random((4000, LOOKS[-1])) < 0.1) * rng.normal(
        0, 0.2, (4000, LOOKS[-1])
    )
    wrong = 0
    for row in draws:
        for count in LOOKS:
            verdict = judge_ratio(estimate(row[:count], LOOK_LEVEL), 0.02)
            if verdict != "inconclusive":
                wrong += verdict != "same"
                break
    assert wrong / len(draws) < 0.05


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.021, 1.5, "slower"),
        (1.02, 1.5, "inconclusive"),
        (1.001, 1.03, "inconclusive"),
        (0.99, 1.01, "same"),
        (1 / 1.02, 1.02, "same"),
        (0.5, 2.0, "inconclusive"),
        (0.9, 0.98, "faster"),
        (0.9, 0.99, "inconclusive"),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side_of_the_margin(low: float, high: float, verdict: str) -> None:
    assert judge_ratio(interval(low, high), 0.02) == verdict


@given(st.floats(0.5, 2), st.floats(0, 0.3), st.floats(0.001, 0.2))
def test_swapping_a_and_b_swaps_the_verdict(ratio: float, half: float, margin: float) -> None:
    ends = ratio * math.exp(-half), ratio * math.exp(half)
    there, back = judge_ratio(interval(*ends), margin), judge_ratio(interval(1 / ends[1], 1 / ends[0]), margin)
    if all(abs(math.log(end)) != pytest.approx(math.log1p(margin), abs=1e-12) for end in ends):
        assert back == {"slower": "faster", "faster": "slower"}.get(there, there)


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=50), st.floats(0.01, 100))
def test_a_chunk_of_times_as_long_has_their_ratio(times: list[float], factor: float) -> None:
    assert chunk_log_ratio(times, np.array(times) * factor) == pytest.approx(math.log(factor), abs=1e-9)


def test_preemption_of_most_of_a_chunk_moves_neither_it_nor_the_pair() -> None:
    quiet, busy = np.full(100, 10.0), np.r_[np.full(20, 10.0), np.full(80, 300.0)]
    assert chunk_log_ratio(quiet, busy) == 0
    assert pair_log_ratio([(quiet, quiet), (quiet, busy * 5), (quiet, quiet)]) == 0


def test_a_clock_that_ticks_too_coarsely_gives_no_ratio_and_no_interval_below_its_tick() -> None:
    with pytest.raises(ValueError, match="too coarse"):
        chunk_log_ratio([0, 0, 0], [1, 1, 1])
    found = estimate([0.0, 0.0, 0.0, 0.0], LOOK_LEVEL, resolution=0.1)
    assert (found.low, found.high) == pytest.approx((1 / 1.1, 1.1))
    assert judge_ratio(found, 0.02) == "inconclusive"


@pytest.mark.parametrize("values", [[], [0.1], [0.1, math.nan], [0.1, math.inf]])
def test_too_few_pairs_or_no_numbers_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError):
        estimate(values)
    with pytest.raises(ValueError):
        pair_log_ratio([])
    with pytest.raises(ValueError):
        estimate_apart([1.0, 0.0], [1.0, 1.0])


def test_the_smallest_difference_is_found_in_nine_of_ten_comparisons() -> None:
    rng = np.random.default_rng(1)
    spread, pairs = 0.02, 9
    slowdown = math.log1p(smallest_difference(spread, pairs))
    draws = rng.normal(slowdown, spread, (2000, pairs))
    found = np.mean([estimate(row, LOOK_LEVEL).low > 1.02 for row in draws])
    assert 0.9 < found < 0.97
