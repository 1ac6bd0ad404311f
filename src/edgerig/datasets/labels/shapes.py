"""What images are labelled with: shapes with a class, in memory and in canonical JSON alike.

Coordinates are real pixels of the upright image: x from its left edge to the right, y from its top edge down; the
centre of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

#: The class of pixels in no object, and the name of what is not judged, which is no class.
BACKGROUND, IGNORE = "background", "ignore"
#: The number of what is not judged, in class maps and in files of classes.
IGNORE_NUMBER = 255
#: An attribute of a shape, such as an annotator's "occluded".
Attribute = bool | int | float | str
#: Points of a closed line, flat: x, y, x, y ..; the last one is joined to the first.
Ring = tuple[float, ...]


class Box(NamedTuple):
    """A rectangle along the axes, in pixels."""

    left: float
    top: float
    width: float
    height: float


class Polygon(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An area within ``outer`` and in none of its ``holes``."""

    outer: Ring
    holes: tuple[Ring, ...] = ()


class Shape(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An object in an image. It has a box, or an outline (``polygons`` or ``runs``), or a box and an outline.

    Attributes:
        category: Name of its class; ``class`` in JSON.
        box: As annotated; a shape with an outline only has the box of its mask, see `edgerig.datasets.labels.masks`.
        polygons: Parts of the object; its mask is their union.
        runs: A mask as lengths of runs, column by column from the left, each from the top: the first length is that of
            pixels outside of the mask (perhaps 0), then of pixels in it, and so on in turn; COCO's order. They add up
            to the pixels of the image.
        area: Of the object in square pixels as annotated, where the annotations say it.
        score: Of a prediction, 0 to 1.
        crowd: Whether it stands for a group of objects.
        attributes: Whatever else an annotation tool stores of it.
    """

    category: str = msgspec.field(name="class")
    box: Box | None = None
    polygons: tuple[Polygon, ...] = ()
    runs: tuple[int, ...] = ()
    area: float | None = None
    score: float | None = None
    crowd: bool = False
    attributes: Mapping[str, Attribute] = {}


class ImageLabels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The labels of one image, whose sides are in pixels.

    Attributes:
        shapes: From the back to the front: where they overlap, a class map shows the later one.
    """

    width: int
    height: int
    shapes: tuple[Shape, ...] = ()


class Category(msgspec.Struct, frozen=True, kw_only=True):
    """A class.

    Attributes:
        id: As the annotations number it; ids may have gaps.
        train_id: The number that a network learns; several categories may share it. None: the rank of ``id``.
        color: Red, green, blue, 0 to 255.
        supercategory: The group that it belongs to.
    """

    id: int
    name: str
    train_id: int | None = None
    color: tuple[int, int, int] | None = None
    supercategory: str = ""


class LabelSet(msgspec.Struct, frozen=True, kw_only=True):
    """Labels of many images.

    Attributes:
        categories: In the order of their ids.
        images: By the image's name, its path within the folder of images, with ``/``.
        notes: What a reader or writer had to leave out or to change, one sentence each, with counts.
    """

    categories: tuple[Category, ...]
    images: Mapping[str, ImageLabels]
    notes: tuple[str, ...] = ()
