"""Images with boxes drawn into them, small enough for a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.pictures import as_rgb

Array = NDArray[Any]
Colour = tuple[int, int, int]
#: Colours that are told apart without full colour vision (Okabe and Ito, 2008).
MATCHED: Colour = (0, 158, 115)
MISSED: Colour = (230, 159, 0)
DETECTED: Colour = (86, 180, 233)
INVENTED: Colour = (204, 121, 167)
#: Longest side of a picture, in pixels: smaller images are enlarged and larger ones reduced by a whole factor.
SIDE = 192
#: Bits of a colour that are left out, so that photographs take fewer bytes.
DROPPED_BITS = 3


def draw_boxes(image: Array, boxes: Array, colours: Sequence[Colour]) -> NDArray[np.uint8] | None:
    """An image with boxes.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3); uint8, or float in 0..1.
        boxes: Shape (m, 4): left, top, width, height in its pixels. Later ones are drawn above earlier ones.
        colours: Of each box.

    Returns:
        RGB, uint8; None for samples that are no image.
    """
    picture = as_rgb(image)
    if picture is None:
        return None
    longest = max(picture.shape[:2])
    factor = 1.0
    if longest > SIDE:
        step = -(-longest // SIDE)
        picture, factor = _reduced(picture, step), 1 / step
    elif longest <= SIDE // 2:
        grown = SIDE // longest
        picture, factor = picture.repeat(grown, axis=0).repeat(grown, axis=1), float(grown)
    picture = np.ascontiguousarray(picture >> DROPPED_BITS << DROPPED_BITS)
    height, width = picture.shape[:2]
    for (left, top, across, down), colour in zip(boxes, colours, strict=True):
        limit = (width - 1, height - 1)
        first = np.clip(np.floor(np.array((left, top)) * factor).astype(int), 0, limit)
        last = np.clip(np.ceil(np.array((left + across, top + down)) * factor).astype(int) - 1, first, limit)
        rows, columns = slice(first[1], last[1] + 1), slice(first[0], last[0] + 1)
        for part in ((first[1], columns), (last[1], columns), (rows, first[0]), (rows, last[0])):
            picture[part] = colour
    return picture


def _reduced(picture: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """The mean of each square of ``step`` by ``step`` pixels."""
    height, width = (max(1, size // step) for size in picture.shape[:2])
    rows = np.arange(height) * step
    sums = np.add.reduceat(picture[: height * step].astype(np.float64), rows, axis=0)
    sums = np.add.reduceat(sums[:, : width * step], np.arange(width) * step, axis=1)
    counts = min(step, picture.shape[0]) * min(step, picture.shape[1])
    return np.asarray(sums / counts, np.uint8)
