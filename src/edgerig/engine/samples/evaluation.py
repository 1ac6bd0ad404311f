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
from edgerig.errors import DatasetError, IncompatibleError
from edgerig.tasks.base import Task

#: Number of preprocessed inputs held in memory at once.
CHUNK_BYTES = 64 << 20


class EvaluationSamples:
    """The first ``count`` test samples of a dataset, or of another split, in the order of a seeded shuffle.

    Shuffled, because files often lie sorted by class: the first few would all be of one class. Those of a task whose
    samples belong together in their order are not shuffled.

    Attributes:
        samples: The chosen samples. task: What judges them.
        indices: Positions of the samples in the split, shape (n,), int64.
        fingerprint: Equal for equal samples in equal order.
    """

    __test__ = False  # pytest must not take it for a test class

    def __init__(self, dataset: Dataset, count: int | None, split: SplitName = "test") -> None:
        everything = dataset.split(split)
        total = len(everything)
        self.dataset = dataset
        self.task = dataset.make_task()
        shuffled = count is not None and count < total and not self.task.in_order
        order = np.random.default_rng(0).permutation(total) if shuffled else np.arange(total)
        self.indices: NDArray[np.int64] = np.sort(order[: count or total]).astype(np.int64)
        self.samples: Samples = everything.take(self.indices)
        windows = [] if self.windows is None else [self.windows.tolist()]
        self.fingerprint = files.digest([everything.fingerprint, self.indices.tolist(), *windows])

    def part(self, count: int) -> tuple[EvaluationSamples, NDArray[np.int64]]:
        """A test set of ``count`` of these samples, and their positions in this one; itself if it has no more."""
        if count >= len(self):
            return self, np.arange(len(self), dtype=np.int64)
        smaller = EvaluationSamples(self.dataset, count)
        return smaller, np.searchsorted(self.indices, smaller.indices).astype(np.int64)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def windows(self) -> NDArray[np.int64] | None:
        """Windows of each sample, see `Samples.windows`."""
        return self.samples.windows

    def windows_in(self, part: slice) -> NDArray[np.int64] | None:
        """Windows of the samples in ``part``; None where they are not cut into such."""
        return None if self.windows is None else self.windows[part]

    def rows_in(self, part: slice) -> int:
        """Number of rows that the samples in ``part`` are in `chunks`: windows, or the samples themselves."""
        windows = self.windows_in(part)
        return part.stop - part.start if windows is None else int(windows.sum())

    def sequence_starts(self) -> NDArray[np.int64]:
        """Rows at which a network that keeps state begins anew: at the first window of each sample, at the first frame
        of each stream, or else at each sample."""
        if self.windows is not None:
            return np.cumsum(self.windows) - self.windows
        if not self.task.in_order:
            return np.arange(len(self), dtype=np.int64)
        streams = self.samples.streams
        if streams is None:
            return np.zeros(1, np.int64)
        return np.flatnonzero(np.diff(streams, prepend=streams[0] - 1)).astype(np.int64)

    def sample_of_row(self, row: int) -> int:
        """The sample that a row, as `chunks` counts them over all samples, belongs to."""
        return row if self.windows is None else int(np.searchsorted(np.cumsum(self.windows), row, side="right"))

    def first(self, artifact: Artifact, count: int) -> list[NDArray[Any]]:
        """Preprocessed inputs of the first samples, in ``count`` rows at most, or in as many as a chunk holds; of one
        sample at least. See `chunks`."""
        return self._inputs(slice(0, self.at_once(artifact, count)), artifact)

    def at_once(self, artifact: Artifact, count: int) -> int:
        """Number of samples that `first` returns for a request of ``count`` rows."""
        return self._end(0, min(count, _chunk_rows(inputs_of(artifact))))

    def _end(self, first: int, rows: int) -> int:
        """The sample after those that are at most ``rows`` rows from sample ``first`` on; one sample at least."""
        if self.windows is None:
            return min(first + rows, len(self))
        ends = np.cumsum(self.windows[first:])
        return first + max(1, int(np.searchsorted(ends, rows, side="right")))

    def chunks(self, artifact: Artifact, start: int = 0) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
        """Preprocessed inputs, in chunks, from sample ``start`` on: for each input of the network an array
        (rows, *input shape without batch), float32, or integers, booleans and float64 where such are given and taken.
        A row is a sample, or a window of one.

        Raises:
            IncompatibleError: The dataset does not give an input, or does not fit it.
        """
        size = _chunk_rows(inputs_of(artifact))
        while start < len(self):
            part = slice(start, self._end(start, size))
            yield part, self._inputs(part, artifact)
            start = part.stop

    def _inputs(self, part: slice, artifact: Artifact) -> list[NDArray[Any]]:
        values = self.samples.named_inputs(part, artifact.preprocessing)
        inputs = inputs_of(artifact).fitted(values, self.dataset.name, judged=self.task.judged)
        if self.windows is not None and len(inputs[0]) != self.rows_in(part):
            raise DatasetError(
                f"Dataset {self.dataset.name!r} gives {len(inputs[0])} windows of samples that have "
                f"{self.rows_in(part)}."
            )
        return inputs


def check_windows(samples: EvaluationSamples, artifact: Artifact) -> None:
    """Check that samples which are cut into windows can be run and judged.

    Raises:
        IncompatibleError: The task takes one inference a sample, or an inference takes several samples.
    """
    if samples.windows is None:
        return
    if type(samples.task).join is Task.join:
        samples.task.join(np.empty((0, 1)), samples.windows[:0])
    batch = inputs_of(artifact).batch
    if batch > 1:
        raise IncompatibleError(
            f"{artifact.name} runs {batch} samples an inference, and dataset {samples.dataset.name!r} cuts its samples "
            "into windows, which are run one by one.",
            "Export the network with a batch of 1, and leave `batch` out.",
        )


def _chunk_rows(network: NetworkInputs) -> int:
    """Samples or windows per chunk: whole batches, so that only the very last batch is padded."""
    return network.batch * max(1, CHUNK_BYTES // max(1, 4 * network.elements))
