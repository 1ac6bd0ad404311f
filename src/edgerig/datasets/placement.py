"""Where an image lies in a network's input: stretched, padded or cropped; and what lies in it follows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.tasks.box_truth import Frame

Array = NDArray[Any]


class Placement(NamedTuple):
    """An image is resized to ``height`` by ``width``; its corner then lies at ``top`` and ``left`` of the input.

    Attributes:
        height, width: Of the resized image, in pixels.
        top, left: Negative where the image is cut there.
        size: Height and width of the input.
    """

    height: int
    width: int
    top: int
    left: int
    size: tuple[int, int]


def placement_of(preprocessing: Preprocessing, height: int, width: int) -> Placement:
    """Where an image of ``height`` by ``width`` pixels lies in the network's input.

    >>> placement_of(Preprocessing(resize=(64, 64), fit="letterbox"), 48, 96)
    Placement(height=32, width=64, top=16, left=0, size=(64, 64))
    >>> placement_of(Preprocessing(resize=(64, 64), fit="crop"), 48, 96)
    Placement(height=64, width=128, top=0, left=-32, size=(64, 64))
    """
    size = preprocessing.resize
    if size is None:
        return Placement(height, width, 0, 0, (height, width))
    if preprocessing.fit == "stretch":
        return Placement(*size, 0, 0, size)
    factors = size[0] / height, size[1] / width
    factor = {"letterbox": min(factors), "crop": max(factors), "center": 1.0}[preprocessing.fit]
    new_height, new_width = max(1, round(height * factor)), max(1, round(width * factor))
    return Placement(new_height, new_width, (size[0] - new_height) // 2, (size[1] - new_width) // 2, size)


def frame_of(preprocessing: Preprocessing, height: int, width: int) -> Frame:
    """The same for boxes, which move with the image.

    >>> frame_of(Preprocessing(resize=(96, 128)), 192, 192)[:4]
    (0.6666666666666666, 0.5, 0, 0)
    """
    at = placement_of(preprocessing, height, width)
    return Frame(at.width / width, at.height / height, at.left, at.top, at.size[1], at.size[0], width, height)


def place(image: Array, at: Placement, fill: float) -> Array:
    """A resized image, (H, W, ...), in an input of ``at.size``; ``fill`` where it does not reach.

    Args:
        image: Of ``at.height`` by ``at.width`` pixels.
        at: Where it lies.
        fill: The value of what lies around it.
    """
    if image.shape[:2] == at.size and not (at.top or at.left):
        return image
    placed = np.full((*at.size, *image.shape[2:]), fill, image.dtype)
    (rows, from_rows), (columns, from_columns) = (
        _shared(offset, length, size)
        for offset, length, size in zip((at.top, at.left), image.shape[:2], at.size, strict=True)
    )
    placed[rows, columns] = image[from_rows, from_columns]
    return placed


def place_masks(masks: Array, preprocessing: Preprocessing, outside: int) -> Array:
    """Masks, (n, H, W), moved as their images are: by the nearest pixel, centres aligned; ``outside`` around them.

    >>> place_masks(np.array([[[0, 1]]]), Preprocessing(resize=(1, 4)), -1).tolist()
    [[[0, 0, 1, 1]]]
    >>> place_masks(np.array([[[0, 1]]]), Preprocessing(resize=(2, 2), fit="center"), -1).tolist()
    [[[0, 1], [-1, -1]]]
    """
    height, width = masks.shape[1:]
    at = placement_of(preprocessing, height, width)
    if at == (height, width, 0, 0, (height, width)):
        return masks
    rows, columns = _nearest(height, at.height), _nearest(width, at.width)
    return np.stack([place(mask[rows[:, None], columns], at, outside) for mask in masks])


def _shared(offset: int, length: int, size: int) -> tuple[slice, slice]:
    """The part of an axis of ``size`` that ``length`` pixels from ``offset`` cover, and which pixels these are."""
    first, last = max(0, offset), min(size, offset + length)
    return slice(first, last), slice(first - offset, last - offset)


def _nearest(old: int, new: int) -> NDArray[np.int64]:
    """The pixel of an axis of ``old`` pixels for each of ``new``."""
    return np.asarray((2 * np.arange(new) + 1) * old // (2 * new))
