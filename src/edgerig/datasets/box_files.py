"""Image files with boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.artifact import Preprocessing
from edgerig.datasets.boxes import boxes_digest, most_boxes
from edgerig.datasets.images import image_size, read_image
from edgerig.datasets.placement import frame_of
from edgerig.datasets.samples import Array, FileSamples, Indices
from edgerig.errors import DatasetError
from edgerig.progress import Progress
from edgerig.tasks.box_truth import Floats, ImageBoxes, pack


class BoxedFiles(FileSamples):
    """Image files with boxes.

    Args:
        paths: The images.
        boxes: Of each image, in its pixels.
        sizes: Height and width of each image, (n, 2).
        channels: 1 for grey, 3 for RGB.
        most: Boxes of the image that has most, where ``boxes`` are a part of more.

    Attributes:
        fingerprint: Over images and boxes.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        boxes: Sequence[ImageBoxes],
        sizes: NDArray[np.int64],
        channels: int,
        most: int = 0,
    ) -> None:
        read: Callable[[Path], Array] = lambda path: read_image(path, channels)  # noqa: E731
        super().__init__(paths, np.full(len(paths), -1), read, f"image with boxes, {channels} channels")
        self.boxes, self.sizes, self.channels, self.most = list(boxes), sizes, channels, most_boxes(boxes, most)

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]  # computed when asked for, kept from then on
        images = FileSamples(self.paths, self.labels, self._read, self._reading).fingerprint
        return files.digest([images, boxes_digest(self.boxes)])

    def truth(self, indices: Indices, preprocessing: Preprocessing) -> Floats:
        """See `edgerig.tasks.box_truth.pack`."""
        chosen = np.arange(len(self))[indices]
        frames = [frame_of(preprocessing, int(height), int(width)) for height, width in self.sizes[chosen]]
        return pack(frames, [self.boxes[index] for index in chosen], self.most)

    def take(self, indices: NDArray[np.int64]) -> BoxedFiles:
        boxes = [self.boxes[index] for index in indices]
        return BoxedFiles([self.paths[i] for i in indices], boxes, self.sizes[indices], self.channels, self.most)


def check_sizes(paths: Sequence[Path], sizes: Sequence[tuple[int, int]], progress: Progress) -> None:
    """Check that each file begins like an image of the height and width that its annotation tells.

    Raises:
        DatasetError: One does not; names it.
    """
    with progress.task("checking images", len(paths)) as task:
        for path, (height, width) in zip(paths, sizes, strict=True):
            size = image_size(path)
            if size != (height, width):
                turned = " Its EXIF orientation turns it." if size == (width, height) else ""
                raise DatasetError(
                    f"{path} has {size[1]} x {size[0]} pixels, its annotation says {width} x {height}.{turned}",
                    "Annotate the image as it is seen: boxes are in its pixels.",
                )
            task.advance()
