"""YOLO's text files: a line an object, its class's number and a box or one polygon, in shares of the image's sides.

::

    data.yaml          names: {0: cat, 1: dog}
    images/a.jpg
    labels/a.txt       0 0.5 0.5 0.25 0.3            class, centre x, centre y, width, height
                       1 0.1 0.1 0.2 0.1 0.2 0.3     class, corners x y of a polygon

The form is Ultralytics'; files of labels may lie beside the images, too, and names in ``classes.txt``, as Darknet has
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import yaml

from edgerig import files
from edgerig.datasets.images import SUFFIXES
from edgerig.datasets.labels import masks
from edgerig.datasets.labels.checks import check_shape, check_size
from edgerig.datasets.labels.problems import Problems
from edgerig.datasets.labels.rings import single_ring
from edgerig.datasets.labels.shapes import IGNORE, Box, Category, ImageLabels, LabelSet, Polygon, Ring, Shape
from edgerig.datasets.labels.turning import Exif, sides_of_labels
from edgerig.datasets.labels.yolo_names import read_names
from edgerig.errors import DatasetError
from edgerig.text import counted

#: Folders of images and of labels.
IMAGES, LABELS = "images", "labels"
#: Coordinates are rounded to so many decimals of a pixel, which shares of its side do not hold exactly.
DECIMALS = 6
#: How far a share may lie outside of 0 to 1, by rounding.
TOLERANCE = 0.01
#: Numbers in a line of a box; of a box with a score; fewest of a polygon.
BOX, SCORED, POLYGON = 5, 6, 7


def read(
    root: Path,
    *,
    images: Path | None = None,
    names: Sequence[str] = (),
    exif: Exif | None = None,
    skip: bool = False,
) -> LabelSet:
    """The labels of images in a folder.

    Args:
        root: The folder of the dataset, or its YAML file.
        images: The folder of the images, ``images`` in root by default.
        names: Of the classes by number, where neither ``data.yaml`` nor ``classes.txt`` in root has them.
        exif: What the labels of pictures that an EXIF orientation turns are of.
        skip: Leave out objects that cannot be used, and count them in the notes.

    Raises:
        DatasetError: Something cannot be read; a line is no object; a file of labels has no image; names the line.
    """
    folder = root.parent if root.is_file() else root
    names = read_names(root, names)
    pictures = images or images_folder(root)
    if not pictures.is_dir():
        raise DatasetError(f"There is no folder {pictures}.", "Name the folder of the images: --images.")
    paths = [path for path in sorted(pictures.rglob("*")) if path.suffix.lower() in SUFFIXES]
    if not paths:
        raise DatasetError(f"{pictures} holds no images.", f"Images end in {', '.join(SUFFIXES)}.")
    labels = folder / LABELS if (folder / LABELS).is_dir() else pictures
    problems = Problems(skip=skip)
    texts = {path: labels / path.relative_to(pictures).with_suffix(".txt") for path in paths}
    _check_all_used(labels, texts, problems)
    by_name = {}
    for path, text in texts.items():
        height, width = sides_of_labels(path, exif)
        check_size(height, width, str(path))
        shapes = _shapes(text, names, height, width, problems)
        by_name[path.relative_to(pictures).as_posix()] = ImageLabels(width=width, height=height, shapes=tuple(shapes))
    categories = tuple(Category(id=number, name=name) for number, name in enumerate(names))
    return LabelSet(categories=categories, images=by_name, notes=problems.notes())


def images_folder(root: Path) -> Path:
    """Where the images of a dataset lie, given by its folder or its YAML file."""
    return (root.parent if root.is_file() else root) / IMAGES


def write(labels: LabelSet, folder: Path, *, boxes: bool = False) -> tuple[str, ...]:
    """Write ``data.yaml`` and ``labels``; the images belong into ``images``.

    A mask, a hole and an object of several parts, which the format lacks, become one line around the same pixels: along
    their borders, and with cuts of no width between the parts.

    Args:
        labels: To write.
        folder: Made where it is not there.
        boxes: Write the box of every object instead of its outline.

    Returns:
        What is lost or changed, a sentence each.

    Raises:
        DatasetError: An image has objects with and without an outline, which readers of the format mistake.
    """
    problems = Problems()
    names = [category.name for category in labels.categories if category.name != IGNORE]
    numbers = {name: number for number, name in enumerate(names)}
    texts: dict[str, str] = {}
    for name, image in labels.images.items():
        path = PurePosixPath(name).with_suffix(".txt").as_posix()
        if path in texts:
            raise DatasetError(
                f"Two images are named {PurePosixPath(name).with_suffix('')}, with different suffixes.",
                "YOLO's files of labels have the names of their images; rename one.",
            )
        _check_not_mixed(name, image, boxes)
        judged = [shape for shape in image.shapes if shape.category != IGNORE]
        problems.change("Trainers of YOLO judge everything: {} of 'ignore' left out.", len(image.shapes) - len(judged))
        lines = [line for shape in judged for line in _lines(shape, image, numbers, boxes, problems)]
        texts[path] = "".join(f"{line}\n" for line in lines)
    for path, text in texts.items():
        files.write_text(folder / LABELS / path, text)
    document = {"path": ".", "train": IMAGES, "val": IMAGES, "names": {n: name for name, n in numbers.items()}}
    files.write_text(folder / "data.yaml", yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    return problems.notes()


def _check_all_used(labels: Path, texts: Mapping[Path, Path], problems: Problems) -> None:
    """Note files of labels without an image, and images without such a file."""
    known = set(texts.values())
    for path in sorted(labels.rglob("*.txt")):
        if path not in known and path.name != "classes.txt":
            problems.add(DatasetError(f"{path} has no image.", "Add the image, or remove the file."))
    missing = sum(not path.is_file() for path in known)
    problems.change("{} without a file of labels taken as without objects.", missing, "image")


def _check_not_mixed(name: str, image: ImageLabels, boxes: bool) -> None:
    outlined = sum(bool(shape.runs or shape.polygons) for shape in image.shapes)
    if not boxes and 0 < outlined < len(image.shapes):
        raise DatasetError(
            f"{name} has {counted(outlined, 'object')} with an outline and {len(image.shapes) - outlined:,} with a box "
            "alone; readers of YOLO's files take a box among polygons for a polygon.",
            "Write the boxes of all: --boxes.",
        )


def _shapes(path: Path, names: Sequence[str], height: int, width: int, problems: Problems) -> Iterator[Shape]:
    """The objects of a file of labels; none where it is not there."""
    if not path.is_file():
        return
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"Cannot read {path}: {error}.") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            read_line: Callable[[], Shape] = partial(_shape, line, names, height, width, f"{path}:{number}")
            shape = problems.guard(read_line)
            if shape is not None:
                yield shape


def _shape(line: str, names: Sequence[str], height: int, width: int, where: str) -> Shape:
    """The object of a line.

    Raises:
        DatasetError: It is none, or does not fit the image.
    """
    try:
        kind, *shares = map(float, line.split())
    except ValueError as error:
        raise DatasetError(f"{where} is no line of numbers: {line[:60]!r}.") from error
    if not (kind.is_integer() and 0 <= kind < len(names)):
        raise DatasetError(f"{where} is of class {kind:g}; there are {len(names)}.", "Name all classes, from number 0.")
    coordinates = shares[:4] if 1 + len(shares) == SCORED else shares
    if any(not -TOLERANCE <= share <= 1 + TOLERANCE for share in coordinates):
        raise DatasetError(
            f"{where} has a coordinate outside of 0 to 1: {line[:60]!r}.", "YOLO's are shares of the image's sides."
        )
    category = names[int(kind)]
    if 1 + len(shares) in (BOX, SCORED):
        x, y, across, down = coordinates
        box = Box(*_rounded((x - across / 2, y - down / 2, across, down), height, width))
        shape = Shape(category=category, box=box, score=shares[4] if len(shares) == BOX else None)
    elif 1 + len(shares) >= POLYGON and len(shares) % 2 == 0:
        shape = Shape(category=category, polygons=(Polygon(_rounded(shares, height, width)),))
    else:
        raise DatasetError(
            f"{where} has {1 + len(shares)} numbers.",
            f"A box has {BOX}, with a score {SCORED}; a polygon has {POLYGON} and more, an odd number.",
        )
    check_shape(shape, height, width, where)
    return shape


def _rounded(shares: Sequence[float], height: int, width: int) -> Ring:
    """Coordinates in pixels of shares of the sides, x and y in turn."""
    sides = (width, height)
    return tuple(round(share * sides[index % 2], DECIMALS) for index, share in enumerate(shares))


def _lines(
    shape: Shape, image: ImageLabels, numbers: Mapping[str, int], boxes: bool, problems: Problems
) -> Iterator[str]:
    """The line of a shape; none where it has no pixel."""
    height, width = image.height, image.width
    problems.change("The format has no crowds: {} written as single ones.", shape.crowd)
    problems.change("The format has no attributes: {} lost theirs.", bool(shape.attributes))
    problems.change("Scores are not written: {} had one.", shape.score is not None)
    number = masks.number_of(shape, numbers)
    if boxes or not (shape.runs or shape.polygons):
        box = masks.shape_box(shape, height, width)
        problems.change("Without a pixel, so left out: {}.", box is None)
        problems.change("Written as boxes alone: {} with an outline.", bool(shape.runs or shape.polygons))
        if box is not None:
            x, y = (box.left + box.width / 2) / width, (box.top + box.height / 2) / height
            yield f"{number} {x!r} {y!r} {box.width / width!r} {box.height / height!r}"
        return
    stored: Callable[[Ring], Ring] = lambda ring: _rounded(_shares(ring, height, width), height, width)  # noqa: E731
    ring, changed = single_ring(shape, height, width, stored)
    problems.change("Without a pixel, so left out: {}.", ring is None)
    problems.change("The format has one polygon an object: {} written as one line around the same pixels.", changed)
    problems.change("Boxes beside outlines are not written: {} had one.", shape.box is not None)
    if ring is not None:
        yield " ".join(map(repr, (number, *_shares(ring, height, width))))


def _shares(ring: Ring, height: int, width: int) -> Ring:
    sides = (width, height)
    return tuple(value / sides[index % 2] for index, value in enumerate(ring))
