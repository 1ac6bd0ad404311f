"""Images with boxes: what is right is the boxes of an image, and where the preprocessing moves them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.artifact import Preprocessing
from edgerig.datasets.placement import frame_of
from edgerig.datasets.samples import ArraySamples, Indices
from edgerig.errors import DatasetError
from edgerig.tasks.box_truth import Floats, ImageBoxes, pack

Array = NDArray[Any]


class BoxedSamples(ArraySamples):
    """Images in one array, and the boxes of each.

    Args:
        array: Shape (n, H, W, C), any dtype.
        boxes: Of each image, in its pixels.
        most: Boxes of the image that has most, where ``boxes`` are a part of more.

    Attributes:
        fingerprint: Over images and boxes.

    Raises:
        DatasetError: There are not as many as images.
    """

    def __init__(self, array: Array, boxes: Sequence[ImageBoxes], most: int = 0) -> None:
        super().__init__(array)
        self.boxes, self.most = list(boxes), most_boxes(boxes, most)
        if len(self.boxes) != len(array):
            raise DatasetError(f"{len(array)} images have {len(self.boxes)} lists of boxes.")

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]  # computed when asked for, kept from then on
        return files.digest([ArraySamples(self.array).fingerprint, boxes_digest(self.boxes)])

    def truth(self, indices: Indices, preprocessing: Preprocessing) -> Floats:
        """See `edgerig.tasks.box_truth.pack`."""
        chosen = np.arange(len(self))[indices]
        frame = frame_of(preprocessing, *self.array.shape[1:3])
        return pack([frame] * len(chosen), [self.boxes[index] for index in chosen], self.most)

    def take(self, indices: NDArray[np.int64]) -> BoxedSamples:
        return BoxedSamples(self.array[indices], [self.boxes[index] for index in indices], self.most)


def most_boxes(boxes: Sequence[ImageBoxes], least: int = 0) -> int:
    """Boxes of the image that has most of them, ``least`` at least."""
    return max(least, *(len(image) for image in boxes)) if boxes else least


def boxes_digest(boxes: Sequence[ImageBoxes]) -> str:
    """A hash of the boxes of all images."""
    return files.digest([image.rows().tolist() for image in boxes])
