"""Label Studio's JSON: boxes, polygons and brush masks, read from its exports and written for its import.

Coordinates are in percent of the image's sides (https://labelstud.io/guide/task_format).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec

from edgerig import files
from edgerig.datasets.labels import label_studio_brush
from edgerig.datasets.labels.checks import check_shape, check_size
from edgerig.datasets.labels.label_studio_interface import INTERFACE, read_interface
from edgerig.datasets.labels.label_studio_names import PREFIX, image_name
from edgerig.datasets.labels.label_studio_percents import DECIMALS, in_pixels
from edgerig.datasets.labels.problems import Problems
from edgerig.datasets.labels.shapes import Box, Category, ImageLabels, LabelSet, Polygon, Shape
from edgerig.errors import DatasetError

#: The kinds of regions that are read, which are the keys of their names; ``labels`` is of regions of any form.
KINDS = ("rectanglelabels", "polygonlabels", "brushlabels", "labels")
#: Kinds of the same regions without names, where these come in another one of kind ``labels``.
_NAMELESS = ("rectangle", "polygon", "brush")
#: Kinds that are no regions, but say something of the whole image or of a region.
_SAYINGS = ("choices", "textarea", "rating", "taxonomy", "relation", "number", "datetime")
Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]


class Value(msgspec.Struct, frozen=True):
    """Where a region lies, in percent, and its names under the key of its kind."""

    x: float | None = None
    y: float | None = None
    width: float | None = None
    height: float | None = None
    rotation: float = 0.0
    points: list[tuple[float, float]] | None = None
    rle: list[Byte] | None = None
    rectanglelabels: list[str] = []
    polygonlabels: list[str] = []
    brushlabels: list[str] = []
    labels: list[str] = []


class Region(msgspec.Struct, frozen=True):
    """A result of an annotation or prediction."""

    type: str
    id: str | None = None
    value: msgspec.Raw = msgspec.Raw()
    original_width: int = 0
    original_height: int = 0
    image_rotation: float = 0.0
    score: float | None = None


class Annotation(msgspec.Struct, frozen=True):
    """What an annotator or, in ``predictions``, a network says of a task."""

    result: list[Region] = []
    was_cancelled: bool = False
    ground_truth: bool | None = False
    score: float | None = None


class Task(msgspec.Struct, frozen=True):
    """An image."""

    data: dict[str, Any]
    id: int | str | None = None
    annotations: list[Annotation] = []
    predictions: list[Annotation] = []


def read(
    path: Path,
    *,
    sizes: Callable[[str], tuple[int, int]] | None = None,
    prefix: str = PREFIX,
    predictions: bool = False,
    skip: bool = False,
) -> LabelSet:
    """The labels of an export (JSON, not JSON-MIN).

    Classes are in the order of ``interface.xml`` beside it, the project's labeling interface, where that is there; else
    by name. Of a task the annotation that is ground truth counts, else the only one. Tasks without any are left out.

    Args:
        path: The file.
        sizes: Gives the height and width of an image by name, for those in which nothing is annotated: only regions
            say them.
        prefix: Of the addresses of images, before their names.
        predictions: Read what networks predict instead of what annotators say.
        skip: Leave out what cannot be used, and count it in the notes.

    Raises:
        DatasetError: The file cannot be read; a region is of a kind that labels do not have here, such as an ellipse;
            a task has several annotations; names it.
    """
    problems = Problems(skip=skip)
    images: dict[str, ImageLabels] = {}
    for number, task in enumerate(_decode(path)):
        where = f"{path}: task {number if task.id is None else task.id}"
        said = _counting(task, predictions)
        problems.change("Left out, as without annotations: {}.", not said, "task")
        if len(said) > 1:
            problems.add(_several(said, predictions, where))
        if len(said) != 1:
            continue
        name = image_name(task.data, where, prefix)
        if name in images:
            raise DatasetError(f"{where} has the image {name}, as an earlier one has.", "Export each image once.")
        image = problems.guard(partial(_image, said[0].result, name, sizes, where, problems))
        if image is not None:
            images[name] = image
    notes = problems.notes()
    if not images:
        raise DatasetError(f"{path} has no annotated tasks.", "Export tasks with annotations, as JSON.")
    categories = read_interface(path.parent / INTERFACE) if (path.parent / INTERFACE).is_file() else ()
    listed = {category.name for category in categories}
    others = sorted({shape.category for image in images.values() for shape in image.shapes} - listed)
    more = tuple(Category(id=number, name=name) for number, name in enumerate(others, len(categories)))
    return LabelSet(categories=(*categories, *more), images=images, notes=notes)


def _decode(path: Path) -> list[Task]:
    try:
        return msgspec.json.decode(files.without_mark(path.read_bytes()), type=list[Task])
    except OSError as error:
        raise DatasetError(f"Cannot read {path}: {error.strerror}.", "Give the file that was exported.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{path} is no export of Label Studio: {error}.", "Export as JSON; JSON-MIN has another form."
        ) from error


def _counting(task: Task, predictions: bool) -> list[Annotation]:
    """The annotations of a task that count: those that are ground truth, else those that were not cancelled."""
    said = task.predictions if predictions else [entry for entry in task.annotations if not entry.was_cancelled]
    return [entry for entry in said if entry.ground_truth] or said


def _several(said: Sequence[Annotation], predictions: bool, where: str) -> DatasetError:
    noun = "predictions" if predictions else "annotations"
    mend = "Export one model's." if predictions else "Set one of them as ground truth, or delete the others."
    return DatasetError(f"{where} has {len(said)} {noun}, which may contradict each other.", mend)


def _image(
    regions: Sequence[Region],
    name: str,
    sizes: Callable[[str], tuple[int, int]] | None,
    where: str,
    problems: Problems,
) -> ImageLabels:
    """The labels of an image.

    Raises:
        DatasetError: Its size is not known, or not that of all regions.
    """
    named = {region.id for region in regions if region.type == "labels"}
    chosen = [
        region
        for region in regions
        if region.type not in _SAYINGS and not (region.type in _NAMELESS and region.id in named)
    ]
    problems.change("What is said of whole images or in words is not read: {}.", _count_sayings(regions), "answer")
    known = {(region.original_height, region.original_width) for region in chosen}
    if len(known) > 1:
        raise DatasetError(f"{where} has regions of images of several sizes.", "Export the task anew.")
    if not known and sizes is None:
        raise DatasetError(
            f"{where} has no region, and so no size of its image {name}.", "Name the folder of the images: --images."
        )
    height, width = known.pop() if known else sizes(name)  # type: ignore[misc]
    check_size(height, width, f"{where} ({name})")
    shapes = []
    for number, region in enumerate(chosen):
        read_region = partial(
            _shape, region, height, width, f"{where}, region {region.id or number} ({name})", problems
        )
        shape = problems.guard(read_region)
        if shape is not None:
            shapes.append(shape)
    return ImageLabels(width=width, height=height, shapes=tuple(shapes))


def _count_sayings(regions: Sequence[Region]) -> int:
    return sum(region.type in _SAYINGS for region in regions)


def _shape(region: Region, height: int, width: int, where: str, problems: Problems) -> Shape:
    """The object of a region.

    Raises:
        DatasetError: It is of a kind that labels do not have here, or does not fit its image.
    """
    if region.type not in KINDS:
        raise DatasetError(
            f"{where} is of kind {region.type!r}; boxes, polygons and brush masks are read.",
            "Draw it as a polygon or with the brush, or leave it out: --skip-bad.",
        )
    if region.image_rotation:
        raise DatasetError(
            f"{where} was drawn on an image that was rotated by {region.image_rotation:g} degrees in Label Studio.",
            "Rotate it back there, or the image file itself.",
        )
    try:
        value = msgspec.json.decode(region.value, type=Value)
    except msgspec.MsgspecError as error:
        raise DatasetError(f"{where} is no region of Label Studio: {error}.") from error
    names: list[str] = getattr(value, region.type)
    if len(names) != 1:
        raise DatasetError(f"{where} has {len(names)} classes: {', '.join(names) or 'none'}.", "Give it one.")
    shape = _drawn(value, names[0], region.score, height, width, where)
    problems.change("Rotated boxes become polygons: {}.", bool(value.rotation) and bool(shape.polygons))
    check_shape(shape, height, width, where)
    return shape


def _drawn(value: Value, category: str, score: float | None, height: int, width: int, where: str) -> Shape:
    if value.rle is not None:
        lengths = label_studio_brush.decode(bytes(value.rle), height, width, where)
        return Shape(category=category, runs=tuple(lengths.tolist()), score=score)
    if value.points is not None:
        ring = in_pixels([number for point in value.points for number in point], height, width)
        return Shape(category=category, polygons=(Polygon(ring),), score=score)
    if value.x is None or value.y is None or value.width is None or value.height is None:
        raise DatasetError(f"{where} has neither points, nor a mask, nor a box.")
    left, top, across, down = in_pixels((value.x, value.y, value.width, value.height), height, width)
    if not value.rotation:
        return Shape(category=category, box=Box(left, top, across, down), score=score)
    # Clockwise around the corner that is the upper left one of the box before it is rotated.
    cosine, sine = math.cos(math.radians(value.rotation)), math.sin(math.radians(value.rotation))
    corners = [(left + x * cosine - y * sine, top + x * sine + y * cosine) for x, y in _corners(across, down)]
    ring = tuple(round(number, DECIMALS) for corner in corners for number in corner)
    return Shape(category=category, polygons=(Polygon(ring),), score=score)


def _corners(across: float, down: float) -> tuple[tuple[float, float], ...]:
    return (0, 0), (across, 0), (across, down), (0, down)
