"""Samples of several inputs, by name."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
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
#: Axes of a picture: height, width, channels.
PICTURE_AXES = 3


class NamedSamples(Samples):
    """Samples with an array for each of several names.

    The preprocessing is that of pictures: it applies to uint8 of shape (H, W, C), and other inputs go in as they are,
    real ones in float32, or in float64 where they are stored so. Subclasses fill in `stored` and `take`, and set
    ``names``, ``labels`` and ``fingerprint``.
    """

    @abstractmethod
    def stored(self, name: str, indices: Indices) -> Array:
        """One input of some samples as stored, shape (n, ...)."""

    def named_inputs(self, indices: Indices, preprocessing: Preprocessing) -> dict[str, Array]:
        return {name: _prepared(self.stored(name, indices), preprocessing) for name in self.names}

    def inputs(self, indices: Indices, preprocessing: Preprocessing) -> NDArray[np.float32]:
        """The only input.

        Raises:
            DatasetError: There are several.
        """
        if len(self.names) > 1:
            raise DatasetError(
                f"A sample has {len(self.names)} inputs ({', '.join(self.names)}), and one is needed here.",
                "Networks of several inputs are measured and quantized; training takes one.",
            )
        values = _prepared(self.stored(self.names[0], indices), preprocessing)
        return np.asarray(values, np.float32)

    def raw(self, index: int) -> Array:
        """The first picture of a sample; without one its values one after another."""
        values: list[Array] = [self.stored(name, slice(index, index + 1))[0] for name in self.names]
        for value in values:
            if _is_picture(value.dtype, value.ndim):
                return value
        return np.concatenate([value.reshape(-1).astype(np.float64) for value in values])


class NamedArraySamples(NamedSamples):
    """Samples of several inputs in memory.

    Args:
        arrays: For each input, by name, an array (n, ...) of reals, integers or booleans.
        labels: Class indices, shape (n,); -1 for all where not given.
        targets: Real values that are right, shape (n, targets), for a regression.

    Raises:
        DatasetError: They differ in length.
    """

    def __init__(
        self, arrays: Mapping[str, Array], labels: ArrayLike | None = None, targets: Array | None = None
    ) -> None:
        self.arrays, self.targets, self.names = dict(arrays), targets, tuple(arrays)
        lengths = {name: len(array) for name, array in arrays.items()}
        count = next(iter(lengths.values()), 0)
        self.labels = np.full(count, -1, np.int64) if labels is None else np.asarray(labels, np.int64)
        lengths |= {"labels": len(self.labels)} | ({} if targets is None else {"targets": len(targets)})
        if len(set(lengths.values())) > 1:
            each = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise DatasetError(
                f"The arrays of the samples differ in length: {each}.",
                "Give each sample one entry in each array.",
            )

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]  # computed when asked for, kept from then on
        state = hashlib.sha256()
        parts = {**self.arrays, "/labels": self.labels, **({} if self.targets is None else {"/targets": self.targets})}
        for name, part in parts.items():
            state.update(f"{name} {part.dtype.str} {part.shape};".encode())
            state.update(np.ascontiguousarray(part).view(np.uint8).reshape(-1).data)
        return state.hexdigest()

    def stored(self, name: str, indices: Indices) -> Array:
        values: Array = self.arrays[name][indices]
        return values

    def truth(self, indices: Indices, preprocessing: Preprocessing) -> Array:
        return self.labels[indices] if self.targets is None else self.targets[indices]

    def take(self, indices: NDArray[np.int64]) -> NamedArraySamples:
        targets = None if self.targets is None else self.targets[indices]
        arrays = {name: array[indices] for name, array in self.arrays.items()}
        return NamedArraySamples(arrays, self.labels[indices], targets)


def _is_picture(dtype: np.dtype[Any], axes: int) -> bool:
    return dtype == np.uint8 and axes == PICTURE_AXES


def _prepared(values: Array, preprocessing: Preprocessing) -> Array:
    if _is_picture(values.dtype, values.ndim - 1):
        return preprocess.apply(values, preprocessing)
    # Float64 for networks that take it.
    keeps = values.dtype.kind != "f" or values.dtype == np.float64
    return values if keeps else values.astype(np.float32, copy=False)
