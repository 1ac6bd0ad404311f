"""Every metric against an independent implementation."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.later import Later

from edgerig.errors import IncompatibleError, InferenceError
from edgerig.tasks import metrics
from edgerig.tasks.metrics import (
    Accuracy,
    Auc,
    ConfusionMatrix,
    MacroF1,
    Metric,
    PrecisionRecallF1,
    TopK,
    classification_metrics,
    wilson_interval,
)
from edgerig.tasks.metrics.functions import mean_ranks

Case = tuple[np.ndarray, np.ndarray]


sk = Later("sklearn.metrics")


@st.composite
def cases(draw: st.DrawFn, ties: bool = True) -> Case:
    """Scores (n, classes) and labels (n,). With ``ties``, scores come from few values, as int8 outputs do."""
    n, classes = draw(st.integers(1, 40)), draw(st.integers(2, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # Without ties: distinct by construction.
    scores = rng.integers(0, 5, (n, classes)) / 4 if ties else rng.permutation(n * classes).reshape(n, classes)
    return scores.astype(np.float32), rng.integers(0, classes, n)


@given(cases())
def test_accuracy_equals_scikit_learn(case: Case) -> None:
    scores, labels = case
    assert metrics.accuracy(scores, labels) == pytest.approx(sk.accuracy_score(labels, scores.argmax(axis=1)))


@given(cases(ties=False), st.integers(1, 7))
def test_top_k_equals_scikit_learn(case: Case, k: int) -> None:
    scores, labels = case
    assume(k < scores.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sk_warning())
        if scores.shape[1] == 2:
            # Of two classes scikit-learn takes the second one's scores, and a threshold that is not ours.
            theirs = sk.accuracy_score(labels, scores.argmax(axis=1))
        else:
            theirs = sk.top_k_accuracy_score(labels, scores, k=k, labels=np.arange(scores.shape[1]))
    assert metrics.top_k_accuracy(scores, labels, k) == pytest.approx(theirs)


@given(cases())
def test_top_1_breaks_ties_as_argmax_does(case: Case) -> None:
    scores, labels = case
    assert metrics.top_k_accuracy(scores, labels, 1) == np.mean(scores.argmax(axis=1) == labels)


@given(cases())
def test_confusion_matrix_equals_scikit_learn(case: Case) -> None:
    scores, labels = case
    classes = scores.shape[1]
    theirs = sk.confusion_matrix(labels, scores.argmax(axis=1), labels=np.arange(classes))
    np.testing.assert_array_equal(metrics.confusion_matrix(scores, labels, classes), theirs)


@given(cases())
def test_precision_recall_and_f1_equal_scikit_learn(case: Case) -> None:
    scores, labels = case
    classes = scores.shape[1]
    ours = metrics.per_class(metrics.confusion_matrix(scores, labels, classes))
    theirs = sk.precision_recall_fscore_support(
        labels, scores.argmax(axis=1), labels=np.arange(classes), zero_division=0
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other)


@given(cases())
def test_macro_f1_equals_scikit_learn(case: Case) -> None:
    scores, labels = case
    ours = metrics.macro_f1(metrics.confusion_matrix(scores, labels, scores.shape[1]))
    assert ours == pytest.approx(sk.f1_score(labels, scores.argmax(axis=1), average="macro", zero_division=0))


@pytest.mark.slow
@given(cases())
def test_auc_equals_scikit_learn_ties_included(case: Case) -> None:
    scores, labels = case
    present = [c for c in range(scores.shape[1]) if 0 < (labels == c).sum() < len(labels)]
    areas = [sk.roc_auc_score(labels == c, scores[:, c]) for c in present]
    ours = metrics.auc(scores, labels)
    assert ours == (pytest.approx(np.mean(areas)) if areas else None)


@pytest.mark.slow
@given(cases())
def test_auc_equals_scikit_learns_one_versus_rest(case: Case) -> None:
    scores, labels = case
    classes = scores.shape[1]
    assume(classes > 2 and len(set(labels.tolist())) == classes)
    shares = (scores + 0.1) / (scores + 0.1).sum(axis=1, keepdims=True)
    theirs = sk.roc_auc_score(labels, shares, multi_class="ovr", average="macro")
    assert metrics.auc(shares, labels) == pytest.approx(theirs)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30))
def test_mean_ranks_add_up(values: list[int]) -> None:
    ranks = mean_ranks(np.array(values))
    assert ranks.sum() == pytest.approx(len(values) * (len(values) + 1) / 2)
    for value in set(values):
        assert len({float(r) for r, v in zip(ranks, values, strict=True) if v == value}) == 1


@given(cases(), st.integers(1, 10))
def test_batches_add_up_to_the_whole(case: Case, size: int) -> None:
    scores, labels = case
    classes = scores.shape[1]

    def made() -> list[Metric | ConfusionMatrix | PrecisionRecallF1]:
        return [*classification_metrics("abcdefgh"[:classes]), ConfusionMatrix(classes), PrecisionRecallF1(classes)]

    for whole, pieces in zip(made(), made(), strict=True):
        whole.update(scores, labels)
        for start in range(0, len(labels), size):
            pieces.update(scores[start : start + size], labels[start : start + size])
        one, other = whole.compute(), pieces.compute()
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_equals_the_published_one(successes: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(successes, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(st.integers(1, 1000), st.data())
def test_wilson_interval_holds_the_share_and_stays_in_bounds(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    low, high = wilson_interval(successes, n)
    assert 0 <= low <= successes / n <= high <= 1


def test_accuracy_comes_with_its_interval() -> None:
    metric = Accuracy(2)
    assert (metric.low, metric.high) == (None, None)
    metric.update(np.eye(2)[[0, 1, 1]], np.array([0, 1, 0]))
    assert metric.compute() == pytest.approx(2 / 3)
    assert (metric.low, metric.high) == wilson_interval(2, 3)
    assert Auc(2).interval() is None


def test_the_headline_is_first_and_top_5_needs_more_than_5_classes() -> None:
    assert [m.name for m in classification_metrics("abcde")] == ["accuracy", "auc", "macro_f1"]
    assert [m.name for m in classification_metrics("abcdef")] == ["accuracy", "top5_accuracy", "auc", "macro_f1"]
    assert all(m.higher_is_better for m in classification_metrics("abcdef"))


def test_samples_without_label_are_left_out() -> None:
    for metric in (Accuracy(2), TopK(2, 1)):
        metric.update(np.eye(2)[[0, 1, 1]], np.array([0, -1, 0]))
        assert metric.compute() == 0.5


def test_what_is_not_defined_is_none() -> None:
    assert all(metric.compute() is None for metric in classification_metrics("abcdef"))
    auc = Auc(2)
    auc.update(np.eye(2), np.array([1, 1]))
    assert auc.compute() is None


def test_a_nan_is_no_score() -> None:
    scores = np.array([[np.nan, 0.0], [1.0, 0.0]])
    with pytest.raises(InferenceError, match="NaN for 1 of 2 samples"):
        MacroF1(2).update(scores, np.array([0, 0]))


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (np.zeros((3, 5)), np.zeros(3, int), "5.* values a sample, the dataset has 2 classes"),
        (np.zeros(3), np.zeros(3, int), "values a sample"),
        (np.zeros((3, 2)), np.zeros(4, int), "3 predictions"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), "Label 2"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(scores: np.ndarray, labels: np.ndarray, message: str) -> None:
    with pytest.raises(IncompatibleError, match=message):
        ConfusionMatrix(2).update(scores, labels)


def sk_warning() -> type[Warning]:
    from sklearn.exceptions import UndefinedMetricWarning

    return UndefinedMetricWarning
