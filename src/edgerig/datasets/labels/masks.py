"""Masks, class maps and boxes of labelled images: the one file in which shapes become pixels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.labels import runs
from edgerig.datasets.labels.polygons import polygons_to_runs
from edgerig.datasets.labels.shapes import Box, ImageLabels, Shape
from edgerig.errors import DatasetError
from edgerig.tasks.box_truth import ImageBoxes


def shape_runs(shape: Shape, height: int, width: int) -> runs.Lengths:
    """The runs of a shape's mask, of its ``runs`` or ``polygons``.

    Raises:
        DatasetError: It has a box only.
    """
    if shape.runs:
        return np.asarray(shape.runs, np.int64)
    if shape.polygons:
        return polygons_to_runs(shape.polygons, height, width)
    raise DatasetError(
        f"An object of class {shape.category!r} has a box and no outline, so no mask.",
        "Annotate its polygon or mask, or use the labels for detection.",
    )


def shape_mask(shape: Shape, height: int, width: int) -> runs.Mask:
    """A shape's mask, shape (H, W), bool; raises as `shape_runs`."""
    return runs.decode(shape_runs(shape, height, width), height, width)


def shape_box(shape: Shape, height: int, width: int) -> Box | None:
    """A shape's box as annotated, else the smallest around its mask's pixels; None where the mask is empty."""
    return shape.box if shape.box is not None else box_and_area(shape, height, width)[0]


def box_and_area(shape: Shape, height: int, width: int) -> tuple[Box | None, float]:
    """A shape's box, as of `shape_box`, and its square pixels: as annotated, else of its mask, else of its box."""
    box, area = shape.box, shape.area
    if not shape.runs and not shape.polygons:
        return box, area if area is not None else box.width * box.height if box is not None else 0.0
    if box is None or area is None:
        lengths = shape_runs(shape, height, width)
        bounds = runs.bounds(lengths, height) if box is None else None
        box = Box(*map(float, bounds)) if bounds is not None else box
        area = float(runs.area(lengths)) if area is None else area
    return box, area


def class_map(labels: ImageLabels, numbers: Mapping[str, int], background: int = 0) -> NDArray[np.uint8]:
    """The class of each pixel, shape (H, W), uint8; later shapes lie over earlier ones.

    Args:
        labels: Of an image; each shape has an outline.
        numbers: The number of each class, 0 to 255; classes may share one.
        background: That of pixels in no shape.

    Raises:
        DatasetError: A shape has a box only, or a class without a number.
    """
    pixels = np.full((labels.height, labels.width), background, np.uint8)
    for shape in labels.shapes:
        pixels[shape_mask(shape, labels.height, labels.width)] = number_of(shape, numbers)
    return pixels


def image_boxes(labels: ImageLabels, numbers: Mapping[str, int]) -> ImageBoxes:
    """The boxes of an image as the task ``detection`` takes them; shapes whose mask is empty have none.

    Raises:
        DatasetError: A class has no number.
    """
    height, width = labels.height, labels.width
    measured = [(shape, *box_and_area(shape, height, width)) for shape in labels.shapes]
    boxed = [(shape, box, area) for shape, box, area in measured if box is not None]
    return ImageBoxes(
        np.array([box for _, box, _ in boxed], np.float64).reshape(-1, 4),
        np.array([number_of(shape, numbers) for shape, _, _ in boxed], np.int64),
        np.array([shape.crowd for shape, _, _ in boxed], bool),
        np.array([area for _, _, area in boxed], np.float64),
    )


def number_of(shape: Shape, numbers: Mapping[str, int]) -> int:
    """The number of a shape's class.

    Raises:
        DatasetError: It has none.
    """
    try:
        return numbers[shape.category]
    except KeyError as error:
        raise DatasetError(
            f"An object is of class {shape.category!r}, which is none of {', '.join(map(repr, numbers))}.",
            "Name the class, or map it to another.",
        ) from error
