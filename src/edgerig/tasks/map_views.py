"""What a report shows of class maps: pictures with the masks, the network's class maps, and where these differ.

For that, a small copy of mask and class map is kept of each image: at most `SIDE` pixels along a side, every so many
rows and columns of the map. The tables are made of all pixels.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.metrics import segmentation as metrics
from edgerig.tasks.pictures import as_rgb, picture_of
from edgerig.tasks.samples import LabelledSamples
from edgerig.views import Gallery, Item

Array = NDArray[Any]
#: Longest side of a copy that is kept, in pixels.
SIDE = 64
#: Value of a pixel that is not judged, in a copy.
IGNORED = 255
#: Images of a gallery, and the longest side of each of the pictures of one, in pixels.
IMAGES, SHOWN = 8, 128
#: Share of a class's colour over the image.
OVERLAY = 0.55
#: Bits of a colour that are left out, so that photographs take fewer bytes.
DROPPED_BITS = 3
#: Colours that are told apart without full colour vision (Okabe and Ito, 2008); the first class is not coloured.
COLOURS = np.array(
    [(0, 158, 115), (230, 159, 0), (86, 180, 233), (204, 121, 167), (240, 228, 66), (0, 114, 178), (213, 94, 0)]
)
#: Colours of pixels that differ, and of those that are not judged.
WRONG, UNJUDGED = np.array((255, 0, 80)), np.array((128, 128, 128))
#: Pixels between two pictures of an image.
GAP = 4


def small_copies(truth: Array, predicted: Array) -> NDArray[np.uint8]:
    """Small copies of masks and class maps, for `map_gallery`.

    Args:
        truth: Class indices, shape (n, H, W); negative where a pixel is ignored.
        predicted: Class indices, shape (n, H, W).

    Returns:
        Shape (n, 2, h, w): masks, with `IGNORED` for ignored pixels, and class maps.

    >>> small_copies(np.array([[[0, -1]]]), np.array([[[0, 1]]])).tolist()
    [[[[0, 255]], [[0, 1]]]]
    """
    step = max(1, -(-max(truth.shape[1:]) // SIDE))
    masks, maps = truth[:, ::step, ::step], predicted[:, ::step, ::step]
    return np.stack([np.where(masks < 0, IGNORED, masks), maps], axis=1).astype(np.uint8)


def map_gallery(copies: Array, counts: Array, classes: Sequence[str], samples: LabelledSamples) -> Gallery:
    """The images of lowest mean IoU, each as image, mask, class map and difference, two by two.

    Args:
        copies: Of n images, from `small_copies`.
        counts: Their confusion counts, shape (n, classes, classes).
        classes: Class names. samples: The samples.
    """
    overlap, accuracy = metrics.mean_iou(counts), metrics.pixel_accuracy(counts)
    judged = np.flatnonzero(counts.sum(axis=(1, 2)))
    worst = judged[np.argsort(overlap[judged], kind="stable")][:IMAGES]
    items = []
    for index in map(int, worst):
        picture = _picture(samples.raw(index), *copies[index])
        texts = (f"{overlap[index]:.3f}", f"{accuracy[index]:.1%}", _pixels(counts[index].sum(axis=1), classes))
        data = None if picture is None else picture_of(picture)
        items.append(Item((*texts, _pixels(counts[index].sum(axis=0), classes)), _text(data)))
    note = (
        "Above: image, mask. Below: class map of the network, and in red where both differ. Pixels that are not judged "
        f"are grey. Maps are shown at up to {SIDE} pixels a side; the first class has no colour."
    )
    labels = ("mean IoU", "pixel accuracy", "mask", "network")
    return Gallery("Class maps of lowest mean IoU", labels, tuple(items), len(judged), note)


def _text(picture: bytes | None) -> str | None:
    return None if picture is None else base64.b64encode(picture).decode()


def _pixels(counts: Array, classes: Sequence[str]) -> str:
    """The classes of most pixels with their shares: ``nucleus 12 %``; three at most."""
    total = max(int(counts.sum()), 1)
    order = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
    return ", ".join(f"{classes[index]} {counts[index] / total:.0%}" for index in order[:3]) or "none"


def _picture(raw: Array, mask: Array, answer: Array) -> NDArray[np.uint8] | None:
    """The four pictures of an image, two by two, RGB; None where the sample is no image."""
    rgb = as_rgb(raw)
    if rgb is None:
        return None
    image: Array = rgb
    scale = SHOWN / max(image.shape[:2])
    size = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
    image, mask, answer = (_resized(array, size) for array in (image, mask, answer))
    image = image >> DROPPED_BITS << DROPPED_BITS
    ignored = mask == IGNORED
    difference = image // 2
    difference[(mask != answer) & ~ignored] = WRONG
    overlays = [_overlaid(image, mask), _overlaid(image, answer), difference]
    for overlay in (overlays[0], overlays[2]):
        overlay[ignored] = UNJUDGED
    # Two by two, because a report shows pictures in squares.
    height, width = size
    picture = np.full((2 * height + GAP, 2 * width + GAP, 3), 255, np.uint8)
    for position, part in enumerate([image, *overlays]):
        top, left = position // 2 * (height + GAP), position % 2 * (width + GAP)
        picture[top : top + height, left : left + width] = part
    return picture


def _overlaid(image: Array, classes: Array) -> NDArray[np.uint8]:
    """The image, with the colour of each pixel's class over it."""
    coloured = (classes > 0) & (classes != IGNORED)
    colours = COLOURS[(classes.astype(int) - 1) % len(COLOURS)]
    mixed = (1 - OVERLAY) * image + OVERLAY * colours
    return np.where(coloured[..., None], mixed, image).astype(np.uint8)


def _resized(array: Array, size: tuple[int, int]) -> Array:
    """The nearest pixels for another size, shape (h, w, ...)."""
    rows, columns = (
        np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(int)
        for old, new in zip(array.shape[:2], size, strict=True)
    )
    return np.asarray(array[rows[:, None], columns])
