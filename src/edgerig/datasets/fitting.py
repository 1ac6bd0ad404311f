"""Samples in the shape that a network takes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact, TensorSpec
from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError


def check_size(dataset: Dataset, network: Artifact) -> None:
    """Refuse a dataset whose samples cannot fit a network's input, before it is fetched.

    Only the number of values is compared, and only where dataset and network tell it beforehand: how axes are ordered
    or flattened is a matter of `fit`.

    Raises:
        IncompatibleError: The number of values a sample differs.
    """
    shape = dataset.sample_shape
    for spec in network.inputs[:1]:
        wanted = spec.shape[1:]
        if shape is not None and min(wanted, default=0) > 0 and math.prod(shape) != math.prod(wanted):
            raise _unfit(shape, spec, dataset.name)


def _unfit(shape: Sequence[int], spec: TensorSpec, dataset: str) -> IncompatibleError:
    return IncompatibleError(
        f"Dataset {dataset!r} gives samples of shape {list(shape)}, "
        f"but the network's input {spec.name!r} takes {list(spec.shape[1:])}.",
        "Use a dataset of that shape, or resize: folder and pet have a 'size' setting.",
    )


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
        raise _unfit(inputs.shape[1:], spec, dataset)
    return inputs.reshape(len(inputs), *wanted)
