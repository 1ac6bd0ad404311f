"""Whether labels fit their image: sizes, ranges, finite coordinates, outlines with an area, runs that add up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from edgerig.datasets.labels import runs
from edgerig.datasets.labels.polygons import LARGEST
from edgerig.datasets.labels.shapes import Box, ImageLabels, Ring, Shape
from edgerig.errors import DatasetError
from edgerig.text import counted

#: Longest side of an image, and most pixels: a mask of an image has to fit memory.
LONGEST_SIDE, MOST_PIXELS = 65_535, 2**28
#: Most shapes of an image.
MOST_SHAPES = 100_000
#: Longest name of a class.
LONGEST_NAME = 200
#: Fewest corners that enclose an area.
FEWEST_CORNERS = 3


def check_labels(labels: ImageLabels, where: str) -> None:
    """Check the labels of an image.

    Raises:
        DatasetError: Says what is wrong with which shape; ``where`` names the image.
    """
    check_size(labels.height, labels.width, where)
    if len(labels.shapes) > MOST_SHAPES:
        raise DatasetError(f"{where} has {len(labels.shapes):,} objects; at most {MOST_SHAPES:,} are taken.")
    for number, shape in enumerate(labels.shapes):
        check_shape(shape, labels.height, labels.width, f"{where}: object {number} ({shape.category!r})")


def check_size(height: int, width: int, where: str) -> None:
    """Check the sides of an image in pixels.

    Raises:
        DatasetError: They are too small or too large.
    """
    if not (1 <= height <= LONGEST_SIDE and 1 <= width <= LONGEST_SIDE and height * width <= MOST_PIXELS):
        raise DatasetError(
            f"{where} has {width} x {height} pixels; sides are 1 to {LONGEST_SIDE:,}, together at most {MOST_PIXELS:,}."
        )


def check_shape(shape: Shape, height: int, width: int, where: str) -> None:
    """Check a shape of an image of that size.

    Raises:
        DatasetError: Says what is wrong; ``where`` names the shape.
    """
    check_name(shape.category, where)
    outlines = bool(shape.polygons) + bool(shape.runs)
    if outlines > 1:
        raise DatasetError(f"{where} has polygons and runs, which may contradict each other.", "Leave out one.")
    if not outlines and shape.box is None:
        raise DatasetError(f"{where} has no box, no polygons and no runs.", "Give it one of them.")
    if shape.box is not None:
        check_box(shape.box, height, width, where)
    for polygon in shape.polygons:
        check_ring(polygon.outer, height, width, where)
        for hole in polygon.holes:
            check_corners(hole, f"{where}, a hole,")
    if shape.runs:
        counts = runs.check(shape.runs, height, width, where)
        if len(counts) != len(shape.runs):
            raise DatasetError(f"{where} has runs of 0 pixels.", "Only the first may be 0.")
    _check_numbers(shape, where)


def check_name(name: str, where: str) -> None:
    """Check the name of a class: not empty, one line, not too long.

    Raises:
        DatasetError: It is not.
    """
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise DatasetError(f"{where} has a class without a usable name: {name[:LONGEST_NAME]!r}.")


def check_image_name(name: str, where: str) -> None:
    """Check that the name of an image is a path within a folder, with ``/``.

    Raises:
        DatasetError: It is empty, absolute, leads out of the folder, or is no text for a path.
    """
    parts = PurePosixPath(name).parts
    if not parts or "\\" in name or not name.isprintable() or ".." in parts or PurePosixPath(name).is_absolute():
        raise DatasetError(
            f"{where} names the image {name[:LONGEST_NAME]!r}, which is no path within a folder.",
            "Write it relative to the folder of the images, with / between folders.",
        )


def check_box(box: Box | Sequence[float], height: int, width: int, where: str) -> None:
    """Check a box: left, top, width, height.

    Raises:
        DatasetError: It is not finite, has negative sides, or lies outside of its image.
    """
    left, top, across, down = box
    text = f"{where} has the box {[left, top, across, down]}"
    if not all(map(math.isfinite, box)):
        raise DatasetError(f"{text}, which is not finite.")
    if across < 0 or down < 0:
        raise DatasetError(
            f"{text}, whose {'width' if across < 0 else 'height'} is negative.",
            "A box is left, top, width, height; corners have to be converted.",
        )
    if left >= width or top >= height or left + across <= 0 < across or top + down <= 0 < down:
        raise DatasetError(
            f"{text}, which lies outside of its image of {width} x {height} pixels.",
            "Boxes are in pixels of the image, not of a resized one, and not in shares of its sides.",
        )


def check_ring(ring: Ring | Sequence[float], height: int, width: int, where: str) -> None:
    """Check the corners of an outline.

    Raises:
        DatasetError: They are no outline (see `check_corners`), or lie outside of the image, all on one side.
    """
    check_corners(ring, where)
    xs, ys = ring[0::2], ring[1::2]
    if min(xs) >= width or max(xs) <= 0 or min(ys) >= height or max(ys) <= 0:
        raise DatasetError(
            f"{where} has a polygon that lies outside of its image of {width} x {height} pixels: it begins at "
            f"({xs[0]:g}, {ys[0]:g}).",
            "Polygons are in pixels of the image, not of a resized one, and not in shares of its sides.",
        )


def check_corners(ring: Ring | Sequence[float], where: str) -> None:
    """Check that a closed line has corners enough, which are finite.

    Raises:
        DatasetError: It has not.
    """
    if len(ring) % 2:
        raise DatasetError(f"{where} has a polygon of {len(ring)} coordinates; they go in pairs of x and y.")
    if len(ring) < 2 * FEWEST_CORNERS:
        points = len(ring) // 2
        raise DatasetError(
            f"{where} has a polygon of {counted(points, 'point')}, which encloses nothing.",
            f"A polygon has {FEWEST_CORNERS} points at least; take it out, or give its box.",
        )
    if not all(map(math.isfinite, ring)):
        raise DatasetError(f"{where} has a polygon with coordinates that are not finite.")
    if max(ring) > LARGEST or min(ring) < -LARGEST:
        raise DatasetError(f"{where} has a polygon with a coordinate beyond {LARGEST:,.0f} pixels.")


def _check_numbers(shape: Shape, where: str) -> None:
    if shape.area is not None and not (math.isfinite(shape.area) and shape.area >= 0):
        raise DatasetError(f"{where} has the area {shape.area}.", "Leave it out: then it is that of the mask or box.")
    if shape.score is not None and not 0 <= shape.score <= 1:
        raise DatasetError(f"{where} has the score {shape.score}.", "Scores go from 0 to 1.")
    _check_attributes(shape.attributes, where)


def _check_attributes(attributes: Mapping[str, object], where: str) -> None:
    for name, value in attributes.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise DatasetError(f"{where} has the attribute {name!r} of {value}, which is not finite.")
