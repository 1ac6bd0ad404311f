"""Batches of a dataset's samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Samples
from edgerig.models.base import Objective
from edgerig.models.training.own_loss import OwnLoss

#: Splits up to this many bytes are preprocessed once and kept in memory; larger ones batch by batch.
KEEP_BYTES = 1 << 30

Augment = Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]
#: Of images and what is right for them, moved alike: their masks, or their boxes.
AugmentTogether = Callable[
    [NDArray[np.float32], NDArray[Any], np.random.Generator], tuple[NDArray[np.float32], NDArray[Any]]
]
#: Inputs, shape (n, ...), and what is right for them, see `Feed`.
Batch = tuple[NDArray[np.float32], NDArray[Any]]


class Feed:
    """Batches of one size from ``samples``.

    Attributes:
        batch_size: Samples in every batch: the requested size, or fewer if there are fewer samples.
        steps: Batches in a pass.
        objective: What is learned. By it each batch of inputs comes with classes, (n,), int32; with 0 or 1 for each
            label, (n, labels), int32, negative where not known; with masks, (n, H, W), int32, negative where a pixel is
            ignored; with targets, (n, targets), float32, NaN where not known; with the inputs themselves; or with what
            ``own_loss`` makes of boxes, (n, ...), float32.
    """

    def __init__(
        self,
        samples: Samples,
        preprocessing: Preprocessing,
        batch_size: int,
        objective: Objective = "class",
        own_loss: OwnLoss | None = None,
    ) -> None:
        samples = samples if samples.windows is None else samples.single_windows()
        self.samples, self.preprocessing, self.objective, self.own_loss = samples, preprocessing, objective, own_loss
        self.batch_size = min(batch_size, len(samples))
        self.steps = math.ceil(len(samples) / self.batch_size)
        first = self._read(np.arange(1))
        #: Shape of one preprocessed sample.
        self.shape = first.shape[1:]
        self._kept: NDArray[np.float32] | None = None
        self._keep = first.nbytes * len(samples) <= KEEP_BYTES

    def shuffled(
        self, seed: int, epoch: int, augment: Augment, together: AugmentTogether | None = None
    ) -> Iterator[Batch]:
        """Inputs of one epoch's batches, and what is right for each.

        Each sample is drawn once; the last batch is padded with those that were drawn first. Order and
        augmentation depend on ``seed`` and ``epoch`` only.
        """
        rng = np.random.default_rng([seed, epoch])
        order = np.resize(rng.permutation(len(self.samples)), self.steps * self.batch_size)
        for indices in order.reshape(self.steps, self.batch_size):
            inputs = self._inputs(indices)
            if self.objective == "reconstruction":
                changed = augment(inputs, rng)
                yield changed, changed
            elif together is None:
                yield augment(inputs, rng), self._truth(indices)
            elif self.own_loss is None:
                yield together(inputs, self._truth(indices), rng)
            else:
                changed, truth = together(inputs, self.samples.truth(indices, self.preprocessing), rng)
                yield changed, self.own_loss.targets(truth)

    def in_order(self) -> Iterator[Batch]:
        """Inputs in order, and what is right. Inputs are padded to whole batches, what is right is not."""
        for start in range(0, len(self.samples), self.batch_size):
            indices = np.arange(start, min(start + self.batch_size, len(self.samples)))
            inputs = self._inputs(np.resize(indices, self.batch_size))
            yield inputs, inputs[: len(indices)] if self.objective == "reconstruction" else self._truth(indices)

    def _truth(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        if self.objective == "class":
            return self.samples.labels[indices].astype(np.int32)
        if self.own_loss is not None:
            return self.own_loss.targets(self.samples.truth(indices, self.preprocessing))
        dtype = np.float32 if self.objective == "targets" else np.int32
        return np.asarray(self.samples.truth(indices, self.preprocessing), dtype)

    def _inputs(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        if not self._keep:
            return self._read(indices)
        if self._kept is None:
            self._kept = self._read(slice(None))
        return self._kept[indices]

    def _read(self, indices: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.samples.inputs(indices, self.preprocessing), dtype=np.float32)
