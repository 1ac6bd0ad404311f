"""Operations on the labels of a picture: what people, and networks, do to them.

Every change is an operation with an id that the page gives it, so that it counts once however often it is sent, and
with the revision of the picture that it was made upon. The labels of a picture are those that it had, and all of its
operations in the order in which the server took them (`edgerig.serve.labels.document`).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Literal

import msgspec

from edgerig.errors import RequestError

#: Most numbers in one operation: of a stroke's points, or of a polygon's.
MOST_NUMBERS = 40_000
#: Largest radius of the pen, and how far outside of the picture it may be, in pixels.
LARGEST_RADIUS, OUTSIDE = 512, 1024
#: Longest id, and longest name of a person.
LONGEST_ID, LONGEST_NAME = 80, 60
#: Most shapes that one operation accepts.
MOST_SHAPES = 10_000

State = Literal["unlabelled", "done", "doubtful"]
Name = str


class Box(msgspec.Struct, frozen=True, tag="box", tag_field="type", forbid_unknown_fields=True):
    """A box: left, top, width and height in pixels from the picture's upper left corner."""

    id: str
    label: Name
    box: tuple[float, float, float, float]


class Polygon(msgspec.Struct, frozen=True, tag="polygon", tag_field="type", forbid_unknown_fields=True):
    """An object outlined by polygons.

    Attributes:
        parts: Each a ring of x, y, x, y, .. and those of its holes.
    """

    id: str
    label: Name
    parts: tuple[tuple[tuple[float, ...], ...], ...]


class Pixels(msgspec.Struct, frozen=True, tag="mask", tag_field="type", forbid_unknown_fields=True):
    """A mask: runs of pixels, row by row (`edgerig.serve.labels.raster.runs_of`)."""

    id: str
    label: Name
    runs: tuple[int, ...]


Shape = Box | Polygon | Pixels


class _Operation(msgspec.Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True):
    """Base of operations."""


class Stroke(_Operation, frozen=True, tag="stroke"):
    """The pen paints a mask, and takes its pixels from all others; or it erases.

    Attributes:
        mask: The mask; it begins with the first stroke. Empty of an eraser that erases all masks.
        label: Class of a mask that begins.
        radius: Of the pen. points: x, y, x, y, .. of pixels.
    """

    mask: str
    label: Name
    radius: int
    points: tuple[int, ...]
    erase: bool = False


class Fill(_Operation, frozen=True, tag="fill"):
    """The pixels within an outline are painted, or erased, as by a stroke.

    Attributes:
        mask, label, erase: See `Stroke`.
        points: x, y, x, y, .. of corners of pixels; the last one is joined to the first.
    """

    mask: str
    label: Name
    points: tuple[int, ...]
    erase: bool = False


class Put(_Operation, frozen=True, tag="put"):
    """A box or a polygon is there, or has changed."""

    shape: Box | Polygon


class Delete(_Operation, frozen=True, tag="delete"):
    """A shape goes; it stays if another person changed it meanwhile."""

    shape: str


class Relabel(_Operation, frozen=True, tag="relabel"):
    """A shape has another class."""

    shape: str
    label: Name


class Accept(_Operation, frozen=True, tag="accept"):
    """Shapes that a network proposed are right; ``label`` says the same of the class of the picture."""

    shapes: tuple[str, ...]
    label: bool = False


class Classify(_Operation, frozen=True, tag="classify"):
    """The class of the whole picture; None for none."""

    label: Name | None


class Mark(_Operation, frozen=True, tag="mark"):
    """How far the picture is."""

    state: State


class Undo(_Operation, frozen=True, tag="undo"):
    """An operation is taken back."""

    target: str


class Redo(_Operation, frozen=True, tag="redo"):
    """An operation that was taken back counts again."""

    target: str


class Propose(_Operation, frozen=True, tag="propose"):
    """A network's answer; made by the server alone.

    Attributes:
        model: Its name. shapes: What it sees, each with its score. label: The class of the picture, with its score.
    """

    model: str
    shapes: tuple[Shape, ...] = ()
    scores: tuple[float, ...] = ()
    label: Name | None = None
    score: float = 0.0


#: What a page may send.
PageOperation = Stroke | Fill | Put | Delete | Relabel | Accept | Classify | Mark | Undo | Redo
Operation = PageOperation | Propose


class Record(msgspec.Struct, frozen=True):
    """An operation as the server took it.

    Attributes:
        picture: Name of the picture. revision: Of the picture, from 1. id: The operation's.
        who: The person; empty for the server. upon: The revision that the page knew. time: In seconds since 1970.
    """

    picture: str
    revision: int
    id: str
    who: str
    upon: int
    time: float
    operation: Operation


def check(operation: PageOperation, classes: Collection[str], width: int, height: int) -> None:
    """Check an operation of a page against its picture.

    Raises:
        RequestError: Its class is not one of the dataset's, or it lies outside of the picture, or is too large.
    """
    if isinstance(operation, Put):
        _check_shape(operation.shape, classes, width, height)
    elif isinstance(operation, Stroke | Fill):
        _check_painting(operation, classes, width, height)
    elif isinstance(operation, Relabel):
        _check_id(operation.shape)
        _check_class(operation.label, classes)
    elif isinstance(operation, Classify):
        if operation.label is not None:
            _check_class(operation.label, classes)
    elif isinstance(operation, Undo | Redo):
        _check_id(operation.target)
    elif isinstance(operation, Delete):
        _check_id(operation.shape)
    elif isinstance(operation, Accept):
        if len(operation.shapes) > MOST_SHAPES:
            raise RequestError(f"More than {MOST_SHAPES} shapes are accepted at once.")
        for name in operation.shapes:
            _check_id(name)


def _check_id(name: str) -> None:
    if not 0 < len(name) <= LONGEST_ID or not name.isprintable():
        raise RequestError(f"An id has 1 to {LONGEST_ID} characters.")


def _check_class(label: str, classes: Collection[str]) -> None:
    if label not in classes:
        raise RequestError(f"The dataset has no class {label[:LONGEST_ID]!r}.")


def _check_painting(operation: Stroke | Fill, classes: Collection[str], width: int, height: int) -> None:
    if operation.mask or not operation.erase:
        _check_id(operation.mask)
    if not operation.erase:
        _check_class(operation.label, classes)
    points = operation.points
    fewest = 1 if isinstance(operation, Stroke) else 3
    if len(points) < 2 * fewest or len(points) % 2 or len(points) > MOST_NUMBERS:
        raise RequestError(f"It has {fewest} to {MOST_NUMBERS // 2} points.")
    if isinstance(operation, Stroke) and not 0 <= operation.radius <= LARGEST_RADIUS:
        raise RequestError(f"The radius of the pen is 0 to {LARGEST_RADIUS} pixels.")
    margin = OUTSIDE if isinstance(operation, Stroke) else 0
    _check_within(points[::2], width, margin)
    _check_within(points[1::2], height, margin)


def _check_shape(shape: Box | Polygon, classes: Collection[str], width: int, height: int) -> None:
    _check_id(shape.id)
    _check_class(shape.label, classes)
    if isinstance(shape, Box):
        left, top, wide, high = shape.box
        if not (wide > 0 and high > 0):
            raise RequestError("A box has a width and a height above 0.")
        _check_within((left, left + wide), width)
        _check_within((top, top + high), height)
        return
    rings = [ring for part in shape.parts for ring in part]
    if not all(shape.parts) or not rings or sum(map(len, rings)) > MOST_NUMBERS:
        raise RequestError(f"A polygon has a ring, and at most {MOST_NUMBERS // 2} points.")
    for ring in rings:
        if len(ring) < 6 or len(ring) % 2:
            raise RequestError("Each ring of a polygon has at least three points.")
        _check_within(ring[::2], width)
        _check_within(ring[1::2], height)


def _check_within(values: Collection[float], size: int, margin: int = 0) -> None:
    if not all(math.isfinite(value) for value in values) or min(values) < -margin or max(values) > size + margin:
        raise RequestError("It lies outside of the picture.")
