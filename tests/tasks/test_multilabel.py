"""Several labels a sample: judged at a threshold, compared, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.later import Later

import edgerig
from edgerig.artifact import TensorSpec
from edgerig.datasets.samples import ArraySamples
from edgerig.errors import DatasetError, IncompatibleError
from edgerig.results.bundle import Bundle
from edgerig.tasks.base import Array, Reference
from edgerig.tasks.judgement import Agreement
from edgerig.tasks.metrics.resampling import resamples_of
from edgerig.tasks.multilabel import Multilabel, MultilabelSettings
from edgerig.testing.contracts.task import TaskContract
from edgerig.testing.networks import linear_tflite
from edgerig.views import Table

metrics = Later("sklearn.metrics")

COUNT, LABELS = 50, ("cat", "dog", "emu")
QUICK = {"samples": None, "warmup": 1, "rounds": 1, "seconds": 0, "profile_samples": 2, "transport_samples": 2}


def case() -> tuple[ArraySamples, Array]:
    rng = np.random.default_rng(0)
    truth = (rng.random((COUNT, 3)) < (0.5, 0.3, 0.2)).astype(np.int8)
    scores = np.round(np.clip(rng.normal(0.3 + 0.3 * truth, 0.25), 0, 1), 2)
    return ArraySamples(rng.random((COUNT, 4), np.float32), None, truth), scores.astype(np.float32)


def judged(scores: Array, truth: Array, **settings: Any) -> Any:
    task = Multilabel(MultilabelSettings(**settings), classes=LABELS, dataset="zoo")
    samples = ArraySamples(np.random.default_rng(0).random((len(truth), 4), np.float32), None, truth)
    return task.judge(task.keep(scores, truth, None), samples)


class TestMultilabel(TaskContract):
    @pytest.fixture
    def task(self) -> Multilabel:
        return Multilabel(classes=LABELS)

    @pytest.fixture
    def specs(self) -> list[TensorSpec]:
        return [TensorSpec(name="y", shape=(1, 3), dtype="float32")]

    @pytest.fixture
    def samples(self) -> ArraySamples:
        return case()[0]

    @pytest.fixture
    def outputs(self) -> list[Array]:
        return [case()[1]]

    def test_another_number_of_scores_is_refused(self, task: Multilabel) -> None:
        with pytest.raises(IncompatibleError, match="gives 4 values"):
            task.check([TensorSpec(name="y", shape=(1, 4), dtype="float32")], 0, 1)


@pytest.mark.parametrize("threshold", [0.5, 0.35])
def test_figures_are_those_of_scikit_learn(threshold: float) -> None:
    samples, scores = case()
    truth = samples.targets
    assert truth is not None
    quality = judged(scores, truth, threshold=threshold)
    predicted = scores >= threshold
    wanted = {
        "map": metrics.average_precision_score(truth, scores, average="macro"),
        "micro_f1": metrics.f1_score(truth, predicted, average="micro"),
        "macro_f1": metrics.f1_score(truth, predicted, average="macro"),
        "exact_match": metrics.accuracy_score(truth, predicted),
    }
    assert {metric.name: metric.value for metric in quality.metrics} == pytest.approx(wanted, abs=1e-9)
    for metric in quality.metrics[1:]:
        assert metric.low < metric.value < metric.high
    (table,) = quality.views
    assert isinstance(table, Table)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, predicted)
    rows = np.array([row[3:] for row in table.rows], float)
    np.testing.assert_allclose(rows, np.c_[precision, recall, f1], atol=1e-9)
    assert [row[1] for row in table.rows] == truth.sum(axis=0).tolist()


def test_labels_that_nobody_knows_are_left_out_and_that_is_said() -> None:
    truth = np.array([[1, 0, -1], [0, 1, -1], [-1, -1, -1]], np.int8)
    quality = judged(np.array([[0.9, 0.1, 0.9], [0.2, 0.8, 0.9], [0.9, 0.9, 0.9]], np.float32), truth)
    named = {metric.name: metric.value for metric in quality.metrics}
    assert quality.samples == 2
    assert named == {"map": 1.0, "micro_f1": 1.0, "macro_f1": 1.0}
    assert any("5 of 9 labels are not known" in text for text in quality.warnings)
    assert any("Nowhere present, and so left out of mAP: emu" in text for text in quality.warnings)
    nothing = judged(np.ones((2, 3), np.float32), np.full((2, 3), -1, np.int8))
    assert nothing.metrics == ()
    assert any("nothing is judged" in text for text in nothing.warnings)


def test_scores_that_are_no_probabilities_are_told() -> None:
    quality = judged(np.array([[5.0, -3.0, 0.1]], np.float32), np.array([[1, 0, 0]], np.int8))
    assert any("so they are no probabilities" in text for text in quality.warnings)


@pytest.mark.parametrize(
    "truth", [np.ones((2, 2), np.int8), np.ones(2, np.int64), np.full((2, 3), 2), np.full((2, 3), 0.5)]
)
def test_what_is_not_0_or_1_for_each_label_is_refused(truth: Array) -> None:
    with pytest.raises(DatasetError, match="takes 0 or 1 for each of the 3 labels"):
        Multilabel(classes=LABELS, dataset="zoo").keep(np.zeros((2, 3), np.float32), truth, None)


def test_networks_agree_where_all_labels_lie_on_one_side_of_the_threshold() -> None:
    samples, scores = case()
    task = Multilabel(classes=LABELS)
    other = scores.copy()
    other[0, 1] = 1 - other[0, 1]
    assert (other[0, 1] >= 0.5) != (scores[0, 1] >= 0.5)
    assert samples.targets is not None
    agreement = task.compare(task.keep(scores, samples.targets, None), Reference("f", other), samples, 0)
    assert isinstance(agreement, Agreement)
    assert agreement.same_class == pytest.approx(1 - 1 / COUNT)


@pytest.mark.slow
def test_a_matrix_of_labels_goes_through_the_device(tmp_path: Path) -> None:
    """From an npz file, and a network whose scores are linear in the inputs."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 4)).astype(np.float32)
    x = rng.normal(size=(80, 4)).astype(np.float32)
    y = (x @ weights.T + rng.normal(0, 0.5, (80, 3)) >= 0.5).astype(np.int64)
    np.savez(tmp_path / "zoo.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:], classes=LABELS)
    net = linear_tflite(tmp_path / "net.tflite", weights, np.zeros(3, np.float32))
    rig = {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "npz", "file": str(tmp_path / "zoo.npz")},
        "task": "multilabel",
        "matrix": [{"runtimes": ["litert"]}],
        "measure": QUICK,
    }
    (cell,) = edgerig.run(rig, out=tmp_path / "out").cells
    arrays = Bundle(tmp_path / "out").samples(cell.id)
    np.testing.assert_array_equal(arrays["kept_present"], y[40:])
    np.testing.assert_allclose(arrays["kept_label_scores"], x[40:] @ weights.T, rtol=1e-4, atol=1e-5)
    named = {metric.name: metric.value for metric in cell.quality.metrics}
    wanted = metrics.f1_score(y[40:], arrays["kept_label_scores"] >= 0.5, average="macro")
    assert named["macro_f1"] == pytest.approx(wanted, abs=1e-9)
    (table,) = cell.quality.views
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == list(LABELS)
    assert isinstance(cell.agreement, Agreement)
    assert cell.agreement.same_class == 1.0


@pytest.mark.slow
def test_labels_are_learned_quantized_and_measured(tmp_path: Path) -> None:
    """Three labels that follow from the signs of sums; the figures are those of scikit-learn on what was kept."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1200, 10)).astype(np.float32)
    y = (np.stack([x[:, :3].sum(1), x[:, 3:6].sum(1), x[:, 6] - x[:, 7]], axis=1) > (0.5, 0, 1)).astype(np.int64)
    np.savez(tmp_path / "zoo.npz", x=x, y=y, classes=LABELS)
    rig = {
        "name": "t",
        "model": {"use": "mlp", "learns": "labels", "widths": [16], "train": {"epochs": 10}},
        "dataset": {"use": "npz", "file": str(tmp_path / "zoo.npz")},
        "task": "multilabel",
        "matrix": [{"compilers": ["float32", "int8"], "runtimes": ["litert"]}],
        "measure": QUICK,
    }
    exact, int8 = edgerig.run(rig, out=tmp_path / "out").cells
    for cell in (exact, int8):
        arrays = Bundle(tmp_path / "out").samples(cell.id)
        truth, scores = arrays["kept_present"], arrays["kept_label_scores"]
        named = {metric.name: metric.value for metric in cell.quality.metrics}
        assert named["map"] == pytest.approx(metrics.average_precision_score(truth, scores), abs=1e-9)
        assert named["micro_f1"] == pytest.approx(metrics.f1_score(truth, scores >= 0.5, average="micro"), abs=1e-9)
        assert named["map"] > 0.95
        assert cell.quality.warnings == ()
    assert int8.artifact.scheme == "int8"
    assert isinstance(int8.agreement, Agreement)
    assert int8.agreement.same_class > 0.95


@pytest.mark.slow
def test_the_mean_precision_has_the_interval_of_its_resamples() -> None:
    samples, scores = case()
    truth = samples.targets
    assert truth is not None
    (value,) = [metric for metric in judged(scores, truth).metrics if metric.name == "map"]
    means = []
    for weights in resamples_of(len(scores)):
        for row in weights.astype(int):
            drawn = np.repeat(np.arange(len(scores)), row)
            present = truth[drawn].any(axis=0)
            aps = metrics.average_precision_score(truth[drawn][:, present], scores[drawn][:, present], average=None)
            means.append(np.mean(aps))
    low, high = np.quantile(means, (0.025, 0.975))
    assert (value.low, value.high) == pytest.approx((low, high), abs=1e-9)
    assert low < value.value < high
