"""COCO's average precision, held against faster-coco-eval on random data of every awkward kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgerig.tasks.metrics.average_precision import AveragePrecision
from edgerig.tasks.metrics.box_matching import MOST_DETECTIONS, Detections, Objects, match

#: The twelve numbers in the order in which COCO's tools give them.
ORDER = [
    "map",
    "map_50",
    "map_75",
    "map_small",
    "map_medium",
    "map_large",
    "mar_1",
    "mar_10",
    "mar_100",
    "mar_small",
    "mar_medium",
    "mar_large",
]


def scene(seed: int, images: int = 12, classes: int = 4, crowded: float = 0.2, ties: bool = True) -> tuple[Any, Any]:
    """Random objects and detections near them; some images have none of either, and the last class no object."""
    rng = np.random.default_rng(seed)
    objects, detections = [], []
    for image in range(images):
        for _ in range(int(rng.choice([0, 1, 3, 9]))):
            sides = rng.choice([rng.uniform(4, 30, 2), rng.uniform(33, 90, 2), rng.uniform(100, 300, 2)])
            box = np.round(np.concatenate([rng.uniform(0, 300, 2), sides]), 1)
            label, crowd = int(rng.integers(classes - 1)), bool(rng.random() < crowded)
            # The area of an object's outline is smaller than its box's.
            objects.append((image, label, box, crowd, float(np.prod(box[2:]) * rng.uniform(0.5, 1))))
            for _ in range(int(rng.integers(0, 4))):
                moved = box + rng.normal(0, 0.08, 4) * box[[2, 3, 2, 3]] * rng.integers(0, 2)
                moved[2:] = np.maximum(moved[2:], 0)
                wrong = rng.random() < 0.2
                detections.append((image, int(rng.integers(classes)) if wrong else label, rng.random(), moved))
        for _ in range(int(rng.integers(0, 5))):
            box = np.concatenate([rng.uniform(0, 300, 2), rng.uniform(0, 120, 2)])
            detections.append((image, int(rng.integers(classes)), rng.random(), box))
    order = rng.permutation(len(detections))
    image, label, score, box = zip(*(detections[i] for i in order), strict=True)
    scores = np.round(score, 1) if ties else np.asarray(score)
    detected = Detections(np.asarray(image), np.asarray(label), scores.astype(np.float64), np.asarray(box, np.float64))
    image, label, box, crowd, area = zip(*objects, strict=True)
    return detected, Objects(*(np.asarray(part) for part in (image, label, box, crowd, area)))


def by_coco(detections: Detections, objects: Objects, images: int, classes: int) -> tuple[Any, Any]:
    """The twelve numbers, and precision (thresholds, recalls, classes, areas, numbers of detections)."""
    from faster_coco_eval import COCO, COCOeval_faster

    truth = COCO(
        {
            "images": [{"id": 1 + i, "width": 640, "height": 640} for i in range(images)],
            "categories": [{"id": 1 + i, "name": str(i)} for i in range(classes)],
            "annotations": [
                {
                    "id": 1 + i,
                    "image_id": 1 + int(image),
                    "category_id": 1 + int(label),
                    "bbox": box.tolist(),
                    "iscrowd": int(crowd),
                    "area": float(area),
                }
                for i, (image, label, box, crowd, area) in enumerate(zip(*objects, strict=True))
            ],
        }
    )
    rows = [
        {"image_id": 1 + int(image), "category_id": 1 + int(label), "bbox": box.tolist(), "score": float(score)}
        for image, label, score, box in zip(*detections, strict=True)
    ]
    evaluation = COCOeval_faster(truth, truth.loadRes(rows), "bbox", print_function=lambda *_: None)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return np.asarray(evaluation.stats[:12], np.float64), evaluation.eval["precision"]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("crowded", [0.0, 0.3])
def test_equals_coco(seed: int, crowded: float) -> None:
    detections, objects = scene(seed, crowded=crowded)
    expected, precision = by_coco(detections, objects, 12, 4)
    measured = AveragePrecision(match(detections, objects), 4)
    values = measured.summary()
    assert list(values) == ORDER
    np.testing.assert_allclose([values[name] for name in ORDER], np.where(expected < 0, np.nan, expected), atol=1e-9)
    for area in range(4):
        theirs = precision[:, :, :, area, -1].transpose(2, 0, 1)
        ours = measured.curves(area).precision
        np.testing.assert_allclose(ours, np.where(theirs < 0, np.nan, theirs), atol=1e-9)
    means = precision[..., 0, -1].mean(axis=(0, 1))
    np.testing.assert_allclose(measured.by_class()[:, 0], np.where(means < 0, np.nan, means), atol=1e-9)


def test_more_detections_than_are_judged() -> None:
    rng = np.random.default_rng(3)
    count = 3 * MOST_DETECTIONS
    box = np.concatenate([rng.uniform(0, 60, (count, 2)), rng.uniform(20, 60, (count, 2))], axis=1)
    label, zeros = rng.integers(0, 2, count), np.zeros(count, np.int64)
    detections = Detections(zeros, label, np.round(rng.random(count), 2), box)
    wanted = rng.choice(count, 40, replace=False)
    objects = Objects(zeros[:40], label[wanted], box[wanted], np.zeros(40, bool), np.prod(box[wanted, 2:], axis=1))
    expected, _ = by_coco(detections, objects, 1, 2)
    values = AveragePrecision(match(detections, objects), 2).summary()
    np.testing.assert_allclose([values[name] for name in ORDER], np.where(expected < 0, np.nan, expected), atol=1e-9)


def test_perfect_detections() -> None:
    _, objects = scene(5, crowded=0.0)
    detections = Detections(objects.image, objects.label, np.ones(len(objects.image)), objects.box)
    values = AveragePrecision(match(detections, objects), 4).summary()
    assert values["map"] == pytest.approx(1.0)
    assert values["mar_100"] == pytest.approx(1.0)


def test_no_detection_at_all() -> None:
    _, objects = scene(5, crowded=0.0)
    none = Detections(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 4)))
    values = AveragePrecision(match(none, objects), 4).summary()
    assert values["map"] == values["mar_100"] == 0.0


def test_nothing_to_find_is_not_defined() -> None:
    detections, _ = scene(5)
    none = Objects(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0, bool), np.zeros(0))
    assert all(np.isnan(value) for value in AveragePrecision(match(detections, none), 4).summary().values())


def test_weights_are_repeated_images() -> None:
    detections, objects = scene(8, ties=False)
    times = np.array([2, 0, 1, 3, 0, 1, 1, 0, 2, 1, 0, 1])
    again = np.repeat(np.arange(12), times)

    def repeated(parts: Any) -> Any:
        rows = [np.flatnonzero(parts.image == image) for image in again]
        number = np.concatenate([np.full(len(row), new) for new, row in enumerate(rows)])
        return type(parts)(number, *(part[np.concatenate(rows)] for part in parts[1:]))

    expected = AveragePrecision(match(repeated(detections), repeated(objects)), 4).summary()
    values = AveragePrecision(match(detections, objects), 4).weighted(np.stack([times, np.ones(12)]))
    plain = AveragePrecision(match(detections, objects), 4).summary()
    for name in ORDER:
        assert values[name].tolist() == pytest.approx([expected[name], plain[name]], abs=1e-12, nan_ok=True), name


def test_intervals_hold_the_value_and_repeat() -> None:
    detections, objects = scene(2)
    measured = AveragePrecision(match(detections, objects), 4)
    intervals, values = measured.intervals(12), measured.summary()
    assert intervals == AveragePrecision(match(detections, objects), 4).intervals(12)
    low, high = intervals["map_50"]
    assert 0 <= low < values["map_50"] < high <= 1
    assert measured.intervals(1) == {}


def test_intervals_narrow_with_more_images() -> None:
    widths = []
    for images in (10, 90):
        detections, objects = scene(4, images=images)
        low, high = AveragePrecision(match(detections, objects), 4).intervals(images)["map"]
        widths.append(high - low)
    assert widths[1] < 0.6 * widths[0]
