"""The task `detection`: heads of networks, what is kept, quality against COCO's tools, agreement, views, bad input."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgerig.artifact import Preprocessing, TensorSpec
from edgerig.datasets.boxes import BoxedSamples
from edgerig.datasets.samples import ArraySamples
from edgerig.errors import IncompatibleError
from edgerig.measure.kinds import Unavailable
from edgerig.tasks.base import Reference
from edgerig.tasks.box_truth import ImageBoxes
from edgerig.tasks.detection import Detection, DetectionSettings
from edgerig.tasks.judgement import Agreement, Quality
from edgerig.tasks.tensors import NamedArrays
from edgerig.testing.contracts.task import TaskContract
from edgerig.views import Curve, Gallery, Table

COUNT, SIDE, CANDIDATES = 12, 40, 30
CLASSES = ("cat", "dog", "emu")


def boxes_of(rng: np.random.Generator, count: int) -> ImageBoxes:
    corner, sides = rng.uniform(0, 20, (count, 2)), rng.uniform(5, 20, (count, 2))
    return ImageBoxes(np.concatenate([corner, sides], axis=1), rng.integers(0, len(CLASSES), count))


@pytest.fixture
def samples() -> BoxedSamples:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (COUNT, SIDE, SIDE, 3), np.uint8)
    return BoxedSamples(pictures, [boxes_of(rng, index % 4) for index in range(COUNT)])


def yolo_output(samples: BoxedSamples, noise: float = 1.0, seed: int = 1) -> NDArray[np.float32]:
    """What a good network with a YOLO head gives: each box twice, nearly alike, and some of low scores."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((len(samples), CANDIDATES, 4 + len(CLASSES)), np.float32)
    rows[..., :4] = rng.uniform(1, 40, (*rows.shape[:2], 4))
    rows[..., 4:] = rng.uniform(0, 0.3, (*rows.shape[:2], 3))
    for row, image in zip(rows, samples.boxes, strict=True):
        for number, (box, label) in enumerate(zip(image.boxes, image.labels, strict=True)):
            for again in (2 * number, 2 * number + 1):
                row[again, :2] = box[:2] + box[2:] / 2 + rng.normal(0, noise, 2)
                row[again, 2:4] = box[2:]
                row[again, 4 + label] = rng.uniform(0.6, 1)
    return rows


class TestDetection(TaskContract):
    @pytest.fixture
    def task(self) -> Detection:
        return Detection(DetectionSettings(overlap=0.5), classes=CLASSES, dataset="zoo")

    @pytest.fixture
    def specs(self) -> list[TensorSpec]:
        return [TensorSpec(name="y", shape=(1, CANDIDATES, 4 + len(CLASSES)), dtype="float32")]

    @pytest.fixture
    def samples(self, samples: BoxedSamples) -> BoxedSamples:
        return samples

    @pytest.fixture
    def outputs(self, samples: BoxedSamples) -> list[NDArray[np.float32]]:
        return [yolo_output(samples)]


def named(*outputs: NDArray[Any], names: Sequence[str] = ("y",)) -> NamedArrays:
    return NamedArrays(outputs, names)


def keep_all(
    task: Detection, samples: BoxedSamples, output: NDArray[Any], preprocessing: Preprocessing | None = None
) -> dict[str, NDArray[Any]]:
    truth = samples.truth(slice(None), preprocessing or Preprocessing())
    return task.keep(task.decode(named(output), 0), truth, None)


def judged(task: Detection, samples: BoxedSamples, output: NDArray[Any]) -> Quality:
    return task.judge(keep_all(task, samples, output), samples)


def value(quality: Quality, name: str) -> float:
    return next(metric.value for metric in quality.metrics if metric.name == name)


def make_task(**settings: Any) -> Detection:
    return Detection(DetectionSettings(**settings), classes=CLASSES, dataset="zoo")


def perfect(samples: BoxedSamples) -> NDArray[np.float32]:
    return yolo_output(samples, noise=0.0)


def test_perfect_boxes_are_all_found(samples: BoxedSamples) -> None:
    quality = judged(make_task(threshold=0.5, overlap=0.5), samples, perfect(samples))
    assert value(quality, "map") == pytest.approx(1.0)
    assert value(quality, "mar_100") == pytest.approx(1.0)


def test_doubles_are_suppressed(samples: BoxedSamples) -> None:
    kept = keep_all(make_task(threshold=0.5, overlap=0.5), samples, perfect(samples))
    assert (kept["detections"][..., 5] >= 0).sum(axis=1).tolist() == [len(image) for image in samples.boxes]


def test_a_transposed_head_gives_the_same(samples: BoxedSamples) -> None:
    output, task = yolo_output(samples), make_task()
    np.testing.assert_array_equal(task.decode(named(output), 0), task.decode(named(output.swapaxes(1, 2).copy()), 0))


def test_candidates_may_lie_in_a_grid(samples: BoxedSamples) -> None:
    output, task = yolo_output(samples), make_task()
    grid = output.reshape(COUNT, 5, 6, -1)
    np.testing.assert_array_equal(task.decode(named(output), 0), task.decode(named(grid), 0))
    first = np.moveaxis(grid, -1, 1).copy()
    np.testing.assert_array_equal(task.decode(named(output), 0), task.decode(named(first), 0))


def test_objectness_multiplies_the_scores(samples: BoxedSamples) -> None:
    output = yolo_output(samples)
    sure = np.full((*output.shape[:2], 1), 0.5, np.float32)
    halved = np.concatenate([output[..., :4], sure, output[..., 4:]], axis=-1)
    task = make_task(threshold=0.0)
    plain, weighed = task.decode(named(output), 0), task.decode(named(halved), 0)
    np.testing.assert_allclose(weighed[..., 4], plain[..., 4] / 2, rtol=1e-6)


def test_boxes_by_corners_are_taken_as_they_are(samples: BoxedSamples) -> None:
    rows = np.zeros((COUNT, 5, 6), np.float32)
    for row, image in zip(rows, samples.boxes, strict=True):
        row[: len(image), :2], row[: len(image), 2:4] = image.boxes[:, :2], image.boxes[:, :2] + image.boxes[:, 2:]
        row[: len(image), 4], row[: len(image), 5] = 0.9, image.labels
    assert value(judged(make_task(), samples, rows), "map") == pytest.approx(1.0)


def test_boxes_with_negative_sides_find_nothing_and_it_is_said(samples: BoxedSamples) -> None:
    rows = perfect(samples)
    corners = np.zeros((*rows.shape[:2], 6), np.float32)
    near, far = rows[..., :2] - rows[..., 2:4] / 2, rows[..., :2] + rows[..., 2:4] / 2
    corners[..., :2], corners[..., 2:4] = near, far
    corners[..., 4], corners[..., 5] = rows[..., 4:].max(-1), rows[..., 4:].argmax(-1)
    task = make_task(head="boxes")
    assert not [warning for warning in judged(task, samples, corners).warnings if "side of 0" in warning]
    corners[..., :2], corners[..., 2:4] = far, near
    quality = judged(task, samples, corners)
    assert value(quality, "map") == 0
    (warning,) = [warning for warning in quality.warnings if "side of 0" in warning]
    assert "in another order" in warning


def test_relative_boxes_are_scaled_to_the_image(samples: BoxedSamples) -> None:
    output = perfect(samples)
    output[..., :4] /= SIDE
    assert value(judged(make_task(coordinates="relative", threshold=0.5), samples, output), "map") == pytest.approx(1.0)
    mistaken = judged(make_task(threshold=0.5), samples, output)
    assert value(mistaken, "map") == 0.0
    assert any("coordinates" in warning for warning in mistaken.warnings)


def test_boxes_of_a_resized_input_are_moved_back(samples: BoxedSamples) -> None:
    task, resized = make_task(threshold=0.5, overlap=0.5), Preprocessing(resize=(80, 20))
    output = perfect(samples)
    output[..., [1, 3]] *= 2
    output[..., [0, 2]] /= 2
    kept = keep_all(task, samples, output, resized)
    assert value(task.judge(kept, samples), "map") == pytest.approx(1.0)


def test_at_most_so_many_detections_are_kept(samples: BoxedSamples) -> None:
    kept = keep_all(make_task(most=5, overlap=1.0), samples, yolo_output(samples))
    assert kept["detections"].shape == (COUNT, 5, 6)
    assert ((kept["detections"][..., 5] >= 0).sum(axis=1) == 5).all()
    assert (np.diff(kept["detections"][..., 4], axis=1) <= 0).all()


def test_quality_is_that_of_coco(samples: BoxedSamples) -> None:
    from faster_coco_eval import COCO, COCOeval_faster

    task = make_task()
    kept = keep_all(task, samples, yolo_output(samples, noise=3.0))
    annotations = [
        {
            "image_id": 1 + i,
            "category_id": 1 + int(label),
            "bbox": box.tolist(),
            "iscrowd": 0,
            "area": float(box[2] * box[3]),
        }
        for i, image in enumerate(samples.boxes)
        for box, label in zip(image.boxes, image.labels, strict=True)
    ]
    truth = COCO(
        {
            "images": [{"id": 1 + i, "width": SIDE, "height": SIDE} for i in range(COUNT)],
            "categories": [{"id": 1 + i, "name": name} for i, name in enumerate(CLASSES)],
            "annotations": [{"id": 1 + i, **row} for i, row in enumerate(annotations)],
        }
    )
    rows = [
        {"image_id": 1 + i, "category_id": 1 + int(row[5]), "bbox": row[:4].tolist(), "score": float(row[4])}
        for i, image in enumerate(kept["detections"].astype(np.float64))
        for row in image[image[:, 5] >= 0]
    ]
    evaluation = COCOeval_faster(truth, truth.loadRes(rows), "bbox", print_function=lambda *_: None)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    quality = task.judge(kept, samples)
    assert 0.05 < value(quality, "map") < 0.95
    for name, theirs in zip(("map", "map_50", "map_75", "map_small"), evaluation.stats, strict=False):
        assert value(quality, name) == pytest.approx(theirs, abs=1e-9), name


def test_crowds_need_not_be_found(samples: BoxedSamples) -> None:
    crowded = [
        ImageBoxes(
            np.concatenate([image.boxes, [[0.0, 0.0, 40.0, 40.0]]]),
            np.append(image.labels, 0),
            np.append(np.zeros(len(image), bool), True),
        )
        for image in samples.boxes
    ]
    quality = judged(make_task(threshold=0.5), BoxedSamples(samples.array, crowded), perfect(samples))
    assert value(quality, "map") == pytest.approx(1.0)


def test_agreement_with_another_network(samples: BoxedSamples) -> None:
    task = make_task(overlap=0.5)
    kept = keep_all(task, samples, perfect(samples))
    total = sum(len(image) for image in samples.boxes)
    other = perfect(samples)
    last = max(index for index, image in enumerate(samples.boxes) if len(image))
    other[last, :, 4:] = 0
    agreement = task.compare(kept, Reference("float", task.decode(named(other), 0)), samples, 0)
    assert isinstance(agreement, Agreement)
    lost = len(samples.boxes[last])
    assert agreement.same_class == pytest.approx(2 * (total - lost) / (2 * total - lost))
    assert "overlap" in agreement.alike


def test_no_agreement_of_networks_that_detect_nothing(samples: BoxedSamples) -> None:
    task, nothing = make_task(), np.zeros((COUNT, CANDIDATES, 7), np.float32)
    agreement = task.compare(
        keep_all(task, samples, nothing), Reference("float", task.decode(named(nothing), 0)), samples, 0
    )
    assert isinstance(agreement, Unavailable)
    assert "vacuous" in agreement.reason


def test_views_show_classes_areas_curves_and_pictures(samples: BoxedSamples) -> None:
    quality = judged(make_task(), samples, yolo_output(samples, noise=3.0))
    by_class, by_area, curve, gallery = quality.views
    assert isinstance(by_class, Table)
    assert [row[0] for row in by_class.rows] == list(CLASSES)
    assert isinstance(by_area, Table)
    assert by_area.rows[3][1] is None  # no object of 96 x 96 pixels or more
    assert isinstance(curve, Curve)
    assert {line.name for line in curve.lines} >= {"overlap 0.50", "overlap 0.75"}
    assert isinstance(gallery, Gallery)
    assert gallery.total == COUNT
    wrong = [item.texts[0] != "none" for item in gallery.items]
    assert wrong == sorted(wrong, reverse=True)
    assert wrong[0]
    with Image.open(BytesIO(base64.b64decode(gallery.items[0].picture or ""))) as picture:
        assert picture.size == (160, 160)


@pytest.mark.parametrize(
    ("shape", "classes", "settings", "message"),
    [
        ((1, 10), 3, {}, "holds no detections of 3 classes"),
        ((1, 30, 12), 3, {}, "holds no detections of 3 classes"),
        ((1, 7, 7), 3, {}, "in rows or in columns"),
        ((1, 30, 6), 2, {}, "may be any of boxes, yolo"),
        ((1, 30, 6), 1, {}, "may be any of boxes, yolo_objectness"),
        ((1, 30, 7), 3, {"head": "boxes"}, "holds no detections"),
    ],
)
def test_outputs_that_do_not_fit(shape: tuple[int, ...], classes: int, settings: Any, message: str) -> None:
    task = Detection(DetectionSettings(**settings), classes=CLASSES[:classes], dataset="zoo")
    with pytest.raises(IncompatibleError, match=message):
        task.check([TensorSpec(name="y", shape=shape, dtype="float32")], 0, 1)


def test_what_is_told_settles_it() -> None:
    Detection(DetectionSettings(head="yolo"), classes=CLASSES[:2]).check(
        [TensorSpec(name="y", shape=(1, 30, 6), dtype="float32")], 0, 1
    )
    make_task(layout="columns").check([TensorSpec(name="y", shape=(1, 7, 7), dtype="float32")], 0, 1)


def test_a_dataset_without_boxes_is_refused() -> None:
    labels = ArraySamples(np.zeros((3, 4)), np.arange(3)).truth(slice(0, 1), Preprocessing())
    with pytest.raises(IncompatibleError, match="'zoo' has no boxes"):
        make_task().check_truth([TensorSpec(name="y", shape=(1, 30, 7), dtype="float32")], 0, labels)


def test_nothing_to_judge_by(samples: BoxedSamples) -> None:
    empty = BoxedSamples(samples.array, [ImageBoxes(np.zeros((0, 4)), np.zeros(0, np.int64))] * COUNT)
    quality = judged(make_task(), empty, perfect(samples))
    assert not quality.metrics
    assert "No image has a box" in quality.warnings[0]


def test_a_network_that_sees_nothing_has_no_precision_at_all(samples: BoxedSamples) -> None:
    quality = judged(make_task(), samples, np.zeros((COUNT, CANDIDATES, 7), np.float32))
    assert value(quality, "map") == 0.0
    assert any("detects nothing" in warning for warning in quality.warnings)


def test_a_network_that_does_not_look_is_said_so(samples: BoxedSamples) -> None:
    output = np.repeat(perfect(samples)[1:2], COUNT, axis=0)
    quality = judged(make_task(), samples, output)
    assert any("do not depend on its input" in warning for warning in quality.warnings)
