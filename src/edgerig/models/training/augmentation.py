"""Training images turned, scaled, shifted and mirrored at random, with their masks or boxes moved alike.

An image is read bilinearly and continues beyond its border with the border's pixels; of a mask each pixel takes the
class of the nearest one, and what comes from outside is ignored. So no class is invented, between two or beyond.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.box_truth import AREA, THERE, Frame, to_input

Floats = NDArray[np.float64]
#: Class of a pixel that came from outside of the mask: negative ones are ignored.
OUTSIDE = -1
#: Share of a box that must remain inside for it to be learnt.
LEAST_INSIDE = 0.25


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """How far images are moved, each by random amounts of its own.

    Attributes:
        rotation: Largest angle in degrees, either way.
        scale: Smallest and largest factor; halving is as likely as doubling.
        shift: Largest shift, as a share of height and of width, either way.
        mirror: Whether every other one is mirrored, left to right.
    """

    rotation: Annotated[float, msgspec.Meta(ge=0, le=180)] = 15.0
    scale: tuple[float, float] = (0.5, 2.0)
    shift: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    mirror: bool = True

    def draw(self, count: int, size: tuple[int, ...], rng: np.random.Generator) -> Floats:
        """Where the pixels of ``count`` images go: matrices, shape (count, 2, 3), from (x, y, 1) before to (x, y)
        after, about the centre of an image of ``size``, height and width, whose first pixel lies at (0, 0)."""
        height, width = size
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation, count))
        factor = np.exp(rng.uniform(math.log(self.scale[0]), math.log(self.scale[1]), count))
        shifts = rng.uniform(-self.shift, self.shift, (count, 2)) * (width, height)
        mirrored = np.where(rng.random(count) < 0.5, -1.0, 1.0) if self.mirror else np.ones(count)
        linear = np.empty((count, 2, 2))
        linear[:, 0, 0], linear[:, 0, 1] = np.cos(angle) * mirrored, -np.sin(angle)
        linear[:, 1, 0], linear[:, 1, 1] = np.sin(angle) * mirrored, np.cos(angle)
        linear *= factor[:, None, None]
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        return np.concatenate([linear, (centre + shifts - linear @ centre)[..., None]], axis=-1)


def moved_images(images: NDArray[np.float32], matrices: Floats) -> NDArray[np.float32]:
    """Images, shape (n, H, W, C), moved by ``matrices``, (n, 2, 3): a copy."""
    moved = np.empty_like(images)
    for index, (image, matrix) in enumerate(zip(images, matrices, strict=True)):
        moved[index] = _bilinear(image, *_sources(matrix, *image.shape[:2]))
    return moved


def moved_masks(masks: NDArray[np.int32], matrices: Floats) -> NDArray[np.int32]:
    """Masks, shape (n, H, W), moved by ``matrices``, (n, 2, 3): a copy, `OUTSIDE` where nothing is known."""
    moved = np.empty_like(masks)
    height, width = masks.shape[1:]
    for index, (mask, matrix) in enumerate(zip(masks, matrices, strict=True)):
        x, y = (np.rint(each).astype(np.int64) for each in _sources(matrix, height, width))
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        moved[index] = np.where(inside, mask[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)], OUTSIDE)
    return moved


def moved_boxes(truth: NDArray[Any], matrices: Floats) -> Floats:
    """Boxes as `edgerig.tasks.box_truth` packs them, shape (n, 1 + m, `ROW`), moved by ``matrices``, (n, 2, 3).

    A box becomes the smallest upright one around its moved corners, cut off at the border; those of which less than a
    quarter is left are dropped. Its frame becomes that of the network's input itself.
    """
    moved = np.array(truth, np.float64)
    width, height = truth[:, 0, 4], truth[:, 0, 5]
    left, top, wide, high = np.moveaxis(to_input(truth[:, 1:, :4], truth[:, 0]), -1, 0)
    # Pixels are squares around their coordinates: the border of the first one lies at -0.5.
    corners = np.stack(
        [
            np.stack([left + a * wide - 0.5, top + b * high - 0.5, np.ones_like(left)], -1)
            for a in (0, 1)
            for b in (0, 1)
        ]
    )
    points = np.einsum("nij,cnmj->cnmi", matrices, corners) + 0.5
    low, far = points.min(0), points.max(0)
    whole = np.prod(far - low, -1)
    size = np.stack([width, height], -1)[:, None]
    low, far = np.clip(low, 0, size), np.clip(far, 0, size)
    sides = far - low
    moved[:, 1:, :2], moved[:, 1:, 2:4] = low, sides
    stays = (truth[:, 1:, THERE] > 0) & (np.prod(sides, -1) >= LEAST_INSIDE * whole) & (whole > 0)
    moved[:, 1:, THERE] = stays
    moved[:, 1:, AREA] = np.prod(sides, -1)
    moved[:, 0] = [Frame(1, 1, 0, 0, w, h, w, h) for w, h in zip(width, height, strict=True)]
    return moved


def _sources(matrix: Floats, height: int, width: int) -> tuple[Floats, Floats]:
    """Where each pixel of a moved image comes from: x and y, shape (H, W) each."""
    inverse = np.linalg.inv(matrix[:, :2])
    back = inverse @ matrix[:, 2]
    x, y = np.arange(width), np.arange(height)[:, None]
    return (
        inverse[0, 0] * x + inverse[0, 1] * y - back[0],
        inverse[1, 0] * x + inverse[1, 1] * y - back[1],
    )


def _bilinear(image: NDArray[np.float32], x: Floats, y: Floats) -> NDArray[np.float32]:
    """An image, (H, W, C), read at x and y, between its pixels and beyond its border."""
    height, width = image.shape[:2]
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = np.minimum(x.astype(np.int64), max(width - 2, 0)), np.minimum(y.astype(np.int64), max(height - 2, 0))
    right, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = (x - left).astype(np.float32)[..., None], (y - top).astype(np.float32)[..., None]
    upper = image[top, left] * (1 - across) + image[top, right] * across
    lower = image[below, left] * (1 - across) + image[below, right] * across
    return np.asarray(upper * (1 - down) + lower * down, np.float32)
