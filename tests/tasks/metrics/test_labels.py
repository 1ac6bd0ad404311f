"""Several labels a sample, held against scikit-learn on random scores with ties, and labels that occur nowhere."""

from __future__ import annotations

import numpy as np
import pytest
from tests.later import Later

from edgerig.tasks.metrics.labels import (
    average_precisions,
    counts_of,
    f1_by_label,
    macro_f1,
    mean_defined,
    micro_f1,
)

metrics = Later("sklearn.metrics")


def case(seed: int, decimals: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of up to 300 samples and 6 labels, the first of which is nowhere present, nor predicted from 0.5 on."""
    rng = np.random.default_rng(seed)
    n, labels = int(rng.integers(5, 300)), int(rng.integers(3, 7))
    truth = (rng.random((n, labels)) < rng.random(labels)).astype(np.int8)
    scores = np.clip(rng.normal(0.3 + 0.3 * truth, 0.3), 0, 1)
    truth[:, 0], scores[:, 0] = 0, scores[:, 0] * 0.4
    truth[0, 1:] = 1
    return np.round(scores, decimals), truth


@pytest.mark.parametrize("decimals", [1, 6])
@pytest.mark.parametrize("seed", range(20))
def test_they_are_those_of_scikit_learn(seed: int, decimals: int) -> None:
    scores, truth = case(seed, decimals)
    predicted = scores >= 0.5
    counts = counts_of(scores, truth, 0.5)
    assert micro_f1(counts) == pytest.approx(metrics.f1_score(truth, predicted, average="micro"), abs=1e-9)
    by_label = metrics.f1_score(truth, predicted, average=None, zero_division=np.nan)
    np.testing.assert_allclose(f1_by_label(counts), by_label, atol=1e-9)
    assert macro_f1(counts) == pytest.approx(np.nanmean(by_label), abs=1e-9)
    wanted = metrics.average_precision_score(truth[:, 1:], scores[:, 1:], average=None)
    np.testing.assert_allclose(average_precisions(scores, truth), [np.nan, *np.atleast_1d(wanted)], atol=1e-9)


def test_labels_that_nobody_knows_are_as_if_they_were_not_there() -> None:
    scores, truth = case(1, 1)
    hidden = np.random.default_rng(0).random(truth.shape) < 0.3
    hidden[0] = False
    partly = np.where(hidden, np.int8(-1), truth)
    counts = counts_of(scores, partly, 0.5)
    for label in range(1, truth.shape[1]):
        known = ~hidden[:, label]
        wanted = metrics.f1_score(truth[known, label], scores[known, label] >= 0.5)
        assert f1_by_label(counts)[label] == pytest.approx(wanted, abs=1e-9)
        wanted = metrics.average_precision_score(truth[known, label], scores[known, label])
        assert average_precisions(scores, partly)[label] == pytest.approx(wanted, abs=1e-9)


def test_weights_count_a_sample_as_often_as_they_say() -> None:
    scores, truth = case(2, 1)
    weights = np.random.default_rng(0).integers(0, 4, (3, len(truth))).astype(np.float64)
    counts = counts_of(scores, truth, 0.5, weights)
    for row, weight in enumerate(weights):
        again = np.repeat(np.arange(len(truth)), weight.astype(int))
        alone = counts_of(scores[again], truth[again], 0.5)
        assert macro_f1(counts)[row] == pytest.approx(macro_f1(alone), abs=1e-12)
        assert micro_f1(counts)[row] == pytest.approx(micro_f1(alone), abs=1e-12)


def test_where_nothing_is_present_or_predicted_nothing_is_defined() -> None:
    counts = counts_of(np.zeros((4, 2)), np.zeros((4, 2), np.int8), 0.5)
    assert np.isnan(micro_f1(counts))
    assert np.isnan(macro_f1(counts))
    assert np.isnan(average_precisions(np.zeros((4, 2)), np.zeros((4, 2), np.int8))).all()


def test_weighted_precisions_are_those_of_samples_that_occur_so_often() -> None:
    scores, truth = case(2, 1)
    truth[3, 2] = -1
    weights = np.random.default_rng(0).integers(0, 3, (4, len(truth))).astype(np.float64)
    weights[3] = truth[:, 1] == 0  # a resample in which label 1 is nowhere present
    found = average_precisions(scores, truth, weights)
    assert found.shape == (4, truth.shape[1])
    for row, weight in enumerate(weights):
        again = np.repeat(np.arange(len(truth)), weight.astype(int))
        np.testing.assert_allclose(found[row], average_precisions(scores[again], truth[again]), atol=1e-12)
    assert np.isnan(found[3, 1])
    np.testing.assert_array_equal(mean_defined(found), [np.nanmean(row) for row in found])
