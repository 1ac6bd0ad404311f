"""Areas and curves over all thresholds, held against scikit-learn on random scores with ties."""

import numpy as np
import pytest
from sklearn import metrics

from edgerig.tasks.metrics.detection_curves import (
    area_under_roc,
    best_f1_threshold,
    partial_area,
    precision_recall,
    roc,
)


def case(seed: int, decimals: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores, many of which tie where they are rounded to few decimals, and whether each is anomalous."""
    rng = np.random.default_rng(seed)
    anomalous = rng.random(int(rng.integers(5, 400))) < 0.3
    anomalous[:2] = False, True
    return np.round(rng.normal(anomalous * 1.0, 1.0), decimals), anomalous


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
    by_score = {float(score): metrics.f1_score(anomalous, scores >= score) for score in np.unique(scores)}
    threshold = best_f1_threshold(scores, anomalous)
    best = max(by_score.values())
    assert by_score[threshold] == pytest.approx(best, abs=1e-9)
    assert not any(score > threshold and f1 > best - 1e-12 for score, f1 in by_score.items())


def test_scores_that_all_tie_are_chance() -> None:
    anomalous = np.array([True, False, True, False])
    assert area_under_roc(np.ones(4), anomalous) == 0.5
    assert partial_area(np.ones(4), anomalous, 0.1) == pytest.approx(0.5)
