"""From a network's outputs to detections: the usual heads, and non-maximum suppression on the host.

A detection is a row of `COLUMNS` numbers: left, top, width, height as the network has them, score, class, and 1 where
the box is in shares of the input's sides, 0 where it is in pixels. Rows without a detection have the class -1 and are 0
otherwise. What is kept has its boxes in pixels of the image, and not the last number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import IncompatibleError
from edgerig.tasks.metrics.box_matching import Detections
from edgerig.tasks.metrics.boxes import suppress

Array = NDArray[Any]
#: ``yolo``: a row a candidate: centre, width, height, and a score for each class. ``yolo_objectness``: with a score
#: before them that they are multiplied by. ``yolox``: the same, its centres and sides undecoded, as YOLOX exports them.
#: ``boxes``: left, top, right, bottom, score, class; suppressed already.
Head = Literal["yolo", "yolo_objectness", "yolox", "boxes"]
#: Where the numbers of a candidate lie: ``rows`` for the last axis, ``columns`` for the one after the batch; the other
#: axes, one or two, count candidates.
Layout = Literal["rows", "columns"]
COLUMNS = 7
#: Numbers of a kept detection, and of a candidate of the head ``boxes``.
KEPT_COLUMNS = 6
#: Columns of a detection.
SCORE, LABEL, RELATIVE = 4, 5, 6
#: Candidates that are looked at, of the highest scores, as many as the authors of YOLO take.
MOST_CANDIDATES = 30_000
#: Numbers of a box, before the scores.
BOX = 4
#: Pixels of the input between two candidates of YOLOX's three grids, in their order.
STRIDES = (8, 16, 32)
#: Largest logarithm of a side in strides: a candidate that has more is none, and its side must stay a number.
LARGEST_LOG_SIDE = 30.0


class Form(NamedTuple):
    """What one output holds, and how it lies."""

    head: Head
    layout: Layout


def form_of(spec: TensorSpec, classes: int, head: Head | None, layout: Layout | None) -> Form:
    """The form of an output, recognized by its shape as far as it is not told.

    Args:
        spec: The output, the batch in front; an axis of unknown size is -1.
        classes: Number of classes.
        head, layout: Where they are told.

    Raises:
        IncompatibleError: No form fits, or several do.
    """
    widths = _widths(classes)
    axes: dict[Layout, int] = {"rows": -1, "columns": 1}
    fitting = [
        Form(name, order)
        for name, width in widths.items()
        # Shapes do not tell it from candidates that are decoded.
        if name != "yolox" or head == "yolox"
        for order, axis in axes.items()
        if len(spec.shape) in ((3,) if name == "boxes" else (3, 4))
        and spec.shape[axis] == width
        and head in (None, name)
        and layout in (None, order)
    ]
    if len(fitting) == 1:
        return fitting[0]
    names = {form.head for form in fitting}
    if len(names) > 1:
        raise IncompatibleError(
            f"The output {spec.name!r} of shape {list(spec.shape)} may be any of {', '.join(sorted(names))}, with "
            f"{classes} classes.",
            "Say which: the setting 'head' of the task detection.",
        )
    if fitting:
        raise IncompatibleError(
            f"The output {spec.name!r} of shape {list(spec.shape)} may hold its candidates in rows or in columns.",
            "Say which: the setting 'layout' of the task detection.",
        )
    raise IncompatibleError(
        f"The output {spec.name!r} of shape {list(spec.shape)} holds no detections of {classes} classes in a known "
        f"form: (batch, candidates, {widths['yolo']}), with objectness (batch, candidates, "
        f"{widths['yolo_objectness']}), or (batch, boxes, {KEPT_COLUMNS}).",
        "Judge another output, --output NAME, or give the dataset that the network was trained for.",
    )


def rows_of(values: Array, form: Form, classes: int, frame: Sequence[int] | None = None) -> Array:
    """An output of n samples, (n, ...), with a row for each candidate: (n, candidates, numbers).

    Args:
        values, form, classes: The output, what it holds, and of how many classes.
        frame: Height and width of the network's input, which ``yolox`` takes; None for a square one.

    Raises:
        IncompatibleError: Of ``yolox``, an input of that size has another number of candidates.
    """
    width = _widths(classes)[form.head]
    if form.layout == "rows":
        rows = values.reshape(len(values), -1, width)
    else:
        rows = values.reshape(len(values), width, -1).swapaxes(1, 2)
    return _decoded(rows, frame) if form.head == "yolox" else rows


def _decoded(rows: Array, frame: Sequence[int] | None) -> Array:
    """Rows of YOLOX, (n, candidates, numbers), with centres and sides in pixels.

    A candidate at the place (x, y) of a grid has ``centre = (t + (x, y)) * stride`` and ``sides = exp(t) * stride``.
    """
    count = rows.shape[1]
    square = round(math.sqrt(count / sum(1 / stride**2 for stride in STRIDES)))
    height, width = frame if frame is not None else (square, square)
    places, strides = [], []
    for stride in STRIDES:
        y, x = np.divmod(np.arange((height // stride) * (width // stride)), max(width // stride, 1))
        places.append(np.stack([x, y], axis=1))
        strides.append(np.full((len(x), 1), stride))
    grid, step = np.concatenate(places), np.concatenate(strides)
    if len(grid) != count:
        raise IncompatibleError(
            f"YOLOX has {len(grid):,} candidates for an input of {height}x{width}, and the network gives {count:,}.",
            "Tell the input's height and width: 'frame: [416, 640]' of the task detection.",
        )
    decoded = rows.astype(np.float32)
    decoded[..., :2] = (decoded[..., :2] + grid) * step
    decoded[..., 2:BOX] = np.exp(np.minimum(decoded[..., 2:BOX], LARGEST_LOG_SIDE)) * step
    return decoded


def detect(
    rows: Array, head: Head, *, threshold: float, overlap: float, most: int, relative: bool
) -> NDArray[np.float32]:
    """The detections of one sample, (most, `COLUMNS`), by falling score.

    Every class of a candidate whose score reaches ``threshold`` is a detection of its own.

    Args:
        rows: From `rows_of`, (candidates, numbers).
        head: What they hold.
        threshold: Lowest score.
        overlap: Largest intersection over union of two detections of one class that both stay.
        most: Detections that stay at most.
        relative: Whether boxes are in shares of the input's sides.
    """
    if head == "boxes":
        chosen = np.flatnonzero(rows[:, SCORE] >= threshold)
        boxes = np.concatenate([rows[chosen, :2], np.maximum(rows[chosen, 2:4] - rows[chosen, :2], 0)], axis=1)
        scores, labels = rows[chosen, SCORE], np.rint(rows[chosen, LABEL]).astype(np.int64)
        stay = np.argsort(-scores, kind="stable")[:most]
    else:
        scored = rows[:, BOX:] if head == "yolo" else rows[:, BOX + 1 :] * rows[:, BOX : BOX + 1]
        candidates, labels = np.nonzero(scored >= threshold)
        scores = scored[candidates, labels]
        order = np.argsort(-scores, kind="stable")[:MOST_CANDIDATES]
        candidates, labels, scores = candidates[order], labels[order], scores[order]
        sides = np.maximum(rows[candidates, 2:BOX], 0)
        boxes = np.concatenate([rows[candidates, :2] - sides / 2, sides], axis=1)
        stay = suppress(boxes, scores, labels, overlap, most)
    return _padded(boxes[stay], scores[stay], labels[stay], most, relative)


def detections_of(rows: Array) -> Detections:
    """Detections of n images, (n, most, numbers), in one list, without the rows that hold none."""
    image, row = np.nonzero(rows[..., LABEL] >= 0)
    chosen = rows[image, row].astype(np.float64)
    return Detections(image.astype(np.int64), chosen[:, LABEL].astype(np.int64), chosen[:, SCORE], chosen[:, :BOX])


def _widths(classes: int) -> dict[Head, int]:
    """Numbers of a candidate."""
    with_objectness = BOX + 1 + classes
    return {"yolo": BOX + classes, "yolo_objectness": with_objectness, "yolox": with_objectness, "boxes": KEPT_COLUMNS}


def _padded(boxes: Array, scores: Array, labels: Array, most: int, relative: bool) -> NDArray[np.float32]:
    padded = np.zeros((most, COLUMNS), np.float32)
    padded[:, LABEL] = -1
    there = slice(len(boxes))
    padded[there, :BOX], padded[there, SCORE], padded[there, LABEL] = boxes, scores, labels
    padded[there, RELATIVE] = relative
    return padded
