"""Images with masks: a class for each pixel."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.placement import place_masks
from edgerig.datasets.samples import ArraySamples, Indices
from edgerig.errors import DatasetError

Array = NDArray[Any]
#: The truth of a pixel that is not judged.
IGNORED = -1
#: Raw value of such a pixel in a mask, unless a dataset says another.
USUAL_IGNORE = 255


class MaskedSamples(ArraySamples):
    """Images in one array, masks in another.

    Args:
        array: Shape (n, H, W, C), any dtype.
        masks: Class indices, shape (n, H, W), int16; `IGNORED` where a pixel is not judged.

    Attributes:
        fingerprint: Over images and masks.
    """

    def __init__(self, array: Array, masks: NDArray[np.int16]) -> None:
        super().__init__(array)
        self.masks = masks

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]  # computed when asked for, kept from then on
        state = hashlib.sha256(f"{ArraySamples(self.array).fingerprint} {self.masks.shape}".encode())
        state.update(np.ascontiguousarray(self.masks).view(np.uint8).reshape(-1).data)
        return state.hexdigest()

    def truth(self, indices: Indices, preprocessing: Preprocessing) -> NDArray[Any]:
        return place_masks(self.masks[indices], preprocessing, IGNORED)

    def take(self, indices: NDArray[np.int64]) -> MaskedSamples:
        return MaskedSamples(self.array[indices], self.masks[indices])


def read_masks(images: Array, raw: Array, ignore: int | None, where: str) -> NDArray[np.int16]:
    """Checked masks of ``images``, shape (n, H, W, C), as `MaskedSamples` takes them.

    Args:
        images: The images.
        raw: Class indices as stored, shape (n, H, W).
        ignore: The value of pixels that are not judged, where there is one.
        where: What is read, for messages.

    Raises:
        DatasetError: The masks are of another size than the images, hold no integers or negative ones, or all pixels
            are ignored.
    """
    if raw.dtype.kind not in "iu":
        raise DatasetError(f"{where}: the masks are {raw.dtype.name}, not integers.", "Save class indices from 0.")
    if images.ndim != 4 or raw.shape != images.shape[:3]:
        raise DatasetError(
            f"{where}: the masks have the shape {list(raw.shape)}, the images {list(images.shape)}.",
            "A mask has the height and width of its image: (n, H, W) for images (n, H, W, C).",
        )
    ignored = raw == ignore if ignore is not None else np.zeros(raw.shape, bool)
    if ignored.all():
        raise DatasetError(f"{where}: all pixels of all masks have the value {ignore}, which is ignored.")
    judged = raw[~ignored]
    if judged.min() < 0 or judged.max() > np.iinfo(np.int16).max:
        raise DatasetError(f"{where}: the masks hold {judged.min()} to {judged.max()}; classes count from 0.")
    masks = raw.astype(np.int16)
    masks[ignored] = IGNORED
    return masks


def place_truth(masks: Sequence[NDArray[np.uint8]], preprocessing: Preprocessing, ignore: int) -> NDArray[np.int16]:
    """Masks of images of any sizes as the preprocessing places these, shape (n, H, W); `IGNORED` for ``ignore``.

    Raises:
        DatasetError: They are of several sizes after it.
    """
    placed = [place_masks(mask[None], preprocessing, ignore)[0] for mask in masks]
    if len({mask.shape for mask in placed}) > 1:
        raise DatasetError("Masks are of several sizes.", "Give 'size', to which images and masks are resized.")
    classes = np.stack(placed).astype(np.int16)
    return np.where(classes == ignore, np.int16(IGNORED), classes)


def check_classes(masks: NDArray[np.int16], classes: tuple[str, ...], where: str, *, all_there: bool) -> None:
    """Check that masks hold these classes only and, where ``all_there``, every one of them.

    Raises:
        DatasetError: Names the class, and the sample that holds it.
    """
    counts = np.bincount(masks[masks >= 0].ravel(), minlength=len(classes))
    if len(counts) > len(classes):
        sample = int(np.flatnonzero((masks >= len(classes)).any(axis=(1, 2)))[0])
        raise DatasetError(
            f"{where}: mask {sample} holds the class {masks[sample].max()}, but there are {len(classes)} classes.",
            "Name all classes in order, or give the value that is ignored: the setting 'ignore'.",
        )
    empty = [f"{index} ({classes[index]})" for index in np.flatnonzero(counts == 0)]
    if empty and all_there:
        noun = "class" if len(empty) == 1 else "classes"
        raise DatasetError(
            f"{where}: {noun} {', '.join(empty[:10])} without any pixel.",
            "Add samples, or number the classes without gaps.",
        )
