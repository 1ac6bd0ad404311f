"""Labelled images as samples of segmentation and detection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgerig.artifact import Preprocessing
from edgerig.datasets.labels.samples import boxed_files, outlined_files
from edgerig.datasets.labels.shapes import Box, ImageLabels, Polygon, Shape
from edgerig.errors import DatasetError
from edgerig.tasks.box_truth import THERE

ROAD = Shape(category="road", polygons=(Polygon((0, 2, 4, 2, 4, 4, 0, 4)),))
#: The column x = 3 of an image of 4 x 4.
CAR = Shape(category="car", runs=(12, 4))
BLURRED = Shape(category="ignore", polygons=(Polygon((0, 0, 1, 0, 1, 4, 0, 4)),))
CLASSES = ("road", "car")


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    files = [tmp_path / f"{number}.png" for number in range(2)]
    for number, path in enumerate(files):
        Image.fromarray(np.full((4, 4, 3), 50 * number, np.uint8)).save(path)
    return files


def image(*shapes: Shape, side: int = 4) -> ImageLabels:
    return ImageLabels(width=side, height=side, shapes=shapes)


def test_pixels_have_the_class_of_the_last_object_over_them(paths: list[Path]) -> None:
    samples = outlined_files(paths, [image(ROAD, CAR, BLURRED), image()], CLASSES, 3)
    assert samples.classes == ("background", "road", "car")
    truth = samples.truth(slice(None), Preprocessing())
    assert truth.dtype == np.int16
    assert truth[0].tolist() == [[-1, 0, 0, 2], [-1, 0, 0, 2], [-1, 1, 1, 2], [-1, 1, 1, 2]]
    assert not truth[1].any()
    assert samples.take(np.array([1, 0])).truth(slice(1, 2), Preprocessing()).tolist() == truth[:1].tolist()
    resized = samples.truth(slice(0, 1), Preprocessing(resize=(8, 8)))
    assert resized[0].tolist() == truth[0].repeat(2, 0).repeat(2, 1).tolist()


def test_a_background_that_is_named_keeps_its_number(paths: list[Path]) -> None:
    samples = outlined_files(paths[:1], [image(ROAD)], ("road", "background"), 3)
    assert samples.truth(slice(None), Preprocessing())[0, ::2, 0].tolist() == [1, 0]


def test_the_fingerprint_follows_labels_and_classes(paths: list[Path]) -> None:
    same = [outlined_files(paths, [image(ROAD), image()], CLASSES, 3).fingerprint for _ in range(2)]
    others = [
        outlined_files(paths, [image(CAR), image()], CLASSES, 3).fingerprint,
        outlined_files(paths, [image(ROAD), image()], ("car", "road"), 3).fingerprint,
        outlined_files(paths[::-1], [image(ROAD), image()], CLASSES, 3).fingerprint,
    ]
    assert same[0] == same[1]
    assert len({same[0], *others}) == 4


def test_boxes_are_those_of_objects_that_are_judged(paths: list[Path]) -> None:
    boxed = Shape(category="road", box=Box(0.5, 1, 2, 3), crowd=True)
    samples = boxed_files(paths, [image(boxed, BLURRED, CAR), image()], CLASSES, 3)
    truth = samples.truth(slice(None), Preprocessing())
    rows = truth[0, 1:][truth[0, 1:, THERE] > 0]
    assert rows.tolist() == [[0.5, 1, 2, 3, 0, 1, 6, 1], [3, 0, 1, 4, 1, 0, 4, 1]]
    assert not truth[1, 1:].any()


def test_objects_that_cannot_be_drawn_are_counted(paths: list[Path]) -> None:
    boxed = Shape(category="road", box=Box(0, 0, 2, 3))
    with pytest.raises(DatasetError, match="1 object of 3 with a box and no outline"):
        outlined_files(paths, [image(boxed, CAR), image(ROAD)], CLASSES, 3)
    with pytest.raises(DatasetError, match="2 objects of 'car'; the classes are background, road"):
        outlined_files(paths, [image(CAR), image(CAR)], ("road",), 3)


def test_an_image_of_another_size_than_its_labels_is_named(paths: list[Path]) -> None:
    samples = outlined_files(paths[:1], [image(side=5)], CLASSES, 3)
    with pytest.raises(DatasetError, match=r"0\.png has 4 x 4 pixels, its labels are of 5 x 5"):
        samples.truth(slice(None), Preprocessing())
