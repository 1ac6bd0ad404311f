"""Samples in the shape that a network takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import IncompatibleError


def fit(inputs: NDArray[np.float32], spec: TensorSpec, dataset: str) -> NDArray[np.float32]:
    """``inputs`` in the shape that a network takes; axes may be flattened, or of length 1 added or dropped.

    Raises:
        IncompatibleError: The number of values a sample differs.
    """
    wanted = tuple(spec.shape[1:])
    if inputs.shape[1:] == wanted:
        return inputs
    squeezed = tuple(n for n in inputs.shape[1:] if n != 1)
    same = squeezed == tuple(n for n in wanted if n != 1) or (len(wanted) == 1 and inputs[0].size == wanted[0])
    if not same:
        raise IncompatibleError(
            f"Dataset {dataset!r} gives samples of shape {list(inputs.shape[1:])}, "
            f"but the network's input {spec.name!r} takes {list(wanted)}.",
            "Use a dataset of that shape, or resize: folder and pet have a 'size' setting.",
        )
    return inputs.reshape(len(inputs), *wanted)
