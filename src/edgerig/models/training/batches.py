"""Batches of a dataset's samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Samples

#: Splits up to this many bytes are preprocessed once and kept in memory; larger ones batch by batch.
KEEP_BYTES = 1 << 30

Augment = Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]
#: Of images and their masks.
AugmentMasked = Callable[
    [NDArray[np.float32], NDArray[np.int32], np.random.Generator], tuple[NDArray[np.float32], NDArray[np.int32]]
]


class Feed:
    """Batches of one size from ``samples``.

    Attributes:
        batch_size: Samples in every batch: the requested size, or fewer if there are fewer samples.
        steps: Batches in a pass.
        masked: Whether the labels are masks, shape (n, H, W), negative where a pixel is ignored; else they are (n,).
    """

    def __init__(
        self, samples: Samples, preprocessing: Preprocessing, batch_size: int, *, masked: bool = False
    ) -> None:
        self.samples, self.preprocessing, self.masked = samples, preprocessing, masked
        self.batch_size = min(batch_size, len(samples))
        self.steps = math.ceil(len(samples) / self.batch_size)
        first = self._read(np.arange(1))
        #: Shape of one preprocessed sample.
        self.shape = first.shape[1:]
        self._kept: NDArray[np.float32] | None = None
        self._keep = first.nbytes * len(samples) <= KEEP_BYTES

    def shuffled(
        self, seed: int, epoch: int, augment: Augment, augment_masked: AugmentMasked | None = None
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        """Inputs and labels of one epoch's batches.

        Each sample is drawn once; the last batch is padded with those that were drawn first. Order and
        augmentation depend on ``seed`` and ``epoch`` only.
        """
        rng = np.random.default_rng([seed, epoch])
        order = np.resize(rng.permutation(len(self.samples)), self.steps * self.batch_size)
        for indices in order.reshape(self.steps, self.batch_size):
            inputs, labels = self._inputs(indices), self._labels(indices)
            if augment_masked is None:
                yield augment(inputs, rng), labels
            else:
                yield augment_masked(inputs, labels, rng)

    def in_order(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        """Inputs and labels in order. Inputs are padded to whole batches, labels are not."""
        for start in range(0, len(self.samples), self.batch_size):
            indices = np.arange(start, min(start + self.batch_size, len(self.samples)))
            yield self._inputs(np.resize(indices, self.batch_size)), self._labels(indices)

    def _labels(self, indices: NDArray[np.int64]) -> NDArray[np.int32]:
        if self.masked:
            return np.asarray(self.samples.truth(indices, self.preprocessing), np.int32)
        return self.samples.labels[indices].astype(np.int32)

    def _inputs(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        if not self._keep:
            return self._read(indices)
        if self._kept is None:
            self._kept = self._read(slice(None))
        return self._kept[indices]

    def _read(self, indices: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.samples.inputs(indices, self.preprocessing), dtype=np.float32)
