"""Annotations in COCO's JSON: read, checked, and told what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from edgerig.errors import DatasetError
from edgerig.tasks.box_truth import ImageBoxes


class CocoImage(msgspec.Struct, frozen=True):
    """An image of a file of annotations; its sides in pixels."""

    id: int
    file_name: str
    width: int
    height: int


class Category(msgspec.Struct, frozen=True):
    """A class."""

    id: int
    name: str


class Annotation(msgspec.Struct, frozen=True):
    """A box: left, top, width, height in pixels of its image; ``area`` that of the object's outline."""

    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0
    area: float | None = None


class _File(msgspec.Struct, frozen=True):
    images: list[CocoImage]
    annotations: list[Annotation]
    categories: list[Category]


class Annotated(NamedTuple):
    """Images with their boxes, in the order of the file, and the names of the classes."""

    images: list[CocoImage]
    boxes: list[ImageBoxes]
    classes: tuple[str, ...]


def read_coco(path: Path, *, by_id: bool = False) -> Annotated:
    """The images, boxes and classes of a file in COCO's format.

    Args:
        path: The file; keys of no use here, such as outlines, are skipped.
        by_id: Whether a class's number is its id, counted from the smallest, gaps included; else its rank among ids.

    Raises:
        DatasetError: The file cannot be read, is not of that form, or contradicts itself; names the place.
    """
    content = _decode(path)
    for things, kind in ((content.images, "images"), (content.categories, "categories")):
        if not things:
            raise DatasetError(f"{path} has no {kind}.", "It needs 'images', 'annotations' and 'categories'.")
        _check_unique([thing.id for thing in things], f"{path}: two {kind} have the id")
    categories = sorted(content.categories, key=lambda category: category.id)
    _check_unique([category.name for category in categories], f"{path}: two categories have the name")
    first = categories[0].id
    numbers = {category.id: category.id - first if by_id else rank for rank, category in enumerate(categories)}
    names = {numbers[category.id]: category.name for category in categories}
    classes = tuple(names.get(number, f"no class {first + number}") for number in range(1 + max(names)))
    by_image: dict[int, list[Annotation]] = {image.id: [] for image in content.images}
    sizes = {image.id: image for image in content.images}
    for number, annotation in enumerate(content.annotations):
        where = f"{path}: annotation {number} of 'annotations'"
        if annotation.image_id not in by_image:
            raise DatasetError(f"{where} belongs to image {annotation.image_id}, which is not in 'images'.")
        _check_box(annotation, sizes[annotation.image_id], numbers, where)
        by_image[annotation.image_id].append(annotation)
    boxes = [_boxes(by_image[image.id], numbers) for image in content.images]
    return Annotated(content.images, boxes, classes)


def _decode(path: Path) -> _File:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"Cannot read {path}: {error.strerror}.", "Give the file of annotations in COCO's format: 'annotations'."
        ) from error
    try:
        return msgspec.json.decode(data, type=_File)
    except msgspec.ValidationError as error:
        raise DatasetError(
            f"{path} is not of COCO's form: {error}.",
            "It needs 'images', 'annotations' with boxes of four numbers, and 'categories'.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        literals = [word for word in (b"NaN", b"Infinity") if word in data]
        if literals:
            raise DatasetError(
                f"{path} holds {literals[0].decode()}, which is no number in JSON.",
                "Take out the boxes that are not known, and write the file anew.",
            ) from error
        raise DatasetError(f"{path} is no JSON: {error}.", "Write it anew; it may have been cut off.") from error


def _check_unique(things: Sequence[int] | Sequence[str], sentence: str) -> None:
    seen: set[int | str] = set()
    for thing in things:
        if thing in seen:
            raise DatasetError(f"{sentence} {thing!r}.", "Give each its own.")
        seen.add(thing)


def _check_box(annotation: Annotation, image: CocoImage, numbers: Iterable[int], where: str) -> None:
    left, top, width, height = annotation.bbox
    box = f"{where} has the box {[left, top, width, height]}"
    if annotation.category_id not in numbers:
        raise DatasetError(
            f"{where} is of category {annotation.category_id}, which is not in 'categories'.",
            "Add the category, or take out its boxes.",
        )
    if not all(map(math.isfinite, annotation.bbox)):
        raise DatasetError(f"{box}, which is not finite.")
    if width < 0 or height < 0:
        raise DatasetError(
            f"{box}, whose {'width' if width < 0 else 'height'} is negative.",
            "A box is left, top, width, height; corners have to be converted.",
        )
    if left >= image.width or top >= image.height or left + width <= 0 < width or top + height <= 0 < height:
        raise DatasetError(
            f"{box}, which lies outside of its image {image.file_name} of {image.width} x {image.height} pixels.",
            "Boxes are in pixels of the image, not of a resized one, and not in shares of its sides.",
        )
    if annotation.area is not None and not (math.isfinite(annotation.area) and annotation.area >= 0):
        raise DatasetError(f"{where} has the area {annotation.area}.", "Leave it out: then it is that of the box.")


def _boxes(annotations: list[Annotation], numbers: dict[int, int]) -> ImageBoxes:
    boxes = np.array([annotation.bbox for annotation in annotations], np.float64).reshape(-1, 4)
    areas = [
        width * height if annotation.area is None else annotation.area
        for annotation, (_, _, width, height) in zip(annotations, boxes.tolist(), strict=True)
    ]
    return ImageBoxes(
        boxes,
        np.array([numbers[annotation.category_id] for annotation in annotations], np.int64),
        np.array([annotation.iscrowd != 0 for annotation in annotations], bool),
        np.array(areas, np.float64),
    )
