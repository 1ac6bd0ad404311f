"""Samples in the cache, which errors call by the names of their entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgerig.datasets.images import check_images, read_image
from edgerig.datasets.samples import FileSamples
from edgerig.errors import DatasetError
from edgerig.progress import Progress


class StoredImages(FileSamples):
    """Pictures in the cache.

    Args:
        paths: Their files.
        labels: Class indices.
        names: Of their entries.
        channels: 1 for grey, 3 for RGB.
    """

    def __init__(self, paths: Sequence[Path], labels: ArrayLike, names: Sequence[str], channels: int) -> None:
        by_path = dict(zip(paths, names, strict=True))

        def read(path: Path) -> NDArray[np.uint8]:
            with named_as(by_path):
                return read_image(path, channels)

        super().__init__(paths, labels, read, f"image, {channels} channels")
        self.entry_names, self.channels = list(names), channels

    def take(self, indices: NDArray[np.int64]) -> StoredImages:
        names = [self.entry_names[index] for index in indices]
        return StoredImages([self.paths[index] for index in indices], self.labels[indices], names, self.channels)


def check_stored_images(names: Mapping[Path, str], progress: Progress) -> None:
    """Check that each file of the cache begins like a picture.

    Raises:
        DatasetError: One does not; calls it by the name of its entry.
    """
    with named_as(names):
        check_images(list(names), progress)


@contextmanager
def named_as(names: Mapping[Path, str]) -> Iterator[None]:
    """Let errors within the block call files of the cache by the names of their entries."""
    try:
        yield
    except DatasetError as error:
        path = next((path for path in names if str(path) in error.message), None)
        if path is None:
            raise
        raise DatasetError(error.message.replace(str(path), names[path]), error.hint) from error.__cause__
