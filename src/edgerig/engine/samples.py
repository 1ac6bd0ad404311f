"""The test samples that every cell runs, made ready for a network's input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.artifact import Artifact
from edgerig.datasets.base import Dataset, Samples, SplitName
from edgerig.datasets.network_inputs import NetworkInputs, inputs_of

#: Number of preprocessed inputs held in memory at once.
CHUNK_BYTES = 64 << 20


class EvaluationSamples:
    """The first ``count`` test samples of a dataset, or of another split, in the order of a seeded shuffle.

    Shuffled, because files often lie sorted by class: the first few would all be of one class.

    Attributes:
        samples: The chosen samples. task: What judges them.
        indices: Positions of the samples in the split, shape (n,), int64.
        fingerprint: Equal for equal samples in equal order.
    """

    __test__ = False  # pytest must not take it for a test class

    def __init__(self, dataset: Dataset, count: int | None, split: SplitName = "test") -> None:
        everything = dataset.split(split)
        total = len(everything)
        order = np.random.default_rng(0).permutation(total) if count is not None and count < total else np.arange(total)
        self.dataset = dataset
        self.task = dataset.make_task()
        self.indices: NDArray[np.int64] = np.sort(order[: count or total]).astype(np.int64)
        self.samples: Samples = everything.take(self.indices)
        self.fingerprint = files.digest([everything.fingerprint, self.indices.tolist()])

    def part(self, count: int) -> tuple[EvaluationSamples, NDArray[np.int64]]:
        """A test set of ``count`` of these samples, and their positions in this one; itself if it has no more."""
        if count >= len(self):
            return self, np.arange(len(self), dtype=np.int64)
        smaller = EvaluationSamples(self.dataset, count)
        return smaller, np.searchsorted(self.indices, smaller.indices).astype(np.int64)

    def __len__(self) -> int:
        return len(self.samples)

    def first(self, artifact: Artifact, count: int) -> list[NDArray[Any]]:
        """Preprocessed inputs of the first ``count`` samples, or of as many as a chunk holds; see `chunks`."""
        return self._inputs(slice(0, self.at_once(artifact, count)), artifact)

    def at_once(self, artifact: Artifact, count: int) -> int:
        """Number of samples that `first` returns for a request of ``count``."""
        return min(count, len(self), _chunk_samples(inputs_of(artifact)))

    def chunks(self, artifact: Artifact, start: int = 0) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
        """Preprocessed inputs, in chunks, from sample ``start`` on: for each input of the network an array
        (n, *input shape without batch), float32, or integers and booleans where the dataset gives such.

        Raises:
            IncompatibleError: The dataset does not give an input, or does not fit it.
        """
        size = _chunk_samples(inputs_of(artifact))
        for first in range(start, len(self), size):
            part = slice(first, min(first + size, len(self)))
            yield part, self._inputs(part, artifact)

    def _inputs(self, part: slice, artifact: Artifact) -> list[NDArray[Any]]:
        values = self.samples.named_inputs(part, artifact.preprocessing)
        return inputs_of(artifact).fitted(values, self.dataset.name, judged=self.task.judged)


def _chunk_samples(network: NetworkInputs) -> int:
    """Samples per chunk: whole batches, so that only the very last batch is padded."""
    return network.batch * max(1, CHUNK_BYTES // max(1, 4 * network.elements))
