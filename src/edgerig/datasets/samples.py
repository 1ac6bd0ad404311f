"""Samples in memory, and samples in files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgerig import files
from edgerig.artifact import Preprocessing
from edgerig.datasets import preprocess
from edgerig.datasets.base import Samples
from edgerig.errors import DatasetError

Array = NDArray[Any]
Indices = NDArray[np.int64] | slice
#: Integers up to this one are float32, each of them.
LARGEST_EXACT = 2**24


class ArraySamples(Samples):
    """Samples in one array.

    Args:
        array: Shape (n, ...), any dtype; (n, H, W, C) for images.
        labels: Class indices, shape (n,); -1 for all where not given.
        targets: What is right, shape (n, k), in place of classes: real values for a regression, NaN where not known;
            0 or 1 for each of several labels, -1 where not known.
        streams: The number of each sample's stream, see `Samples`.

    Attributes:
        array: As given; do not change it.
        fingerprint: SHA-256 over dtype, shape and bytes of array, labels, targets and streams.

    Raises:
        DatasetError: Array, labels, targets and streams differ in length.
    """

    def __init__(
        self,
        array: Array,
        labels: ArrayLike | None = None,
        targets: Array | None = None,
        streams: NDArray[np.int64] | None = None,
    ) -> None:
        self.array, self.targets, self.streams = array, targets, streams
        self.labels = np.full(len(array), -1, np.int64) if labels is None else np.asarray(labels, np.int64)
        if self.labels.shape != (len(array),):
            raise DatasetError(f"{len(array)} samples have labels of shape {list(self.labels.shape)}.")
        if targets is not None and (targets.ndim != 2 or len(targets) != len(array)):
            raise DatasetError(f"{len(array)} samples have targets of shape {list(targets.shape)}.")
        if streams is not None and streams.shape != self.labels.shape:
            raise DatasetError(f"{len(array)} samples have numbers of streams of shape {list(streams.shape)}.")

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]  # computed when asked for, kept from then on
        state = hashlib.sha256()
        for part in (self.array, self.labels, *(part for part in (self.targets, self.streams) if part is not None)):
            state.update(f"{part.dtype.str} {part.shape};".encode())
            state.update(np.ascontiguousarray(part).view(np.uint8).reshape(-1).data)
        return state.hexdigest()

    def raw(self, index: int) -> NDArray[np.generic]:
        return self.array[index]  # type: ignore[no-any-return]

    def inputs(self, indices: Indices, preprocessing: Preprocessing) -> NDArray[np.float32]:
        return preprocess.apply(self.array[indices], preprocessing)

    def named_inputs(self, indices: Indices, preprocessing: Preprocessing) -> dict[str, Array]:
        # Numbers of words or of customers: float32 would make neighbours of them one.
        if self._large_integers is not None and preprocess.changes_nothing(preprocessing):
            return {"": self._large_integers[indices]}
        # Float64 for networks that take it; all others get float32 of it.
        if self.array.dtype == np.float64 and preprocess.changes_nothing(preprocessing):
            return {"": self.array[indices]}
        return {"": self.inputs(indices, preprocessing)}

    @cached_property
    def _large_integers(self) -> Array | None:
        """The array as integers, where it holds whole numbers alone, some of which float32 cannot tell apart."""
        kind, x = self.array.dtype.kind, self.array
        if kind not in "iuf" or x.dtype.itemsize < 4 or x.dtype == np.float32 or not x.size:
            return None
        if max(-float(x.min()), float(x.max())) <= LARGEST_EXACT:
            return None
        if kind != "f":
            return x
        whole = bool(np.isfinite(x).all() and (np.abs(x) < 2.0**53).all() and (x == np.rint(x)).all())
        return x.astype(np.int64) if whole else None

    def truth(self, indices: Indices, preprocessing: Preprocessing) -> Array:
        return self.labels[indices] if self.targets is None else self.targets[indices]

    def take(self, indices: NDArray[np.int64]) -> ArraySamples:
        targets = None if self.targets is None else self.targets[indices]
        streams = None if self.streams is None else self.streams[indices]
        return ArraySamples(self.array[indices], self.labels[indices], targets, streams)


class FileSamples(Samples):
    """Samples in one file each, read on access.

    Args:
        paths: The files, n of them.
        labels: Class indices, shape (n,).
        read: Returns the raw sample of a file, (H, W, C) for images; raises `DatasetError` naming a bad file.
        reading: A description of what ``read`` does; part of the fingerprint.

    Attributes:
        paths: As given.
        fingerprint: SHA-256 over the contents of the files, their order, the labels and ``reading``. Files are read
            for it once per process, as long as size, modification times and inode stay the same.
    """

    def __init__(self, paths: Sequence[Path], labels: ArrayLike, read: Callable[[Path], Array], reading: str) -> None:
        self.paths, self.labels = list(paths), np.asarray(labels, np.int64)
        self._read, self._reading = read, reading
        if self.labels.shape != (len(self.paths),):
            raise DatasetError(f"{len(self.paths)} files have labels of shape {list(self.labels.shape)}.")

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]  # computed when asked for, kept from then on
        sums = [content_sum(path) for path in self.paths]
        return files.digest([self._reading, sums, self.labels.tolist()])

    def raw(self, index: int) -> NDArray[np.generic]:
        return self._read(self.paths[index])

    def inputs(self, indices: Indices, preprocessing: Preprocessing) -> NDArray[np.float32]:
        chosen = [self.paths[i] for i in np.arange(len(self))[indices]]
        if not chosen:
            raise DatasetError("No samples were asked for.")

        def load(path: Path) -> NDArray[np.float32]:
            return preprocess.apply([self._read(path)], preprocessing).squeeze(0)

        # Decoders and numpy release the interpreter's lock; resizing immediately keeps only small images in memory.
        with ThreadPoolExecutor() as pool:
            images = list(pool.map(load, chosen))
        for path, image in zip(chosen, images, strict=True):
            if image.shape != images[0].shape:
                raise DatasetError(
                    f"{path} has the shape {list(image.shape)}, {chosen[0]} has {list(images[0].shape)}.",
                    "Let the preprocessing resize them: give 'resize' a height and a width.",
                )
        return np.stack(images)

    def take(self, indices: NDArray[np.int64]) -> FileSamples:
        return FileSamples([self.paths[i] for i in indices], self.labels[indices], self._read, self._reading)


def content_sum(path: Path) -> str:
    """Hex SHA-256 of a file, read once in this process as long as size, times and inode stay the same."""
    try:
        stat = path.stat()
        return _sum_of(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    except OSError as error:
        raise DatasetError(f"Cannot read {path}: {error.strerror}.") from error


@lru_cache(maxsize=200_000)
def _sum_of(path: Path, *state: int) -> str:
    return files.sha256_file(path)
