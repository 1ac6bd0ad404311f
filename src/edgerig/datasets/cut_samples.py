"""Samples that are pieces of one long array, cut out when they are read: windows that overlap share their memory."""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets import preprocess
from edgerig.datasets.base import Samples
from edgerig.errors import DatasetError

Array = NDArray[Any]
Indices = NDArray[np.int64] | slice


class CutSamples(Samples):
    """Pieces of one shape out of a sequence of values.

    Args:
        values: The sequence, shape (length,).
        starts: Where each piece begins, shape (pieces,), the pieces of one sample after another.
        shape: Of a piece; its values follow one another in ``values``.
        labels: Class indices of the samples, shape (n,).
        windows: How many pieces each sample has, at least 1, shape (n,): the network runs once for each. None where
            each piece is a sample.
        streams: The number of the stream that each sample is a frame of, see `Samples.streams`.

    Raises:
        DatasetError: They do not belong together.
    """

    def __init__(
        self,
        values: Array,
        starts: ArrayLike,
        shape: tuple[int, ...],
        labels: ArrayLike,
        windows: ArrayLike | None = None,
        streams: ArrayLike | None = None,
    ) -> None:
        self.values, self.starts, self.shape = values, np.asarray(starts, np.int64), shape
        self.labels = np.asarray(labels, np.int64)
        self.windows = None if windows is None else np.asarray(windows, np.int64)
        self.streams = None if streams is None else np.asarray(streams, np.int64)
        if self.streams is not None and self.streams.shape != self.labels.shape:
            raise DatasetError(f"{len(self.labels)} samples are frames of {len(self.streams)} streams.")
        pieces = len(self.labels) if self.windows is None else int(self.windows.sum())
        if pieces != len(self.starts) or (self.windows is not None and self.windows.shape != self.labels.shape):
            raise DatasetError(f"{len(self.labels)} samples are to have {pieces} pieces, and {len(self.starts)} begin.")
        if self.windows is not None and self.windows.min(initial=1) < 1:
            raise DatasetError(f"Sample {int(self.windows.argmin())} has no window.", "Leave it out.")
        last = len(values) - math.prod(shape)
        if len(self.starts) and not 0 <= self.starts.min() <= self.starts.max() <= last:
            raise DatasetError(f"A piece of {math.prod(shape)} values does not lie within {len(values)}.")

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]  # computed when asked for, kept from then on
        state = hashlib.sha256(f"cut {self.shape};".encode())
        parts = {"": self.values, " ": self.starts, "  ": self.labels, "w": self.windows, "streams": self.streams}
        for name, part in parts.items():
            if part is not None:
                state.update(name.strip().encode())
                state.update(f"{part.dtype.str} {part.shape};".encode())
                state.update(np.ascontiguousarray(part).view(np.uint8).data)
        return state.hexdigest()

    def raw(self, index: int) -> NDArray[np.generic]:
        """A piece, or all windows of a sample, shape (k, ...)."""
        pieces = self._pieces(self._rows(np.array([index])))
        return pieces if self.windows is not None else pieces[0]

    def inputs(self, indices: Indices, preprocessing: Preprocessing) -> NDArray[np.float32]:
        return preprocess.apply(self._pieces(self._rows(np.arange(len(self))[indices])), preprocessing)

    def single_windows(self) -> CutSamples:
        labels = self.labels if self.windows is None else np.repeat(self.labels, self.windows)
        return CutSamples(self.values, self.starts, self.shape, labels)

    def take(self, indices: NDArray[np.int64]) -> CutSamples:
        windows = None if self.windows is None else self.windows[indices]
        rows = self._rows(np.asarray(indices, np.int64))
        streams = None if self.streams is None else self.streams[indices]
        return CutSamples(self.values, self.starts[rows], self.shape, self.labels[indices], windows, streams)

    def _pieces(self, rows: NDArray[np.int64]) -> Array:
        view = np.lib.stride_tricks.sliding_window_view(self.values, math.prod(self.shape))
        return view[self.starts[rows]].reshape(len(rows), *self.shape)

    def _rows(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of the pieces of some samples."""
        if self.windows is None:
            return samples
        first = np.cumsum(self.windows) - self.windows
        parts = [np.arange(first[i], first[i] + self.windows[i]) for i in samples]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)
