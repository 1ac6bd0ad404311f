"""Overlaps of boxes and their suppression, held against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.tasks.metrics.boxes import overlaps, suppress


def plain_overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    width = max(0.0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))
    union = a[2] * a[3] + b[2] * b[3] - width * height
    return float(width * height / union) if union > 0 else 0.0


def boxes_of(seed: int, count: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(0, 50, (count, 2)), rng.uniform(0, 40, (count, 2))], axis=1).round(1)


def test_overlaps_equal_a_plain_loop() -> None:
    ours, theirs = boxes_of(0, 30), boxes_of(1, 20)
    expected = [[plain_overlap(a, b) for b in theirs] for a in ours]
    np.testing.assert_allclose(overlaps(ours, theirs), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("box", "other", "expected"),
    [
        ([0, 0, 0, 0], [0, 0, 0, 0], 0.0),
        ([0, 0, 2, 2], [2, 0, 2, 2], 0.0),
        ([0, 0, 2, 2], [0, 0, 2, 2], 1.0),
        ([0, 0, 4, 4], [1, 1, 2, 2], 0.25),
    ],
)
def test_overlap_of_known_boxes(box: list[float], other: list[float], expected: float) -> None:
    assert overlaps(np.array([box]), np.array([other]))[0, 0] == expected


def test_no_boxes() -> None:
    none, some = np.zeros((0, 4)), boxes_of(0, 3)
    assert overlaps(none, some).shape == (0, 3)
    assert overlaps(some, none).shape == (3, 0)
    assert suppress(none, np.zeros(0), np.zeros(0), 0.5).shape == (0,)


@pytest.mark.parametrize("limit", [0.0, 0.3, 0.5, 1.0])
def test_suppression_equals_a_plain_loop(limit: float) -> None:
    rng = np.random.default_rng(7)
    boxes, scores, classes = boxes_of(2, 80), rng.random(80).round(1), rng.integers(0, 3, 80)
    expected: list[int] = []
    for index in sorted(range(80), key=lambda i: -scores[i]):
        rivals = [other for other in expected if classes[other] == classes[index]]
        if all(plain_overlap(boxes[index], boxes[other]) <= limit for other in rivals):
            expected.append(index)
    assert suppress(boxes, scores, classes, limit).tolist() == expected
    for most in (0, 1, 33, 200):
        assert suppress(boxes, scores, classes, limit, most).tolist() == expected[:most]
