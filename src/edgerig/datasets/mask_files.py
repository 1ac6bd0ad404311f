"""Image files with mask files, which say the class of every pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.artifact import Preprocessing
from edgerig.datasets.images import read_image
from edgerig.datasets.masks import USUAL_IGNORE, place_truth
from edgerig.datasets.samples import Array, FileSamples, Indices
from edgerig.errors import DatasetError

#: Modes of pictures whose pixels are the classes themselves: palette, grey, one bit.
_MODES = ("P", "L", "1")


def read_mask(path: Path) -> NDArray[np.uint8]:
    """The classes of a mask's pixels, shape (H, W): the indices of a palette, or grey values.

    Raises:
        DatasetError: It is no lossless picture of 8 bits with one channel; says what it is.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.format == "JPEG":
                raise DatasetError(
                    f"{path} is a JPEG: its compression changes the classes of pixels.", "Save masks as PNG."
                )
            if image.mode not in _MODES:
                raise DatasetError(
                    f"{path} has pixels of mode {image.mode}, a mask has one number of 8 bits a pixel.",
                    "Save it as a palette or grey PNG whose values are the classes.",
                )
            pixels: NDArray[np.uint8] = np.asarray(image, np.uint8)
            return pixels
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path} is not a usable mask: {error}.", "Put a good copy in its place.") from error


class MaskedFiles(FileSamples):
    """Image files with mask files.

    Args:
        paths: The images. masks: Their masks, in the same order.
        channels: 1 for grey, 3 for RGB.
        classes: Number of classes. ignore: The value of pixels that are of none.
        values: The class, or ``ignore``, of each value of a mask's pixels; by default values are classes.

    Attributes:
        masks: As given.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        masks: Sequence[Path],
        channels: int,
        classes: int,
        ignore: int = USUAL_IGNORE,
        values: Mapping[int, int] | None = None,
    ) -> None:
        read: Callable[[Path], Array] = lambda path: read_image(path, channels)  # noqa: E731
        super().__init__(paths, np.full(len(paths), -1), read, f"image with mask, {channels} channels")
        self.masks, self.channels, self.classes, self.ignore = list(masks), channels, classes, ignore
        self.values = values

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]  # computed when asked for, kept from then on
        images = FileSamples(self.paths, self.labels, self._read, self._reading).fingerprint
        masks = FileSamples(self.masks, self.labels, self._read, "mask").fingerprint
        values = [] if self.values is None else [sorted(self.values.items())]
        return files.digest([images, masks, self.classes, self.ignore, *values])

    def mask(self, index: int) -> NDArray[np.uint8]:
        """The mask of one image, in the image's size.

        Raises:
            DatasetError: It cannot be read, has another size than its image, or a class that there is not.
        """
        path, mask = self.masks[index], read_mask(self.masks[index])
        height, width = self.raw(index).shape[:2]
        if mask.shape != (height, width):
            raise DatasetError(
                f"{path} has {mask.shape[1]} x {mask.shape[0]} pixels, its image {self.paths[index].name} "
                f"{width} x {height}.",
                "Give each image a mask of its own size.",
            )
        known = {*range(self.classes), self.ignore} if self.values is None else set(self.values)
        strange = sorted({int(value) for value in np.unique(mask)} - known)
        if strange and self.values is not None:
            raise DatasetError(
                f"{path} has pixels of {strange[0]}; it may have {', '.join(map(str, sorted(known)))}.",
                "Put a good copy in its place.",
            )
        if strange:
            raise DatasetError(
                f"{path} has pixels of {strange[0]}, which is none of the {self.classes} classes and not the ignore "
                f"label {self.ignore}.",
                "Name all classes in 'classes', or set 'ignore'.",
            )
        if self.values is None:
            return mask
        table = np.full(256, self.ignore, np.uint8)
        table[list(self.values)] = list(self.values.values())
        return np.asarray(table[mask])

    def truth(self, indices: Indices, preprocessing: Preprocessing) -> NDArray[Any]:
        """The classes of each pixel, shape (n, H, W), int16; -1 for those of none."""
        masks = [self.mask(int(index)) for index in np.arange(len(self))[indices]]
        return place_truth(masks, preprocessing, self.ignore)

    def take(self, indices: NDArray[np.int64]) -> MaskedFiles:
        return MaskedFiles(
            [self.paths[i] for i in indices],
            [self.masks[i] for i in indices],
            self.channels,
            self.classes,
            self.ignore,
            self.values,
        )
