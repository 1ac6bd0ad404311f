"""Areas and curves over all thresholds, held against scikit-learn on random scores with ties."""

import numpy as np
import pytest
from tests.later import Later

from edgerig.tasks.metrics.detection_curves import (
    area_interval,
    area_under_roc,
    best_f1_threshold,
    f1_interval,
    partial_area,
    partial_area_interval,
    precision_recall,
    roc,
)
from edgerig.tasks.metrics.functions import wilson_interval
from edgerig.tasks.metrics.resampling import resamples_of

metrics, sklearn = Later("sklearn.metrics"), Later("sklearn")


def case(seed: int, decimals: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores, many of which tie where they are rounded to few decimals, and whether each is anomalous."""
    rng = np.random.default_rng(seed)
    anomalous = rng.random(int(rng.integers(5, 400))) < 0.3
    anomalous[:2] = False, True
    return np.round(rng.normal(anomalous * 1.0, 1.0), decimals), anomalous


@pytest.mark.slow
@pytest.mark.parametrize("decimals", [0, 1, 6])
@pytest.mark.parametrize("seed", range(20))
def test_areas_are_those_of_scikit_learn(seed: int, decimals: int) -> None:
    scores, anomalous = case(seed, decimals)
    assert area_under_roc(scores, anomalous) == pytest.approx(metrics.roc_auc_score(anomalous, scores), abs=1e-9)
    for limit in (0.05, 0.1, 0.5):
        wanted = metrics.roc_auc_score(anomalous, scores, max_fpr=limit)
        assert partial_area(scores, anomalous, limit) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("decimals", [0, 1, 6])
@pytest.mark.parametrize("seed", range(20))
def test_curves_are_those_of_scikit_learn(seed: int, decimals: int) -> None:
    scores, anomalous = case(seed, decimals)
    false, true, _ = metrics.roc_curve(anomalous, scores, drop_intermediate=False)
    np.testing.assert_allclose(roc(scores, anomalous), (false, true), atol=1e-9)
    precision, recall, _ = metrics.precision_recall_curve(anomalous, scores)
    # Theirs runs the other way, and ends with a point (1, 0) that belongs to no threshold.
    np.testing.assert_allclose(precision_recall(scores, anomalous), (precision[-2::-1], recall[-2::-1]), atol=1e-9)


@pytest.mark.parametrize("decimals", [0, 1, 6])
@pytest.mark.parametrize("seed", range(20))
def test_the_best_f1_is_that_of_scikit_learn_over_all_scores(seed: int, decimals: int) -> None:
    scores, anomalous = case(seed, decimals)
    thresholds = np.unique(scores)
    # A column for each threshold: a call for each takes a hundred times as long.
    truth, told = np.repeat(anomalous[:, None], len(thresholds), axis=1), scores[:, None] >= thresholds
    by_score = dict(zip(thresholds.tolist(), metrics.f1_score(truth, told, average=None), strict=True))
    threshold = best_f1_threshold(scores, anomalous)
    best = max(by_score.values())
    assert by_score[threshold] == pytest.approx(best, abs=1e-9)
    assert not any(score > threshold and f1 > best - 1e-12 for score, f1 in by_score.items())


@pytest.mark.parametrize("decimals", [0, 1, 6])
@pytest.mark.parametrize("seed", range(10))
def test_the_interval_of_the_area_is_that_of_a_plain_loop_over_pairs(seed: int, decimals: int) -> None:
    scores, anomalous = case(seed + 100, decimals)
    anomalous[2:4] = False, True
    high, low = scores[anomalous], scores[~anomalous]
    wins = np.array([[1.0 if x > y else 0.5 if x == y else 0.0 for y in low] for x in high])
    area = wins.mean()
    interval = area_interval(scores, anomalous)
    if not 0 < area < 1:
        assert interval is None
        return
    deviation = np.sqrt(wins.mean(axis=1).var(ddof=1) / len(high) + wins.mean(axis=0).var(ddof=1) / len(low))
    middle, reach = np.log(area / (1 - area)), 1.959963984540054 * deviation / (area * (1 - area))
    np.testing.assert_allclose(interval, 1 / (1 + np.exp(-(middle + reach * np.array([-1, 1])))), atol=1e-9)
    assert interval is not None
    assert 0 < interval[0] <= area <= interval[1] < 1


def test_the_interval_of_the_area_covers_it_about_as_often_as_it_says() -> None:
    """Normal scores, anomalous ones shifted by 1: the area is Phi(1 / sqrt 2) = 0.7602."""
    rng, covered = np.random.default_rng(0), 0
    anomalous = np.arange(120) < 40
    for _ in range(600):
        low, high = area_interval(rng.normal(size=120) + anomalous, anomalous) or (0.0, 0.0)
        covered += low <= 0.76025 <= high
    assert 0.925 < covered / 600 < 0.975


def test_an_area_that_leaves_no_doubt_has_no_interval() -> None:
    assert area_interval(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True])) is None
    assert area_interval(np.array([0.1, 0.2, 0.15]), np.array([False, False, True])) is None


def test_the_interval_of_f1_is_wilsons_of_the_share_that_it_follows_from() -> None:
    low, high = f1_interval(8, 2, 2)
    assert low < 2 * 8 / (2 * 8 + 2 + 2) < high
    shares = [bound / (2 - bound) for bound in (low, high)]
    assert shares == pytest.approx(wilson_interval(8, 12), abs=1e-12)


def test_scores_that_all_tie_are_chance() -> None:
    anomalous = np.array([True, False, True, False])
    assert area_under_roc(np.ones(4), anomalous) == 0.5
    assert partial_area(np.ones(4), anomalous, 0.1) == pytest.approx(0.5)


@pytest.mark.slow
def test_the_interval_of_the_partial_area_is_that_of_the_resamples_by_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    anomalous = np.arange(80) % 4 == 0
    scores = np.round(rng.normal(anomalous * 1.0, 1.0), 1)
    areas = []
    # Its checks of arguments take longer than the area.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        for weights in resamples_of(len(scores)):
            for row in weights.astype(int):
                drawn = np.repeat(np.arange(80), row)
                areas.append(metrics.roc_auc_score(anomalous[drawn], scores[drawn], max_fpr=0.1))
    low, high = np.quantile(areas, (0.025, 0.975))
    bounds = partial_area_interval(scores, anomalous, 0.1)
    assert bounds == pytest.approx((low, high), abs=1e-9)
    assert low < partial_area(scores, anomalous, 0.1) < high


def test_a_partial_area_of_too_few_samples_of_a_kind_has_no_interval() -> None:
    """A single anomalous sample is missing in more than a third of the resamples."""
    anomalous = np.arange(50) == 3
    assert partial_area_interval(np.arange(50.0), anomalous, 0.1) is None
