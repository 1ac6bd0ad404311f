"""COCO's JSON: boxes, polygons and run lengths, read and written.

Lin et al., 2014; the form is described at https://cocodataset.org/#format-data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgerig import files
from edgerig.datasets.labels import masks, runs
from edgerig.datasets.labels.checks import check_box, check_image_name, check_shape, check_size
from edgerig.datasets.labels.problems import Problems
from edgerig.datasets.labels.shapes import Attribute, Box, Category, ImageLabels, LabelSet, Polygon, Shape
from edgerig.errors import DatasetError
from edgerig.store.types import Byte

#: Name of the file that is written.
FILE = "annotations.json"
#: The box of an object without a pixel.
NO_BOX = Box(0, 0, 0, 0)


class CocoImage(msgspec.Struct, frozen=True):
    """An image of a file of annotations; its sides in pixels."""

    id: int
    file_name: str
    width: int
    height: int


class CocoCategory(msgspec.Struct, frozen=True):
    """A class."""

    id: int
    name: str
    supercategory: str = ""
    color: tuple[Byte, Byte, Byte] | None = None


class RunLengths(msgspec.Struct, frozen=True):
    """A mask: height and width, and its runs as numbers or as text."""

    size: tuple[int, int]
    counts: str | list[int]


class Annotation(msgspec.Struct, frozen=True):
    """An object. ``bbox`` is left, top, width, height in pixels of its image; ``area`` that of the object's outline."""

    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float] | None = None
    segmentation: msgspec.Raw = msgspec.Raw()
    iscrowd: bool | int = 0
    area: float | None = None
    score: float | None = None
    attributes: dict[str, Any] | None = None
    keypoints: list[float] | None = None


class _File(msgspec.Struct, frozen=True):
    images: list[CocoImage]
    annotations: list[Annotation]
    categories: list[CocoCategory]


def read(path: Path, *, outlines: bool = True, skip: bool = False) -> LabelSet:
    """The labels of a file in COCO's format; images and their objects in the order of the file.

    A box and an area that are those of an object's outline are not kept beside it.

    Args:
        path: The file.
        outlines: Whether to read ``segmentation``; else the boxes alone, which all objects must have.
        skip: Leave out objects that cannot be used, and count them in the notes.

    Raises:
        DatasetError: The file cannot be read, is not of that form, or contradicts itself; names the object.
    """
    content = _decode(path)
    for entries, kind in ((content.images, "images"), (content.categories, "categories")):
        if not entries:
            raise DatasetError(f"{path} has no {kind}.", "It needs 'images', 'annotations' and 'categories'.")
        _check_unique([entry.id for entry in entries], f"{path}: two {kind} have the id")
    _check_unique([category.name for category in content.categories], f"{path}: two categories have the name")
    _check_unique([image.file_name for image in content.images], f"{path}: two images have the file name")
    images = {image.id: image for image in content.images}
    for image in content.images:
        check_image_name(image.file_name, str(path))
        check_size(image.height, image.width, f"{path}: image {image.file_name!r}")
    names = {category.id: category.name for category in content.categories}
    problems = Problems(skip=skip)
    shapes: dict[int, list[Shape]] = {image.id: [] for image in content.images}
    for number, annotation in enumerate(content.annotations):
        where = f"{path}: annotation {number} of 'annotations'"
        shape = problems.guard(lambda a=annotation, w=where: _shape(a, images, names, outlines, w))  # type: ignore[misc]
        if shape is not None:
            shapes[annotation.image_id].append(shape)
            problems.change("Keypoints are not read: {} had some.", bool(annotation.keypoints))
            lists = len(annotation.attributes or {}) - len(shape.attributes)
            problems.change("Attributes that are neither text nor number are not read: {} had some.", lists > 0)
    categories = [
        Category(id=entry.id, name=entry.name, color=entry.color, supercategory=entry.supercategory)
        for entry in sorted(content.categories, key=lambda entry: entry.id)
    ]
    return LabelSet(
        categories=tuple(categories),
        images={
            image.file_name: ImageLabels(width=image.width, height=image.height, shapes=tuple(shapes[image.id]))
            for image in content.images
        },
        notes=problems.notes(),
    )


def write(labels: LabelSet, folder: Path) -> tuple[str, ...]:
    """Write labels as ``annotations.json`` into a folder.

    Polygons with holes, which the format lacks, are written as run lengths of the same pixels.

    Returns:
        What had to be changed, a sentence each.
    """
    problems = Problems()
    ids = {category.name: category.id for category in labels.categories}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (name, image) in enumerate(labels.images.items(), 1):
        images.append({"id": image_id, "file_name": name, "width": image.width, "height": image.height})
        for shape in image.shapes:
            entry = {"id": len(annotations) + 1, "image_id": image_id, "category_id": masks.number_of(shape, ids)}
            annotations.append(entry | _annotation(shape, image, problems))
    categories = [
        {"id": category.id, "name": category.name, "supercategory": category.supercategory}
        | ({} if category.color is None else {"color": list(category.color)})
        for category in labels.categories
    ]
    files.write_bytes(
        folder / FILE, msgspec.json.encode({"images": images, "annotations": annotations, "categories": categories})
    )
    return problems.notes()


def _decode(path: Path) -> _File:
    try:
        data = files.without_mark(path.read_bytes())
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


def _check_unique(values: Sequence[int] | Sequence[str], sentence: str) -> None:
    seen: set[int | str] = set()
    for value in values:
        if value in seen:
            raise DatasetError(f"{sentence} {value!r}.", "Give each its own.")
        seen.add(value)


def _shape(
    annotation: Annotation, images: Mapping[int, CocoImage], names: Mapping[int, str], outlines: bool, where: str
) -> Shape:
    """The object that an annotation is.

    Raises:
        DatasetError: It contradicts the rest of the file, or does not fit its image.
    """
    image = images.get(annotation.image_id)
    if image is None:
        raise DatasetError(f"{where} belongs to image {annotation.image_id}, which is not in 'images'.")
    if annotation.category_id not in names:
        raise DatasetError(
            f"{where} is of category {annotation.category_id}, which is not in 'categories'.",
            "Add the category, or take out its boxes.",
        )
    box = None if annotation.bbox is None else Box(*annotation.bbox)
    if box is not None:
        check_box(box, image.height, image.width, f"{where} ({image.file_name})")
    elif not outlines:
        raise DatasetError(f"{where} has no 'bbox'.", "Detection needs the box of every object.")
    polygons, lengths = _outline(annotation.segmentation, image, where) if outlines else ((), ())
    shape = Shape(
        category=names[annotation.category_id],
        box=box,
        polygons=polygons,
        runs=lengths,
        area=annotation.area,
        score=annotation.score,
        crowd=annotation.iscrowd != 0,
        attributes=_scalars(annotation.attributes or {}),
    )
    check_shape(shape, image.height, image.width, f"{where} ({image.file_name})")
    return _without_derived(shape, image.height, image.width)


def _outline(segmentation: msgspec.Raw, image: CocoImage, where: str) -> tuple[tuple[Polygon, ...], tuple[int, ...]]:
    """Polygons and run lengths of a ``segmentation``; at most one of the two.

    Raises:
        DatasetError: It is neither, or does not fit its image.
    """
    if not bytes(segmentation):
        return (), ()
    try:
        value = msgspec.json.decode(segmentation, type=list[tuple[float, ...]] | RunLengths | None)
    except msgspec.MsgspecError as error:
        raise DatasetError(
            f"{where} has a segmentation that is neither polygons nor run lengths: {error}.",
            "Polygons are lists of x, y, x, y ..; run lengths have 'size' and 'counts'.",
        ) from error
    if value is None or isinstance(value, list):
        return tuple(Polygon(ring) for ring in value or ()), ()
    if value.size != (image.height, image.width):
        raise DatasetError(
            f"{where} has a mask of {value.size[1]} x {value.size[0]} pixels, its image {image.file_name} has "
            f"{image.width} x {image.height}.",
            "A mask has the size of its image; 'size' is height, width.",
        )
    counts = runs.decompress(value.counts, where) if isinstance(value.counts, str) else value.counts
    return (), tuple(runs.check(counts, image.height, image.width, where).tolist())


def _without_derived(shape: Shape, height: int, width: int) -> Shape:
    """The shape without a box and an area that say no more than its outline or, of the area, its box."""
    area, box = shape.area, shape.box
    if not shape.polygons and not shape.runs:
        same_area = box is not None and area == box.width * box.height
        return msgspec.structs.replace(shape, area=None) if same_area else shape
    # Those of pixels are integers: others need not be compared.
    if not (area is not None and area.is_integer()) and not (box is not None and all(map(float.is_integer, box))):
        return shape
    bare = msgspec.structs.replace(shape, box=None, area=None)
    own_box, own_area = masks.box_and_area(bare, height, width)
    return msgspec.structs.replace(
        shape,
        box=None if box == (own_box or NO_BOX) else box,
        area=None if area == own_area else area,
    )


def _scalars(attributes: Mapping[str, Any]) -> dict[str, Attribute]:
    return {name: value for name, value in attributes.items() if isinstance(value, bool | int | float | str)}


def _annotation(shape: Shape, image: ImageLabels, problems: Problems) -> dict[str, Any]:
    """An object as the format has it, without its ids."""
    height, width = image.height, image.width
    box, area = masks.box_and_area(shape, height, width)
    entry: dict[str, Any] = {
        "bbox": list(box or NO_BOX),
        "area": area,
        "iscrowd": int(shape.crowd),
        "segmentation": [],
    }
    if shape.runs or any(polygon.holes for polygon in shape.polygons):
        problems.change("Polygons with holes are written as run lengths: {}.", bool(shape.polygons))
        text = runs.compress(masks.shape_runs(shape, height, width))
        entry["segmentation"] = {"size": [height, width], "counts": text}
    elif shape.polygons:
        entry["segmentation"] = [list(polygon.outer) for polygon in shape.polygons]
    return entry | dict(_extras(shape))


def _extras(shape: Shape) -> Iterator[tuple[str, Any]]:
    if shape.score is not None:
        yield "score", shape.score
    if shape.attributes:
        yield "attributes", dict(shape.attributes)
