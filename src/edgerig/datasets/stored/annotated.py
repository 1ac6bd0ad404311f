"""Pictures in the cache with annotations: masks of classes, and boxes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.artifact import Preprocessing
from edgerig.datasets.images import image_size
from edgerig.datasets.labels.canonical import from_json
from edgerig.datasets.labels.masks import class_map
from edgerig.datasets.labels.shapes import BACKGROUND, IGNORE, IGNORE_NUMBER, ImageLabels
from edgerig.datasets.masks import place_truth
from edgerig.datasets.samples import Indices, content_sum
from edgerig.datasets.stored.samples import StoredImages
from edgerig.errors import DatasetError
from edgerig.progress import Progress

#: What pictures are labelled with, and the task that it is for.
TASKS = {"classes": "classification", "masks": "segmentation", "boxes": "detection"}
Kind = Literal["classes", "masks", "boxes"]


class StoredMasks(StoredImages):
    """Pictures whose annotations give each pixel a class.

    Args:
        paths: The pictures. annotations: Files of their labels, in the same order. names: Of their entries.
        numbers: The number of each class.
        channels: 1 for grey, 3 for RGB.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        annotations: Sequence[Path],
        names: Sequence[str],
        numbers: Mapping[str, int],
        channels: int,
    ) -> None:
        super().__init__(paths, np.full(len(paths), -1), names, channels)
        self.annotations, self.numbers = list(annotations), dict(numbers)

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]  # computed when asked for, kept from then on
        sums = [[content_sum(path) for path in paths] for paths in (self.paths, self.annotations)]
        return files.digest([f"image with labels, {self.channels} channels", *sums, self.numbers])

    def mask(self, index: int) -> NDArray[np.uint8]:
        """The class of each pixel of a picture, shape (H, W); `IGNORE_NUMBER` where it is not judged.

        Raises:
            DatasetError: Its labels cannot be read, or have a class that there is not.
        """
        labels = read_labels(self.annotations[index], self.entry_names[index])
        return class_map(labels, {**self.numbers, IGNORE: IGNORE_NUMBER}, self.numbers[BACKGROUND])

    def truth(self, indices: Indices, preprocessing: Preprocessing) -> NDArray[Any]:
        """The classes of each pixel, shape (n, H, W), int16; -1 for those that are not judged."""
        masks = [self.mask(int(index)) for index in np.arange(len(self))[indices]]
        return place_truth(masks, preprocessing, IGNORE_NUMBER)

    def take(self, indices: NDArray[np.int64]) -> StoredMasks:
        paths, annotations, names = (
            [values[index] for index in indices] for values in (self.paths, self.annotations, self.entry_names)
        )
        return StoredMasks(paths, annotations, names, self.numbers, self.channels)


def read_labels(path: Path, name: str) -> ImageLabels:
    """The labels of the entry ``name``, from a file of canonical JSON.

    Raises:
        DatasetError: They are not valid; names the entry.
    """
    return from_json(path.read_bytes(), f"The labels of {name}")


def kind_of(labels: Sequence[ImageLabels]) -> Kind:
    """What annotations can be used for: masks, unless an object of some picture has a box alone."""
    boxed = any(
        shape.box is not None and not (shape.polygons or shape.runs) for each in labels for shape in each.shapes
    )
    return "boxes" if boxed else "masks"


def judged(labels: ImageLabels) -> ImageLabels:
    """The labels without what is not judged, and without background that was drawn: neither is to be detected."""
    shapes = tuple(shape for shape in labels.shapes if shape.category not in (BACKGROUND, IGNORE))
    return msgspec.structs.replace(labels, shapes=shapes)


def check_pictures(
    pictures: Sequence[tuple[Path, str, ImageLabels]], classes: Collection[str], kind: Kind, progress: Progress
) -> None:
    """Check that each picture, as it is seen, has the height and width that its labels are for, and these a use.

    Args:
        pictures: Files in the cache, the names of their entries, and their labels.
        classes: That there are.
        kind: What the labels are used for.

    Raises:
        DatasetError: Something does not fit; names the entry.
    """
    known = {*classes, BACKGROUND, IGNORE}
    with progress.task("checking labels", len(pictures)) as task:
        for path, name, labels in pictures:
            height, width = image_size(path)
            if (height, width) != (labels.height, labels.width):
                raise DatasetError(
                    f"{name} has {width} x {height} pixels, its labels are for {labels.width} x {labels.height}.",
                    "Label the picture as it is seen, EXIF orientation applied.",
                )
            for shape in labels.shapes:
                if shape.category not in known:
                    text = f"{name} has an object of class {shape.category!r}, which is none of {', '.join(classes)}."
                    raise DatasetError(text, "Import or label it again with that class.")
                if kind == "masks" and not (shape.polygons or shape.runs):
                    text = f"{name} has an object of class {shape.category!r} with a box and no outline, so no mask."
                    raise DatasetError(text, "Outline it, or use the dataset for detection: labels: boxes.")
            task.advance()
