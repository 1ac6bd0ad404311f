"""What is right of images with boxes, as a dataset hands it to the task `detection`.

A box is ``(x, y, width, height)`` in pixels of the image as it was annotated. How the preprocessing has moved the image
travels with the boxes, as a `Frame`, so that what a network predicts can be moved back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.metrics.box_matching import Objects

Floats = NDArray[np.float64]
#: Numbers of a row: of the first, a `Frame`; of each other a box, its class, whether it is a crowd, its area, and 1.
ROW = 8
#: Columns of a box's row.
LABEL, CROWD, AREA, THERE = 4, 5, 6, 7


class Frame(NamedTuple):
    """Where an image lies in a network's input: ``x' = scale_x * x + left``, ``y' = scale_y * y + top``; in pixels."""

    scale_x: float
    scale_y: float
    left: float
    top: float
    input_width: float
    input_height: float
    image_width: float
    image_height: float


class ImageBoxes(msgspec.Struct, frozen=True):
    """The annotated boxes of one image.

    Attributes:
        boxes: Shape (m, 4), float64: left, top, width, height.
        labels: Class indices, (m,).
        crowd: Which stand for a group of objects, (m,); by default none.
        areas: Of the objects themselves, in square pixels, (m,); by default those of the boxes.
    """

    boxes: Floats
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_] | None = None
    areas: Floats | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self) -> Floats:
        """The boxes as rows of what is right, (m, `ROW`)."""
        rows = np.ones((len(self), ROW))
        rows[:, :LABEL] = self.boxes
        rows[:, LABEL] = self.labels
        rows[:, CROWD] = 0 if self.crowd is None else self.crowd
        rows[:, AREA] = self.boxes[:, 2] * self.boxes[:, 3] if self.areas is None else self.areas
        return rows


def pack(frames: Sequence[Frame], boxes: Sequence[ImageBoxes], most: int) -> Floats:
    """What is right of n images, shape (n, 1 + most, `ROW`), float64.

    Args:
        frames: Of each image. boxes: Of each image, ``most`` at most.
        most: Boxes of the image that has most of them, so that all portions have one shape.

    >>> image = ImageBoxes(np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([5]))
    >>> packed = pack([Frame(1, 1, 0, 0, 8, 8, 8, 8)], [image], 2)
    >>> packed.shape, packed[0, 1].tolist()
    ((1, 3, 8), [1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 12.0, 1.0])
    """
    packed = np.zeros((len(boxes), 1 + most, ROW))
    for row, (frame, image) in enumerate(zip(frames, boxes, strict=True)):
        packed[row, 0] = frame
        packed[row, 1 : 1 + len(image)] = image.rows()
    return packed


def objects_of(rows: Floats) -> Objects:
    """The boxes of n images, (n, most, `ROW`), in one list."""
    image, row = np.nonzero(rows[..., THERE] > 0)
    chosen = rows[image, row]
    return Objects(
        image.astype(np.int64),
        chosen[:, LABEL].astype(np.int64),
        chosen[:, :LABEL],
        chosen[:, CROWD] > 0,
        chosen[:, AREA],
    )


def to_image(boxes: NDArray[Any], frames: Floats, *, relative: bool | NDArray[np.bool_]) -> Floats:
    """Boxes in a network's input, moved back into the image and cut at its borders.

    Args:
        boxes: Shape (n, m, 4), in pixels of the input or, where ``relative``, in shares of its sides.
        frames: The first rows of `pack`, shape (n, `ROW`).
        relative: See ``boxes``; for all of them, or for each, (n, m).

    Returns:
        Shape (n, m, 4), in pixels of the image; sides are never negative.

    >>> frame = np.array([[0.5, 0.5, 0, 10, 100, 100, 200, 160]])
    >>> to_image(np.array([[[0.5, 0.5, 0.6, 0.25]]]), frame, relative=True).tolist()
    [[[100.0, 80.0, 100.0, 50.0]]]
    """
    scale, offset, size, image = (
        frames[:, None, part] for part in (slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8))
    )
    near = boxes[..., :2].astype(np.float64)
    far = near + boxes[..., 2:]
    size = np.where(np.broadcast_to(relative, boxes.shape[:-1])[..., None], size, 1.0)
    near, far = near * size, far * size
    near, far = (np.clip((corner - offset) / scale, 0, image) for corner in (near, far))
    return np.concatenate([near, np.maximum(far - near, 0)], axis=-1)


def to_input(boxes: NDArray[Any], frames: Floats) -> Floats:
    """Boxes in an image, shape (n, m, 4), moved to where they lie in a network's input, in its pixels."""
    scale, offset = frames[:, None, 0:2], frames[:, None, 2:4]
    return np.concatenate([boxes[..., :2] * scale + offset, boxes[..., 2:] * scale], axis=-1)
