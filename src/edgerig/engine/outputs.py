"""A device's raw outputs, dequantized when they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.datasets.batches import from_calls
from edgerig.datasets.preprocess import dequantize

Array = NDArray[Any]


class Dequantized(Sequence[Array]):
    """The outputs of n samples, each of shape (n, ...); one that no task reads costs nothing.

    Args:
        outputs: Raw, as they came from the device, an entry for each inference.
        specs: What they are.
        batch: Samples of an inference.
        count: Number of samples that are wanted; the last inference may be padded.
    """

    def __init__(self, outputs: Sequence[Array], specs: Sequence[TensorSpec], batch: int, count: int) -> None:
        self._outputs, self._specs, self._batch, self._count = outputs, specs, batch, count

    def __len__(self) -> int:
        return len(self._outputs)

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> list[Array]: ...
    def __getitem__(self, index: int | slice) -> Array | list[Array]:
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        return dequantize(from_calls(self._outputs[index], self._batch, self._count), self._specs[index])

    def as_given(self) -> list[TensorSpec]:
        """The specifications with the shapes that the outputs have, the batch in front."""
        given = zip(self._specs, self._outputs, strict=True)
        return [
            replace(spec, shape=(self._batch, *from_calls(raw, self._batch, self._count).shape[1:]))
            for spec, raw in given
        ]

    def finite(self, index: int) -> NDArray[np.bool_]:
        """Whether each sample's output ``index`` is finite, shape (n,); integers are."""
        raw = from_calls(self._outputs[index], self._batch, self._count)
        if raw.dtype.kind != "f":
            return np.ones(len(raw), np.bool_)
        return np.asarray(np.isfinite(raw.reshape(len(raw), -1)).all(axis=1))
