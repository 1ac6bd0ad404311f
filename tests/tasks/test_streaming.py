"""Events in a stream: judged, compared, and run in their order on a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgerig
from edgerig.artifact import TensorSpec
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.datasets.samples import ArraySamples
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.errors import DatasetError, IncompatibleError, SpecError
from edgerig.results.bundle import Bundle
from edgerig.tasks.base import Array, Reference
from edgerig.tasks.judgement import Agreement
from edgerig.tasks.streaming import Streaming, StreamingSettings
from edgerig.testing.contracts.task import TaskContract
from edgerig.testing.networks import linear_tflite
from edgerig.views import Curve, Table

CLASSES = ("silence", "yes", "no")
QUICK = {"warmup": 1, "rounds": 1, "seconds": 0, "profile_samples": 2, "transport_samples": 2}


def task_of(**settings: Any) -> Streaming:
    return Streaming(StreamingSettings(**{"hop": 0.1, **settings}), classes=CLASSES, dataset="words")


def judged(task: Streaming, scores: Array, labels: Array) -> Any:
    samples = ArraySamples(np.random.default_rng(0).random((len(labels), 3), np.float32), labels)
    return task.judge(task.keep(scores, samples.labels, None), samples)


class TestStreaming(TaskContract):
    @pytest.fixture
    def task(self) -> Streaming:
        return task_of(refractory=0.2)

    @pytest.fixture
    def specs(self) -> list[TensorSpec]:
        return [TensorSpec(name="y", shape=(1, 3), dtype="float32")]

    @pytest.fixture
    def samples(self) -> ArraySamples:
        labels = np.repeat([0, 1, 0, 2, 0, 1], 5)
        return ArraySamples(np.random.default_rng(0).random((30, 3), np.float32), labels)

    @pytest.fixture
    def outputs(self, samples: ArraySamples) -> list[Array]:
        noise = np.random.default_rng(1).random((30, 3))
        return [(0.5 * np.eye(3)[samples.labels] + 0.6 * noise).astype(np.float32)]

    def test_another_number_of_scores_is_refused(self, task: Streaming) -> None:
        with pytest.raises(IncompatibleError, match="gives 4 values"):
            task.check([TensorSpec(name="y", shape=(1, 4), dtype="float32")], 0, 1)


def test_false_accepts_are_told_an_hour_and_false_rejects_of_events() -> None:
    """3,600 frames of 0.1 s: six minutes, with two words, one missed, and three reports of nothing."""
    labels, scores = np.zeros(3600, np.int64), np.zeros((3600, 3), np.float32)
    labels[100:110], labels[2000:2010] = 1, 2
    scores[105, 1] = 0.9
    scores[[500, 1000, 2005], 1] = 0.8
    scores[1005, 2] = 0.8
    quality = judged(task_of(refractory=1.0), scores, labels)
    named = {metric.name: metric for metric in quality.metrics}
    # The report at 1005 falls into the second of silence after that at 1000; that at 2005 is of another word.
    assert named["false_accepts_per_hour"].value == pytest.approx(3 / 0.1)
    assert named["false_accepts_per_hour"].unit == "1/h"
    assert named["false_accepts_per_hour"].low == pytest.approx(10 * 0.6186721)
    assert named["false_rejects"].value == 0.5
    assert not any(metric.higher_is_better for metric in quality.metrics)
    table, curve = quality.views
    assert isinstance(table, Table)
    assert table.rows == (("yes", 1, 0, 3), ("no", 1, 1, 0))
    assert isinstance(curve, Curve)
    assert (30.0, 0.5) in set(zip(curve.lines[0].x, curve.lines[0].y, strict=True))
    shorter = judged(task_of(refractory=0.4), scores, labels)
    assert {m.name: m.value for m in shorter.metrics}["false_accepts_per_hour"] == pytest.approx(4 / 0.1)


def test_a_stream_without_events_tells_false_accepts_alone() -> None:
    quality = judged(task_of(), np.zeros((36, 3), np.float32), np.zeros(36, np.int64))
    (metric,) = quality.metrics
    assert (metric.name, metric.value) == ("false_accepts_per_hour", 0.0)
    assert metric.high > 3000
    assert any("no event" in text for text in quality.warnings)


def test_frames_without_a_label_are_no_time() -> None:
    labels, scores = np.zeros(7200, np.int64), np.zeros((7200, 3), np.float32)
    labels[3600:] = -1
    scores[[100, 5000], 1] = 0.9
    quality = judged(task_of(), scores, labels)
    assert quality.samples == 3600
    assert quality.metrics[0].value == pytest.approx(1 / 0.1)


def test_a_background_that_is_no_class_is_refused() -> None:
    with pytest.raises(SpecError, match="background 'noise' is no class"):
        task_of(background="noise").check([TensorSpec(name="y", shape=(1, 3), dtype="float32")], 0, 1)


def test_another_class_may_be_the_background() -> None:
    labels, scores = np.array([2, 2, 0, 2]), np.zeros((4, 3), np.float32)
    scores[2, 0] = 0.9
    quality = judged(task_of(background="no"), scores, labels)
    assert {metric.name: metric.value for metric in quality.metrics} == {
        "false_rejects": 0.0,
        "false_accepts_per_hour": 0.0,
    }


def test_several_classes_may_be_the_background_and_one_must_not_be() -> None:
    labels, scores = np.array([0, 1, 2, 0, 1]), np.zeros((5, 3), np.float32)
    scores[:, 0], scores[1, 1], scores[2, 2], scores[4, 1] = 0.8, 0.9, 0.7, 0.6
    quality = judged(task_of(background=("silence", "yes"), refractory=0), scores, labels)
    assert {metric.name: metric.value for metric in quality.metrics} == {
        "false_rejects": 0.0,
        "false_accepts_per_hour": 0.0,
    }
    (table,) = [view for view in quality.views if isinstance(view, Table)]
    assert [row[0] for row in table.rows] == ["no"]
    for names in ((), CLASSES):
        with pytest.raises(SpecError, match=r"is (no|every) class"):
            task_of(background=names).check([TensorSpec(name="y", shape=(1, 3), dtype="float32")], 0, 1)


def test_networks_agree_where_they_answer_the_same_at_a_frame() -> None:
    task, scores = task_of(), np.zeros((10, 3), np.float32)
    scores[:5, 1], other = 0.9, np.zeros((10, 3), np.float32)
    other[:4, 1], other[4, 2], other[:, 0] = 0.7, 0.8, 1.0
    samples = ArraySamples(np.random.default_rng(0).random((10, 3), np.float32), np.zeros(10, np.int64))
    agreement = task.compare(task.keep(scores, samples.labels, None), Reference("f", other), samples, 0)
    assert isinstance(agreement, Agreement)
    assert agreement.same_class == pytest.approx(0.9)


def words(folder: Path, **parts: int) -> Path:
    """Scores as inputs, of a word every 20 frames."""
    arrays: dict[str, Array] = {}
    for part, count in parts.items():
        suffix = "" if part == "whole" else f"_{part}"
        labels = np.where(np.arange(count) % 20 < 4, 1 + np.arange(count) // 20 % 2, 0)
        noise = np.random.default_rng(count).random((count, 3))
        arrays[f"x{suffix}"] = (np.eye(3)[labels] * 0.7 + noise * 0.5).astype(np.float32)
        arrays[f"y{suffix}"] = labels
    np.savez(folder / "words.npz", **arrays, classes=CLASSES)
    return folder / "words.npz"


def test_a_stream_that_is_cut_keeps_its_frames_together(tmp_path: Path) -> None:
    data = Npz(NpzSettings(file=str(words(tmp_path, whole=200)), test=0.4, validation=0.25))
    data.task, data.task_options = "streaming", {"hop": 0.1}
    x = np.load(tmp_path / "words.npz")["x"]
    for name, part in (("train", slice(0, 90)), ("validation", slice(90, 120)), ("test", slice(120, 200))):
        np.testing.assert_array_equal(data.split(name).inputs(slice(None), data.preprocessing), x[part])  # type: ignore[arg-type]


def test_of_a_stream_the_first_frames_are_run(tmp_path: Path) -> None:
    data = Npz(NpzSettings(file=str(words(tmp_path, train=40, test=100))))
    data.task, data.task_options = "streaming", {"hop": 0.1}
    tests = EvaluationSamples(data, 30)
    assert tests.indices.tolist() == list(range(30))
    assert tests.part(10)[0].indices.tolist() == list(range(10))
    data.task, data.task_options = "classification", {}
    assert EvaluationSamples(data, 30).indices.tolist() != list(range(30))


@pytest.mark.slow
def test_a_stream_goes_through_the_device(tmp_path: Path) -> None:
    net = linear_tflite(tmp_path / "net.tflite", np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    rig = {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "npz", "file": str(words(tmp_path, train=40, test=400))},
        "task": {"use": "streaming", "hop": 0.1, "threshold": 0.65, "refractory": 0.3, "tolerance": 0},
        "matrix": [{"runtimes": ["litert"]}],
        "measure": {**QUICK, "samples": 300},
    }
    (cell,) = edgerig.run(rig, out=tmp_path / "out").cells
    data = np.load(tmp_path / "words.npz")
    arrays = Bundle(tmp_path / "out").samples(cell.id)
    np.testing.assert_array_equal(arrays["kept_frame_labels"], data["y_test"][:300])
    np.testing.assert_allclose(arrays["kept_frame_scores"], data["x_test"][:300], rtol=1e-6)
    named = {metric.name: metric.value for metric in cell.quality.metrics}
    assert named["false_rejects"] == 0.0
    assert named["false_accepts_per_hour"] == 0.0
    (table, _) = cell.quality.views
    assert isinstance(table, Table)
    assert table.rows == (("yes", 8, 0, 0), ("no", 7, 0, 0))
    assert isinstance(cell.agreement, Agreement)
    assert cell.agreement.same_class == 1.0


def test_several_streams_are_judged_each_by_itself() -> None:
    """An event that reaches over the border is two, a report's silence ends with its stream, and so does its event."""
    labels = np.array([0, 0, 1, 1, 1, 1, 0, 0, 0, 0])
    scores = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 1, 0, 0, 0, 0, 2]]
    task = task_of(refractory=10.0, tolerance=0.0)
    streams = np.repeat([4, 7], [4, 6])
    samples = ArraySamples(np.random.default_rng(0).random((10, 3), np.float32), labels, None, streams)
    kept = task.keep(scores, samples.labels, None)
    values = {metric.name: metric.value for metric in task.judge(kept, samples).metrics}
    # The first stream has one event, reported at its last frame; the second one, reported at its first.
    assert values["false_rejects"] == 0.0
    # The second stream's silence hides the report at its end.
    assert values["false_accepts_per_hour"] == 0.0
    whole = {metric.name: metric.value for metric in judged(task, scores, labels).metrics}
    assert whole == values, "one event, and one report that silences the rest"
    (table,) = [view for view in task.judge(kept, samples).views if isinstance(view, Table)]
    assert table.rows[0][1:3] == (2, 0)
    short = task_of(refractory=0.2, tolerance=0.0)
    rates = {metric.name: metric.value for metric in short.judge(kept, samples).metrics}
    assert rates["false_accepts_per_hour"] == pytest.approx(3600.0)


@pytest.mark.parametrize("streams", [np.zeros(9, np.int64), np.array([0, 1, 0] + [1] * 7), np.zeros(10, np.float32)])
def test_numbers_of_streams_that_are_none_are_refused(streams: Array, tmp_path: Path) -> None:
    x, y = np.zeros((10, 3), np.float32), np.arange(10) % 3
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y, stream_test=streams)
    dataset = Npz(NpzSettings(file=str(tmp_path / "d.npz")))
    dataset.task, dataset.task_options = "streaming", {"hop": 0.1}
    with pytest.raises(DatasetError, match=r"stream_test is .* beside 10 frames"):
        dataset.prepare()
