"""The test samples that every cell runs, made ready for a network's input."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.artifact import Artifact, TensorSpec
from edgerig.datasets.base import Dataset, Samples, SplitName
from edgerig.datasets.fitting import check_fixed, fit
from edgerig.errors import IncompatibleError

#: Number of preprocessed inputs held in memory at once.
CHUNK_BYTES = 64 << 20
#: Largest size of a network's input as float32, in bytes: preprocessing and messages need several times as much.
LARGEST_INPUT = 1 << 30

#: Fewest axes of an input: the batch axis, and one for the values.
MOST_SIMPLE = 2


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

    def first(self, artifact: Artifact, count: int) -> NDArray[np.float32]:
        """Preprocessed inputs of the first ``count`` samples, or of as many as a chunk holds; see `chunks`."""
        return self._inputs(slice(0, self.at_once(artifact, count)), artifact)

    def at_once(self, artifact: Artifact, count: int) -> int:
        """Number of samples that `first` returns for a request of ``count``."""
        return min(count, len(self), _chunk_samples(the_input(artifact)))

    def chunks(self, artifact: Artifact, start: int = 0) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Preprocessed inputs (n, *input shape without batch), float32, in chunks, from sample ``start`` on.

        Raises:
            IncompatibleError: The dataset does not fit the network's input.
        """
        size = _chunk_samples(the_input(artifact))
        for first in range(start, len(self), size):
            part = slice(first, min(first + size, len(self)))
            yield part, self._inputs(part, artifact)

    def _inputs(self, part: slice, artifact: Artifact) -> NDArray[np.float32]:
        inputs = self.samples.inputs(part, artifact.preprocessing)
        return fit(inputs, the_input(artifact), self.dataset.name, judged=self.task.judged)


def _chunk_samples(spec: TensorSpec) -> int:
    """Samples per chunk: whole batches, so that only the very last batch is padded."""
    return spec.batch * max(1, CHUNK_BYTES // max(1, 4 * spec.elements))


def the_input(artifact: Artifact) -> TensorSpec:
    """The only input of a network; its first axis counts the samples of an inference.

    Raises:
        IncompatibleError: The network has several inputs, no batch axis, or axes of unknown size.
    """
    if len(artifact.inputs) != 1:
        names = ", ".join(spec.name for spec in artifact.inputs)
        raise IncompatibleError(f"{artifact.name} has {len(artifact.inputs)} inputs ({names}); a dataset feeds one.")
    spec = artifact.inputs[0]
    check_fixed(artifact.name, spec)
    if 4 * spec.elements > LARGEST_INPUT:
        raise IncompatibleError(
            f"{artifact.name} takes {4 * spec.elements:,} B of float32 an inference; "
            f"edgerig feeds at most {LARGEST_INPUT:,} B.",
            "Cut the network's input into smaller ones.",
        )
    if len(spec.shape) < MOST_SIMPLE and spec.batch != 1:
        raise IncompatibleError(
            f"{artifact.name} takes {list(spec.shape)}, which has no axis for the samples of a batch.",
            "Export the model with a batch axis in front, of 1 or of as many samples as it runs at once.",
        )
    return spec
