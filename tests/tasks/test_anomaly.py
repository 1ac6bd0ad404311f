"""Anomaly detection: scores out of the network and out of reconstructions, judged, and what is refused."""

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
from edgerig.plugins import make
from edgerig.results.bundle import Bundle
from edgerig.results.types import RunResult
from edgerig.tasks.anomaly import Anomaly
from edgerig.tasks.base import Array
from edgerig.tasks.judgement import Agreement
from edgerig.testing.contracts.task import TaskContract
from edgerig.testing.networks import linear_tflite
from edgerig.views import Curve, Matrix

metrics = Later("sklearn.metrics")

COUNT, NUMBERS = 60, 6
QUICK = {"samples": None, "warmup": 1, "rounds": 2, "seconds": 0, "profile_samples": 2, "transport_samples": 2}


class _Scores(TaskContract):
    """One value a sample, higher where it is anomalous; in steps, so that values tie."""

    @pytest.fixture
    def specs(self) -> list[TensorSpec]:
        return [TensorSpec(name="y", shape=(1, 1), dtype="float32")]

    @pytest.fixture
    def samples(self) -> ArraySamples:
        return ArraySamples(np.random.default_rng(0).random((COUNT, 3), np.float32), np.arange(COUNT) % 2)

    @pytest.fixture
    def outputs(self, samples: ArraySamples) -> list[Array]:
        noise = np.random.default_rng(1).normal(0, 1, COUNT)
        return [np.round(samples.labels + noise, 1).astype(np.float32)[:, None]]


class TestAnomaly(_Scores):
    @pytest.fixture
    def task(self) -> Anomaly:
        return task_of(score="output")


class TestWithThreshold(_Scores):
    @pytest.fixture
    def task(self) -> Anomaly:
        return task_of(score="output", threshold=0.5)

    def test_metrics_are_those_of_scikit_learn(self, task: Anomaly, samples: ArraySamples, outputs: Any) -> None:
        quality = judged(task, outputs[0][:, 0], samples.labels)
        reported = outputs[0][:, 0] >= 0.5
        wanted = {
            "auc": metrics.roc_auc_score(samples.labels, outputs[0]),
            "partial_auc": metrics.roc_auc_score(samples.labels, outputs[0], max_fpr=0.1),
            "precision": metrics.precision_score(samples.labels, reported),
            "recall": metrics.recall_score(samples.labels, reported),
            "f1": metrics.f1_score(samples.labels, reported),
        }
        assert {metric.name: metric.value for metric in quality.metrics} == pytest.approx(wanted, abs=1e-9)
        matrix, *curves = quality.views
        assert isinstance(matrix, Matrix)
        assert np.array(matrix.counts).tolist() == metrics.confusion_matrix(samples.labels, reported).tolist()
        assert [curve.title for curve in curves if isinstance(curve, Curve)] == [
            "ROC",
            "Precision over recall",
            "Scores",
        ]


def task_of(**settings: Any) -> Anomaly:
    task: Anomaly = make("task", "anomaly", Anomaly, settings)
    return task


def judged(task: Anomaly, scores: Array, labels: Array) -> Any:
    samples = ArraySamples(np.random.default_rng(0).random((len(labels), 3), np.float32), labels)
    return task.judge(task.keep(scores[:, None].astype(np.float64), samples.labels, None), samples)


def test_without_a_threshold_that_is_said() -> None:
    quality = judged(task_of(), np.array([0.1, 0.2, 0.9]), np.array([0, 0, 1]))
    assert [metric.name for metric in quality.metrics] == ["auc", "partial_auc"]
    assert any("No threshold was set" in text for text in quality.warnings)


def test_a_threshold_is_the_quantile_of_normal_scores_without_labels_and_numbers_that_are_none() -> None:
    scores, labels = np.array([3.0, 1.0, 2.0, 99.0, np.nan, 50.0]), np.array([0, 0, 0, 1, 0, -1])
    choice = task_of(quantile=0.5).choose(scores[:, None], labels)
    assert choice == {"threshold": 2.0, "samples": 4.0}
    quality = judged(task_of(quantile=0.5).with_choice(choice), np.array([1.0, 2.0, 2.5]), np.array([0, 0, 1]))
    assert [metric.value for metric in quality.metrics if metric.name == "precision"] == [0.5]
    assert isinstance(quality.views[0], Matrix)
    assert quality.views[0].note == (
        "Threshold 2.0: the 0.5 quantile of normal scores among 4 validation samples of the float model."
    )


def test_a_threshold_that_is_set_asks_for_none_on_the_validation_split() -> None:
    assert task_of().chooses
    assert not task_of(threshold=0.0).chooses
    with_choice = task_of(threshold=0.5).with_choice({"threshold": 5.0, "samples": 4.0})
    quality = judged(with_choice, np.array([0.1, 0.9]), np.array([0, 1]))
    assert {metric.name: metric.value for metric in quality.metrics}["recall"] == 1.0


@pytest.mark.parametrize(
    ("rule", "labels", "lacking"),
    [("quantile", [1, 1], "no normal"), ("best-f1", [0, 0], "no anomalous"), ("best-f1", [-1, -1], "no normal and no")],
)
def test_a_validation_split_that_lacks_what_the_rule_takes_is_refused(
    rule: str, labels: list[int], lacking: str
) -> None:
    with pytest.raises(DatasetError, match=lacking):
        task_of(rule=rule).choose(np.array([[1.0], [2.0]]), np.array(labels))


@pytest.mark.parametrize(("label", "kind"), [(0, "normal"), (1, "anomalous")])
def test_samples_of_one_kind_have_no_quality(label: int, kind: str) -> None:
    quality = judged(task_of(threshold=0.5), np.array([0.1, 0.2, 0.9]), np.full(3, label))
    assert quality.metrics == ()
    assert any(f"All 3 samples are {kind}" in text for text in quality.warnings)


def test_a_threshold_that_nothing_reaches_has_no_precision() -> None:
    quality = judged(task_of(threshold=5.0), np.array([0.1, 0.2, 0.9]), np.array([0, 0, 1]))
    assert [metric.name for metric in quality.metrics] == ["auc", "partial_auc", "recall", "f1"]
    assert any("the precision is not defined" in text for text in quality.warnings)


def test_labels_of_more_than_two_kinds_are_refused() -> None:
    with pytest.raises(DatasetError, match="label 2"):
        judged(task_of(), np.zeros(3), np.array([0, 1, 2]))


def test_an_output_that_is_neither_score_nor_reconstruction_is_refused() -> None:
    with pytest.raises(IncompatibleError, match="gives 3 values for the 4 of a sample"):
        task_of().decode_with_inputs([np.zeros((2, 3))], 0, np.zeros((2, 4)))
    with pytest.raises(IncompatibleError, match="one is to be the score"):
        task_of(score="output").check([TensorSpec("y", (1, 3), "float32")], 0, 1)


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Normal samples lie in a plane, anomalous ones beside it; trained on are normal ones alone."""
    rng = np.random.default_rng(0)
    plane = np.linalg.qr(rng.normal(size=(NUMBERS, 2)))[0]
    flat = rng.normal(size=(300, 2)) @ plane.T
    labels = (np.arange(100) % 4 == 0).astype(np.int64)
    test = flat[200:] + labels[:, None] * rng.normal(0, 0.3, (100, NUMBERS))
    folder = tmp_path_factory.mktemp("waves")
    path = folder / "waves.npz"
    marked = (np.arange(80) % 3 == 0).astype(np.int64)
    # Not quite in the plane, so that a quantile of normal scores is more than rounding.
    noise = np.where(marked == 1, 0.3, 0.05)[:, None] * rng.normal(size=(80, NUMBERS))
    validation = (rng.normal(size=(80, 2)) @ plane.T + noise).astype(np.float32)
    train, test = flat[:200].astype(np.float32), test.astype(np.float32)
    arrays = {"x_train": train, "y_train": np.zeros(200, np.int64), "x_test": test, "y_test": labels}
    np.savez(path, **arrays, x_validation=validation, y_validation=marked)
    linear_tflite(
        folder / "net.tflite", np.ascontiguousarray(plane @ plane.T, np.float32), np.zeros(NUMBERS, np.float32)
    )
    return path


def run(waves: Path, model: Path, out: Path, compilers: list[str], **task: Any) -> RunResult:
    matrix = [{"compilers": [compiler], "runtimes": ["litert"]} for compiler in compilers] or [{"runtimes": ["litert"]}]
    rig = {
        "name": "t",
        "model": {"file": str(model)},
        "dataset": {"use": "npz", "file": str(waves)},
        "task": {"use": "anomaly", **task},
        "matrix": matrix,
        "measure": QUICK,
    }
    return edgerig.run(rig, out=out)


@pytest.mark.slow
def test_reconstructions_are_scored_against_what_was_fed(waves: Path, tmp_path: Path) -> None:
    (cell,) = run(waves, waves.parent / "net.tflite", tmp_path / "out", [], threshold=0.01).cells
    arrays, data = Bundle(tmp_path / "out").samples(cell.id), np.load(waves)
    wanted = score_of(data["x_test"], data["x_train"])
    np.testing.assert_allclose(arrays["kept_anomaly"], wanted, rtol=1e-3, atol=1e-10)
    named = {metric.name: metric.value for metric in cell.quality.metrics}
    assert named["auc"] == pytest.approx(metrics.roc_auc_score(data["y_test"], wanted), abs=1e-9)
    assert named["auc"] > 0.99
    assert isinstance(cell.agreement, Agreement)
    assert cell.agreement.same_class == 1.0
    assert len({round_.outputs for round_ in cell.rounds}) == 1


def score_of(x: Array, train: Array) -> Array:
    """Mean squared distance from the plane of ``train``."""
    plane = np.linalg.svd(train, full_matrices=False)[2][:2]
    x = x.astype(np.float64)
    return np.asarray(((x @ plane.T @ plane - x) ** 2).mean(axis=1))


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["quantile", pytest.param("best-f1", marks=pytest.mark.slow)])
def test_the_float_model_chooses_the_threshold_on_the_validation_split_for_all(
    rule: str, waves: Path, tmp_path: Path
) -> None:
    """The oracle: scikit-learn at the threshold out of a plain loop over the validation samples."""
    cells = run(waves, waves.parent / "net.tflite", tmp_path / "out", ["float32", "int8"], rule=rule).cells
    data = np.load(waves)
    scores, marked = score_of(data["x_validation"], data["x_train"]), data["y_validation"]
    if rule == "quantile":
        wanted = float(np.quantile(scores[marked == 0], 0.95))
    else:
        wanted = max(sorted(scores, reverse=True), key=lambda score: metrics.f1_score(marked, scores >= score))
    for cell in cells:
        matrix = cell.quality.views[0]
        assert isinstance(matrix, Matrix)
        assert "among 80 validation samples of the float model" in matrix.note
        threshold = float(matrix.note.split()[1].rstrip(":"))
        assert threshold == pytest.approx(wanted, rel=1e-3)
        reported = Bundle(tmp_path / "out").samples(cell.id)["kept_anomaly"] >= threshold
        named = {metric.name: metric.value for metric in cell.quality.metrics}
        assert named["f1"] == pytest.approx(metrics.f1_score(data["y_test"], reported), abs=1e-9)
        assert isinstance(cell.agreement, Agreement)
        assert cell.agreement.alike.startswith("samples on the same side")
    first, second = (cell.quality.views[0].note for cell in cells)  # type: ignore[union-attr]
    assert first == second


@pytest.mark.slow
def test_an_int8_autoencoder_is_scored_too(waves: Path, tmp_path: Path) -> None:
    """Its input is dequantized: the error of quantizing the input is not taken for one of the network."""
    float32, int8 = run(waves, waves.parent / "net.tflite", tmp_path / "out", ["float32", "int8"], threshold=0.01).cells
    assert int8.artifact.scheme == "int8"
    aucs = [next(m.value for m in cell.quality.metrics if m.name == "auc") for cell in (float32, int8)]
    assert aucs[1] == pytest.approx(aucs[0], abs=0.05)
    assert isinstance(int8.agreement, Agreement)


def test_an_autoencoder_of_another_size_never_reaches_the_device(waves: Path, tmp_path: Path) -> None:
    net = linear_tflite(tmp_path / "n.tflite", np.ones((3, NUMBERS), np.float32), np.zeros(3, np.float32))
    with pytest.raises(IncompatibleError, match="gives 3 values for the 6 of a sample"):
        run(waves, net, tmp_path / "out", [])
    assert not (tmp_path / "out").exists()
