"""What a task sees of the samples that were run; `edgerig.datasets.base.Samples` is such."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray


class TargetVariable(msgspec.Struct, frozen=True):
    """A real value that a regression predicts: its name, and its unit where it has one."""

    name: str
    unit: str = ""


class LabelledSamples(Protocol):
    """An ordered set of samples with labels.

    Attributes:
        labels: Class indices, shape (n,), int64; -1 where there is no label, and for tasks whose truth is no class.
        streams: The number of the stream that each sample is a frame of, shape (n,); None where they are no streams,
            or one.
    """

    labels: NDArray[np.int64]
    streams: NDArray[np.int64] | None

    def __len__(self) -> int: ...

    def raw(self, index: int) -> NDArray[Any]:
        """One sample as stored, (H, W, C) for images."""
