"""The test samples that every cell runs, made ready for a network's input."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.artifact import Artifact, TensorSpec
from edgerig.datasets.base import Dataset, Samples
from edgerig.datasets.fitting import check_fixed, fit
from edgerig.errors import IncompatibleError
from edgerig.measure.kinds import Unavailable

#: Preprocessed inputs held in memory at once.
CHUNK_BYTES = 64 << 20
#: Bytes that a network's input may have as float32: preprocessing and messages take several times as much.
LARGEST_INPUT = 1 << 30

#: A batch axis, and something in it.
MOST_SIMPLE = 2

Scores = NDArray[np.float32]


class Reference(msgspec.Struct, frozen=True):
    """Scores of the float model, shape (n, classes), what made them, and a digest of which model that is."""

    source: str
    scores: Scores | Unavailable
    identity: str = ""


class EvaluationSamples:
    """The first ``count`` test samples of a dataset, in the order of a seeded shuffle.

    Shuffled, because files of a class often lie together and the first few would be of one class.

    Attributes:
        samples: The chosen samples. indices: their places in the test split, shape (n,), int64.
        fingerprint: Equal for equal samples in equal order.
    """

    __test__ = False  # pytest must not take it for a test class

    def __init__(self, dataset: Dataset, count: int | None) -> None:
        everything = dataset.split("test")
        total = len(everything)
        order = np.random.default_rng(0).permutation(total) if count is not None and count < total else np.arange(total)
        self.dataset = dataset
        self.indices: NDArray[np.int64] = np.sort(order[: count or total]).astype(np.int64)
        self.samples: Samples = everything.take(self.indices)
        self.fingerprint = files.digest([everything.fingerprint, self.indices.tolist()])

    def part(self, count: int) -> tuple[EvaluationSamples, NDArray[np.int64]]:
        """The test set of ``count`` samples, and where in this one its samples lie; itself if it has no more."""
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
        """How many samples `first` gives where ``count`` are wanted."""
        return min(count, len(self), _chunk_samples(the_input(artifact)))

    def chunks(self, artifact: Artifact, start: int = 0) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Preprocessed inputs (n, *input shape without batch), float32, piece by piece, from sample ``start`` on.

        Raises:
            IncompatibleError: The dataset does not fit the network's input.
        """
        size = _chunk_samples(the_input(artifact))
        for first in range(start, len(self), size):
            part = slice(first, min(first + size, len(self)))
            yield part, self._inputs(part, artifact)

    def _inputs(self, part: slice, artifact: Artifact) -> NDArray[np.float32]:
        inputs = self.samples.inputs(part, artifact.preprocessing)
        return fit(inputs, the_input(artifact), self.dataset.name, judged=self.dataset.task != "none")


def _chunk_samples(spec: TensorSpec) -> int:
    """Samples that are preprocessed at once: whole batches, so that only the last one of all is filled up."""
    return spec.batch * max(1, CHUNK_BYTES // max(1, 4 * spec.elements))


def the_input(artifact: Artifact) -> TensorSpec:
    """The one input of a network, whose first axis counts the samples of an inference.

    Raises:
        IncompatibleError: It has several inputs, or no batch axis, or axes that the file leaves free.
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
