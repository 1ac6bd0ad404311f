"""Labels as Pascal VOC's folders: XML of boxes, masks of classes and of objects, and the list of classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.datasets.labels import masks
from edgerig.datasets.labels.classes import pixel_classes
from edgerig.datasets.labels.problems import Problems
from edgerig.datasets.labels.shapes import BACKGROUND, IGNORE, IGNORE_NUMBER, ImageLabels, LabelSet
from edgerig.datasets.labels.voc import BOXES, CLASSES, OBJECTS
from edgerig.datasets.labels.voc_masks import LABELMAP, VOID, Color, usual_color, write_numbers
from edgerig.datasets.labels.voc_xml import sheet
from edgerig.errors import DatasetError
from edgerig.text import counted

#: Most objects of an image, and most classes: pixels have 8 bits, and 255 is what is not judged.
MOST = 254
Pixels = NDArray[np.uint8]
#: Folder of the lists of images, and those that CVAT looks for.
LISTS = ("ImageSets/Main/default.txt", "ImageSets/Segmentation/default.txt")


def write(labels: LabelSet, folder: Path, *, edges: bool = False) -> tuple[str, ...]:
    """Write ``Annotations``, ``SegmentationClass``, ``SegmentationObject`` and lists.

    The images belong into ``JPEGImages``.

    Args:
        labels: To write.
        folder: Made where it is not there.
        edges: See `edgerig.datasets.labels.voc_xml.read_sheet`.

    Returns:
        What is lost or changed, a sentence each.

    Raises:
        DatasetError: There are too many objects or classes, or two images whose names differ in their suffix alone.
    """
    names = pixel_classes([category.name for category in labels.categories if category.name != IGNORE])
    if len(names) > MOST:
        raise DatasetError(f"There are {len(names)} classes; VOC's masks hold {MOST}.", "Leave out some.")
    colors = _colors(labels, names)
    problems = Problems()
    stems: list[str] = []
    for name, image in labels.images.items():
        stem = PurePosixPath(name).with_suffix("").as_posix()
        if stem in stems:
            raise DatasetError(f"Two images are named {stem}, with different suffixes.", "Rename one.")
        stems.append(stem)
        _write_image(name, stem, image, colors, folder, problems, edges)
    lines = [f"{name}:{','.join(map(str, color))}::" for name, color in colors.items()]
    files.write_text(folder / LABELMAP, "\n".join(["# label:color_rgb:parts:actions", *lines, ""]))
    for path in LISTS:
        files.write_text(folder / path, "".join(f"{stem}\n" for stem in stems))
    return problems.notes()


def _colors(labels: LabelSet, names: tuple[str, ...]) -> dict[str, Color]:
    """A colour for each class: its own where these are unique, else the usual one of its number."""
    own = {category.name: category.color for category in labels.categories if category.color is not None}
    usual = {name: usual_color(number) for number, name in enumerate(names)}
    chosen = usual | {name: color for name, color in own.items() if name in usual}
    return chosen if len({*chosen.values(), VOID}) > len(chosen) else usual


def _write_image(
    name: str, stem: str, image: ImageLabels, colors: Mapping[str, Color], folder: Path, problems: Problems, edges: bool
) -> None:
    """The files of an image; ``colors`` has the classes in the order of their numbers."""
    objects = [shape for shape in image.shapes if shape.category not in (BACKGROUND, IGNORE)]
    boxes = [(shape, masks.shape_box(shape, image.height, image.width)) for shape in objects]
    pairs = [(shape, box) for shape, box in boxes if box is not None]
    if len(pairs) > MOST:
        raise DatasetError(f"{name} has {counted(len(pairs), 'object')}; VOC's masks hold {MOST}.", "Use COCO's.")
    problems.change("Without a pixel, so left out: {}.", len(objects) - len(pairs))
    _count_losses(image, problems)
    segmented = any(shape.runs or shape.polygons for shape in image.shapes)
    files.write_text(folder / BOXES / f"{stem}.xml", sheet(name, image, pairs, segmented=segmented, edges=edges))
    if segmented:
        numbers = {category: number for number, category in enumerate(colors)} | {IGNORE: IGNORE_NUMBER}
        classes, ids = _painted(image, numbers, problems)
        write_numbers(classes, list(colors.values()), folder / CLASSES / f"{stem}.png")
        write_numbers(ids, [usual_color(number) for number in range(MOST + 1)], folder / OBJECTS / f"{stem}.png")


def _painted(image: ImageLabels, numbers: Mapping[str, int], problems: Problems) -> tuple[Pixels, Pixels]:
    """The classes and the objects of an image's pixels; objects count from 1, in the order of the XML."""
    classes = np.full((image.height, image.width), numbers[BACKGROUND], np.uint8)
    ids = np.zeros((image.height, image.width), np.uint8)
    drawn: dict[int, int] = {}
    number = 0
    for shape in image.shapes:
        outlined = bool(shape.runs or shape.polygons)
        mask = masks.shape_mask(shape, image.height, image.width) if outlined else None
        pixels = 0 if mask is None else int(mask.sum())
        is_object = shape.category not in (BACKGROUND, IGNORE) and (shape.box is not None or pixels > 0)
        number += is_object
        if mask is not None and pixels:
            classes[mask] = masks.number_of(shape, numbers)
            ids[mask] = number if is_object else IGNORE_NUMBER if shape.category == IGNORE else 0
            if is_object:
                drawn[number] = pixels
    left = np.bincount(ids.ravel(), minlength=IGNORE_NUMBER + 1)
    covered = sum(0 < left[number] < pixels for number, pixels in drawn.items())
    hidden = sum(left[number] == 0 for number in drawn)
    problems.change("A pixel is of one object: {} lost what others cover.", covered)
    problems.change("Wholly covered by others, so written as a box alone: {}.", hidden)
    return classes, ids


def _count_losses(image: ImageLabels, problems: Problems) -> None:
    for shape in image.shapes:
        reserved = shape.category in (BACKGROUND, IGNORE)
        outlined = bool(shape.runs or shape.polygons)
        problems.change("Masks are pixels: {} lost the corners of polygons.", bool(shape.polygons))
        problems.change("VOC has no crowds: {} written as single ones.", shape.crowd and not reserved)
        problems.change("Scores are not written: {} had one.", shape.score is not None)
        problems.change("Areas are not written: {} had one.", shape.area is not None)
        problems.change("Boxes of what is not judged or is background are left out: {}.", reserved and not outlined)
        problems.change("Background that was drawn is no object any more: {}.", shape.category == BACKGROUND)
