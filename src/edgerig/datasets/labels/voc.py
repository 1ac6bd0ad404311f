"""Pascal VOC's folders, read: boxes in XML, and masks of classes and of objects as PNG.

::

    JPEGImages/a.jpg           Annotations/a.xml           labelmap.txt
    SegmentationClass/a.png    SegmentationObject/a.png

Everingham et al., 2010, and as CVAT writes it. The mask of object n of the XML has the pixels n of the second PNG.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.images import SUFFIXES, image_size
from edgerig.datasets.labels import masks, runs
from edgerig.datasets.labels.checks import check_shape, check_size
from edgerig.datasets.labels.problems import Problems
from edgerig.datasets.labels.shapes import BACKGROUND, IGNORE, IGNORE_NUMBER, Category, ImageLabels, LabelSet, Shape
from edgerig.datasets.labels.voc_masks import Legend, read_legend, read_numbers, usual_color
from edgerig.datasets.labels.voc_xml import read_sheet
from edgerig.errors import DatasetError

IMAGES, BOXES, CLASSES, OBJECTS = "JPEGImages", "Annotations", "SegmentationClass", "SegmentationObject"
Numbers = NDArray[np.int64]


def read(
    root: Path,
    *,
    images: Path | None = None,
    names: Sequence[str] = (),
    edges: bool = False,
    skip: bool = False,
) -> LabelSet:
    """The labels of a folder.

    Args:
        root: The folder that holds ``Annotations``, ``SegmentationClass`` or both.
        images: The folder of the images; ``JPEGImages`` in root by default.
        names: Of the classes that pixels are, by number, where there is no ``labelmap.txt``; 0 is the background, which
            need not be named.
        edges: See `edgerig.datasets.labels.voc_xml.read_sheet`.
        skip: Leave out objects that cannot be used, and count them in the notes.

    Raises:
        DatasetError: Something cannot be read; labels have no image; boxes and masks contradict each other.
    """
    pictures = images or root / IMAGES
    stems = _stems(pictures)
    labelled = sorted({*_names(root / BOXES, ".xml"), *_names(root / CLASSES, ".png")})
    if not labelled:
        raise DatasetError(f"{root} holds neither {BOXES} nor {CLASSES}.", "Name the folder that holds them.")
    legend = read_legend(root, names)
    problems = Problems(skip=skip)
    by_name: dict[str, ImageLabels] = {}
    for stem in labelled:
        if stem not in stems:
            problems.add(DatasetError(f"There is no picture of {stem} in {pictures}.", "Name their folder: --images."))
            continue
        image = problems.guard(lambda s=stem: _image(root, s, stems[s], legend, problems, edges))  # type: ignore[misc]
        if image is not None:
            by_name[stems[stem].relative_to(pictures).as_posix()] = image
    notes = problems.notes()
    used = {shape.category for image in by_name.values() for shape in image.shapes}
    listed = [name for name in legend.names if name != BACKGROUND] if legend is not None else []
    categories = [*listed, *sorted(used - {*listed, IGNORE})]
    by_color = legend.colors if legend is not None else {}
    own = ((color, number) for color, number in by_color.items() if number < IGNORE_NUMBER)
    # Those of the development kit are what a class without a colour gets.
    colors = {legend.names[number]: color for color, number in own if color != usual_color(number)} if legend else {}
    return LabelSet(
        categories=tuple(
            Category(id=number, name=name, color=colors.get(name)) for number, name in enumerate(categories)
        ),
        images=by_name,
        notes=notes,
    )


def _stems(folder: Path) -> dict[str, Path]:
    """The images of a folder by their paths in it without suffix.

    Raises:
        DatasetError: There is no such folder, or two images differ in their suffix alone.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.", "Name the folder of the images: --images.")
    stems: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            stem = path.relative_to(folder).with_suffix("").as_posix()
            if stem in stems:
                raise DatasetError(f"{stems[stem]} and {path} differ in their suffix alone.", "Rename one.")
            stems[stem] = path
    return stems


def _names(folder: Path, suffix: str) -> Iterator[str]:
    for path in folder.rglob(f"*{suffix}"):
        yield path.relative_to(folder).with_suffix("").as_posix()


def _image(root: Path, stem: str, picture: Path, legend: Legend | None, problems: Problems, edges: bool) -> ImageLabels:
    """The labels of an image: the objects of its XML with their masks, and masks of no object in it.

    Raises:
        DatasetError: Its files contradict each other.
    """
    xml, classes, objects = root / BOXES / f"{stem}.xml", root / CLASSES / f"{stem}.png", root / OBJECTS / f"{stem}.png"
    height = width = 0
    boxed: list[Shape | None] = []
    if xml.is_file():
        height, width, boxed = read_sheet(xml, problems, edges=edges)
    if not classes.is_file():
        if not height or not width:
            height, width = image_size(picture)
        shapes = [shape for shape in boxed if shape is not None]
    else:
        if legend is None:
            raise DatasetError(
                f"{classes} has classes by number, and there is no list of their names.",
                "Add labelmap.txt, or name them in order: --classes.",
            )
        numbers = read_numbers(classes, legend)
        if (height and width) and numbers.shape != (height, width):
            raise DatasetError(
                f"{classes} has {numbers.shape[1]} x {numbers.shape[0]} pixels, {xml} says {width} x {height}.",
                "A mask has the size of its image.",
            )
        height, width = numbers.shape
        ids = read_numbers(objects, None) if objects.is_file() else np.zeros_like(numbers)
        if ids.shape != numbers.shape:
            raise DatasetError(f"{objects} is not of the size of {classes}.", "Write both of the same image.")
        shapes = list(_merged(boxed, numbers, ids, legend, classes))
    check_size(height, width, str(picture))
    return ImageLabels(width=width, height=height, shapes=tuple(_fitting(shapes, height, width, stem, problems)))


def _fitting(shapes: Sequence[Shape], height: int, width: int, stem: str, problems: Problems) -> Iterator[Shape]:
    for number, shape in enumerate(shapes):
        try:
            check_shape(shape, height, width, f"{stem}: object {number} ({shape.category!r})")
        except DatasetError as error:
            problems.add(error)
        else:
            yield shape


def _merged(
    boxed: Sequence[Shape | None], numbers: Numbers, ids: Numbers, legend: Legend, path: Path
) -> Iterator[Shape]:
    """The objects of the XML with their masks, masks of other objects, those of classes alone, and what is not judged.

    Raises:
        DatasetError: An object has pixels of two classes, or of another one than in the XML.
    """
    # In 8 bits 255 is what is not judged; masks of more objects have 16.
    void = ids == IGNORE_NUMBER if ids.max() <= IGNORE_NUMBER else np.False_
    ids = np.where((numbers == IGNORE_NUMBER) | void, 0, ids)
    drawn = [int(number) for number in np.unique(ids) if number]
    for number in sorted({*range(1, len(boxed) + 1), *drawn}):
        known = number <= len(boxed)
        shape = boxed[number - 1] if known else None
        if number in drawn:
            mask = _outlined(number, numbers, ids, legend, path)
            if known and shape is None:
                continue
            shape = _with_mask(shape, mask, numbers.shape, f"{path}: object {number}")
        if shape is not None:
            yield shape
    for value in np.unique(numbers[ids == 0]).tolist():
        name = IGNORE if value == IGNORE_NUMBER else _name_of(value, legend, path)
        if name != BACKGROUND:
            yield Shape(category=name, runs=tuple(runs.encode((numbers == value) & (ids == 0)).tolist()))


def _outlined(number: int, numbers: Numbers, ids: Numbers, legend: Legend, path: Path) -> Shape:
    chosen = ids == number
    values = np.unique(numbers[chosen]).tolist()
    if len(values) > 1:
        several = ", ".join(repr(_name_of(value, legend, path)) for value in values)
        raise DatasetError(f"{path}: object {number} has pixels of {several}.", "An object is of one class.")
    return Shape(category=_name_of(values[0], legend, path), runs=tuple(runs.encode(chosen).tolist()))


def _with_mask(shape: Shape | None, mask: Shape, size: tuple[int, ...], where: str) -> Shape:
    if shape is None:
        return mask
    if shape.category != mask.category:
        raise DatasetError(
            f"{where} is {shape.category!r} in the XML, and its pixels are of {mask.category!r}.",
            "Pixels n of the mask of objects belong to the n-th object of the XML.",
        )
    box = None if shape.box == masks.shape_box(mask, size[0], size[1]) else shape.box
    return msgspec.structs.replace(shape, box=box, runs=mask.runs)


def _name_of(number: int, legend: Legend, path: Path) -> str:
    if not 0 <= number < len(legend.names):
        raise DatasetError(
            f"{path} has pixels of the class {number}; there are {len(legend.names)}.", "Name all classes in order."
        )
    return legend.names[number]
