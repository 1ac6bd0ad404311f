"""Statistics of what pictures are labelled with: objects, their boxes and classes, and the pixels of classes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.labels.classes import pixel_classes
from edgerig.datasets.labels.masks import class_map, shape_box
from edgerig.datasets.labels.shapes import BACKGROUND, IGNORE, IGNORE_NUMBER, ImageLabels
from edgerig.datasets.stored.annotated import judged

#: What is measured of labels, and its unit.
LABEL_QUANTITIES = {
    "objects": "of a picture",
    "box size": "square root of its share of the picture's area, 0 to 1",
    "box aspect": "binary logarithm of width / height",
}
#: What shares of classes begin with, and of what they are shares.
OBJECTS_OF, PIXELS_OF, LABEL_OF = "objects of ", "pixels of ", "label "


class Grouped(msgspec.Struct, frozen=True):
    """Values that come together, picture by picture.

    Attributes:
        values: All of them, shape (n,).
        groups: The number of the picture of each, from 0.
        count: How many pictures there are, those without a value among them.
    """

    values: NDArray[np.float64]
    groups: NDArray[np.int64]
    count: int


class LabelRow(msgspec.Struct, frozen=True):
    """What is measured of the labels of one picture.

    Attributes:
        values: Of each quantity of `LABEL_QUANTITIES` the values: one of the picture, or one of each box.
        classes: The class of each object.
        pixels: The share of each class of the pixels that are judged; None where some object has no outline.
    """

    values: dict[str, list[float]]
    classes: list[str]
    pixels: dict[str, float] | None


def row_of(labels: ImageLabels, classes: Sequence[str]) -> LabelRow:
    """What is measured of the labels of a picture; what is not judged is left out.

    Raises:
        DatasetError: An outline is not usable.
    """
    objects = judged(labels).shapes
    boxes = [box for shape in objects if (box := shape_box(shape, labels.height, labels.width)) is not None]
    boxes = [box for box in boxes if box.width > 0 and box.height > 0]
    area = labels.width * labels.height
    values = {
        "objects": [float(len(objects))],
        "box size": [math.sqrt(min(box.width * box.height / area, 1.0)) for box in boxes],
        "box aspect": [math.log2(box.width / box.height) for box in boxes],
    }
    return LabelRow(values, [shape.category for shape in objects], _pixels(labels, pixel_classes(classes)))


def _pixels(labels: ImageLabels, classes: Sequence[str]) -> dict[str, float] | None:
    known = {*classes, IGNORE}
    outlined = all(shape.polygons or shape.runs for shape in labels.shapes)
    if not outlined or len(classes) > IGNORE_NUMBER or not {shape.category for shape in labels.shapes} <= known:
        return None
    numbers = {name: number for number, name in enumerate(classes)}
    pixels = class_map(labels, {**numbers, IGNORE: IGNORE_NUMBER}, numbers[BACKGROUND])
    counts = np.bincount(pixels.ravel(), minlength=IGNORE_NUMBER + 1)[: len(classes)]
    total = int(counts.sum())
    return {name: int(count) / total for name, count in zip(classes, counts, strict=True)} if total else None


def grouped(rows: Sequence[LabelRow]) -> dict[str, Grouped]:
    """The quantities and shares of many pictures' labels, by their names."""
    result = {}
    for name in LABEL_QUANTITIES:
        result[name] = _grouped([row.values[name] for row in rows])
    if any(row.classes for row in rows):
        for label in sorted({label for row in rows for label in row.classes}):
            result[OBJECTS_OF + label] = _grouped([[float(each == label) for each in row.classes] for row in rows])
    drawn = [row.pixels for row in rows if row.pixels is not None]
    if len(drawn) == len(rows):
        for label in drawn[0] if drawn else ():
            result[PIXELS_OF + label] = _grouped([[shares.get(label, 0.0)] for shares in drawn])
    return result


def shares_of(labels: Sequence[str]) -> dict[str, Grouped]:
    """The share of each class of pictures' own labels."""
    return {
        LABEL_OF + label: _grouped([[float(each == label)] for each in labels]) for label in sorted(Counter(labels))
    }


def absent(like: Mapping[str, Grouped], name: str) -> Grouped | None:
    """The values of a class that is not there: 0 for each object or picture; None where nothing has a class so."""
    for prefix in (OBJECTS_OF, PIXELS_OF, LABEL_OF):
        if name.startswith(prefix):
            same = next((each for other, each in like.items() if other.startswith(prefix)), None)
            return msgspec.structs.replace(same, values=np.zeros_like(same.values)) if same is not None else None
    return None


def _grouped(values: Sequence[Sequence[float]]) -> Grouped:
    groups = np.repeat(np.arange(len(values), dtype=np.int64), [len(each) for each in values])
    flat = np.array([value for each in values for value in each], np.float64)
    return Grouped(flat, groups, len(values))
