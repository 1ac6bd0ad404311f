"""Shapes as pixels: class maps, maps of objects, and boxes."""

from __future__ import annotations

import pytest

from edgerig.datasets.labels import masks
from edgerig.datasets.labels.shapes import Box, ImageLabels, Polygon, Shape
from edgerig.errors import DatasetError

SQUARE = Shape(category="road", polygons=(Polygon((0, 0, 3, 0, 3, 3, 0, 3)),))
#: The column x = 2 of an image of 4 x 4.
COLUMN = Shape(category="car", runs=(8, 4, 4), crowd=True)
LABELS = ImageLabels(width=4, height=4, shapes=(SQUARE, COLUMN))


def test_later_shapes_lie_over_earlier_ones() -> None:
    expected = [[1, 1, 7, 0], [1, 1, 7, 0], [1, 1, 7, 0], [0, 0, 7, 0]]
    assert masks.class_map(LABELS, {"road": 1, "car": 7}).tolist() == expected


def test_pixels_of_no_shape_are_background() -> None:
    assert masks.class_map(ImageLabels(width=3, height=2), {}, background=9).tolist() == [[9, 9, 9], [9, 9, 9]]


def test_a_box_is_that_of_the_mask_where_none_is_annotated() -> None:
    assert masks.shape_box(COLUMN, 4, 4) == Box(2, 0, 1, 4)
    assert masks.shape_box(SQUARE, 4, 4) == Box(0, 0, 3, 3)
    assert masks.shape_box(Shape(category="car", runs=(16,)), 4, 4) is None
    annotated = Shape(category="car", runs=(8, 4, 4), box=Box(1.5, 0, 2, 4))
    assert masks.shape_box(annotated, 4, 4) == Box(1.5, 0, 2, 4)


def test_boxes_of_detection_have_areas_of_outlines_and_leave_empty_masks_out() -> None:
    empty = Shape(category="car", runs=(16,))
    boxed = Shape(category="car", box=Box(0, 0, 2, 3))
    with_area = Shape(category="road", box=Box(0, 0, 2, 3), area=2.5)
    labels = ImageLabels(width=4, height=4, shapes=(SQUARE, COLUMN, empty, boxed, with_area))
    boxes = masks.image_boxes(labels, {"road": 0, "car": 1})
    assert boxes.boxes.tolist() == [[0, 0, 3, 3], [2, 0, 1, 4], [0, 0, 2, 3], [0, 0, 2, 3]]
    assert boxes.labels.tolist() == [0, 1, 1, 0]
    assert boxes.crowd is not None
    assert boxes.crowd.tolist() == [False, True, False, False]
    assert boxes.areas is not None
    assert boxes.areas.tolist() == [9, 4, 6, 2.5]


def test_a_box_alone_has_no_mask() -> None:
    labels = ImageLabels(width=4, height=4, shapes=(Shape(category="car", box=Box(0, 0, 2, 3)),))
    with pytest.raises(DatasetError, match="class 'car' has a box and no outline, so no mask"):
        masks.class_map(labels, {"car": 1})


def test_a_class_without_a_number_is_named() -> None:
    with pytest.raises(DatasetError, match="class 'car', which is none of 'road'"):
        masks.class_map(LABELS, {"road": 1})
