"""Metrics of class maps equal scikit-learn's and a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from tests.later import Later

from edgerig.tasks.metrics import segmentation as metrics

theirs = Later("sklearn.metrics")

CLASSES = 5


def _maps(seed: int, images: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Truth with ignored pixels, and predictions; class 4 occurs in neither, class 3 in the predictions alone."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(-1, 3, (images, 7, 9)).astype(np.int16)
    predicted = np.where(rng.random(truth.shape) < 0.6, np.maximum(truth, 0), rng.integers(0, 4, truth.shape))
    return truth, predicted.astype(np.uint8)


@pytest.mark.parametrize("seed", range(5))
def test_counts_and_shares_equal_scikit_learns(seed: int) -> None:
    truth, predicted = _maps(seed)
    counts = metrics.pixel_counts(truth, predicted, CLASSES)
    for image in range(len(truth)):
        known = truth[image] >= 0
        expected = theirs.confusion_matrix(truth[image][known], predicted[image][known], labels=range(CLASSES))
        np.testing.assert_array_equal(counts[image], expected)
    total, known = counts.sum(axis=0), truth >= 0
    labels, answers = truth[known], predicted[known]
    iou = theirs.jaccard_score(labels, answers, labels=range(4), average=None)
    dice = theirs.f1_score(labels, answers, labels=range(4), average=None)
    np.testing.assert_allclose(metrics.iou_by_class(total)[:4], iou, rtol=0, atol=1e-9)
    np.testing.assert_allclose(metrics.dice_by_class(total)[:4], dice, rtol=0, atol=1e-9)
    assert np.isnan(metrics.iou_by_class(total)[4])
    assert metrics.mean_iou(total) == pytest.approx(iou.mean(), abs=1e-9)
    assert metrics.mean_dice(total) == pytest.approx(dice.mean(), abs=1e-9)
    assert metrics.pixel_accuracy(total) == pytest.approx(theirs.accuracy_score(labels, answers), abs=1e-9)


@pytest.mark.parametrize("background", [None, 0, 2])
def test_similarity_equals_a_plain_loop(background: int | None) -> None:
    truth, predicted = _maps(7)
    above = below = 0
    for label in range(CLASSES):
        if label == background:
            continue
        for own, answer in zip(truth.ravel(), predicted.ravel(), strict=True):
            if own >= 0:
                above += own == label and answer == label
                below += own == label or answer == label
    total = metrics.pixel_counts(truth, predicted, CLASSES).sum(axis=0)
    assert metrics.similarity(total, background) == pytest.approx(above / below, abs=1e-9)


def test_many_counts_at_once_are_those_of_each() -> None:
    counts = metrics.pixel_counts(*_maps(3), CLASSES)
    for metric in (metrics.mean_iou, metrics.mean_dice, metrics.pixel_accuracy, metrics.similarity):
        np.testing.assert_allclose(metric(counts), [metric(each) for each in counts], rtol=0, atol=1e-12)


def test_an_interval_holds_what_it_says_and_is_the_same_each_time() -> None:
    """Of images of equal size and a share right each, the interval of accuracy is that of the mean share."""
    right = np.random.default_rng(0).integers(60, 100, 200)
    counts = np.zeros((200, 2, 2), np.int32)
    counts[:, 0, 0], counts[:, 0, 1] = right, 100 - right
    interval = metrics.bootstrap_interval(counts, metrics.pixel_accuracy)
    assert interval is not None
    assert interval == metrics.bootstrap_interval(counts, metrics.pixel_accuracy)
    assert interval != metrics.bootstrap_interval(counts, metrics.pixel_accuracy, seed=1)
    half = 1.96 * (right / 100).std() / np.sqrt(200)
    assert interval[1] - interval[0] == pytest.approx(2 * half, rel=0.1)
    assert sum(interval) / 2 == pytest.approx(right.mean() / 100, abs=half / 5)


def test_one_image_has_no_interval_and_nothing_has_no_share() -> None:
    assert metrics.bootstrap_interval(np.ones((1, 2, 2), np.int32), metrics.mean_iou) is None
    nothing = np.zeros((3, 2, 2), np.int32)
    assert metrics.bootstrap_interval(nothing, metrics.mean_iou) is None
    assert np.isnan(metrics.mean_iou(nothing)).all()
