"""Rows beyond the number of detections, which engines leave undefined, are zeros; what counts stays as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.tasks.test_detection_ssd import anchored_scenes

from edgerig.runtimes.base import Array
from edgerig.runtimes.detections import OPERATOR, Detections, detections_among, with_zeros
from edgerig.runtimes.litert import LiteRt
from edgerig.runtimes.tflm import Tflm
from edgerig.testing.networks.detector_networks import MOST, ssd_tflite


@pytest.mark.parametrize("runtime", [LiteRt, Tflm])
def test_rows_beyond_the_number_are_zeros_whatever_the_memory_held_before(runtime: type, tmp_path: Path) -> None:
    (tmp_path / "ssd.tflite").write_bytes(ssd_tflite())
    counts = [3, 0, 2, 1, 3, 0]
    engine = runtime()
    engine.load(tmp_path / "ssd.tflite")
    boxes, classes, scores, number = engine.run([anchored_scenes(counts).array]).outputs
    assert number.ravel().tolist() == counts
    for output in (boxes, classes, scores):
        assert not any(row[count:].any() for row, count in zip(output, counts, strict=True))
    for row, count in zip(scores, counts, strict=True):
        assert np.allclose(row[:count], 0.9, atol=1e-6)


def read(number: float, rows: tuple[int, ...] = (0, 1, 2)) -> list[Array]:
    """Outputs that are NaN all over but for their number, as the network gives them."""
    shapes = (1, MOST, 4), (1, MOST), (1, MOST)
    outputs = [*(np.full(shape, np.nan, np.float32) for shape in shapes), np.array([number], np.float32)]
    return list(with_zeros(lambda: outputs, [Detections(rows, 3)])())


@pytest.mark.parametrize("number", [0, 2, MOST, MOST + 7])
def test_a_number_that_is_none_in_a_row_that_counts_is_left_for_the_check(number: int) -> None:
    for output in read(number)[:3]:
        assert np.isnan(output[:, :number]).all()
        assert not output[:, number:].any()


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_nothing_is_touched_where_the_number_is_none(number: float) -> None:
    assert all(np.isnan(output).all() for output in read(number)[:3])


def test_outputs_that_are_not_the_operators_are_not_touched() -> None:
    assert np.isnan(read(1, rows=(0, 2))[1]).all()
    assert detections_among([3, 4, 5], [(OPERATOR, [3, 4, 5, 6])]) == []
    assert detections_among([3, 6], [(OPERATOR, [3, 4, 5, 6])]) == [Detections((0,), 1)]
    assert detections_among([3, 4, 5, 6], [("PACK", [3, 4, 5, 6])]) == []
