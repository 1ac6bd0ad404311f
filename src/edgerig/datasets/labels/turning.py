"""Labels of the pixels as a camera has stored them, turned as its EXIF orientation turns the picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.images import QUARTER_TURNS, image_orientation, image_size
from edgerig.datasets.labels import runs
from edgerig.datasets.labels.shapes import Box, ImageLabels, Polygon, Ring, Shape
from edgerig.errors import DatasetError

#: What labels are of: the picture as it is seen, or the pixels as they are stored.
Exif = Literal["upright", "stored"]
Point = Callable[[float, float], tuple[float, float]]
Flip = Callable[[NDArray[Any]], NDArray[Any]]


def upright(labels: ImageLabels, size: tuple[int, int], path: Path, exif: Exif | None) -> ImageLabels:
    """Labels of a picture as it is seen.

    Args:
        labels: Of the picture or, where its EXIF orientation turns it, perhaps of its stored pixels.
        size: Height and width of the picture as it is seen.
        path: Its file.
        exif: What the labels are of; None where nobody has said it.

    Raises:
        DatasetError: The labels are of another size; or the orientation turns the picture, and the size does not tell
            what the labels are of.
    """
    orientation = image_orientation(path)
    height, width = size
    stored = (width, height) if orientation in QUARTER_TURNS else (height, width)
    own = (labels.height, labels.width)
    if own not in (size, stored):
        raise DatasetError(
            f"{path} has {width} x {height} pixels, its annotation says {labels.width} x {labels.height}.",
            "Annotate the image as it is seen: boxes and masks are in its pixels.",
        )
    if orientation == 1 or (exif == "upright" and own == size):
        return labels
    if exif == "stored" and own == stored:
        return turned(labels, orientation)
    if own == size != stored:
        return labels
    unsure = own == size
    raise (
        _unsure(path, orientation)
        if unsure
        else DatasetError(
            f"{path} is turned by its EXIF orientation of {orientation}, and its labels are not: they are of the "
            f"stored {own[1]} x {own[0]} pixels.",
            "Turn them along with the pictures: --exif stored.",
        )
    )


def sides_of_labels(path: Path, exif: Exif | None) -> tuple[int, int]:
    """Height and width of the picture whose labels are in shares of its sides.

    Raises:
        DatasetError: The picture's EXIF orientation turns it, and ``exif`` does not say what its labels are of.
    """
    height, width = image_size(path)
    orientation = image_orientation(path)
    if orientation != 1 and exif is None:
        raise _unsure(path, orientation)
    return (width, height) if exif == "stored" and orientation in QUARTER_TURNS else (height, width)


def _unsure(path: Path, orientation: int) -> DatasetError:
    return DatasetError(
        f"{path} is turned by its EXIF orientation of {orientation}, and its labels may be of the picture as it is "
        "seen or as it is stored.",
        "Say which: --exif stored turns labels along with their pictures, --exif upright leaves them.",
    )


def turned(labels: ImageLabels, orientation: int) -> ImageLabels:
    """Labels of stored pixels, in the picture that the EXIF orientation (2 to 8) makes of them."""
    height, width = labels.height, labels.width
    point, flip = _turns(height, width)[orientation]
    shapes = tuple(_turned(shape, point, flip, height, width) for shape in labels.shapes)
    if orientation in QUARTER_TURNS:
        height, width = width, height
    return ImageLabels(width=width, height=height, shapes=shapes)


def _turns(height: int, width: int) -> dict[int, tuple[Point, Flip]]:
    """For each orientation, where a point of the stored picture is seen, and the same for an array of pixels."""
    return {
        2: (lambda x, y: (width - x, y), lambda a: a[:, ::-1]),
        3: (lambda x, y: (width - x, height - y), lambda a: a[::-1, ::-1]),
        4: (lambda x, y: (x, height - y), lambda a: a[::-1]),
        5: (lambda x, y: (y, x), lambda a: a.T),
        6: (lambda x, y: (height - y, x), lambda a: a.T[:, ::-1]),
        7: (lambda x, y: (height - y, width - x), lambda a: a.T[::-1, ::-1]),
        8: (lambda x, y: (y, width - x), lambda a: a.T[::-1]),
    }


def _turned(shape: Shape, point: Point, flip: Flip, height: int, width: int) -> Shape:
    box = shape.box
    if box is not None:
        corners = np.array([point(box.left, box.top), point(box.left + box.width, box.top + box.height)])
        (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
        box = Box(left, top, right - left, bottom - top)
    lengths = runs.encode(flip(runs.decode(shape.runs, height, width))).tolist() if shape.runs else ()
    polygons = tuple(
        Polygon(_turned_ring(polygon.outer, point), tuple(_turned_ring(hole, point) for hole in polygon.holes))
        for polygon in shape.polygons
    )
    return msgspec.structs.replace(shape, box=box, polygons=polygons, runs=tuple(lengths))


def _turned_ring(ring: Ring, point: Point) -> Ring:
    return tuple(value for x, y in zip(ring[0::2], ring[1::2], strict=True) for value in point(x, y))
