"""Samples that are cut into windows: a network runs once for each window, and the task puts the answers together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets import preprocess
from edgerig.datasets.base import Samples
from edgerig.datasets.samples import ArraySamples
from edgerig.errors import DatasetError

Array = NDArray[Any]
Indices = NDArray[np.int64] | slice


class WindowedSamples(Samples):
    """Samples of k windows each, k differing from sample to sample.

    Args:
        array: The windows of all samples, one sample after another, shape (sum of ``windows``, ...).
        windows: How many each sample has, at least 1, shape (n,).
        labels: Class indices of the samples, shape (n,); -1 for all where not given.

    Raises:
        DatasetError: They do not belong together, or a sample has no window.
    """

    windows: NDArray[np.int64]
    targets: None = None

    def __init__(self, array: Array, windows: ArrayLike, labels: ArrayLike | None = None) -> None:
        self.array, self.windows = array, np.asarray(windows, np.int64)
        self.labels = np.full(len(self.windows), -1, np.int64) if labels is None else np.asarray(labels, np.int64)
        if self.windows.ndim != 1 or int(self.windows.sum()) != len(array):
            raise DatasetError(
                f"{len(self.windows)} samples are to have {int(self.windows.sum())} windows, and there are "
                f"{len(array)}.",
                "Give the number of windows of each sample, and all windows one sample after another.",
            )
        if len(self.windows) and self.windows.min() < 1:
            raise DatasetError(
                f"Sample {int(self.windows.argmin())} has no window.",
                "Leave it out, or cut shorter windows: a sequence must not be shorter than one.",
            )
        if self.labels.shape != self.windows.shape:
            raise DatasetError(f"{len(self.windows)} samples have labels of shape {list(self.labels.shape)}.")
        self._starts = np.cumsum(self.windows) - self.windows

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]  # computed when asked for, kept from then on
        state = hashlib.sha256(b"windows;")
        for part in (self.array, self.windows, self.labels):
            state.update(f"{part.dtype.str} {part.shape};".encode())
            state.update(np.ascontiguousarray(part).view(np.uint8).reshape(-1).data)
        return state.hexdigest()

    def raw(self, index: int) -> NDArray[np.generic]:
        """All windows of a sample, shape (k, ...)."""
        windows: NDArray[np.generic] = self.array[self._rows(np.array([index]))]
        return windows

    def inputs(self, indices: Indices, preprocessing: Preprocessing) -> NDArray[np.float32]:
        """The preprocessed windows of some samples, one sample after another."""
        return preprocess.apply(self.array[self._rows(np.arange(len(self))[indices])], preprocessing)

    def single_windows(self) -> ArraySamples:
        return ArraySamples(self.array, np.repeat(self.labels, self.windows))

    def take(self, indices: NDArray[np.int64]) -> WindowedSamples:
        return WindowedSamples(self.array[self._rows(indices)], self.windows[indices], self.labels[indices])

    def _rows(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of the windows of some samples."""
        parts = [np.arange(self._starts[i], self._starts[i] + self.windows[i]) for i in samples]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)


def cut_into_windows(sequences: Sequence[Array], length: int, step: int) -> tuple[Array, NDArray[np.int64]]:
    """Windows of ``length`` entries, one every ``step``, of each sequence; what is left at its end is not used.

    Args:
        sequences: n of them, each of shape (entries, ...).

    Returns:
        All windows, shape (sum of k, length, ...), and how many each sequence has, shape (n,).

    Raises:
        DatasetError: A sequence is shorter than a window; names it.

    >>> windows, counts = cut_into_windows([np.arange(5), np.arange(10, 13)], length=3, step=2)
    >>> windows.tolist(), counts.tolist()
    ([[0, 1, 2], [2, 3, 4], [10, 11, 12]], [2, 1])
    """
    parts, counts = [], []
    for number, sequence in enumerate(sequences):
        if len(sequence) < length:
            raise DatasetError(
                f"Sequence {number} has {len(sequence)} entries, which is shorter than a window of {length}.",
                "Leave it out, or cut shorter windows.",
            )
        starts = range(0, len(sequence) - length + 1, step)
        parts += [sequence[start : start + length] for start in starts]
        counts.append(len(starts))
    if not parts:
        raise DatasetError("There are no sequences to cut into windows.", "Give at least one.")
    return np.stack(parts), np.array(counts, np.int64)
