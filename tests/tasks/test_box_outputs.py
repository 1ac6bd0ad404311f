"""Heads of YOLOv5, YOLOv8 and YOLOX, held against a plain loop over candidates, classes and pairs of boxes."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.errors import IncompatibleError
from edgerig.tasks.detection import Detection, DetectionSettings
from edgerig.tasks.tensors import NamedArrays

CLASSES = ("cat", "dog", "emu")
#: Height and width of a network's input, and its candidates at strides of 8, 16 and 32.
FRAME, COUNT = (64, 96), 8 * 12 + 4 * 6 + 2 * 3
THRESHOLD, OVERLAP, MOST = 0.6, 0.45, 25

Found = list[tuple[float, ...]]


def is_kept(box: tuple[float, ...], kept: Found) -> bool:
    """Whether none of its class overlaps it too far: left, top, width, height, score, class."""
    for other in kept:
        across = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
        down = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
        common = max(across, 0.0) * max(down, 0.0)
        if other[5] == box[5] and common / (box[2] * box[3] + other[2] * other[3] - common) > OVERLAP:
            return False
    return True


def by_a_plain_loop(candidates: list[list[float]], objectness: bool) -> Found:
    """Detections out of candidates: centre x, centre y, width, height, objectness if there is one, scores."""
    found = []
    for x, y, width, height, *scores in candidates:
        factor = scores.pop(0) if objectness else 1.0
        for label, score in enumerate(scores):
            if factor * score >= THRESHOLD:
                found.append((x - width / 2, y - height / 2, width, height, factor * score, float(label)))
    kept: Found = []
    for box in sorted(found, key=lambda box: -box[4]):
        if is_kept(box, kept):
            kept.append(box)
    return kept[:MOST]


def candidates_of(numbers: int, seed: int) -> NDArray[np.float32]:
    """Random candidates of overlapping boxes, (COUNT, numbers)."""
    rng = np.random.default_rng(seed)
    boxes = np.concatenate([rng.uniform(0, 64, (COUNT, 2)), rng.uniform(8, 40, (COUNT, 2))], axis=1)
    return np.concatenate([boxes, rng.uniform(0, 1, (COUNT, numbers - 4))], axis=1).astype(np.float32)


def yolox_raw(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Candidates as YOLOX exports them, place by place of its grids."""
    raw = rows.astype(np.float64)
    places = itertools.chain.from_iterable(
        ((stride, x, y) for y in range(FRAME[0] // stride) for x in range(FRAME[1] // stride)) for stride in (8, 16, 32)
    )
    for row, (stride, x, y) in zip(raw, places, strict=True):
        row[0], row[1] = row[0] / stride - x, row[1] / stride - y
        row[2], row[3] = math.log(row[2] / stride), math.log(row[3] / stride)
    return raw.astype(np.float32)


def decoded(output: NDArray[np.float32], **settings: Any) -> list[Found]:
    """What the task makes of an output, by image."""
    limits = {"threshold": THRESHOLD, "overlap": OVERLAP, "most": MOST}
    task = Detection(DetectionSettings(**limits, **settings), classes=CLASSES, dataset="zoo")
    predictions = task.decode(NamedArrays([output], ("output0",)), 0)
    return [[tuple(map(float, row[:6])) for row in image if row[5] >= 0] for image in predictions]


def assert_equal(found: list[Found], expected: list[Found]) -> None:
    assert [len(image) for image in found] == [len(image) for image in expected]
    for image, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.array(image), np.array(wanted), rtol=2e-5, atol=1e-4)
        assert [row[5] for row in image] == [row[5] for row in wanted]


@pytest.mark.parametrize("seed", range(3))
def test_yolov8_has_a_column_for_each_candidate(seed: int) -> None:
    images = [candidates_of(4 + len(CLASSES), 10 * seed + image) for image in range(2)]
    expected = [by_a_plain_loop(rows.tolist(), objectness=False) for rows in images]
    assert all(len(image) == MOST for image in expected), "the most count, too"
    assert_equal(decoded(np.stack([rows.T for rows in images])), expected)


@pytest.mark.parametrize("seed", range(3))
def test_yolov5_has_a_row_for_each_with_objectness(seed: int) -> None:
    images = [candidates_of(5 + len(CLASSES), 10 * seed + image) for image in range(2)]
    expected = [by_a_plain_loop(rows.tolist(), objectness=True) for rows in images]
    assert all(expected)
    assert_equal(decoded(np.stack(images)), expected)


@pytest.mark.parametrize("seed", range(3))
def test_yolox_is_decoded_by_its_grids(seed: int) -> None:
    images = [candidates_of(5 + len(CLASSES), 10 * seed + image) for image in range(2)]
    expected = [by_a_plain_loop(rows.tolist(), objectness=True) for rows in images]
    raw = np.stack([yolox_raw(rows) for rows in images])
    assert_equal(decoded(raw, head="yolox", frame=FRAME), expected)
    assert_equal(decoded(raw, head="yolox", frame=FRAME, coordinates="relative"), expected)


def test_a_square_input_of_yolox_need_not_be_told() -> None:
    count = 8 * 8 + 4 * 4 + 2 * 2
    raw = np.random.default_rng(0).uniform(0, 1, (1, count, 8)).astype(np.float32)
    assert decoded(raw, head="yolox") == decoded(raw, head="yolox", frame=(64, 64))
    with pytest.raises(
        IncompatibleError, match=r"126 candidates for an input of 64x96, and the network gives 84"
    ) as error:
        decoded(raw, head="yolox", frame=FRAME)
    assert "'frame:" in (error.value.hint or "")
    with pytest.raises(IncompatibleError, match="the network gives 85"):
        decoded(np.zeros((1, 85, 8), np.float32), head="yolox")


def test_a_side_whose_logarithm_is_too_large_stays_a_number() -> None:
    raw = np.full((1, 84, 8), 1e4, np.float32)
    assert np.isfinite(np.array(decoded(raw, head="yolox"))).all()
