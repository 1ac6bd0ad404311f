"""Labelled image files as samples: with a class for each pixel, or with boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.artifact import Preprocessing
from edgerig.datasets.box_files import BoxedFiles
from edgerig.datasets.images import read_image
from edgerig.datasets.labels.canonical import to_json
from edgerig.datasets.labels.classes import pixel_classes
from edgerig.datasets.labels.masks import class_map, image_boxes
from edgerig.datasets.labels.shapes import BACKGROUND, IGNORE, IGNORE_NUMBER, ImageLabels
from edgerig.datasets.masks import place_truth
from edgerig.datasets.samples import Array, FileSamples, Indices
from edgerig.errors import DatasetError
from edgerig.text import counted


class OutlinedFiles(FileSamples):
    """Image files whose masks are drawn from their labels when they are needed.

    Args:
        paths: The images.
        images: The labels of each; every object has an outline.
        classes: Names of the classes by number; `BACKGROUND` is among them, and `IGNORE` is not judged.
        channels: 1 for grey, 3 for RGB.

    Attributes:
        fingerprint: Over images, labels and classes.

    Raises:
        DatasetError: An object has a box only, or a class that there is not.
    """

    def __init__(
        self, paths: Sequence[Path], images: Sequence[ImageLabels], classes: Sequence[str], channels: int
    ) -> None:
        read: Callable[[Path], Array] = lambda path: read_image(path, channels)  # noqa: E731
        super().__init__(paths, np.full(len(paths), -1), read, f"image with outlines, {channels} channels")
        self.images, self.classes, self.channels = list(images), tuple(classes), channels
        _check_drawable(self.images, self.classes)
        self._numbers = {**{name: number for number, name in enumerate(classes)}, IGNORE: IGNORE_NUMBER}

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]  # computed when asked for, kept from then on
        pictures = FileSamples(self.paths, self.labels, self._read, self._reading).fingerprint
        labels = [files.sha256(to_json(image)) for image in self.images]
        return files.digest([pictures, labels, list(self.classes)])

    def mask(self, index: int) -> NDArray[np.uint8]:
        """The class of each pixel of an image, in the image's size; 255 where it is not judged.

        Raises:
            DatasetError: The image has another size than its labels.
        """
        image = self.images[index]
        height, width = self.raw(index).shape[:2]
        if (image.height, image.width) != (height, width):
            raise DatasetError(
                f"{self.paths[index]} has {width} x {height} pixels, its labels are of {image.width} x {image.height}.",
                "Label the image as it is seen.",
            )
        return class_map(image, self._numbers, self._numbers[BACKGROUND])

    def truth(self, indices: Indices, preprocessing: Preprocessing) -> NDArray[Any]:
        """The classes of each pixel, shape (n, H, W), int16; -1 where it is not judged."""
        masks = [self.mask(int(index)) for index in np.arange(len(self))[indices]]
        return place_truth(masks, preprocessing, IGNORE_NUMBER)

    def take(self, indices: NDArray[np.int64]) -> OutlinedFiles:
        images = [self.images[index] for index in indices]
        return OutlinedFiles([self.paths[index] for index in indices], images, self.classes, self.channels)


def outlined_files(
    paths: Sequence[Path], images: Sequence[ImageLabels], classes: Sequence[str], channels: int
) -> OutlinedFiles:
    """Samples for segmentation; `edgerig.datasets.labels.classes.pixel_classes` of ``classes`` are theirs."""
    return OutlinedFiles(paths, images, pixel_classes(classes), channels)


def boxed_files(
    paths: Sequence[Path], images: Sequence[ImageLabels], classes: Sequence[str], channels: int, most: int = 0
) -> BoxedFiles:
    """Samples for detection: the box of each object as annotated, else that of its mask.

    Objects of `BACKGROUND` and `IGNORE` are none to detect.

    Args:
        paths: The images.
        images: The labels of each.
        classes: Names of the classes by number.
        channels: 1 for grey, 3 for RGB.
        most: Boxes of the image that has most, where these are a part of more.

    Raises:
        DatasetError: An object is of a class that there is not.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    boxes = [image_boxes(judged(image), numbers) for image in images]
    sizes = np.array([(image.height, image.width) for image in images], np.int64).reshape(-1, 2)
    return BoxedFiles(paths, boxes, sizes, channels, most)


def judged(image: ImageLabels) -> ImageLabels:
    """The labels of an image without what is background or not judged."""
    shapes = tuple(shape for shape in image.shapes if shape.category not in (BACKGROUND, IGNORE))
    return msgspec.structs.replace(image, shapes=shapes)


def _check_drawable(images: Sequence[ImageLabels], classes: Sequence[str]) -> None:
    shapes = [shape for image in images for shape in image.shapes]
    strange = Counter(shape.category for shape in shapes if shape.category not in (*classes, IGNORE))
    if strange:
        raise DatasetError(
            f"{counted(strange.total(), 'object')} of {', '.join(map(repr, sorted(strange)))}; the classes are "
            f"{', '.join(classes)}.",
            "Name all classes, or map the others (--classes of edgerig data import).",
        )
    boxed = sum(not shape.runs and not shape.polygons for shape in shapes)
    if boxed:
        raise DatasetError(
            f"{counted(boxed, 'object')} of {len(shapes):,} with a box and no outline, so no mask.",
            "Draw their outlines, or take the dataset for detection.",
        )
